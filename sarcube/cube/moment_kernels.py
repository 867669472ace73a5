"""Moments along time, a few dates at once.

Count, mean and sum of squared deviations of the dates at hand are taken in two passes, then joined to those of the
dates before (Chan, Golub and LeVeque 1979, Updating formulae and a pairwise algorithm for computing sample variances):
no cancellation, and no branch, so that a row's pixels are worked on as many at a time as the processor's vectors hold.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sarcube.cube.through_time import COUNT, GREATEST, LEAST, MEAN, SQUARES


def no_moments(rows: int, height: int, width: int) -> NDArray[np.float64]:
    """Moments of no dates: the first `rows` of count, mean, sum of squared deviations, least and greatest value."""
    state = np.zeros((rows, height, width))
    if rows > LEAST:
        state[LEAST], state[GREATEST] = np.inf, -np.inf
    return state


@njit(nogil=True, cache=True, error_model="numpy")
def update_moments(state: NDArray[np.float64], block: NDArray[np.float32]) -> None:
    """Add dates to moments.

    Parameters
    ----------
    state : (2, 3 or 5, y, x)
        From `no_moments`; changed in place.
    block : (t, y, x)
        NaN is left out.
    """
    steps, height, width = block.shape
    rows = state.shape[0]
    count, mean, squares = np.empty(width), np.empty(width), np.empty(width)
    for i in range(height):
        count[:] = 0.0
        mean[:] = 0.0
        for t in range(steps):
            for j in range(width):
                value = np.float64(block[t, i, j])
                count[j] += 1.0 if not np.isnan(value) else 0.0
                mean[j] += value if not np.isnan(value) else 0.0
        for j in range(width):
            mean[j] = mean[j] / count[j] if count[j] > 0.0 else 0.0
        if rows > SQUARES:
            squares[:] = 0.0
            for t in range(steps):
                for j in range(width):
                    value = np.float64(block[t, i, j])
                    off = value - mean[j]
                    squares[j] += off * off if not np.isnan(value) else 0.0
        for j in range(width):
            before = state[COUNT, i, j]
            both = before + count[j]
            off = mean[j] - state[MEAN, i, j]
            state[COUNT, i, j] = both
            state[MEAN, i, j] = (before * state[MEAN, i, j] + count[j] * mean[j]) / both if both > 0.0 else 0.0
            if rows > SQUARES and both > 0.0:
                state[SQUARES, i, j] += squares[j] + off * off * before * count[j] / both
        if rows > LEAST:
            for t in range(steps):
                for j in range(width):
                    value = np.float64(block[t, i, j])
                    least, greatest = state[LEAST, i, j], state[GREATEST, i, j]
                    state[LEAST, i, j] = value if value < least else least
                    state[GREATEST, i, j] = value if value > greatest else greatest
