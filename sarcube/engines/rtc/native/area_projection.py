"""From radar cells to map pixels by area projection: every pixel averages the cells that it really covers.

The four corners of a pixel, mapped to the radar, bound a polygon; each cell counts with the part of it inside (Shiroma
et al. 2022). Pixels of which less than three quarters have valid cells stay NaN.

The sum of the cells inside a polygon is, by Green's theorem, an integral along its edges: of the running sum S of a
line's cells over the edge's lines. Neighbours share edges, so a tile of pixels makes the running sums of its cells (and
theirs, for the mean of S along a slanted edge) and integrates each edge once. Pixels that are folded over, or reach
beyond the cells at hand, are summed up cell by cell instead.
"""

# ruff: noqa: PLR0912, PLR0913, PLR0915, PLR0917, PLW3301, PLR0124, RUF046
# Kernels: numba takes scalars and arrays, wants integers said, and is quicker with min and max of two.

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sarcube.engines.rtc.native.blocks import Block, Place
from sarcube.engines.rtc.native.coverage import (
    MAX_COLUMNS,
    MAX_ROWS,
    UNCOUNTED,
    add_edge,
    extent,
    new_accumulator,
)
from sarcube.engines.rtc.native.geocode import Geocoded, pixel_lines
from sarcube.engines.rtc.native.mapping import RadarMap, column_bounds, map_row
from sarcube.engines.rtc.native.mesh import Mesh
from sarcube.geometry.grid import GeoGrid

MINIMUM_COVERAGE = 0.75  # of a pixel's polygon, as ISCE3 asks for
_TILE = 8  # most pixels along a tile's side
_TILE_LINES, _TILE_SAMPLES = 64, 384  # cells of a tile at most; larger ones are summed up cell by cell
_LEVEL = 1e-3  # samples; edges that slant less within a line are taken at their middle
_APART = 8  # cells, of two bands a cache line
_LANES = 2  # bands that are summed up together, as one vector instruction does them
_LEAST = 1e-3  # cells; smaller polygons are summed up cell by cell


def area_projection(
    rmap: RadarMap, mesh: Mesh, grid: GeoGrid, block: Block, cells: NDArray[np.float32], out: Geocoded
) -> None:
    """Average the radar cells of a block over the pixels that belong to it, on the calling thread.

    Parameters
    ----------
    rmap : RadarMap
    mesh : Mesh
        Around `grid`; its nodes at pixel corners are used.
    grid : GeoGrid
    block : Block
        Where `cells` lies.
    cells : (lines, at least samples, n) float32
        Values, NaN in the first band where a cell is not valid; columns beyond the block are not used.
    out : Geocoded
        Pixels of the block are written.
    """
    step, first = mesh.factor, mesh.margin * mesh.factor
    heights = mesh.heights[first::step, first::step][: grid.height + 1, : grid.width + 1]
    side = min(max(int(0.5 * _TILE_LINES / pixel_lines(rmap, grid.resolution)), 1), _TILE)
    _gather(rmap, heights, grid.left, grid.top, grid.resolution, block.place, side, cells, out.bands, out.looks)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _gather(
    rmap: RadarMap,
    heights: NDArray[np.float32],
    left: float,
    top: float,
    resolution: float,
    place: Place,
    side: int,
    cells: NDArray[np.float32],
    bands: NDArray[np.float32],
    looks: NDArray[np.float32],
) -> None:
    lines, samples, n = cells.shape[0], place.samples, cells.shape[2]
    columns = heights.shape[1]
    y, x = np.empty((side + 1, columns)), np.empty((side + 1, columns))
    h = np.empty(columns, np.float32)
    acc, part = new_accumulator(), new_accumulator()
    sums = np.empty(n)
    pairs = n // _LANES + 1  # of bands, and one band more that counts valid cells
    running = np.empty((_TILE_LINES, _TILE_SAMPLES + 1, 2 * _LANES * pairs))
    across, along = np.empty((side + 1, side, _LANES * pairs)), np.empty((side, side + 1, _LANES * pairs))
    mine = np.empty((side, side), np.bool_)
    dy, dx = place.line - 0.5, place.sample - 0.5
    for begin in range(0, looks.shape[0], side):
        end = min(begin + side, looks.shape[0])
        first, last = columns, 0
        for k in range(3):
            at = top - (begin + 0.5 * k * (end - begin)) * resolution
            a, b = column_bounds(rmap, at, left, resolution, columns, place.limits)
            if b > a:
                first, last = min(first, a), max(last, b)
        if last <= first + 1:
            continue
        for r in range(begin, end + 1):
            h[first:last] = heights[r, first:last]
            line, sample = y[r - begin], x[r - begin]
            map_row(rmap, top - r * resolution, left, resolution, first, last, h, line, sample)
            for c in range(first, last):
                line[c] -= dy
                sample[c] -= dx
        for c0 in range(first, last - 1, side):
            height, width = end - begin, min(side, last - 1 - c0)
            ys, xs = y[: height + 1, c0 : c0 + width + 1], x[: height + 1, c0 : c0 + width + 1]
            low, high, near, far, any_mine = _reach(ys, xs, place, lines, mine)
            if not any_mine:
                continue
            i0, j0 = int(math.floor(low)), int(math.floor(near))
            rows, width_cells = int(math.floor(high)) - i0 + 1, int(math.floor(far)) - j0 + 1
            inside = i0 >= 0 and j0 >= 0 and i0 + rows <= lines and j0 + width_cells <= samples
            quick = inside and rows <= _TILE_LINES and width_cells <= _TILE_SAMPLES
            whole = True
            if quick:
                whole = _run_up(cells[i0 : i0 + rows, j0 : j0 + width_cells], running)
                used = (n + _LANES - 1) // _LANES if whole else pairs
                _integrate(ys, xs, mine, float(i0), float(j0), running, used, across, along)
            for r in range(height):
                for c in range(width):
                    if not mine[r, c]:
                        continue
                    ya, yb, yc, yd = ys[r, c], ys[r, c + 1], ys[r + 1, c + 1], ys[r + 1, c]
                    xa, xb, xc, xd = xs[r, c], xs[r, c + 1], xs[r + 1, c + 1], xs[r + 1, c]
                    s1 = (xb - xa) * (yc - yb) - (yb - ya) * (xc - xb)
                    s2 = (xc - xb) * (yd - yc) - (yc - yb) * (xd - xc)
                    s3 = (xd - xc) * (ya - yd) - (yd - yc) * (xa - xd)
                    s4 = (xa - xd) * (yb - ya) - (ya - yd) * (xb - xa)
                    even = (s1 > 0 and s2 > 0 and s3 > 0 and s4 > 0) or (s1 < 0 and s2 < 0 and s3 < 0 and s4 < 0)
                    area = 0.5 * ((xc - xa) * (yd - yb) - (xd - xb) * (yc - ya))
                    if quick and even and abs(area) > _LEAST:
                        total = area  # and with its sign, as all integrals
                        if not whole:
                            total = across[r, c, n] + along[r, c + 1, n] - across[r + 1, c, n] - along[r, c, n]
                        covered = total if area > 0.0 else -total
                        if covered < MINIMUM_COVERAGE * abs(area):
                            continue
                        for k in range(n):
                            sums[k] = across[r, c, k] + along[r, c + 1, k] - across[r + 1, c, k] - along[r, c, k]
                    else:
                        corners = (xa, xb, xc, xd), (ya, yb, yc, yd)
                        total = _sum_cells(cells, samples, corners, even, acc, part, sums)
                        covered = total
                    if covered > 0.0:
                        looks[begin + r, c0 + c] = covered
                        for k in range(n):
                            value = sums[k] / total
                            # In this order NaN stays NaN.
                            bands[k, begin + r, c0 + c] = 0.0 if value < 0.0 else value


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _reach(
    y: NDArray[np.float64],
    x: NDArray[np.float64],
    place: Place,
    lines: int,
    mine: NDArray[np.bool_],
) -> tuple[float, float, float, float, bool]:
    """Which pixels of a tile belong to the block and touch its cells, and the cells that these reach."""
    low, high, near, far = math.inf, -math.inf, math.inf, -math.inf
    found = False
    for r in range(y.shape[0] - 1):
        for c in range(y.shape[1] - 1):
            y0 = min(min(y[r, c], y[r, c + 1]), min(y[r + 1, c], y[r + 1, c + 1]))
            y1 = max(max(y[r, c], y[r, c + 1]), max(y[r + 1, c], y[r + 1, c + 1]))
            x0 = min(min(x[r, c], x[r, c + 1]), min(x[r + 1, c], x[r + 1, c + 1]))
            x1 = max(max(x[r, c], x[r, c + 1]), max(x[r + 1, c], x[r + 1, c + 1]))
            line = math.floor(y0)
            takes = place.first <= line < place.stop and y1 > 0.0 and y0 < lines and x1 > 0.0 and x0 < place.samples
            takes = takes and y1 - y0 < MAX_ROWS - 2 and x1 - x0 < MAX_COLUMNS
            # The sum is NaN where a corner is void.
            total = x[r, c] + x[r, c + 1] + x[r + 1, c] + x[r + 1, c + 1]
            takes = takes and total == total
            mine[r, c] = takes
            if takes:
                found = True
                low, high, near, far = min(low, y0), max(high, y1), min(near, x0), max(far, x1)
    return low, high, near, far, found


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _run_up(cells: NDArray[np.float32], running: NDArray[np.float64]) -> bool:
    """Running sums S of the cells of a tile, and T of those; True if all cells are valid.

    Bands are taken two by two: the last axis of `running` holds S, S, T, T of the first two, then of the next. One band
    more than there are counts valid cells, where not all are.
    """
    n = cells.shape[2]
    # Lines lie far from each other in memory: a look at all of them at once makes what follows wait once.
    glance = np.float32(0.0)
    for i in range(cells.shape[0]):
        for j in range(0, cells.shape[1], _APART):
            glance += cells[i, j, 0]
        glance += cells[i, cells.shape[1] - 1, 0]
    whole = bool(glance == glance)
    for k in range(0, n, _LANES):
        two, q = k + 1 < n, 2 * k
        for i in range(cells.shape[0]):
            s = t = s2 = t2 = 0.0
            for m in range(2 * _LANES):
                running[i, 0, q + m] = 0.0
            for j in range(cells.shape[1]):
                value = float(cells[i, j, k])
                value2 = float(cells[i, j, k + 1]) if two else 0.0
                if value != value:
                    value = value2 = 0.0
                    whole = False
                t += s + 0.5 * value
                s += value
                t2 += s2 + 0.5 * value2
                s2 += value2
                running[i, j + 1, q], running[i, j + 1, q + 1] = s, s2
                running[i, j + 1, q + 2], running[i, j + 1, q + 3] = t, t2
    if not whole:
        q = 2 * (n // _LANES) * _LANES + n % _LANES
        for i in range(cells.shape[0]):
            s = t = 0.0
            running[i, 0, q] = running[i, 0, q + _LANES] = 0.0
            for j in range(cells.shape[1]):
                one = 1.0 if cells[i, j, 0] == cells[i, j, 0] else 0.0
                t += s + 0.5 * one
                s += one
                running[i, j + 1, q], running[i, j + 1, q + _LANES] = s, t
    return whole


@njit(**UNCOUNTED)
def _integrate(
    y: NDArray[np.float64],
    x: NDArray[np.float64],
    mine: NDArray[np.bool_],
    y0: float,
    x0: float,
    running: NDArray[np.float64],
    pairs: int,
    across: NDArray[np.float64],
    along: NDArray[np.float64],
) -> None:
    """Integrals of the running sums along every edge that a pixel of the block has, for some pairs of bands."""
    height, width = y.shape[0] - 1, y.shape[1] - 1
    for r in range(height + 1):
        for c in range(width + 1):
            here_x, here_y = x[r, c] - x0, y[r, c] - y0
            if c < width and ((r < height and mine[r, c]) or (r > 0 and mine[r - 1, c])):
                _edge(here_x, here_y, x[r, c + 1] - x0, y[r, c + 1] - y0, running, pairs, across, r, c)
            if r < height and ((c < width and mine[r, c]) or (c > 0 and mine[r, c - 1])):
                _edge(here_x, here_y, x[r + 1, c] - x0, y[r + 1, c] - y0, running, pairs, along, r, c)


@njit(**UNCOUNTED, forceinline=True)
def _edge(
    xa: float,
    ya: float,
    xb: float,
    yb: float,
    running: NDArray[np.float64],
    pairs: int,
    out: NDArray[np.float64],
    r: int,
    c: int,
) -> None:
    """Integral of the running sums along one edge into `out[r, c]`."""
    for p in range(pairs):
        out[r, c, _LANES * p] = out[r, c, _LANES * p + 1] = 0.0
    sign = 1.0
    if yb < ya:
        sign = -1.0
        xa, ya, xb, yb = xb, yb, xa, ya
    if yb == ya:
        return
    slope = (xb - xa) / (yb - ya)
    # Unsigned: numba asks of other indices whether they count from the end.
    for p in range(pairs):
        q0 = np.uintp(2 * _LANES * p)
        q1, q2, q3 = q0 + np.uintp(1), q0 + np.uintp(2), q0 + np.uintp(3)
        row = int(ya)
        x, y = xa, ya
        total, total2 = 0.0, 0.0
        while y < yb:
            y1 = min(row + 1.0, yb)
            x1 = xb if y1 == yb else x + slope * (y1 - y)
            d = sign * (y1 - y)
            slant = x1 - x
            w = np.uintp(row)
            if abs(slant) < _LEVEL:
                middle = 0.5 * (x + x1)
                at = int(middle)
                f = middle - at
                i, i1 = np.uintp(at), np.uintp(at + 1)
                s, s2 = running[w, i, q0], running[w, i, q1]
                total += d * (s + f * (running[w, i1, q0] - s))
                total2 += d * (s2 + f * (running[w, i1, q1] - s2))
            else:
                at, to = int(x), int(x1)
                f, g = x - at, x1 - to
                i, i1, j, j1 = np.uintp(at), np.uintp(at + 1), np.uintp(to), np.uintp(to + 1)
                d /= slant
                s, s2, t, t2 = running[w, i, q0], running[w, i, q1], running[w, j, q0], running[w, j, q1]
                a = running[w, i, q2] + f * (s + 0.5 * f * (running[w, i1, q0] - s))
                a2 = running[w, i, q3] + f * (s2 + 0.5 * f * (running[w, i1, q1] - s2))
                b = running[w, j, q2] + g * (t + 0.5 * g * (running[w, j1, q0] - t))
                b2 = running[w, j, q3] + g * (t2 + 0.5 * g * (running[w, j1, q1] - t2))
                total += d * (b - a)
                total2 += d * (b2 - a2)
            x, y = x1, y1
            row += 1
        out[r, c, _LANES * p], out[r, c, _LANES * p + 1] = total, total2


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _sum_cells(
    cells: NDArray[np.float32],
    samples: int,
    corners: tuple[tuple[float, float, float, float], tuple[float, float, float, float]],
    even: bool,
    acc: NDArray[np.float64],
    part: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> float:
    """Sum up one pixel cell by cell into `sums`; returns the covered part, 0 where it is too small."""
    xa, xb, xc, xd = corners[0]
    ya, yb, yc, yd = corners[1]
    row, column, nrows, ncolumns = extent(xa, xb, xc, xd, ya, yb, yc, yd)
    xa, xb, xc, xd = xa - column, xb - column, xc - column, xd - column
    ya, yb, yc, yd = ya - row, yb - row, yc - row, yd - row
    add_edge(acc, xa, ya, xb, yb)
    add_edge(acc, xb, yb, xc, yc)
    if even:
        add_edge(acc, xc, yc, xd, yd)
        add_edge(acc, xd, yd, xa, ya)
        whole = 0.5 * abs((xc - xa) * (yd - yb) - (xd - xb) * (yc - ya))
    else:
        # Folded: two triangles, each with its own orientation.
        add_edge(acc, xc, yc, xa, ya)
        add_edge(part, xa, ya, xc, yc)
        add_edge(part, xc, yc, xd, yd)
        add_edge(part, xd, yd, xa, ya)
        whole = 0.5 * abs((xb - xa) * (yc - ya) - (xc - xa) * (yb - ya))
        whole += 0.5 * abs((xc - xa) * (yd - ya) - (xd - xa) * (yc - ya))
    total = 0.0
    sums[:] = 0.0
    for i in range(nrows):
        line, other = acc[i], part[i]
        run, run2 = 0.0, 0.0
        y = row + i
        inside = 0 <= y < cells.shape[0]
        for j in range(ncolumns):
            run += line[j]
            line[j] = 0.0
            w = abs(run)
            if not even:
                run2 += other[j]
                other[j] = 0.0
                w = min(w + abs(run2), 1.0)
            x = column + j
            if w > 1e-9 and inside and 0 <= x < samples:
                cell = cells[y, x]
                if cell[0] == cell[0]:
                    total += w
                    for k in range(sums.size):
                        sums[k] += w * cell[k]
        line[ncolumns] = line[ncolumns + 1] = 0.0
        other[ncolumns] = other[ncolumns + 1] = 0.0
    return total if total >= MINIMUM_COVERAGE * whole else 0.0
