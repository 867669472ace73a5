"""The run file's section `insar`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from sarcube.config import Section

_OF_PASSES = ("filter", "unwrap", "water", "apply_water_mask")
_NEST_M = 10.0  # what every posting is a whole number of, so that grids of one place nest


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) and value.lower() != "auto" else value


Polarization = Annotated[Literal["auto", "VV", "VH", "HH", "HV"], BeforeValidator(_upper)]


class Pairs(BaseModel):
    """Which dates make pairs. What is named by `next`, `reference`, `annual` and `list` is united; of these or, where
    none is named, of all pairs there are, the two limits keep what lies within them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    next: int | None = Field(None, ge=1, description="every date with so many that follow it")
    max_days: float | None = Field(None, gt=0, description="at most so many days apart; not of annual and list")
    max_perpendicular: float | None = Field(None, gt=0, description="perpendicular baseline in metres; not of list")
    reference: dt.date | None = Field(None, description="this date with every other")
    annual: int | None = Field(None, ge=0, le=60, description="years apart by the calendar, give or take so many days")
    list: tuple[tuple[dt.date, dt.date], ...] | None = Field(None, description="dates by twos")

    @field_validator("list")
    @classmethod
    def _two_dates(
        cls, value: tuple[tuple[dt.date, dt.date], ...] | None
    ) -> tuple[tuple[dt.date, dt.date], ...] | None:
        for first, second in value or ():
            if first == second:
                raise ValueError(f"a pair has two dates, not {first} twice")
        return value if value is None else tuple(sorted({(min(pair), max(pair)) for pair in value}))

    @model_validator(mode="after")
    def _some(self) -> Pairs:
        if all(value is None or value == () for value in self.__dict__.values()):
            raise ValueError("name one of next, max_days, max_perpendicular, reference, annual, list")
        return self

    @property
    def unlimited(self) -> bool:
        """Whether the limits choose among all pairs that there are."""
        return self.next is None and self.reference is None and self.annual is None and self.list is None


class Corrections(BaseModel):
    """Where in a burst an echo is looked for; none of them touches the phase."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bistatic_delay: bool = True
    static_troposphere: bool = True
    fm_rate_mismatch: bool = True


class InsarSection(Section):
    """Interferogram and coherence of burst pairs, and of whole passes."""

    requires: ClassVar[tuple[str, ...]] = ("dem",)

    posting: float = Field(80.0, gt=0, description="metres between pixels: 20, 40, 80 or another multiple of 10")
    pairs: Pairs = Pairs(next=1)
    timing: Literal["auto", "off", "esd"] = Field(
        "auto", description="azimuth timing from burst overlaps; auto: with restituted orbits, two platforms, or merge"
    )
    keep_slc: bool = Field(False, description="keep each date's geocoded SLC: further pairs cost a multiplication")
    corrections: Corrections = Corrections()
    polarization: Polarization = Field("auto", description="auto: the like-polarized one of both dates")
    merge: bool = Field(False, description="all bursts of a pass and pair become one product, unwrapped as a whole")
    filter: float | Literal["baran"] = Field(
        0.5, description="merge: Goldstein's alpha, 0 (none) to 1, or baran: one minus the coherence"
    )
    unwrap: Literal["whirlwind", "snaphu", "none"] = Field(
        "whirlwind", description="merge: by what; snaphu begins with a solver licensed for non-commercial use only"
    )
    water: Literal["auto", "none"] | Path = Field(
        "auto", description="merge: auto (tiles of dem.kind), none, or a raster (not 0 is water) or polygons of water"
    )
    apply_water_mask: bool = Field(True, description="merge: leave water out before the phase is unwrapped")
    debias: bool = Field(False, description="take the bias off the coherence (Touzi et al. 1999)")

    @field_validator("posting")
    @classmethod
    def _nests(cls, value: float) -> float:
        if abs(value / _NEST_M - round(value / _NEST_M)) > 1e-9:
            raise ValueError(f"{value:g} m is no multiple of {_NEST_M:g} m, on which all grids of a burst nest")
        return value

    @field_validator("unwrap", "water", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        return "none" if value is None or value is False else value  # as YAML has `none`'s cousins

    @field_validator("filter")
    @classmethod
    def _alpha(cls, value: float | str) -> float | str:
        if isinstance(value, float) and not 0.0 <= value <= 1.0:
            raise ValueError(f"{value:g} is no alpha of the filter: 0 (none) to 1, or baran")
        return value

    @model_validator(mode="after")
    def _only_of_passes(self) -> InsarSection:
        fields = type(self).model_fields
        if given := [key for key in _OF_PASSES if getattr(self, key) != fields[key].default and not self.merge]:
            raise ValueError(f"{', '.join(given)} without merge: true: bursts alone are not unwrapped")
        return self

    @property
    def pixel_size(self) -> float:
        """The pixels of the products."""
        return self.posting
