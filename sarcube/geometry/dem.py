"""A DEM held in memory, its heights above the WGS 84 ellipsoid, and its heights elsewhere than at its pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from sarcube.errors import DemError
from sarcube.geometry.burst_grid import transformer
from sarcube.geometry.grid import GeoGrid, is_geographic
from sarcube.geometry.interpolation import (
    BEFORE,
    TAPS,
    axis_filter,
    bilinear_at,
    combine_rows,
    filter_rows,
    sample_positions,
    sample_warped,
    sample_warped_parallel,
)
from sarcube.geometry.lattice import cell_pixels, cell_polynomials
from sarcube.geometry.longitudes import wrap_longitude

Method = Literal["biquintic", "bilinear"]
Place = Literal["centers", "corners"]

_BLOCK = 256  # output rows that share one horizontally filtered block


@dataclass(frozen=True, eq=False)
class Dem:
    """Heights on a regular grid.

    Attributes
    ----------
    heights : (rows, columns) float32
        Metres above the WGS 84 ellipsoid; NaN where void.
    epsg : int
        CRS of the grid (EPSG:4326 means x = longitude, y = latitude, degrees). Longitudes may run beyond
        180 so that a DEM across the antimeridian is one array.
    left, top : float
        Outer edge of the first column and row (pixel-is-area), CRS units.
    dx, dy : float
        Pixel size, both positive (rows run north to south), CRS units.
    description : str
        What it is and where it came from, for the product's record.
    warnings : tuple of str
        What was assumed or is missing, for the product's record, too.
    """

    heights: NDArray[np.float32]
    epsg: int
    left: float
    top: float
    dx: float
    dy: float
    description: str = ""
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.heights.ndim != 2 or min(self.heights.shape) < 1 or self.heights.dtype != np.float32:
            raise DemError(
                f"a DEM needs a two-dimensional float32 array of heights, not {self.heights.dtype} of shape "
                f"{self.heights.shape}; check the DEM file"
            )
        if not (self.dx > 0 and self.dy > 0):
            raise DemError(f"a DEM needs positive pixel sizes, not {self.dx} x {self.dy}; check the DEM file")

    @property
    def right(self) -> float:
        return float(self.left + self.heights.shape[1] * self.dx)

    @property
    def bottom(self) -> float:
        return float(self.top - self.heights.shape[0] * self.dy)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top), outer edges in CRS units."""
        return self.left, self.bottom, self.right, self.top

    @property
    def is_geographic(self) -> bool:
        """Whether x and y are longitude and latitude in degrees."""
        return is_geographic(self.epsg)

    def covers(self, bounds: tuple[float, float, float, float]) -> bool:
        """Whether `bounds` (left, bottom, right, top; the DEM's CRS) lie within the outer edges.

        Longitudes may differ by whole turns.
        """
        left, bottom, right, top = bounds
        if self.is_geographic:
            turn = 360.0 * math.floor((0.5 * (self.left + self.right) - left + 180.0) / 360.0)
            left, right = left + turn, right + turn
        e = 1e-6
        return bool(
            self.left - e * self.dx <= left
            and right <= self.right + e * self.dx
            and self.bottom - e * self.dy <= bottom
            and top <= self.top + e * self.dy
        )

    def positions(self, x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Fractional (row, column) of CRS coordinates, pixel centres at integers."""
        xs = np.asarray(x, np.float64)
        if self.is_geographic:
            xs = wrap_longitude(xs, 0.5 * (self.left + self.right))
        return (self.top - np.asarray(y, np.float64)) / self.dy - 0.5, (xs - self.left) / self.dx - 0.5


def height_range(dem: Dem) -> tuple[float, float]:
    """Lowest and highest height; DemError where every pixel is void."""
    low, high = np.fmin.reduce(dem.heights, axis=None), np.fmax.reduce(dem.heights, axis=None)
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DemError(f"the DEM has no valid height ({dem.description or 'no description'}); use another DEM")
    return float(low), float(high)


def sample_lonlat(dem: Dem, lon: ArrayLike, lat: ArrayLike, method: Method = "biquintic") -> NDArray[np.float32]:
    """Heights at longitudes and latitudes (degrees, broadcasting); NaN outside the DEM and in voids."""
    lons, lats = np.broadcast_arrays(np.asarray(lon, np.float64), np.asarray(lat, np.float64))
    x, y = lons, lats
    if dem.epsg != 4326:
        x, y = transformer(4326, dem.epsg).transform(lons, lats)
    row, col = dem.positions(x, y)
    out = np.empty(row.size, np.float32)
    sample_positions(dem.heights, np.ravel(row), np.ravel(col), method == "biquintic", out)
    return out.reshape(lons.shape)


def sample_grid(
    dem: Dem,
    grid: GeoGrid,
    *,
    at: Place = "centers",
    upsampling: int = 1,
    method: Method = "biquintic",
    parallel: bool = False,
) -> NDArray[np.float32]:
    """Heights on a grid.

    Parameters
    ----------
    dem : Dem
    grid : GeoGrid
    at : "centers" or "corners"
        Of the pixels.
    upsampling : int
        Cut every pixel into this many in both directions first.
    method : "biquintic" or "bilinear"
    parallel : bool
        Use numba's threads.

    Returns
    -------
    heights : float32
        (height * upsampling, width * upsampling), one more in both directions for corners; NaN outside the
        DEM and in voids.
    """
    step = 1.0 / upsampling
    if at == "centers":
        first, shape = 0.5 * step, (grid.height * upsampling, grid.width * upsampling)
    else:
        first, shape = 0.0, (grid.height * upsampling + 1, grid.width * upsampling + 1)
    return sample_window(dem, grid, (first, first), step, shape, method=method, parallel=parallel)


def sample_window(
    dem: Dem,
    grid: GeoGrid,
    first: tuple[float, float],
    step: float,
    shape: tuple[int, int],
    *,
    method: Method = "biquintic",
    parallel: bool = False,
) -> NDArray[np.float32]:
    """Heights at rows first[0] + i * step and columns first[1] + j * step of a grid.

    Rows and columns count in pixels from the grid's outer top-left corner (the first centre is at 0.5, 0.5); they
    may lie beyond the grid. Float32 of `shape`; NaN outside the DEM and in voids.
    """
    out = np.empty(shape, np.float32)
    smooth = method == "biquintic"
    if grid.epsg == dem.epsg:
        x = grid.left + (first[1] + np.arange(shape[1]) * step) * grid.resolution
        y = grid.top - (first[0] + np.arange(shape[0]) * step) * grid.resolution
        _, col = dem.positions(x, np.zeros_like(x))
        row, _ = dem.positions(np.zeros_like(y), y)
        _sample_aligned(dem.heights, row, col, smooth, out)
        return out
    cell = float(cell_pixels(grid))
    origin = min(*first, 0.0)
    extent = [first[k] + (shape[k] - 1) * step - origin for k in (0, 1)]
    nodes = [2 * math.ceil(max(e, 1.0) / cell) + 1 for e in extent]
    x = grid.left + (origin + 0.5 * cell * np.arange(nodes[1])) * grid.resolution
    y = grid.top - (origin + 0.5 * cell * np.arange(nodes[0])) * grid.resolution
    xx, yy = transformer(grid.epsg, dem.epsg).transform(*np.meshgrid(x, y))
    xx = np.where(np.isfinite(xx), xx, np.nan)
    coefficients = cell_polynomials(np.stack(dem.positions(xx, yy), axis=-1))
    window = (cell, float(origin), float(first[0]), float(first[1]), float(step))
    kernel = sample_warped_parallel if parallel else sample_warped
    kernel(dem.heights, coefficients, window, smooth, out)
    return out


@njit(cache=True, nogil=True)
def _sample_aligned(
    z: NDArray[np.float32],
    row: NDArray[np.float64],
    col: NDArray[np.float64],
    smooth: bool,
    out: NDArray[np.float32],
) -> None:
    """Rows and columns of the output are rows and columns of the DEM: filter along one, then the other."""
    rows, cols = z.shape
    j, fj, wj = axis_filter(col, cols, smooth)
    i, fi, wi = axis_filter(row, rows, smooth)
    n = row.size
    for begin in range(0, n, _BLOCK):
        end = min(begin + _BLOCK, n)
        low, high = rows, -1
        for k in range(begin, end):
            if i[k] >= 0:
                low, high = min(low, i[k]), max(high, i[k])
        if high < 0:
            out[begin:end] = math.nan
            continue
        low, high = max(low - BEFORE, 0), min(high + TAPS - BEFORE - 1, rows - 1)
        across = np.empty((high - low + 1, col.size), np.float32)
        filter_rows(z, low, j, wj, across)
        for k in range(begin, end):
            if i[k] < 0:
                out[k] = math.nan
            elif combine_rows(across, low, rows, (i[k], fi[k]), wi[k], out[k]):
                for m in range(col.size):
                    if math.isnan(out[k, m]) and j[m] >= 0:
                        out[k, m] = bilinear_at(z, i[k], fi[k], j[m], fj[m])
