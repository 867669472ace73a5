"""Inner loops of the multi-temporal speckle filter."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def _add_row(
    image: NDArray[np.float32], row: int, sign: int, total: NDArray[np.float64], count: NDArray[np.int32]
) -> None:
    for j in range(image.shape[1]):
        value = np.float64(image[row, j])
        there = not np.isnan(value)
        total[j] += sign * value if there else 0.0
        count[j] += sign if there else 0


@njit(nogil=True, cache=True, error_model="numpy")
def _local_mean(image: NDArray[np.float32], window: int, out: NDArray[np.float64]) -> None:
    # Over the valid pixels of a window: columns by running sums, rows by adding the window's columns.
    height, width = image.shape
    half = window // 2
    total, count = np.zeros(width), np.zeros(width, np.int32)
    across, seen = np.empty(width), np.empty(width, np.int32)
    for i in range(min(half, height)):
        _add_row(image, i, 1, total, count)
    for i in range(height):
        if i + half < height:
            _add_row(image, i + half, 1, total, count)
        if i - half > 0:
            _add_row(image, i - half - 1, -1, total, count)
        across[:] = total
        seen[:] = count
        for k in range(1, min(half, width - 1) + 1):
            for j in range(width - k):
                across[j] += total[j + k]
                seen[j] += count[j + k]
            for j in range(k, width):
                across[j] += total[j - k]
                seen[j] += count[j - k]
        for j in range(width):
            # What is left of running sums where nothing is has no meaning.
            out[i, j] = across[j] / seen[j] if seen[j] > 0 else np.nan


@njit(nogil=True, cache=True, error_model="numpy")
def quegan_yu(stack: NDArray[np.float32], window: int, out: NDArray[np.float32]) -> None:
    """Quegan and Yu 2001, IEEE TGRS 39(11), equation 14 for uncorrelated channels.

    J_k = (m_k / M) sum over i of I_i / m_i, with m the local mean of each date. A date that did not see a pixel gets no
    value, though its neighbourhood has one.

    Parameters
    ----------
    stack : (t, y, x)
        Power, NaN where missing.
    window : int
        Odd, pixels.
    out : (t, y, x)
        Written.
    """
    steps, height, width = stack.shape
    mean = np.empty((height, width))
    texture, dates = np.zeros((height, width)), np.zeros((height, width), np.int32)
    for t in range(steps):
        _local_mean(stack[t], window, mean)
        for i in range(height):
            for j in range(width):
                ratio = stack[t, i, j] / mean[i, j]
                there = abs(ratio) < np.inf
                texture[i, j] += ratio if there else 0.0
                dates[i, j] += 1 if there else 0
                out[t, i, j] = mean[i, j]
    for i in range(height):
        for j in range(width):
            texture[i, j] = texture[i, j] / dates[i, j] if dates[i, j] > 0 else np.nan
    for t in range(steps):
        for i in range(height):
            for j in range(width):
                value = stack[t, i, j]
                out[t, i, j] = out[t, i, j] * texture[i, j] if not np.isnan(value) else np.float32(np.nan)
