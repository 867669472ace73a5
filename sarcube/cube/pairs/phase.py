"""Phase of a layer of pairs."""

from __future__ import annotations

import numpy as np
import xarray as xr

from sarcube.cube.cf import with_grid
from sarcube.cube.layers import MERGE, ROLE
from sarcube.cube.lazy import da
from sarcube.errors import CubeError


def wrapped_phase(cube: xr.Dataset, layer: str = "interferogram") -> xr.DataArray:
    """Phase of a complex layer, lazily.

    Parameters
    ----------
    cube : Dataset
    layer : str

    Returns
    -------
    DataArray
        float32, radians within -pi to pi; NaN where there is nothing.

    Raises
    ------
    CubeError
        The cube has no such layer, or it is not complex.
    """
    if layer not in cube:
        raise CubeError(f"the cube has no layer {layer}; it has {', '.join(map(str, cube.data_vars))}")
    if cube[layer].dtype.kind != "c":
        raise CubeError(f"{layer} is not complex, and has no phase")
    pixels = da.asarray(cube[layer].data)
    nothing = np.empty((0,) * pixels.ndim, np.float32)
    values = cube[layer].copy(data=da.map_blocks(np.angle, pixels, dtype=np.float32, meta=nothing))
    values.attrs = {"long_name": f"phase of {layer}", "units": "rad", ROLE: "measure", MERGE: "first"}
    return with_grid(values.to_dataset(name="phase"), cube)["phase"]
