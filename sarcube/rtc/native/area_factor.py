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

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sarcube.rtc.native.blocks import Window
from sarcube.rtc.native.coverage import spread_across, spread_along
from sarcube.rtc.native.densities import bend_of, bends, densities, spread_facet
from sarcube.rtc.native.mapping import RadarMap, column_bounds, facet_row, map_row
from sarcube.rtc.native.mesh import Mesh

_LONGEST = 2000.0  # samples; a facet longer than that is a fault of the DEM
_LEAST = 1e-4  # factor below which a cell holds no terrain: running sums leave rounding behind


def area_factors(
    rmap: RadarMap, mesh: Mesh, window: Window, *, sigma: bool = False, minimum: float = 0.0
) -> NDArray[np.float32]:
    """Area factors of a window from a mesh of heights, on the calling thread.

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

    Returns
    -------
    (lines, samples + 2, 1 or 2) float32
        First the area perpendicular to the look over the area in the slant plane (beta0 = factor * gamma0), then the
        area on the ground over it (beta0 = factor * sigma0); NaN where no terrain maps to. The last two columns are of
        no meaning.
    """
    field = np.zeros((window.lines, window.samples + 2, 2 if sigma else 1), np.float32)
    holes = np.zeros((window.lines, window.samples) if mesh.voids else (1, 1), np.uint8)
    offsets = (window.first_line, window.first_sample)
    _spread(rmap, mesh.heights, mesh.x0, mesh.y0, mesh.spacing, offsets, window.limits, field, holes)
    _sum_rows(field, holes, np.float32(max(minimum, _LEAST)))
    return field


@njit(cache=True, nogil=True)
def _spread(
    rmap: RadarMap,
    heights: NDArray[np.float32],
    x0: float,
    y0: float,
    spacing: float,
    offsets: tuple[int, int],
    limits: tuple[float, float, float, float],
    field: NDArray[np.float32],
    holes: NDArray[np.uint8],
) -> None:
    """Share out all facets that touch the window's cells.

    Facets are taken row by row of the mesh. Every edge is added once, with the difference of the densities on its
    two sides: `below` remembers those of the row above, `right` those of the facet before.
    """
    rows, columns = heights.shape
    lines, samples = field.shape[0], field.shape[1] - 2
    flat, shape = field.reshape(-1), field.shape
    terms = np.empty((rmap.facet.shape[1], rmap.facet.shape[2]))
    line0, line1 = np.empty(columns), np.empty(columns)
    sample0, sample1 = np.empty(columns), np.empty(columns)
    below, void_above = np.zeros((columns, 2)), np.zeros(columns, np.bool_)
    quick, room = np.empty((2, columns)), np.empty(columns)
    k, right, t = np.zeros((4, 2)), np.zeros(2), np.empty(rmap.facet.shape[2])
    dy, dx = offsets[0] - 0.5, offsets[1] - 0.5
    scale, origin = spacing / rmap.step, (x0 + 0.5 * spacing - rmap.left) / rmap.step
    middle = rmap.h0 + rmap.dh
    bottom, end = float(lines), float(samples)
    before0, before1 = columns, 0
    own0, own1 = column_bounds(rmap, y0 - 0.5 * spacing, x0, spacing, columns, limits)
    if own1 > own0:
        map_row(rmap, y0, x0, spacing, own0, own1, heights[0], line0, sample0)
    for r in range(rows):
        # Facets [first, last) are looked at: this row's own, and those whose upper edge may still be open.
        next0, next1 = columns, 0
        if r < rows - 2:
            next0, next1 = column_bounds(rmap, y0 - (r + 1.5) * spacing, x0, spacing, columns, limits)
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
            quick[:, first:last] = math.nan
            if 0 < r < rows - 2:
                begin, stop = max(own0, 1), min(own1 - 1, columns - 2)
                if stop > begin:
                    a, b = begin - 1, stop + 2
                    middle_bends = room[begin:stop]
                    bends(heights[r - 1, a:b], heights[r, a:b], heights[r + 1, a:b], heights[r + 2, a:b], middle_bends)
                at = begin
                while at < stop:
                    u = origin + at * scale
                    node = int(u)
                    to = min(stop, max(at + 1, int(math.ceil((node + 1 - origin) / scale))))
                    place = (u - node, scale, middle, spacing)
                    b = to + 1
                    for q in range(field.shape[2]):
                        densities(
                            heights[r, at:b],
                            heights[r + 1, at:b],
                            room[at:to],
                            sample0[at:b],
                            sample1[at:b],
                            line0[at:b],
                            line1[at:b],
                            terms[node : node + 2],
                            place,
                            q == 1,
                            quick[q, at:to],
                        )
                    at = to
            for c in range(first, last):
                seen = void = False
                if own0 <= c < own1 - 1:
                    ya, yb, yc, yd = line0[c] - dy, line0[c + 1] - dy, line1[c + 1] - dy, line1[c] - dy
                    xa, xb, xc, xd = sample0[c] - dx, sample0[c + 1] - dx, sample1[c + 1] - dx, sample1[c] - dx
                    ymin, ymax = min(min(ya, yb), min(yc, yd)), max(max(ya, yb), max(yc, yd))
                    xmin, xmax = min(min(xa, xb), min(xc, xd)), max(max(xa, xb), max(xc, xd))
                    void = math.isnan(xa + xb + xc + xd)
                    seen = not void and ymax > 0.0 and ymin < bottom and xmax > 0.0 and xmin < end
                    seen = seen and xmax - xmin < _LONGEST
                if seen and quick[0, c] == quick[0, c]:
                    # Element by element: a view is counted, and its count locks the processor's cache.
                    for n in range(4):
                        k[n, 0] = quick[0, c]
                        if field.shape[2] == 2:
                            k[n, 1] = quick[1, c]
                elif seen:
                    u = origin + c * scale
                    node = int(u)
                    bend = 0.0
                    if 0 < r < rows - 2 and 0 < c < columns - 2:
                        bend = bend_of(heights, r, c)
                    corners = (heights[r, c], heights[r, c + 1], heights[r + 1, c + 1], heights[r + 1, c])
                    xs, ys = (xa, xb, xc, xd), (ya, yb, yc, yd)
                    for q in range(19):
                        t[q] = terms[node, q] + (u - node) * (terms[node + 1, q] - terms[node, q])
                    spread_facet(flat, shape, corners, bend, middle, spacing, xs, ys, t, k)
                else:
                    for n in range(4):
                        k[n, 0] = k[n, 1] = 0.0
                if c < columns - 1 and (void or void_above[c] or void_left):
                    if void != void_above[c] and r > 0:
                        _mark(holes, sample0[c] - dx, line0[c] - dy, sample0[c + 1] - dx, line0[c + 1] - dy)
                    if void != void_left and c > 0 and r < rows - 1:
                        _mark(holes, sample1[c] - dx, line1[c] - dy, sample0[c] - dx, line0[c] - dy)
                a0, a1 = k[0, 0] - below[c, 0], k[0, 1] - below[c, 1]
                if a0 != 0.0:
                    edge = (sample0[c] - dx, line0[c] - dy, sample0[c + 1] - dx, line0[c + 1] - dy)
                    spread_across(flat, shape, edge, (a0, a1))
                a0, a1 = k[3, 0] - right[0], k[3, 1] - right[1]
                if a0 != 0.0:
                    edge = (sample1[c] - dx, line1[c] - dy, sample0[c] - dx, line0[c] - dy)
                    spread_along(flat, shape, edge, (a0, a1))
                below[c, 0], below[c, 1] = k[2, 0], k[2, 1]
                right[0], right[1] = k[1, 0], k[1, 1]
                void_above[c] = void
                void_left = void
        before0, before1 = own0, own1
        own0, own1 = next0, next1
        line0, line1 = line1, line0
        sample0, sample1 = sample1, sample0


@njit(cache=True, nogil=True)
def _mark(holes: NDArray[np.uint8], xa: float, ya: float, xb: float, yb: float) -> None:
    """Mark the cells along the rim of a void: terrain is missing in them."""
    if math.isnan(xa + xb) or holes.shape[0] == 1:
        return
    for i in range(max(int(math.floor(min(ya, yb))), 0), min(int(math.floor(max(ya, yb))) + 1, holes.shape[0])):
        for j in range(max(int(math.floor(min(xa, xb))), 0), min(int(math.floor(max(xa, xb))) + 1, holes.shape[1])):
            holes[i, j] = 1


@njit(cache=True, nogil=True)
def _sum_rows(field: NDArray[np.float32], holes: NDArray[np.uint8], minimum: np.float32) -> None:
    """Running sums in place: area factors; NaN below the minimum and where terrain is missing."""
    two = field.shape[2] == 2
    checked = holes.shape[0] > 1
    for i in range(field.shape[0]):
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
