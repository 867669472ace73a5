"""The grid of a picture in degrees or in web mercator: one piece, also across the antimeridian."""

from __future__ import annotations

import math

from rasterio.warp import calculate_default_transform

from sarcube.geometry.burst_grid import grid_lonlat_bounds, transformer
from sarcube.geometry.grid import GeoGrid

_METRES_PER_DEGREE = 111_195.0


def map_grid(grid: GeoGrid, epsg: int) -> GeoGrid:
    """What a raster becomes in another CRS, pixels about as large as its own.

    Across the antimeridian longitudes run on beyond 180 degrees (x beyond 20 037 508 m), as KML and web maps have it:
    GDAL would lay the two sides apart, the Earth between them.

    Parameters
    ----------
    grid : GeoGrid
    epsg : int
        4326 or 3857.
    """
    west, south, east, north = grid_lonlat_bounds(grid)
    if east <= 180.0 or east - west >= 360.0:
        t, width, height = calculate_default_transform(
            grid.crs, f"EPSG:{epsg}", grid.width, grid.height, *grid.bounds
        )  # fmt: skip
        return GeoGrid(epsg, float(t.c), float(t.f), float(t.a), int(width), int(height))
    degrees = grid.resolution / (1.0 if grid.is_geographic else _METRES_PER_DEGREE)
    if epsg == 4326:
        left, bottom, right, top, pixel = west, south, east, north, degrees
    else:
        to_map = transformer(4326, epsg)
        per_degree = float(to_map.transform(1.0, 0.0)[0])
        bottom, top = (float(to_map.transform(0.0, latitude)[1]) for latitude in (south, north))
        left, right = west * per_degree, east * per_degree
        pixel = degrees * per_degree / math.cos(math.radians(0.5 * (south + north)))
    return GeoGrid(epsg, left, top, pixel, math.ceil((right - left) / pixel), math.ceil((top - bottom) / pixel))
