"""Combinations that have a name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sarcube.cube.combine_inputs import Input
from sarcube.errors import CubeError


@dataclass(frozen=True)
class Preset:
    """A preset.

    Attributes
    ----------
    text : str
        What it shows.
    red, green, blue : str
        Expressions. {co} and {cross} are the polarizations that there are; {1} and {2} the names of the inputs.
    profile : str
    inputs : int
        How many it needs.
    """

    text: str
    red: str
    green: str
    blue: str
    profile: Literal["reflectance", "unit"]
    inputs: int = 1


_CO, _CROSS = "stretch(db({co}), -15, 5)", "stretch(db({cross}), -25, 5)"
PRESETS: dict[str, Preset] = {
    "true-color": Preset("red, green, blue reflectance", "red", "green", "blue", "reflectance"),
    "swir": Preset("burnt ground and fires: SWIR, near infrared, red", "swir22", "nir08", "red", "reflectance"),
    "sar-ratio": Preset(
        "co-polarized, cross-polarized, their ratio", _CO, _CROSS, "stretch(db({co}) - db({cross}), 2, 15)", "unit"
    ),
    "change": Preset(
        "of two inputs, before and after: red is increase, cyan is decrease",
        "stretch(db({2}.{co}), -15, 5)", "stretch(db({1}.{co}), -15, 5)", "stretch(db({1}.{co}), -15, 5)", "unit", 2,
    ),
    "coherence": Preset("coherence, co-polarized, cross-polarized", "coherence", _CO, _CROSS, "unit"),
}  # fmt: skip


def preset_expressions(name: str, inputs: Sequence[Input]) -> tuple[str, str, str]:
    """Red, green and blue of a preset for these inputs.

    Raises
    ------
    CubeError
        It needs more inputs, or polarizations that none has.
    """
    preset = PRESETS[name]
    if len(inputs) < preset.inputs:
        raise CubeError(f"preset {name} needs {preset.inputs} inputs ({preset.text}), not {len(inputs)}")
    words = {str(i + 1): one.alias for i, one in enumerate(inputs)}
    texts = (preset.red, preset.green, preset.blue)
    if any("{c" in text for text in texts):
        co, cross = (_first(inputs, names) for names in (("VV", "HH"), ("VH", "HV")))
        if co is None or (cross is None and any("{cross}" in text for text in texts)):
            raise CubeError(f"preset {name} needs layers VV and VH, or HH and HV; name expressions of your own instead")
        words |= {"co": co, "cross": cross or ""}
    red, green, blue = (re.sub(r"\{(\w+)\}", lambda match: words[match[1]], text) for text in texts)
    return red, green, blue


def _first(inputs: Sequence[Input], names: Sequence[str]) -> str | None:
    return next((name for name in names for one in inputs if one.find(name) is not None), None)
