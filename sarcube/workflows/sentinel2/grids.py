"""The grid of a tile, for ever: the whole tile, or the window that an area has of it."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

from sarcube.config import RunConfig
from sarcube.errors import GridError
from sarcube.geometry.aoi import load_aoi
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.mgrs import tile_grid

if TYPE_CHECKING:
    from shapely import Geometry


def windowed(config: RunConfig, area: str) -> bool:
    """Whether products are windows of tiles."""
    return config.aoi is not None and area == "aoi"


def place_in(tile_place: str, config: RunConfig, area: str) -> str:
    """The place of a tile's products: the tile, or that area's window of it: `mgrs_30tul_a3f09c12`."""
    if not windowed(config, area):
        return tile_place
    found = load_aoi(config.aoi)
    assert found is not None
    return f"{tile_place}_{hashlib.sha256(found.shape.normalize().wkb).hexdigest()[:8]}"


def tile_of(place: str) -> str:
    """The tile of a place: `mgrs_30tul_a3f09c12` is of 30TUL."""
    return place.split("_")[1].upper()


def grid_of_place(config: RunConfig, place: str, resolution: float, area: str) -> GeoGrid:
    """The grid of a place, the same whenever it is asked for.

    Raises
    ------
    GridError
        The area lies beside the tile.
    """
    tile = tile_grid(tile_of(place), resolution if config.grid.crs == "auto" else 10.0)
    shape = None
    if windowed(config, area):
        found = load_aoi(config.aoi)
        assert found is not None
        shape = found.shape
    own = tile if config.grid.crs == "auto" else None
    return window_of(tile, own, config.grid.crs, resolution, shape, place)


def window_of(
    tile: GeoGrid, own: GeoGrid | None, crs: int | str, resolution: float, shape: Geometry | None, place: str
) -> GeoGrid:
    """The part of a tile that a shape in degrees covers, on the tile's pixels or on multiples in another CRS."""
    from rasterio.warp import transform_bounds, transform_geom

    epsg = tile.epsg if crs == "auto" else int(crs)
    if shape is None:
        if own is not None:
            return own
        return GeoGrid.snapped(
            epsg, transform_bounds(tile.crs, f"EPSG:{epsg}", *tile.bounds, densify_pts=21), resolution
        )
    import shapely

    inside = shapely.geometry.shape(transform_geom("EPSG:4326", tile.crs, shapely.geometry.mapping(shape)))
    inside = shapely.make_valid(inside).intersection(shapely.box(*tile.bounds))
    if inside.is_empty or inside.area == 0:
        raise GridError(f"the area and {place} do not meet; check the area")
    if own is None:
        bounds = transform_bounds(tile.crs, f"EPSG:{epsg}", *inside.bounds, densify_pts=21)
        return GeoGrid.snapped(epsg, bounds, resolution)
    left, bottom, right, top = inside.bounds
    size, hair = own.resolution, 1e-6
    column, row = math.floor((left - own.left) / size + hair), math.floor((own.top - top) / size + hair)
    first = max(0, column), max(0, row)
    last = (
        min(own.width, math.ceil((right - own.left) / size - hair)),
        min(own.height, math.ceil((own.top - bottom) / size - hair)),
    )
    return GeoGrid(
        own.epsg, own.left + first[0] * size, own.top - first[1] * size, size, last[0] - first[0], last[1] - first[1]
    )
