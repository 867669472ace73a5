from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numba import njit
from numpy.typing import NDArray

from sarcube.errors import GridError
from sarcube.geometry.burst_grid import footprint_grid, transformer
from sarcube.geometry.ellipsoid import geodetic_to_ecef
from sarcube.geometry.geo2rdr import geo2rdr_lonlat
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.lookup import (
    RadarLookup,
    ground_lookup,
    ground_point,
    locate,
    locate_row,
    radar_lookup,
    satellite_position,
    satellite_table,
)
from sarcube.geometry.orbit import Orbit, state, trim
from sarcube.geometry.radar import RadarGrid
from sarcube.geometry.rdr2geo import footprint_ring, rdr2geo

LOW, HIGH = -100.0, 6500.0


@njit
def many(lookup: RadarLookup, row: NDArray, col: NDArray, h: NDArray) -> NDArray:
    out = np.empty((2, row.size))
    for k in range(row.size):
        out[0, k], out[1, k] = locate(lookup, row[k], col[k], h[k])
    return out


def worst(orbit: Orbit, radar: RadarGrid, grid: GeoGrid, heights: tuple[float, float]) -> tuple[float, float]:
    """Largest error in line and sample over random places and heights."""
    rng = np.random.default_rng(3)
    row = rng.uniform(-1.5, grid.height + 1.5, 20_000)
    col = rng.uniform(-1.5, grid.width + 1.5, 20_000)
    h = rng.uniform(*heights, 20_000)
    h[:1000], h[1000:2000] = heights
    lookup = radar_lookup(orbit, radar, grid, heights)
    line, sample = many(lookup, row, col, h)
    x, y = grid.left + col * grid.resolution, grid.top - row * grid.resolution
    lon, lat = transformer(grid.epsg, 4326).transform(x, y)
    time, slant = geo2rdr_lonlat(orbit, lon, lat, h)
    line_error = (time - radar.first_line_time) / radar.line_interval - line
    sample_error = (slant - radar.first_sample_range) / radar.sample_spacing - sample
    return float(np.abs(line_error).max()), float(np.abs(sample_error).max())


def test_real_annotations_to_a_ten_thousandth(swaths: list) -> None:
    vv = [s for s in swaths if "-vh-" not in s.name]
    for swath in vv[::4]:
        start = float(np.unique(swath.azimuth_time)[3])
        radar = swath.radar(start, 1500)
        for epsg in (None, 3413, 4326):
            resolution = 20.0 if epsg != 4326 else 2e-4
            grid = footprint_grid(footprint_ring(swath.orbit, radar), epsg, resolution, 50 * resolution)
            line, sample = worst(swath.orbit, radar, grid, (LOW, HIGH))
            assert line < 1e-4, (swath.name, epsg)
            assert sample < 1e-4, (swath.name, epsg)


def test_polar_and_antimeridian_grids(
    shared_data: Path, eof_orbit: Callable[[Path], Orbit], make_orbit: Callable[..., Orbit]
) -> None:
    precise = eof_orbit(next((shared_data / "data" / "orbits").glob("*20221019T082002*.EOF")))
    seen = set()
    vectors = np.arange(0.0, 170.0, 10.0)
    lon = rdr2geo(make_orbit(vectors, phase=0.9), 80.0, 8.6e5, 0.0)[0]
    circular = make_orbit(vectors, phase=0.9, node=np.radians(180.0 - float(lon)))
    antarctic = make_orbit(vectors, phase=4.5, node=1.0)
    cases = [(precise, t) for t in precise.time[8:-8:12]] + [(circular, 80.0), (antarctic, 80.0)]
    across = False
    for orbit, t0 in cases:
        radar = RadarGrid(float(t0), 0.002055556, 8.3e5, 2.329562, 1500, 22_000, 0.0555)
        ring = footprint_ring(orbit, radar)
        across |= max(p[0] for p in ring) > 180.0
        grid = footprint_grid(ring, None, 20.0, 1000.0)
        seen.add(grid.epsg)
        line, sample = worst(trim(orbit, t0, t0 + 3.1), radar, grid, (LOW, HIGH))
        assert line < 1e-4, (grid, t0)
        assert sample < 1e-4, (grid, t0)
    assert 3031 in seen
    assert across


def test_rows_equal_points(make_orbit: Callable[..., Orbit]) -> None:
    orbit = make_orbit(np.arange(0.0, 170.0, 10.0), phase=0.6)
    radar = RadarGrid(80.0, 0.002, 8.3e5, 2.33, 500, 8000, 0.0555)
    grid = footprint_grid(footprint_ring(orbit, radar))
    lookup = radar_lookup(orbit, radar, grid, (0.0, 2000.0))
    rng = np.random.default_rng(4)
    for first, step, row in ((0.0, 1.0, 0.0), (-1.5, 0.5, 311.25), (0.25, 0.5, grid.height + 1.0)):
        col = first + step * np.arange(int(grid.width / step))
        h = rng.uniform(0.0, 2000.0, col.size).astype(np.float32)
        line, sample = np.empty(col.size), np.empty(col.size)
        locate_row(lookup, row, first, step, h, line, sample)
        expected = many(lookup, np.full(col.size, row), col, h.astype(np.float64))
        assert np.abs(line - expected[0]).max() < 1e-9
        assert np.abs(sample - expected[1]).max() < 1e-9


def test_ground_and_satellite(make_orbit: Callable[..., Orbit]) -> None:
    orbit = make_orbit(np.arange(0.0, 170.0, 10.0), phase=1.3)
    radar = RadarGrid(80.0, 0.002, 8.3e5, 2.33, 500, 8000, 0.0555)
    grid = footprint_grid(footprint_ring(orbit, radar))
    ground = ground_lookup(grid)
    table = satellite_table(orbit, radar, margin=20)
    rng = np.random.default_rng(5)
    for row, col, h in rng.uniform((0, 0, -400), (grid.height, grid.width, 8800), (200, 3)):
        x, y, z, nx, ny, nz = ground_point(ground, row, col)
        lon, lat = transformer(grid.epsg, 4326).transform(
            grid.left + col * grid.resolution, grid.top - row * grid.resolution
        )
        expected = geodetic_to_ecef(lon, lat, h)
        assert np.abs(np.array([x + h * nx, y + h * ny, z + h * nz]) - expected).max() < 1e-3
    for line in (-19.9, 0.0, 250.3, 518.0):
        expected = state(orbit, 80.0 + line * 0.002)[0]
        assert np.abs(np.array(satellite_position(table, line)) - expected).max() < 1e-4


def test_beyond_the_orbit_is_nan_not_a_number(make_orbit: Callable[..., Orbit]) -> None:
    orbit = make_orbit(np.arange(0.0, 170.0, 10.0), phase=0.6)
    radar = RadarGrid(80.0, 0.002, 8.3e5, 2.33, 500, 8000, 0.0555)
    grid = footprint_grid(footprint_ring(orbit, radar))
    short = Orbit(orbit.epoch, orbit.time - 75.0, orbit.position, orbit.velocity)
    far = radar_lookup(short, radar, grid, (0.0, 100.0))
    far_away = GeoGrid(grid.epsg, grid.left, grid.top + 2e6, grid.resolution, 64, 64)
    lost = radar_lookup(orbit, radar, far_away, (0.0, 100.0))
    assert np.isfinite(locate(far, 10.0, 10.0, 50.0)).all()
    assert np.isnan(locate(lost, 10.0, 10.0, 50.0)).all()


def test_void_heights_are_refused(make_orbit: Callable[..., Orbit]) -> None:
    orbit = make_orbit(np.arange(0.0, 170.0, 10.0))
    radar = RadarGrid(80.0, 0.002, 8.3e5, 2.33, 500, 8000, 0.0555)
    grid = footprint_grid(footprint_ring(orbit, radar))
    with pytest.raises(GridError, match="void"):
        radar_lookup(orbit, radar, grid, (float("nan"), 10.0))
