"""What a burst needs before any pixel: its terrain, the lattice to its radar geometry, and the window of its cells."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sarcube.engines.rtc.engine import RtcOptions
from sarcube.engines.rtc.native.blocks import Window
from sarcube.engines.rtc.native.corrections import timing_correction
from sarcube.engines.rtc.native.image import RadarImage
from sarcube.engines.rtc.native.mapping import RadarMap, map_row, radar_map
from sarcube.engines.rtc.native.mesh import Mesh, mesh_of
from sarcube.errors import DemError, GridError
from sarcube.geometry.dem import Dem
from sarcube.geometry.grid import GeoGrid, metres_per_unit
from sarcube.geometry.orbit import require_coverage

_MARGIN_METRES = 5000.0  # farthest terrain beyond the grid that is followed
_CLOSE_PIXELS = 8
_COARSEST, _COARSEST_METRES = 10.0, 500.0  # DEM postings beyond both, in pixels and metres, are refused
_FLAT = 1.0  # m between lowest and highest height: no terrain to correct


@dataclass(frozen=True, eq=False)
class BurstGeometry:
    """Terrain, lattice and window of a burst on a grid."""

    mesh: Mesh
    rmap: RadarMap
    window: Window


def burst_geometry(
    burst: RadarImage, grid: GeoGrid, dem: Dem, options: RtcOptions, beyond: tuple[float, float]
) -> BurstGeometry:
    """Terrain, lattice and window; `beyond` are the parts of a burst (lines, samples) allowed outside it."""
    radar = burst.radar
    require_coverage(burst.orbit, radar.first_line_time, radar.last_line_time, f"the lines of {burst.label}")
    low, high = _dem_range(dem)
    _check_posting(dem, grid, high - low)
    factor = max(2, options.dem_upsampling + options.dem_upsampling % 2)
    metres = grid.resolution * metres_per_unit(grid.epsg)
    reach = min(1.5 * (high - low), _MARGIN_METRES)
    mesh = mesh_of(dem, grid, factor, _CLOSE_PIXELS + math.ceil(reach / metres))
    correction = timing_correction(burst, bistatic=options.bistatic_delay, troposphere=options.static_troposphere)
    rmap = radar_map(burst.orbit, radar, grid.epsg, mesh.bounds, mesh.height_range(), correction)
    window = _window(rmap, mesh, grid, burst, beyond)
    return BurstGeometry(mesh, rmap, window)


def _check_posting(dem: Dem, grid: GeoGrid, relief: float) -> None:
    posting = max(dem.dx, dem.dy) * metres_per_unit(dem.epsg)
    # A plane of one height loses nothing by wide spacing: it is what people take where there is no relief.
    if relief > _FLAT and posting > max(_COARSEST * grid.resolution * metres_per_unit(grid.epsg), _COARSEST_METRES):
        raise DemError(
            f"the DEM ({dem.description or 'unnamed'}) has a posting of {posting:.0f} m: too coarse to correct "
            f"terrain at {grid.resolution:g}; give a finer dem.path"
        )


def _dem_range(dem: Dem) -> tuple[float, float]:
    low, high = np.fmin.reduce(dem.heights, axis=None), np.fmax.reduce(dem.heights, axis=None)
    if not (np.isfinite(low) and np.isfinite(high)):
        valid = dem.heights[np.isfinite(dem.heights)]
        if not valid.size:
            raise DemError(f"the DEM ({dem.description or 'unnamed'}) has no valid height; check dem.path")
        low, high = valid.min(), valid.max()
    return float(low), float(high)


def _window(rmap: RadarMap, mesh: Mesh, grid: GeoGrid, burst: RadarImage, beyond: tuple[float, float]) -> Window:
    """Cells that the grid's pixels can touch, within the burst or what is allowed beyond it."""
    step = 8 * mesh.factor
    first = mesh.margin * mesh.factor
    rows = np.arange(first, mesh.heights.shape[0] - first, step)
    columns = np.arange(first, mesh.heights.shape[1] - first, step)
    lines, samples = np.empty((rows.size, columns.size)), np.empty((rows.size, columns.size))
    for k, row in enumerate(rows):
        heights = np.ascontiguousarray(mesh.heights[row, columns])
        y, x = mesh.y0 - row * mesh.spacing, mesh.x0 + columns[0] * mesh.spacing
        map_row(rmap, y, x, step * mesh.spacing, 0, columns.size, heights, lines[k], samples[k])
    if not np.isfinite(lines).any():
        raise DemError("the DEM does not cover the grid at all; check dem.path and the AOI")
    radar = burst.radar
    extra_lines, extra_samples = round(beyond[0] * radar.lines), round(beyond[1] * radar.samples)
    slack = (64, 512)
    line0 = max(math.floor(np.nanmin(lines)) - slack[0], -extra_lines)
    line1 = min(math.ceil(np.nanmax(lines)) + slack[0] + 1, radar.lines + extra_lines)
    sample0 = max(math.floor(np.nanmin(samples)) - slack[1], -extra_samples)
    sample1 = min(math.ceil(np.nanmax(samples)) + slack[1] + 1, radar.samples + extra_samples)
    if line1 <= line0 or sample1 <= sample0:
        raise GridError(f"the grid {grid.bounds} ({grid.crs}) does not touch {burst.label}; check the grid")
    return Window(int(line0), int(sample0), int(line1 - line0), int(sample1 - sample0))
