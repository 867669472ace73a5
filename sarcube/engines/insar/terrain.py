"""Heights along rows of the fine grid, taken from the DEM as they are asked for: no raster of them is held."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sarcube.engines.insar.fine import FineGrid, metres_per_unit
from sarcube.geometry.burst_grid import transformer
from sarcube.geometry.dem import Dem
from sarcube.geometry.interpolation import height_at
from sarcube.geometry.lattice import cell_pixels, cell_polynomials

_NODE_METRES = 10.0  # between heights that the DEM's spline is evaluated at; linear between


class Relief(NamedTuple):
    """A DEM and the way to it from the fine grid, in the form that kernels take.

    Attributes
    ----------
    heights : (rows, columns) float32
    place : (cell rows, cell columns, 3, 3, 2) float64
        Fractional row and column of the DEM as biquadratics of the product grid's row and column.
    cell : float
        Pixels of the product grid that a cell of `place` spans.
    rows, columns : int
        Fine samples per pixel.
    skip : int
        Fine columns between two evaluations.
    """

    heights: NDArray[np.float32]
    place: NDArray[np.float64]
    cell: float
    rows: int
    columns: int
    skip: int


def make_relief(dem: Dem, fine: FineGrid) -> Relief:
    """The way from a fine grid to a DEM, whatever the CRS of either."""
    grid = fine.grid
    cell = cell_pixels(grid)
    nodes = [2 * math.ceil(max(n, 1) / cell) + 1 for n in grid.shape]
    x = grid.left + 0.5 * cell * np.arange(nodes[1]) * grid.resolution
    y = grid.top - 0.5 * cell * np.arange(nodes[0]) * grid.resolution
    xx, yy = np.meshgrid(x, y)
    if dem.epsg != grid.epsg:
        xx, yy = transformer(grid.epsg, dem.epsg).transform(xx, yy)
        xx = np.where(np.isfinite(xx), xx, np.nan)
    place = cell_polynomials(np.stack(dem.positions(xx, yy), axis=-1))
    across = metres_per_unit(grid)[0] * fine.spacing[1]
    return Relief(
        np.ascontiguousarray(dem.heights), place, float(cell), fine.rows, fine.columns,
        max(1, round(_NODE_METRES / across)),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def heights_along(
    relief: Relief, row: int, first: int, stop: int, nodes: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """Heights at fine columns `first` to `stop` (exclusive) of a fine row, into `out[: stop - first]`.

    `nodes` is scratch of at least (stop - first) // skip + 3. NaN where the DEM is void or absent.
    """
    c, inverse, skip = relief.place, 1.0 / relief.cell, relief.skip
    v = (row + 0.5) / relief.rows * inverse
    i = min(max(int(v), 0), c.shape[0] - 1)
    v = 2.0 * (v - i) - 1.0
    k0, k1 = first // skip, (stop - 1) // skip + 1
    j = -1
    r0 = r1 = r2 = c0 = c1 = c2 = 0.0
    for k in range(k0, k1 + 1):
        u = (k * skip + 0.5) / relief.columns * inverse
        at = min(max(int(u), 0), c.shape[1] - 1)
        if at != j:
            j = at
            d = c[i, j]
            r0 = (d[2, 0, 0] * v + d[1, 0, 0]) * v + d[0, 0, 0]
            r1 = (d[2, 1, 0] * v + d[1, 1, 0]) * v + d[0, 1, 0]
            r2 = (d[2, 2, 0] * v + d[1, 2, 0]) * v + d[0, 2, 0]
            c0 = (d[2, 0, 1] * v + d[1, 0, 1]) * v + d[0, 0, 1]
            c1 = (d[2, 1, 1] * v + d[1, 1, 1]) * v + d[0, 1, 1]
            c2 = (d[2, 2, 1] * v + d[1, 2, 1]) * v + d[0, 2, 1]
        u = 2.0 * (u - j) - 1.0
        nodes[k - k0] = height_at(relief.heights, (r2 * u + r1) * u + r0, (c2 * u + c1) * u + c0, True)
    if skip == 1:
        out[: stop - first] = nodes[: stop - first]
        return
    part = 1.0 / skip
    for m in range(first, stop):
        k = m // skip
        f = (m - k * skip) * part
        a = nodes[k - k0]
        out[m - first] = a if f == 0.0 else a + f * (nodes[k - k0 + 1] - a)
