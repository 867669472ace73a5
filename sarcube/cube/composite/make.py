"""Makes a composite: opens what its preset needs, writes layers, picture, legend and record."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sarcube import __version__
from sarcube.cube.composite.legend import write_legend
from sarcube.cube.composite.presets import Picture, Preset, get_preset
from sarcube.cube.grid_of import grid_of
from sarcube.cube.open_cube import open_cube
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid
from sarcube.products.cog import write_cog
from sarcube.products.kinds import Layer

WEB_MERCATOR = 3857
_MOST_PIXELS = 400_000_000  # of the picture: three bytes each, and eight for each layer on the way


@dataclass(frozen=True)
class Composite:
    """The files of a composite.

    Attributes
    ----------
    layers : tuple of Path
        COGs, float32, on the grid of the products.
    rgb : Path
        COG in EPSG:3857, red, green, blue and alpha.
    png, legend, record : Path
        The same picture as PNG, its legend, and what was combined as JSON.
    """

    layers: tuple[Path, ...]
    rgb: Path
    png: Path
    legend: Path
    record: Path

    @property
    def files(self) -> tuple[Path, ...]:
        return (*self.layers, self.rgb, self.png, self.legend, self.record)


def composite(
    store: Any, out: str | Path, preset: str = "snac", *, layer: str | None = None, **selection: Any
) -> Composite:
    """Make a composite of products.

    Parameters
    ----------
    store : str, path or items
        As for `open_cube`.
    out : path
        Folder for the files; made where it is missing.
    preset : str
        "snac": two dates of backscatter.
    layer : str, optional
        In place of the preset's own: a polarization.
    **selection
        Keywords of `open_cube`: bbox, dates, resolution, crs, collection, orbit_direction, relative_orbits, ... Of the
        dates selected a preset of two takes the first and the last.

    Raises
    ------
    CubeError
        No such preset, or the store has not what it needs.
    """
    chosen = get_preset(preset)
    cube = _opened(store, chosen, layer, selection)
    grid = grid_of(cube)
    if grid.width * grid.height > _MOST_PIXELS:
        raise CubeError(
            f"the picture has {grid.width} x {grid.height} pixels, too many for one file; choose a smaller bbox or a "
            "coarser resolution"
        )
    picture = chosen.make(cube.load())
    if not picture.rgb.any():
        raise CubeError(f"preset {preset}: the dates have no pixel in common here; choose others, or another bbox")
    return _write(Path(out), chosen, picture, grid, cube)


def _opened(store: Any, preset: Preset, layer: str | None, selection: Mapping[str, Any]) -> xr.Dataset:
    if layer is not None and layer.upper() not in preset.layers:
        raise CubeError(f"preset {preset.name} takes {', '.join(preset.layers)}, not {layer}")
    if preset.one_of:
        wanted = preset.layers if layer is None else (layer.upper(),)
        cube = open_cube(store, **selection)
        name = next((name for name in wanted if name in cube), None)
        if name is None:
            raise CubeError(f"the products have no {' or '.join(wanted)}; they have {', '.join(map(str, cube))}")
        cube = cube[[name]]
    else:
        cube = open_cube(store, layers=preset.layers, **selection)
    if not preset.dates:
        return cube
    steps = cube.sizes.get("time", 0)
    if steps < preset.dates:
        days = ", ".join(str(time)[:10] for time in np.atleast_1d(cube["time"].values))
        raise CubeError(f"preset {preset.name} compares {preset.dates} dates, selected is {days or 'none'}")
    return cube.isel(time=[0, -1] if preset.dates == 2 else [0])


def _write(out: Path, preset: Preset, picture: Picture, grid: GeoGrid, cube: xr.Dataset) -> Composite:
    out.mkdir(parents=True, exist_ok=True)
    stem = "_".join([preset.stem, *(str(time)[:10].replace("-", "") for time in np.atleast_1d(cube["time"].values))])
    facts = {
        "preset": preset.name,
        "title": preset.title,
        "channels": list(picture.names),
        "products": [str(v) for v in np.atleast_1d(cube["products"].values)] if "products" in cube.coords else [],
        "crs": grid.crs,
        "resolution": grid.resolution,
        "software": f"sarcube {__version__}",
        **picture.facts,
    }
    tags = {key.upper(): value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}
    layers = []
    for name, values in picture.layers.items():
        path = out / f"{stem}_{name}.tif"
        write_cog(path, values, grid, Layer(name, name.replace("_", " "), unit=picture.units[name]), tags)
        layers.append(path)
    rgba, target = to_web_mercator(picture.rgb, grid)
    rgb = write_picture(out / f"{stem}_rgb.tif", rgba, target, tags)
    png = _write_png(out / f"{stem}_rgb.png", rgba)
    legend = write_legend(out / f"{stem}_legend.png", f"{preset.title} ({' / '.join(picture.names)})", picture.legend)
    record = out / f"{stem}.json"
    files = [path.name for path in (*layers, rgb, png, legend)]
    record.write_text(json.dumps({**facts, "files": files}, indent=1) + "\n")
    return Composite(tuple(layers), rgb, png, legend, record)


def to_web_mercator(rgb: NDArray[np.uint8], grid: GeoGrid) -> tuple[NDArray[np.uint8], GeoGrid]:
    """A picture (3, rows, columns) as red, green, blue, alpha in EPSG:3857, the nearest pixel each; and its grid."""
    from rasterio import Affine
    from rasterio.enums import Resampling
    from rasterio.warp import calculate_default_transform, reproject

    transform, width, height = calculate_default_transform(
        grid.crs, f"EPSG:{WEB_MERCATOR}", grid.width, grid.height, *grid.bounds
    )
    pixel = float(transform.a)
    target = GeoGrid(WEB_MERCATOR, float(transform.c), float(transform.f), pixel, int(width), int(height))
    seen = np.where(rgb.any(axis=0), 255, 0).astype(np.uint8)
    out = np.zeros((4, target.height, target.width), np.uint8)
    reproject(
        np.concatenate([rgb, seen[None]]), out, src_transform=Affine(*grid.transform), src_crs=grid.crs,
        dst_transform=Affine(*target.transform), dst_crs=target.crs, resampling=Resampling.nearest,
    )  # fmt: skip
    return out, target


def write_picture(path: Path, rgba: NDArray[np.uint8], grid: GeoGrid, tags: Mapping[str, str]) -> Path:
    """A picture of four bands as a COG."""
    import rasterio
    from rasterio.enums import ColorInterp
    from rasterio.io import MemoryFile
    from rasterio.shutil import copy

    profile = {
        "driver": "GTiff", "count": 4, "dtype": "uint8", "width": grid.width, "height": grid.height, "crs": grid.crs,
        "transform": rasterio.Affine(*grid.transform),
    }  # fmt: skip
    with MemoryFile() as memory:
        with memory.open(**profile) as plain:
            plain.write(rgba)
            plain.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
            plain.update_tags(**tags)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with memory.open() as plain:
                copy(plain, path, driver="COG", compress="DEFLATE", overview_resampling="average", blocksize=512)
    return path


def _write_png(path: Path, rgba: NDArray[np.uint8]) -> Path:
    from PIL import Image

    Image.fromarray(np.ascontiguousarray(np.moveaxis(rgba, 0, -1)), "RGBA").save(path)
    return path
