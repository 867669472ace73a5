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

from sarcube.engines.rtc.native.blocks import Window
from sarcube.engines.rtc.native.coverage import spread_across, spread_along, spread_straight
from sarcube.engines.rtc.native.densities import bend_of, even_densities, spread_facet
from sarcube.engines.rtc.native.mapping import RadarMap, column_bounds, facet_row, map_row
from sarcube.engines.rtc.native.mesh import Mesh

_LONGEST = 2000.0  # samples; a facet longer than that is a fault of the DEM
_SLACK = 4.0  # cells by which the inner nodes of a patch may lie farther out than its corners
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
        Of an even number of facets: they are taken two by two.
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

    Facets are taken two rows at a time, in patches of 2 x 2. Every edge is added once, with the difference of the
    densities on its two sides, and not at all where there is none: `below` remembers the densities of the row above,
    `right` those of the facets before. Between patches that are even the two edges of a side are one.
    """
    rows, columns = heights.shape
    lines, samples, bands = field.shape[0], field.shape[1] - 2, field.shape[2]
    flat, shape = field.reshape(-1), field.shape
    terms = np.empty((2, rmap.facet.shape[1], rmap.facet.shape[2]))
    y, x = np.empty((3, columns)), np.empty((3, columns))
    below, void_above = np.zeros((columns, 2)), np.zeros(columns, np.bool_)
    right, void_left = np.zeros((2, 2)), np.zeros(2, np.bool_)
    alike_above = np.ones(columns // 2 + 1, np.bool_)
    # Where sigma is not asked for, its densities stay 0.
    facets, patches = np.zeros((2, 2, columns + 1)), np.zeros((2, columns // 2 + 1))
    k, t = np.zeros((4, 2)), np.empty(rmap.facet.shape[2])
    lattice = ((x0 + 0.5 * spacing - rmap.left) / rmap.step, spacing / rmap.step, rmap.h0 + rmap.dh, spacing)
    bottom, end = float(lines), float(samples)
    before0, before1 = columns, 0
    own0, own1 = _patch_bounds(rmap, y0, x0, spacing, 0, heights.shape, limits)
    _place_nodes(rmap, y0, x0, spacing, own0, own1, heights[0], offsets, y[0], x[0])
    for r in range(0, rows + 1, 2):
        next0, next1 = _patch_bounds(rmap, y0, x0, spacing, r + 2, heights.shape, limits)
        both0, both1 = min(own0, next0), max(own1, next1)
        if r + 1 < rows:
            _place_nodes(rmap, y0 - (r + 1) * spacing, x0, spacing, own0, own1, heights[r + 1], offsets, y[1], x[1])
        if r + 2 < rows:
            _place_nodes(rmap, y0 - (r + 2) * spacing, x0, spacing, both0, both1, heights[r + 2], offsets, y[2], x[2])
        while own0 < own1 and _beyond(y, own0, bottom):
            own0 += 1
        while own0 < own1 and _beyond(y, own1 - 1, bottom):
            own1 -= 1
        if own0 < own1:
            for i in range(2):
                facet_row(rmap, y0 - (r + i + 0.5) * spacing, terms[i])
            even_densities(heights, r, (own0, own1), x, y, terms, lattice, facets[:bands], patches[:bands])
        # This row's own patches, those whose upper edge may still be open, and one more to close the last.
        first, last = min(own0, before0), max(own1, before1) + 1
        right[:] = 0.0
        void_left[:] = False
        alike_left = True
        for p in range(first, last):
            own = own0 <= p < own1
            alike = not own or patches[0, p] == patches[0, p]
            c = 2 * p
            among = alike and alike_left and alike_above[p] and r + 2 < rows and c + 2 < columns
            alike_left = alike_above[p] = alike
            if alike:
                k0 = k1 = 0.0
                if own and not _beyond(y, p, bottom) and not _beyond(x, p, end):
                    k0, k1 = patches[0, p], patches[1, p]
                if among:
                    # An edge that patches share which are even on both sides goes straight from corner to corner.
                    a0, a1 = k0 - below[c, 0], k1 - below[c, 1]
                    if a0 != 0.0:
                        spread_straight(flat, shape, (x[0, c], y[0, c], x[0, c + 2], y[0, c + 2]), (a0, a1))
                    a0, a1 = k0 - right[0, 0], k1 - right[0, 1]
                    if a0 != 0.0:
                        spread_straight(flat, shape, (x[2, c], y[2, c], x[0, c], y[0, c]), (a0, a1))
                    for j in range(2):
                        below[c + j, 0] = right[j, 0] = k0
                        below[c + j, 1] = right[j, 1] = k1
                        void_above[c + j] = void_left[j] = False
                    continue
                # Element by element: a view is counted, and its count locks the processor's cache.
                for m in range(4):
                    k[m, 0], k[m, 1] = k0, k1
            for n in range(4):
                i, j = n >> 1, n & 1
                q, c = r + i, 2 * p + j
                if q >= rows or c >= columns:
                    continue
                void = False
                if not alike:
                    seen = False
                    if q < rows - 1 and c < columns - 1:
                        xa, xb, xc, xd = x[i, c], x[i, c + 1], x[i + 1, c + 1], x[i + 1, c]
                        ya, yb, yc, yd = y[i, c], y[i, c + 1], y[i + 1, c + 1], y[i + 1, c]
                        ymin, ymax = min(min(ya, yb), min(yc, yd)), max(max(ya, yb), max(yc, yd))
                        xmin, xmax = min(min(xa, xb), min(xc, xd)), max(max(xa, xb), max(xc, xd))
                        void = math.isnan(xa + xb + xc + xd)
                        seen = not void and ymax > 0.0 and ymin < bottom and xmax > 0.0 and xmin < end
                        seen = seen and xmax - xmin < _LONGEST
                    if seen and facets[0, i, c] != facets[0, i, c]:
                        u = lattice[0] + c * lattice[1]
                        node = int(u)
                        bend = 0.0
                        if 0 < q < rows - 2 and 0 < c < columns - 2:
                            bend = bend_of(heights, q, c)
                        corners = (heights[q, c], heights[q, c + 1], heights[q + 1, c + 1], heights[q + 1, c])
                        for m in range(19):
                            t[m] = terms[i, node, m] + (u - node) * (terms[i, node + 1, m] - terms[i, node, m])
                        xs, ys = (xa, xb, xc, xd), (ya, yb, yc, yd)
                        spread_facet(flat, shape, corners, bend, lattice[2], spacing, xs, ys, t, k)
                    else:
                        for m in range(4):
                            k[m, 0] = facets[0, i, c] if seen else 0.0
                            k[m, 1] = facets[1, i, c] if seen else 0.0
                if c < columns - 1 and (void or void_above[c] or void_left[i]):
                    if void != void_above[c] and q > 0:
                        _mark(holes, x[i, c], y[i, c], x[i, c + 1], y[i, c + 1])
                    if void != void_left[i] and c > 0 and q < rows - 1:
                        _mark(holes, x[i + 1, c], y[i + 1, c], x[i, c], y[i, c])
                a0, a1 = k[0, 0] - below[c, 0], k[0, 1] - below[c, 1]
                if a0 != 0.0:
                    spread_across(flat, shape, (x[i, c], y[i, c], x[i, c + 1], y[i, c + 1]), (a0, a1))
                a0, a1 = k[3, 0] - right[i, 0], k[3, 1] - right[i, 1]
                if a0 != 0.0:
                    spread_along(flat, shape, (x[i + 1, c], y[i + 1, c], x[i, c], y[i, c]), (a0, a1))
                below[c, 0], below[c, 1] = k[2, 0], k[2, 1]
                right[i, 0], right[i, 1] = k[1, 0], k[1, 1]
                void_above[c] = void
                void_left[i] = void
        before0, before1 = own0, own1
        own0, own1 = next0, next1
        if both0 < both1:
            y[0, 2 * both0 : 2 * both1 + 1] = y[2, 2 * both0 : 2 * both1 + 1]
            x[0, 2 * both0 : 2 * both1 + 1] = x[2, 2 * both0 : 2 * both1 + 1]


@njit(cache=True, nogil=True)
def _patch_bounds(
    rmap: RadarMap,
    y0: float,
    x0: float,
    spacing: float,
    r: int,
    shape: tuple[int, int],
    limits: tuple[float, float, float, float],
) -> tuple[int, int]:
    """Patches [first, last) of facet rows r and r + 1 that can touch the window; a mesh has `shape` nodes."""
    first, last = shape[1], 0
    for q in range(r, min(r + 2, shape[0] - 1)):
        a, b = column_bounds(rmap, y0 - (q + 0.5) * spacing, x0, spacing, shape[1], limits)
        if b > a:
            first, last = min(first, a), max(last, b)
    return first // 2, last // 2


@njit(cache=True, nogil=True)
def _place_nodes(
    rmap: RadarMap,
    at: float,
    x0: float,
    spacing: float,
    first: int,
    last: int,
    heights: NDArray[np.float32],
    offsets: tuple[int, int],
    y: NDArray[np.float64],
    x: NDArray[np.float64],
) -> None:
    """Line and sample of a row's nodes around patches [first, last), in cells from the window's corner."""
    if last <= first:
        return
    begin, stop = 2 * first, min(2 * last + 1, heights.size)
    map_row(rmap, at, x0, spacing, begin, stop, heights, y, x)
    for c in range(begin, stop):
        y[c] -= offsets[0] - 0.5
        x[c] -= offsets[1] - 0.5


@njit(cache=True, nogil=True, inline="always")
def _beyond(place: NDArray[np.float64], p: int, end: float) -> bool:
    """Whether patch p lies outside cells 0 to `end` by its corners' lines, or samples; wholly void ones do not."""
    a, b = 2 * p, min(2 * p + 2, place.shape[1] - 1)
    low = min(min(place[0, a], place[0, b]), min(place[2, a], place[2, b]))
    high = max(max(place[0, a], place[0, b]), max(place[2, a], place[2, b]))
    return bool(low > end + _SLACK or high < -_SLACK)


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
