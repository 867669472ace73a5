"""Mosaics: time steps of a cube merged into one picture, lazily, chunk by chunk.

Every merge is a fold over the time steps of a group: the running result and one step's chunk are all that is
in memory, however many steps are merged.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from sarcube.cube.cf import PRODUCTS, classes, fingerprint, with_grid
from sarcube.cube.grouping import pass_numbers
from sarcube.cube.layers import layer_of, measures
from sarcube.cube.lazy import as_dask, da, fold
from sarcube.errors import CubeError

if TYPE_CHECKING:
    from dask.array import Array

Method = Literal["first", "mean", "median", "best", "looks", "centre", "resolution"]
_WEIGHT_LAYER = {"looks": "number_of_looks", "resolution": "rtc_anf_gamma0_to_beta0"}
State = NDArray[np.inexact]
"""What is held while steps are merged, (states, y, x): double precision, real or complex."""


def mosaic(cube: xr.Dataset, method: Method = "first", by: str = "pass") -> xr.Dataset:
    """Merge time steps of a cube.

    Parameters
    ----------
    cube : Dataset
        From `open_cube`.
    method : {"first", "mean", "median", "best", "looks", "centre", "resolution"}
        The first valid in time; the mean (of each layer as it says of itself: a sum, the most frequent value, the best
        class); the median of real measures, else as the mean; the best pixel: the step whose class in the cube's
        first mask is worth most (of an optical scene classification clear ground before snow, shadow, cirrus and
        clouds), the first of equally good ones; the mean weighted by the number of looks; the step whose centre is
        nearest (for a cube opened with group="acquisition"); or the mean weighted by local resolution, the inverse of
        the local illuminated area (Small 2012, Proc. IGARSS, "SAR backscatter multitemporal compositing via local
        resolution weighting"), so that a slope which one track sees foreshortened is taken from the track that sees it
        well. The weights are static layers: open the cube with static=("number_of_looks",) or
        static=("rtc_anf_gamma0_to_beta0",).
    by : str
        What becomes one step: "pass", "day", "all", or a period as pandas writes it ("12D", "MS", "QS").

    Returns
    -------
    Dataset
        Lazy, fewer time steps. Masks follow the measures: for "first", "best" and "centre" they are the chosen
        step's, for means and medians the best that any step has.

    Raises
    ------
    CubeError
        Unknown method or period, or the layer to weight or to choose by is not in the cube.
    """
    _check_method(method)
    cube = classes(cube)
    if "time" not in cube.dims:
        raise CubeError("there is no time axis to merge; the cube is a mosaic already")
    if not cube.sizes["time"]:
        raise CubeError("the cube has no time step; open or select some")
    groups = _groups(cube, by)
    names = [str(n) for n, v in cube.data_vars.items() if "time" in v.dims]
    if not names:
        raise CubeError("the cube has no layer with a time axis to merge")
    weights = _weights(cube, method)
    reference = next((n for n in measures(cube) if n in names), None)
    merged = {}
    for name in names:
        variable = cube[name].transpose("time", "y", "x")
        steps = [_merge(cube, variable, group, method, weights, reference) for group in groups]
        merged[name] = xr.DataArray(da.stack(steps), dims=("time", "y", "x"), attrs=variable.attrs)
    kept = cube.drop_vars(names).drop_dims("time")
    coords = {n: c for n, c in cube.coords.items() if "time" not in c.dims}
    result = xr.Dataset({**merged, **kept.data_vars}, coords={**coords, **_time_coords(cube, groups)})
    return with_grid(result, cube).assign_attrs({**cube.attrs, "sarcube_mosaic": method, "sarcube_mosaic_by": by})


def opening(method: Method) -> dict[str, Any]:
    """Keywords of `open_cube` for a mosaic of passes: how products of a pass meet, and what passes are weighted by."""
    _check_method(method)
    layer = _WEIGHT_LAYER.get(method)
    merge = "first" if method in ("resolution", "median", "best") else method
    return {"merge": merge, "static": [layer] if layer else False}


def _check_method(method: str) -> None:
    if method not in get_args(Method):
        raise CubeError(f"method is one of {', '.join(get_args(Method))}, not {method!r}")


def _groups(cube: xr.Dataset, by: str) -> list[list[int]]:
    times = cube["time"].values
    order = [int(i) for i in np.argsort(times, kind="stable")]
    if by == "all":
        return [order]
    keys: Sequence[Hashable]
    if by == "pass":
        keys = _pass_keys(cube)
    elif by == "day":
        keys = list(times.astype("datetime64[D]"))
    else:
        keys = _periods(times, by)
    groups: dict[Hashable, list[int]] = {}
    for i in order:
        groups.setdefault(keys[i], []).append(i)
    return list(groups.values())


def _periods(times: NDArray[np.datetime64], by: str) -> list[int]:
    """Which period each time falls into; those of one length are counted from the first day's midnight on."""
    refused = CubeError(f'by is "pass", "day", "all" or a period like "12D" or "MS", not {by!r}')
    try:
        offset = pd.tseries.frequencies.to_offset(by) if isinstance(by, str) else None
    except ValueError as error:
        raise refused from error
    if offset is None or offset.n < 1:
        raise refused
    try:
        length = np.timedelta64(offset.nanos, "ns")
    except ValueError:  # months and the like, of which there are few; pandas lays out a bin for each
        try:
            index = pd.Series(0, index=pd.DatetimeIndex(times)).groupby(pd.Grouper(freq=offset))
        except ValueError as error:  # a million years
            raise refused from error
        return [int(k) for k in index.ngroup()]
    return [int(k) for k in (times - times.min().astype("datetime64[D]")) // length]


def _pass_keys(cube: xr.Dataset) -> list[int]:
    times = cube["time"].values
    flights = [
        tuple(str(cube[n].values[i]) for n in ("platform", "orbit_direction") if n in cube.coords)
        for i in range(len(times))
    ]
    return pass_numbers(list(times), flights)


def _weights(cube: xr.Dataset, method: Method) -> Callable[[int], Array] | None:
    """The weight of a time step, an array (y, x), or None where steps count alike."""
    layer = _WEIGHT_LAYER.get(method)
    if layer is None:
        return None
    name = layer if layer in cube else f"static_{layer}"
    if name not in cube:
        raise CubeError(f'method {method!r} weights by {layer}, which the cube lacks; open it with static=("{layer}",)')
    variable = cube[name]
    convert = _inverse if method == "resolution" else _as_is

    def weight(step: int) -> Array:
        chosen = variable
        if "time" in variable.dims:
            chosen = variable.isel(time=step)
        elif "track" in variable.dims:
            orbit = int(cube["relative_orbit"].values[step])
            if orbit not in variable["track"].values:
                raise CubeError(
                    f"time step {step} is of track {orbit}, which has no {layer}; open the cube with tracks apart"
                )
            chosen = variable.sel(track=orbit)
        converted: Array = da.map_blocks(convert, as_dask(chosen), dtype=np.float32)
        return converted

    return weight


def _as_is(weight: NDArray[np.number]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = np.where(weight > 0, weight, 0).astype(np.float32)
    return result


def _inverse(area: NDArray[np.number]) -> NDArray[np.float32]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(area > 0, 1 / area, 0).astype(np.float32)


def _merge(
    cube: xr.Dataset,
    variable: xr.DataArray,
    group: Sequence[int],
    method: Method,
    weights: Callable[[int], Array] | None,
    reference: str | None,
) -> Array:
    blocks = [as_dask(variable.isel(time=i)) for i in group]
    if len(group) == 1:
        return blocks[0]
    layer, dtype = layer_of(variable), blocks[0].dtype
    fill = dtype.type(layer.nodata)
    held = np.complex128 if dtype.kind == "c" else np.float64
    if method in ("first", "centre", "best") or layer.merge == "first":
        guided = bool(layer.classes) and reference is not None
        guides = [as_dask(cube[reference].isel(time=i)) for i in group] if guided else blocks
        distances = [_distance(cube, i, method, blocks[0].chunks) for i in group]
        choose = partial(_choose, fill=fill, guided=guided)
        parts = list(zip(blocks, guides, distances, strict=True))
        return fold(choose, 2, parts, partial(_chosen, fill=fill), dtype, held)
    if layer.classes:
        order = np.array([c.value for c in sorted(layer.classes, key=lambda c: c.rank) if c.value != fill])
        return fold(
            partial(_best, order=order), 1, [[b] for b in blocks], partial(_of_rank, order=order, fill=fill), dtype
        )
    if method == "median" and layer.role == "measure" and dtype.kind == "f" and layer.merge == "mean":
        middle: Array = da.map_blocks(_median, *blocks, dtype=dtype)
        return middle
    if layer.merge == "mode":
        frequent: Array = da.map_blocks(_most_frequent, *blocks, fill=fill, dtype=dtype)
        return frequent
    weighted = [[b] if weights is None else [b, weights(i)] for b, i in zip(blocks, group, strict=True)]
    add = partial(_add, fill=fill)
    return fold(add, 2, weighted, partial(_divide, fill=fill, summed=layer.merge == "sum"), dtype, held)


def _missing(values: NDArray[np.number], fill: np.number | float) -> NDArray[np.bool_]:
    missing: NDArray[np.bool_] = np.isnan(values) if np.isnan(fill) else values == fill
    return missing


def _choose(
    state: State | None,
    values: NDArray[np.number],
    guide: NDArray[np.number],
    distance: NDArray[np.floating],
    fill: np.number,
    guided: bool,
) -> State:
    # state[0]: value, state[1]: squared distance to the product's centre (time order, for "first").
    unseen = _missing(values, fill)
    blind = _missing(guide, np.nan if guided else fill)
    held = np.where(unseen, np.nan, values.astype(np.complex128 if values.dtype.kind == "c" else np.float64))
    # A value without a guide (shadow has no backscatter) still beats nothing.
    rank = np.where(~blind, distance, np.where(unseen, np.inf, 1e300))
    if state is None:
        return np.stack([held, rank])
    better = rank < state[1].real
    return np.stack([np.where(better, held, state[0]), np.where(better, rank, state[1])])


def _chosen(state: State, fill: np.number) -> NDArray[np.number]:
    chosen: NDArray[np.number] = np.where(np.isnan(state[0]), fill, state[0]).astype(fill.dtype)
    return chosen


def _add(
    state: State | None,
    values: NDArray[np.number],
    weight: NDArray[np.floating] | None = None,
    fill: np.number | float = np.nan,
) -> State:
    valid = ~_missing(values, fill)
    w = valid.astype(np.float64) if weight is None else np.where(valid, weight, 0.0)
    new = np.stack([np.where(w > 0, values, 0) * w, w])
    return new if state is None else state + new


def _divide(state: State, fill: np.number, summed: bool) -> NDArray[np.number]:
    weight = state[1].real
    merged = state[0] if summed else state[0] / np.where(weight > 0, weight, 1.0)
    if fill.dtype.kind in "ui":
        limits = np.iinfo(fill.dtype.name)
        merged = np.clip(np.rint(np.nan_to_num(merged)), limits.min, limits.max)
    divided: NDArray[np.number] = np.where(weight > 0, merged, fill).astype(fill.dtype)
    return divided


def _best(state: State | None, values: NDArray[np.number], order: NDArray[np.number]) -> State:
    rank = np.full((1, *values.shape), float(len(order)))
    for i, value in enumerate(order):
        rank[0][values == value] = i
    return rank if state is None else np.minimum(state, rank)


def _of_rank(state: State, order: NDArray[np.number], fill: np.number) -> NDArray[np.number]:
    values: NDArray[np.number] = np.append(order, fill).astype(fill.dtype)[state[0].astype(np.intp)]
    return values


def _most_frequent(*blocks: NDArray[np.number], fill: np.number) -> NDArray[np.number]:
    """The value that most steps have; of equally many the first in time."""
    stack = np.stack(blocks)
    votes = np.stack([(stack == block).sum(axis=0) for block in blocks])
    votes[_missing(stack, fill)] = 0
    values: NDArray[np.number] = np.take_along_axis(stack, votes.argmax(axis=0)[None], axis=0)[0]
    return values


def _median(*blocks: NDArray[np.floating]) -> NDArray[np.floating]:
    """Of what is seen at each pixel; of an even number the mean of the two in the middle. NaN where nothing is."""
    ordered = np.sort(np.stack(blocks), axis=0)  # NaN comes last
    count = np.isfinite(ordered).sum(axis=0)[None]
    middle = np.maximum(count - 1, 0) // 2, np.maximum(count // 2, 0)
    low, high = (np.take_along_axis(ordered, i, axis=0)[0] for i in middle)
    return np.where(count[0] > 0, (low + high) / 2, np.nan).astype(blocks[0].dtype)


def _worth(values: NDArray[np.number], ranks: tuple[tuple[int, int], ...]) -> NDArray[np.float32]:
    """How far from the best class; what has no class is worth least."""
    worst = float(max(rank for _, rank in ranks) + 1)
    out = np.full(values.shape, worst, np.float32)
    for value, rank in ranks:
        out[values == value] = rank
    return out


def _distance(cube: xr.Dataset, step: int, method: Method, chunks: tuple[tuple[int, ...], ...]) -> Array:
    shape = tuple(sum(c) for c in chunks)
    distance: Array
    if method == "first":
        distance = da.zeros(shape, chunks=chunks, dtype=np.float32)
        return distance
    if method == "best":
        mask = next((v for v in cube.data_vars.values() if "time" in v.dims and layer_of(v).classes), None)
        if mask is None:
            raise CubeError('method "best" chooses by the classes of a mask, which the cube lacks; open it with one')
        layer = layer_of(mask)
        ranks = tuple((c.value, c.rank) for c in layer.classes if not c.blind and c.value != layer.nodata)
        guide = as_dask(mask.isel(time=step)).rechunk(chunks)
        distance = da.map_blocks(_worth, guide, ranks=ranks, dtype=np.float32)
        return distance
    if "centre_x" not in cube.coords:
        raise CubeError('method "centre" needs centre_x and centre_y; open the cube with group="acquisition"')
    x = da.from_array(cube["x"].values - float(cube["centre_x"].values[step]), chunks=(chunks[1],))
    y = da.from_array(cube["y"].values - float(cube["centre_y"].values[step]), chunks=(chunks[0],))
    distance = y[:, None] ** 2 + x[None, :] ** 2
    return distance


def _time_coords(cube: xr.Dataset, groups: Sequence[Sequence[int]]) -> dict[str, object]:
    coords: dict[str, object] = {}
    for name, coord in cube.coords.items():
        if coord.dims != ("time",):
            continue
        members = [coord.values[list(g)] for g in groups]
        joined: list[object]
        if name == "end_time":
            joined = [m.max() for m in members]
        elif name == PRODUCTS:
            joined = [m[0] if len(m) == 1 else fingerprint(map(str, m)) for m in members]
        elif name == "merged":
            joined = [m.sum() for m in members]
        elif name in ("centre_x", "centre_y"):
            joined = [m.mean() for m in members]
        elif name == "relative_orbit":
            joined = [m[0] if len(set(m)) == 1 else 0 for m in members]
        elif coord.dtype.kind == "U":
            texts = [",".join(sorted({p for text in m for p in str(text).split(",")})) for m in members]
            joined = [text if name != "place" or "," not in text else "" for text in texts]
        else:
            joined = [m[0] for m in members]
        values = np.array(joined, dtype=np.str_ if coord.dtype.kind == "U" else coord.dtype)
        coords[str(name)] = ("time", values, coord.attrs)
    return coords
