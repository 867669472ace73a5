"""Exact coverage of radar cells by a polygon, by integration along its edges.

For every edge the signed area between it and the right end of the row is added to the cells that it crosses; the
running sum along a row is then the part of each cell that the polygon covers, with the sign of its orientation.
"""

# ruff: noqa: PLR0912, PLR0913, PLR0915, PLR0917, PLW3301, RUF046
# Kernels: numba takes scalars and arrays, wants integers said, and is quicker with min and max of two.

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

MAX_ROWS = 96
MAX_COLUMNS = 1024


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


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def spread_edge(
    field: NDArray[np.float32],
    low: int,
    high: int,
    xa: float,
    ya: float,
    xb: float,
    yb: float,
    k0: float,
    k1: float,
) -> None:
    """Add one directed edge, times one or two densities, to rows `low` to `high` of `field`.

    `field` is (lines, samples + 2, 1 or 2). The running sum along a row then holds the densities in what lies
    right of downward edges. An edge that two polygons share goes in once, with the difference of their densities.
    """
    if ya == yb:
        return
    if yb < ya:
        xa, ya, xb, yb = xb, yb, xa, ya
        k0, k1 = -k0, -k1
    if yb <= low or ya >= high:
        return
    limit = float(field.shape[1] - 2)
    if ya >= low and yb <= high:
        row = int(ya)
        a, b = (xa, xb) if xa < xb else (xb, xa)
        if yb <= row + 1.0 and a >= 0.0 and b < limit:
            # Most edges: within one row and one or two cells.
            i = int(a)
            e0, e1 = (yb - ya) * k0, (yb - ya) * k1
            if b <= i + 1.0:
                w1 = 0.5 * (a + b) - i
                field[row, i, 0] += e0 * (1.0 - w1)
                field[row, i + 1, 0] += e0 * w1
                if field.shape[2] == 2:
                    field[row, i, 1] += e1 * (1.0 - w1)
                    field[row, i + 1, 1] += e1 * w1
                return
            if b <= i + 2.0:
                s = 0.5 / (b - a)
                head, rest = i + 1.0 - a, b - i - 1.0
                w0, w2 = s * head * head, s * rest * rest
                w1 = 1.0 - w0 - w2
                field[row, i, 0] += e0 * w0
                field[row, i + 1, 0] += e0 * w1
                field[row, i + 2, 0] += e0 * w2
                if field.shape[2] == 2:
                    field[row, i, 1] += e1 * w0
                    field[row, i + 1, 1] += e1 * w1
                    field[row, i + 2, 1] += e1 * w2
                return
    slope = (xb - xa) / (yb - ya)
    y, x, end = ya, xa, yb
    if y < low:
        x += slope * (low - y)
        y = float(low)
    if end > high:
        end = float(high)
    two = field.shape[2] == 2
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
        if i == last:
            w1 = 0.5 * (a + b) - i
            w0 = 1.0 - w1
            field[row, i, 0] += e0 * w0
            field[row, i + 1, 0] += e0 * w1
            if two:
                field[row, i, 1] += e1 * w0
                field[row, i + 1, 1] += e1 * w1
        else:
            s = 0.5 / (b - a)
            head, rest = i + 1.0 - a, b - last
            w0, w2 = s * head * head, s * rest * rest
            field[row, i, 0] += e0 * w0
            field[row, last + 1, 0] += e0 * w2
            if two:
                field[row, i, 1] += e1 * w0
                field[row, last + 1, 1] += e1 * w2
            if last == i + 1:
                w1 = 1.0 - w0 - w2
                field[row, last, 0] += e0 * w1
                if two:
                    field[row, last, 1] += e1 * w1
            else:
                done = w0
                for j in range(i + 1, last + 1):
                    upto = 1.0 - w2 if j == last else 2.0 * s * (j + 0.5 - a)
                    w1 = upto - done
                    done = upto
                    field[row, j, 0] += e0 * w1
                    if two:
                        field[row, j, 1] += e1 * w1
        y, x = y1, x1
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
