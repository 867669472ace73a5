"""One antimeridian code: wrapping, unwrapping, cutting, and no second one beside it."""

from __future__ import annotations

import math
import re
from pathlib import Path

import antimeridian
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from sarcube.geometry.burst_grid import footprint_grid, grid_lonlat_bounds
from sarcube.geometry.grid import GeoGrid, is_geographic, metres_per_unit
from sarcube.geometry.longitudes import cut, narrowest, shortest_span, spans, turns, unwrap, wrap, wrap_longitude


@given(st.floats(-1000, 1000), st.floats(-360, 360))
def test_wrapping_moves_by_whole_turns_only(lon: float, centre: float) -> None:
    near = wrap(lon, centre)
    assert centre - 180.0 - 1e-9 <= near <= centre + 180.0 + 1e-9
    assert math.isclose((near - lon) / 360.0, round((near - lon) / 360.0), abs_tol=1e-12)
    assert wrap_longitude([lon], centre)[0] == near
    if centre - 180.0 <= lon < centre + 180.0:
        assert near == lon


@given(st.floats(-180, 179.9), st.lists(st.floats(-170, 170), max_size=20))
def test_unwrapping_takes_the_short_way(first: float, steps: list[float]) -> None:
    truth = first + np.concatenate([[0.0], np.cumsum(steps)])
    assert unwrap(wrap_longitude(truth)) == pytest.approx(truth + wrap(first) - first, abs=1e-6)


@given(st.floats(-180, 179.99), st.floats(-70, 70), st.floats(0.1, 20.0), st.floats(0.1, 10.0))
def test_cutting_agrees_with_the_library_antimeridian(west: float, south: float, width: float, height: float) -> None:
    """Its `fix_polygon` takes wrapped rings, ours are continuous; edges that run straight in degrees give one area."""
    ours = shapely.unary_union(cut(shapely.box(west, south, west + width, south + height)))
    ring = [(west, south), (west + width, south), (west + width, south + height), (west, south + height), (west, south)]
    wrapped = [(wrap(x) if x != 180.0 else 180.0, y) for x, y in ring]
    theirs = antimeridian.fix_polygon(shapely.Polygon(wrapped), great_circle=False)
    assert shapely.symmetric_difference(ours, theirs).area < 1e-6 * width * height
    assert ours.bounds[0] >= -180.0 and ours.bounds[2] <= 180.0


def test_ranges() -> None:
    assert spans(179.0, -179.0) == spans(179.0, 181.0) == [(179.0, 180.0), (-180.0, -179.0)]
    assert shortest_span([(179.0, 180.0), (-180.0, -178.0)]) == (179.0, -178.0)
    assert list(turns(-179.5, -179.0, 179.0, 182.0)) == [360.0]
    assert list(turns(10.0, 20.0, 30.0, 40.0)) == []
    assert narrowest([179.0, -179.0]).tolist() == [179.0, 181.0]


@pytest.mark.parametrize("epsg", [4326, 4258, 4269, 7844])
def test_a_grid_in_any_crs_of_degrees_is_one(epsg: int) -> None:
    ring = [(10.1, 45.1), (10.9, 45.1), (10.9, 45.3), (10.1, 45.3)]
    grid = footprint_grid(ring, epsg, 0.0002)
    assert is_geographic(epsg) and grid.is_geographic and metres_per_unit(epsg) == pytest.approx(111_320.0)
    # Version 0.1 widened by 6,000 degrees what was no EPSG:4326, and asked for a DEM at latitude -6035.
    west, south, east, north = grid_lonlat_bounds(grid, 6000.0 / metres_per_unit(grid.epsg))
    assert (west, south) == pytest.approx((10.046, 45.046), abs=1e-3)
    assert (east, north) == pytest.approx((10.954, 45.354), abs=1e-3)


def test_a_projected_grid_is_none() -> None:
    grid = GeoGrid(32633, 0, 0, 0.5, 10, 10)
    assert not grid.is_geographic and metres_per_unit(grid.epsg) == 1.0


def test_there_is_no_second_antimeridian_code() -> None:
    """Nor a second answer to "is it geographic". Kernels and maps cannot call this one, the cube does not yet."""
    package = Path(__file__).parents[2] / "sarcube"
    apart = {"geometry/longitudes.py", "geometry/rdr2geo.py", "html.py", "crs.py", "sensors/sentinel1/burst_id.py"}
    found = [
        f"{path.relative_to(package)}:{number}"
        for path in package.rglob("*.py")
        if path.relative_to(package).as_posix() not in apart and path.relative_to(package).parts[0] != "cube"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"180(\.0)?\) ?% ?360|np\.unwrap|CRS\.from_epsg\([^)]*\)\.is_geographic|\(0\.0, 360\.0", line)
    ]
    assert found == []
