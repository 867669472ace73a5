"""Where water is: rasters and shapes that a user names, or the water body tiles of the Copernicus DEM."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import ConfigError, DemError, MissingExtraError
from sarcube.geometry.aoi import FILES_OF_SHAPES
from sarcube.geometry.grid import GeoGrid
from sarcube.terrain.warped import warp_band

if TYPE_CHECKING:
    from shapely import Polygon

UNKNOWN = 255


def read_water(path: str | Path, grid: GeoGrid) -> NDArray[np.uint8]:
    """Water on a grid, as a raster or shapes of a user's have it.

    Parameters
    ----------
    path : path or address
        A raster that GDAL reads whose water is not 0, or polygons of water: GeoJSON in degrees, or another file of
        shapes that tells its CRS (extra `shapes`).
    grid : GeoGrid

    Returns
    -------
    (rows, columns) uint8
        1 water, 0 none, 255 where a raster ends or has no data. Beyond polygons there is none.

    Raises
    ------
    DemError
        It cannot be read.
    MissingExtraError
        The library for such shapes is not installed.
    """
    if Path(str(path)).suffix.lower() in FILES_OF_SHAPES:
        return _drawn(_polygons(path), grid)
    return _warped(str(path), grid)


def read_water_bodies(mirror: str | None, grid: GeoGrid) -> tuple[NDArray[np.uint8], str, tuple[str, ...]]:
    """Water on a grid, as the water body tiles beside the tiles of Copernicus GLO-30 have it.

    Their classes are 0 land, 1 ocean, 2 lake, 3 river (Copernicus DEM Product Handbook, GEO1988-CopernicusDEM-SPE-002,
    water body mask). No tile means sea.

    Parameters
    ----------
    mirror : str, optional
        As for `copernicus.read_glo30`.
    grid : GeoGrid

    Returns
    -------
    water : (rows, columns) uint8
        As of `read_water`; 255 where there is a tile of heights, and none of water.
    description : str
    warnings : tuple of str
        Tiles that are missing.

    Raises
    ------
    DemError
        The mirror is not there, or a tile cannot be read.
    """
    from sarcube.geometry.burst_grid import grid_lonlat_bounds
    from sarcube.terrain.copernicus import mirror_address, tiles
    from sarcube.terrain.mirror import check_mirror, tile_path, water_body_path
    from sarcube.transfer.redact import public_address

    address = mirror_address(mirror)
    check_mirror(address)
    out = np.ones(grid.shape, np.uint8)
    count, missing = 0, []
    for name in sorted({tile.name for tile, _ in tiles(grid_lonlat_bounds(grid))}):
        heights = tile_path(address, name)
        if heights is None:
            continue
        path = water_body_path(heights)
        if path is None:
            missing.append(name)
            part = _warped(heights, grid)
            out[part != UNKNOWN] = UNKNOWN
            continue
        part = _warped(path, grid)
        np.copyto(out, part, where=part != UNKNOWN)
        count += 1
    said = f"{public_address(address)} has no water body tile of {', '.join(missing)}: water is unknown there"
    return out, f"Copernicus water bodies ({count} tiles of {public_address(address)})", (said,) if missing else ()


def _warped(path: str, grid: GeoGrid) -> NDArray[np.uint8]:
    """The most frequent value in each pixel of a raster, as 1 or 0; 255 where there is none."""
    values, seen = warp_band(path, grid, "mode", "mask of water")
    return np.where(seen, values != 0, UNKNOWN).astype(np.uint8)


def _polygons(path: str | Path) -> list[Polygon]:
    """Polygons in degrees, cut at the antimeridian."""
    from sarcube.config import Aoi
    from sarcube.geometry.aoi import load_aoi

    try:
        area = load_aoi(Aoi(file=Path(path)))
    except MissingExtraError:
        raise
    except (ConfigError, ValueError) as error:
        raise DemError(f"{path} cannot be read as polygons of water: {error}") from error
    return [] if area is None else area.parts()


def _drawn(polygons: list[Polygon], grid: GeoGrid) -> NDArray[np.uint8]:
    from affine import Affine
    from rasterio.features import rasterize
    from rasterio.warp import transform_geom

    placed = [transform_geom("EPSG:4326", grid.crs, part.__geo_interface__) for part in polygons]
    if not placed:
        return np.zeros(grid.shape, np.uint8)
    drawn: NDArray[np.uint8] = rasterize(placed, grid.shape, transform=Affine(*grid.transform), dtype=np.uint8)
    return drawn
