from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sarcube.geometry.burst_grid import auto_epsg, footprint_grid, grid_lonlat_bounds
from sarcube.geometry.dem import Dem, sample_grid, sample_lonlat
from sarcube.geometry.ellipsoid import geodetic_to_ecef
from sarcube.geometry.geo2rdr import geo2rdr_lonlat
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.longitudes import unwrap_ring
from sarcube.geometry.orbit import Orbit, state
from sarcube.geometry.radar import RadarGrid
from sarcube.geometry.rdr2geo import rdr2geo, rdr2geo_dem

RADAR = RadarGrid(80.0, 0.002, 8.3e5, 2.33, 500, 8000, 0.0555)


@pytest.fixture(scope="module")
def orbit(make_orbit: Callable[..., Orbit]) -> Orbit:
    return make_orbit(np.arange(0.0, 170.0, 10.0), phase=0.6, node=-3.17)


def outline(orbit: Orbit) -> list[tuple[float, float]]:
    """The radar grid on the ground at height 0, closed, running beyond 180 degrees."""
    f = np.linspace(0.0, 1.0, 8, endpoint=False)
    zero, one = np.zeros_like(f), np.ones_like(f)
    line, sample = np.concatenate([zero, f, one, 1 - f, [0]]), np.concatenate([f, one, 1 - f, zero, [0]])
    t = RADAR.first_line_time + line * (RADAR.last_line_time - RADAR.first_line_time)
    r = RADAR.first_sample_range + sample * (RADAR.last_sample_range - RADAR.first_sample_range)
    lon, lat, _ = rdr2geo(orbit, t, r, 0.0)
    return [(float(x), float(y)) for x, y in unwrap_ring(list(zip(lon.tolist(), lat.tolist(), strict=True)))]


def hills(orbit: Orbit) -> Dem:
    west, south, east, north = grid_lonlat_bounds(footprint_grid(outline(orbit)), 12_000.0)
    d = 1 / 600
    lon = west + (np.arange(int((east - west) / d) + 1) + 0.5) * d
    lat = north - (np.arange(int((north - south) / d) + 1) + 0.5) * d
    z = 900.0 + 700.0 * np.sin(lon * 80.0)[None] * np.cos(lat * 90.0)[:, None]
    return Dem(z.astype(np.float32), 4326, west, north, d, d)


def test_points_lie_right_of_the_track(orbit: Orbit) -> None:
    position, velocity = state(orbit, 80.0)
    for look, sign in (("right", 1.0), ("left", -1.0)):
        lon, lat, _ = rdr2geo(orbit, 80.0, 9e5, 0.0, look=look)
        target = geodetic_to_ecef(lon, lat, 0.0) - position
        assert sign * np.dot(np.cross(velocity, position), target) > 0


def test_out_of_reach_is_nan(orbit: Orbit) -> None:
    lon, lat, h = rdr2geo(orbit, [80.0, 80.0, -5.0], [9e5, 1e5, 9e5], 0.0)
    assert np.isfinite(lon[0])
    assert np.isnan(lon[1:]).all()
    assert np.isnan(lat[1:]).all()
    assert np.isnan(h[1:]).all()


@pytest.mark.parametrize("projected", [False, True])
def test_meets_the_dem_and_maps_back(orbit: Orbit, projected: bool) -> None:
    dem = hills(orbit)
    if projected:
        centre = (0.5 * (dem.left + dem.right), 0.5 * (dem.bottom + dem.top))
        ring = [(dem.left, dem.bottom), (dem.left, dem.top), (dem.right, dem.top), (dem.right, dem.bottom)]
        grid = footprint_grid(ring, auto_epsg(*centre), 100.0)
        heights = sample_grid(dem, grid)
        heights[np.isnan(heights)] = 900.0
        dem = Dem(heights, grid.epsg, grid.left, grid.top, 100.0, 100.0)
    t = RADAR.first_line_time + np.linspace(0.0, 1.0, 40)[:, None]
    r = np.linspace(RADAR.first_sample_range, RADAR.last_sample_range, 50)
    lon, lat, h = rdr2geo_dem(orbit, t, r, dem)
    assert np.isfinite(h).all()
    assert h.max() - h.min() > 1000.0
    assert np.abs(h - sample_lonlat(dem, lon, lat)).max() < 0.02
    time, slant = geo2rdr_lonlat(orbit, lon, lat, h)
    assert np.abs(time - t).max() < 1e-9
    assert np.abs(slant - r).max() < 1e-5


def test_a_void_gives_nan_and_only_there(orbit: Orbit) -> None:
    dem = hills(orbit)
    heights = dem.heights.copy()
    half = heights.shape[0] // 2
    heights[:half] = np.nan
    holed = Dem(heights, 4326, dem.left, dem.top, dem.dx, dem.dy)
    t = RADAR.first_line_time + np.linspace(0.0, 1.0, 20)[:, None]
    r = np.linspace(RADAR.first_sample_range, RADAR.last_sample_range, 20)
    full, part = rdr2geo_dem(orbit, t, r, dem), rdr2geo_dem(orbit, t, r, holed)
    edge = dem.top - half * dem.dy
    far = np.abs(full[1] - edge) > 5 * dem.dy
    assert np.array_equal(np.isnan(part[2])[far], (full[1] > edge)[far])
    assert 0.1 < np.isnan(part[2]).mean() < 0.9


def test_footprint_runs_beyond_180_and_its_grid_stays_small(orbit: Orbit) -> None:
    lon = [p[0] for p in outline(orbit)]
    assert max(lon) - min(lon) < 2.0
    ring = outline(orbit)
    assert ring[0] == ring[-1]
    grid = footprint_grid(ring)
    assert isinstance(grid, GeoGrid)
    assert grid.width * grid.resolution < 60_000
