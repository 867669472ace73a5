"""Exact coverage of radar cells by a polygon, by integration along its edges.

For every edge the signed area between it and the right end of the row is added to the cells that it crosses; the
running sum along a row is then the part of each cell that the polygon covers, with the sign of its orientation.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

MAX_ROWS = 96
MAX_COLUMNS = 1024


@njit(cache=True, nogil=True)
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
