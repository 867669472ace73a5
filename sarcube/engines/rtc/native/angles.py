"""Incidence angles of the pixels: against the ellipsoid's normal and against the terrain's.

The terrain's normal follows from the heights half a pixel to either side of the centre, as OPERA RTC-S1 takes
it. Look vectors come from the lattice of `mapping`.
"""

# ruff: noqa: PLR0913, PLR0917, RUF046
# Kernels: numba takes scalars and arrays, wants integers said, and is quicker with min and max of two.

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sarcube.engines.rtc.native.blocks import Window
from sarcube.engines.rtc.native.mapping import RadarMap, column_bounds, facet_row
from sarcube.engines.rtc.native.mesh import Mesh
from sarcube.errors import EngineError
from sarcube.geometry.grid import GeoGrid


def incidence_angles(
    rmap: RadarMap, mesh: Mesh, grid: GeoGrid, window: Window
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Incidence angle and local incidence angle (degrees) and height (m) at the pixel centres of `grid`.

    `mesh` needs nodes at pixel centres: an even factor. NaN where the DEM is void and far from `window`.
    """
    if mesh.factor % 2:
        raise EngineError(f"angles need a mesh with nodes at pixel centres, not {mesh.factor} nodes per pixel")
    half = mesh.factor // 2
    start = mesh.margin * mesh.factor
    out = np.full((3, *grid.shape), np.nan, np.float32)
    _angles(rmap, mesh.heights, start, half, grid.left, grid.top, grid.resolution, window.limits, out)
    return out[0], out[1], out[2]


@njit(cache=True, nogil=True, parallel=True)
def _angles(
    rmap: RadarMap,
    heights: NDArray[np.float32],
    start: int,
    half: int,
    left: float,
    top: float,
    resolution: float,
    limits: tuple[float, float, float, float],
    out: NDArray[np.float32],
) -> None:
    rows, columns = out.shape[1], out.shape[2]
    step, origin = resolution / rmap.step, (left + 0.5 * resolution - rmap.left) / rmap.step
    middle = rmap.h0 + rmap.dh
    for r in prange(rows):
        y = top - (r + 0.5) * resolution
        first, last = column_bounds(rmap, y, left + 0.5 * resolution, resolution, columns, limits)
        if last <= first:
            continue
        terms = np.empty((rmap.facet.shape[1], rmap.facet.shape[2]))
        facet_row(rmap, y, terms)
        i = start + (2 * r + 1) * half
        at = first
        while at < last:
            u = origin + at * step
            node = int(u)
            to = min(last, max(at + 1, int(math.ceil((node + 1 - origin) / step))))
            a, b = start + 2 * at * half, start + 2 * to * half + 1
            sides = (heights[i - half, a:b], heights[i, a:b], heights[i + half, a:b])
            place = (u - node, step, middle, resolution)
            made = (out[0, r, at:to], out[1, r, at:to], out[2, r, at:to])
            if half == 1:  # known when the kernel is compiled: vector instructions need strides
                _between_nodes(sides, 1, terms[node : node + 2], place, made)
            else:
                _between_nodes(sides, half, terms[node : node + 2], place, made)
            at = to


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _between_nodes(
    rows: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
    half: int,
    terms: NDArray[np.float64],
    place: tuple[float, float, float, float],
    out: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
) -> None:
    """Angles and heights of the pixels of a row between two columns of the lattice, without a branch.

    The centre of pixel i is node (2 i + 1) `half` of the middle one of three `rows` of heights, half a pixel apart.
    `terms` (2, 19) are those of the lattice's nodes before and after; `place` is the first pixel's position between
    them, the step to the next, the middle height and the resolution. What changes by some millionths from node to node
    is taken from the one before.
    """
    upper, centre, lower = rows
    incidence, local, height = out
    f0, step, middle, resolution = place
    a0, a1, a2 = terms[0, 0], terms[0, 1], terms[0, 2]
    b0, b1, b2 = terms[1, 0] - a0, terms[1, 1] - a1, terms[1, 2] - a2
    rise0, rise1, rise2 = terms[0, 6], terms[0, 7], terms[0, 8]
    xx, yy, zz, xy = terms[0, 12], terms[0, 13], terms[0, 14], 2.0 * terms[0, 15]
    length, per_metre = 1.0 / math.sqrt(zz), 1.0 / resolution
    for i in range(height.size):
        j = (2 * i + 1) * half
        f, dh = f0 + i * step, float(centre[j]) - middle
        l0 = a0 + f * b0 + dh * rise0
        l1 = a1 + f * b1 + dh * rise1
        l2 = a2 + f * b2 + dh * rise2
        # The normal of the surface h(x, y) is e_x x e_y - dh/dx (e_y x u) - dh/dy (u x e_x).
        p = -per_metre * (centre[j + half] - centre[j - half])
        q = -per_metre * (upper[j] - lower[j])
        height[i] = centre[j]
        incidence[i] = _degrees(l2 * length)
        local[i] = _degrees((l2 + p * l0 + q * l1) / math.sqrt(zz + p * p * xx + q * q * yy + p * q * xy))


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _degrees(cosine: float) -> float:
    """The angle of a cosine, degrees, to 1.2e-6: half a last digit of float32. NaN stays NaN.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 4.4.46.
    """
    # In this order NaN stays NaN.
    c = max(min(cosine, 1.0), -1.0)
    x = abs(c)
    series = 0.0066700901 - 0.0012624911 * x
    series = 0.0308918810 + x * (-0.0170881256 + x * series)
    series = 0.0889789874 + x * (-0.0501743046 + x * series)
    angle = math.sqrt(1.0 - x) * (1.5707963050 + x * (-0.2145988016 + x * series))
    return math.degrees(angle if c >= 0.0 else math.pi - angle)
