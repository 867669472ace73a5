from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from sarcube.errors import GridError
from sarcube.geometry.burst_grid import (
    auto_epsg,
    footprint_grid,
    grid_lonlat_bounds,
    ring_centre,
)
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.longitudes import unwrap_ring

NEVADA = [(-116.9, 38.6), (-115.8, 38.8), (-115.9, 39.1), (-117.0, 38.9), (-116.9, 38.6)]
ALEUTIANS = [(179.4, 51.8), (-179.3, 52.0), (-179.4, 52.3), (179.3, 52.1), (179.4, 51.8)]
ROSS = [(179.0, -78.0), (-177.0, -78.2), (-177.5, -78.6), (178.5, -78.4), (179.0, -78.0)]


@pytest.mark.parametrize(
    ("lon", "lat", "epsg"),
    [
        (-117.0, 38.0, 32611),
        (3.0, 51.0, 32631),
        (0.0, 0.0, 32631),
        (179.99, -1.0, 32760),
        (180.5, 52.0, 32601),
        (-180.0, 52.0, 32601),
        (6.0, 60.0, 32632),
        (20.0, 74.99, 32634),
        (20.0, 75.0, 3413),
        (20.0, -75.0, 3031),
        (20.0, -74.9, 32734),
    ],
)
def test_crs_follows_the_place(lon: float, lat: float, epsg: int) -> None:
    assert auto_epsg(lon, lat) == epsg


def test_no_crs_for_nowhere() -> None:
    with pytest.raises(GridError, match="footprint"):
        auto_epsg(float("nan"), 10.0)
    with pytest.raises(GridError, match="three finite"):
        footprint_grid([(0.0, 0.0), (1.0, 1.0)])
    with pytest.raises(GridError, match="EPSG:4"):
        footprint_grid(NEVADA, epsg=4)


@pytest.mark.parametrize("ring", [NEVADA, ALEUTIANS, ROSS])
@pytest.mark.parametrize("resolution", [10.0, 20.0, 30.0])
def test_grid_holds_the_footprint_snugly_and_lies_on_multiples(ring: list, resolution: float) -> None:
    grid = footprint_grid(ring, resolution=resolution)
    assert grid.left % resolution == 0
    assert grid.top % resolution == 0
    f, closed = np.linspace(0, 1, 200)[:, None], unwrap_ring(ring)
    points = np.vstack([a + f * (b - a) for a, b in pairwise(closed)])
    x, y = Transformer.from_crs(4326, grid.epsg, always_xy=True).transform(points[:, 0], points[:, 1])
    left, bottom, right, top = grid.bounds
    # Edges are bent between the points that were transformed by far less than a pixel.
    slack = 1.0
    assert x.min() >= left - slack
    assert x.max() <= right + slack
    assert y.min() >= bottom - slack
    assert y.max() <= top + slack
    assert x.min() - left < resolution + slack
    assert top - y.max() < resolution + slack


def test_same_grid_whatever_the_writing_of_the_ring() -> None:
    plain = footprint_grid(ALEUTIANS)
    beyond = [(lon % 360.0, lat) for lon, lat in ALEUTIANS]
    negative = [(lon % 360.0 - 360.0, lat) for lon, lat in ALEUTIANS]
    assert footprint_grid(beyond) == footprint_grid(negative) == footprint_grid(ALEUTIANS[:-1]) == plain
    assert plain.width * plain.resolution < 120_000
    assert footprint_grid(ALEUTIANS, 4326, 0.001).bounds == pytest.approx((179.3, 51.8, 180.7, 52.3))


def test_margin_widens_every_side() -> None:
    a, b = footprint_grid(NEVADA), footprint_grid(NEVADA, margin=200.0)
    assert (a.left - b.left, b.top - a.top) == (200.0, 200.0)
    assert (b.width - a.width, b.height - a.height) == (20, 20)


@pytest.mark.parametrize("ring", [NEVADA, ALEUTIANS, ROSS])
def test_lonlat_bounds_hold_every_pixel(ring: list) -> None:
    grid = footprint_grid(ring, resolution=200.0)
    west, south, east, north = grid_lonlat_bounds(grid)
    assert -180.0 <= west < east < west + 10.0
    x, y = np.meshgrid(grid.x(), grid.y())
    lon, lat = Transformer.from_crs(grid.epsg, 4326, always_xy=True).transform(x, y)
    lon = (lon - west + 90.0) % 360.0 - 90.0 + west
    assert west <= lon.min() and lon.max() <= east
    assert south <= lat.min() and lat.max() <= north
    wider = grid_lonlat_bounds(grid, 5000.0)
    assert wider[0] < west and wider[1] < south and wider[2] > east and wider[3] > north


def test_a_grid_that_holds_the_pole_spans_all_longitudes() -> None:
    west, south, east, north = grid_lonlat_bounds(GeoGrid.snapped(3413, (-1e5, -1e5, 1e5, 1e5), 100.0))
    assert (west, east, north) == (-180.0, 180.0, 90.0)
    assert south == pytest.approx(88.69, abs=0.02)
    west, south, east, north = grid_lonlat_bounds(GeoGrid.snapped(3031, (-1e5, -1e5, 1e5, 1e5), 100.0))
    assert (west, south, east) == (-180.0, -90.0, 180.0)


@settings(deadline=None, max_examples=60)
@given(st.floats(-180, 179.99), st.floats(-85, 85), st.floats(0.05, 0.5))
def test_any_place_on_earth(lon: float, lat: float, size: float) -> None:
    wide = size / np.cos(np.radians(lat))
    ring = [
        ((x + 180.0) % 360.0 - 180.0, y)
        for x, y in (
            (lon, lat),
            (lon + wide, lat),
            (lon + wide, lat + size),
            (lon, lat + size),
        )
    ]
    grid = footprint_grid(ring, resolution=100.0)
    centre = ring_centre(ring)
    assert grid.epsg == auto_epsg(*centre)
    assert max(grid.width, grid.height) * 100.0 < 3.0 * 111_320.0 * size + 1000.0
    west, south, east, north = grid_lonlat_bounds(grid)
    assert south <= lat + 1e-6 and lat + size <= north + 1e-6
    assert east - west >= wide - 1e-6
