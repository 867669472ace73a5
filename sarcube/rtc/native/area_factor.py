"""The area factor in radar geometry: projected terrain area per radar cell, over the cell's own area.

Small, "Flattening gamma: radiometric terrain correction for SAR imagery", IEEE TGRS 49 (2011); by area projection as
Shiroma et al., "An area-based projection algorithm for SAR radiometric terrain correction and geocoding", IEEE TGRS 60
(2022): every facet's illuminated area, seen from the sensor (gamma), on the ground (sigma) and in the
slant plane (beta), is shared out among the radar cells in proportion to the part of the facet each holds.
"""

# ruff: noqa: PLR0912, PLR0913, PLR0915, PLR0917, PLW3301, PLR0124, RUF046
# Kernels: numba takes scalars and arrays, wants integers said, and is quicker with min and max of two.

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
from sarcube.rtc.native.coverage import spread_edge
from sarcube.rtc.native.mapping import RadarMap, column_bounds, facet_row, map_row, radar_map
from sarcube.rtc.native.mesh import Mesh, make_mesh

_LONGEST = 2000.0  # samples; a facet longer than that is a fault of the DEM
_SMALLEST = 1e-3  # radar cells; triangles smaller than that count as edge-on
_EVEN = 0.01  # half the spread of the four triangles' densities that counts as none
_LEAST = 1e-4  # factor below which a cell holds no terrain: running sums leave rounding behind
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
    """Area factors of the cells of a window.

    Attributes
    ----------
    window : Window
    field : (lines, samples + 2, 1 or 2) float32
        `gamma` and, if asked for, `sigma` side by side; the last two columns are of no meaning.
    """

    window: Window
    field: NDArray[np.float32]

    @property
    def gamma(self) -> NDArray[np.float32]:
        """Area perpendicular to the look over area in the slant plane: beta0 = gamma * gamma0.

        (lines, samples), NaN where no terrain maps to or the factor lies below the minimum.
        """
        return self.field[:, : self.window.samples, 0]

    @property
    def sigma(self) -> NDArray[np.float32]:
        """Area on the ground over area in the slant plane: beta0 = sigma * sigma0."""
        return self.field[:, : self.window.samples, 1]


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
        Cells whose gamma factor lies below become NaN (in both factors).
    """
    field = np.zeros((window.lines, window.samples + 2, 2 if sigma else 1), np.float32)
    holes = np.zeros((window.lines, window.samples) if np.isnan(mesh.heights).any() else (1, 1), np.uint8)
    offsets = (window.first_line, window.first_sample)
    _spread(rmap, mesh.heights, mesh.x0, mesh.y0, mesh.spacing, offsets, field, holes)
    _sum_rows(field, holes, np.float32(max(minimum, _LEAST)))
    return AreaFactors(window, field)


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
    field: NDArray[np.float32],
    holes: NDArray[np.uint8],
) -> None:
    chunks = (field.shape[0] + _CHUNK_LINES - 1) // _CHUNK_LINES
    for chunk in prange(chunks):
        low = chunk * _CHUNK_LINES
        high = min(low + _CHUNK_LINES, field.shape[0])
        _spread_chunk(rmap, heights, x0, y0, spacing, offsets, low, high, field, holes)


@njit(cache=True, nogil=True)
def _spread_chunk(
    rmap: RadarMap,
    heights: NDArray[np.float32],
    x0: float,
    y0: float,
    spacing: float,
    offsets: tuple[int, int],
    low: int,
    high: int,
    field: NDArray[np.float32],
    holes: NDArray[np.uint8],
) -> None:
    """Share out all facets that touch lines `low` to `high` of the window: a thread owns its lines.

    Facets are taken row by row of the mesh. Every edge is added once, with the difference of the densities on its
    two sides: `below` remembers those of the row above, `right` those of the facet before.
    """
    rows, columns = heights.shape
    samples = field.shape[1] - 2
    terms = np.empty((rmap.facet.shape[1], rmap.facet.shape[2]))
    line0, line1 = np.empty(columns), np.empty(columns)
    sample0, sample1 = np.empty(columns), np.empty(columns)
    below, void_above = np.zeros((columns, 2)), np.zeros(columns, np.bool_)
    k, right, t = np.zeros((4, 2)), np.zeros(2), np.empty(rmap.facet.shape[2])
    window = (
        offsets[0] + low - 1.0,
        offsets[0] + high + 1.0,
        offsets[1] - 1.0,
        offsets[1] + samples + 1.0,
    )
    dy, dx = offsets[0] - 0.5, offsets[1] - 0.5
    scale, origin = spacing / rmap.step, (x0 + 0.5 * spacing - rmap.left) / rmap.step
    middle = rmap.h0 + rmap.dh
    top, bottom, end = float(low), float(high), float(samples)
    before0, before1 = columns, 0
    own0, own1 = column_bounds(rmap, y0 - 0.5 * spacing, x0, spacing, columns, window)
    if own1 > own0:
        map_row(rmap, y0, x0, spacing, own0, own1, heights[0], line0, sample0)
    for r in range(rows):
        # Facets [first, last) are looked at: this row's own, and those whose upper edge may still be open.
        next0, next1 = columns, 0
        if r < rows - 2:
            next0, next1 = column_bounds(rmap, y0 - (r + 1.5) * spacing, x0, spacing, columns, window)
        if r == rows - 1:
            own0, own1 = columns, 0
        first, last = min(own0, before0), min(max(own1, before1), columns)
        n0, n1 = min(own0, next0), max(own1, next1)
        if r < rows - 1 and n1 > n0:
            y = y0 - (r + 1) * spacing
            map_row(rmap, y, x0, spacing, n0, n1, heights[r + 1], line1, sample1)
        if last > first:
            if r < rows - 1:
                facet_row(rmap, y0 - (r + 0.5) * spacing, terms)
            right[:] = 0.0
            void_left = False
            for c in range(first, last):
                seen = void = False
                if own0 <= c < own1 - 1:
                    ya, yb, yc, yd = line0[c] - dy, line0[c + 1] - dy, line1[c + 1] - dy, line1[c] - dy
                    xa, xb, xc, xd = sample0[c] - dx, sample0[c + 1] - dx, sample1[c + 1] - dx, sample1[c] - dx
                    ymin, ymax = min(min(ya, yb), min(yc, yd)), max(max(ya, yb), max(yc, yd))
                    xmin, xmax = min(min(xa, xb), min(xc, xd)), max(max(xa, xb), max(xc, xd))
                    void = math.isnan(xa + xb + xc + xd)
                    seen = not void and ymax > top and ymin < bottom and xmax > 0.0 and xmin < end
                    seen = seen and xmax - xmin < _LONGEST
                if seen:
                    u = origin + c * scale
                    node = int(u)
                    bend = 0.0
                    if 0 < r < rows - 2 and 0 < c < columns - 2:
                        bend = _bend(heights, r, c)
                    corners = (heights[r, c], heights[r, c + 1], heights[r + 1, c + 1], heights[r + 1, c])
                    xs, ys = (xa, xb, xc, xd), (ya, yb, yc, yd)
                    for q in range(19):
                        t[q] = terms[node, q] + (u - node) * (terms[node + 1, q] - terms[node, q])
                    _facet(field, low, high, corners, bend, middle, spacing, xs, ys, t, k)
                else:
                    k[:] = 0.0
                if c < columns - 1 and (void or void_above[c] or void_left):
                    if void != void_above[c] and r > 0:
                        _mark(holes, low, high, sample0[c] - dx, line0[c] - dy, sample0[c + 1] - dx, line0[c + 1] - dy)
                    if void != void_left and c > 0 and r < rows - 1:
                        _mark(holes, low, high, sample1[c] - dx, line1[c] - dy, sample0[c] - dx, line0[c] - dy)
                a0, a1 = k[0, 0] - below[c, 0], k[0, 1] - below[c, 1]
                if a0 != 0.0:
                    x, x1 = sample0[c] - dx, sample0[c + 1] - dx
                    spread_edge(field, low, high, x, line0[c] - dy, x1, line0[c + 1] - dy, a0, a1)
                a0, a1 = k[3, 0] - right[0], k[3, 1] - right[1]
                if a0 != 0.0:
                    x, x1 = sample1[c] - dx, sample0[c] - dx
                    spread_edge(field, low, high, x, line1[c] - dy, x1, line0[c] - dy, a0, a1)
                below[c, 0], below[c, 1] = k[2, 0], k[2, 1]
                right[0], right[1] = k[1, 0], k[1, 1]
                void_above[c] = void
                void_left = void
        before0, before1 = own0, own1
        own0, own1 = next0, next1
        line0, line1 = line1, line0
        sample0, sample1 = sample1, sample0


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
    outer = heights[r - 1, c - 1] + heights[r - 1, c + 2] + heights[r + 2, c - 1] + heights[r + 2, c + 2]
    value = (17.0 * inner - 9.0 * sides + outer) / 256.0
    # Beside a void the middle stays the corners' mean.
    return value if value == value else 0.0


@njit(cache=True, nogil=True)
def _mark(holes: NDArray[np.uint8], low: int, high: int, xa: float, ya: float, xb: float, yb: float) -> None:
    """Mark the cells along the rim of a void: terrain is missing in them."""
    if math.isnan(xa + xb) or holes.shape[0] == 1:
        return
    for i in range(max(int(math.floor(min(ya, yb))), low), min(int(math.floor(max(ya, yb))) + 1, high)):
        for j in range(max(int(math.floor(min(xa, xb))), 0), min(int(math.floor(max(xa, xb))) + 1, holes.shape[1])):
            holes[i, j] = 1


@njit(cache=True, nogil=True)
def _facet(
    field: NDArray[np.float32],
    low: int,
    high: int,
    h: tuple[float, float, float, float],
    bend: float,
    middle: float,
    spacing: float,
    x: tuple[float, float, float, float],
    y: tuple[float, float, float, float],
    t: NDArray[np.float64],
    k: NDArray[np.float64],
) -> None:
    """Gamma and sigma area per slant-plane area of a facet's four triangles, and the edges between them.

    Corners a, b, c, d run clockwise from the upper left; triangles are top, right, bottom, left, `k` (4, 2).
    """
    mean = 0.25 * (h[0] + h[1] + h[2] + h[3])
    dh = mean - middle
    gx, gy, gz = t[0] + dh * t[6], t[1] + dh * t[7], t[2] + dh * t[8]
    hm = mean + bend
    xm = 0.25 * (x[0] + x[1] + x[2] + x[3]) + bend * t[17]
    ym = 0.25 * (y[0] + y[1] + y[2] + y[3]) + bend * t[16]
    with_sigma = field.shape[2] == 2
    part, quarter = 0.25 * spacing * spacing, 0.25 * spacing
    flat = part * gz
    least, most, total0, total1, area = math.inf, -math.inf, 0.0, 0.0, 0.0
    for n in range(4):
        m = (n + 1) & 3
        across = quarter * (h[n] + h[m] - 2.0 * hm)
        along = quarter * (h[n] - h[m])
        # Normal of the triangle in the basis (e_y x u, u x e_x, e_x x e_y), turned by side.
        if n == 0:
            p, q = along, -across
        elif n == 1:
            p, q = -across, -along
        elif n == 2:
            p, q = -along, across
        else:
            p, q = across, along
        gamma = p * gx + q * gy + flat
        sigma = 0.0
        if gamma <= 0.0:
            gamma = 0.0
        elif with_sigma:
            square = p * p * t[12] + q * q * t[13] + part * part * t[14] + 2.0 * p * q * t[15]
            sigma = math.sqrt(square)
        whole = 0.5 * ((x[n] - xm) * (y[m] - ym) - (x[m] - xm) * (y[n] - ym))
        if abs(whole) < _SMALLEST:
            # Edge-on: no extent in the radar plane, all of its area falls into one cell.
            i = int(math.floor((x[n] + x[m] + xm) / 3.0))
            j = int(math.floor((y[n] + y[m] + ym) / 3.0))
            if low <= j < high and 0 <= i < field.shape[1] - 2:
                field[j, i, 0] += gamma / t[18]
                field[j, i + 1, 0] -= gamma / t[18]
                if with_sigma:
                    field[j, i, 1] += sigma / t[18]
                    field[j, i + 1, 1] -= sigma / t[18]
            k[n, 0] = k[n, 1] = 0.0
        else:
            # Edges run clockwise: coverage comes out as minus the shoelace area in a frame with y down.
            scale = -1.0 / (whole * t[18])
            k[n, 0], k[n, 1] = gamma * scale, sigma * scale
        least, most = min(least, k[n, 0]), max(most, k[n, 0])
        total0, total1, area = total0 + gamma, total1 + sigma, area + whole
    if most - least < _EVEN * abs(most + least):
        # As good as one density: no edges inside.
        scale = -1.0 / (area * t[18])
        for n in range(4):
            k[n, 0], k[n, 1] = total0 * scale, total1 * scale
        return
    for n in range(4):
        m = (n + 3) & 3
        spread_edge(field, low, high, xm, ym, x[n], y[n], k[n, 0] - k[m, 0], k[n, 1] - k[m, 1])


@njit(cache=True, nogil=True, parallel=True)
def _sum_rows(field: NDArray[np.float32], holes: NDArray[np.uint8], minimum: np.float32) -> None:
    """Running sums in place: area factors; NaN below the minimum and where terrain is missing."""
    two = field.shape[2] == 2
    checked = holes.shape[0] > 1
    for i in prange(field.shape[0]):
        gamma = sigma = 0.0
        for j in range(field.shape[1] - 2):
            gamma += field[i, j, 0]
            value = gamma if gamma >= minimum else math.nan
            if checked and holes[i, j]:
                value = math.nan
            field[i, j, 0] = value
            if two:
                sigma += field[i, j, 1]
                field[i, j, 1] = sigma if value == value else math.nan
