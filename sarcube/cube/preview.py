"""Pictures to look at: colour composites, PNG and GeoTIFF previews."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
import xarray as xr

from sarcube.cube.grid_of import grid_of
from sarcube.cube.layers import in_decibel, layer_of, measures
from sarcube.cube.lazy import as_dask, da
from sarcube.errors import CubeError
from sarcube.products.browse import browse_png
from sarcube.products.kinds import NAN
from sarcube.text_file import writing
from sarcube.transfer.atomic import written_whole


@dataclass(frozen=True)
class RgbOptions:
    """How backscatter becomes colour.

    Attributes
    ----------
    red, green : str
        Layers, the co- and the cross-polarized one; blue is their ratio.
    limits : tuple of pairs
        Decibel that become 0 and 255, for red, green and blue.
    """

    red: str = "VV"
    green: str = "VH"
    limits: tuple[tuple[float, float], tuple[float, float], tuple[float, float]] = ((-20, 0), (-26, -5), (2, 15))


def to_db(power: xr.DataArray) -> xr.DataArray:
    """Decibel of linear power; zero and less become NaN."""
    logarithm: xr.DataArray = xr.ufuncs.log10(power.where(power > 0))
    return (10 * logarithm).astype(np.float32).assign_attrs({**power.attrs, "units": "dB"})


def rgb(cube: xr.Dataset, options: RgbOptions | None = None) -> xr.DataArray:
    """Colour composite of co-polarization, cross-polarization and their ratio.

    Returns
    -------
    DataArray
        Lazy, uint8, (band, y, x) or (time, band, y, x) with bands r, g, b, a; transparent where nothing was seen.
    """
    options = options or _usual(cube) or RgbOptions()
    if options.red not in cube:
        raise CubeError(f"the cube has no layer {options.red}; it has {', '.join(map(str, cube.data_vars))}")
    red = cube[options.red]
    # Single polarization gives shades of grey.
    green = cube.get(options.green)
    order = ("time", "y", "x") if "time" in red.dims else ("y", "x")
    inputs = [as_dask(v) for v in (red, green) if v is not None]
    colours = da.map_blocks(
        _colour, *inputs, dtype=np.uint8, new_axis=len(order), chunks=(*inputs[0].chunks, (4,)), limits=options.limits,
        meta=np.empty((0,) * (len(order) + 1), np.uint8),
    )  # fmt: skip
    result = xr.DataArray(
        colours, dims=(*order, "band"), coords={**red.coords, "band": ["r", "g", "b", "a"]}, name="rgb"
    )
    return result.transpose(*order[:-2], "band", "y", "x")


def write_preview(picture: xr.Dataset, path: str | Path, size: int = 1024, options: RgbOptions | None = None) -> Path:
    """Write one picture (y, x) as PNG or, for a path that ends in .tif, as GeoTIFF; the longer side at most `size`.

    Pixels are averaged in power before they become colour.
    """
    path = Path(path)
    if path.suffix.lower() not in (".png", ".tif", ".tiff"):
        raise CubeError(f"a preview is .png or .tif, not {path.suffix or path.name}")
    if "time" in picture.dims:
        if picture.sizes["time"] != 1:
            raise CubeError(
                f"a preview shows one time step, not {picture.sizes['time']}; choose one with .isel(time=0)"
            )
        picture = picture.isel(time=0)
    grid = grid_of(picture)
    factor = max(1, -(-max(grid.shape) // size))
    options = options or _usual(picture)
    if options is None:
        return _plain(picture, path, factor)
    layers = picture[[n for n in (options.red, options.green) if n in picture]]
    small = layers.coarsen(y=factor, x=factor, boundary="pad").mean()
    colours = rgb(small, options).compute()
    if path.suffix.lower() == ".png":
        from PIL import Image

        with writing(path), written_whole(path) as part:
            Image.fromarray(colours.transpose("y", "x", "band").values, "RGBA").save(part)
        return path
    resolution = grid.resolution * factor
    profile = {
        "driver": "GTiff", "width": colours.sizes["x"], "height": colours.sizes["y"], "count": 4, "dtype": "uint8",
        "crs": grid.crs, "transform": rasterio.Affine(resolution, 0, grid.left, 0, -resolution, grid.top),
        "compress": "deflate", "tiled": True, "photometric": "RGB", "alpha": "unspecified",
    }  # fmt: skip
    with writing(path), written_whole(path) as part, rasterio.open(part, "w", **profile) as target:
        target.write(colours.transpose("band", "y", "x").values)
    return path


def _usual(cube: xr.Dataset) -> RgbOptions | None:
    """The first two measures that people read in decibel; None where there are none."""
    if RgbOptions.red in cube:
        return RgbOptions()
    powers = [name for name in measures(cube) if in_decibel(cube[name])]
    return RgbOptions(powers[0], powers[1] if len(powers) > 1 else "") if powers else None


def _plain(picture: xr.Dataset, path: Path, factor: int) -> Path:
    """The first layer of what is no backscatter, as browse images of products show it, cut to where there are data."""
    rasters = {str(n): v for n, v in picture.data_vars.items() if {"y", "x"} <= set(v.dims) and v.ndim == 2}
    if not rasters:
        raise CubeError(
            f"there is no layer (y, x) to show; there are {', '.join(map(str, picture.data_vars)) or 'none'}"
        )
    if path.suffix.lower() != ".png":
        raise CubeError(f"{path.name}: what is no backscatter is shown as .png; write .tif with sarcube.write_cube")
    variable = next(iter(rasters.values()))
    layer = layer_of(variable)
    values = variable.isel(y=slice(None, None, factor), x=slice(None, None, factor)).values
    if layer.dtype != values.dtype.name:  # a type that no raster has
        layer, values = replace(layer, dtype="float32", nodata=NAN), values.astype(np.float32)
    with writing(path), written_whole(path) as part:
        part.write_bytes(browse_png([values], [layer]))
    return path


def write_previews(
    cube: xr.Dataset, folder: str | Path, size: int = 1024, options: RgbOptions | None = None
) -> list[Path]:
    """A PNG of every time step, named by its time."""
    folder = Path(folder)
    if "time" not in cube.dims:
        return [write_preview(cube, folder / "preview.png", size, options)]
    names = [f"{pd.Timestamp(t):%Y%m%dT%H%M%SZ}.png" for t in cube["time"].values]
    return [write_preview(cube.isel(time=i), folder / name, size, options) for i, name in enumerate(names)]


def _colour(
    red: np.ndarray, green: np.ndarray | None = None, limits: tuple[tuple[float, float], ...] = ()
) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        if green is None:
            bands, scales = [red, red, red], [limits[0]] * 3
        else:
            bands, scales = [red, green, red / green], list(limits)
        levels = [10 * np.log10(band) for band in bands]
    seen = np.isfinite(levels[0]) & np.isfinite(levels[1])
    out = np.zeros((*red.shape, 4), np.uint8)
    for i, (level, (low, high)) in enumerate(zip(levels, scales, strict=True)):
        scaled = np.clip((level - low) / (high - low), 0, 1) * 255
        out[..., i] = np.where(seen, scaled, 0).astype(np.uint8)
    out[..., 3] = np.where(seen, 255, 0)
    return out
