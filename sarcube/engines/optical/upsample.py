"""From coarse to fine pixels, by the rules of SNAP's interpolators.

`nearest` takes the pixel in which the new pixel's upper left corner lies. `bilinear` and `bicubic` take positions of
pixel centres; bicubic is cubic convolution with a = -1 (Keys 1981). Whole numbers are cut, not rounded. Where one of
the four neighbours has no value, bilinear goes on with the others (`_four`), as SNAP does.

Where SNAP is wrong, this is not:

- in the first half pixel SNAP extrapolates, since it cuts -0.25 to 0 and keeps the negative weight: here the first
  pixel's value holds to the edge;
- SNAP's bicubic exchanges the weights of x and y: here x is x;
- SNAP's bicubic takes "no data" for a number: here bilinear takes over where one of the sixteen has no value;
- SNAP begins anew in every tile of its cache, so that seams depend on the tile size: here the image is one;
- a sum of weights that rounding leaves a hair below a whole number is that number;
- a value that comes out as that of "no data" is moved by one, so that what was seen stays seen.
"""

from __future__ import annotations

from typing import TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

Pixel = TypeVar("Pixel", bound=np.generic)
CUT_EPS = 1e-7  # what sums of weights fall short of a whole number by rounding is no reason to cut to the one below

_jit = numba.njit(cache=True, nogil=True, error_model="numpy")


@_jit
def cut(value):  # type: ignore[no-untyped-def]
    """The whole number towards zero, as Java's cast."""
    return np.trunc(value + (CUT_EPS if value > 0 else -CUT_EPS))


def nearest(
    values: NDArray[Pixel], rows: NDArray[np.float64], columns: NDArray[np.float64], nodata: float
) -> NDArray[Pixel]:
    """The pixel in which each new pixel's upper left corner lies.

    Parameters
    ----------
    values : (source rows, source columns) array
    rows, columns : float64 arrays
        Where the upper and the left edge of each new row and column lie, in source pixels from the first one's edge.
    nodata : float
        Outside the source.

    Returns
    -------
    (rows, columns) array of the source's type.
    """
    first_rows, first_columns = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
    out: NDArray[Pixel] = _nearest(values, first_rows, first_columns, values.dtype.type(nodata))
    return out


@_jit
def _nearest(values, rows, columns, nodata):  # type: ignore[no-untyped-def]
    out = np.empty((rows.size, columns.size), values.dtype)
    for i in range(rows.size):
        y = rows[i]
        for j in range(columns.size):
            x = columns[j]
            inside = 0 <= y < values.shape[0] and 0 <= x < values.shape[1]
            out[i, j] = values[y, x] if inside else nodata
    return out


def bilinear(
    values: NDArray[Pixel], rows: NDArray[np.float64], columns: NDArray[np.float64], nodata: float
) -> NDArray[Pixel]:
    """Between the four nearest centres. Parameters as of `nearest`, but positions of centres: 0 is the first centre."""
    return _interpolated(values, rows, columns, float(nodata), values.dtype.kind in "ui", False)


def bicubic(
    values: NDArray[Pixel], rows: NDArray[np.float64], columns: NDArray[np.float64], nodata: float
) -> NDArray[Pixel]:
    """By cubic convolution of the sixteen nearest centres, the edge pixels repeated. Parameters as of `bilinear`."""
    return _interpolated(values, rows, columns, float(nodata), values.dtype.kind in "ui", True)


def _interpolated(
    values: NDArray[Pixel],
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    nodata: float,
    whole: bool,
    cubic: bool,
) -> NDArray[Pixel]:
    low, high = (
        (float(np.iinfo(values.dtype.name).min), float(np.iinfo(values.dtype.name).max)) if whole else (-np.inf, np.inf)
    )
    out: NDArray[Pixel] = _interpolate(values, rows, columns, nodata, whole, cubic, low, high)
    return out


@_jit
def _at(values, y, x, nodata):  # type: ignore[no-untyped-def]
    if 0 <= y < values.shape[0] and 0 <= x < values.shape[1]:
        return float(values[y, x])
    return nodata


@_jit
def _seen(value, nodata):  # type: ignore[no-untyped-def]
    return not np.isnan(value) and value != nodata


@_jit
def _four(v00, v01, v10, v11, wy, wx, nodata):  # type: ignore[no-untyped-def]  # noqa: PLR0911
    """Four neighbours at weights wy, wx; those without value hand theirs on as SNAP does."""
    s00, s01, s10, s11 = _seen(v00, nodata), _seen(v01, nodata), _seen(v10, nodata), _seen(v11, nodata)
    n = int(s00) + int(s01) + int(s10) + int(s11)
    if n == 4:
        upper = v00 + wx * (v01 - v00)
        lower = v10 + wx * (v11 - v10)
        return upper + wy * (lower - upper)
    if n == 0:
        return nodata
    if n == 1:
        return v00 if s00 else v01 if s01 else v10 if s10 else v11
    if n == 2:
        if s00 and s01:
            return v00 * (1 - wx) + v01 * wx
        if s10 and s11:
            return v10 * (1 - wx) + v11 * wx
        if s00 and s10:
            return v00 * (1 - wy) + v10 * wy
        if s01 and s11:
            return v01 * (1 - wy) + v11 * wy
        if s00:  # and the one across
            total = wx * wy + (1 - wx) * (1 - wy)
            return (v00 * (1 - wx) * (1 - wy) + v11 * wx * wy) * (1 / total) if total > 0 else nodata
        total = (1 - wx) * wy + wx * (1 - wy)
        return (v01 * wx * (1 - wy) + v10 * (1 - wx) * wy) * (1 / total) if total > 0 else nodata
    w00, w01, w10, w11 = (1 - wx) * (1 - wy), wx * (1 - wy), (1 - wx) * wy, wx * wy
    if not s00:
        return v01 * (w01 + 0.5 * w00) + v10 * (w10 + 0.5 * w00) + v11 * w11
    if not s01:
        return v00 * (w00 + 0.5 * w01) + v10 * w10 + v11 * (w11 + 0.5 * w01)
    if not s10:
        return v00 * (w00 + 0.5 * w10) + v01 * w01 + v11 * (w11 + 0.5 * w10)
    return v00 * w00 + v01 * (w01 + 0.5 * w11) + v10 * (w10 + 0.5 * w11)


@_jit
def _cubic(p0, p1, p2, p3, w):  # type: ignore[no-untyped-def]
    """Cubic convolution with a = -1 at w between p1 and p2."""
    far, near, across, beyond = 1 + w, w, 1 - w, 2 - w
    return (
        p0 * (4 - 8 * far + 5 * far**2 - far**3)
        + p1 * (1 - 2 * near**2 + near**3)
        + p2 * (1 - 2 * across**2 + across**3)
        + p3 * (4 - 8 * beyond + 5 * beyond**2 - beyond**3)
    )


@_jit
def _interpolate(values, rows, columns, nodata, whole, cubic, low, high):  # type: ignore[no-untyped-def]
    out = np.empty((rows.size, columns.size), values.dtype)
    height, width = values.shape
    lines = np.empty(4)
    for i in range(rows.size):
        sy = max(rows[i], 0.0) if rows[i] > -1.0 else rows[i]  # the first half pixel
        y = int(np.floor(sy))
        wy = sy - y
        for j in range(columns.size):
            sx = max(columns[j], 0.0) if columns[j] > -1.0 else columns[j]
            x = int(np.floor(sx))
            wx = sx - x
            value, filled = nodata, False
            if cubic and 0 <= y < height and 0 <= x < width:
                filled = True
                for a in range(4):
                    ya = min(max(y - 1 + a, 0), height - 1)
                    p0, p1 = float(values[ya, max(x - 1, 0)]), float(values[ya, x])
                    p2, p3 = float(values[ya, min(x + 1, width - 1)]), float(values[ya, min(x + 2, width - 1)])
                    if not (_seen(p0, nodata) and _seen(p1, nodata) and _seen(p2, nodata) and _seen(p3, nodata)):
                        filled = False
                        break
                    lines[a] = _cubic(p0, p1, p2, p3, wx)
                if filled:
                    value = _cubic(lines[0], lines[1], lines[2], lines[3], wy)
            if not filled:
                value = _four(
                    _at(values, y, x, nodata), _at(values, y, x + 1, nodata),
                    _at(values, y + 1, x, nodata), _at(values, y + 1, x + 1, nodata), wy, wx, nodata,
                )  # fmt: skip
                filled = _seen(value, nodata)
            if whole:
                value = min(max(cut(value), low), high)
                if filled and value == nodata:
                    value += 1.0 if value < high else -1.0
            out[i, j] = value
    return out
