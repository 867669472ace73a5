"""Where water is for the land and sea mask: from a raster or shapes of the user's, or from heights and water bodies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sarcube.config import DemConfig
from sarcube.engines.optical.masks import large_areas, sea_of_heights
from sarcube.errors import ConfigError, DemError
from sarcube.geometry.grid import GeoGrid


def water_of(
    path: Path | None, dem: DemConfig | None, pixels: int
) -> tuple[Callable[[GeoGrid], NDArray[np.bool_]], str]:
    """A function from a grid to where water is, and its rule in words.

    Parameters
    ----------
    path : Path, optional
        Raster (not 0 is water) or polygons: GeoJSON in degrees, or any shapes that tell their CRS.
    dem : DemConfig, optional
        Heights above the geoid: water is where there is none or 0, and more than `pixels` pixels of it; of
        `kind: cop_glo30` where its water bodies, or else its heights, have water, and where it has no tile.
    pixels : int

    Raises
    ------
    ConfigError
        Neither is given, or the heights are above the ellipsoid.
    """
    if path is not None:
        return lambda grid: _given(path, grid), f"water: {path.name}"
    if dem is None:
        raise ConfigError("land_sea needs `sentinel2.water` (raster or shapes) or `dem` with heights above the geoid")
    if dem.path is None:
        mirror = dem.mirror
        return (
            lambda grid: _copernicus(mirror, grid, pixels),
            f"sea: Copernicus GLO-30 has no tile, water in its water bodies, or height 0; more than {pixels} "
            "connected pixels",
        )
    if dem.reference == "ellipsoid":
        raise ConfigError("land_sea: dem.heights is ellipsoid, and sea is at 0 above the geoid; give `water` instead")
    paths = dem.path

    def sea(grid: GeoGrid) -> NDArray[np.bool_]:
        from sarcube.terrain.files import dem_paths
        from sarcube.terrain.warped import warp_band

        heights = np.full(grid.shape, np.nan, np.float32)
        for one in dem_paths(paths):
            values, seen = warp_band(one, grid, "nearest", "DEM of land_sea")
            np.copyto(heights, values, where=seen & np.isnan(heights))
        return sea_of_heights(heights, pixels)

    return sea, f"sea: no height or height 0 of the DEM, more than {pixels} connected pixels"


def _given(path: Path, grid: GeoGrid) -> NDArray[np.bool_]:
    from sarcube.terrain.water import read_water

    try:
        return np.asarray(read_water(path, grid) == 1)
    except DemError as error:
        raise ConfigError(f"sentinel2.water: {error}") from error


def _copernicus(mirror: str | None, grid: GeoGrid, pixels: int) -> NDArray[np.bool_]:
    """Sea by the water bodies that lie beside the heights; where there are none of these, by the heights."""
    from affine import Affine
    from rasterio.warp import Resampling, reproject

    from sarcube.geometry.burst_grid import grid_lonlat_bounds
    from sarcube.terrain.copernicus import read_glo30
    from sarcube.terrain.water import UNKNOWN, read_water_bodies

    water, _, _ = read_water_bodies(mirror, grid)
    if (water == UNKNOWN).any():
        heights, lattice, _, _ = read_glo30(mirror, grid_lonlat_bounds(grid))
        on_grid = np.full(grid.shape, np.nan, np.float32)
        reproject(
            heights, on_grid, src_crs="EPSG:4326", dst_crs=grid.crs, src_nodata=np.nan, dst_nodata=np.nan,
            src_transform=Affine(lattice.dx, 0, lattice.left, 0, -lattice.dy, lattice.top),
            dst_transform=Affine(*grid.transform), resampling=Resampling.nearest, tolerance=0.01,
        )  # fmt: skip
        sea = (on_grid == 0) | np.isnan(on_grid)
        water = np.where(water == UNKNOWN, sea, water == 1)
    return large_areas(water == 1, pixels)
