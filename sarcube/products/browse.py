"""The browse image: a small PNG for people, not for measuring."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sarcube.products.summary import block_mean

MEDIA_TYPE = "image/png"
LONGEST_SIDE = 2048
_PERCENTILES = (3.0, 97.0)
_GAMMA = 0.5


def browse_png(layers: Sequence[NDArray[np.float32]], longest_side: int = LONGEST_SIDE) -> bytes:
    """An RGBA image of one or two backscatter layers, of the part that has data; else it is transparent.

    Two layers: red and blue are the first (co-polarized), green the second (cross-polarized), each stretched
    between its 3rd and 97th percentile with gamma 0.5, as in OPERA's browse images. One layer: grey.

    Parameters
    ----------
    layers : one or two (rows, columns) float32 arrays
        Linear power, NaN where there are no data.
    longest_side : int
        Largest width or height of the image; averaging is done in power.
    """
    from PIL import Image

    part = _with_data(layers)
    factor = math.ceil(max(layers[0][part].shape) / longest_side)
    small = [block_mean(np.asarray(values[part], np.float32), factor) for values in layers]
    alpha = np.where(np.any([np.isfinite(v) for v in small], axis=0), 255, 0).astype(np.uint8)
    grey = [_stretch(values) for values in small]
    channels = (grey[0], grey[1] if len(grey) > 1 else grey[0], grey[0], alpha)
    buffer = io.BytesIO()
    Image.fromarray(np.dstack(channels), "RGBA").save(buffer, "PNG", compress_level=2)
    return buffer.getvalue()


def browse_layers(layers: Mapping[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Co-polarized, then cross-polarized layer, of those that are there."""
    order = [name for name in ("VV", "HH", "VH", "HV") if name in layers]
    return [layers[name] for name in order[:2]]


def _with_data(layers: Sequence[NDArray[np.float32]]) -> tuple[slice, slice]:
    """Rows and columns around the data: of a burst at a scene's edge little may be left."""
    valid = np.any([np.isfinite(values) for values in layers], axis=0)
    if not valid.any():
        return slice(None), slice(None)
    rows, columns = np.flatnonzero(valid.any(axis=1)), np.flatnonzero(valid.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _stretch(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    valid = values[np.isfinite(values)]
    if valid.size == 0:
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(valid, _PERCENTILES)
    scaled = np.clip((values - low) / max(high - low, 1e-12), 0.0, 1.0)
    grey: NDArray[np.uint8] = np.nan_to_num(255.0 * scaled**_GAMMA, nan=0.0).astype(np.uint8)
    return grey
