"""What a Sentinel-2 product says of itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from sarcube.errors import SceneError
from sarcube.geometry.grid import GeoGrid

NODATA, SATURATED = 0, 65535
RESOLUTIONS = (10, 20, 60)


@dataclass(frozen=True)
class Radiometry:
    """From numbers to reflectance: (DN + offset) / quantification, where DN is neither no data nor saturated.

    The offset is what the product's own metadata say, per band; that it came with baseline 04.00 on 2022-01-25 is no
    help, since Collection-1 gives it to older dates.

    Attributes
    ----------
    quantification : float
    offsets : mapping of str to float
        By band; all zero where the metadata state none.
    stated : bool
        Whether the metadata state offsets.
    nodata, saturated : int
        Numbers that are no reflectance.
    """

    quantification: float
    offsets: Mapping[str, float]
    stated: bool
    nodata: int = NODATA
    saturated: int = SATURATED

    def offset(self, band: str) -> float:
        return self.offsets.get(band, 0.0)


@dataclass(frozen=True)
class Angles:
    """Mean directions over the tile, degrees: zenith from the vertical, azimuth from north, clockwise; None
    where it is not told."""

    sun_zenith: float | None
    sun_azimuth: float | None
    view_zenith: float | None
    view_azimuth: float | None


@dataclass(frozen=True)
class Scene:
    """One tile of one datatake.

    Attributes
    ----------
    path, name : str
        Where it lies; its name without suffix.
    platform : str
        "S2A".
    level : str
        "L1C" or "L2A".
    baseline : str
        Processing baseline, "05.11".
    tile : str
        "29UNU".
    start : datetime
        UTC, start of the datatake, as in its name.
    sensed : datetime
        UTC, when the tile was seen.
    datatake : str
        Identifier, the same of L1C and L2A but for its baseline.
    relative_orbit, absolute_orbit : int
    orbit_state : str
        "descending" or "ascending".
    epsg, left, top : int, float, float
        Of the tile; corners in metres.
    sizes : mapping of int to (rows, columns)
        By pixel size.
    radiometry : Radiometry
    angles : Angles
    cloud_cover : float, optional
        Percent, as the metadata say.
    footprint : tuple of (longitude, latitude)
        Closed ring around what was seen.
    images : mapping of (str, int) to str
        Band ("B04", "SCL") and pixel size to the name of its file.
    masks : mapping of str to str
        "CLASSI", "CLOUDS", "CLDPRB_20m", ... to names of files.
    warnings : tuple of str
    """

    path: str
    name: str
    platform: str
    level: str
    baseline: str
    tile: str
    start: dt.datetime
    sensed: dt.datetime
    datatake: str
    relative_orbit: int
    absolute_orbit: int
    orbit_state: str
    epsg: int
    left: float
    top: float
    sizes: Mapping[int, tuple[int, int]]
    radiometry: Radiometry
    angles: Angles
    cloud_cover: float | None
    footprint: tuple[tuple[float, float], ...]
    images: Mapping[tuple[str, int], str]
    masks: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    def offset(self, band: str) -> float:
        """The offset of a band; SceneError where the metadata state those of others and not this one's."""
        if self.radiometry.offsets and band not in self.radiometry.offsets:
            raise SceneError(f"{self.path}: the metadata state offsets, but none of {band}; fetch the scene again")
        return self.radiometry.offset(band)

    def grid(self, resolution: int) -> GeoGrid:
        """The tile at one of its own pixel sizes."""
        rows, columns = self.sizes[resolution]
        return GeoGrid(self.epsg, self.left, self.top, float(resolution), columns, rows)
