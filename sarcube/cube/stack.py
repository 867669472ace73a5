"""The one place that knows stackstac: time steps in, a lazy array out.

stackstac (0.5.1) lays out the grid, the axes and the graph; sarcube tells it the exact grid, one "item" per
time step, and its own reader, which merges the step's bursts (see `reader`). What is set against its defaults:
`epsg`, `bounds`, `resolution` are given and nothing is snapped, so its grid is ours; `rescale` is off, so that
float32 stays; errors are never turned into nodata; coordinates are pixel centres.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import stackstac
import xarray as xr
from rasterio.enums import Resampling

from sarcube.cube.lazy import da
from sarcube.cube.reader import Merge, MergeReader
from sarcube.geometry.grid import GeoGrid
from sarcube.products.layers import Layer


@dataclass(frozen=True)
class Chunks:
    """Sizes of chunks: steps of time, rows, columns. -1 is all."""

    time: int = 1
    y: int = 1024
    x: int = 1024


def stack_layer(
    merges: Sequence[Merge | None], times: Sequence[np.datetime64], grid: GeoGrid, layer: Layer, chunks: Chunks
) -> xr.DataArray:
    """One layer of all time steps on the grid.

    Parameters
    ----------
    merges : sequence of Merge or None
        Files of each time step; None where the step has none of this layer.
    times : sequence of datetime64
    grid : GeoGrid
    layer : Layer
    chunks : Chunks

    Returns
    -------
    DataArray
        Lazy, shape (time, y, x), of the layer's dtype, its nodata where nothing was seen.
    """
    items = [_item(i, merge, time, grid, layer) for i, (merge, time) in enumerate(zip(merges, times, strict=True))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=FutureWarning)
        stacked = stackstac.stack(
            items,
            assets=[layer.name],
            epsg=grid.epsg,
            resolution=grid.resolution,
            bounds=grid.bounds,
            snap_bounds=False,
            resampling=resampling_of(merges, grid, layer),
            chunksize=(chunks.time, 1, chunks.y, chunks.x),
            dtype=np.dtype(layer.dtype),
            fill_value=np.dtype(layer.dtype).type(layer.nodata),
            rescale=False,
            sortby_date=False,
            xy_coords=False,
            properties=False,
            band_coords=False,
            errors_as_nodata=(),
            reader=MergeReader,
        )
    data = stacked.data
    # stackstac keeps the making of readers apart from reading, as one task per time step that all its chunks wait
    # for; dask then walks along time for all chunks at once and holds the whole stack. Our readers cost nothing
    # to make: let each chunk make its own, so that chunks finish one after the other.
    for part in data.dask.layers.values():
        part.annotations = None
    # A blockwise step keeps the graph symbolic; indexing would write out a task per chunk.
    flat = da.map_blocks(_drop_band, data, drop_axis=1, dtype=data.dtype, meta=np.empty((0, 0, 0), data.dtype))
    return xr.DataArray(flat, dims=("time", "y", "x"), name=layer.name)


def resampling_of(merges: Sequence[Merge | None], grid: GeoGrid, layer: Layer) -> Resampling:
    """How a layer that is not on the grid gets there.

    Masks by the nearest pixel; the rest by the mean over each pixel's area (backscatter is in power, so the
    mean conserves it), bilinear where the cube is finer than the product.
    """
    if layer.overview == "nearest":
        return Resampling.nearest
    # Of the file's pixels in the cube's CRS: degrees and metres do not compare.
    native = min(
        ((s.bounds[2] - s.bounds[0]) / s.grid.width for m in merges if m for s in m.sources), default=grid.resolution
    )
    return Resampling.bilinear if grid.resolution < native * 0.9 else Resampling.average


def _drop_band(block: Any) -> Any:
    return block[:, 0]


def _item(index: int, merge: Merge | None, time: np.datetime64, grid: GeoGrid, layer: Layer) -> dict[str, Any]:
    if merge is None or not merge.sources:
        href, bounds = None, grid.bounds
    else:
        edges = np.array([s.bounds for s in merge.sources])
        low, high = edges.min(axis=0), edges.max(axis=0)
        href, bounds = merge, (low[0], low[1], high[2], high[3])
    left, bottom, right, top = bounds
    # stackstac drops an item that lies outside; kept with the grid's bounds, the step stays on the time axis.
    if left >= grid.right or right <= grid.left or bottom >= grid.top or top <= grid.bottom:
        href, bounds = None, grid.bounds
    asset = {"href": href, "proj:bbox": bounds, "proj:epsg": grid.epsg}
    return {
        "type": "Feature",
        "id": str(index),
        "properties": {"datetime": str(time.astype("datetime64[ms]")) + "Z"},
        "assets": {layer.name: asset},
    }
