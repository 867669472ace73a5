"""How numbers become colours: the stretch of a layer, what its colours mean, and the ranges that suit it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import CubeError
from sarcube.products.kinds import Colour, Layer, MaskClass

COMPOSITE = "colour"
_UNNAMED = ((70, 140, 90, 70), (30, 30, 40, 230), (214, 120, 40, 230), (150, 30, 60, 230))  # of classes without colour
_SEEN = (70, 140, 90, 70)  # of the best class, where its colour is none
_DARKEST = 1e-5  # power: -50 dB
_STOPS = 17  # colours of a ramp that a legend gets
_CROSS_DB = 6.0  # cross-polarization is about so much weaker
_RATIO_DB = (2.0, 12.0)
_DECIBELS = ((-20.0, 0.0), (-25.0, -5.0), (-30.0, -10.0))  # ranges that people know


@dataclass(frozen=True)
class Stretch:
    """What becomes the first and the last colour: decibels, numbers of the layer's unit, or their logarithms."""

    low: float = -20.0
    high: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and -1e30 < self.low < self.high < 1e30):
            raise CubeError(f"a stretch goes from low to high, not from {self.low} to {self.high}")


def scale_of(layer: Layer | None) -> str:
    """In what a layer's stretch is said: "db", "linear" or "log"; "classes" where it has none."""
    if layer is None:
        return "db"
    return "classes" if layer.classes else layer.shown.scale


def settled(stretch: Stretch, layer: Layer | None) -> Stretch:
    """A stretch of as many digits as can be seen: numbers that differ in more make no second tile.

    Raises
    ------
    CubeError
        Decibels beyond what there is.
    """
    if scale_of(layer) == "db":
        if stretch.low <= -1000 or stretch.high >= 1000:
            raise CubeError(f"a stretch goes from low to high decibels, not from {stretch.low} to {stretch.high}")
        return Stretch(round(stretch.low, 1), round(stretch.high, 1))
    return Stretch(float(f"{stretch.low:.4g}"), float(f"{stretch.high:.4g}"))


def fixed_ranges(layer: Layer | None) -> list[tuple[float, float]]:
    """Ranges to choose from, the layer's own first."""
    if layer is not None and layer.classes:
        return []
    own = [] if layer is None or layer.shown.low is None or layer.shown.high is None else [layer.shown]
    found = [(float(s.low or 0.0), float(s.high or 0.0)) for s in own]
    return list(dict.fromkeys([*found, *(_DECIBELS if scale_of(layer) == "db" else ())]))


def shown_values(values: NDArray[np.float32], layer: Layer | None) -> NDArray[np.float32]:
    """Numbers as a stretch is said of them: decibels, logarithms, or as they are."""
    scale = scale_of(layer)
    if scale == "db":
        # No echo left after the noise is taken off: as dark as can be shown, and not unseen.
        power = np.where(np.isnan(values), np.nan, np.maximum(values, _DARKEST))
        return np.asarray(10 * np.log10(power), np.float32)
    if scale == "log":
        return np.asarray(np.log10(np.where(values > 0, values, np.nan)), np.float32)
    return values


def coloured(layer: Layer | None, bands: Mapping[str, NDArray[np.float32]], stretch: Stretch) -> NDArray[np.uint8]:
    """RGBA, (rows, columns, 4); of two bands without a layer the composite."""
    first = next(iter(bands.values()))
    if layer is not None and layer.classes:
        return _classes(first, layer)
    width = stretch.high - stretch.low
    if layer is not None:
        return _mapped((shown_values(first, layer) - stretch.low) / width, np.isnan(first), layer)
    picture = np.zeros((*first.shape, 4), np.uint8)
    co, cross = (shown_values(band, None) for band in bands.values())
    ratio = co - cross
    channels = [
        (co - stretch.low) / width,
        (cross - stretch.low + _CROSS_DB) / width,
        (ratio - _RATIO_DB[0]) / (_RATIO_DB[1] - _RATIO_DB[0]),
    ]
    for i, channel in enumerate(channels):
        picture[..., i] = np.clip(np.nan_to_num(channel) * 255, 0, 255)
    picture[..., 3] = np.where(np.isnan(ratio), 0, 255)
    return picture


def _mapped(scaled: NDArray[np.float32], missing: NDArray[np.bool_], layer: Layer) -> NDArray[np.uint8]:
    import matplotlib

    picture: NDArray[np.uint8] = matplotlib.colormaps[layer.shown.colours](np.nan_to_num(scaled), bytes=True)
    picture[..., 3] = np.where(missing, 0, 255)
    return picture


def _ranked(layer: Layer) -> list[tuple[MaskClass, Colour]]:
    """Classes, the best first, with what they are painted with."""
    found = []
    for i, member in enumerate(sorted(layer.classes, key=lambda c: c.rank)):
        colour = member.colour or _UNNAMED[i % len(_UNNAMED)]
        found.append((member, colour if colour[3] else _SEEN))
    return found


def _classes(values: NDArray[np.float32], layer: Layer) -> NDArray[np.uint8]:
    picture = np.zeros((*values.shape, 4), np.uint8)
    for member, colour in _ranked(layer):
        if member.value != layer.nodata:
            picture[values == member.value] = colour
    return picture


def legend(layer: Layer | None, pair: tuple[str, str] | None = None) -> dict[str, object]:
    """What colours mean, for the page: classes with theirs, a ramp's colours, or the bands of the composite."""
    if layer is None:
        co, cross = pair or ("", "")
        return {"bands": [["red", co], ["green", f"{cross}, {_CROSS_DB:g} dB lower"], ["blue", f"{co} / {cross}"]]}
    if layer.classes:
        members = [
            {"value": m.value, "name": m.name, "text": m.text, "colour": list(c)}
            for m, c in _ranked(layer) if m.value != layer.nodata
        ]  # fmt: skip
        return {"classes": members}
    import matplotlib

    ramp = matplotlib.colormaps[layer.shown.colours](np.linspace(0, 1, _STOPS), bytes=True)
    return {"ramp": ["#" + "".join(f"{int(v):02x}" for v in colour[:3]) for colour in ramp]}
