"""What pairs tell together: phases around triangles of dates, and coherence through time."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sarcube.cube.cf import PRODUCTS, fingerprint, with_grid
from sarcube.cube.lazy import as_dask, da
from sarcube.cube.pairs.axis import by_time, network_of
from sarcube.errors import CubeError


def triangles(cube: xr.Dataset) -> list[tuple[int, int, int]]:
    """Steps of the pairs (first, middle), (middle, last), (first, last) of every three dates that have all of them.

    Pairs of different channels make no triangle, nor those of different places where each has steps of its own.
    """
    net, found = network_of(cube), []
    alike = _told(cube, "channel", len(net.first))
    if len(set(zip(net.first, net.second, alike, strict=True))) < len(alike):
        alike = np.char.add(alike, _told(cube, "place", len(alike)))
    for group in np.unique(alike):
        step = {(int(net.first[i]), int(net.second[i])): int(i) for i in np.flatnonzero(alike == group)}
        for a, b, c in combinations(range(len(net.dates)), 3):
            sides = [step[side] for side in ((a, b), (b, c), (a, c)) if side in step]
            if len(sides) == 3:
                found.append((sides[0], sides[1], sides[2]))
    return found


def _told(cube: xr.Dataset, name: str, count: int) -> NDArray[np.str_]:
    """A coordinate along time as text; empty where the cube has none of that name."""
    return cube[name].values.astype(np.str_) if name in cube.coords else np.full(count, "", dtype=np.str_)


def closure(cube: xr.Dataset, layer: str = "interferogram") -> xr.DataArray:
    """Phase around every triangle of dates: that of (1, 2) plus that of (2, 3) less that of (1, 3).

    0 of single looks whatever the ground did. Averaged over pixels it tells of scatterers that change in another way
    than by moving (De Zan et al. 2015; Ansari et al. 2021); whole cycles in that of an unwrapped phase are errors of
    unwrapping.

    Parameters
    ----------
    cube : Dataset
        Pairs.
    layer : str
        A complex one, whose closure is wrapped to -pi to pi, or an unwrapped phase in radians, whose is not.

    Returns
    -------
    DataArray
        Lazy, (triangle, y, x), radians, with the three dates of each along `triangle`.

    Raises
    ------
    CubeError
        The cube has no such layer, or no three of its dates have all three pairs.
    """
    cube = by_time(cube)
    if layer not in cube:
        raise CubeError(f"the cube has no layer {layer}; it has {', '.join(map(str, cube.data_vars))}")
    found = triangles(cube)
    if not found:
        raise CubeError("no three dates have all three pairs; make pairs of every date with the next two (next: 2)")
    data = as_dask(cube[layer])
    sums = []
    for one, two, over in found:
        if data.dtype.kind == "c":
            sums.append(da.angle(data[one] * data[two] * da.conj(data[over])))
        else:
            sums.append(data[one] + data[two] - data[over])
    times, second = cube["time"].values, cube["secondary"].values
    dates = {
        "first": [times[one] for one, _, _ in found],
        "middle": [times[two] for _, two, _ in found],
        "last": [second[two] for _, two, _ in found],
    }
    coords = {n: c for n, c in cube.coords.items() if "time" not in c.dims}
    coords |= {n: xr.DataArray(np.array(t, "datetime64[ns]"), dims="triangle") for n, t in dates.items()}
    attrs = {"long_name": f"closure phase of {layer}", "units": "rad"}
    made = xr.DataArray(da.stack(sums).astype(np.float32), dims=("triangle", "y", "x"), coords=coords, attrs=attrs)
    return with_grid(made.to_dataset(name="closure"), cube)["closure"]


def mean_coherence(cube: xr.Dataset, layer: str = "coherence") -> xr.DataArray:
    """Coherence of each pixel, averaged over all pairs that have it.

    Raises
    ------
    CubeError
        The cube has no such layer through time.
    """
    if layer not in cube or not {"time", "pair"} & set(cube[layer].dims):
        raise CubeError(f'the cube has no {layer} through time; open it with layers=[..., "{layer}"]')
    axis = "time" if "time" in cube[layer].dims else "pair"
    mean = cube[layer].mean(axis, dtype=np.float64).astype(np.float32)
    mean = mean.assign_attrs(long_name="mean coherence through time", units="1", sarcube_role="measure")
    result = mean.to_dataset(name=f"{layer}_mean")
    if PRODUCTS in cube.coords:
        result = result.assign_coords({PRODUCTS: fingerprint(map(str, cube[PRODUCTS].values))})
    return with_grid(result, cube)[f"{layer}_mean"]
