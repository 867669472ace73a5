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

_VECTORS = (".geojson", ".json")


def water_of(path: Path | None, dem: DemConfig | None, pixels: int) -> tuple[Callable[[GeoGrid], NDArray[Any]], str]:
    """A function from a grid to where water is, and its rule in words.

    Parameters
    ----------
    path : Path, optional
        Raster (not 0 is water) or GeoJSON in degrees.
    dem : DemConfig, optional
        Heights above the geoid: water is where there is none or 0, and more than `pixels` pixels of it.
    pixels : int

    Raises
    ------
    ConfigError
        Neither is given, or the heights are above the ellipsoid.
    """
    if path is not None:
        if path.suffix.lower() in _VECTORS:
            return lambda grid: _polygons(path, grid), f"water: polygons of {path.name}"
        return lambda grid: _warped(str(path), grid, np.uint8) != 0, f"water: not 0 in {path.name}"
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
            np.copyto(heights, _warped(one, grid, np.float32), where=np.isnan(heights))
        return sea_of_heights(heights, pixels)

    return sea, f"sea: no height or height 0 of the DEM, more than {pixels} connected pixels"


def _warped(path: str, grid: GeoGrid, dtype: Any) -> NDArray[Any]:
    """The nearest pixels of a raster; where it has none NaN, or 0 for whole numbers."""
    from affine import Affine
    from rasterio.vrt import WarpedVRT
    from rasterio.warp import Resampling

    from sarcube.transfer.raster import gdal_path, open_raster

    with (
        open_raster(gdal_path(path), what="raster of land_sea") as source,
        WarpedVRT(
            source,
            crs=grid.crs,
            transform=Affine(*grid.transform),
            width=grid.width,
            height=grid.height,
            resampling=Resampling.nearest,
            add_alpha=source.nodata is None,
        ) as view,
    ):
        values = view.read(1, out_dtype=dtype if dtype is np.float32 else None)
        seen = view.read_masks(1) > 0
    if dtype is np.float32:
        return np.where(seen, values, np.float32(np.nan))
    return np.where(seen, values != 0, False).astype(np.uint8)


def _polygons(path: Path, grid: GeoGrid) -> NDArray[np.bool_]:
    from affine import Affine
    from rasterio.features import rasterize
    from rasterio.warp import transform_geom

    from sarcube.config import Aoi
    from sarcube.geometry.aoi import load_aoi

    area = load_aoi(Aoi(geojson=path))
    assert area is not None
    shapes = [transform_geom("EPSG:4326", grid.crs, part.__geo_interface__) for part in area.parts()]
    drawn = rasterize(shapes, grid.shape, transform=Affine(*grid.transform), dtype=np.uint8)
    water: NDArray[np.bool_] = drawn > 0
    return water
