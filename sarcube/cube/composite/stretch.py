"""From power to bytes, as the services whose pictures are compared with ours make them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SNAC_LOW, SNAC_HIGH = -15.0, 5.0  # dB


def decibel(power: NDArray[Any]) -> NDArray[np.float64]:
    """10 log10 of a power; NaN where there is none."""
    values = np.asarray(power, np.float64)
    return np.where(values > 0, 10.0 * np.log10(np.where(values > 0, values, 1.0)), np.nan)


def snac_bytes(db: NDArray[Any]) -> NDArray[np.uint8]:
    """Bytes of GEP's SNAC (S1 amplitude change): floor(12.7 dB + 191.5) of dB cut to -15 to 5, 0 where there is none.

    -15 dB and less are 1, 5 dB and more are 255.
    """
    values = np.asarray(db, np.float64)
    cut = np.clip(np.where(np.isfinite(values), values, SNAC_LOW), SNAC_LOW, SNAC_HIGH)
    # 12.7 has no exact binary form: at the lower end the sum may come out a hair below 1.
    out = np.clip(np.floor(12.7 * cut + 191.5), 1, 255).astype(np.uint8)
    out[np.isnan(values)] = 0
    return out
