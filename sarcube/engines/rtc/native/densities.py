"""Area per facet: how much of a facet's area each radar cell that it covers gets, in the form of a density.

A facet has four triangles around its middle, whose height follows from the neighbours (a bent facet). Most facets are
so even that one density serves: those are found a row at a time, in loops that become vector instructions. The
others are spread triangle by triangle. Where four facets are as good as alike, one density serves them all.
"""

# ruff: noqa: PLR0913, PLR0917, PLW3301, PLR0124, RUF046, PLR0912, PLR0915
# Kernels: numba takes scalars and arrays, wants integers said, and is quicker with min and max of two.

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sarcube.engines.rtc.native.coverage import Shape, spread_edge

_SMALLEST = 1e-3  # radar cells; triangles smaller than that count as edge-on
_ALIKE = 0.03  # half the spread of the densities of four facets that counts as none
_EVEN = 0.02  # half the spread of the four triangles' densities that counts as none


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _bends(
    above: NDArray[np.float32],
    upper: NDArray[np.float32],
    lower: NDArray[np.float32],
    below: NDArray[np.float32],
    out: NDArray[np.float64],
) -> None:
    """`bend_of` of a row of facets: facet i lies between columns i + 1 and i + 2 of the four rows of heights."""
    for i in range(out.size):
        inner = upper[i + 1] + upper[i + 2] + lower[i + 1] + lower[i + 2]
        sides = above[i + 1] + above[i + 2] + below[i + 1] + below[i + 2]
        sides += upper[i] + lower[i] + upper[i + 3] + lower[i + 3]
        outer = above[i] + above[i + 3] + below[i] + below[i + 3]
        value = (17.0 * inner - 9.0 * sides + outer) / 256.0
        out[i] = value if value == value else 0.0


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _densities(
    upper: NDArray[np.float32],
    lower: NDArray[np.float32],
    bend: NDArray[np.float64],
    x0: NDArray[np.float64],
    x1: NDArray[np.float64],
    y0: NDArray[np.float64],
    y1: NDArray[np.float64],
    terms: NDArray[np.float64],
    place: tuple[float, float, float, float],
    sigma: bool,
    out: NDArray[np.float64],
) -> None:
    """The density of facets whose four triangles have as good as one, NaN for all others, along part of a row.

    Facet i lies between nodes i and i + 1 of the two rows of heights, samples (`x0`, `x1`) and lines (`y0`, `y1`).
    `terms` (2, 19) are those of the lattice nodes before and after; `place` is the first facet's position between
    them, the step to the next, the middle height and the spacing. One output and few inputs, no
    branches: compilers turn the loop into vector instructions.
    """
    f0, step, middle, spacing = place
    a0, a1, a2, a6, a7, a8 = terms[0, 0], terms[0, 1], terms[0, 2], terms[0, 6], terms[0, 7], terms[0, 8]
    b0, b1, b2 = terms[1, 0] - a0, terms[1, 1] - a1, terms[1, 2] - a2
    b6, b7, b8 = terms[1, 6] - a6, terms[1, 7] - a7, terms[1, 8] - a8
    a12, a13, a14, a15 = terms[0, 12], terms[0, 13], terms[0, 14], terms[0, 15]
    b12, b13, b14, b15 = terms[1, 12] - a12, terms[1, 13] - a13, terms[1, 14] - a14, terms[1, 15] - a15
    a16, a17, a18 = terms[0, 16], terms[0, 17], terms[0, 18]
    b16, b17, b18 = terms[1, 16] - a16, terms[1, 17] - a17, terms[1, 18] - a18
    part, quarter = 0.25 * spacing * spacing, 0.25 * spacing
    for i in range(out.size):
        f = f0 + i * step
        ha, hb, hc, hd = float(upper[i]), float(upper[i + 1]), float(lower[i + 1]), float(lower[i])
        xa, xb, xc, xd = x0[i], x0[i + 1], x1[i + 1], x1[i]
        ya, yb, yc, yd = y0[i], y0[i + 1], y1[i + 1], y1[i]
        mean = 0.25 * (ha + hb + hc + hd)
        dh = mean - middle
        gx = a0 + f * b0 + dh * (a6 + f * b6)
        gy = a1 + f * b1 + dh * (a7 + f * b7)
        flat = part * (a2 + f * b2 + dh * (a8 + f * b8))
        m = mean + bend[i]
        xm = 0.25 * (xa + xb + xc + xd) + bend[i] * (a17 + f * b17)
        ym = 0.25 * (ya + yb + yc + yd) + bend[i] * (a16 + f * b16)
        # Slopes of the four triangles: see `spread_facet`.
        p0, q0 = quarter * (ha - hb), -quarter * (ha + hb - 2.0 * m)
        p1, q1 = -quarter * (hb + hc - 2.0 * m), -quarter * (hb - hc)
        p2, q2 = -quarter * (hc - hd), quarter * (hc + hd - 2.0 * m)
        p3, q3 = quarter * (hd + ha - 2.0 * m), quarter * (hd - ha)
        g0 = p0 * gx + q0 * gy + flat
        g1 = p1 * gx + q1 * gy + flat
        g2 = p2 * gx + q2 * gy + flat
        g3 = p3 * gx + q3 * gy + flat
        w0 = 0.5 * ((xa - xm) * (yb - ym) - (xb - xm) * (ya - ym))
        w1 = 0.5 * ((xb - xm) * (yc - ym) - (xc - xm) * (yb - ym))
        w2 = 0.5 * ((xc - xm) * (yd - ym) - (xd - xm) * (yc - ym))
        w3 = 0.5 * ((xd - xm) * (ya - ym) - (xa - xm) * (yd - ym))
        k0, k1, k2, k3 = g0 / w0, g1 / w1, g2 / w2, g3 / w3
        least, most = min(min(k0, k1), min(k2, k3)), max(max(k0, k1), max(k2, k3))
        even = most - least < _EVEN * abs(most + least)
        lit = min(min(g0, g1), min(g2, g3))
        small = min(min(abs(w0), abs(w1)), min(abs(w2), abs(w3)))
        total = g0 + g1 + g2 + g3
        if sigma:
            t12, t13, t15 = a12 + f * b12, a13 + f * b13, 2.0 * (a15 + f * b15)
            t14 = part * part * (a14 + f * b14)
            total = (
                math.sqrt(p0 * p0 * t12 + q0 * q0 * t13 + t14 + p0 * q0 * t15)
                + math.sqrt(p1 * p1 * t12 + q1 * q1 * t13 + t14 + p1 * q1 * t15)
                + math.sqrt(p2 * p2 * t12 + q2 * q2 * t13 + t14 + p2 * q2 * t15)
                + math.sqrt(p3 * p3 * t12 + q3 * q3 * t13 + t14 + p3 * q3 * t15)
            )
        density = -total / ((w0 + w1 + w2 + w3) * (a18 + f * b18))
        good = even & (lit > 0.0) & (small > _SMALLEST)
        out[i] = density if good else math.nan


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _share(facets: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """The mean densities (bands, n) of patches of 2 x 2 facets that have as good as one, NaN for all others.

    Of gamma and of sigma: slopes along the track change the ground's area and not what is seen of it.
    """
    for i in range(out.shape[1]):
        alike = True
        for k in range(out.shape[0]):
            a, b, c, d = facets[k, 0, 2 * i], facets[k, 0, 2 * i + 1], facets[k, 1, 2 * i], facets[k, 1, 2 * i + 1]
            least, most = min(min(a, b), min(c, d)), max(max(a, b), max(c, d))
            alike &= most - least < _ALIKE * (most + least)
            out[k, i] = 0.25 * (a + b + c + d)
        for k in range(out.shape[0]):
            out[k, i] = out[k, i] if alike else math.nan


@njit(cache=True, nogil=True)
def even_densities(
    heights: NDArray[np.float32],
    r: int,
    span: tuple[int, int],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    terms: NDArray[np.float64],
    lattice: tuple[float, float, float, float],
    facets: NDArray[np.float64],
    patches: NDArray[np.float64],
) -> None:
    """Densities of gamma, or of gamma and sigma, for what is even in facet rows r and r + 1.

    Parameters
    ----------
    heights : (rows, columns) float32
        Of the whole mesh.
    r : int
    span : (first, last)
        Patches of 2 x 2 facets to do.
    x, y : (3, columns) float64
        Samples and lines of node rows r to r + 2.
    terms : (2, lattice columns, 19) float64
        `facet_row` of both facet rows.
    lattice : (origin, step, middle, spacing)
        Of facet 0 between the lattice's nodes, and from a facet to the next; the middle height; metres between nodes.
    facets : (1 or 2, 2, columns + 1) float64
        Written: by band and row, NaN where a facet is not even or at the mesh's rim.
    patches : (1 or 2, columns // 2 + 1) float64
        Written: by band, NaN where the four facets are not alike.
    """
    rows, columns = heights.shape
    origin, step, middle, spacing = lattice
    first, last = span
    middle_bends = np.empty(columns)
    begin, stop = max(2 * first, 1), min(2 * last, columns - 2)
    facets[:, :, 2 * first : 2 * last] = math.nan
    for i in range(2):
        q = r + i
        if not 0 < q < rows - 2 or stop <= begin:
            continue
        a, b = begin - 1, stop + 2
        _bends(heights[q - 1, a:b], heights[q, a:b], heights[q + 1, a:b], heights[q + 2, a:b], middle_bends[begin:stop])
        at = begin
        while at < stop:
            u = origin + at * step
            node = int(u)
            to = min(stop, max(at + 1, int(math.ceil((node + 1 - origin) / step))))
            place = (u - node, step, middle, spacing)
            b = to + 1
            for n in range(facets.shape[0]):
                _densities(
                    heights[q, at:b],
                    heights[q + 1, at:b],
                    middle_bends[at:to],
                    x[i, at:b],
                    x[i + 1, at:b],
                    y[i, at:b],
                    y[i + 1, at:b],
                    terms[i, node : node + 2],
                    place,
                    n == 1,
                    facets[n, i, at:to],
                )
            at = to
    _share(facets[:, :, 2 * first : 2 * last], patches[:, first:last])


@njit(cache=True, nogil=True, inline="always")
def bend_of(heights: NDArray[np.float32], r: int, c: int) -> float:
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
def spread_facet(
    field: NDArray[np.float32],
    shape: Shape,
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
    lines, width, bands = shape
    with_sigma = bands == 2
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
            if 0 <= j < lines and 0 <= i < width - 2:
                at = (j * width + i) * bands
                field[at] += gamma / t[18]
                field[at + bands] -= gamma / t[18]
                if with_sigma:
                    field[at + 1] += sigma / t[18]
                    field[at + 3] -= sigma / t[18]
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
        spread_edge(field, shape, (xm, ym, x[n], y[n]), (k[n, 0] - k[m, 0], k[n, 1] - k[m, 1]))
