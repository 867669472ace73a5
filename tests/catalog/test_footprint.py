"""Footprints on the sphere: plain, across the antimeridian, around a pole."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import Geod, Transformer
from shapely.geometry import Point, box, shape

from sarcube.catalog.footprint import footprint
from sarcube.errors import CatalogError
from sarcube.geometry.grid import GeoGrid
from sarcube.products.outline import Ring
from tests.catalog.examples import ANTIMERIDIAN, ARCTIC, POLAR, UTM


def _frame(grid: GeoGrid) -> Ring:
    left, bottom, right, top = grid.bounds
    return ((left, bottom), (right, bottom), (right, top), (left, top), (left, bottom))


@pytest.mark.parametrize("grid", [UTM, POLAR, ANTIMERIDIAN, ARCTIC, GeoGrid(4326, 10, 20, 0.01, 300, 200)])
def test_it_holds_every_point_of_the_grid(grid: GeoGrid) -> None:
    made = footprint((_frame(grid),), grid)
    geometry = shape(made.geometry)
    assert geometry.is_valid
    west, south, east, north = geometry.bounds
    assert -180 <= west <= east <= 180 and -90 <= south <= north <= 90
    to_lonlat = Transformer.from_crs(grid.epsg, 4326, always_xy=True)
    rng = np.random.default_rng(0)
    left, bottom, right, top = grid.bounds
    grown = geometry.buffer(2e-4)  # straight pieces of 10 km bend by a few metres
    for x, y in zip(rng.uniform(left, right, 300), rng.uniform(bottom, top, 300), strict=True):
        lon, lat = to_lonlat.transform(x, y)
        assert grown.covers(Point((lon + 180) % 360 - 180, lat)), (lon, lat)


@pytest.mark.parametrize("grid", [UTM, POLAR, ANTIMERIDIAN, ARCTIC])
def test_its_area_is_that_of_the_grid(grid: GeoGrid) -> None:
    geometry = shape(footprint((_frame(grid),), grid).geometry)
    area = abs(Geod(ellps="WGS84").geometry_area_perimeter(geometry)[0])
    plane = grid.width * grid.height * grid.resolution**2
    assert area == pytest.approx(plane, rel=0.07)  # scale of the projections


def test_rings_run_counter_clockwise() -> None:
    for ring in (_frame(UTM), _frame(UTM)[::-1]):
        geometry = footprint((ring,), UTM).geometry
        assert shape(geometry).exterior.is_ccw
        assert geometry["coordinates"][0][0] == geometry["coordinates"][0][-1]


@pytest.mark.parametrize("grid", [ANTIMERIDIAN, ARCTIC])
def test_it_is_cut_at_the_antimeridian(grid: GeoGrid) -> None:
    made = footprint((_frame(grid),), grid)
    assert made.geometry["type"] == "MultiPolygon"
    assert len(made.geometry["coordinates"]) == 2
    west, south, east, north = made.bbox
    assert west > 0 > east and south < north  # RFC 7946, section 5.2
    halves = box(west, south, 180, north).union(box(-180, south, east, north))
    assert halves.buffer(1e-6).covers(shape(made.geometry))
    assert (180 - west) + (east + 180) < 20


def test_around_a_pole() -> None:
    grid = GeoGrid(3413, -40_000, 30_000, 100, 700, 600)
    made = footprint((_frame(grid),), grid)
    geometry = shape(made.geometry)
    assert made.bbox[0] == -180 and made.bbox[2] == 180 and made.bbox[3] == 90
    for longitude in range(-179, 180, 10):
        assert geometry.covers(Point(longitude, 89.99))
    south = GeoGrid(3031, -30_000, 30_000, 100, 600, 600)
    assert footprint((_frame(south),), south).bbox[1] == -90


def test_without_data_it_is_the_grid() -> None:
    assert footprint((), UTM) == footprint((_frame(UTM),), UTM)


def test_two_parts() -> None:
    left, bottom, _, _ = UTM.bounds
    squares = tuple(
        tuple((left + dx + x, bottom + y) for x, y in ((0, 0), (900, 0), (900, 900), (0, 900), (0, 0)))
        for dx in (0, 2_000)
    )
    assert footprint(squares, UTM).geometry["type"] == "MultiPolygon"


def test_a_crs_that_ends() -> None:
    with pytest.raises(CatalogError, match="grid"):
        footprint((), GeoGrid(32629, 1e9, 1e9, 20, 10, 10))
