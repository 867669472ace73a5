"""How much ground the pixels of a grid cover."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import GridError
from sarcube.geometry.burst_grid import transformer
from sarcube.geometry.ellipsoid import E2, SEMI_MAJOR
from sarcube.geometry.grid import GeoGrid, metres_per_unit
from sarcube.geometry.longitudes import wrap_longitude

_NODES = 33  # of a lattice over the grid along each side: between two of them areas change linearly
# Relative: what UTM stretches within its zone. A CRS that stretches less is taken for true, and its pixels are counted.
_TRUE = 5e-3


def pixel_areas(grid: GeoGrid) -> NDArray[np.float32] | float:
    """Square metres of the ellipsoid that pixels cover: one number where all cover what the CRS says, else of each.

    In UTM, and in any CRS that keeps areas, that is the square of the resolution in metres; EPSG:3857 stretches areas
    four times at 60 degrees, and pixels in degrees shrink towards the poles.

    Parameters
    ----------
    grid : GeoGrid

    Returns
    -------
    float or (rows, columns) float32 array

    Raises
    ------
    GridError
        The grid reaches beyond where its CRS is valid.
    """
    rows, columns = (np.linspace(0.0, n, _NODES) for n in grid.shape)
    x, y = np.meshgrid(grid.left + columns * grid.resolution, grid.top - rows * grid.step)
    to_degrees = transformer(grid.epsg, 4326)
    half = 0.5 * grid.resolution

    def moved(dx: float, dy: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        lon, lat = to_degrees.transform(x + dx, y + dy)
        return lon, lat

    (east, west), (north, south) = (moved(half, 0.0), moved(-half, 0.0)), (moved(0.0, half), moved(0.0, -half))
    with np.errstate(invalid="ignore"):
        latitude = np.radians(0.25 * (east[1] + west[1] + north[1] + south[1]))
        across = [np.radians(wrap_longitude(east[0] - west[0])), np.radians(east[1] - west[1])]
        along = [np.radians(wrap_longitude(north[0] - south[0])), np.radians(north[1] - south[1])]
        # Radii of curvature along the meridian and across it (Snyder 1987, eqs. 4-18 and 4-20).
        bend = 1.0 - E2 * np.sin(latitude) ** 2
        metres = SEMI_MAJOR**2 * (1.0 - E2) / bend**2 * np.cos(latitude)
        areas = np.abs(across[0] * along[1] - across[1] * along[0]) * metres * (grid.step / grid.resolution)
    if not np.isfinite(areas).all():
        raise GridError(f"the grid {grid.bounds} reaches beyond where {grid.crs} is valid; choose another grid.crs")
    plane = grid.resolution * grid.step * metres_per_unit(grid.epsg) ** 2
    if not grid.is_geographic and np.abs(areas / plane - 1.0).max() < _TRUE:
        return plane
    by_row = np.stack([np.interp(np.arange(grid.height) + 0.5, rows, areas[:, j]) for j in range(_NODES)], axis=1)
    at = np.clip((np.arange(grid.width) + 0.5) / columns[1], 0.0, _NODES - 1.000001)
    first = at.astype(np.int64)
    part = (at - first).astype(np.float32)
    left, right = by_row[:, first].astype(np.float32), by_row[:, first + 1].astype(np.float32)
    between: NDArray[np.float32] = left + part * (right - left)
    return between


def ground_size(grid: GeoGrid) -> float:
    """Side in metres of a square as large as the ground of the pixel in the middle of a grid; GridError as above."""
    middle = GeoGrid(
        grid.epsg, 0.5 * (grid.left + grid.right), 0.5 * (grid.bottom + grid.top), grid.resolution, 1, 1
    )  # fmt: skip
    return float(np.sqrt(np.mean(pixel_areas(middle))))
