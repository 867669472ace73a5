"""The mesh: DEM heights at the nodes that facets, pixel corners and pixel centres are made of.

Heights are interpolated with a natural cubic spline through six DEM samples per axis, one before and four
after the interval (the "biquintic" of ISCE3, and with it of OPERA RTC-S1), written as six weights per position.
"""

# ruff: noqa: PLR0124, PLR0912, PLR1730, RUF046
# Kernels: numba takes scalars and arrays, wants integers said, and is quicker with min and max of two.

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sarcube.errors import DemError
from sarcube.geometry.burst_grid import transformer
from sarcube.geometry.dem import Dem
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.longitudes import wrap_longitude

_TAPS = 6
_BEFORE = 1
_TABLE = 512  # positions per interval at which weights are tabulated where rows are not regular
_LATTICE = 64  # mesh nodes between exactly transformed points where the DEM has another CRS
_KEPT_BYTES = 256 << 20  # of the mesh that waits for the next date; a burst at 20 m has 160 MB


@dataclass(frozen=True, eq=False)
class Mesh:
    """Heights at regular nodes around a grid.

    Attributes
    ----------
    heights : (rows, columns) float32
        NaN where the DEM is void or absent.
    epsg : int
    x0, y0 : float
        Position of node (0, 0), CRS units; rows run south.
    spacing : float
        CRS units between nodes.
    factor : int
        Nodes per pixel of the grid and axis.
    margin : int
        Pixels by which the mesh reaches beyond the grid on every side.
    low, high : float
        Lowest and highest height; infinite where there is none.
    voids : bool
        Whether a height is missing.
    """

    heights: NDArray[np.float32]
    epsg: int
    x0: float
    y0: float
    spacing: float
    factor: int
    margin: int
    low: float
    high: float
    voids: bool

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top), CRS units."""
        rows, columns = self.heights.shape
        return (
            self.x0,
            self.y0 - (rows - 1) * self.spacing,
            self.x0 + (columns - 1) * self.spacing,
            self.y0,
        )

    def every_second(self) -> Mesh:
        """The same with every second node, over an even number of facets: the last may be left out at the rim."""
        half = self.heights[::2, ::2]
        rows, columns = ((n - 1) // 2 * 2 + 1 for n in half.shape)
        heights = np.ascontiguousarray(half[:rows, :columns])
        return replace(self, heights=heights, spacing=2.0 * self.spacing, factor=self.factor // 2)

    def height_range(self) -> tuple[float, float]:
        """Lowest and highest valid height; DemError where there is none."""
        if not self.low <= self.high:
            raise DemError("the DEM has no valid height in the burst's region; check dem.path")
        return self.low, self.high


def spline_weights(f: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of six samples at offsets -1 to 4 for positions `f` in [0, 1), shape (len(f), 6).

    Natural cubic spline (de Boor, A Practical Guide to Splines, chapter IV): the second derivatives m solve a
    tridiagonal system with m = 0 at both ends; between samples 0 and 1 the spline is their blend.
    """
    n = _TAPS
    system = np.zeros((n, n))
    right = np.zeros((n, n))
    system[0, 0] = system[-1, -1] = 1.0
    for i in range(1, n - 1):
        system[i, i - 1 : i + 2] = (1.0, 4.0, 1.0)
        right[i, i - 1 : i + 2] = (6.0, -12.0, 6.0)
    second = np.linalg.solve(system, right)
    f = np.asarray(f, np.float64)[:, None]
    g = 1.0 - f
    a, b = _BEFORE, _BEFORE + 1
    out = ((g**3 - g) * second[a] + (f**3 - f) * second[b]) / 6.0
    out[:, a] += g[:, 0]
    out[:, b] += f[:, 0]
    return np.asarray(out)


@dataclass(frozen=True, eq=False)
class _Kept:
    """The mesh that was made last, and of what."""

    dem: Dem
    grid: GeoGrid
    mesh: Mesh

    def serves(self, dem: Dem, grid: GeoGrid, factor: int, margin: int) -> bool:
        """Whether it is what `make_mesh` would make: of the same heights at the same places."""
        own = self.dem
        return (
            (self.grid, self.mesh.factor, self.mesh.margin) == (grid, factor, margin)
            and (own.epsg, own.left, own.top, own.dx, own.dy) == (dem.epsg, dem.left, dem.top, dem.dx, dem.dy)
            and np.array_equal(own.heights, dem.heights, equal_nan=True)
        )


_kept: list[_Kept] = []  # one at most


def mesh_of(dem: Dem, grid: GeoGrid, factor: int, margin: int) -> Mesh:
    """What `make_mesh` makes, or made last: a worker takes the dates of a place one after the other.

    Parameters and errors are those of `make_mesh`. Heights are compared, so that a DEM that was replaced counts.
    """
    for last in tuple(_kept):
        if last.serves(dem, grid, factor, margin):
            return last.mesh
    _kept.clear()  # before the next is made, or there would be two
    mesh = make_mesh(dem, grid, factor, margin)
    if mesh.heights.nbytes <= _KEPT_BYTES:
        _kept[:] = [_Kept(dem, grid, mesh)]
    return mesh


def make_mesh(dem: Dem, grid: GeoGrid, factor: int, margin: int) -> Mesh:
    """Interpolate the DEM to the nodes of the grid's pixels, `factor` per pixel and axis.

    Parameters
    ----------
    dem : Dem
    grid : GeoGrid
    factor : int
        1 gives pixel corners, 2 also edge midpoints and centres.
    margin : int
        Pixels to add on every side.

    Returns
    -------
    Mesh
        Nodes less than a DEM sample away from a void are NaN: nothing is invented.
    """
    spacing = grid.resolution / factor
    x0, y0 = grid.left - margin * grid.resolution, grid.top + margin * grid.resolution
    rows = (grid.height + 2 * margin) * factor + 1
    columns = (grid.width + 2 * margin) * factor + 1
    source = np.ascontiguousarray(dem.heights, np.float32)
    if source.ndim != 2 or min(source.shape) < 2:
        raise DemError(f"the DEM has shape {source.shape}: it needs at least 2 x 2 heights; check dem.path")
    out = np.empty((rows, columns), np.float32)
    if dem.epsg == grid.epsg:
        ci, cw = _positions((x0 + np.arange(columns) * spacing - dem.left) / dem.dx - 0.5)
        ri, rw = _positions((dem.top - y0 + np.arange(rows) * spacing) / dem.dy - 0.5)
        _separable(source, ri, rw, ci, cw, out)
    else:
        u, v = _dem_lattice(dem, grid.epsg, x0, y0, spacing, (rows, columns))
        table = spline_weights(np.arange(_TABLE + 1) / _TABLE).astype(np.float32)
        _general(source, u, v, table, out)
    return Mesh(out, grid.epsg, x0, y0, spacing, factor, margin, *_extremes(out))


def _positions(p: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    index = np.floor(p).astype(np.int64)
    return index, spline_weights(p - index).astype(np.float32)


def _dem_lattice(
    dem: Dem, epsg: int, x0: float, y0: float, spacing: float, shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """DEM column and row (sample centres at integers) of every _LATTICE-th mesh node, a node of slack around."""
    rows, columns = (math.ceil((n - 1) / _LATTICE) + 3 for n in shape)
    x = x0 + (np.arange(columns) - 1) * _LATTICE * spacing
    y = y0 - (np.arange(rows) - 1) * _LATTICE * spacing
    px, py = transformer(epsg, dem.epsg).transform(*np.meshgrid(x, y))
    px, py = np.asarray(px), np.asarray(py)
    if dem.is_geographic:
        px = wrap_longitude(px, 0.5 * (dem.left + dem.right))
    return (px - dem.left) / dem.dx - 0.5, (dem.top - py) / dem.dy - 0.5


@njit(cache=True, nogil=True, parallel=True)
def _separable(
    source: NDArray[np.float32],
    ri: NDArray[np.int64],
    rw: NDArray[np.float32],
    ci: NDArray[np.int64],
    cw: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    rows, columns = source.shape
    for r in prange(out.shape[0]):
        target = out[r]
        if ri[r] < 0 or ri[r] >= rows - 1:
            target[:] = np.nan
            continue
        line = np.zeros(columns, np.float32)
        near = np.zeros(columns, np.float32)
        for k in range(_TAPS):
            w = rw[r, k]
            row = source[min(max(ri[r] + k - _BEFORE, 0), rows - 1)]
            for c in range(columns):
                # A far tap that is void takes the near row instead; near voids void the node below.
                line[c] += w * row[c]
        n0, n1 = source[ri[r]], source[ri[r] + 1]
        w1 = np.float32(0.0)
        for k in range(_TAPS):
            w1 += rw[r, k] * np.float32(k - _BEFORE)
        for c in range(columns):
            near[c] = n0[c] + (n1[c] - n0[c]) * w1
            if math.isnan(line[c]):
                line[c] = near[c]
        for c in range(target.size):
            i = ci[c]
            if i < 0 or i >= columns - 1:
                target[c] = np.nan
                continue
            if i >= _BEFORE and i + _TAPS - _BEFORE <= columns:
                j = i - _BEFORE
                value = (
                    cw[c, 0] * line[j]
                    + cw[c, 1] * line[j + 1]
                    + cw[c, 2] * line[j + 2]
                    + cw[c, 3] * line[j + 3]
                    + cw[c, 4] * line[j + 4]
                    + cw[c, 5] * line[j + 5]
                )
            else:
                value = np.float32(0.0)
                for k in range(_TAPS):
                    value += cw[c, k] * line[min(max(i + k - _BEFORE, 0), columns - 1)]
            if math.isnan(value):
                f = np.float32(0.0)
                for k in range(_TAPS):
                    f += cw[c, k] * np.float32(k - _BEFORE)
                value = line[i] + f * (line[i + 1] - line[i])
            target[c] = value


@njit(cache=True, nogil=True, parallel=True)
def _general(
    source: NDArray[np.float32],
    u: NDArray[np.float64],
    v: NDArray[np.float64],
    table: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    rows, columns = source.shape
    wy0, wy1 = np.float32(0.0), np.float32(0.0)
    for r in prange(out.shape[0]):
        j = r // _LATTICE + 1
        f = (r - (j - 1) * _LATTICE) / _LATTICE
        width = u.shape[1]
        ur, vr = np.empty(width), np.empty(width)
        a, b, c, d = _cubic(f)
        for i in range(width):
            j3 = min(j + 2, u.shape[0] - 1)
            ur[i] = a * u[j - 1, i] + b * u[j, i] + c * u[j + 1, i] + d * u[j3, i]
            vr[i] = a * v[j - 1, i] + b * v[j, i] + c * v[j + 1, i] + d * v[j3, i]
        for n in range(out.shape[1]):
            i = n // _LATTICE + 1
            a, b, c, d = _cubic((n - (i - 1) * _LATTICE) / _LATTICE)
            i3 = min(i + 2, width - 1)
            x = a * ur[i - 1] + b * ur[i] + c * ur[i + 1] + d * ur[i3]
            y = a * vr[i - 1] + b * vr[i] + c * vr[i + 1] + d * vr[i3]
            xi, yi = int(math.floor(x)), int(math.floor(y))
            if not (0 <= xi < columns - 1 and 0 <= yi < rows - 1):
                out[r, n] = np.nan
                continue
            fx, fy = np.float32(x - xi), np.float32(y - yi)
            wx, wy = table[int(fx * _TABLE + 0.5)], table[int(fy * _TABLE + 0.5)]
            value = np.float32(0.0)
            if xi >= _BEFORE and yi >= _BEFORE and xi + 5 <= columns and yi + 5 <= rows:
                for p in range(_TAPS):
                    row = source[yi + p - _BEFORE]
                    q = xi - _BEFORE
                    value += wy[p] * (
                        wx[0] * row[q]
                        + wx[1] * row[q + 1]
                        + wx[2] * row[q + 2]
                        + wx[3] * row[q + 3]
                        + wx[4] * row[q + 4]
                        + wx[5] * row[q + 5]
                    )
            else:
                value = np.float32(np.nan)
            if math.isnan(value):
                wy0, wy1 = np.float32(1.0) - fy, fy
                top = source[yi, xi] + fx * (source[yi, xi + 1] - source[yi, xi])
                low = source[yi + 1, xi] + fx * (source[yi + 1, xi + 1] - source[yi + 1, xi])
                value = wy0 * top + wy1 * low
            out[r, n] = value


@njit(cache=True, nogil=True, inline="always")
def _cubic(f: float) -> tuple[float, float, float, float]:
    """Lagrange weights of four equidistant nodes for a position f between the second and third."""
    return (
        -f * (f - 1.0) * (f - 2.0) / 6.0,
        (f + 1.0) * (f - 1.0) * (f - 2.0) / 2.0,
        -(f + 1.0) * f * (f - 2.0) / 2.0,
        (f + 1.0) * f * (f - 1.0) / 6.0,
    )


@njit(cache=True, nogil=True)
def _extremes(heights: NDArray[np.float32]) -> tuple[float, float, bool]:
    """Lowest and highest height, and whether any is void."""
    low, high = np.float32(np.inf), np.float32(-np.inf)
    void = False
    for r in range(heights.shape[0]):
        for h in heights[r]:
            if h < low:
                low = h
            if h > high:
                high = h
            void |= h != h
    return float(low), float(high), void
