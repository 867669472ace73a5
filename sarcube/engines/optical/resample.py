"""A raster on another grid of the same CRS, by the rules of SNAP's Resample and S2Resampling operators."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarcube.engines.optical.downsample import aggregate, aggregate_flags
from sarcube.engines.optical.rules import Downsampling, FlagDownsampling, Upsampling
from sarcube.engines.optical.upsample import Pixel, bicubic, bilinear, nearest
from sarcube.errors import GridError
from sarcube.geometry.grid import GeoGrid

_UPSAMPLERS = {"nearest": nearest, "bilinear": bilinear, "bicubic": bicubic}
# Rows and columns of the source beyond a window that its edge pixels depend on: two centres of bicubic, and one for
# where a window does not begin with a source pixel.
REACH = 3
_LEAST_SHARE = 1e-6  # smaller ones are rounding


def resample(
    values: NDArray[Pixel],
    source: GeoGrid,
    target: GeoGrid,
    upsampling: Upsampling = "nearest",
    downsampling: Downsampling = "first",
    nodata: float = 0.0,
) -> NDArray[Pixel]:
    """Measures on another grid: interpolated where it is finer, aggregated where it is coarser.

    Parameters
    ----------
    values : array
        On the grid `source`, whole numbers or floats.
    source, target : GeoGrid
        In one CRS.
    upsampling, downsampling : str
    nodata : float
        Marks what has no value in `values` and in the result.

    Returns
    -------
    array on the grid `target`, of the type of `values`.

    Raises
    ------
    GridError
        The values are not on their grid, or the grids are in different CRSs.
    """
    _check(values, source, target)
    if target.resolution > source.resolution:
        return aggregate(values, *_edges(source, target), downsampling, nodata)
    if target.resolution == source.resolution and upsampling != "nearest" and _aligned(source, target):
        upsampling = "nearest"  # nothing lies between
    if upsampling == "nearest":
        rows, columns = _edges(source, target)
        return nearest(values, rows[:-1], columns[:-1], nodata)
    return _UPSAMPLERS[upsampling](values, *_centres(source, target), nodata)


def resample_flags(
    values: NDArray[Pixel],
    source: GeoGrid,
    target: GeoGrid,
    downsampling: FlagDownsampling = "first",
    nodata: int = -1,
) -> NDArray[Pixel]:
    """Flags on another grid: the nearest where it is finer, aggregated bit by bit where it is coarser.

    Parameters as of `resample`; the values are unsigned, and -1 for `nodata` means that each is a value.
    """
    _check(values, source, target)
    if target.resolution > source.resolution:
        return aggregate_flags(values, *_edges(source, target), downsampling, nodata)
    rows, columns = _edges(source, target)
    return nearest(values, rows[:-1], columns[:-1], max(nodata, 0))


def mixes(source: GeoGrid, target: GeoGrid, upsampling: Upsampling, downsampling: Downsampling) -> bool:
    """Whether a value of the target may be made of several of the source, so that it is none of them."""
    if target.resolution > source.resolution:
        return downsampling in ("max", "mean", "median")
    return upsampling != "nearest"


def taken_in(
    marked: NDArray[np.bool_], source: GeoGrid, target: GeoGrid, upsampling: Upsampling, downsampling: Downsampling
) -> NDArray[np.bool_]:
    """Pixels of another grid of which a marked pixel is a part, where the rules mix.

    Parameters as of `resample`, `marked` in place of values.
    """
    if target.resolution > source.resolution:
        return resample_flags(marked.astype(np.uint8), source, target, "flagor") > 0
    share = resample(marked.astype(np.float32), source, target, upsampling, downsampling, np.nan)
    return np.asarray(np.abs(share) > _LEAST_SHARE)


def _edges(source: GeoGrid, target: GeoGrid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Edges of the target's rows and columns in source pixels. Divided last, so that whole ratios stay whole."""
    rows = (
        source.top - target.top + np.arange(target.height + 1, dtype=np.float64) * target.resolution
    ) / source.resolution
    columns = (
        target.left - source.left + np.arange(target.width + 1, dtype=np.float64) * target.resolution
    ) / source.resolution
    return rows, columns


def _centres(source: GeoGrid, target: GeoGrid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres of the target's rows and columns, in source pixels from the first centre."""
    rows = (
        source.top - target.top + (np.arange(target.height, dtype=np.float64) + 0.5) * target.resolution
    ) / source.resolution - 0.5
    columns = (
        target.left - source.left + (np.arange(target.width, dtype=np.float64) + 0.5) * target.resolution
    ) / source.resolution - 0.5
    return rows, columns


def _aligned(source: GeoGrid, target: GeoGrid) -> bool:
    return (source.left - target.left) % source.resolution == 0 and (source.top - target.top) % source.resolution == 0


def _check(values: NDArray[np.generic], source: GeoGrid, target: GeoGrid) -> None:
    if values.shape != source.shape:
        raise GridError(f"values of shape {values.shape} are not on their grid of {source.shape}")
    if source.epsg != target.epsg:
        raise GridError(f"resampling is within one CRS, not from {source.crs} to {target.crs}")
