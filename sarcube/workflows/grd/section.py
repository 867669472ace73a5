"""The run file's section `grd`, and what its presets stand for."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from sarcube.config import Section
from sarcube.sensors.sentinel1.polarizations import Polarizations

Correction = Literal["rtc", "gtc"]
Backscatter = Literal["gamma0", "sigma0", "beta0"]
Speckle = Literal["none", "lee", "refined_lee", "gamma_map"]
LayoverShadow = Literal["mask", "layer", "none"]
Preset = Literal["ost-rtc", "ost-gtc", "ceos", "earth-engine"]

# As OpenSarToolkit's analysis-ready templates: pixel in metres, correction, backscatter, layover and shadow. Its
# decibels are not among them: products hold linear power, decibels are a view.
PRESETS: dict[str, tuple[float, Correction, Backscatter, LayoverShadow]] = {
    "ost-rtc": (20.0, "rtc", "gamma0", "layer"),
    "ost-gtc": (20.0, "gtc", "gamma0", "layer"),
    "ceos": (10.0, "rtc", "gamma0", "mask"),
    "earth-engine": (10.0, "gtc", "sigma0", "none"),
}
_SET_BY_PRESET = ("correction", "backscatter", "speckle", "layover_shadow")


class GrdSection(Section):
    """Backscatter of GRD scenes."""

    requires: ClassVar[tuple[str, ...]] = ("dem",)

    preset: Preset | None = None
    correction: Correction = "rtc"
    backscatter: Backscatter = "gamma0"
    speckle: Speckle = "none"
    layover_shadow: LayoverShadow = "layer"
    polarizations: Polarizations = "auto"
    thermal_noise: bool = True
    static_troposphere: bool = True

    @model_validator(mode="after")
    def _preset_or_keys(self) -> GrdSection:
        fields = type(self).model_fields
        both = [key for key in _SET_BY_PRESET if getattr(self, key) != fields[key].default]
        if self.preset is not None and both:
            raise ValueError(f"preset {self.preset} says what {', '.join(both)} is; write the preset or the keys")
        return self

    @property
    def chosen(self) -> tuple[Correction, Backscatter, Speckle, LayoverShadow]:
        """Correction, backscatter, speckle filter, layover and shadow: the preset's or the keys'."""
        if self.preset is not None:
            _, correction, backscatter, layover_shadow = PRESETS[self.preset]
            return correction, backscatter, "none", layover_shadow
        return self.correction, self.backscatter, self.speckle, self.layover_shadow

    @property
    def kind(self) -> str:
        """Name of the kind that the run makes."""
        return "RTC_GRD" if self.chosen[0] == "rtc" else "GTC_GRD"
