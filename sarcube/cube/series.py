"""Series over time at a point or within a polygon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from rasterio.features import rasterize
from rasterio.warp import transform as transform_points
from rasterio.warp import transform_geom
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from sarcube.cube.grid_of import grid_of
from sarcube.cube.layers import measures
from sarcube.cube.preview import to_db
from sarcube.errors import CubeError


def timeseries(cube: xr.Dataset, where: Sequence[float] | BaseGeometry | dict[str, Any]) -> xr.Dataset:
    """Backscatter over time.

    Parameters
    ----------
    cube : Dataset
        From `open_cube`.
    where : pair of float, or geometry
        Longitude and latitude of a point, the pixel that holds it; or a polygon in degrees, as shapely or GeoJSON
        has it, the mean in power of the pixels whose centres lie within.

    Returns
    -------
    Dataset
        Lazy, (time).

    Raises
    ------
    CubeError
        It lies outside the cube, or holds no pixel centre.
    """
    grid = grid_of(cube)
    layers = cube[list(measures(cube))]
    if isinstance(where, dict):
        where = shape(where.get("geometry", where))
    if not isinstance(where, BaseGeometry):
        if len(where) != 2:
            raise CubeError(f"a point is (longitude, latitude), not {where!r}")
        (x,), (y,) = transform_points(4326, grid.epsg, [float(where[0])], [float(where[1])])
        col, row = int(np.floor((x - grid.left) / grid.resolution)), int(np.floor((grid.top - y) / grid.resolution))
        if not (0 <= col < grid.width and 0 <= row < grid.height):
            raise CubeError(f"the point {tuple(where)} lies outside the cube")
        return layers.isel(x=col, y=row)
    if where.geom_type == "Point":
        return timeseries(cube, (where.x, where.y))
    projected = shape(transform_geom(4326, grid.epsg, mapping(where)))
    left, bottom, right, top = projected.bounds
    cols = slice(max(0, int((left - grid.left) / grid.resolution)), int((right - grid.left) / grid.resolution) + 1)
    rows = slice(max(0, int((grid.top - top) / grid.resolution)), int((grid.top - bottom) / grid.resolution) + 1)
    part = layers.isel(x=cols, y=rows)
    if not part.sizes["x"] or not part.sizes["y"] or right < grid.left or bottom > grid.top:
        raise CubeError("the polygon lies outside the cube")
    inner = grid_of(part) if min(part.sizes["x"], part.sizes["y"]) > 1 else None
    if inner is None:
        raise CubeError("the polygon is smaller than a pixel; ask for a point")
    import rasterio

    inside = rasterize([projected], out_shape=inner.shape, transform=rasterio.Affine(*inner.transform), dtype="uint8")
    if not inside.any():
        raise CubeError("the polygon holds no pixel centre; ask for a point")
    chosen = xr.DataArray(inside.astype(bool), dims=("y", "x"))
    return part.where(chosen).mean(("y", "x"), dtype=np.float64)


def plot_timeseries(cube: xr.Dataset, where: Any, *, ax: Any = None) -> Any:
    """Plot `timeseries` in decibel; returns matplotlib's axes."""
    import matplotlib.pyplot as plt

    series = timeseries(cube, where).compute()
    if ax is None:
        _, ax = plt.subplots(figsize=(9, 3.5))
    for name in series.data_vars:
        level = to_db(series[name])
        seen = level.notnull()
        ax.plot(level["time"].values[seen], level.values[seen], marker=".", label=str(name))
    ax.set_ylabel("backscatter (dB)")
    ax.legend()
    ax.grid(alpha=0.3)
    return ax
