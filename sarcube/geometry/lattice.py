"""Smooth maps between grids, as polynomials on the cells of a coarse lattice: exact at nodes, biquadratic between."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarcube.geometry.grid import GeoGrid, metres_per_unit

_CELL_METRES = 640.0


def pixel_metres(grid: GeoGrid) -> float:
    """Pixel size in metres; of a grid in degrees from south to north."""
    return grid.resolution * metres_per_unit(grid.epsg)


def cell_pixels(grid: GeoGrid) -> int:
    """Lattice cell size in pixels for this grid."""
    return max(2, int(_CELL_METRES / pixel_metres(grid)))


def cell_polynomials(nodes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Monomial coefficients (cell rows, cell columns, 3, 3, ...) of node values (node rows, node columns, ...).

    Within a cell the variables run from -1 to 1.
    """

    # Rows: values at -1, 0, 1 to the coefficients of 1, s, s^2.
    def along(values: NDArray[np.float64]) -> NDArray[np.float64]:
        a, b, c = values[:-2:2], values[1:-1:2], values[2::2]
        return np.stack([b, 0.5 * (c - a), 0.5 * (a + c) - b], axis=1)

    by_row = along(nodes)  # (R, 3, node columns, ...)
    by_column = along(np.moveaxis(by_row, 2, 0))  # (C, 3, R, 3, ...)
    return np.ascontiguousarray(np.moveaxis(by_column, (2, 0, 3, 1), (0, 1, 2, 3)))
