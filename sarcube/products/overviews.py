"""Overviews that average what is valid, made at once: GDAL's own take more time than the layer itself.

Each level is half of the one before, rounded down, over the same ground, as GDAL makes them. Where a side is odd, a
pixel counts by the part of it that lies in a coarser one.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray


def averages(values: NDArray[np.floating], nodata: float, smallest: int) -> list[NDArray[np.floating]]:
    """The overviews of a raster until neither side is longer than `smallest`; none where that holds already.

    Parameters
    ----------
    values : (rows, columns) float32 or float64
    nodata : float
        Missing, as NaN is.
    smallest : int
    """
    levels: list[NDArray[np.floating]] = []
    while max(values.shape) > smallest:
        rows, columns = values.shape
        half = np.empty((max(rows // 2, 1), max(columns // 2, 1)), values.dtype)
        if rows % 2 or columns % 2:
            _average_parts(values, nodata, half)
        else:
            _average_fours(values, nodata, half)
        levels.append(half)
        values = half
    return levels


@njit(cache=True, nogil=True, error_model="numpy")
def _average_fours(values: NDArray[np.floating], nodata: float, out: NDArray[np.floating]) -> None:
    for i in range(out.shape[0]):
        upper, lower, target = values[2 * i], values[2 * i + 1], out[i]
        for j in range(target.size):
            total, count = 0.0, 0.0
            for value in (upper[2 * j], upper[2 * j + 1], lower[2 * j], lower[2 * j + 1]):
                valid = value == value and value != nodata  # noqa: PLR0124 -- NaN alone differs from itself
                total += value if valid else 0.0
                count += 1.0 if valid else 0.0
            target[j] = total / count if count > 0.0 else nodata


@njit(cache=True, nogil=True, error_model="numpy")
def _average_parts(values: NDArray[np.floating], nodata: float, out: NDArray[np.floating]) -> None:
    down, right = values.shape[0] / out.shape[0], values.shape[1] / out.shape[1]
    for i in range(out.shape[0]):
        top, bottom = i * down, (i + 1) * down
        for j in range(out.shape[1]):
            left, end = j * right, (j + 1) * right
            total, weight = 0.0, 0.0
            for r in range(int(top), min(math.ceil(bottom), values.shape[0])):
                high = min(bottom, r + 1.0) - max(top, r)
                for c in range(int(left), min(math.ceil(end), values.shape[1])):
                    value = values[r, c]
                    if value == value and value != nodata:  # noqa: PLR0124
                        part = high * (min(end, c + 1.0) - max(left, c))
                        total += part * value
                        weight += part
            # What rounding leaves of a pixel beyond the edge is none.
            out[i, j] = total / weight if weight > 1e-6 else nodata
