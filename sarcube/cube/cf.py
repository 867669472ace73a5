"""What a cube says of itself where other programs read it: CRS, fill values, and how it was made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np
import xarray as xr

from sarcube.cube.grid_of import grid_of
from sarcube.cube.layers import FILLS, NODATA, layer_of
from sarcube.errors import CubeError

# Attributes that tell how pixels were made, beside those that begin with sarcube_.
_MADE_BY = (
    "outliers_removed", "scale", "enl", "alpha", "independent",
    "before_time_first", "before_time_last", "after_time_first", "after_time_last",
)  # fmt: skip
_PIXELS_MADE_BY = ("units", "speckle_filter", "speckle_window", "speckle_enl")
PRODUCTS = "products"


def fill_of(variable: xr.DataArray | xr.Variable) -> float | int | None:
    """The value that marks pixels without data in an array; None where there is none."""
    dtype = variable.dtype
    if dtype.kind in "fc":
        return float("nan")
    stated = variable.attrs.get(NODATA)
    return FILLS.get(dtype.name) if stated is None else int(stated)


def with_grid(result: xr.Dataset, cube: xr.Dataset) -> xr.Dataset:
    """Let every raster of `result` name the CRS variable of the cube that it was made of, and every text be written."""
    import rioxarray  # noqa: F401 - registers .rio

    name = cube.rio.grid_mapping
    if name in result.coords:
        for variable in result.data_vars.values():
            if has_pixels(variable):
                variable.attrs.pop("grid_mapping", None)
                variable.encoding["grid_mapping"] = name
    for coordinate in result.coords.values():
        if coordinate.dtype.kind == "U":  # Zarr 3 has no specification of texts of a fixed width
            coordinate.encoding["dtype"] = np.dtype(object)
    return result


def has_pixels(variable: xr.DataArray | xr.Variable) -> bool:
    """Whether a variable is a raster."""
    return {"y", "x"} <= set(variable.dims)


def classes(cube: xr.Dataset) -> xr.Dataset:
    """The cube with its masks whole numbers, where a reader made floats and NaN of their fill value."""
    whole = {}
    for name, variable in cube.data_vars.items():
        if variable.dtype.kind == "f" and (layer := layer_of(variable)).classes:
            whole[name] = variable.fillna(layer.nodata).astype(layer.dtype)
    return cube.assign(whole) if whole else cube


def exported(cube: xr.Dataset) -> xr.Dataset:
    """A copy in CF form: each raster names its CRS, which has the grid's transform, and declares its fill value.

    Raises
    ------
    CubeError
        The cube has no CRS.
    """
    import rioxarray  # noqa: F401 - registers .rio

    cube = classes(cube).copy()
    crs = cube.rio.crs
    if crs is None:
        raise CubeError("the data have no CRS; set one with .rio.write_crs(epsg)")
    for raw in cube.variables.values():
        raw.encoding.clear()
        raw.attrs.pop("grid_mapping", None)
    cube = cube.rio.write_crs(crs)
    name = cube.rio.grid_mapping
    # A cut cube still has the whole one's transform: GDAL would believe it rather than x and y.
    cube[name].attrs.pop("GeoTransform", None)
    try:
        from rasterio import Affine

        cube = cube.rio.write_transform(Affine(*grid_of(cube).transform))
    except CubeError:
        pass  # spaced unevenly: x and y say all there is
    cube = with_grid(cube.rio.write_coordinate_system(), cube)
    for variable in cube.data_vars.values():
        variable.attrs.pop("_FillValue", None)
        if has_pixels(variable) and (fill := fill_of(variable)) is not None:
            variable.encoding["_FillValue"] = fill
        # The CRS too: who reads without decode_coords="all" would take it for a layer, and rioxarray not find it.
        beside = [str(n) for n, c in cube.coords.items() if n not in cube.dims and set(c.dims) <= set(variable.dims)]
        if has_pixels(variable) and beside:
            variable.attrs["coordinates"] = " ".join(sorted(beside))
    for name in ("time", "end_time"):
        if name in cube.coords and cube[name].dims == ("time",):
            # An axis that may grow needs an encoding that later dates fit in too.
            cube[name].encoding |= {"units": "microseconds since 1970-01-01", "dtype": "int64"}
    return cube.assign_attrs(Conventions="CF-1.11")


def fingerprint(names: Iterable[str]) -> str:
    """Sixteen letters that stand for a set of products (item ids, or fingerprints)."""
    return hashlib.sha256("\n".join(sorted(set(names))).encode()).hexdigest()[:16]


def made_by(cube: xr.Dataset) -> dict[str, str]:
    """How the pixels of a cube or a picture were made: options, filters and products, by name."""
    facts = {k.removeprefix("sarcube_"): v for k, v in cube.attrs.items() if k in _MADE_BY or _is_ours(k)}
    for name, variable in cube.data_vars.items():
        facts |= {f"{name}:{k}": variable.attrs[k] for k in _PIXELS_MADE_BY if k in variable.attrs}
    if PRODUCTS in cube.coords:
        facts[PRODUCTS] = fingerprint(map(str, np.atleast_1d(cube[PRODUCTS].values)))
    return {str(k): str(v) for k, v in facts.items()}


def _is_ours(name: object) -> bool:
    return str(name).startswith("sarcube_")


def check_made_alike(mine: Mapping[str, str], other: Mapping[str, str] | None, where: str) -> None:
    """Refuse to keep pixels that were made otherwise than is asked now.

    Parameters
    ----------
    mine, other : mapping of str to str
        From `made_by`; None where what is there does not say how it was made.
    where : str
        What is there, for the message.

    Raises
    ------
    CubeError
        They differ; the message says in what.
    """
    remedy = "choose another place, or overwrite it (--overwrite)"
    if other is None:
        raise CubeError(f"{where} does not say how it was made, so nothing can be kept of it; {remedy}")
    # Of layers only those that both have: others may be added.
    layers = {k.split(":")[0] for k in mine if ":" in k} & {k.split(":")[0] for k in other if ":" in k}
    keys = [k for k in dict.fromkeys((*mine, *other)) if ":" not in k or k.split(":")[0] in layers]
    differing = [k for k in keys if mine.get(k) != other.get(k)]
    if differing:
        told = [
            "its products" if k == PRODUCTS else f"{k} {other.get(k, 'none')}, now {mine.get(k, 'none')}"
            for k in differing
        ]
        raise CubeError(f"{where} was made otherwise ({'; '.join(told)}); {remedy}")
