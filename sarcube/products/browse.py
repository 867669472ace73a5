"""The browse image: a small PNG for people, not for measuring."""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sarcube.products.kinds import Layer
from sarcube.products.summary import block_mean

MEDIA_TYPE = "image/png"
LONGEST_SIDE = 2048
_PERCENTILES = (3.0, 97.0)
_GAMMA = 0.5


def browse_png(
    values: Sequence[NDArray[np.number]], layers: Sequence[Layer], longest_side: int = LONGEST_SIDE
) -> bytes:
    """An RGBA image of one or two layers, of the part that has data; else it is transparent.

    Two layers: red and blue are the first, green the second, each stretched between its 3rd and 97th percentile with
    gamma 0.5, as in OPERA's browse images. One layer that is shown in grey: the same with that one. Another one: its
    colour map over its range, or over those percentiles; a mask: the colours of its classes.

    Parameters
    ----------
    values : one or two (rows, columns) arrays
    layers : one or two Layers
        Of `values`.
    longest_side : int
        Largest width or height of the image; values are averaged (power in power, phases round the circle).
    """
    from PIL import Image

    first = layers[0]
    seen = [~layer.missing(v) for v, layer in zip(values, layers, strict=True)]
    part = _with_data(seen)
    factor = math.ceil(max(values[0][part].shape) / longest_side)
    grey: list[NDArray[np.uint8]] = []
    if len(layers) == 1 and first.classes:
        picture = _classes(values[0][part][::factor, ::factor], first)
    else:
        # Where NaN is what is missing there is nothing to put in its place.
        small = [
            _smaller(v[part] if np.isnan(layer.nodata) else np.where(s[part], v[part], np.nan), layer, factor)
            for v, s, layer in zip(values, seen, layers, strict=True)
        ]
        alpha = np.where(np.any([np.isfinite(v) for v in small], axis=0), 255, 0).astype(np.uint8)
        if len(layers) == 1 and first.shown.colours != "gray":
            picture = np.dstack([_coloured(small[0], first), alpha])
        else:
            grey = [_stretch(v) for v in small]
            picture = np.dstack([grey[0], grey[-1], grey[0], alpha])
    buffer = io.BytesIO()
    # Noise repeats nothing but runs of one value: to look for more takes time and saves no byte.
    strategy = zlib.Z_RLE if grey else zlib.Z_DEFAULT_STRATEGY
    Image.fromarray(picture, "RGBA").save(buffer, "PNG", compress_level=2, compress_type=strategy)
    return buffer.getvalue()


def _with_data(seen: Sequence[NDArray[np.bool_]]) -> tuple[slice, slice]:
    """Rows and columns around the data: of a product at a scene's edge little may be left."""
    valid = seen[0]
    for other in seen[1:]:
        valid = valid | other
    if not valid.any():
        return slice(None), slice(None)
    rows, columns = np.flatnonzero(valid.any(axis=1)), np.flatnonzero(valid.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _smaller(values: NDArray[np.number], layer: Layer, factor: int) -> NDArray[np.float32]:
    """Means over blocks, real: the magnitude of complex numbers, or their phase where the layer is shown as one."""
    if layer.shown.cyclic:
        turn = np.angle(values) if np.iscomplexobj(values) else np.asarray(values, np.float64)
        cos, sin = (block_mean(f(turn).astype(np.float32), factor) for f in (np.cos, np.sin))
        turned: NDArray[np.float32] = np.arctan2(sin, cos).astype(np.float32)
        return turned
    real = np.abs(values) if np.iscomplexobj(values) else values
    small: NDArray[np.float32] = block_mean(np.asarray(real, np.float32), factor)
    return small


def _stretch(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    valid = values[np.isfinite(values)]
    if valid.size == 0:
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(valid, _PERCENTILES)
    scaled = np.clip((values - low) / max(high - low, 1e-12), 0.0, 1.0)
    grey: NDArray[np.uint8] = np.nan_to_num(255.0 * scaled**_GAMMA, nan=0.0).astype(np.uint8)
    return grey


def _coloured(values: NDArray[np.float32], layer: Layer) -> NDArray[np.uint8]:
    import matplotlib

    shown, valid = layer.shown, values[np.isfinite(values)]
    if shown.scale != "linear":
        with np.errstate(divide="ignore", invalid="ignore"):
            level = (10.0 if shown.scale == "db" else 1.0) * np.log10(np.where(values > 0, values, np.nan))
            values = level.astype(np.float32)
            valid = values[np.isfinite(values)]
    low, high = np.percentile(valid, _PERCENTILES) if valid.size else (0.0, 1.0)
    low, high = low if shown.low is None else shown.low, high if shown.high is None else shown.high
    colours = matplotlib.colormaps[shown.colours](np.nan_to_num((values - low) / max(high - low, 1e-12)), bytes=True)
    rgb: NDArray[np.uint8] = colours[..., :3]
    return rgb


def _classes(values: NDArray[np.number], layer: Layer) -> NDArray[np.uint8]:
    picture = np.zeros((*values.shape, 4), np.uint8)
    for member in layer.classes:
        picture[values == member.value] = member.colour or (128, 128, 128, 255)
    return picture
