"""Pairs of a cube unwrapped: bursts of a pass as one mosaic, filtered, and unwrapped once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from sarcube.cube.cf import with_grid
from sarcube.cube.grid_of import grid_of
from sarcube.cube.layers import attributes
from sarcube.engines.insar.unwrap import NOT_COMMERCIAL, Method
from sarcube.engines.insar.whole import WholeOptions, finish
from sarcube.errors import CubeError, DemError
from sarcube.geometry.grid import GeoGrid
from sarcube.products.kinds import Layer, Shown
from sarcube.products.unwrapped import (
    COMPONENTS,
    FILTERED,
    LAND,
    NOT_SEEN,
    NOT_TOLD,
    PHASE,
    UNWRAPPED,
    WATER,
    WATER_MASK,
)
from sarcube.terrain.water import UNKNOWN
from sarcube.terrain.water import read_water as read

_LIKE = ("VV", "HH")
INPUTS = ("interferogram", "coherence", "number_of_looks")
LAYERS = (
    Layer("interferogram", "First date times conjugate of second, not filtered", "complex64", shown=PHASE),
    FILTERED,
    Layer("coherence", "Coherence of the samples of each pixel", shown=Shown(0.0, 1.0)),
    UNWRAPPED,
    COMPONENTS,
    WATER_MASK,
)


@dataclass(frozen=True)
class UnwrapOptions:
    """How pairs are unwrapped.

    Attributes
    ----------
    alpha : float, optional
        Of Goldstein's filter, 0 (none) to 1; None: one minus the mean coherence around (Baran et al. 2003).
    method : str
        "whirlwind" (extra `unwrap`), or "snaphu" (extra `snaphu`), which begins with a solver whose licence is for
        non-commercial use only.
    water : path, optional
        What is left out of filter and unwrapping: a raster that GDAL reads whose water is not 0 (a Copernicus water
        body mask), or polygons of water.
    """

    alpha: float | None = 0.5
    method: Method = "whirlwind"
    water: str | Path | None = None


def unwrap_pairs(cube: xr.Dataset, options: UnwrapOptions | None = None) -> Iterator[xr.Dataset]:
    """Each pair of a cube, one after the other, computed and in memory.

    Parameters
    ----------
    cube : Dataset
        From `open_cube` with `INPUTS` among the layers and merge="looks": bursts of a pass are one picture.
    options : UnwrapOptions, optional

    Yields
    ------
    Dataset
        `LAYERS`, dims (time, y, x) with one time. Attributes say filter, method, looks and components.

    Raises
    ------
    CubeError
        The cube has not these layers, or the water cannot be read.
    EngineError
        The library to unwrap with is not installed or failed, or there is nothing to unwrap.
    """
    options = options or UnwrapOptions()
    if missing := [name for name in INPUTS if name not in cube or "time" not in cube[name].dims]:
        raise CubeError(f"the cube has no {', '.join(missing)}; open it with layers={list(INPUTS)}, merge='looks'")
    grid = grid_of(cube)
    water = None if options.water is None else read_water(options.water, grid)
    for step in range(cube.sizes["time"]):
        yield _pair(cube[list(INPUTS)].isel(time=[step]), water, options)


def only(cube: xr.Dataset, days: Sequence[str]) -> xr.Dataset:
    """The steps of a cube whose two dates are these.

    Raises
    ------
    CubeError
        The cube holds no pairs, or not this one.
    """
    if "secondary" not in cube.coords:
        raise CubeError("the cube holds no pairs of dates; open a store of interferograms")
    there = [
        tuple(str(value)[:10] for value in both)
        for both in zip(cube["time"].values, cube["secondary"].values, strict=True)
    ]
    steps = [step for step, both in enumerate(there) if both == tuple(day.strip() for day in days)]
    if not steps:
        known = "; ".join(sorted({" and ".join(both) for both in there}))
        raise CubeError(f"there is no pair of {' and '.join(days)}; there are {known}")
    return cube.isel(time=steps)


def pair_name(pair: xr.Dataset) -> str:
    """Both times of a pair, as files are named by: 20230904T063731Z_20230916T063731Z; and an unusual channel."""
    times = (pair[name].values[0] for name in ("time", "secondary") if name in pair.coords)
    parts = [f"{pd.Timestamp(time):%Y%m%dT%H%M%SZ}" for time in times]
    channel = str(pair["channel"].values[0]) if "channel" in pair.coords else ""
    # Both polarizations of a pair may lie in one store.
    return "_".join([*parts, *([channel] if channel not in ("", *_LIKE) else [])])


def read_water(path: str | Path, grid: GeoGrid) -> NDArray[np.bool_]:
    """Where there is water on a grid: see `sarcube.terrain.water.read_water`.

    Raises
    ------
    CubeError
        The file cannot be read, or does not touch the grid.
    """
    try:
        water = read(path, grid)
    except DemError as error:
        raise CubeError(str(error)) from error
    if (water == UNKNOWN).all():
        raise CubeError(f"{path} does not touch the pairs' ground; give a water mask of there")
    return np.asarray(water == 1)


def _pair(step: xr.Dataset, water: NDArray[np.bool_] | None, options: UnwrapOptions) -> xr.Dataset:
    loaded = step.compute()
    seen, coherence, counted = (loaded[name].values[0] for name in INPUTS)
    known = np.zeros(seen.shape, bool) if water is None else water
    made = finish(seen, coherence, counted, known, WholeOptions(options.alpha, options.method))
    assert made.unwrapped_phase is not None and made.components is not None  # a method is given
    outside = ~np.isfinite(seen)
    told = np.full(seen.shape, NOT_TOLD) if water is None else np.where(water, WATER, LAND)
    values: Mapping[str, NDArray[np.generic]] = {
        "interferogram": seen,
        "filtered_phase": made.filtered_phase,
        "coherence": coherence,
        "unwrapped_phase": made.unwrapped_phase,
        "connected_components": np.where(outside, NOT_SEEN, made.components).astype(np.uint16),
        "water_mask": told.astype(np.uint8),
    }
    facts = {
        "sarcube_phase_filter": "Goldstein and Werner 1998",
        "sarcube_phase_filter_alpha": "one minus coherence" if options.alpha is None else options.alpha,
        "sarcube_unwrapped_by": options.method,
        "sarcube_unwrapping_looks": round(made.looks, 2),
        "sarcube_water": "not masked" if water is None else Path(options.water or "").name,
        "components": int(made.components.max()),
    }
    if options.method == "snaphu":
        facts["sarcube_licence"] = NOT_COMMERCIAL
    layers = {layer.name: (("time", "y", "x"), values[layer.name][None], attributes(layer)) for layer in LAYERS}
    result = xr.Dataset(layers, coords=loaded.coords, attrs={**step.attrs, **facts})
    return with_grid(result, step)
