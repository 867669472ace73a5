"""Fast geolocation of a whole grid: exact on a coarse lattice, polynomials between.

Over half a kilometre the map (x, y, height) -> (line, sample) is smooth to far below a thousandth of a pixel, so
`RadarLookup` solves geo2rdr only at lattice nodes: three by three per cell, at four Chebyshev heights. Between
nodes it is a tensor-product polynomial (biquadratic in x and y, cubic in height). Neighbouring cells share the
nodes of their common edge, so the result is continuous. `GroundLookup` gives ECEF positions in the same way.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from pyproj import CRS

from sarcube.errors import GridError
from sarcube.geometry.burst_grid import transformer
from sarcube.geometry.ellipsoid import geodetic_to_ecef
from sarcube.geometry.geo2rdr import geo2rdr
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.orbit import Orbit, state
from sarcube.geometry.radar import RadarGrid

_CELL_METRES = 640.0
_HEIGHT_NODES = 4
_METRES_PER_DEGREE = 111_320.0
_HEIGHT_SLACK = 10.0  # m added to the range of heights: the polynomial does not extrapolate well


class RadarLookup(NamedTuple):
    """(row, column, height) -> (line, sample) on one grid and one burst, as numbers that kernels take.

    Rows and columns count in pixels from the grid's outer top-left corner: the centre of the first pixel is
    (0.5, 0.5), its corners are at integers.

    Attributes
    ----------
    cell : float
        Size of a lattice cell in pixels.
    origin : float
        Row and column of the lattice's first edge (negative: the lattice reaches a little beyond the grid).
    height_centre, height_scale : float
        The polynomial's height variable is (h - height_centre) * height_scale, within [-1, 1].
    coefficients : (cell rows, cell columns, 3, 3, 4, 2) float64
        Of row^i column^j height^k, for line and sample.
    """

    cell: float
    origin: float
    height_centre: float
    height_scale: float
    coefficients: NDArray[np.float64]


class GroundLookup(NamedTuple):
    """(row, column, height) -> ECEF on one grid: `position + height * normal`, each a biquadratic.

    `cell` and `origin` as in RadarLookup; coefficients (cell rows, cell columns, 3, 3, 6) float64 of
    row^i column^j, for x, y, z on the ellipsoid and the unit normal there.
    """

    cell: float
    origin: float
    coefficients: NDArray[np.float64]


class SatelliteTable(NamedTuple):
    """Where the platform is at every line, for linear interpolation (error below 0.01 mm at 2 ms lines).

    Attributes
    ----------
    first_line : float
        Line number of the first entry.
    position : (n, 3) float64
        Metres, ECEF, one line apart.
    """

    first_line: float
    position: NDArray[np.float64]


def cell_pixels(grid: GeoGrid) -> int:
    """Lattice cell size in pixels for this grid."""
    metres = grid.resolution
    if CRS.from_epsg(grid.epsg).is_geographic:
        metres *= _METRES_PER_DEGREE
    return max(2, int(_CELL_METRES / metres))


def lattice_lonlat(grid: GeoGrid, cell: int, margin: float) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Lattice nodes half a cell apart: (origin in pixels, longitudes, latitudes), arrays (node rows, columns)."""
    origin = -float(margin)
    rows = 2 * math.ceil((grid.height + 2 * margin) / cell) + 1
    cols = 2 * math.ceil((grid.width + 2 * margin) / cell) + 1
    x = grid.left + (origin + 0.5 * cell * np.arange(cols)) * grid.resolution
    y = grid.top - (origin + 0.5 * cell * np.arange(rows)) * grid.resolution
    xx, yy = np.meshgrid(x, y)
    lon, lat = transformer(grid.epsg, 4326).transform(xx, yy)
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        raise GridError(f"the grid {grid.bounds} lies outside the valid area of {grid.crs}; check grid.crs")
    return origin, np.asarray(lon), np.asarray(lat)


def cell_polynomials(nodes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Monomial coefficients (cell rows, cell columns, 3, 3, ...) of node values (node rows, node columns, ...).

    Within a cell the variables run from -1 to 1.
    """

    # Rows: values at -1, 0, 1 to the coefficients of 1, s, s^2.
    def along(values: NDArray[np.float64]) -> NDArray[np.float64]:
        a, b, c = values[:-2:2], values[1:-1:2], values[2::2]
        return np.stack([b, 0.5 * (c - a), 0.5 * (a + c) - b], axis=1)

    by_row = along(nodes)  # (R, 3, node columns, ...)
    by_column = along(np.moveaxis(by_row, 2, 0))  # (C, 3, R, 3, ...)
    return np.ascontiguousarray(np.moveaxis(by_column, (2, 0, 3, 1), (0, 1, 2, 3)))


def radar_lookup(
    orbit: Orbit,
    radar: RadarGrid,
    grid: GeoGrid,
    heights: tuple[float, float],
    *,
    margin: float = 2.0,
) -> RadarLookup:
    """Prepare the lookup of one burst on one grid.

    Parameters
    ----------
    orbit : Orbit
        On the same epoch as `radar`; should reach some seconds beyond what the grid sees: nodes outside it make
        their cells NaN.
    radar : RadarGrid
    grid : GeoGrid
    heights : (lowest, highest)
        Range of heights above the ellipsoid that will be asked for, metres.
    margin : float
        Pixels beyond the grid's edge that may be asked for.
    """
    low, high = min(heights) - _HEIGHT_SLACK, max(heights) + _HEIGHT_SLACK
    if not (math.isfinite(low) and math.isfinite(high)):
        raise GridError(f"heights must be finite, not {heights}; the DEM may be void throughout")
    cell = cell_pixels(grid)
    origin, lon, lat = lattice_lonlat(grid, cell, margin)
    centre, scale = 0.5 * (low + high), 2.0 / (high - low)
    k = np.arange(_HEIGHT_NODES)
    chebyshev = np.cos(np.pi * (k + 0.5) / _HEIGHT_NODES)
    time, slant = geo2rdr(orbit, geodetic_to_ecef(lon[..., None], lat[..., None], centre + chebyshev / scale))
    nodes = np.stack(
        [
            (time - radar.first_line_time) / radar.line_interval,
            (slant - radar.first_sample_range) / radar.sample_spacing,
        ],
        axis=-1,
    )
    to_monomial = np.linalg.inv(chebyshev[:, None] ** k)
    nodes = np.einsum("kn,rcnv->rckv", to_monomial, nodes)
    return RadarLookup(float(cell), origin, centre, scale, cell_polynomials(nodes))


def ground_lookup(grid: GeoGrid, *, margin: float = 2.0) -> GroundLookup:
    """Prepare ECEF positions of one grid; `margin` as in `radar_lookup`."""
    cell = cell_pixels(grid)
    origin, lon, lat = lattice_lonlat(grid, cell, margin)
    lo, la = np.radians(lon), np.radians(lat)
    normal = np.stack([np.cos(la) * np.cos(lo), np.cos(la) * np.sin(lo), np.sin(la)], axis=-1)
    nodes = np.concatenate([geodetic_to_ecef(lon, lat, 0.0), normal], axis=-1)
    return GroundLookup(float(cell), origin, cell_polynomials(nodes))


def satellite_table(orbit: Orbit, radar: RadarGrid, margin: int = 0) -> SatelliteTable:
    """Platform positions at lines -margin .. lines + margin (as far as the orbit reaches)."""
    line = np.arange(-margin, radar.lines + margin + 1, dtype=np.float64)
    time = radar.first_line_time + line * radar.line_interval
    inside = (time >= orbit.time[0]) & (time <= orbit.time[-1])
    position, _ = state(orbit, time[inside])
    return SatelliteTable(float(line[inside][0]), np.ascontiguousarray(position))


@njit(cache=True, nogil=True)
def locate(lookup: RadarLookup, row: float, column: float, height: float) -> tuple[float, float]:
    """Line and sample of one point; kernels call it. Outside the lattice the edge cells extrapolate."""
    c = lookup.coefficients
    inv = 1.0 / lookup.cell
    v = (row - lookup.origin) * inv
    u = (column - lookup.origin) * inv
    i = min(max(int(v), 0), c.shape[0] - 1)
    j = min(max(int(u), 0), c.shape[1] - 1)
    v = 2.0 * (v - i) - 1.0
    u = 2.0 * (u - j) - 1.0
    h = (height - lookup.height_centre) * lookup.height_scale
    line = sample = 0.0
    for p in range(2, -1, -1):
        line_p = sample_p = 0.0
        for q in range(2, -1, -1):
            d = c[i, j, p, q]
            line_p = line_p * u + (((d[3, 0] * h + d[2, 0]) * h + d[1, 0]) * h + d[0, 0])
            sample_p = sample_p * u + (((d[3, 1] * h + d[2, 1]) * h + d[1, 1]) * h + d[0, 1])
        line = line * v + line_p
        sample = sample * v + sample_p
    return line, sample


@njit(cache=True, nogil=True)
def locate_row(
    lookup: RadarLookup,
    row: float,
    first_column: float,
    step: float,
    heights: NDArray[np.float32],
    line: NDArray[np.float64],
    sample: NDArray[np.float64],
) -> None:
    """Line and sample along one row: columns first_column + k * step at heights[k], into `line` and `sample`.

    Quicker than `locate` point by point: the row variable is summed out once per cell. `line` and `sample` may
    be float32 arrays too.
    """
    c = lookup.coefficients
    inv = 1.0 / lookup.cell
    v = (row - lookup.origin) * inv
    i = min(max(int(v), 0), c.shape[0] - 1)
    v = 2.0 * (v - i) - 1.0
    a = np.empty((3, 4, 2))
    n = heights.size
    k = 0
    while k < n:
        u = (first_column + k * step - lookup.origin) * inv
        j = min(max(int(u), 0), c.shape[1] - 1)
        end = n
        if j < c.shape[1] - 1:
            reach = ((j + 1) * lookup.cell + lookup.origin - first_column) / step
            end = min(n, max(k + 1, int(math.ceil(reach))))  # noqa: RUF046
        for q in range(3):
            for p in range(4):
                for w in range(2):
                    a[q, p, w] = (c[i, j, 2, q, p, w] * v + c[i, j, 1, q, p, w]) * v + c[i, j, 0, q, p, w]
        du = 2.0 * step * inv
        u0 = 2.0 * (u - j) - 1.0
        for m in range(k, end):
            s = u0 + (m - k) * du
            h = (heights[m] - lookup.height_centre) * lookup.height_scale
            l3 = (a[2, 3, 0] * s + a[1, 3, 0]) * s + a[0, 3, 0]
            l2 = (a[2, 2, 0] * s + a[1, 2, 0]) * s + a[0, 2, 0]
            l1 = (a[2, 1, 0] * s + a[1, 1, 0]) * s + a[0, 1, 0]
            l0 = (a[2, 0, 0] * s + a[1, 0, 0]) * s + a[0, 0, 0]
            line[m] = ((l3 * h + l2) * h + l1) * h + l0
            s3 = (a[2, 3, 1] * s + a[1, 3, 1]) * s + a[0, 3, 1]
            s2 = (a[2, 2, 1] * s + a[1, 2, 1]) * s + a[0, 2, 1]
            s1 = (a[2, 1, 1] * s + a[1, 1, 1]) * s + a[0, 1, 1]
            s0 = (a[2, 0, 1] * s + a[1, 0, 1]) * s + a[0, 0, 1]
            sample[m] = ((s3 * h + s2) * h + s1) * h + s0
        k = end


@njit(cache=True, nogil=True)
def ground_point(lookup: GroundLookup, row: float, column: float) -> tuple[float, float, float, float, float, float]:
    """ECEF of the point on the ellipsoid (m) and the unit normal there; position at h = point + h * normal."""
    c = lookup.coefficients
    inv = 1.0 / lookup.cell
    v = (row - lookup.origin) * inv
    u = (column - lookup.origin) * inv
    i = min(max(int(v), 0), c.shape[0] - 1)
    j = min(max(int(u), 0), c.shape[1] - 1)
    v = 2.0 * (v - i) - 1.0
    u = 2.0 * (u - j) - 1.0
    uu, vv = u * u, v * v
    d = c[i, j]
    x = y = z = nx = ny = nz = 0.0
    for p in range(3):
        for q in range(3):
            w0 = 1.0 if p == 0 else (v if p == 1 else vv)
            w1 = 1.0 if q == 0 else (u if q == 1 else uu)
            w2 = w0 * w1
            x += w2 * d[p, q, 0]
            y += w2 * d[p, q, 1]
            z += w2 * d[p, q, 2]
            nx += w2 * d[p, q, 3]
            ny += w2 * d[p, q, 4]
            nz += w2 * d[p, q, 5]
    return x, y, z, nx, ny, nz


@njit(cache=True, nogil=True)
def satellite_position(table: SatelliteTable, line: float) -> tuple[float, float, float]:
    """Platform position at a (fractional) line, clamped to the table's ends."""
    p = table.position
    s = line - table.first_line
    i = min(max(int(s), 0), p.shape[0] - 2)
    f = min(max(s - i, 0.0), 1.0)
    g = 1.0 - f
    return (
        g * p[i, 0] + f * p[i + 1, 0],
        g * p[i, 1] + f * p[i + 1, 1],
        g * p[i, 2] + f * p[i + 1, 2],
    )
