"""The one place that knows stackstac: time steps in, a lazy array out.

stackstac (0.5.1) lays out the grid, the axes and the graph; sarcube tells it the exact grid, one "item" per
time step, and its own reader, which merges the products of a step (see `reader`). What is set against its defaults:
`epsg`, `bounds`, `resolution` are given and nothing is snapped, so its grid is ours; `rescale` is off, so that
float32 stays; errors are never turned into nodata; coordinates are pixel centres.

All of that is stackstac's public face, and enough for right pixels. `_read_by_chunk` alone looks into the graph that it
made, for speed; where that graph is not as in 0.5.1 (`table_of`), the array is used as it came.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dask
import numpy as np
import stackstac
import xarray as xr
from dask.blockwise import Blockwise, blockwise
from dask.highlevelgraph import HighLevelGraph
from dask.layers import ArraySliceDep
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.windows import Window

from sarcube.cube.cube_variable import CubeVariable
from sarcube.cube.lazy import da
from sarcube.cube.reader import Merge, MergeReader
from sarcube.cube.through_time import Origin
from sarcube.geometry.grid import GeoGrid
from sarcube.products.kinds import Layer

if TYPE_CHECKING:
    from dask.array import Array


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
    table = table_of(stacked.data)
    pixels = stacked.data if table is None else _read_by_chunk(stacked.data, table, layer)
    # A blockwise step keeps the graph symbolic; indexing would write out a task per chunk.
    values = da.map_blocks(_drop_band, pixels, drop_axis=1, dtype=layer.dtype, meta=np.empty((0, 0, 0), layer.dtype))
    variable = xr.Variable(("time", "y", "x"), values)
    if table is not None and np.dtype(layer.dtype) == np.float32 and np.isnan(layer.nodata):
        origin = Origin(tuple(merges), grid, resampling_of(merges, grid, layer), float(layer.nodata))
        variable = CubeVariable.of(variable, origin)
    return xr.Dataset({layer.name: variable})[layer.name]  # a DataArray made alone would take the array out


def table_of(stacked: Array) -> str | None:
    """Name of the graph's layer whose blocks are stackstac's readers; None where a newer one makes another graph."""
    if not isinstance(stacked.dask, HighLevelGraph):
        return None
    below = tuple(stacked.dask.dependencies.get(stacked.name, ()))
    return below[0] if len(below) == 1 and isinstance(stacked.dask.layers[below[0]], Blockwise) else None


def _read_by_chunk(stacked: Array, table: str, layer: Layer) -> Array:
    """stackstac's table of readers, read into chunks (time, y, x) with one copy of the pixels.

    stackstac keeps the making of readers apart from reading, as one task per time step that all its chunks wait
    for: dask then walks along time for all chunks at once and holds the whole stack. It also fills, compares and
    copies every chunk once more. Our readers cost nothing to make and know what is empty, so each chunk makes its
    own, and chunks finish one after the other.
    """
    readers = stacked.dask.layers[table]
    readers.annotations = None
    name = f"read-{layer.name}-{dask.base.tokenize(stacked.name)}"
    reading = blockwise(
        _read_chunk, name, "tbyx", table, "tb", ArraySliceDep(stacked.chunks[2:]), "yx",
        np.dtype(layer.dtype), None, np.dtype(layer.dtype).type(layer.nodata), None,
        numblocks={table: stacked.numblocks[:2]},
    )  # fmt: skip
    above = {k: v for k, v in stacked.dask.layers.items() if k != stacked.name}
    links = {k: v for k, v in stacked.dask.dependencies.items() if k != stacked.name}
    graph = HighLevelGraph({**above, name: reading}, {**links, name: {table}})
    array: Array = da.Array(graph, name, stacked.chunks, meta=np.empty((0, 0, 0, 0), layer.dtype))
    return array


def _read_chunk(
    table: NDArray[np.object_], slices: tuple[slice, slice], dtype: np.dtype[np.generic], fill: np.generic
) -> NDArray[np.generic]:
    window = Window.from_slices(*slices)
    shape = (int(window.height), int(window.width))
    pictures: list[NDArray[np.generic] | None] = [e[0].read(window) if e else None for e in table[:, 0]]
    seen = [picture for picture in pictures if picture is not None]
    if not seen:
        return np.broadcast_to(fill, (len(pictures), 1, *shape))
    if len(pictures) == 1:
        return seen[0][None, None]
    out = np.full((len(pictures), 1, *shape), fill, dtype)
    for target, picture in zip(out[:, 0], pictures, strict=True):
        if picture is not None:
            target[:] = picture
    return out


def _drop_band(block: NDArray[np.generic]) -> NDArray[np.generic]:
    return block[:, 0]


def resampling_of(merges: Sequence[Merge | None], grid: GeoGrid, layer: Layer) -> Resampling:
    """How a layer that is not on the grid gets there.

    Masks and whole numbers by the nearest pixel; the rest by the mean over each pixel's area (which conserves what is
    linear in power), bilinear where the cube is finer than the product.
    """
    if layer.overview == "nearest" or layer.classes:
        return Resampling.nearest
    # Of the file's pixels in the cube's CRS: degrees and metres do not compare.
    native = min(
        ((s.bounds[2] - s.bounds[0]) / s.grid.width for m in merges if m for s in m.sources), default=grid.resolution
    )
    return Resampling.bilinear if grid.resolution < native * 0.9 else Resampling.average


def _item(index: int, merge: Merge | None, time: np.datetime64, grid: GeoGrid, layer: Layer) -> dict[str, object]:
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
