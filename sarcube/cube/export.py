"""Out of the cube: Cloud-optimised GeoTIFFs with STAC, Zarr, NetCDF, previews."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from sarcube.cube.cog_export import CogOptions, write_cogs, write_raster
from sarcube.cube.preview import RgbOptions, write_preview, write_previews
from sarcube.cube.zarr_export import ZarrOptions, ZarrOutcome, write_zarr
from sarcube.errors import CubeError

__all__ = [
    "CogOptions",
    "RgbOptions",
    "ZarrOptions",
    "ZarrOutcome",
    "write_cogs",
    "write_cube",
    "write_netcdf",
    "write_preview",
    "write_previews",
    "write_raster",
    "write_zarr",
]


def write_cube(
    cube: xr.Dataset, address: str | Path, *, versioned: bool = False, prefix: str = "cube", overwrite: bool = False
) -> str:
    """Write a cube in the format that the address tells.

    Parameters
    ----------
    cube : Dataset
        From `open_cube`, `mosaic` or `timescan`.
    address : str or path
        `.zarr`: Zarr 3, gone on with where it was begun; `.nc`: NetCDF; no suffix: a folder of COGs with STAC items.
        Zarr and COGs may go to s3://.
    versioned : bool
        Write through icechunk, whatever the suffix.
    prefix : str
        First part of the names of COGs.
    overwrite : bool
        Write COGs again that are there.

    Returns
    -------
    str
        What was written, in words.

    Raises
    ------
    CubeError
        The suffix is of no known format.
    """
    text = str(address).rstrip("/")
    suffix = Path(text).suffix.lower()
    if versioned or suffix == ".zarr":
        outcome = write_zarr(cube, text, ZarrOptions(versioned=versioned))
        return f"{outcome.written} of {outcome.regions} regions to {text}"
    if suffix in (".nc", ".nc4"):
        if "://" in text:
            raise CubeError(f"NetCDF is written to a local file, not to {text}; write .zarr there")
        return f"{write_netcdf(cube, text)}"
    if suffix in (".tif", ".tiff", ".png"):
        raise CubeError(f"{text}: COGs go into a folder, so give its name without a suffix; .zarr and .nc are files")
    items = write_cogs(cube, text, CogOptions(prefix=prefix, overwrite=overwrite))
    return f"{sum(len(i.assets) for i in items)} COGs and {len(items)} STAC items to {text}"


def write_netcdf(cube: xr.Dataset, path: str | Path, compression: int = 1) -> Path:
    """Write a cube as NetCDF 4 with CF attributes, chunk by chunk; the file appears whole or not at all.

    Raises
    ------
    CubeError
        netCDF4 is not installed.
    """
    try:
        import netCDF4  # noqa: F401 - xarray needs it
    except ImportError as error:
        raise CubeError("writing NetCDF needs netCDF4: pip install sarcube[netcdf]") from error
    path = Path(path)
    cube = cube.copy()
    encoding = {}
    for name, variable in cube.variables.items():
        variable.encoding.clear()
        if name in cube.data_vars and {"y", "x"} <= set(variable.dims):
            sizes = {"time": 1, "y": 512, "x": 512}
            encoding[name] = {
                "zlib": compression > 0,
                "complevel": compression,
                "chunksizes": tuple(min(sizes.get(str(a), 1), n) for a, n in variable.sizes.items()),
                **({"_FillValue": np.nan} if variable.dtype.kind == "f" else {}),
            }
        elif name in ("time", "end_time"):
            encoding[name] = {"units": "microseconds since 1970-01-01", "dtype": "int64"}
    part = path.with_name(path.name + ".part")
    cube.to_netcdf(part, engine="netcdf4", encoding=encoding)
    part.replace(path)
    return path
