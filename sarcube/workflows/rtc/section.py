"""The run file's section `rtc`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from sarcube.config import Section
from sarcube.jsons import JsonObject
from sarcube.sensors.sentinel1.polarizations import Polarizations


class Corrections(BaseModel):
    """Switches of the corrections, each on as in OPERA RTC-S1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    thermal_noise: bool = True
    bistatic_delay: bool = True
    static_troposphere: bool = True
    shadow_masking: bool = True


class RtcSection(Section):
    """Backscatter corrected for the terrain. In version 0.1 these keys stood at the top of the run file."""

    requires: ClassVar[tuple[str, ...]] = ("dem",)
    at_the_top: ClassVar[bool] = True
    formerly: ClassVar[str] = "sarcube.production.rtc_task:WORKFLOW"

    engine: Literal["native", "isce3"] = "native"
    backscatter: Literal["gamma0", "sigma0", "beta0"] = "gamma0"
    corrections: Corrections = Corrections()
    geometry: Literal["reuse", "exact"] = Field("reuse", description="exact: from every date's own orbit")
    polarizations: Polarizations = "auto"
    product: Literal["RTC_S1", "RTC_S1_STATIC"] = Field("RTC_S1", description="RTC_S1_STATIC: static only")
    link_static_layers: bool = Field(False, description="refuse bursts that lack static layers")
    engine_options: JsonObject = Field(default_factory=dict)

    @property
    def variant(self) -> str:
        """Engines cost differently."""
        return self.engine
