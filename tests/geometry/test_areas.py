"""Areas of pixels against geodesic polygons."""

import numpy as np
import pytest
from pyproj import Geod, Transformer

from sarcube.errors import GridError
from sarcube.geometry.areas import pixel_areas
from sarcube.geometry.grid import GeoGrid

GEOD = Geod(ellps="WGS84")


def geodesic(grid, row, column):
    """Square metres of one pixel, its sides in pieces."""
    left, top = grid.left + column * grid.resolution, grid.top - row * grid.resolution
    t = np.linspace(0.0, grid.resolution, 9)
    x = np.concatenate([left + t, np.full(9, left + grid.resolution), left + grid.resolution - t, np.full(9, left)])
    y = np.concatenate([np.full(9, top), top - t, np.full(9, top - grid.resolution), top - grid.resolution + t])
    lon, lat = Transformer.from_crs(grid.epsg, 4326, always_xy=True).transform(x, y)
    return abs(GEOD.polygon_area_perimeter(lon, lat)[0])


@pytest.mark.parametrize(
    "grid",
    [
        GeoGrid(4326, -9.0, 53.3, 0.001, 900, 700),
        GeoGrid(4326, 179.5, -17.0, 0.001, 900, 700),
        GeoGrid(3857, -1_000_000.0, 7_040_000.0, 100.0, 800, 900),
        GeoGrid(3857, 19_990_000.0, -1_900_000.0, 50.0, 800, 900),
        GeoGrid(3413, -600_000.0, -1_900_000.0, 200.0, 500, 400),
    ],
)
def test_pixels_cover_what_geodesics_say(grid):
    areas = pixel_areas(grid)
    assert areas.shape == grid.shape
    for row, column in ((0, 0), (grid.height - 1, 3), (grid.height // 3, grid.width // 2), (17, grid.width - 1)):
        assert areas[row, column] == pytest.approx(geodesic(grid, row, column), rel=2e-4)


def test_pixels_of_utm_and_of_equal_areas_are_counted():
    for grid in (GeoGrid(32629, 499_980.0, 5_900_040.0, 20.0, 5490, 5490), GeoGrid(3035, 4e6, 3e6, 25.0, 400, 300)):
        assert pixel_areas(grid) == grid.resolution**2
        assert grid.resolution**2 == pytest.approx(geodesic(grid, 100, 100), rel=5e-3)
    with pytest.raises(GridError, match="beyond where"):
        pixel_areas(GeoGrid(3035, 5e7, 5e7, 1e3, 10, 10))
