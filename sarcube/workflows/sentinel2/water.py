"""Where water is: from a raster or vector of the user's, or from heights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sarcube.config import DemConfig
from sarcube.engines.optical.masks import sea_of_heights
from sarcube.errors import ConfigError
from sarcube.geometry.grid import GeoGrid
from sarcube.terrain.warped import warp_band
from sarcube.terrain.water import NAMES, read_water


def water_of(path: Path | None, dem: DemConfig | None, pixels: int) -> tuple[Callable[[GeoGrid], NDArray[Any]], str]:
    """A function from a grid to where water is, and its rule in words.

    Parameters
    ----------
    path : Path, optional
        Raster (not 0 is water) or polygons (see `sarcube.terrain.water`).
    dem : DemConfig, optional
        Heights above the geoid: water is where there is none or 0, and more than `pixels` pixels of it.
    pixels : int

    Raises
    ------
    ConfigError
        Neither is given, or the heights are above the ellipsoid.
    """
    if path is not None:
        rule = "polygons of" if path.suffix.lower() in NAMES else "not 0 in"
        return lambda grid: read_water(path, grid) == 1, f"water: {rule} {path.name}"
    if dem is None:
        raise ConfigError("land_sea needs `sentinel2.water` (raster or GeoJSON) or `dem` with heights above the geoid")
    if dem.path is None:
        raise ConfigError("land_sea takes `dem.path`, or `sentinel2.water`; tiles of dem.kind have no sea to tell")
    if dem.reference == "ellipsoid":
        raise ConfigError("land_sea: dem.heights is ellipsoid, and sea is at 0 above the geoid; give `water` instead")
    paths = dem.path

    def sea(grid: GeoGrid) -> NDArray[np.bool_]:
        from sarcube.terrain.files import dem_paths

        heights = np.full(grid.shape, np.nan, np.float32)
        for one in dem_paths(paths):
            values, seen = warp_band(one, grid, "nearest", "raster of land_sea")
            np.copyto(heights, values.astype(np.float32), where=seen & np.isnan(heights))
        return sea_of_heights(heights, pixels)

    return sea, f"sea: no height or height 0 of the DEM, more than {pixels} connected pixels"
