"""Speckle filters of one date: arrays of power in, power out. Missing values stay missing and never leak."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from sarcube.engines.speckle_kernels import refined_lee as _kernel


def local_mean(image: NDArray[np.floating], window: int) -> NDArray[np.float64]:
    """Mean over the valid pixels of a window in the last two axes; NaN where there are none."""
    size = (1,) * (image.ndim - 2) + (window, window)
    valid = ~np.isnan(image)
    total = uniform_filter(np.where(valid, image, 0).astype(np.float64), size, mode="constant")
    share = uniform_filter(valid.astype(np.float64), size, mode="constant")
    # uniform_filter runs on sums, whose rounding may leave traces where nothing is.
    result: NDArray[np.float64] = np.where(share > 0.5 / window**2, total / np.maximum(share, 1e-12), np.nan)
    return result


def _statistics(stack: NDArray[np.floating], window: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # Local mean and squared coefficient of variation.
    mean = local_mean(stack, window)
    square = local_mean(np.square(stack, dtype=np.float64), window)
    with np.errstate(divide="ignore", invalid="ignore"):
        variation = np.maximum(square / mean**2 - 1, 0)
    return mean, variation


def lee(stack: NDArray[np.floating], window: int, enl: float) -> NDArray[np.floating]:
    """Lee 1980, IEEE TPAMI 2(2): local linear minimum mean square error for multiplicative noise."""
    mean, variation = _statistics(stack, window)
    noise = 1 / enl
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.clip((1 - noise / variation) / (1 + noise), 0, 1)
        weight = np.where(variation > noise, weight, 0)
    result: NDArray[np.floating] = (mean + weight * (stack - mean)).astype(stack.dtype)
    return result


def gamma_map(stack: NDArray[np.floating], window: int, enl: float) -> NDArray[np.floating]:
    """Lopes et al. 1990, Proc. IGARSS: maximum a posteriori for gamma distributed texture and speckle."""
    mean, variation = _statistics(stack, window)
    noise = 1 / enl
    with np.errstate(divide="ignore", invalid="ignore"):
        alpha = (1 + noise) / (variation - noise)
        b = alpha - enl - 1
        root = np.sqrt(np.maximum(mean**2 * b**2 + 4 * alpha * enl * mean * stack, 0))
        estimate = (b * mean + root) / (2 * alpha)
    out = np.where(variation <= noise, mean, np.where(variation >= 2 * noise, stack, estimate))
    result: NDArray[np.floating] = np.where(np.isnan(stack), np.nan, out).astype(stack.dtype)
    return result


def refined_lee(stack: NDArray[np.floating], window: int, enl: float) -> NDArray[np.floating]:
    """Lee 1981: edge-aligned half windows of 7 x 7."""
    flat = np.ascontiguousarray(stack.reshape(-1, *stack.shape[-2:]), np.float32)
    result: NDArray[np.floating] = _kernel(flat, 1 / enl).reshape(stack.shape).astype(stack.dtype)
    return result


FILTERS: dict[str, Callable[[NDArray[np.floating], int, float], NDArray[np.floating]]] = {
    "lee": lee,
    "refined_lee": refined_lee,
    "gamma_map": gamma_map,
}
"""By name: (array (..., rows, columns), window in pixels, equivalent number of looks)."""
