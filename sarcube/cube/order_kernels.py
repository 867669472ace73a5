"""Order along time: the dates of many pixels sorted side by side.

A sorting network compares the same pairs of dates whatever their values are, so the pixels of a row go through it
together, as many at a time as the processor's vectors hold, and nothing branches. The network is merge exchange
(Batcher 1968; Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M), which sorts any number of dates: 50 of
them by 395 comparisons.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Bytes of the dates of the pixels that are sorted together: they stay in the first cache.
_TOGETHER = 32 * 1024


@njit(nogil=True, cache=True)
def lanes_of(steps: int, width: int) -> int:
    """How many pixels of a row to sort together."""
    return min(max(_TOGETHER // (4 * steps) // 16 * 16, 32), 256, width)


@njit(nogil=True, cache=True)
def _exchange(columns: NDArray[np.float32], low: int, high: int, width: int) -> None:
    for j in range(width):
        a, b = columns[low, j], columns[high, j]
        columns[low, j] = a if a < b else b
        columns[high, j] = b if a < b else a


@njit(nogil=True, cache=True)
def sort_columns(columns: NDArray[np.float32], width: int) -> None:
    """Sort the first `width` columns of (steps, lanes) in place; none of them may hold NaN."""
    steps = columns.shape[0]
    top = 1
    while 2 * top < steps:
        top *= 2
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while d > 0:
            for k in range(steps - d):
                if k & p == r:
                    _exchange(columns, k, k + d, width)
            d = q - p
            q //= 2
            r = p
        p //= 2


@njit(nogil=True, cache=True)
def medians(stack: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Median of the values of each pixel that are there, as `numpy.nanmedian` has it; NaN where there are none.

    Parameters
    ----------
    stack : (t, y, x)
    out : (y, x)
        Written.
    """
    steps, height, width = stack.shape
    lanes = lanes_of(steps, width)
    columns = np.empty((steps, lanes), np.float32)
    seen = np.empty(lanes, np.int32)
    for i in range(height):
        for start in range(0, width, lanes):
            size = min(lanes, width - start)
            seen[:] = 0
            for t in range(steps):
                for j in range(size):
                    value = stack[t, i, start + j]
                    there = not np.isnan(value)
                    columns[t, j] = value if there else np.float32(np.inf)  # what is missing comes last
                    seen[j] += 1 if there else 0
            sort_columns(columns, size)
            for j in range(size):
                n = seen[j]
                if n == 0:
                    out[i, start + j] = np.nan
                elif n % 2:
                    out[i, start + j] = columns[n // 2, j]
                else:
                    out[i, start + j] = (columns[n // 2 - 1, j] + columns[n // 2, j]) * np.float32(0.5)
