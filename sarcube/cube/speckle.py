"""Speckle filters for intensity: one multi-temporal, three for single dates. Power in, power out.

Missing values stay missing and never leak: every local mean is over the valid pixels of its window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sarcube.cube.layers import measures, real_values
from sarcube.cube.lazy import as_dask, da, whole_stack
from sarcube.cube.speckle_kernels import quegan_yu
from sarcube.engines.speckle import FILTERS
from sarcube.errors import CubeError

Filter = Literal["quegan_yu", "lee", "refined_lee", "gamma_map"]


@dataclass(frozen=True)
class SpeckleOptions:
    """How speckle is filtered.

    Attributes
    ----------
    method : {"quegan_yu", "lee", "refined_lee", "gamma_map"}
    window : int
        Odd, pixels; refined Lee is defined for 7.
    enl : float
        Equivalent number of looks of one date; the multi-temporal filter does not need it.
    layers : tuple of str, optional
        By default the measures.
    """

    method: Filter = "quegan_yu"
    window: int = 7
    enl: float = 4.4
    layers: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.method not in get_args(Filter):
            raise CubeError(f"method is one of {', '.join(get_args(Filter))}, not {self.method!r}")
        if self.window < 3 or self.window % 2 == 0:
            raise CubeError(f"window is an odd number of pixels from 3, not {self.window}")
        if self.method == "refined_lee" and self.window != 7:
            raise CubeError("refined Lee is defined for a window of 7 pixels")
        if not self.enl > 0:
            raise CubeError(f"enl is a positive number of looks, not {self.enl}")


def filter_speckle(cube: xr.Dataset, options: SpeckleOptions | None = None) -> xr.Dataset:
    """Filter the backscatter of a cube; other variables stay.

    Parameters
    ----------
    cube : Dataset
        From `open_cube`, linear power.
    options : SpeckleOptions, optional

    Returns
    -------
    Dataset
        Lazy, same shape. The multi-temporal filter takes all dates of a tile at once: cheapest on a cube that
        was opened with chunks={"time": -1, "y": 512, "x": 512}.
    """
    options = options or SpeckleOptions()
    layers = options.layers or measures(cube)
    if not layers or any(n not in cube for n in layers):
        raise CubeError(f"the cube has no layer {', '.join(layers) or 'to filter'}; it has {', '.join(map(str, cube))}")
    filtered = {}
    for layer in layers:
        variable = real_values(cube[layer])
        if options.method == "quegan_yu":
            if "time" not in variable.dims or variable.sizes["time"] < 2:
                raise CubeError('"quegan_yu" needs two dates or more; use "refined_lee" for one')
            data = whole_stack(variable, halo=options.window // 2)
        else:
            data = as_dask(variable)
        halo = dict.fromkeys(range(data.ndim - 2, data.ndim), options.window // 2)
        result = da.map_overlap(
            _FILTERS[options.method], data, depth=halo, boundary=np.nan, dtype=data.dtype,
            meta=np.empty((0,) * data.ndim, data.dtype), window=options.window, enl=options.enl,
        )  # fmt: skip
        order = ("time", "y", "x") if "time" in variable.dims else ("y", "x")
        filtered[layer] = variable.transpose(*order).copy(data=result)
    attributes: dict[str, object] = {"speckle_filter": options.method, "speckle_window": options.window}
    if options.method != "quegan_yu":
        attributes["speckle_enl"] = options.enl
    return cube.assign({n: v.assign_attrs(attributes) for n, v in filtered.items()})


def equivalent_looks(variable: xr.DataArray) -> xr.DataArray:
    """Equivalent number of looks of the pixels given, for each date: squared mean over variance.

    Meant for an area of uniform ground; texture lowers it.
    """
    axes = ("y", "x")
    mean = variable.mean(axes, dtype=np.float64)
    return (mean**2 / variable.var(axes, dtype=np.float64)).rename("enl")


def _quegan_yu(stack: NDArray[np.floating], window: int, enl: float) -> NDArray[np.floating]:
    block = np.ascontiguousarray(stack)
    out = np.empty_like(block)
    quegan_yu(block, window, out)
    return out


_FILTERS: dict[str, object] = {"quegan_yu": _quegan_yu, **FILTERS}
