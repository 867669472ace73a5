"""Cloud-optimised GeoTIFFs of a cube: one file per time step and layer, with a STAC item per step.

A raster goes to disk chunk by chunk into a tiled GeoTIFF and is then laid out as COG by GDAL, so a mosaic of
any size is written with the memory of a few chunks. Files appear whole or not at all; items come last.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pystac
import rasterio
import rasterio.shutil
import xarray as xr
from rasterio.errors import RasterioError
from rasterio.windows import Window

from sarcube.catalog.extensions import PROJECTION
from sarcube.catalog.footprint import footprint
from sarcube.catalog.items import raster_fields
from sarcube.catalog.query import open_item
from sarcube.cube.cf import check_made_alike, classes, fill_of, made_by
from sarcube.cube.grid_of import grid_of
from sarcube.cube.handles import WRITE_CACHE
from sarcube.cube.layers import layer_of
from sarcube.cube.lazy import as_dask, compute, da, on_cluster
from sarcube.cube.pairs.fields import pair_properties
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.lattice import pixel_metres
from sarcube.products.kinds import DTYPES
from sarcube.store.local_store import LocalStore
from sarcube.store.protocol import Store, open_store
from sarcube.text_file import writing
from sarcube.transfer.atomic import scratch_beside

if TYPE_CHECKING:
    from dask.array import Array

_BLOCK = 512
_BLOCKS_AT_ONCE = 32
_STATIC = "static_layers"
_MADE_BY = "sarcube:made_by"
_TAG = "SARCUBE_MADE_BY"


@dataclass(frozen=True)
class CogOptions:
    """How COGs are written.

    Attributes
    ----------
    prefix : str
        First part of every file name.
    layers : sequence of str, optional
        By default all.
    stac : bool
        Write an item beside each step's files.
    overwrite : bool
        Write files again that are there; else a step that is there and was made alike is kept as it is.
    """

    prefix: str = "mosaic"
    layers: Sequence[str] | None = None
    stac: bool = True
    overwrite: bool = False


def write_cogs(cube: xr.Dataset, folder: str | Path, options: CogOptions | None = None) -> list[pystac.Item]:
    """Write every time step of a cube as COGs.

    Parameters
    ----------
    cube : Dataset
        Dimensions (time, y, x), or (y, x) for one picture.
    folder : path or str
        Made where it does not exist; or an s3:// address, where files go as soon as a step is written.
    options : CogOptions, optional

    Returns
    -------
    list of pystac.Item
        One per step, assets by layer, absolute hrefs; and one of layers without a time axis, where there are both.

    Raises
    ------
    CubeError
        The cube has no CRS or evenly spaced coordinates, the folder cannot be written, or what is there is of
        another place or time, or was made otherwise.
    """
    return [item for item, _ in write_steps(cube, folder, options)]


def write_steps(
    cube: xr.Dataset, folder: str | Path, options: CogOptions | None = None
) -> Iterator[tuple[pystac.Item, bool]]:
    """As `write_cogs`, step by step; with each item whether it was there before."""
    options = options or CogOptions()
    cube = classes(cube)
    grid = grid_of(cube)
    names = list(options.layers) if options.layers is not None else [str(n) for n in cube.data_vars]
    if missing := [n for n in names if n not in cube]:
        raise CubeError(f"the cube has no layer {', '.join(missing)}; it has {', '.join(map(str, cube.data_vars))}")
    store = open_store(str(folder))
    if isinstance(store, LocalStore):
        try:
            store.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CubeError(f"{folder} cannot be made: {error.strerror}; choose another folder") from error
    for picture in _pictures(cube, names):
        yield _write_step(picture, store, grid, options)


def write_raster(array: xr.DataArray, path: str | Path, grid: GeoGrid, tags: Mapping[str, str] | None = None) -> None:
    """Write one (y, x) array as a COG, chunk by chunk; the file appears whole or not at all."""
    layer = layer_of(array)
    path = Path(path)
    data = as_dask(array)
    dtype = _dtype(array)
    nodata = fill_of(array)
    with rasterio.Env(GDAL_CACHEMAX=WRITE_CACHE), scratch_beside(path) as scratch:
        raw, whole = scratch / "raw.tif", scratch / "whole.tif"
        profile = {
            "driver": "GTiff", "width": grid.width, "height": grid.height, "count": 1, "dtype": dtype,
            "crs": grid.crs, "transform": rasterio.Affine(*grid.transform), "nodata": nodata,
            "tiled": True, "blockxsize": _BLOCK, "blockysize": _BLOCK, "BIGTIFF": "IF_SAFER", "SPARSE_OK": "TRUE",
        }  # fmt: skip
        with rasterio.open(raw, "w", **profile) as target:
            target.update_tags(**dict(tags or {}))
            target.set_band_description(1, layer.name)
            target.set_band_unit(1, layer.unit)
            _store(data.astype(dtype), _Writer(target))
        rasterio.shutil.copy(
            raw, whole, driver="COG", COMPRESS="DEFLATE", PREDICTOR=_predictor(dtype),
            BLOCKSIZE=str(_BLOCK), OVERVIEW_RESAMPLING=layer.overview.upper(), BIGTIFF="IF_SAFER",
        )  # fmt: skip
        whole.replace(path)


def _predictor(dtype: str) -> str:
    """What of GDAL's predictors a type of numbers has."""
    return "NO" if dtype == "complex128" else "YES" if dtype in ("float32", "float64") else "STANDARD"


def _pictures(cube: xr.Dataset, names: Sequence[str]) -> Iterator[xr.Dataset]:
    """One dataset (y, x) for each item to write."""
    steps = [n for n in names if "time" in cube[n].dims]
    still = [n for n in names if "time" not in cube[n].dims]
    for step in range(cube.sizes["time"]) if steps else ():
        yield cube[steps].isel(time=step)
    if still:
        rest = _tracks_apart(cube[still])
        if "time" in cube.coords and "time" not in rest.coords:
            times = cube["time"].values
            rest.attrs |= {"time_first": str(times.min())[:19], "time_last": str(times.max())[:19]}
        if steps:
            rest.attrs[_STATIC] = True
        yield rest


def _tracks_apart(still: xr.Dataset) -> xr.Dataset:
    flat = {}
    for name, variable in still.data_vars.items():
        if "track" not in variable.dims:
            flat[str(name)] = variable
            continue
        for track in variable["track"].values:
            flat[f"{name}_T{int(track):03d}"] = variable.sel(track=track, drop=True)
    return xr.Dataset(flat, attrs=dict(still.attrs))


def _store(data: Array, target: _Writer) -> None:
    if not on_cluster():
        da.store(data, target, lock=False)
        return
    # Workers elsewhere cannot write into our file: a few blocks at a time come here.
    edges = [np.cumsum([0, *sizes]) for sizes in data.chunks]
    places = list(np.ndindex(*data.numblocks))
    for first in range(0, len(places), _BLOCKS_AT_ONCE):
        batch = places[first : first + _BLOCKS_AT_ONCE]
        for (i, j), block in zip(batch, compute(*(data.blocks[i, j] for i, j in batch)), strict=True):
            target[slice(edges[0][i], edges[0][i + 1]), slice(edges[1][j], edges[1][j + 1])] = block


class _Writer:
    """A target for dask's store: writes windows into an open dataset, one at a time."""

    def __init__(self, dataset: rasterio.io.DatasetWriter) -> None:
        self._dataset = dataset
        # GDAL datasets are not safe to write from several threads.
        self._lock = threading.Lock()

    def __setitem__(self, index: tuple[slice, slice], block: np.ndarray) -> None:
        rows, cols = index
        window = Window(cols.start, rows.start, cols.stop - cols.start, rows.stop - rows.start)
        with self._lock:
            self._dataset.write(block, 1, window=window)


def _stem(picture: xr.Dataset, options: CogOptions) -> str:
    time, orbit = picture.coords.get("time"), picture.coords.get("relative_orbit")
    if time is None:
        return f"{options.prefix}_static" if _STATIC in picture.attrs else options.prefix
    stem = f"{options.prefix}_{pd.Timestamp(time.values.item()):%Y%m%dT%H%M%SZ}"
    if (second := picture.coords.get("secondary")) is not None and not np.isnat(second.values):
        stem += f"_{pd.Timestamp(second.values.item()):%Y%m%dT%H%M%SZ}"
    return f"{stem}_T{int(orbit):03d}" if orbit is not None and int(orbit) > 0 else stem


def _dtype(array: xr.DataArray) -> str:
    """As it is, where rasters have such numbers; else the narrowest that holds them."""
    name, kind = array.dtype.name, array.dtype.kind
    return (
        name
        if name in DTYPES
        else {"b": "uint8", "f": "float32" if array.dtype.itemsize < 4 else "float64"}.get(kind, "float64")
    )


def _write_step(picture: xr.Dataset, store: Store, grid: GeoGrid, options: CogOptions) -> tuple[pystac.Item, bool]:
    stem = _stem(picture, options)
    record = f"{stem}.json"
    item = _item(picture, stem, grid)
    if options.stac and not options.overwrite and store.exists(record):
        written = open_item(json.loads(store.read_bytes(record)), store.href(record))
        if _complete(written, item, picture):
            return written, True
        _take_over(item, written)
    tags, kept = _tags(picture), 0
    for name, array in picture.data_vars.items():
        key = f"{stem}_{name}.tif"
        known = None if options.overwrite or options.stac else store.stat(key)
        if known:
            _check_file(store, key, grid, tags)
            kept += 1
        size = known.size if known else _write_file(array, store, key, grid, tags)
        item.add_asset(str(name), _asset(array, store.href(key), size))
    if options.stac:
        store.write_bytes(record, _json(item, store.href(record)))
    return item, kept == len(picture.data_vars)


def _check_file(store: Store, key: str, grid: GeoGrid, tags: Mapping[str, str]) -> None:
    """Refuse a file without an item that is of another place or was made otherwise."""
    try:
        with rasterio.Env(**store.gdal_options()), rasterio.open(store.gdal_path(key), driver="GTiff") as there:
            made = there.tags().get(_TAG)
            same = (there.shape, list(there.transform)[:6]) == (grid.shape, list(grid.transform))
    except RasterioError as error:
        raise CubeError(f"{store.href(key)} is there and cannot be read ({error}); overwrite it") from error
    if not same:
        raise CubeError(f"{store.href(key)} is of another grid; choose another folder, or overwrite it")
    check_made_alike(json.loads(tags[_TAG]), json.loads(made) if made else None, store.href(key))


def _write_file(array: xr.DataArray, store: Store, key: str, grid: GeoGrid, tags: Mapping[str, str]) -> int:
    """Write a COG into a store; returns its size in bytes."""
    if isinstance(store, LocalStore):
        with writing(store.path(key)) as path:
            write_raster(array, path, grid, tags)
            return path.stat().st_size
    with tempfile.TemporaryDirectory(prefix="sarcube-") as scratch:
        path = Path(scratch, key)
        write_raster(array, path, grid, tags)
        store.upload(path, key)
        return path.stat().st_size


def _tags(picture: xr.Dataset) -> dict[str, str]:
    told = {k: str(v) for k, v in picture.attrs.items() if k.startswith("sarcube_")}
    return told | {_TAG: json.dumps(made_by(picture), sort_keys=True)}


def _asset(array: xr.DataArray, href: str, size: int) -> pystac.Asset:
    dtype, told = _dtype(array), layer_of(array)
    # Statistics and the like tell their type, not that of what they are made of.
    layer = told if told.classes else replace(told, dtype=dtype, nodata=fill_of(array) or 0.0)
    return pystac.Asset(
        href,
        title=layer.title,
        media_type=pystac.MediaType.COG,
        roles=list(layer.stac_roles),
        extra_fields={
            "file:size": size,
            **raster_fields(layer),
            "nodata": "nan" if dtype[0] in "fc" else fill_of(array),
        },
    )


def _take_over(item: pystac.Item, written: pystac.Item) -> None:
    # Layers of an earlier call stay part of the step.
    for name, asset in written.assets.items():
        item.add_asset(name, asset)


def _json(item: pystac.Item, href: str) -> bytes:
    """The item as it is stored at `href`, its assets beside it."""
    item.set_self_href(href)
    stored = item.to_dict(transform_hrefs=False)
    for asset in stored["assets"].values():
        asset["href"] = "./" + asset["href"].rsplit("/", 1)[1]
    return json.dumps(stored, indent=2).encode()


def _complete(written: pystac.Item, item: pystac.Item, picture: xr.Dataset) -> bool:
    """Whether an item that is there holds all layers of this picture.

    Raises
    ------
    CubeError
        It is of another area or time, or was made otherwise.
    """
    for key in ("proj:code", "proj:shape", "proj:transform", "start_datetime", "end_datetime"):
        if key.endswith("datetime") and "time" not in picture.coords and "time_first" not in picture.attrs:
            continue
        mine, other = item.properties[key], written.properties.get(key)
        if mine != other:
            raise CubeError(
                f"{written.get_self_href()} is of another picture ({key} {other}, not {mine}); "
                "choose another folder, or overwrite it"
            )
    check_made_alike(item.properties[_MADE_BY], written.properties.get(_MADE_BY), str(written.get_self_href()))
    return set(map(str, picture.data_vars)) <= set(written.assets)


def _item(picture: xr.Dataset, stem: str, grid: GeoGrid) -> pystac.Item:
    place = footprint((), grid)
    properties: dict[str, object] = {
        "proj:epsg": grid.epsg,
        "proj:code": f"EPSG:{grid.epsg}",
        "proj:shape": list(grid.shape),
        "proj:transform": list(grid.transform),
        "proj:bbox": list(grid.bounds),
        "gsd": pixel_metres(grid),
        _MADE_BY: made_by(picture),
    }
    for key, name in (("platform", "platform"), ("sat:orbit_state", "orbit_direction")):
        if name in picture.coords and (text := str(picture.coords[name].values)) and "," not in text:
            properties[key] = text
    if "relative_orbit" in picture.coords and int(picture.coords["relative_orbit"]) > 0:
        properties["sat:relative_orbit"] = int(picture.coords["relative_orbit"])
    if _STATIC in picture.attrs:
        properties["sarcube:timed"] = False
    pair, extensions = pair_properties(picture)
    properties |= pair
    start, end = _span(picture)
    properties["start_datetime"], properties["end_datetime"] = (f"{t.isoformat()}Z" for t in (start, end))
    return pystac.Item(
        id=stem,
        geometry=place.geometry,
        bbox=list(place.bbox),
        datetime=start.tz_localize("UTC").to_pydatetime(warn=False),
        properties=properties,
        stac_extensions=[PROJECTION, *extensions],
    )


def _span(picture: xr.Dataset) -> tuple[pd.Timestamp, pd.Timestamp]:
    # A time step knows its own; metrics over time know what they were made of; else all we know is now.
    if "time" in picture.coords:
        start = pd.Timestamp(picture.coords["time"].values.item())
        return start, pd.Timestamp(picture.coords.get("end_time", picture.coords["time"]).values.item())
    if "time_first" in picture.attrs:
        return pd.Timestamp(picture.attrs["time_first"]), pd.Timestamp(picture.attrs["time_last"])
    now = pd.Timestamp.now(tz="UTC").tz_localize(None).floor("s")
    return now, now
