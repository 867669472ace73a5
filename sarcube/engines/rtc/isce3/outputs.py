"""Reads what opera-rtc wrote into the Dataset that every engine returns."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import rasterio
import xarray as xr

from sarcube.errors import EngineError
from sarcube.geometry.grid import GeoGrid

_VERSION_TAGS = {"ISCE3_VERSION": "isce3", "SOFTWARE_VERSION": "opera-rtc", "S1_READER_VERSION": "s1reader"}


def read_outputs(folder: Path, layers: Iterable[str], grid: GeoGrid) -> xr.Dataset:
    """The layers in `folder` as a Dataset on the grid.

    Parameters
    ----------
    folder : Path
        Holds one file a layer, `<anything>_<layer>.tif`.
    layers : iterable of str
        Names as in sarcube's layers table; each must be there.
    grid : GeoGrid
        What was asked for; a file on another grid is refused, never resampled.

    Returns
    -------
    xarray.Dataset
        dims (y, x); `attrs` hold the versions that made it.

    Raises
    ------
    EngineError
        A layer is missing, unreadable or on another grid.
    """
    variables: dict[str, tuple[tuple[str, str], np.ndarray]] = {}
    attributes: dict[str, str] = {}
    for layer in layers:
        values, tags = _read(_find(folder, layer), layer, grid)
        variables[layer] = (("y", "x"), values)
        attributes |= {f"version_{name}": tags[tag] for tag, name in _VERSION_TAGS.items() if tag in tags}
    return xr.Dataset(variables, coords={"y": grid.y(), "x": grid.x()}, attrs=attributes)


def _find(folder: Path, layer: str) -> Path:
    found = [
        path
        for path in sorted(folder.glob(f"*_{layer}.tif"))
        # local_incidence_angle ends like incidence_angle.
        if not (layer == "incidence_angle" and path.name.endswith("_local_incidence_angle.tif"))
    ]
    if len(found) != 1:
        there = ", ".join(sorted(p.name for p in folder.glob("*.tif"))) or "nothing"
        raise EngineError(f"opera-rtc left no layer {layer} in {folder} (there: {there}); look at its log")
    return found[0]


def _read(path: Path, layer: str, grid: GeoGrid) -> tuple[np.ndarray, dict[str, str]]:
    try:
        with rasterio.open(path) as source:
            transform, shape, crs = tuple(source.transform)[:6], source.shape, source.crs
            values = source.read(1)
            tags: dict[str, str] = source.tags()
    except rasterio.errors.RasterioError as error:
        raise EngineError(f"opera-rtc's {path.name} cannot be read: {error}; it was cut short, run it again") from error
    same = shape == grid.shape and np.allclose(transform, grid.transform, atol=1e-6, rtol=0)
    if not same or (crs is not None and crs.to_epsg() != grid.epsg):
        raise EngineError(
            f"opera-rtc's {path.name} is on another grid ({shape} pixels, transform {transform}, {crs}) than asked "
            f"for ({grid.shape}, {grid.transform}, {grid.crs}); check engine_options for geogrid options"
        )
    return values.astype(np.uint8 if layer == "mask" else np.float32, copy=False), tags
