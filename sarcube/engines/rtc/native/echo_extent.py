"""Where a burst holds an echo, in its own cells and on a grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarcube.engines.rtc.native.blocks import Window
from sarcube.engines.rtc.native.burst_geometry import BurstGeometry
from sarcube.engines.rtc.native.mapping import map_row
from sarcube.engines.rtc.native.mesh import Mesh
from sarcube.engines.rtc.native.radiometry import Reach, echo_of_lines
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel1.model import Burst
from sarcube.sensors.sentinel1.samples import read_samples

_BLOCK = 256  # lines that are looked at together: 20 MB


def echo_reach(burst: Burst, names: tuple[str, ...], window: Window) -> Reach:
    """Which cells of a window hold an echo in all of some polarizations, by the samples and the valid area alone."""
    reach = Reach.unknown(window)
    begin, end = max(window.first_line, 0), min(window.first_line + window.lines, burst.radar.lines)
    outside = np.ones(window.lines, np.bool_)
    outside[begin - window.first_line : max(end - window.first_line, 0)] = False
    reach.stop[outside] = 0
    for name in names:
        for first in range(begin, end, _BLOCK):
            last = min(first + _BLOCK, end)
            valid = (burst.first_valid_sample[first:last], burst.last_valid_sample[first:last])
            here, stop, empty = echo_of_lines(read_samples(burst, name, (first, last)), *valid, 0)
            rows = slice(first - window.first_line, last - window.first_line)
            reach.empty[rows] |= empty
            here = np.clip(here - window.first_sample, 0, window.samples)
            stop = np.clip(stop - window.first_sample, here, window.samples)
            reach.first[rows] = np.maximum(reach.first[rows], here)
            reach.stop[rows] = np.minimum(reach.stop[rows], stop)
    return reach


def beyond_echo(
    geometry: BurstGeometry,
    grid: GeoGrid,
    centres: NDArray[np.float32],
    candidates: NDArray[np.bool_],
    reach: Reach,
) -> NDArray[np.bool_] | None:
    """Those of the candidates (pixels of the grid) whose centre lies where there is no echo; None without any."""
    if not candidates.any():
        return None
    beyond = candidates.copy()
    rmap, window = geometry.rmap, geometry.window
    line, sample = np.empty(grid.width), np.empty(grid.width)
    x, y = grid.left + 0.5 * grid.resolution, grid.y()
    for r in np.flatnonzero(candidates.any(axis=1)):
        map_row(rmap, y[r], x, grid.resolution, 0, grid.width, centres[r], line, sample)
        columns = np.flatnonzero(candidates[r])
        i = np.floor(line[columns] + 0.5 - window.first_line)
        j = sample[columns] + 0.5 - window.first_sample
        within = (i >= 0) & (i < window.lines)
        k = np.where(within, i, 0).astype(np.int64)
        beyond[r, columns] = ~(within & (j >= reach.first[k]) & (j < reach.stop[k]))
    return beyond


def pixel_centres(mesh: Mesh, grid: GeoGrid) -> NDArray[np.float32]:
    """Heights at the pixel centres, (rows, columns)."""
    start = mesh.margin * mesh.factor + mesh.factor // 2
    step = mesh.factor
    return np.ascontiguousarray(mesh.heights[start::step, start::step][: grid.height, : grid.width])
