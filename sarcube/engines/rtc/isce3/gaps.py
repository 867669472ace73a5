"""Where there is no echo or no height: what opera-rtc fills with zeros or takes for a cliff is no data here.

opera-rtc averages the zeros of a scene that holds no echo (0.0, mask 0), and follows the terrain over the edge of a DEM
or into a void as over a cliff: false layover and area factors of thousands beside it. It is therefore given a DEM
that goes on level into voids and beyond its edge, and what lies there or near is masked afterwards, as in `native`.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, distance_transform_edt, map_coordinates

from sarcube.engines.rtc.engine import RtcOptions
from sarcube.engines.rtc.native.burst_geometry import burst_geometry
from sarcube.engines.rtc.native.echo_extent import beyond_echo, echo_reach, pixel_centres
from sarcube.geometry.burst_grid import transformer
from sarcube.geometry.dem import Dem, sample_grid
from sarcube.geometry.grid import GeoGrid, metres_per_unit
from sarcube.geometry.longitudes import wrap_longitude
from sarcube.sensors.sentinel1.model import Burst

_OUTSIDE = 255
_BEYOND_M = 6000.0  # terrain beyond the grid that layover and shadow may come from
_LONGEST = 20_000  # pixels of one side of a DEM that is continued: a grid far from its DEM has no product anyway
_NEAR = 4  # DEM samples: the farthest that a height between samples depends on ("biquintic": one before, four after)


def continued(dem: Dem, grid: GeoGrid) -> Dem:
    """The DEM without voids and reaching beyond the grid on all sides: what is missing is as high as what is around."""
    heights, left, top = dem.heights, dem.left, dem.top
    pads = _lacking(dem, grid)
    if any(pads):
        north, south, west, east = pads
        heights = np.pad(heights, ((north, south), (west, east)), constant_values=np.nan)
        left, top = left - west * dem.dx, top + north * dem.dy
    missing = np.isnan(heights)
    if not missing.any() or missing.all():
        return dem
    return replace(dem, heights=_filled(heights), left=left, top=top)


def _filled(heights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Heights with means of ever wider surroundings where there are none: without steps, also within the gap."""
    missing = np.isnan(heights)
    if not missing.any():
        return heights
    rows, columns = heights.shape
    even = np.pad(heights, ((0, rows % 2), (0, columns % 2)), constant_values=np.nan)
    fours = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2)
    number = np.isfinite(fours).sum(axis=(1, 3))
    total = np.nansum(fours, axis=(1, 3), dtype=np.float64)
    coarse = np.where(number > 0, total / np.maximum(number, 1), np.nan).astype(np.float32)
    wide = _filled(coarse)
    at = np.meshgrid((np.arange(rows) - 0.5) / 2, (np.arange(columns) - 0.5) / 2, indexing="ij")
    return np.where(missing, map_coordinates(wide, at, order=1, mode="nearest"), heights)


def _lacking(dem: Dem, grid: GeoGrid) -> tuple[int, int, int, int]:
    """Rows north and south and columns west and east by which a DEM stops short of a grid and a margin."""
    metres = metres_per_unit(grid.epsg)
    left, bottom, right, top = grid.bounds
    margin = _BEYOND_M / metres
    t = np.linspace(0.0, 1.0, 33)
    x, y = np.meshgrid(
        left - margin + t * (right - left + 2 * margin), bottom - margin + t * (top - bottom + 2 * margin)
    )
    if grid.epsg != dem.epsg:
        x, y = transformer(grid.epsg, dem.epsg).transform(x, y)
    if dem.is_geographic:
        x = wrap_longitude(np.asarray(x), 0.5 * (dem.left + dem.right))
    rows, columns = dem.positions(x, y)
    if not (np.isfinite(rows).all() and np.isfinite(columns).all()):
        return 0, 0, 0, 0
    height, width = dem.heights.shape
    pads = (-rows.min(), rows.max() - height + 1, -columns.min(), columns.max() - width + 1)
    north, south, west, east = (max(0, math.ceil(pad)) for pad in pads)
    if height + north + south > _LONGEST or width + west + east > _LONGEST:
        return 0, 0, 0, 0
    return north, south, west, east


def mask_voids(dataset: xr.Dataset, grid: GeoGrid, dem: Dem) -> int:
    """Take back what was made where the DEM has no height, and near; gives how many of these pixels it masked anew."""
    void = np.isnan(sample_grid(dem, grid))
    if not void.any():
        return 0
    metres = metres_per_unit(dem.epsg)
    pixel = grid.resolution * (metres_per_unit(grid.epsg))
    near = distance_transform_edt(~void) <= _NEAR * max(dem.dx, dem.dy) * metres / pixel
    return _mask(dataset, np.asarray(near))


def mask_silence(dataset: xr.Dataset, burst: Burst, grid: GeoGrid, dem: Dem, options: RtcOptions) -> int:
    """Take back what is 0 because the scene holds no echo there, and the rim that is darkened by it.

    A 0 with an echo (noise removed from dark water) stays.
    """
    names = tuple(name for name in burst.polarizations if name in dataset)
    dark = np.all([dataset[name].values == 0.0 for name in names], axis=0)
    if not dark.any():
        return 0
    geometry = burst_geometry(burst, grid, dem, options, (0.0, 0.0))
    reach = echo_reach(burst, names, geometry.window)
    silent = beyond_echo(geometry, grid, pixel_centres(geometry.mesh, grid), dark, reach)
    if silent is None or not silent.any():
        return 0
    rim: NDArray[np.bool_] = binary_dilation(silent, np.ones((3, 3), np.bool_))
    return _mask(dataset, rim)


def _mask(dataset: xr.Dataset, where: NDArray[np.bool_]) -> int:
    mask = dataset["mask"].values
    fresh = int(np.count_nonzero(where & (mask != _OUTSIDE)))
    for name, layer in dataset.data_vars.items():
        layer.values[where] = _OUTSIDE if name == "mask" else np.nan
    return fresh
