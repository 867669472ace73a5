"""The table of presets: what each asks of a store, and the pictures and layers that it makes."""

from __future__ import annotations

import numpy as np
import xarray as xr

from sarcube.cube.composite.pairs import PAIR_PRESETS
from sarcube.cube.composite.picture import LegendEntry, Picture, Preset, Stretch
from sarcube.cube.composite.stretch import SNAC_HIGH, SNAC_LOW, decibel, snac_bytes
from sarcube.errors import CubeError


def _snac(cube: xr.Dataset, _: Stretch) -> dict[str, Picture]:
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
    picture = Picture(
        np.stack([red, cyan, cyan]), layers, dict.fromkeys(layers, "dB"), (names[1], names[0], names[0]), legend,
        {"layer": layer, "earlier": days[0], "later": days[1], "low_db": SNAC_LOW, "high_db": SNAC_HIGH},
    )  # fmt: skip
    return {"rgb": picture}


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
        *PAIR_PRESETS,
    )
}


def get_preset(name: str) -> Preset:
    """The preset of a name; CubeError says which there are."""
    try:
        return PRESETS[name]
    except KeyError:
        raise CubeError(f"there is no preset {name!r}; there are {', '.join(PRESETS)}") from None
