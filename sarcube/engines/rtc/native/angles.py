"""Incidence angles of the pixels: against the ellipsoid's normal and against the terrain's.

The terrain's normal follows from the heights half a pixel to either side of the centre, as OPERA RTC-S1 takes
it. Look vectors come from the lattice of `mapping`.
"""

# ruff: noqa: PLR0913, PLR0917
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
    scale, origin = resolution / rmap.step, (left + 0.5 * resolution - rmap.left) / rmap.step
    middle = rmap.h0 + rmap.dh
    for r in prange(rows):
        y = top - (r + 0.5) * resolution
        first, last = column_bounds(rmap, y, left + 0.5 * resolution, resolution, columns, limits)
        if last <= first:
            continue
        terms = np.empty((rmap.facet.shape[1], rmap.facet.shape[2]))
        facet_row(rmap, y, terms)
        i = start + (2 * r + 1) * half
        upper, centre, lower = heights[i - half], heights[i], heights[i + half]
        for c in range(first, last):
            j = start + (2 * c + 1) * half
            h = centre[j]
            out[2, r, c] = h
            u = origin + c * scale
            node = int(u)
            f = u - node
            g = 1.0 - f
            t0, t1 = terms[node], terms[node + 1]
            dh = h - middle
            l2 = g * t0[2] + f * t1[2] + dh * t0[8]
            out[0, r, c] = math.degrees(math.acos(min(l2 / math.sqrt(t0[14]), 1.0)))
            # The normal of the surface h(x, y) is e_x x e_y - dh/dx (e_y x u) - dh/dy (u x e_x).
            p = -(centre[j + half] - centre[j - half]) / resolution
            q = -(upper[j] - lower[j]) / resolution
            l0 = g * t0[0] + f * t1[0] + dh * t0[6]
            l1 = g * t0[1] + f * t1[1] + dh * t0[7]
            length = math.sqrt(t0[14] + p * p * t0[12] + q * q * t0[13] + 2.0 * p * q * t0[15])
            cosine = (l2 + p * l0 + q * l1) / length
            out[1, r, c] = math.degrees(math.acos(max(min(cosine, 1.0), -1.0)))
            if math.isnan(h):
                out[0, r, c] = np.nan
                out[1, r, c] = np.nan
