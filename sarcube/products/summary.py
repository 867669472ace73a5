"""What one pass over a raster's pixels tells: statistics, a coarse picture of where data are, block means."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray


@dataclass(frozen=True)
class Statistics:
    """Statistics of a raster's valid pixels; the first four are None where no pixel is valid."""

    minimum: float | None
    maximum: float | None
    mean: float | None
    stddev: float | None
    valid_percent: float


@njit(nogil=True, cache=True)
def _scan(
    values: NDArray[np.number], nodata: float, block: int
) -> tuple[NDArray[np.uint8], int, float, float, float, float, float]:
    rows, columns = values.shape
    coarse = np.zeros(((rows + block - 1) // block, (columns + block - 1) // block), np.uint8)
    count = 0
    total = 0.0
    squares = 0.0
    low = np.inf
    high = -np.inf
    # Sums about the first value: no loss of digits where the spread is small beside the mean.
    shift = _first(values, nodata)
    for i in range(rows):
        for b in range(coarse.shape[1]):
            # Sums of a block's own: those of blocks beside each other do not wait for each other.
            own, own_total, own_squares = 0, 0.0, 0.0
            for j in range(b * block, min((b + 1) * block, columns)):
                value = float(values[i, j])
                if value == value and value != nodata:  # noqa: PLR0124 -- NaN alone differs from itself
                    own += 1
                    own_total += value - shift
                    own_squares += (value - shift) * (value - shift)
                    low = min(low, value)
                    high = max(high, value)
            if own:
                count += own
                total += own_total
                squares += own_squares
                coarse[i // block, b] = 1
    return coarse, count, total, squares, low, high, shift


@njit(nogil=True, cache=True)
def _first(values: NDArray[np.number], nodata: float) -> float:
    """The first valid value; NaN where there is none."""
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            value = float(values[i, j])
            if not np.isnan(value) and value != nodata:
                return value
    return np.nan


def scan(values: NDArray[np.number], nodata: float, block: int = 8) -> tuple[Statistics, NDArray[np.uint8]]:
    """Statistics of the valid pixels, and which blocks hold any.

    Parameters
    ----------
    values : (rows, columns) array
    nodata : float
        Value that counts as missing; NaN always does. Complex numbers are summed up by their magnitude.
    block : int
        Side of a block, pixels.

    Returns
    -------
    Statistics
    (ceil(rows / block), ceil(columns / block)) uint8
        1 where a block holds a valid pixel.
    """
    if np.iscomplexobj(values):
        values = np.abs(values)  # of complex numbers the magnitude is what can be least and largest
    coarse, count, total, squares, low, high, shift = _scan(values, float(nodata), block)
    percent = 100.0 * count / values.size
    if count == 0:
        return Statistics(None, None, None, None, 0.0), coarse
    offset = total / count
    variance = max(squares / count - offset * offset, 0.0)
    return Statistics(low, high, shift + offset, math.sqrt(variance), percent), coarse


@njit(nogil=True, cache=True)
def block_mean(values: NDArray[np.floating], factor: int) -> NDArray[np.float32]:
    """Mean of the valid pixels of each `factor` x `factor` block, NaN where there are none.

    values: (rows, columns) float; returns (ceil(rows / factor), ceil(columns / factor)) float32.
    """
    rows, columns = values.shape
    out = np.empty(((rows + factor - 1) // factor, (columns + factor - 1) // factor), np.float32)
    for bi in range(out.shape[0]):
        for bj in range(out.shape[1]):
            total = 0.0
            count = 0
            for i in range(bi * factor, min((bi + 1) * factor, rows)):
                for j in range(bj * factor, min((bj + 1) * factor, columns)):
                    value = values[i, j]
                    if not np.isnan(value):
                        total += value
                        count += 1
            out[bi, bj] = total / count if count else np.nan
    return out
