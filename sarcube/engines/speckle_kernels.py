"""Inner loop of the refined Lee filter."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def _box_mean(image: NDArray[np.float32], row: int, col: int) -> float:
    # Mean of 3 x 3 around a pixel, NaN where none is valid.
    height, width = image.shape
    total, count = 0.0, 0
    for i in range(max(row - 1, 0), min(row + 2, height)):
        for j in range(max(col - 1, 0), min(col + 2, width)):
            if not np.isnan(image[i, j]):
                total += image[i, j]
                count += 1
    return total / count if count else np.nan


@njit(nogil=True, cache=True)
def _side(image: NDArray[np.float32], row: int, col: int) -> tuple[int, int]:
    """The half of the 7 x 7 window on this pixel's side of the edge: normal (row, column) of the edge.

    Lee 1981 (Computer Graphics and Image Processing 17): nine 3 x 3 means, four gradients, the strongest is
    across the edge; of the two sides across it, the one whose mean is closer to the middle's.
    """
    m = np.empty((3, 3))
    for p in range(3):
        for q in range(3):
            m[p, q] = _box_mean(image, row + 2 * (p - 1), col + 2 * (q - 1))
    # Sums of the three means on either side, for each direction.
    best, normal_row, normal_col = -1.0, 0, 0
    for k in range(4):
        dr, dc = (0, 1, 1, 1)[k], (1, 0, 1, -1)[k]
        ahead, behind, n = 0.0, 0.0, 0
        for p in range(-1, 2):
            for q in range(-1, 2):
                place = p * dr + q * dc
                if place > 0 and not np.isnan(m[1 + p, 1 + q]) and not np.isnan(m[1 - p, 1 - q]):
                    ahead += m[1 + p, 1 + q]
                    behind += m[1 - p, 1 - q]
                    n += 1
        if n == 0:
            continue
        gradient = abs(ahead - behind) / n
        if gradient > best:
            best = gradient
            toward = abs(m[1 + dr, 1 + dc] - m[1, 1])
            away = abs(m[1 - dr, 1 - dc] - m[1, 1])
            sign = 1 if np.isnan(away) or toward < away else -1
            normal_row, normal_col = sign * dr, sign * dc
    return normal_row, normal_col


@njit(nogil=True, cache=True)
def refined_lee(stack: NDArray[np.float32], noise: float) -> NDArray[np.float32]:
    """Refined Lee filter, edge-aligned half windows of 7 x 7.

    Parameters
    ----------
    stack : (n, y, x)
        Power, NaN where missing.
    noise : float
        Squared coefficient of variation of speckle, 1 / ENL.

    Returns
    -------
    (n, y, x) float32
    """
    count, height, width = stack.shape
    out = np.full(stack.shape, np.nan, np.float32)
    for k in range(count):
        image = stack[k]
        for row in range(height):
            for col in range(width):
                value = image[row, col]
                if np.isnan(value):
                    continue
                dr, dc = _side(image, row, col)
                total, squares, n = 0.0, 0.0, 0
                for i in range(max(row - 3, 0), min(row + 4, height)):
                    for j in range(max(col - 3, 0), min(col + 4, width)):
                        # The line through the pixel belongs to its half.
                        if (i - row) * dr + (j - col) * dc >= 0 and not np.isnan(image[i, j]):
                            total += image[i, j]
                            squares += np.float64(image[i, j]) * image[i, j]
                            n += 1
                mean = total / n
                variance = max(squares / n - mean * mean, 0.0)
                signal = (variance - mean * mean * noise) / (1.0 + noise)
                weight = signal / variance if signal > 0.0 else 0.0
                out[k, row, col] = mean + weight * (value - mean)
    return out
