"""The run file's section `burned_area`."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field, field_validator, model_validator

from sarcube.config import Section
from sarcube.days import parse_days


class BurnedAreaSection(Section):
    """What burned between two dates, or between the best pixels of two spans of dates."""

    before: tuple[dt.date, dt.date] | None = Field(None, description="day or span; default: the first product found")
    after: tuple[dt.date, dt.date] | None = Field(None, description="day or span; default: the last product found")
    nir: Literal["B8A", "B08"] = Field("B8A", description="near infrared; B8A has the pixels of B12")
    resolution: float = Field(20.0, gt=0, le=10_000, description="metres")
    area: Literal["aoi", "tile"] = Field("aoi", description="with an `aoi`: its window of each tile, or whole tiles")
    unburned_offset: float | Literal["auto"] = Field(
        0.0, description="dNBR of ground that did not burn, taken off; auto: the median of what looks unburned"
    )
    least_hectares: float = Field(0.5, ge=0, description="smaller patches have no perimeter")
    dark: bool = Field(True, description="classes dark and shadow of the second date are seen: fresh scars look so")

    @field_validator("before", "after", mode="before")
    @classmethod
    def _span(cls, value: object) -> object:
        if isinstance(value, str | int | dt.date):
            return parse_days(str(value))
        if isinstance(value, list | tuple) and len(value) == 2:
            return parse_days(f"{value[0]} {value[1]}")
        return value

    @model_validator(mode="after")
    def _ordered(self) -> BurnedAreaSection:
        for name in ("before", "after"):
            span = getattr(self, name)
            if span and span[0] > span[1]:
                raise ValueError(f"{name}: the first date is after the last")
        if self.before and self.after and self.before[1] >= self.after[0]:
            raise ValueError("before must end earlier than after begins")
        return self

    @property
    def pixel_size(self) -> float:
        """Not that of `grid.resolution`."""
        return self.resolution
