"""What a burst ID has for ever on its grid: where the sensor stands, and where it does not see the ground."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarcube.engines.insar.fine import FineGrid
from sarcube.engines.insar.lattice import Nodes, positions, up_vector
from sarcube.engines.rtc.engine import RtcOptions
from sarcube.engines.rtc.native.burst_geometry import burst_geometry
from sarcube.engines.rtc.native.echo_extent import pixel_centres
from sarcube.engines.rtc.native.engine import STATIC_LINES, STATIC_SAMPLES, burst_mask
from sarcube.geometry.dem import Dem
from sarcube.geometry.geo2rdr import geo2rdr
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.orbit import state
from sarcube.sensors.sentinel1.model import Burst


def line_of_sight(
    burst: Burst, nodes: Nodes, fine: FineGrid, height: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """East, north and up component of the unit vector from each cell's centre to the sensor; NaN where not seen."""
    time, slant_range = geo2rdr(burst.orbit, nodes.xyz)
    middle = 0.5 * (burst.orbit.time[0] + burst.orbit.time[-1])
    position, _ = state(burst.orbit, np.where(np.isfinite(time), time, middle))
    look = (position - nodes.xyz) / slant_range[..., None]
    up = up_vector(nodes.lon, nodes.lat)
    o, a = np.radians(nodes.lon), np.radians(nodes.lat)
    east = np.stack([-np.sin(o), np.cos(o), np.zeros_like(o)], axis=-1)
    north = np.stack([-np.sin(a) * np.cos(o), -np.sin(a) * np.sin(o), np.cos(a)], axis=-1)
    components = np.stack([np.einsum("hrci,rci->hrc", look, axis) for axis in (east, north, up)])
    place = nodes.polynomials(components)
    out = np.empty((3, *height.shape), np.float32)
    row_out = np.empty((3, height.shape[1]))
    for r in range(height.shape[0]):
        row = (r + 0.5) * fine.rows
        positions(nodes.lattice, place, row, 0.5 * fine.columns, float(fine.columns), height[r], row_out)
        out[:, r] = row_out
    out /= np.sqrt((out * out).sum(axis=0))
    return out[0], out[1], out[2]


def shadow_mask(burst: Burst, grid: GeoGrid, dem: Dem) -> NDArray[np.uint8]:
    """Layover and shadow as RTC's static layers have them: bit 1 shadow, bit 2 layover."""
    options = RtcOptions()
    geometry = burst_geometry(burst, grid, dem, options, (STATIC_LINES, STATIC_SAMPLES))
    return burst_mask(burst, geometry, grid, pixel_centres(geometry.mesh, grid))
