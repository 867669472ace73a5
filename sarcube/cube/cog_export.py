"""Cloud-optimised GeoTIFFs of a cube: one file per time step and layer, with a STAC item per step.

A raster goes to disk chunk by chunk into a tiled GeoTIFF and is then laid out as COG by GDAL, so a mosaic of
any size is written with the memory of a few chunks. Files appear whole or not at all; items come last.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pystac
import rasterio
import rasterio.shutil
import xarray as xr
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from sarcube.catalog.query import open_item
from sarcube.cube.grid_of import grid_of
from sarcube.cube.lazy import as_dask, da
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid
from sarcube.products.layers import LAYERS, NAN, Layer

_BLOCK = 512


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
        Write files again that are there; else a step whose item is there is kept as it is.
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
    folder : path
        Made where it does not exist.
    options : CogOptions, optional

    Returns
    -------
    list of pystac.Item
        One per step, assets by layer, absolute hrefs.

    Raises
    ------
    CubeError
        The cube has no CRS or evenly spaced coordinates, or the folder cannot be written.
    """
    options = options or CogOptions()
    folder = Path(folder)
    grid = grid_of(cube)
    names = list(options.layers) if options.layers is not None else [str(n) for n in cube.data_vars]
    if missing := [n for n in names if n not in cube]:
        raise CubeError(f"the cube has no layer {', '.join(missing)}; it has {', '.join(map(str, cube.data_vars))}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CubeError(f"{folder} cannot be made: {error.strerror}; choose another folder") from error
    steps = range(cube.sizes["time"]) if "time" in cube.dims else [None]
    items = []
    for step in steps:
        picture = cube[names] if step is None else cube[names].isel(time=step)
        items.append(_write_step(picture, folder, grid, options))
    return items


def write_raster(array: xr.DataArray, path: str | Path, grid: GeoGrid, tags: Mapping[str, str] | None = None) -> None:
    """Write one (y, x) array as a COG, chunk by chunk; the file appears whole or not at all."""
    layer = LAYERS.get(str(array.name)) or Layer(
        str(array.name), str(array.name), "float32", NAN, "1", "average", ("data",)
    )
    path = Path(path)
    data = as_dask(array)
    dtype = "uint8" if data.dtype == np.uint8 else "float32"
    nodata = 255 if dtype == "uint8" else NAN
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as scratch:
        raw, whole = Path(scratch, "raw.tif"), Path(scratch, "whole.tif")
        profile = {
            "driver": "GTiff", "width": grid.width, "height": grid.height, "count": 1, "dtype": dtype,
            "crs": grid.crs, "transform": rasterio.Affine(*grid.transform), "nodata": nodata,
            "tiled": True, "blockxsize": _BLOCK, "blockysize": _BLOCK, "BIGTIFF": "IF_SAFER", "SPARSE_OK": "TRUE",
        }  # fmt: skip
        with rasterio.open(raw, "w", **profile) as target:
            target.update_tags(**dict(tags or {}))
            target.set_band_description(1, layer.name)
            target.set_band_unit(1, layer.unit)
            da.store(data.astype(dtype), _Writer(target), lock=False)
        rasterio.shutil.copy(
            raw, whole, driver="COG", COMPRESS="DEFLATE", PREDICTOR="YES" if dtype == "float32" else "STANDARD",
            BLOCKSIZE=str(_BLOCK), OVERVIEW_RESAMPLING=layer.overview.upper(), BIGTIFF="IF_SAFER",
        )  # fmt: skip
        whole.replace(path)


class _Writer:
    """A target for dask's store: writes windows into an open dataset, one at a time."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        # GDAL datasets are not safe to write from several threads.
        self._lock = threading.Lock()

    def __setitem__(self, index: tuple[slice, slice], block: np.ndarray) -> None:
        rows, cols = index
        window = Window(cols.start, rows.start, cols.stop - cols.start, rows.stop - rows.start)
        with self._lock:
            self._dataset.write(block, 1, window=window)


def _write_step(picture: xr.Dataset, folder: Path, grid: GeoGrid, options: CogOptions) -> pystac.Item:
    time = picture.coords.get("time")
    moment = pd.Timestamp(time.values.item()) if time is not None else None
    stem = f"{options.prefix}_{moment:%Y%m%dT%H%M%SZ}" if moment is not None else options.prefix
    orbit = picture.coords.get("relative_orbit")
    if moment is not None and orbit is not None and int(orbit) > 0:
        stem += f"_T{int(orbit):03d}"
    record = folder / f"{stem}.json"
    if options.stac and record.exists() and not options.overwrite:
        return open_item(json.loads(record.read_text()), str(record.resolve()))
    tags = {k: str(v) for k, v in picture.attrs.items() if k.startswith("sarcube_")}
    item = _item(picture, stem, moment, grid)
    for name, array in picture.data_vars.items():
        path = folder / f"{stem}_{name}.tif"
        if options.overwrite or not path.exists() or options.stac:
            write_raster(array, path, grid, tags)
        layer = LAYERS.get(str(name))
        item.add_asset(
            str(name),
            pystac.Asset(
                str(path.resolve()),
                title=layer.title if layer else str(name),
                media_type=pystac.MediaType.COG,
                roles=list(layer.roles) if layer else ["data"],
                extra_fields={"file:size": path.stat().st_size},
            ),
        )
    if options.stac:
        item.set_self_href(str(record.resolve()))
        item.make_asset_hrefs_relative()
        part = record.with_suffix(".part")
        part.write_text(json.dumps(item.to_dict(transform_hrefs=False), indent=2))
        part.replace(record)
        item.make_asset_hrefs_absolute()
    return item


def _item(picture: xr.Dataset, stem: str, moment: pd.Timestamp | None, grid: GeoGrid) -> pystac.Item:
    west, south, east, north = transform_bounds(grid.epsg, 4326, *grid.bounds, densify_pts=21)
    properties: dict[str, Any] = {
        "proj:epsg": grid.epsg,
        "proj:code": f"EPSG:{grid.epsg}",
        "proj:shape": list(grid.shape),
        "proj:transform": list(grid.transform),
        "proj:bbox": list(grid.bounds),
        "gsd": grid.resolution,
    }
    for key, name in (("platform", "platform"), ("sat:orbit_state", "orbit_direction")):
        if name in picture.coords and (text := str(picture.coords[name].values)) and "," not in text:
            properties[key] = text
    if "relative_orbit" in picture.coords and int(picture.coords["relative_orbit"]) > 0:
        properties["sat:relative_orbit"] = int(picture.coords["relative_orbit"])
    start = moment.tz_localize("UTC").to_pydatetime() if moment is not None else None
    if start is None:
        start = pd.Timestamp.now(tz="UTC").to_pydatetime()
    properties["start_datetime"] = start.isoformat()
    if "end_time" in picture.coords:
        properties["end_datetime"] = pd.Timestamp(picture.coords["end_time"].values.item()).isoformat() + "Z"
    else:
        properties["end_datetime"] = start.isoformat()
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return pystac.Item(
        id=stem,
        geometry={"type": "Polygon", "coordinates": [ring]},
        bbox=[west, south, east, north],
        datetime=start,
        properties=properties,
        stac_extensions=["https://stac-extensions.github.io/projection/v1.2.0/schema.json"],
    )
