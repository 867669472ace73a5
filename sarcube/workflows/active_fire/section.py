"""The run file's section `active_fire`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sarcube.config import Section

CHANNELS = ("S1", "S2", "S3", "S5", "S6")


class LandCoverConfig(BaseModel):
    """A raster with the classes of CCI or C3S land cover, in any CRS."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path


class ActiveFireSection(Section):
    """Active fires of granules on one grid of the run's area."""

    requires = ("aoi",)

    method: Literal["contextual", "gep"] = Field("contextual", description="gep: fixed thresholds, as GEP's service")
    resolution: float = Field(
        0.01, gt=0, le=50_000, description="of the rasters: degrees; of a `grid.crs` in metres, metres"
    )
    land_cover: LandCoverConfig | None = Field(
        None, description="CCI or C3S land cover: names for hotspots; water and ice are left out by it"
    )
    rgb: tuple[str, str, str] = Field(
        ("S3", "S2", "S1"), description="by day: channels of the picture; S6, S5, S3 show heat"
    )

    @field_validator("rgb")
    @classmethod
    def _known(cls, value: tuple[str, str, str]) -> tuple[str, str, str]:
        if unknown := [name for name in value if name not in CHANNELS]:
            raise ValueError(f"{unknown[0]} is no channel of reflectance; choose of {', '.join(CHANNELS)}")
        return value

    @property
    def pixel_size(self) -> float:
        """Not that of `grid.resolution`, whose default is of radar."""
        return self.resolution

    @property
    def cover_path(self) -> Path | None:
        """The land cover's file."""
        return self.land_cover.path if self.land_cover else None

    def anchored(self, base: Path) -> ActiveFireSection:
        """The same with relative paths made absolute."""
        if self.land_cover is None:
            return self
        path = base / self.land_cover.path.expanduser()
        return self.model_copy(update={"land_cover": LandCoverConfig(path=path)})
