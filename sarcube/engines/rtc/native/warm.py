"""Run every kernel once on next to nothing, so that numba compiles it or loads it from its cache."""

from __future__ import annotations

import numpy as np

from sarcube.engines.rtc.native.angles import incidence_angles
from sarcube.engines.rtc.native.area_factor import area_factors
from sarcube.engines.rtc.native.area_projection import area_projection
from sarcube.engines.rtc.native.blocks import Window, blocks
from sarcube.engines.rtc.native.geocode import Geocoded, bilinear
from sarcube.engines.rtc.native.mapping import map_row, radar_map
from sarcube.engines.rtc.native.mesh import make_mesh
from sarcube.engines.rtc.native.radiometry import Echo, PowerTables, Reach, fill_cells
from sarcube.engines.rtc.native.shadow_layover import geocode_mask, mask_window, shadow_layover
from sarcube.geometry.burst_grid import auto_epsg, footprint_grid
from sarcube.geometry.dem import Dem
from sarcube.geometry.orbit import Orbit
from sarcube.geometry.radar import RadarGrid
from sarcube.geometry.rdr2geo import rdr2geo

_LINES, _SAMPLES = 24, 192


def _orbit() -> Orbit:
    """A circular polar orbit at Sentinel-1's height over a few seconds."""
    radius, speed = 7_071_000.0, 7_600.0
    time = np.arange(0.0, 80.0, 10.0)
    angle = speed / radius * (time - 35.0)
    zero = np.zeros_like(time)
    position = radius * np.stack([np.cos(angle), zero, np.sin(angle)], axis=-1)
    velocity = speed * np.stack([-np.sin(angle), zero, np.cos(angle)], axis=-1)
    return Orbit(np.datetime64("2020-01-01T00:00:00", "ns"), time, position, velocity)


def run_all() -> None:
    """Compile all kernels of the native engine: every array layout that the engine passes occurs here."""
    orbit = _orbit()
    radar = RadarGrid(35.0, 2.0e-3, 850_000.0, 2.33, _LINES, _SAMPLES, 0.0555)
    time = np.array([radar.first_line_time, radar.last_line_time])
    ranges = np.array([radar.first_sample_range, radar.last_sample_range])
    lon, lat, _ = rdr2geo(orbit, time[[0, 0, 1, 1]], ranges[[0, 1, 1, 0]], 0.0)
    epsg = auto_epsg(float(lon[0]), float(lat[0]))
    grid = footprint_grid(list(zip(lon.tolist(), lat.tolist(), strict=True)), epsg, 40.0)
    window = Window(0, 0, _LINES, _SAMPLES)
    margin = 0.01
    west, north = float(lon.min()) - margin, float(lat.max()) + margin
    posting = 0.001
    shape = (int((north - lat.min() + margin) / posting) + 1, int((lon.max() - west + margin) / posting) + 1)
    make_mesh(Dem(np.zeros(shape, np.float32), 4326, west, north, posting, posting), grid, 2, 8)
    size = (grid.height + 60, grid.width + 60)
    left, top = grid.left - 30 * grid.resolution, grid.top + 30 * grid.resolution
    dem = Dem(np.zeros(size, np.float32), grid.epsg, left, top, grid.resolution, grid.resolution)
    mesh = make_mesh(dem, grid, 2, 8)
    rmap = radar_map(orbit, radar, grid.epsg, mesh.bounds, mesh.height_range())
    nodes = np.zeros(4, np.float32)
    map_row(rmap, grid.top, grid.left, grid.resolution, 0, nodes.size, nodes, np.empty(4), np.empty(4))
    (block,) = blocks(window, 0)
    factors = area_factors(rmap, mesh, window, sigma=True)
    area_factors(rmap, mesh, window)
    _, _, height = incidence_angles(rmap, mesh, grid, window)
    wide = mask_window(radar, window)
    geocode_mask(rmap, height, grid, wide, shadow_layover(orbit, radar, rmap, mesh, wide))
    flat = np.ones((2, _SAMPLES), np.float32)
    ends = np.array([0, _LINES - 1], np.float32)
    tables = PowerTables(flat, ends, flat, ends, np.ones((1, _LINES), np.float32), np.zeros(_SAMPLES, np.int32))
    first, last = np.zeros(_LINES, np.int32), np.full(_LINES, _SAMPLES - 1, np.int32)
    echo = Echo(np.ones((_LINES, _SAMPLES, 2), np.int16), 0, tables, first, last)
    cells = np.empty((_LINES, _SAMPLES + 2, 1), np.float32)
    fill_cells(cells, 0, window, echo, factors, 0, Reach.unknown(window))
    out = Geocoded.empty(1, grid)
    area_projection(rmap, mesh, grid, block, cells, out)
    bilinear(rmap, height, grid, block, cells, out)
