"""The table of presets: what each asks of a store, and the picture and layers that it makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sarcube.cube.composite.stretch import SNAC_HIGH, SNAC_LOW, decibel, snac_bytes
from sarcube.errors import CubeError


@dataclass(frozen=True)
class LegendEntry:
    """A colour of a picture and what it means."""

    colour: tuple[int, int, int]
    text: str


@dataclass(frozen=True, eq=False)
class Picture:
    """What a preset makes of a cube.

    Attributes
    ----------
    rgb : (3, rows, columns) uint8
        0 in all three where there is no data.
    layers : mapping of name to (rows, columns) float32
        In the order of their files.
    units : mapping of name to str
    names : tuple of str
        What the three channels are.
    legend : tuple of LegendEntry
    facts : mapping
        Of what was combined, for tags and the record.
    """

    rgb: NDArray[np.uint8]
    layers: Mapping[str, NDArray[np.float32]]
    units: Mapping[str, str]
    names: tuple[str, str, str]
    legend: tuple[LegendEntry, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Preset:
    """One way to make a picture.

    Attributes
    ----------
    name, title, text : str
    stem : str
        Of file names.
    layers : tuple of str
        Layers that it takes by default; the first of them that all products have, where `one_of` holds.
    one_of : bool
    dates : int
        Time steps that it takes: the first and the last of a selection, or 1; 0: all.
    make : callable
        From a loaded cube with these layers to the picture.
    """

    name: str
    title: str
    text: str
    stem: str
    layers: tuple[str, ...]
    one_of: bool
    dates: int
    make: Callable[[xr.Dataset], Picture]


def _snac(cube: xr.Dataset) -> Picture:
    """Red the later date, green and blue the earlier; pixels that one date lacks are left out of both."""
    (layer,) = (str(name) for name in cube.data_vars)
    days = [str(time)[:10] for time in cube["time"].values]
    early, late = (decibel(cube[layer].isel(time=k).values) for k in (0, 1))
    red, cyan = snac_bytes(late), snac_bytes(early)
    missing = (red == 0) | (cyan == 0)
    red[missing] = cyan[missing] = 0
    names = [f"{layer}_{day.replace('-', '')}_dB" for day in days]
    layers = {
        names[0]: early.astype(np.float32),
        names[1]: late.astype(np.float32),
        f"{layer}_difference_dB": (late - early).astype(np.float32),
    }
    legend = (
        LegendEntry((255, 0, 0), f"brighter on {days[1]}"),
        LegendEntry((0, 255, 255), f"brighter on {days[0]}"),
        LegendEntry((255, 255, 255), f"{SNAC_HIGH:g} dB and more on both"),
        LegendEntry((1, 1, 1), f"{SNAC_LOW:g} dB and less on both"),
    )
    return Picture(
        np.stack([red, cyan, cyan]), layers, dict.fromkeys(layers, "dB"), (names[1], names[0], names[0]), legend,
        {"layer": layer, "earlier": days[0], "later": days[1], "low_db": SNAC_LOW, "high_db": SNAC_HIGH},
    )  # fmt: skip


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "snac",
            "Amplitude change",
            "two dates of backscatter: red the later, green and blue the earlier; -15 to 5 dB",
            "S1_amplitude_change",
            ("VV", "HH", "VH", "HV"),
            True,
            2,
            _snac,
        ),
    )
}


def get_preset(name: str) -> Preset:
    """The preset of a name; CubeError says which there are."""
    try:
        return PRESETS[name]
    except KeyError:
        raise CubeError(f"there is no preset {name!r}; there are {', '.join(PRESETS)}") from None
