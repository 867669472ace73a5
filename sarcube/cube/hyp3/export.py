"""From a store of interferograms to HyP3 products, a pair of passes at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import xarray as xr

from sarcube.cube.found import read_items
from sarcube.cube.grid_of import grid_of
from sarcube.cube.hyp3.facts import Processing, pairs_of
from sarcube.cube.hyp3.product import Hyp3Pair, write_product
from sarcube.cube.open_cube import open_cube
from sarcube.cube.selection import Selection, When, parse_dates
from sarcube.cube.unwrap import INPUTS, UnwrapOptions, only, read_water, unwrap_pairs
from sarcube.errors import CubeError
from sarcube.instants import utc_time

_STATIC = ("los_east", "los_north", "los_up", "digital_elevation_model")
_COLLECTION = "s1_insar"
_ONE_PASS = dt.timedelta(minutes=10)
_WATER, _LAND = 0, 1


@dataclass(frozen=True)
class ExportOptions:
    """What becomes products, and how.

    Attributes
    ----------
    unwrap : UnwrapOptions
        Its water tells the water mask; it is left out of filter and unwrapping if `mask_water`.
    mask_water : bool
    days : (first, second), optional
        Only the pair of these dates; default all.
    dates : str, date or pair, optional
        Only pairs whose first date lies in this time.
    tracks : sequence of int, optional
        Only these.
    places : sequence of str, optional
        Only these bursts.
    collection : str
    """

    unwrap: UnwrapOptions = field(default_factory=UnwrapOptions)
    mask_water: bool = False
    days: tuple[str, str] | None = None
    dates: When | Sequence[When] | None = None
    tracks: Sequence[int] | None = None
    places: Sequence[str] | None = None
    collection: str = _COLLECTION


def export_hyp3(store: str | Path, folder: str | Path, options: ExportOptions | None = None) -> Iterator[Path]:
    """Write every pair of a store, one after the other; yields each zip.

    All products of a track lie on one grid, that of all its bursts which are exported together, so that MintPy takes
    them as a stack.

    Raises
    ------
    CubeError
        The store has no such pairs, or what HyP3's names cannot tell.
    EngineError
        The library to unwrap with is not there, or a pair has nothing to unwrap.
    """
    for pair in hyp3_pairs(store, options or ExportOptions()):
        yield write_product(pair, folder)


def hyp3_pairs(store: str | Path, options: ExportOptions) -> Iterator[Hyp3Pair]:
    """As `export_hyp3`, computed and not written."""
    selection = Selection(
        dates=parse_dates(options.dates),
        places=None if options.places is None else tuple(options.places),
        relative_orbits=None if options.tracks is None else tuple(options.tracks),
    )
    items = [i for i in read_items(str(store), selection, options.collection) if _wanted(i, options)]
    if not items:
        raise CubeError(f"{store} has no pairs that were asked for in {options.collection}; look with `sarcube status`")
    for track in sorted({int(i.properties["sat:relative_orbit"]) for i in items}):
        of_track = [i for i in items if int(i.properties["sat:relative_orbit"]) == track]
        cube = open_cube(of_track, layers=list(INPUTS), merge="looks", static=list(_STATIC))
        if options.days is not None:
            cube = only(cube, options.days)
        yield from _of_track(cube, of_track, options)


def _wanted(item: pystac.Item, options: ExportOptions) -> bool:
    told = item.properties
    tracks, places = options.tracks, options.places
    if "insar:secondary_datetime" not in told or "sarcube:burst_id" not in told:
        return False
    return (tracks is None or told["sat:relative_orbit"] in tracks) and (
        places is None or told["sarcube:burst_id"] in places
    )


def _of_track(cube: xr.Dataset, items: Sequence[pystac.Item], options: ExportOptions) -> Iterator[Hyp3Pair]:
    grid, told = grid_of(cube), options.unwrap.water
    static = {name: np.asarray(cube[name].values) for name in _STATIC}
    masked = options.mask_water and told is not None
    how = options.unwrap if masked else replace(options.unwrap, water=None)
    water = None if told is None else np.where(read_water(told, grid), _WATER, _LAND).astype(np.uint8)
    done = Processing(how.alpha, how.method, "" if told is None else Path(told).name, masked)
    for made in unwrap_pairs(cube, how):
        layers = {str(name): np.asarray(made[name].values[0]) for name in made.data_vars}
        if water is not None:
            layers["water_mask"] = water
        yield Hyp3Pair({**layers, **static}, grid, pairs_of(_of_pair(made, items)), done)


def _of_pair(step: xr.Dataset, items: Iterable[pystac.Item]) -> list[pystac.Item]:
    """Items of the bursts that a step was merged from."""
    first, second = (utc_time(f"{step[name].values[0]}") for name in ("time", "secondary"))

    def near(told: Mapping[str, Any]) -> bool:
        times = (utc_time(told[f"insar:{name}_datetime"]) for name in ("reference", "secondary"))
        return all(abs(a - b) < _ONE_PASS for a, b in zip(times, (first, second), strict=True))

    return [item for item in items if near(item.properties)]
