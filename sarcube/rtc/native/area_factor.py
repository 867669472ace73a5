"""The area factor in radar geometry: projected terrain area per radar cell, over the cell's own area.

Small, "Flattening gamma: radiometric terrain correction for SAR imagery", IEEE TGRS 49 (2011); by area projection as
Shiroma et al., "An area-based projection algorithm for SAR radiometric terrain correction and geocoding", IEEE TGRS 60
(2022): every facet's illuminated area, seen from the sensor (gamma), on the ground (sigma) and in the
slant plane (beta), is shared out among the radar cells in proportion to the part of the facet each holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sarcube.geometry.dem import Dem
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.orbit import Orbit
from sarcube.geometry.radar import RadarGrid
from sarcube.rtc.native.coverage import MAX_COLUMNS, MAX_ROWS, add_edge, extent, new_accumulator
from sarcube.rtc.native.mapping import RadarMap, column_bounds, facet_row, map_row, radar_map
from sarcube.rtc.native.mesh import Mesh, make_mesh

_CHUNK_LINES = 96  # lines that one thread owns at a time; fixed, so that results do not depend on threads


@dataclass(frozen=True)
class Window:
    """A rectangle of radar cells, in lines and samples of the burst (may reach beyond it)."""

    first_line: int
    first_sample: int
    lines: int
    samples: int


@dataclass(frozen=True, eq=False)
class AreaFactors:
    """Area factors of the cells of a window, each (lines, samples) float32, NaN where no terrain maps to.

    Attributes
    ----------
    window : Window
    gamma : array
        Area in the plane perpendicular to the look over area in the slant plane: beta0 = gamma * gamma0.
    sigma : array or None
        The same with the area on the ground: beta0 = sigma * sigma0.
    """

    window: Window
    gamma: NDArray[np.float32]
    sigma: NDArray[np.float32] | None


def area_factors(
    rmap: RadarMap, mesh: Mesh, window: Window, *, sigma: bool = False, minimum: float = 0.0
) -> AreaFactors:
    """Area factors of a window from a mesh of heights.

    Parameters
    ----------
    rmap : RadarMap
        Must cover the mesh.
    mesh : Mesh
    window : Window
    sigma : bool
        Also make the factor of sigma0.
    minimum : float
        Cells whose gamma factor lies below become NaN.
    """
    shape = (window.lines, window.samples)
    gamma, beta = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    ground = np.zeros(shape if sigma else (1, 1), np.float32)
    offsets = (window.first_line, window.first_sample)
    _spread(rmap, mesh.heights, mesh.x0, mesh.y0, mesh.spacing, offsets, (0.9, 0.06), gamma, beta, ground)
    _normalise(gamma, beta, ground, np.float32(minimum))
    return AreaFactors(window, gamma, ground if sigma else None)


def burst_area_factors(
    orbit: Orbit, radar: RadarGrid, dem: Dem, grid: GeoGrid, *, factor: int = 2, sigma: bool = False
) -> AreaFactors:
    """Area factors of every radar cell of a burst, straight from a DEM.

    This is the forward model of radiometric terrain effects: an echo of constant gamma0 = g has the expected
    power beta0 = g * result.gamma[line, sample]. `sarcube.simulate` builds its echoes with it.

    Parameters
    ----------
    orbit : Orbit
    radar : RadarGrid
        Lines and samples are cells centred at integers; no timing correction is applied.
    dem : Dem
        Heights above the ellipsoid; any CRS.
    grid : GeoGrid
        Region and posting of the facets: `factor` facets per pixel and axis. Use a grid that covers the burst.
    factor : int
    sigma : bool
        Also return the factor of sigma0.

    Returns
    -------
    AreaFactors
        Window = the whole burst; gamma (lines, samples) float32, NaN where the grid or DEM has no terrain.
    """
    mesh = make_mesh(dem, grid, factor, 0)
    rmap = radar_map(orbit, radar, grid.epsg, mesh.bounds, mesh.height_range())
    return area_factors(rmap, mesh, Window(0, 0, radar.lines, radar.samples), sigma=sigma)


@njit(cache=True, nogil=True, parallel=True)
def _spread(
    rmap: RadarMap,
    heights: NDArray[np.float32],
    x0: float,
    y0: float,
    spacing: float,
    offsets: tuple[int, int],
    tune: tuple[float, float],
    gamma: NDArray[np.float32],
    beta: NDArray[np.float32],
    ground: NDArray[np.float32],
) -> None:
    chunks = (gamma.shape[0] + _CHUNK_LINES - 1) // _CHUNK_LINES
    for chunk in prange(chunks):
        low = chunk * _CHUNK_LINES
        high = min(low + _CHUNK_LINES, gamma.shape[0])
        _spread_chunk(rmap, heights, x0, y0, spacing, offsets, tune, low, high, gamma, beta, ground)


@njit(cache=True, nogil=True)
def _spread_chunk(
    rmap: RadarMap,
    heights: NDArray[np.float32],
    x0: float,
    y0: float,
    spacing: float,
    offsets: tuple[int, int],
    tune: tuple[float, float],
    low: int,
    high: int,
    gamma: NDArray[np.float32],
    beta: NDArray[np.float32],
    ground: NDArray[np.float32],
) -> None:
    """Share out all facets that touch lines `low` to `high` of the window: a thread owns its lines."""
    rows, columns = heights.shape
    samples = gamma.shape[1]
    acc = new_accumulator()
    terms = np.empty((rmap.facet.shape[0 + 1], rmap.facet.shape[2]))
    line0, line1 = np.empty(columns), np.empty(columns)
    sample0, sample1 = np.empty(columns), np.empty(columns)
    window = (
        offsets[0] + low - 1.0,
        offsets[0] + high + 1.0,
        offsets[1] - 1.0,
        offsets[1] + samples + 1.0,
    )
    dy, dx = offsets[0] - 0.5, offsets[1] - 0.5
    scale, origin = spacing / rmap.step, (x0 + 0.5 * spacing - rmap.left) / rmap.step
    a0, b0 = column_bounds(rmap, y0 - 0.5 * spacing, x0, spacing, columns, window)
    if b0 > a0:
        map_row(rmap, y0, x0, spacing, a0, b0, heights[0], line0, sample0)
    top, bottom, end = float(low), float(high), float(samples)
    area = spacing * spacing
    tolerance = tune[0]
    limit = tune[1]
    sample_metres = 2.329562
    for r in range(rows - 1):
        # The lower nodes of this row of facets must serve the next row too.
        a1, b1 = column_bounds(rmap, y0 - (r + 1.5) * spacing, x0, spacing, columns, window)
        first, last = (min(a0, a1), max(b0, b1)) if b1 > a1 and b0 > a0 else ((a0, b0) if b0 > a0 else (a1, b1))
        if last > first:
            y = y0 - (r + 1) * spacing
            map_row(rmap, y, x0, spacing, first, last, heights[r + 1], line1, sample1)
        if b0 > a0 + 1:
            facet_row(rmap, y0 - (r + 0.5) * spacing, terms)
            h0, h1 = heights[r], heights[r + 1]
            node = -1
            base = 0.0
            for c in range(a0, b0 - 1):
                ya, yb, yc, yd = line0[c] - dy, line0[c + 1] - dy, line1[c + 1] - dy, line1[c] - dy
                ymin, ymax = min(min(ya, yb), min(yc, yd)), max(max(ya, yb), max(yc, yd))
                if not (ymax > top and ymin < bottom):
                    continue
                xa, xb, xc, xd = sample0[c] - dx, sample0[c + 1] - dx, sample1[c + 1] - dx, sample1[c] - dx
                xmin, xmax = min(min(xa, xb), min(xc, xd)), max(max(xa, xb), max(xc, xd))
                # Written so that a NaN height skips the facet.
                if not (xmax > 0.0 and xmin < end and xmax - xmin < MAX_COLUMNS and ymax - ymin < MAX_ROWS - 2):
                    continue
                u = origin + c * scale
                node = int(u)
                f = u - node
                base = 0.25 * (h0[c] + h0[c + 1] + h1[c] + h1[c + 1]) - (rmap.h0 + rmap.dh)
                t0, t1 = terms[node], terms[node + 1]
                # Turning at all four corners the same way: one convex quadrilateral, else two triangles.
                s1 = (xb - xa) * (yc - yb) - (yb - ya) * (xc - xb)
                s2 = (xc - xb) * (yd - yc) - (yc - yb) * (xd - xc)
                s3 = (xd - xc) * (ya - yd) - (yd - yc) * (xa - xd)
                s4 = (xa - xd) * (yb - ya) - (ya - yd) * (xb - xa)
                d1, d2 = h0[c + 1] - h1[c], h0[c] - h1[c + 1]
                bend = 0.0
                if 0 < r < rows - 2 and 0 < c < columns - 2:
                    bend = _bend(heights, r, c)
                # Range of the facet's middle: that of the corners' mean, moved by the height above their mean.
                shift = -bend * t0[2] / (math.sqrt(t0[14]) * sample_metres)
                small, large = min(min(s1, s2), min(s3, s4)), max(max(s1, s2), max(s3, s4))
                if (small > tolerance * large or large < tolerance * small) and abs(shift) < limit:
                    ny, nx = 0.5 * spacing * (d2 - d1), -0.5 * spacing * (d1 + d2)
                    g, b, s = _areas(t0, t1, f, base, ny, nx, area)
                    _share(acc, xa, xb, xc, xd, ya, yb, yc, yd, g, b, s, low, high, gamma, beta, ground)
                else:
                    # Four triangles around the middle, each with its own slope.
                    xm, ym = 0.25 * (xa + xb + xc + xd) + shift, 0.25 * (ya + yb + yc + yd)
                    hm = 0.25 * (h0[c] + h0[c + 1] + h1[c] + h1[c + 1]) + bend
                    part = 0.25 * area
                    half = 0.5 * spacing
                    e, w = 0.5 * (h0[c] + h0[c + 1]) - hm, 0.5 * spacing * (h0[c] - h0[c + 1])
                    g, b, s = _areas(t0, t1, f, base, 0.5 * w, -half * e, part)
                    _share(acc, xm, xa, xb, xb, ym, ya, yb, yb, g, b, s, low, high, gamma, beta, ground)
                    e, w = 0.5 * (h1[c] + h1[c + 1]) - hm, 0.5 * spacing * (h1[c] - h1[c + 1])
                    g, b, s = _areas(t0, t1, f, base, 0.5 * w, half * e, part)
                    _share(acc, xm, xc, xd, xd, ym, yc, yd, yd, g, b, s, low, high, gamma, beta, ground)
                    e, w = 0.5 * (h0[c + 1] + h1[c + 1]) - hm, 0.5 * spacing * (h1[c + 1] - h0[c + 1])
                    g, b, s = _areas(t0, t1, f, base, -half * e, 0.5 * w, part)
                    _share(acc, xm, xb, xc, xc, ym, yb, yc, yc, g, b, s, low, high, gamma, beta, ground)
                    e, w = 0.5 * (h0[c] + h1[c]) - hm, 0.5 * spacing * (h1[c] - h0[c])
                    g, b, s = _areas(t0, t1, f, base, half * e, 0.5 * w, part)
                    _share(acc, xm, xd, xa, xa, ym, yd, ya, ya, g, b, s, low, high, gamma, beta, ground)
        line0, line1 = line1, line0
        sample0, sample1 = sample1, sample0
        a0, b0 = a1, b1


@njit(cache=True, nogil=True, inline="always")
def _bend(heights: NDArray[np.float32], r: int, c: int) -> float:
    """Height of the middle of facet (r, c) above the mean of its corners, by cubic interpolation."""
    inner = heights[r, c] + heights[r, c + 1] + heights[r + 1, c] + heights[r + 1, c + 1]
    sides = (
        heights[r - 1, c]
        + heights[r - 1, c + 1]
        + heights[r + 2, c]
        + heights[r + 2, c + 1]
        + heights[r, c - 1]
        + heights[r + 1, c - 1]
        + heights[r, c + 2]
        + heights[r + 1, c + 2]
    )
    corners = heights[r - 1, c - 1] + heights[r - 1, c + 2] + heights[r + 2, c - 1] + heights[r + 2, c + 2]
    value = (81.0 * inner - 9.0 * sides + corners) / 256.0 - 0.25 * inner
    # Beside a void the middle stays the corners' mean.
    return value if value == value else 0.0


@njit(cache=True, nogil=True, inline="always")
def _areas(
    t0: NDArray[np.float64], t1: NDArray[np.float64], f: float, dh: float, p: float, q: float, a: float
) -> tuple[float, float, float]:
    """Gamma, beta and sigma area of a facet whose normal is p (e_y x u) + q (u x e_x) + a (e_x x e_y)."""
    g = 1.0 - f
    gamma = (
        p * (g * t0[0] + f * t1[0] + dh * t0[6])
        + q * (g * t0[1] + f * t1[1] + dh * t0[7])
        + a * (g * t0[2] + f * t1[2] + dh * t0[8])
    )
    beta = (
        p * (g * t0[3] + f * t1[3] + dh * t0[9])
        + q * (g * t0[4] + f * t1[4] + dh * t0[10])
        + a * (g * t0[5] + f * t1[5] + dh * t0[11])
    )
    if gamma <= 0.0:
        return 0.0, beta, 0.0
    return gamma, beta, math.sqrt(p * p * t0[12] + q * q * t0[13] + a * a * t0[14] + 2.0 * p * q * t0[15])


@njit(cache=True, nogil=True)
def _share(
    acc: NDArray[np.float64],
    xa: float,
    xb: float,
    xc: float,
    xd: float,
    ya: float,
    yb: float,
    yc: float,
    yd: float,
    g: float,
    b: float,
    s: float,
    low: int,
    high: int,
    gamma: NDArray[np.float32],
    beta: NDArray[np.float32],
    ground: NDArray[np.float32],
) -> None:
    """Add a facet's areas to the cells that it covers (two equal corners make a triangle)."""
    row, column, rows, columns = extent(xa, xb, xc, xd, ya, yb, yc, yd)
    whole = 0.5 * ((xc - xa) * (yd - yb) - (xd - xb) * (yc - ya))
    with_ground = ground.shape[0] > 1
    if abs(whole) < 1e-7:
        # Edge-on: no extent in the radar plane, all of its area falls into one cell.
        i = int(math.floor(0.25 * (ya + yb + yc + yd)))
        j = int(math.floor(0.25 * (xa + xb + xc + xd)))
        if low <= i < high and 0 <= j < gamma.shape[1]:
            gamma[i, j] += g
            beta[i, j] += b
            if with_ground:
                ground[i, j] += s
        return
    xa, xb, xc, xd = xa - column, xb - column, xc - column, xd - column
    ya, yb, yc, yd = ya - row, yb - row, yc - row, yd - row
    add_edge(acc, xa, ya, xb, yb)
    add_edge(acc, xb, yb, xc, yc)
    add_edge(acc, xc, yc, xd, yd)
    add_edge(acc, xd, yd, xa, ya)
    # acc holds the area right of downward edges: minus the shoelace area in a y-down frame.
    k = -1.0 / whole
    g, b, s = g * k, b * k, s * k
    samples = gamma.shape[1]
    for i in range(rows):
        line = acc[i]
        y = row + i
        if y < low or y >= high:
            line[: columns + 2] = 0.0
            continue
        total = 0.0
        for j in range(columns):
            total += line[j]
            line[j] = 0.0
            x = column + j
            if 0 <= x < samples:
                gamma[y, x] += total * g
                beta[y, x] += total * b
                if with_ground:
                    ground[y, x] += total * s
        line[columns] = 0.0
        line[columns + 1] = 0.0


@njit(cache=True, nogil=True, parallel=True)
def _normalise(
    gamma: NDArray[np.float32], beta: NDArray[np.float32], ground: NDArray[np.float32], minimum: np.float32
) -> None:
    """Divide by the slant-plane area, in place; cells without terrain or below the minimum become NaN."""
    for i in prange(gamma.shape[0]):
        for j in range(gamma.shape[1]):
            b = beta[i, j]
            value = gamma[i, j] / b if b > 0.0 else np.float32(np.nan)
            if not value >= minimum:
                value = np.float32(np.nan)
            gamma[i, j] = value
            if ground.shape[0] > 1:
                ground[i, j] = ground[i, j] / b if b > 0.0 else np.float32(np.nan)
