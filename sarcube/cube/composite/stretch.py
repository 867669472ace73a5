"""From power to bytes, as the services whose pictures are compared with ours make them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SNAC_LOW, SNAC_HIGH = -15.0, 5.0  # dB


def decibel(power: NDArray[np.floating]) -> NDArray[np.float64]:
    """10 log10 of a power; NaN where there is none."""
    values = np.asarray(power, np.float64)
    return np.where(values > 0, 10.0 * np.log10(np.where(values > 0, values, 1.0)), np.nan)


def snac_bytes(db: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Bytes of GEP's SNAC (S1 amplitude change): floor(12.7 dB + 191.5) of dB cut to -15 to 5, 0 where there is none.

    -15 dB and less are 1, 5 dB and more are 255.
    """
    values = np.asarray(db, np.float64)
    cut = np.clip(np.where(np.isfinite(values), values, SNAC_LOW), SNAC_LOW, SNAC_HIGH)
    # 12.7 has no exact binary form: at the lower end the sum may come out a hair below 1.
    out = np.clip(np.floor(12.7 * cut + 191.5), 1, 255).astype(np.uint8)
    out[np.isnan(values)] = 0
    return out


def percentiles(values: NDArray[np.floating], low: float, high: float) -> tuple[float, float]:
    """Two percentiles of what is finite; (0, 1) where nothing is."""
    finite = np.asarray(values)[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    a, b = np.percentile(finite, (low, high))
    return float(a), float(b)


def stretched(values: NDArray[np.floating], low: float, high: float) -> NDArray[np.uint8]:
    """Bytes 1 to 255 of values from `low` to `high`, cut to these; 0 where there is none, 128 where both are one."""
    values = np.asarray(values, np.float64)
    share = (
        (np.where(np.isfinite(values), values, low) - low) / (high - low) if high > low else np.full(values.shape, 0.5)
    )
    out = (1 + np.floor(254 * np.clip(share, 0, 1))).astype(np.uint8)
    out[~np.isfinite(values)] = 0
    return out
