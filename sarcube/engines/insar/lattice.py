"""From the map to the radar, to a hundredth of a millimetre: line, sample and range of every fine sample.

The zero-Doppler equation is solved exactly at nodes about 320 m apart and at four heights; between them the three are
biquadratic in the plane and cubic in height. The third derivative of slant range over a cell of 640 m is worth 3 um,
the fourth by height over 4 km of relief 0.4 um: a phase of 1e-3 rad. Nodes and heights depend on the grid and its
terrain alone, so that what error is left is the same on every date.

Line and sample are where the echo is found: timing corrections are part of them. The range is what geometry alone
gives, and what the phase is flattened with.
"""

# Kernels: numba takes scalars and arrays.

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sarcube.engines.insar.fine import FineGrid, metres_per_unit
from sarcube.engines.insar.options import InsarOptions
from sarcube.engines.rtc.native.corrections import bistatic_delay, static_troposphere
from sarcube.errors import OrbitError
from sarcube.geometry.burst_grid import transformer
from sarcube.geometry.ellipsoid import geodetic_to_ecef
from sarcube.geometry.geo2rdr import geo2rdr
from sarcube.geometry.orbit import state
from sarcube.sensors.sentinel1.deramp import Carrier
from sarcube.sensors.sentinel1.model import Burst

_NODE_METRES = 320.0
_HEIGHTS = 4
_HEIGHT_STEP = 100.0  # m: lowest and highest height are rounded outward to it
LINE, SAMPLE, RANGE = 0, 1, 2


class Lattice(NamedTuple):
    """Nodes over a fine grid, in the form that kernels take.

    Attributes
    ----------
    step_row, step_column : int
        Fine rows and columns between nodes; node (0, 0) lies on the grid's outer corner. A cell is two steps wide.
    middle, half : float
        Heights (m) at which the height variable t is 0, and its distance to 1.
    """

    step_row: int
    step_column: int
    middle: float
    half: float


@dataclass(frozen=True, eq=False)
class Nodes:
    """The ground points of a lattice, shared by all dates.

    Attributes
    ----------
    lattice : Lattice
    heights : (4,) float64
        Metres.
    xyz : (4, rows, columns, 3) float64
        ECEF metres.
    lon, lat : (rows, columns) float64
        Degrees.
    to_monomials : (4, 4) float64
        From values at the heights to coefficients of 1, t, t^2, t^3.
    """

    lattice: Lattice
    heights: NDArray[np.float64]
    xyz: NDArray[np.float64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    to_monomials: NDArray[np.float64]

    def polynomials(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values (q, 4, rows, columns) at the nodes as coefficients (rows, columns, q, 4) of powers of t."""
        return np.ascontiguousarray(np.einsum("kh,qhrc->rcqk", self.to_monomials, values))


def make_nodes(fine: FineGrid, heights: tuple[float, float]) -> Nodes:
    """Nodes over a fine grid for terrain between two heights."""
    across, down = metres_per_unit(fine.grid)
    dy, dx = fine.spacing
    step_row = max(1, round(_NODE_METRES / (dy * down)))
    step_column = max(1, round(_NODE_METRES / (dx * across)))
    rows = 2 * math.ceil(fine.shape[0] / (2 * step_row)) + 1
    columns = 2 * math.ceil(fine.shape[1] / (2 * step_column)) + 1
    low = _HEIGHT_STEP * math.floor(heights[0] / _HEIGHT_STEP)
    high = max(_HEIGHT_STEP * math.ceil(heights[1] / _HEIGHT_STEP), low + _HEIGHT_STEP)
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    t = np.cos(np.pi * (np.arange(_HEIGHTS) + 0.5) / _HEIGHTS)  # Chebyshev nodes
    x = fine.grid.left + np.arange(columns) * step_column * dx
    y = fine.grid.top - np.arange(rows) * step_row * dy
    lon, lat = transformer(fine.grid.epsg, 4326).transform(*np.meshgrid(x, y))
    levels = middle + half * t
    xyz = np.stack([geodetic_to_ecef(lon, lat, h) for h in levels])
    monomials = np.linalg.inv(t[:, None] ** np.arange(_HEIGHTS)[None, :])
    return Nodes(Lattice(step_row, step_column, middle, half), levels, xyz, lon, lat, monomials)


def up_vector(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit normal of the ellipsoid, (..., 3)."""
    o, a = np.radians(lon), np.radians(lat)
    return np.stack([np.cos(a) * np.cos(o), np.cos(a) * np.sin(o), np.sin(a)], axis=-1)


def look_at(burst: Burst, nodes: Nodes, carrier: Carrier, options: InsarOptions) -> NDArray[np.float64]:
    """Line, sample and uncorrected slant range (m) of the nodes as seen on one date.

    Returns
    -------
    (rows, columns, 3, 4) float64
        Coefficients of powers of the height variable.

    Raises
    ------
    OrbitError
        No node is seen from the orbit.
    """
    radar = burst.radar
    time, slant_range = geo2rdr(burst.orbit, nodes.xyz)
    if not np.isfinite(time).any():
        raise OrbitError(f"no part of the grid is seen from the orbit of {burst.scene}; check grid and orbit file")
    late, far = np.zeros_like(time), np.zeros_like(time)
    if options.bistatic_delay:
        late -= bistatic_delay(burst, slant_range)
    if options.static_troposphere:
        up = up_vector(nodes.lon, nodes.lat)
        position, _ = _state(burst, time)
        cosine = np.einsum("hrci,rci->hrc", position - nodes.xyz, up) / slant_range
        far += static_troposphere(np.broadcast_to(nodes.heights[:, None, None], time.shape), cosine)
    sample = (slant_range + far - radar.first_sample_range) / radar.sample_spacing
    if options.fm_rate_mismatch:
        late += _fm_rate_shift(burst, carrier, nodes.xyz, time, slant_range, sample)
    line = (time + late - radar.first_line_time) / radar.line_interval
    return nodes.polynomials(np.stack([line, sample, slant_range]))


def _state(burst: Burst, time: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    orbit = burst.orbit
    middle = 0.5 * (orbit.time[0] + orbit.time[-1])
    inside = np.where(np.isfinite(time), time, middle)
    position, velocity = state(orbit, inside)
    gone = ~np.isfinite(time)
    position[gone] = velocity[gone] = np.nan
    return position, velocity


def _fm_rate_shift(
    burst: Burst,
    carrier: Carrier,
    xyz: NDArray[np.float64],
    time: NDArray[np.float64],
    slant_range: NDArray[np.float64],
    sample: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Seconds by which an echo is found late because it was focused with the FM rate of another height.

    A target seen at Doppler frequency f lands f (1 / k - 1 / k_a) late, k its own rate and k_a the processor's
    (Gisinger et al. 2021, IEEE TGRS 59, equation 24; Rodriguez-Cassola et al. 2015, IEEE TGRS 53).
    """
    radar = burst.radar
    position, velocity = _state(burst, time)
    step = 0.5
    ends = np.clip(np.stack([time - step, time + step]), burst.orbit.time[0], burst.orbit.time[-1])
    acceleration = (_state(burst, ends[1])[1] - _state(burst, ends[0])[1]) / (ends[1] - ends[0])[..., None]
    bending = np.einsum("...i,...i", velocity, velocity) + np.einsum("...i,...i", position - xyz, acceleration)
    rate = -2.0 / radar.wavelength * bending / slant_range
    at = np.arange(radar.samples, dtype=np.float64)
    line = (time - radar.first_line_time) / radar.line_interval
    # Nodes beyond the burst serve those within it: they continue what the burst's ends have.
    eta = (np.clip(line, 0, radar.lines - 1) - carrier.middle) * carrier.interval
    away = eta - np.interp(sample, at, carrier.reference)
    doppler = np.interp(sample, at, carrier.rate) * away + np.interp(sample, at, carrier.centroid)
    return np.asarray(doppler * (1.0 / rate - 1.0 / np.interp(sample, at, carrier.fm_rate)))


@njit(cache=True, nogil=True)
def positions(
    lattice: Lattice,
    place: NDArray[np.float64],
    row: float,
    first: float,
    step: float,
    heights: NDArray[np.float32],
    out: NDArray[np.float64],
) -> None:
    """What `place` holds at points of one row, into `out` (q, n).

    `row` counts fine rows from the grid's top edge; point i lies `first + i step` fine columns from its left edge,
    at height `heights[i]`; NaN heights give NaN.
    """
    rows, columns, quantities = place.shape[0], place.shape[1], place.shape[2]
    v = row / lattice.step_row
    a = min(max(int(v * 0.5), 0), (rows - 3) // 2) * 2
    v -= a
    w0, w1, w2 = 0.5 * (v - 1.0) * (v - 2.0), v * (2.0 - v), 0.5 * v * (v - 1.0)
    scale, offset = step / lattice.step_column, first / lattice.step_column
    inverse = 1.0 / lattice.half
    n = heights.size
    i = 0
    while i < n:
        b = min(max(int((offset + i * scale) * 0.5), 0), (columns - 3) // 2) * 2
        end = n
        if b < columns - 3:
            end = min(n, max(i + 1, int(math.ceil((b + 2 - offset) / scale))))  # noqa: RUF046
        for q in range(quantities):
            p00, p01, p02, p03 = place[a, b, q]
            c00, c01, c02, c03 = w0 * p00, w0 * p01, w0 * p02, w0 * p03
            p00, p01, p02, p03 = place[a, b + 1, q]
            c10, c11, c12, c13 = w0 * p00, w0 * p01, w0 * p02, w0 * p03
            p00, p01, p02, p03 = place[a, b + 2, q]
            c20, c21, c22, c23 = w0 * p00, w0 * p01, w0 * p02, w0 * p03
            for k in range(1, 3):
                w = w1 if k == 1 else w2
                p00, p01, p02, p03 = place[a + k, b, q]
                c00, c01, c02, c03 = c00 + w * p00, c01 + w * p01, c02 + w * p02, c03 + w * p03
                p00, p01, p02, p03 = place[a + k, b + 1, q]
                c10, c11, c12, c13 = c10 + w * p00, c11 + w * p01, c12 + w * p02, c13 + w * p03
                p00, p01, p02, p03 = place[a + k, b + 2, q]
                c20, c21, c22, c23 = c20 + w * p00, c21 + w * p01, c22 + w * p02, c23 + w * p03
            s00, s01, s02 = c00, 0.5 * (-3.0 * c00 + 4.0 * c10 - c20), 0.5 * (c00 - 2.0 * c10 + c20)
            s10, s11, s12 = c01, 0.5 * (-3.0 * c01 + 4.0 * c11 - c21), 0.5 * (c01 - 2.0 * c11 + c21)
            s20, s21, s22 = c02, 0.5 * (-3.0 * c02 + 4.0 * c12 - c22), 0.5 * (c02 - 2.0 * c12 + c22)
            s30, s31, s32 = c03, 0.5 * (-3.0 * c03 + 4.0 * c13 - c23), 0.5 * (c03 - 2.0 * c13 + c23)
            values = out[q]
            for m in range(i, end):
                s = offset + m * scale - b
                t = (heights[m] - lattice.middle) * inverse
                values[m] = (
                    s00 + s * (s01 + s * s02)
                    + t * (s10 + s * (s11 + s * s12)
                    + t * (s20 + s * (s21 + s * s22)
                    + t * (s30 + s * (s31 + s * s32))))
                )  # fmt: skip
        i = end
