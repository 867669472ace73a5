"""Exact coverage of radar cells by a polygon, by integration along its edges.

For every edge the signed area between it and the right end of the row is added to the cells that it crosses; the
running sum along a row is then the part of each cell that the polygon covers, with the sign of its orientation.
"""

# ruff: noqa: PLW3301, RUF046
# Kernels: numba takes scalars and arrays, wants integers said, and is quicker with min and max of two.

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

MAX_ROWS = 96
MAX_COLUMNS = 1024
# What is called for every edge goes without numba's reference counts (`_nrt`): to count an array up and down for a call
# locks the processor's cache, which costs more than the call. Such a kernel cannot make arrays.
UNCOUNTED: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "nsz"},
    "_nrt": False,
}
Shape = tuple[int, int, int]
Edge = tuple[float, float, float, float]
"""x and y of its begin, x and y of its end, in cells."""
_NARROW = 1e-7  # samples; the width that an edge without any is given


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def add_edge(acc: NDArray[np.float64], xa: float, ya: float, xb: float, yb: float) -> None:
    """Add one directed edge to `acc` (rows, columns); coordinates in cells from acc's corner, all positive."""
    if ya == yb:
        return
    sign = 1.0
    if yb < ya:
        sign = -1.0
        xa, ya, xb, yb = xb, yb, xa, ya
    slope = (xb - xa) / (yb - ya)
    y, x = ya, xa
    row = int(ya)
    while y < yb:
        y1 = min(row + 1.0, yb)
        dy = y1 - y
        x1 = xb if y1 == yb else x + slope * dy
        d = sign * dy
        low, high = (x, x1) if x < x1 else (x1, x)
        il, ir = int(low), int(high)
        line = acc[row]
        if il == ir:
            right = 0.5 * (low + high) - il
            line[il] += d * (1.0 - right)
            line[il + 1] += d * right
        else:
            s = 1.0 / (high - low)
            left = il + 1.0 - low
            done = 0.5 * s * left * left
            line[il] += d * done
            for i in range(il + 1, ir):
                upto = s * (i + 0.5 - low)  # mean covered part of cell i
                line[i] += d * (upto - done)
                done = upto
            rest = high - ir
            # Of cell ir the part right of the edge: all but the wedge that the edge leaves on its left.
            upto = 1.0 - 0.5 * s * rest * rest
            line[ir] += d * (upto - done)
            line[ir + 1] += d * (1.0 - upto)
        y, x = y1, x1
        row += 1


@njit(**UNCOUNTED, forceinline=True)
def _put(field: NDArray[np.float32], at: int, bands: int, weight: float, e0: float, e1: float) -> None:
    field[at] += e0 * weight
    if bands == 2:
        field[at + np.uintp(1)] += e1 * weight


@njit(**UNCOUNTED, forceinline=True)
def _beyond(t: float) -> float:
    """Integral of min(max(u, 0), 1) over u up to t."""
    u = min(max(t, 0.0), 1.0)
    return 0.5 * u * u + max(t - 1.0, 0.0)


@njit(**UNCOUNTED)
def spread_edge(field: NDArray[np.float32], shape: Shape, edge: Edge, densities: tuple[float, float]) -> None:
    """Add one directed edge, times one or two densities, to `field`; what lies above or below it is left out.

    `field` is flat, of `shape` (lines, samples + 2, 1 or 2). The running sum along a line then holds the densities in
    what lies right of downward edges. An edge that two polygons share goes in once, with the difference of their
    densities.
    """
    xa, ya, xb, yb = edge
    k0, k1 = densities
    if ya == yb:
        return
    if yb < ya:
        xa, ya, xb, yb = xb, yb, xa, ya
        k0, k1 = -k0, -k1
    lines, width, bands = shape
    if yb <= 0.0 or ya >= lines:
        return
    limit = float(width - 2)
    slope = (xb - xa) / (yb - ya)
    y, x, end = ya, xa, min(yb, float(lines))
    if y < 0.0:
        x -= slope * y
        y = 0.0
    row = int(y)
    while y < end:
        y1 = min(row + 1.0, end)
        dy = y1 - y
        x1 = x + slope * dy
        # Beyond the left end everything lies right of the edge, beyond the right end nothing does.
        a, b = (x, x1) if x < x1 else (x1, x)
        a, b = min(max(a, 0.0), limit), min(max(b, 0.0), limit)
        e0, e1 = dy * k0, dy * k1
        i, last = int(a), int(b)
        at = np.uintp((row * width + i) * bands)
        if i == last:
            w1 = 0.5 * (a + b) - i
            _put(field, at, bands, 1.0 - w1, e0, e1)
            _put(field, at + np.uintp(bands), bands, w1, e0, e1)
        else:
            s = 0.5 / (b - a)
            done = 0.0
            for j in range(i, last + 2):
                # Mean part of cell j that lies right of the edge.
                upto = 1.0
                if j == i:
                    upto = s * (i + 1.0 - a) * (i + 1.0 - a)
                elif j < last:
                    upto = 2.0 * s * (j + 0.5 - a)
                elif j == last:
                    upto = 1.0 - s * (b - last) * (b - last)
                _put(field, at, bands, upto - done, e0, e1)
                at += np.uintp(bands)
                done = upto
        y, x = y1, x1
        row += 1


@njit(**UNCOUNTED, forceinline=True)
def _piece(
    field: NDArray[np.float32], start: int, bands: int, s: float, t: float, weights: tuple[float, float], wide: bool
) -> None:
    """A piece from s to t of the cells that begin at `start`: t is at most 4 where `wide`, else 2.

    Weights are the piece's lines times the densities. `wide` is known where this is called, and not asked at run time.
    """
    t = max(t, s + _NARROW)
    each = 1.0 / (t - s)
    e0, e1 = weights
    at, step = np.uintp(start), np.uintp(bands)
    # u is the part of a cell that lies right of the edge; each cell gets what it has more than the one before.
    u0 = (0.5 * (1.0 - s) * (1.0 - s) - 0.5 * max(1.0 - t, 0.0) * max(1.0 - t, 0.0)) * each
    u1 = (1.5 - s - _beyond(2.0 - t)) * each
    _put(field, at, bands, u0, e0, e1)
    _put(field, at + step, bands, u1 - u0, e0, e1)
    if not wide:
        _put(field, at + np.uintp(2) * step, bands, 1.0 - u1, e0, e1)
        return
    u2 = (2.5 - s - _beyond(3.0 - t)) * each
    u3 = (3.5 - s - _beyond(4.0 - t)) * each
    _put(field, at + np.uintp(2) * step, bands, u2 - u1, e0, e1)
    _put(field, at + np.uintp(3) * step, bands, u3 - u2, e0, e1)
    _put(field, at + np.uintp(4) * step, bands, 1.0 - u3, e0, e1)


@njit(**UNCOUNTED, forceinline=True)
def spread_across(field: NDArray[np.float32], shape: Shape, edge: Edge, densities: tuple[float, float]) -> None:
    """`spread_edge` for edges that mostly stay in one line and five samples: these without a branch."""
    xa, ya, xb, yb = edge
    k0, k1 = densities
    lines, width, bands = shape
    a, b = min(xa, xb), max(xa, xb)
    y, end = min(ya, yb), max(ya, yb)
    i, row = int(a), int(y)
    if not (y >= 0.0 and end < lines and end <= row + 1.0 and a >= 0.0 and b < width - 6.0 and b <= i + 4.0):
        spread_edge(field, shape, edge, densities)
    else:
        weights = ((yb - ya) * k0, (yb - ya) * k1)
        _piece(field, (row * width + i) * bands, bands, a - i, b - i, weights, True)


@njit(**UNCOUNTED, forceinline=True)
def spread_along(field: NDArray[np.float32], shape: Shape, edge: Edge, densities: tuple[float, float]) -> None:
    """`spread_edge` for edges that mostly stay in two lines, and three samples of each: these without a branch."""
    xa, ya, xb, yb = edge
    k0, k1 = densities
    lines, width, bands = shape
    up = yb >= ya
    y, end = (ya, yb) if up else (yb, ya)
    x, x2 = (xa, xb) if up else (xb, xa)
    row = int(y)
    y1 = min(row + 1.0, end)
    x1 = x + (x2 - x) / max(end - y, 1e-12) * (y1 - y)
    a, b = min(x, x1), max(x, x1)
    c, d = min(x1, x2), max(x1, x2)
    i, j = int(a), int(c)
    within = y >= 0.0 and end < lines - 1.0 and min(a, c) >= 0.0 and max(b, d) < width - 6.0
    if not (within and end <= row + 2.0 and b <= i + 2.0 and d <= j + 2.0):
        spread_edge(field, shape, edge, densities)
    else:
        sign = 1.0 if up else -1.0
        e, f = sign * (y1 - y), sign * (end - y1)
        _piece(field, (row * width + i) * bands, bands, a - i, b - i, (e * k0, e * k1), False)
        _piece(field, ((row + 1) * width + j) * bands, bands, c - j, d - j, (f * k0, f * k1), False)


@njit(**UNCOUNTED, forceinline=True)
def _eight(
    field: NDArray[np.float32], start: int, bands: int, s: float, t: float, weights: tuple[float, float]
) -> None:
    """A piece from s to t of the eight cells that begin at `start`, s within the first and t not beyond the seventh.

    Weights are the piece's lines times the densities. One formula for all cells and no branch: compilers make vector
    instructions of it.
    """
    # Not so narrow that the differences below are nothing but rounding.
    wide = max(t - s, _NARROW)
    near = max(0.5 * (s + t - wide), 0.0)
    far = near + wide
    e0, e1 = weights[0] / (far - near), weights[1] / (far - near)
    at = np.uintp(start)
    for j in range(8):
        # Twice integrated the edge is a ramp from 0 to 1; a cell gets what the ramp gains in it at s less that at t.
        p, q = j - near, j - far
        a, b = min(max(p, 0.0), 1.0), min(max(p + 1.0, 0.0), 1.0)
        c, d = min(max(q, 0.0), 1.0), min(max(q + 1.0, 0.0), 1.0)
        w = 0.5 * ((b * b - a * a) - (d * d - c * c))
        w += (max(p, 0.0) - max(p - 1.0, 0.0)) - (max(q, 0.0) - max(q - 1.0, 0.0))
        if bands == 1:
            field[at + np.uintp(j)] += e0 * w
        else:
            field[at + np.uintp(2 * j)] += e0 * w
            field[at + np.uintp(2 * j + 1)] += e1 * w


@njit(**UNCOUNTED, forceinline=True)
def spread_straight(field: NDArray[np.float32], shape: Shape, edge: Edge, densities: tuple[float, float]) -> None:
    """`spread_edge` for edges that mostly stay in three lines, and six samples of each."""
    xa, ya, xb, yb = edge
    k0, k1 = densities
    if yb < ya:
        xa, ya, xb, yb = xb, yb, xa, ya
        k0, k1 = -k0, -k1
    lines, width, bands = shape
    low, high = min(xa, xb), max(xa, xb)
    if not (ya >= 0.0 and yb < lines and low >= 0.0 and high < width - 9.0 and high - low < 6.0):
        spread_edge(field, shape, edge, densities)
        return
    slope = (xb - xa) / max(yb - ya, 1e-12)
    row, x, y = int(ya), xa, ya
    while y < yb:
        end = min(row + 1.0, yb)
        to = x + slope * (end - y)
        a, b = min(x, to), max(x, to)
        i = int(a)
        _eight(field, (row * width + i) * bands, bands, a - i, b - i, ((end - y) * k0, (end - y) * k1))
        x, y = to, end
        row += 1


@njit(cache=True, nogil=True)
def extent(
    x0: float, x1: float, x2: float, x3: float, y0: float, y1: float, y2: float, y3: float
) -> tuple[int, int, int, int]:
    """First row and column of the cells a polygon touches and their number (row, column, rows, columns)."""
    column = int(math.floor(min(min(x0, x1), min(x2, x3))))
    row = int(math.floor(min(min(y0, y1), min(y2, y3))))
    columns = int(math.floor(max(max(x0, x1), max(x2, x3)))) - column + 1
    rows = int(math.floor(max(max(y0, y1), max(y2, y3)))) - row + 1
    return row, column, rows, columns


@njit(cache=True, nogil=True)
def new_accumulator() -> NDArray[np.float64]:
    """Room for one polygon; all zero between polygons."""
    return np.zeros((MAX_ROWS, MAX_COLUMNS + 2))
