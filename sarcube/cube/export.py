"""Out of the cube: Cloud-optimised GeoTIFFs with STAC, Zarr, NetCDF, previews."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from sarcube.cube.cf import check_made_alike, exported, has_pixels, made_by
from sarcube.cube.cog_export import CogOptions, write_cogs, write_raster, write_steps
from sarcube.cube.preview import RgbOptions, write_preview, write_previews
from sarcube.cube.zarr_export import ZarrOptions, ZarrOutcome, write_zarr
from sarcube.errors import CubeError, SarcubeError
from sarcube.extras import need
from sarcube.transfer.atomic import written_whole
from sarcube.words import several

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
        Zarr and COGs may go to s3://. What is there and was made alike is kept.
    versioned : bool
        Write through icechunk, whatever the suffix.
    prefix : str
        First part of the names of COGs.
    overwrite : bool
        Write anew what is there.

    Returns
    -------
    str
        What was written, in words.

    Raises
    ------
    CubeError
        The suffix is of no known format, the address cannot be written, or what is there is another cube or was
        made otherwise.
    """
    text = str(address).rstrip("/")
    suffix = Path(text).suffix.lower()
    if versioned or suffix == ".zarr":
        outcome = write_zarr(cube, text, ZarrOptions(versioned=versioned, overwrite=overwrite))
        existed = f"; {outcome.before} existed" if outcome.before else ""
        return f"{outcome.written} of {outcome.regions} regions to {text}{existed}"
    if suffix in (".nc", ".nc4"):
        if "://" in text:
            raise CubeError(f"NetCDF is written to a local file, not to {text}; write .zarr there")
        if not overwrite and _existed(cube, Path(text)):
            return f"nothing to {text}; it existed"
        return f"{write_netcdf(cube, text)}"
    if suffix in (".tif", ".tiff", ".png"):
        raise CubeError(f"{text}: COGs go into a folder, so give its name without a suffix; .zarr and .nc are files")
    steps = list(write_steps(cube, text, CogOptions(prefix=prefix, overwrite=overwrite)))
    new = [item for item, existed in steps if not existed]
    existed = f"; {len(steps) - len(new)} existed" if len(new) < len(steps) else ""
    cogs, items = several(sum(len(i.assets) for i in new), "COG"), several(len(new), "STAC item")
    return f"{cogs} and {items} to {text}{existed}"


def _existed(cube: xr.Dataset, path: Path) -> bool:
    """Whether a NetCDF file is there that holds this cube.

    Raises
    ------
    CubeError
        It holds something else, or was made otherwise.
    """
    if not path.exists():
        return False
    try:
        with xr.open_dataset(path, engine="netcdf4", chunks=None) as there:
            differing = [
                a
                for a in ("time", "y", "x")
                if a in cube.dims and (a not in there.dims or not np.array_equal(cube[a].values, there[a].values))
            ]
            differing += [str(n) for n in cube.data_vars if n not in there]
            if not differing:
                check_made_alike(made_by(cube), made_by(there), str(path))
    except (OSError, ValueError) as error:
        if isinstance(error, CubeError):
            raise
        raise CubeError(f"{path} is there and is no NetCDF that can be read ({error}); overwrite it") from error
    if differing:
        raise CubeError(
            f"{path} holds another cube (it differs in {', '.join(differing)}); choose another file, or overwrite it "
            "(--overwrite)"
        )
    return True


def write_netcdf(cube: xr.Dataset, path: str | Path, compression: int = 1) -> Path:
    """Write a cube as NetCDF 4 with CF attributes, chunk by chunk; the file appears whole or not at all.

    Raises
    ------
    MissingExtraError
        netCDF4 is not installed.
    CubeError
        The file cannot be written.
    """
    need("netCDF4", "netcdf")  # for xarray
    path = Path(path)
    cube = exported(cube)
    if complex_ := [str(name) for name, variable in cube.data_vars.items() if variable.dtype.kind == "c"]:
        raise CubeError(
            f"NetCDF has no complex numbers, and {', '.join(complex_)} has such; write .zarr or COGs, or its magnitude "
            "and phase"
        )
    encoding = {}
    for name, variable in cube.variables.items():
        if name in cube.data_vars and has_pixels(variable):
            sizes = {"time": 1, "y": 512, "x": 512}
            encoding[name] = {
                "zlib": compression > 0,
                "complevel": compression,
                "chunksizes": tuple(min(sizes.get(str(a), 1), n) for a, n in variable.sizes.items()),
                **variable.encoding,
            }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as part:
            part.touch()  # netCDF4's own message names no reason
            cube.to_netcdf(part, engine="netcdf4", encoding=encoding)
    except (OSError, RuntimeError) as error:  # the latter is the library's: NetCDF: HDF error
        if isinstance(error, SarcubeError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise CubeError(f"{path} cannot be written: {reason}; choose another place, or make room") from error
    return path
