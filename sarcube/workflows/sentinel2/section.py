"""The run file's section `sentinel2`; names and defaults are those of AI4Copernicus's S2-preprocess."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from sarcube.config import Section
from sarcube.engines.optical.rules import Downsampling, FlagDownsampling, Upsampling
from sarcube.sensors.sentinel2.bands import band_names


class Sentinel2Section(Section):
    """Bands of Sentinel-2 on one grid per tile."""

    bands: tuple[str, ...] = Field(("B02", "B03", "B04", "B08"), description="B4 or B04; see the bands of MSI")
    level: Literal["auto", "l1c", "l2a"] = Field("auto", description="auto: L2A, and L1C where there is no L2A")
    resolution: float = Field(10.0, gt=0, le=10_000, description="metres; of a `grid.crs` in degrees, degrees")
    area: Literal["aoi", "tile"] = Field("aoi", description="with an `aoi`: its window of each tile, or whole tiles")
    upsampling: Upsampling = "nearest"
    downsampling: Downsampling = "first"
    flag_downsampling: FlagDownsampling = "first"
    cloud_mask: Literal["none", "l1c", "l2a"] = Field("none", description="pixels of clouds become no data")
    cloud_shadow: bool = Field(False, description="l2a: pixels of cloud shadow, too")
    cloud_probability: int | None = Field(None, ge=0, le=100, description="l2a: and pixels above so many percent")
    cloud_buffer: float = Field(0.0, ge=0, le=5_000, description="metres around clouds that count as clouds")
    land_sea: Literal["none", "land", "sea"] = Field("none", description="what becomes no data")
    water: Path | None = Field(
        None, description="land_sea: raster (not 0 is water) or file of shapes, instead of `dem`"
    )
    sea_pixels: int = Field(1_000, ge=0, description="land_sea by dem: smaller waters are land")
    classes: bool = Field(True, description="L2A: keep the scene classification as a layer")
    sen2cor: Path | None = Field(None, description="L2A_Process, to make an L2A where there is none")

    @field_validator("bands", mode="before")
    @classmethod
    def _bands(cls, value: object) -> object:
        return band_names(value) if isinstance(value, str | list | tuple) else value

    @field_validator(
        "level", "area", "upsampling", "downsampling", "flag_downsampling", "cloud_mask", "land_sea", mode="before"
    )
    @classmethod
    def _lower(cls, value: object) -> object:
        # A bare `none` of YAML is text, but ~ and "None" are meant alike.
        return "none" if value is None else value.lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _consistent(self) -> Sentinel2Section:
        if self.cloud_mask == "none":
            given = [n for n in ("cloud_shadow", "cloud_probability", "cloud_buffer") if getattr(self, n)]
            if given:
                raise ValueError(f"{', '.join(given)} without a cloud_mask; choose cloud_mask: l2a (or l1c)")
        if self.cloud_mask == "l1c" and (self.cloud_shadow or self.cloud_probability is not None):
            raise ValueError("cloud_shadow and cloud_probability are of cloud_mask: l2a; l1c has neither")
        if self.level == "l1c" and self.cloud_mask == "l2a":
            raise ValueError("cloud_mask: l2a needs an L2A; with level: l1c choose cloud_mask: l1c")
        if "B10" in self.bands and self.level == "l2a":
            raise ValueError("B10 is not in L2A; choose level: l1c, or leave it out")
        if self.water is not None and self.land_sea == "none":
            raise ValueError("water without land_sea; choose land_sea: sea or land")
        return self

    @property
    def pixel_size(self) -> float:
        """Not that of `grid.resolution`, whose default is of radar."""
        return self.resolution

    @property
    def variant(self) -> str:
        """The bands decide on the cost."""
        return f"{len(self.bands)}"
