"""From fine to coarse pixels, by the rules of SNAP's aggregators.

A coarse pixel covers a window of source pixels, those at its edges in part. `first` takes the upper left one, also
where it has no value. `min` and `max` are over the values there are. `mean` weights by area and is cut for whole
numbers. `median` is of the values there are, unweighted; of an even number the mean of the two middle ones, cut for
whole numbers. Flags: `flagand` and `flagor` of the values there are, bit by bit;
`flagmedianand` sets a bit that more than half of them have, `flagmedianor` one that at least half have. Where there is
no value, flags are 0 and all else is "no data".

SNAP's mean of whole numbers cuts the sum after every pixel, which at ratios that are not whole loses up to the whole
value of a pixel that is covered little: here only the result is cut.

GDAL's `med` takes one pixel and its `nearest` the lower right one of 2 x 2: neither is the same.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from sarcube.engines.optical.rules import DOWNSAMPLING, FLAG_DOWNSAMPLING, Downsampling, FlagDownsampling
from sarcube.engines.optical.upsample import Pixel, cut

_FIRST, _MIN, _MAX, _MEAN, _MEDIAN = range(5)
_AND, _OR, _MEDIAN_AND, _MEDIAN_OR = range(1, 5)
_EPS = 1e-10  # of a source pixel: what reaches less far into one does not count it

_jit = numba.njit(cache=True, nogil=True, error_model="numpy")


def aggregate(
    values: NDArray[Pixel],
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    rule: Downsampling,
    nodata: float,
) -> NDArray[Pixel]:
    """Aggregate measures.

    Parameters
    ----------
    values : (source rows, source columns) array
    rows, columns : (n + 1,) float64 arrays
        Edges of the new rows and columns, in source pixels from the first one's edge, ascending.
    rule : str
    nodata : float
        Marks pixels without value, in and out; outside the source there is none. NaN is none, too.

    Returns
    -------
    (rows, columns) array of the source's type.
    """
    whole = values.dtype.kind in "ui"
    code = DOWNSAMPLING.index(rule)
    window = int((np.ceil(np.diff(rows).max()) + 1) * (np.ceil(np.diff(columns).max()) + 1))
    out: NDArray[Pixel] = _aggregate(
        values, *_windows(rows), *_windows(columns), code, float(nodata), whole, np.empty(window)
    )
    return out


def aggregate_flags(
    values: NDArray[Pixel],
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    rule: FlagDownsampling,
    nodata: int,
) -> NDArray[Pixel]:
    """Aggregate flags, bit by bit: unsigned numbers. Parameters as of `aggregate`; `nodata` -1: all are values."""
    code = FLAG_DOWNSAMPLING.index(rule)
    first_row, last_row, _, _ = _windows(rows)
    first_column, last_column, _, _ = _windows(columns)
    out: NDArray[Pixel] = _flags(values, first_row, last_row, first_column, last_column, code, int(nodata))
    return out


def _windows(
    edges: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """First and last source pixel of each window, and how much of these two it covers."""
    begin, end = edges[:-1], edges[1:]
    first, last = np.floor(begin + _EPS).astype(np.int64), np.floor(end).astype(np.int64)
    lead, tail = 1.0 - (begin - first), end - last
    whole = tail < _EPS
    last = np.where(whole & (last > first), last - 1, last)
    return first, last, np.minimum(lead, 1.0), np.where(whole, 1.0, tail)


@_jit
def _aggregate(  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917
    values, first_row, last_row, top, bottom, first_column, last_column, left, right, rule, nodata, whole, window
):
    out = np.empty((first_row.size, first_column.size), values.dtype)
    height, width = values.shape
    for i in range(first_row.size):
        for j in range(first_column.size):
            y0, x0 = first_row[i], first_column[j]
            if rule == _FIRST:
                inside = 0 <= y0 < height and 0 <= x0 < width
                out[i, j] = values[y0, x0] if inside else nodata
                continue
            n, total, weights, extreme = 0, 0.0, 0.0, 0.0
            for y in range(max(y0, 0), min(last_row[i], height - 1) + 1):
                wy = top[i] if y == y0 else bottom[i] if y == last_row[i] else 1.0
                for x in range(max(x0, 0), min(last_column[j], width - 1) + 1):
                    value = float(values[y, x])
                    if value == nodata or np.isnan(value):
                        continue
                    if rule == _MEAN:
                        wx = left[j] if x == x0 else right[j] if x == last_column[j] else 1.0
                        total += wx * wy * value
                        weights += wx * wy
                    elif rule == _MEDIAN:
                        window[n] = value
                    elif n == 0 or (value < extreme) == (rule == _MIN):
                        extreme = value
                    n += 1
            if n == 0 or (rule == _MEAN and weights == 0.0):
                out[i, j] = nodata
                continue
            if rule == _MEAN:
                extreme = total / weights
            elif rule == _MEDIAN:
                window[:n].sort()
                extreme = window[n // 2] if n % 2 else (window[n // 2 - 1] + window[n // 2]) / 2.0
            out[i, j] = cut(extreme) if whole else extreme
    return out


@_jit
def _flags(values, first_row, last_row, first_column, last_column, rule, nodata):  # type: ignore[no-untyped-def]  # noqa: PLR0912
    out = np.zeros((first_row.size, first_column.size), values.dtype)
    height, width = values.shape
    counts = np.zeros(64, np.int64)
    for i in range(first_row.size):
        for j in range(first_column.size):
            y0, x0 = first_row[i], first_column[j]
            if rule == _FIRST:
                if 0 <= y0 < height and 0 <= x0 < width:
                    out[i, j] = values[y0, x0]
                elif nodata >= 0:
                    out[i, j] = nodata
                continue
            counts[:] = 0
            n, bits_and, bits_or = 0, -1, 0
            for y in range(max(y0, 0), min(last_row[i], height - 1) + 1):
                for x in range(max(x0, 0), min(last_column[j], width - 1) + 1):
                    value = int(values[y, x])
                    if value == nodata:
                        continue
                    n += 1
                    bits_and &= value
                    bits_or |= value
                    if rule >= _MEDIAN_AND:
                        b = 0
                        while value > 0:
                            counts[b] += value & 1
                            value >>= 1
                            b += 1
            result = 0
            if n > 0 and rule == _AND:
                result = bits_and
            elif rule == _OR:
                result = bits_or
            elif n > 0:
                for b in range(64):
                    if 2 * counts[b] > n or (rule == _MEDIAN_OR and 2 * counts[b] == n):
                        result |= 1 << b
            out[i, j] = result
    return out
