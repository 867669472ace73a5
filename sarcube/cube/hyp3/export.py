"""From a store of interferograms to HyP3 products, a pair of passes at a time."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pystac
import xarray as xr

from sarcube.catalog.walk import collections
from sarcube.cube.found import read_items
from sarcube.cube.grid_of import grid_of
from sarcube.cube.hyp3.facts import LIKE, Processing, pairs_of
from sarcube.cube.hyp3.product import NEEDED, Hyp3Pair, write_product
from sarcube.cube.open_cube import open_cube
from sarcube.cube.selection import Selection, When, parse_dates
from sarcube.cube.unwrap import INPUTS, UnwrapOptions, read_water, unwrap_pairs
from sarcube.errors import CubeError, PassedOverWarning
from sarcube.instants import utc_time
from sarcube.jsons import JsonObject
from sarcube.store.protocol import open_store

_STATIC = ("los_east", "los_north", "los_up", "digital_elevation_model")
_BURSTS, _PASSES = "s1_insar", "s1_insar_pass"
_ONE_PASS = dt.timedelta(minutes=10)
_WATER, _LAND = 0, 1


@dataclass(frozen=True)
class ExportOptions:
    """What becomes products, and how.

    Attributes
    ----------
    unwrap : UnwrapOptions
        Of bursts that the store has not merged and unwrapped. Its water tells the water mask; it is left out of filter
        and unwrapping if `mask_water`.
    mask_water : bool
    days : (first, second), optional
        Only the pair of these dates; default all.
    dates : str, date or pair, optional
        Only pairs whose first date lies in this time.
    tracks : sequence of int, optional
        Only these.
    places : sequence of str, optional
        Only these bursts, or these sets of bursts that the store has merged.
    """

    unwrap: UnwrapOptions = field(default_factory=UnwrapOptions)
    mask_water: bool = False
    days: tuple[str, str] | None = None
    dates: When | Sequence[When] | None = None
    tracks: Sequence[int] | None = None
    places: Sequence[str] | None = None


def has_merged(store: str | Path, places: Sequence[str] | None = None) -> bool:
    """Whether the store has merged and unwrapped pairs, which are then exported as they are; bursts that are asked for
    by name are not."""  # fmt: skip
    return _PASSES in collections(open_store(str(store))) and not any(p.count("_") == 2 for p in places or ())


def export_hyp3(store: str | Path, folder: str | Path, options: ExportOptions | None = None) -> Iterator[Path]:
    """Write every pair of a store, one after the other; yields each zip.

    Where the store has merged pairs (`merge: true` in the run file) these are taken as they are. Else the bursts of
    each pair are merged, filtered and unwrapped here; all products of a track then lie on one grid, that of all its
    bursts which are exported together. So MintPy takes either as a stack.

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
    if has_merged(store, options.places) and (passes := _found(store, options, _PASSES)):
        bursts = read_items(str(store), Selection(), _BURSTS)
        if options.places is None:
            _say_left(passes, _found(store, options, _BURSTS))
        for item in passes:
            yield _of_pass(item, bursts)
        return
    items = _found(store, options, _BURSTS)
    if not items:
        raise CubeError(f"{store} has no pairs that were asked for in {_BURSTS}; look with `sarcube status`")
    for track in sorted({int(i.properties["sat:relative_orbit"]) for i in items}):
        of_track = [i for i in items if int(i.properties["sat:relative_orbit"]) == track]
        yield from _of_track(of_track, options)


def _say_left(passes: Sequence[pystac.Item], bursts: Sequence[pystac.Item]) -> None:
    """Which pairs of dates the store has of bursts alone, beside others that it has merged."""
    merged = {str(part["item"]) for item in passes for part in item.properties["sarcube:bursts"]}
    dates = {_days(item) for item in bursts if item.id in merged}
    if left := sorted({_days(item) for item in bursts} - dates):
        named = "; ".join(" and ".join(days) for days in left[:3]) + ("; ..." if len(left) > 3 else "")
        warnings.warn(
            f"{len(left)} pairs passed over, whose bursts are not merged as those of others are ({named}): run them "
            "with merge: true, or ask for them alone, by pair or by bursts",
            PassedOverWarning,
            stacklevel=3,
        )


def _days(item: pystac.Item) -> tuple[str, str]:
    told = item.properties
    return str(told["insar:reference_datetime"])[:10], str(told["insar:secondary_datetime"])[:10]


def _found(store: str | Path, options: ExportOptions, collection: str) -> list[pystac.Item]:
    selection = Selection(
        dates=parse_dates(options.dates),
        places=None if options.places is None else tuple(options.places),
        relative_orbits=None if options.tracks is None else tuple(options.tracks),
    )
    items = [i for i in read_items(str(store), selection, collection) if _wanted(i, options)]
    like = [i for i in items if i.properties["sar:polarizations"][0] in LIKE]
    if like and len(like) < len(items):
        others = sorted({str(i.properties["sar:polarizations"][0]) for i in items if i not in like})
        warnings.warn(
            f"{len(items) - len(like)} of {len(items)} products passed over: HyP3 makes no pairs of "
            f"{' and '.join(others)}",
            PassedOverWarning,
            stacklevel=2,
        )
    return like or items  # of none but others `pairs_of` tells why


def _wanted(item: pystac.Item, options: ExportOptions) -> bool:
    told = item.properties
    if "insar:secondary_datetime" not in told:
        return False
    place = told.get("sarcube:place") or told.get("sarcube:burst_id")
    return (
        (options.days is None or _days(item) == tuple(options.days))
        and (options.tracks is None or told["sat:relative_orbit"] in options.tracks)
        and (options.places is None or place in options.places)
    )


def _of_pass(item: pystac.Item, bursts: Sequence[pystac.Item]) -> Hyp3Pair:
    """A merged pair as it is in the store."""
    told = item.properties
    layers = [name for name in NEEDED if name not in _STATIC]
    if missing := [name for name in layers if name not in item.assets]:
        raise CubeError(f"{item.id} has no {', '.join(missing)}: it was made without being unwrapped")
    cube = open_cube([item], layers=layers, static=list(_STATIC)).compute()
    values = {name: np.asarray(cube[name].values[0]) for name in layers}
    still = {name: np.asarray(cube[name].values) for name in _STATIC}
    parts = {str(part["item"]) for part in told["sarcube:bursts"]}
    own = [burst for burst in bursts if burst.id in parts]
    if len(own) < len(parts):
        raise CubeError(f"the store has no items of {len(parts) - len(own)} bursts that {item.id} was merged from")
    water = "" if told["sarcube:water"] == "not told" else str(told["sarcube:water"])
    masked = bool(water) and bool(told["sarcube:water_left_out"])
    done = Processing(_alpha(str(told["sarcube:phase_filter"])), str(told["sarcube:unwrapped_by"]), water, masked)
    return Hyp3Pair({**values, **still}, grid_of(cube), pairs_of(own), done)


def _alpha(described: str) -> float | None:
    """The filter's power, as the item of a merged pair tells it."""
    if described == "none":
        return 0.0
    try:
        return float(described.rsplit(" ", 1)[-1])
    except ValueError:
        return None


def _of_track(items: Sequence[pystac.Item], options: ExportOptions) -> Iterator[Hyp3Pair]:
    """Pairs of bursts that the store has not merged."""
    cube = open_cube(items, layers=list(INPUTS), merge="looks", static=list(_STATIC))
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


def _of_pair(step: xr.Dataset, items: Sequence[pystac.Item]) -> list[pystac.Item]:
    """Items of the bursts that a step was merged from."""
    first, second = (utc_time(f"{step[name].values[0]}") for name in ("time", "secondary"))

    def near(told: JsonObject) -> bool:
        times = (utc_time(told[f"insar:{name}_datetime"]) for name in ("reference", "secondary"))
        return all(abs(a - b) < _ONE_PASS for a, b in zip(times, (first, second), strict=True))

    return [item for item in items if near(item.properties)]
