"""From radar cells to map pixels: every pixel averages the cells that it really covers.

Area projection (Shiroma et al. 2022): the four corners of a pixel, mapped to the radar, bound a polygon; each cell
counts with the part of it inside. Pixels of which less than three quarters have valid cells stay NaN. The
bilinear alternative takes the four cells around the pixel's centre.

Cells from which noise was subtracted may be negative. A pixel's average is cut at 0, power being what it is.
"""

# ruff: noqa: PLR0912, PLR0913, PLR0915, PLR0917, PLW3301, PLR0124
# Kernels: numba takes scalars and arrays, wants integers said, and is quicker with min and max of two.

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sarcube.geometry.grid import GeoGrid
from sarcube.rtc.native.area_factor import Window
from sarcube.rtc.native.coverage import MAX_COLUMNS, MAX_ROWS, add_edge, extent, new_accumulator
from sarcube.rtc.native.mapping import RadarMap, column_bounds, map_row
from sarcube.rtc.native.mesh import Mesh

MINIMUM_COVERAGE = 0.75  # of a pixel's polygon, as ISCE3 asks for
_BLOCK_ROWS = 16


@dataclass(frozen=True, eq=False)
class Geocoded:
    """Averages on the grid.

    Attributes
    ----------
    bands : (n, rows, columns) float32
        NaN where the pixel is not covered.
    looks : (rows, columns) float32
        Sum of the covered parts of the cells.
    """

    bands: NDArray[np.float32]
    looks: NDArray[np.float32]


def area_projection(rmap: RadarMap, mesh: Mesh, grid: GeoGrid, window: Window, cells: NDArray[np.float32]) -> Geocoded:
    """Average radar cells over the pixels of a grid.

    Parameters
    ----------
    rmap : RadarMap
    mesh : Mesh
        Around `grid`; its nodes at pixel corners are used.
    grid : GeoGrid
    window : Window
        Where `cells` lies.
    cells : (lines, at least samples, n) float32
        Values, NaN in the first band where a cell is not valid; columns beyond the window are not used.
    """
    bands = np.full((cells.shape[2], *grid.shape), np.nan, np.float32)
    looks = np.full(grid.shape, np.nan, np.float32)
    step, first = mesh.factor, mesh.margin * mesh.factor
    heights = mesh.heights[first::step, first::step][: grid.height + 1, : grid.width + 1]
    place = (window.first_line, window.first_sample, window.samples)
    _gather(rmap, heights, grid.left, grid.top, grid.resolution, place, cells, bands, looks)
    return Geocoded(bands, looks)


def bilinear(
    rmap: RadarMap, centres: NDArray[np.float32], grid: GeoGrid, window: Window, cells: NDArray[np.float32]
) -> Geocoded:
    """Interpolate radar cells at the pixel centres, whose heights are `centres` (rows, columns)."""
    bands = np.full((cells.shape[2], *grid.shape), np.nan, np.float32)
    looks = np.full(grid.shape, np.nan, np.float32)
    half = 0.5 * grid.resolution
    place = (window.first_line, window.first_sample, window.samples)
    _interpolate(rmap, centres, grid.left + half, grid.top - half, grid.resolution, place, cells, bands, looks)
    return Geocoded(bands, looks)


@njit(cache=True, nogil=True, parallel=True)
def _gather(
    rmap: RadarMap,
    heights: NDArray[np.float32],
    left: float,
    top: float,
    resolution: float,
    place: tuple[int, int, int],
    cells: NDArray[np.float32],
    bands: NDArray[np.float32],
    looks: NDArray[np.float32],
) -> None:
    blocks = (looks.shape[0] + _BLOCK_ROWS - 1) // _BLOCK_ROWS
    for block in prange(blocks):
        begin = block * _BLOCK_ROWS
        end = min(begin + _BLOCK_ROWS, looks.shape[0])
        _gather_block(rmap, heights, left, top, resolution, place, begin, end, cells, bands, looks)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _gather_block(
    rmap: RadarMap,
    heights: NDArray[np.float32],
    left: float,
    top: float,
    resolution: float,
    place: tuple[int, int, int],
    begin: int,
    end: int,
    cells: NDArray[np.float32],
    bands: NDArray[np.float32],
    looks: NDArray[np.float32],
) -> None:
    lines, samples, n = cells.shape[0], place[2], cells.shape[2]
    columns = heights.shape[1]
    line0, line1 = np.empty(columns), np.empty(columns)
    sample0, sample1 = np.empty(columns), np.empty(columns)
    h = np.empty(columns, np.float32)
    acc, part = new_accumulator(), new_accumulator()
    sums = np.empty(n)
    window = (place[0] - 1.0, place[0] + lines + 1.0, place[1] - 1.0, place[1] + samples + 1.0)
    dy, dx = place[0] - 0.5, place[1] - 0.5
    middle = top - 0.5 * (begin + end) * resolution
    first, last = columns, 0
    for k in range(2):
        a, b = column_bounds(rmap, top - (begin if k == 0 else end) * resolution, left, resolution, columns, window)
        if b > a:
            first, last = min(first, a), max(last, b)
    a, b = column_bounds(rmap, middle, left, resolution, columns, window)
    if b > a:
        first, last = min(first, a), max(last, b)
    if last <= first + 1:
        return
    h[first:last] = heights[begin, first:last]
    map_row(rmap, top - begin * resolution, left, resolution, first, last, h, line0, sample0)
    for r in range(begin, end):
        h[first:last] = heights[r + 1, first:last]
        map_row(rmap, top - (r + 1) * resolution, left, resolution, first, last, h, line1, sample1)
        for c in range(first, last - 1):
            ya, yb, yc, yd = line0[c] - dy, line0[c + 1] - dy, line1[c + 1] - dy, line1[c] - dy
            ymin, ymax = min(min(ya, yb), min(yc, yd)), max(max(ya, yb), max(yc, yd))
            if not (ymax > 0.0 and ymin < lines and ymax - ymin < MAX_ROWS - 2):
                continue
            xa, xb, xc, xd = sample0[c] - dx, sample0[c + 1] - dx, sample1[c + 1] - dx, sample1[c] - dx
            xmin, xmax = min(min(xa, xb), min(xc, xd)), max(max(xa, xb), max(xc, xd))
            if not (xmax > 0.0 and xmin < samples and xmax - xmin < MAX_COLUMNS):
                continue
            row, column, nrows, ncolumns = extent(xa, xb, xc, xd, ya, yb, yc, yd)
            xa, xb, xc, xd = xa - column, xb - column, xc - column, xd - column
            ya, yb, yc, yd = ya - row, yb - row, yc - row, yd - row
            s1 = (xb - xa) * (yc - yb) - (yb - ya) * (xc - xb)
            s2 = (xc - xb) * (yd - yc) - (yc - yb) * (xd - xc)
            s3 = (xd - xc) * (ya - yd) - (yd - yc) * (xa - xd)
            s4 = (xa - xd) * (yb - ya) - (ya - yd) * (xb - xa)
            add_edge(acc, xa, ya, xb, yb)
            add_edge(acc, xb, yb, xc, yc)
            if (s1 > 0 and s2 > 0 and s3 > 0 and s4 > 0) or (s1 < 0 and s2 < 0 and s3 < 0 and s4 < 0):
                add_edge(acc, xc, yc, xd, yd)
                add_edge(acc, xd, yd, xa, ya)
                whole = 0.5 * abs((xc - xa) * (yd - yb) - (xd - xb) * (yc - ya))
                split = False
            else:
                # Folded: two triangles, each with its own orientation.
                add_edge(acc, xc, yc, xa, ya)
                add_edge(part, xa, ya, xc, yc)
                add_edge(part, xc, yc, xd, yd)
                add_edge(part, xd, yd, xa, ya)
                whole = 0.5 * abs((xb - xa) * (yc - ya) - (xc - xa) * (yb - ya))
                whole += 0.5 * abs((xc - xa) * (yd - ya) - (xd - xa) * (yc - ya))
                split = True
            total = 0.0
            for k in range(n):
                sums[k] = 0.0
            if not split and row >= 0 and column >= 0 and row + nrows <= lines and column + ncolumns <= samples:
                first_sum, second_sum = 0.0, 0.0
                for i in range(nrows):
                    line = acc[i]
                    run = 0.0
                    for j in range(ncolumns):
                        run += line[j]
                        line[j] = 0.0
                        w = abs(run)
                        v = cells[row + i, column + j, 0]
                        if w > 1e-9 and v == v:
                            total += w
                            first_sum += w * v
                            if n > 1:
                                second_sum += w * cells[row + i, column + j, 1]
                                for k in range(2, n):
                                    sums[k] += w * cells[row + i, column + j, k]
                    line[ncolumns] = 0.0
                    line[ncolumns + 1] = 0.0
                sums[0] = first_sum
                if n > 1:
                    sums[1] = second_sum
                nrows = 0
            for i in range(nrows):
                line = acc[i]
                other = part[i]
                run, run2 = 0.0, 0.0
                y = row + i
                inside = 0 <= y < lines
                for j in range(ncolumns):
                    run += line[j]
                    line[j] = 0.0
                    w = abs(run)
                    if split:
                        run2 += other[j]
                        other[j] = 0.0
                        w = min(w + abs(run2), 1.0)
                    x = column + j
                    if w > 1e-9 and inside and 0 <= x < samples:
                        cell = cells[y, x]
                        v = cell[0]
                        if v == v:
                            total += w
                            sums[0] += w * v
                            for k in range(1, n):
                                sums[k] += w * cell[k]
                line[ncolumns] = 0.0
                line[ncolumns + 1] = 0.0
                if split:
                    other[ncolumns] = 0.0
                    other[ncolumns + 1] = 0.0
            if total > 0.0 and total >= MINIMUM_COVERAGE * whole:
                looks[r, c] = total
                for k in range(n):
                    value = sums[k] / total
                    # In this order NaN stays NaN.
                    bands[k, r, c] = 0.0 if value < 0.0 else value
        line0, line1 = line1, line0
        sample0, sample1 = sample1, sample0


@njit(cache=True, nogil=True, parallel=True)
def _interpolate(
    rmap: RadarMap,
    heights: NDArray[np.float32],
    x0: float,
    y0: float,
    resolution: float,
    place: tuple[int, int, int],
    cells: NDArray[np.float32],
    bands: NDArray[np.float32],
    looks: NDArray[np.float32],
) -> None:
    lines, samples, n = cells.shape[0], place[2], cells.shape[2]
    columns = heights.shape[1]
    for r in prange(heights.shape[0]):
        line, sample = np.empty(columns), np.empty(columns)
        map_row(rmap, y0 - r * resolution, x0, resolution, 0, columns, heights[r], line, sample)
        for c in range(columns):
            y, x = line[c] - place[0], sample[c] - place[1]
            if not (y >= 0.0 and x >= 0.0 and y < lines - 1.0 and x < samples - 1.0):
                continue
            i, j = int(y), int(x)
            fy, fx = y - i, x - j
            if math.isnan(cells[i, j, 0] + cells[i, j + 1, 0] + cells[i + 1, j, 0] + cells[i + 1, j + 1, 0]):
                continue
            looks[r, c] = 1.0
            for k in range(n):
                upper = (1.0 - fx) * cells[i, j, k] + fx * cells[i, j + 1, k]
                lower = (1.0 - fx) * cells[i + 1, j, k] + fx * cells[i + 1, j + 1, k]
                value = (1.0 - fy) * upper + fy * lower
                bands[k, r, c] = 0.0 if value < 0.0 else value
