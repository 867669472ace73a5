"""Interpolation of a height raster: kernels that take the raster and fractional pixel positions.

Positions count pixel centres from zero. Two methods, both products of a filter along rows and one along columns:

- *biquintic*: what ISCE3 calls so, a natural cubic spline through six neighbours in each direction
  (`Spline2dInterpolator` of order 6). Its window reaches one pixel before and four pixels after the pixel left of
  the position; this is kept, so that heights agree with ISCE3's.
- *bilinear*.

A void (NaN) reaches no further than it must: where the six-point window touches one, the bilinear value of the
four nearest pixels is taken; where one of those that carry weight is void, the result is NaN.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

TAPS = 6
BEFORE = 1  # pixels of the window before the one left of the position


def _spline_basis() -> NDArray[np.float64]:
    """(6, 4): weight of tap k as a cubic in the fraction f within the interval between taps 1 and 2.

    Natural cubic spline through six equidistant points (Stoer and Bulirsch, section 2.4.2): the second
    derivatives m solve m[i-1] + 4 m[i] + m[i+1] = 6 (z[i+1] - 2 z[i] + z[i-1]) with m = 0 at both ends.
    """
    unit = np.eye(TAPS)
    inner = np.diag(np.full(4, 4.0)) + np.diag(np.ones(3), 1) + np.diag(np.ones(3), -1)
    m = np.zeros((TAPS, TAPS))
    m[1:-1] = np.linalg.solve(inner, 6.0 * (unit[2:] - 2.0 * unit[1:-1] + unit[:-2]))
    a, b = BEFORE, BEFORE + 1
    return np.ascontiguousarray(
        np.stack([unit[a], unit[b] - unit[a] - (2.0 * m[a] + m[b]) / 6.0, 0.5 * m[a], (m[b] - m[a]) / 6.0], axis=1)
    )


SPLINE_BASIS = _spline_basis()


@njit(cache=True, nogil=True)
def split(position: float, size: int) -> tuple[int, float]:
    """Pixel left of the position and the fraction beyond it; -1 outside the raster's outer edges.

    Within half a pixel of the edge the position is moved to the outermost pixel centre.
    """
    if not (-0.5 - 1e-6 <= position <= size - 0.5 + 1e-6):
        return -1, 0.0
    p = min(max(position, 0.0), size - 1.0)
    i = min(int(p), max(size - 2, 0))
    return i, p - i


@njit(cache=True, nogil=True)
def bilinear_at(z: NDArray[np.float32], i: int, fi: float, j: int, fj: float) -> float:
    """Bilinear value; pixels without weight are not looked at."""
    rows, cols = z.shape
    i1, j1 = min(i + 1, rows - 1), min(j + 1, cols - 1)
    # A fraction this small is a position on the pixel centre but for rounding.
    if fi < 1e-9:
        i1 = i
    elif fi > 1.0 - 1e-9:
        i = i1
    if fj < 1e-9:
        j1 = j
    elif fj > 1.0 - 1e-9:
        j = j1
    top = z[i, j] * (1.0 - fj) + z[i, j1] * fj
    bottom = z[i1, j] * (1.0 - fj) + z[i1, j1] * fj
    return float(top * (1.0 - fi) + bottom * fi)


@njit(cache=True, nogil=True)
def biquintic_at(z: NDArray[np.float32], i: int, fi: float, j: int, fj: float) -> float:
    """Six by six value; near the raster's edge the window repeats the outermost pixels."""
    rows, cols = z.shape
    b = SPLINE_BASIS
    fj2 = fj * fj
    fi2 = fi * fi
    w0 = b[0, 0] + b[0, 1] * fj + (b[0, 2] + b[0, 3] * fj) * fj2
    w1 = b[1, 0] + b[1, 1] * fj + (b[1, 2] + b[1, 3] * fj) * fj2
    w2 = b[2, 0] + b[2, 1] * fj + (b[2, 2] + b[2, 3] * fj) * fj2
    w3 = b[3, 0] + b[3, 1] * fj + (b[3, 2] + b[3, 3] * fj) * fj2
    w4 = b[4, 0] + b[4, 1] * fj + (b[4, 2] + b[4, 3] * fj) * fj2
    w5 = b[5, 0] + b[5, 1] * fj + (b[5, 2] + b[5, 3] * fj) * fj2
    total = 0.0
    if j >= BEFORE and j + TAPS - BEFORE <= cols and i >= BEFORE and i + TAPS - BEFORE <= rows:
        k = j - BEFORE
        for p in range(TAPS):
            r = i - BEFORE + p
            v = (
                w0 * z[r, k]
                + w1 * z[r, k + 1]
                + w2 * z[r, k + 2]
                + w3 * z[r, k + 3]
                + w4 * z[r, k + 4]
                + w5 * z[r, k + 5]
            )
            total += v * (b[p, 0] + b[p, 1] * fi + (b[p, 2] + b[p, 3] * fi) * fi2)
    else:
        last = cols - 1
        for p in range(TAPS):
            r = min(max(i - BEFORE + p, 0), rows - 1)
            v = (
                w0 * z[r, min(max(j - 1, 0), last)]
                + w1 * z[r, j]
                + w2 * z[r, min(j + 1, last)]
                + w3 * z[r, min(j + 2, last)]
                + w4 * z[r, min(j + 3, last)]
                + w5 * z[r, min(j + 4, last)]
            )
            total += v * (b[p, 0] + b[p, 1] * fi + (b[p, 2] + b[p, 3] * fi) * fi2)
    if math.isnan(total):
        total = bilinear_at(z, i, fi, j, fj)
    return total


@njit(cache=True, nogil=True)
def height_at(z: NDArray[np.float32], row: float, col: float, smooth: bool) -> float:
    """Height at a fractional position; NaN outside or where void. `smooth`: biquintic, else bilinear."""
    i, fi = split(row, z.shape[0])
    j, fj = split(col, z.shape[1])
    if i < 0 or j < 0:
        return math.nan
    if smooth:
        return biquintic_at(z, i, fi, j, fj)
    return bilinear_at(z, i, fi, j, fj)


@njit(cache=True, nogil=True)
def sample_positions(
    z: NDArray[np.float32],
    row: NDArray[np.float64],
    col: NDArray[np.float64],
    smooth: bool,
    out: NDArray[np.float32],
) -> None:
    """Heights at scattered positions (all one-dimensional) into `out`."""
    for k in range(row.size):
        out[k] = height_at(z, row[k], col[k], smooth)


@njit(cache=True, nogil=True)
def _warped_row(
    z: NDArray[np.float32],
    c: NDArray[np.float64],
    window: tuple[float, float, float, float, float],
    k: int,
    smooth: bool,
    out: NDArray[np.float32],
) -> None:
    cell, origin, row0, col0, step = window
    inv = 1.0 / cell
    v = (row0 + k * step - origin) * inv
    ci = min(max(int(v), 0), c.shape[0] - 1)
    v = 2.0 * (v - ci) - 1.0
    n = out.size
    m = 0
    while m < n:
        u = (col0 + m * step - origin) * inv
        cj = min(max(int(u), 0), c.shape[1] - 1)
        end = n
        if cj < c.shape[1] - 1:
            end = min(n, max(m + 1, int(math.ceil(((cj + 1) * cell + origin - col0) / step))))  # noqa: RUF046
        d = c[ci, cj]
        r0 = (d[2, 0, 0] * v + d[1, 0, 0]) * v + d[0, 0, 0]
        r1 = (d[2, 1, 0] * v + d[1, 1, 0]) * v + d[0, 1, 0]
        r2 = (d[2, 2, 0] * v + d[1, 2, 0]) * v + d[0, 2, 0]
        c0 = (d[2, 0, 1] * v + d[1, 0, 1]) * v + d[0, 0, 1]
        c1 = (d[2, 1, 1] * v + d[1, 1, 1]) * v + d[0, 1, 1]
        c2 = (d[2, 2, 1] * v + d[1, 2, 1]) * v + d[0, 2, 1]
        du = 2.0 * step * inv
        u = 2.0 * (u - cj) - 1.0
        for q in range(m, end):
            s = u + (q - m) * du
            out[q] = height_at(z, (r2 * s + r1) * s + r0, (c2 * s + c1) * s + c0, smooth)
        m = end


@njit(cache=True, nogil=True)
def sample_warped(
    z: NDArray[np.float32],
    coefficients: NDArray[np.float64],
    window: tuple[float, float, float, float, float],
    smooth: bool,
    out: NDArray[np.float32],
) -> None:
    """Heights on a grid of another CRS.

    `coefficients` (cell rows, cell columns, 3, 3, 2) give the raster's fractional row and column as biquadratics of
    the grid's row and column; `window` is (cell, origin, first row, first column, step) in grid pixels.
    """
    for k in range(out.shape[0]):
        _warped_row(z, coefficients, window, k, smooth, out[k])


@njit(cache=True, nogil=True, parallel=True)
def sample_warped_parallel(
    z: NDArray[np.float32],
    coefficients: NDArray[np.float64],
    window: tuple[float, float, float, float, float],
    smooth: bool,
    out: NDArray[np.float32],
) -> None:
    """As `sample_warped`, on numba's threads."""
    for k in prange(out.shape[0]):
        _warped_row(z, coefficients, window, k, smooth, out[k])


@njit(cache=True, nogil=True)
def axis_filter(
    position: NDArray[np.float64], size: int, smooth: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Along one axis: left pixel (-1 outside), fraction, and the six weights (n, 6) of each position."""
    n = position.size
    index = np.empty(n, np.int64)
    fraction = np.empty(n)
    weight = np.zeros((n, TAPS))
    for k in range(n):
        index[k], f = split(position[k], size)
        fraction[k] = f
        if smooth:
            for p in range(TAPS):
                b = SPLINE_BASIS[p]
                weight[k, p] = b[0] + f * (b[1] + f * (b[2] + f * b[3]))
        else:
            weight[k, BEFORE], weight[k, BEFORE + 1] = 1.0 - f, f
    return index, fraction, weight


@njit(cache=True, nogil=True)
def filter_rows(
    z: NDArray[np.float32],
    first_row: int,
    index: NDArray[np.int64],
    weight: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    """Horizontal pass: raster rows first_row .. first_row + len(out), each at every column position."""
    cols = z.shape[1]
    for r in range(out.shape[0]):
        line = z[first_row + r]
        for k in range(index.size):
            j = index[k]
            if j < 0:
                out[r, k] = math.nan
                continue
            v = 0.0
            if j >= BEFORE and j + TAPS - BEFORE <= cols:
                for p in range(TAPS):
                    v += weight[k, p] * line[j - BEFORE + p]
            else:
                for p in range(TAPS):
                    v += weight[k, p] * line[min(max(j - BEFORE + p, 0), cols - 1)]
            out[r, k] = v


@njit(cache=True, nogil=True)
def combine_rows(
    across: NDArray[np.float32],
    first_row: int,
    rows: int,
    taps: tuple[int, float],
    weight: NDArray[np.float64],
    out: NDArray[np.float32],
) -> bool:
    """Vertical pass for one output row from the horizontally filtered rows; True where a NaN came out."""
    i = taps[0]
    a = across[min(max(i - 1, 0), rows - 1) - first_row]
    b = across[i - first_row]
    c = across[min(i + 1, rows - 1) - first_row]
    d = across[min(i + 2, rows - 1) - first_row]
    e = across[min(i + 3, rows - 1) - first_row]
    f = across[min(i + 4, rows - 1) - first_row]
    void = False
    for k in range(out.size):
        v = (
            weight[0] * a[k]
            + weight[1] * b[k]
            + weight[2] * c[k]
            + weight[3] * d[k]
            + weight[4] * e[k]
            + weight[5] * f[k]
        )
        out[k] = v
        void |= v != v  # noqa: PLR0124 -- NaN alone differs from itself; isnan would break vectorisation
    return void
