"""Out of the cube: Cloud-optimised GeoTIFFs with STAC, Zarr, NetCDF, previews."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from sarcube.cube.cog_export import CogOptions, write_cogs, write_raster
from sarcube.cube.preview import RgbOptions, write_preview
from sarcube.cube.zarr_export import ZarrOptions, ZarrOutcome, write_zarr
from sarcube.errors import CubeError

__all__ = [
    "CogOptions",
    "RgbOptions",
    "ZarrOptions",
    "ZarrOutcome",
    "write_cogs",
    "write_netcdf",
    "write_preview",
    "write_raster",
    "write_zarr",
]


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
