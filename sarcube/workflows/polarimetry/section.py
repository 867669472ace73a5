"""The run file's section `polarimetry`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sarcube.config import Section


class Corrections(BaseModel):
    """Switches of the corrections."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    thermal_noise: bool = True
    bistatic_delay: bool = True
    static_troposphere: bool = True


class PolarimetrySection(Section):
    """Covariance of co- and cross-polarized channel, and what is read from it."""

    requires: ClassVar[tuple[str, ...]] = ("dem",)

    window: int = Field(5, ge=1, le=99, description="cells across the square that is averaged; odd")
    speckle: Literal["none", "refined_lee"] = Field("none", description="refined_lee: in place of the window")
    indices: tuple[Literal["span", "ratio", "dprvi"], ...] = Field((), description="further layers")
    corrections: Corrections = Corrections()

    @field_validator("window")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError(f"a window of {value} cells has no middle; take {value + 1}")
        return value
