"""Map pixels filled from radar cells: where the averages go, and the bilinear way to them.

The cheap alternative to `sarcube.engines.rtc.native.area_projection`: the four cells around a pixel's centre.

Cells from which noise was subtracted may be negative. A pixel's average is cut at 0, power being what it is.
"""

# ruff: noqa: PLR0913, PLR0917
# Kernels: numba takes scalars and arrays, wants integers said, and is quicker with min and max of two.

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sarcube.engines.rtc.native.blocks import Block, Place
from sarcube.engines.rtc.native.coverage import MAX_ROWS
from sarcube.engines.rtc.native.mapping import RadarMap, column_bounds, map_row
from sarcube.geometry.grid import GeoGrid


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

    @classmethod
    def empty(cls, bands: int, grid: GeoGrid) -> Geocoded:
        """No pixel is covered yet."""
        return cls(np.full((bands, *grid.shape), np.nan, np.float32), np.full(grid.shape, np.nan, np.float32))


def pixel_lines(rmap: RadarMap, resolution: float) -> int:
    """Radar lines that a pixel of `resolution` CRS units can reach across, its terrain included."""
    plane = rmap.place[0, 1]
    slope = np.nanmax(np.abs(np.diff(plane, axis=0))) + np.nanmax(np.abs(np.diff(plane, axis=1)))
    rise = np.nanmax(np.abs(rmap.facet[..., 16])) * 2.0 * rmap.dh
    return min(math.ceil(float(slope) * resolution / rmap.step + float(rise)) + 2, MAX_ROWS)


def bilinear(
    rmap: RadarMap,
    centres: NDArray[np.float32],
    grid: GeoGrid,
    block: Block,
    cells: NDArray[np.float32],
    out: Geocoded,
) -> None:
    """Interpolate radar cells at the pixel centres, whose heights are `centres` (rows, columns); see above."""
    x, y = grid.left + 0.5 * grid.resolution, grid.top - 0.5 * grid.resolution
    _interpolate(rmap, centres, x, y, grid.resolution, block.place, cells, out.bands, out.looks)


@njit(cache=True, nogil=True)
def _interpolate(
    rmap: RadarMap,
    heights: NDArray[np.float32],
    x0: float,
    y0: float,
    resolution: float,
    place: Place,
    cells: NDArray[np.float32],
    bands: NDArray[np.float32],
    looks: NDArray[np.float32],
) -> None:
    lines, samples, n = cells.shape[0], place.samples, cells.shape[2]
    columns = heights.shape[1]
    line, sample = np.empty(columns), np.empty(columns)
    for r in range(heights.shape[0]):
        first, last = column_bounds(rmap, y0 - r * resolution, x0, resolution, columns, place.limits)
        if last <= first:
            continue
        map_row(rmap, y0 - r * resolution, x0, resolution, first, last, heights[r], line, sample)
        for c in range(first, last):
            y, x = line[c] - place.line, sample[c] - place.sample
            if not (
                y >= 0.0 and x >= 0.0 and y < lines - 1.0 and x < samples - 1.0 and place.first <= int(y) < place.stop
            ):
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
