"""Open a region and a time range in one line."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypedDict, Unpack

import numpy as np
import pystac
import xarray as xr

from sarcube.cube import accessor as _accessor  # noqa: F401 - registers cube.sar
from sarcube.cube.acquisition import Acquisition, burst_id_of_item, from_item, is_static, layers_of
from sarcube.cube.asked import parse_bbox
from sarcube.cube.cf import PRODUCTS, fingerprint, with_grid
from sarcube.cube.found import Elsewhere, Store, explain_nothing, read_acquisitions, read_items
from sarcube.cube.grouping import Apart, Group, Step, steps_of
from sarcube.cube.reader import MERGE_RULES, Merge, MergeRule, Source
from sarcube.cube.selection import Selection, When, parse_dates, select
from sarcube.cube.stack import Chunks, stack_layer
from sarcube.cube.target_grid import bounds_in, epsg_of, target_grid
from sarcube.errors import CubeError, PassedOverWarning
from sarcube.geometry.grid import GeoGrid
from sarcube.workflows.rtc.kinds import LAYERS, POLARIZATIONS, STATIC_LAYERS


class CubeKeywords(TypedDict, total=False):
    """Further keywords of `open_cube`; see there."""

    merge: MergeRule
    apart: Sequence[Apart]
    static: bool | Sequence[str]
    static_store: Store | None
    elsewhere: Elsewhere
    chunks: int | Mapping[str, int]
    collection: str | None
    burst_ids: Sequence[str] | None
    platforms: Sequence[str] | None
    orbit_direction: str | None
    relative_orbits: Sequence[int] | None


@dataclass(frozen=True)
class _Options:
    merge: MergeRule = "first"
    apart: Sequence[Apart] = ()
    static: bool | Sequence[str] = False
    static_store: Store | None = None
    elsewhere: Elsewhere = False
    chunks: int | Mapping[str, int] = 1024
    collection: str | None = None
    burst_ids: Sequence[str] | None = None
    platforms: Sequence[str] | None = None
    orbit_direction: str | None = None
    relative_orbits: Sequence[int] | None = None

    @classmethod
    def read(cls, keywords: Mapping[str, Any]) -> _Options:
        known = [f.name for f in fields(cls)]
        for name in keywords:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {near[0]}?" if near else f"; it takes {', '.join(known)}"
                raise CubeError(f"open_cube does not know {name!r}{hint}")
        options = cls(**keywords)
        if options.merge not in MERGE_RULES:
            raise CubeError(f"merge is one of {', '.join(MERGE_RULES)}, not {options.merge!r}")
        return options

    def chunk_sizes(self) -> Chunks:
        if isinstance(self.chunks, int):
            return Chunks(1, self.chunks, self.chunks)
        if unknown := set(self.chunks) - {"time", "y", "x"}:
            raise CubeError(f"chunks is a size or sizes of time, y, x, not of {', '.join(sorted(unknown))}")
        return Chunks(self.chunks.get("time", 1), self.chunks.get("y", 1024), self.chunks.get("x", 1024))


def open_cube(
    store: Store,
    *,
    bbox: Any = None,
    dates: When | Sequence[When] | slice | None = None,
    layers: str | Sequence[str] | None = None,
    resolution: float | None = None,
    crs: int | str | None = None,
    group: Group = "pass",
    **options: Unpack[CubeKeywords],
) -> xr.Dataset:
    """Open products as a lazy dataset with dimensions time, y, x; nothing is read before it is computed.

    Parameters
    ----------
    store : str, path, or items
        A sarcube store (folder or s3:// address) or a collection, `items.parquet` or item of it, a folder or list
        of OPERA RTC-S1 files as published, a folder of exported COGs, or STAC items.
    bbox : tuple of float, shapely geometry or GeoDataFrame, optional
        West, south, east, north in degrees, at most 180 degrees wide; east below west crosses the antimeridian. A
        geometry (in degrees, unless it knows its CRS) stands for its bounding box. The cube is cut to it; items
        outside are never touched.
    dates : str, date, pair or slice, optional
        "2022", "2022-03", ("2022-01-01", "2022-03-31"); ends included.
    layers : str or sequence of str, optional
        By default the polarizations and the mask, as far as the products have them.
    resolution : float, optional
        In units of the CRS; by default that of the products.
    crs : int or str, optional
        EPSG code; by default that of most products.
    group : {"pass", "acquisition", "day", "track"}
        What makes one time step: all bursts of one overflight, each burst alone, all passes of one UTC day,
        or all dates of one track.
    merge : {"first", "mean", "looks", "centre"}, optional
        How bursts of one step meet where they overlap: the first in time that is valid, the mean in power,
        the mean weighted by the number of looks, or the burst whose centre is nearest.
    apart : sequence of {"platform", "orbit_direction", "relative_orbit"}, optional
        With group="day": what stays apart.
    static : bool or sequence of str, optional
        Add static layers as variables (y, x); (track, y, x) where several tracks are open. A static layer of a
        name that dates have too is called static_<name>.
    static_store : same as store, optional
        Where static layers are, if elsewhere.
    elsewhere : bool, str or sequence of str, optional
        Folders and addresses besides the store where files that its items name may lie; True: anywhere. By default
        nowhere, so that a store of somebody else's makes nothing of yours, and no other host, be read.
    chunks : int or mapping, optional
        Size of chunks, 1024 by default; multiples of the COG's 512 read best. {"time": -1, "y": 512, "x": 512}
        suits percentiles over time.
    collection, burst_ids, platforms, orbit_direction, relative_orbits : optional
        Keep only these.

    Returns
    -------
    Dataset
        Linear power, NaN where nothing was seen; mask 255 there. Coordinates along time: end_time, platform,
        orbit_direction, relative_orbit, burst_id (empty where merged), bursts (how many were merged), products
        (a fingerprint of what was merged).

    Raises
    ------
    CubeError
        Nothing is selected, resolutions are mixed, or a product lacks what the cube needs.

    Warns
    -----
    PassedOverWarning
        Damaged items were left out.

    Examples
    --------
    >>> cube = open_cube("store", bbox=(-7.1, 31.0, -6.9, 31.2), dates="2023")  # doctest: +SKIP
    """
    chosen = _Options.read(options)
    area = parse_bbox(bbox)
    selection = Selection(
        bbox=area,
        dates=parse_dates(dates),
        burst_ids=None if chosen.burst_ids is None else tuple(chosen.burst_ids),
        platforms=None if chosen.platforms is None else tuple(chosen.platforms),
        orbit_direction=chosen.orbit_direction,
        relative_orbits=None if chosen.relative_orbits is None else tuple(chosen.relative_orbits),
    )
    code = epsg_of(crs)
    everything = read_items(store, selection, chosen.collection, chosen.elsewhere)
    dated = [i for i in everything if not is_static(i)]
    if not dated and selection != Selection():
        explain_nothing(store, selection, chosen.collection, chosen.elsewhere)
    items = select(dated, selection)
    wanted = _layers(items, layers)
    needed = frozenset(wanted) | ({"number_of_looks"} if chosen.merge == "looks" else set())
    acquisitions = read_acquisitions(items, needed)
    _check_assets(acquisitions, wanted, layers)
    acquisitions = [a for a in acquisitions if a.files]
    grid = target_grid([a.grid for a in acquisitions], area, resolution, code)

    statics: list[Acquisition] = []
    unweighted = [a for a in acquisitions if chosen.merge == "looks" and "number_of_looks" not in a.files]
    if chosen.static or unweighted:
        statics = _static_products(chosen, everything, acquisitions if chosen.static else unweighted)
    steps = steps_of(acquisitions, group, chosen.apart)
    cube = _dataset(steps, wanted, grid, chosen, _by_burst(statics))
    if chosen.static:
        cube = cube.assign(_static_variables(statics, cube, grid, chosen))
    return _described(cube, grid, chosen, group)


def _layers(items: Sequence[pystac.Item], layers: str | Sequence[str] | None) -> list[str]:
    present = layers_of(items)
    if layers is None:
        return [name for name in (*POLARIZATIONS, "mask") if name in present] or sorted(present)
    names = [layers] if isinstance(layers, str) else list(layers)
    for name in names:
        if name not in present:
            # Whatever their case: vv is VV.
            spelled = {known.casefold(): known for known in sorted(present)}
            near = difflib.get_close_matches(str(name).casefold(), spelled, 1, 0.4)
            hint = f"; did you mean {spelled[near[0]]}?" if near else "."
            raise CubeError(f"no selected product has a layer {name!r}{hint} They have {', '.join(sorted(present))}")
    return names


def _check_assets(acquisitions: Sequence[Acquisition], wanted: Sequence[str], asked: object) -> None:
    # Dual-pol dates beside single-pol ones are ordinary; a layer that was asked for by name is not.
    if empty := [a.id for a in acquisitions if not a.files and asked is None]:
        warnings.warn(
            f"{len(empty)} of {len(acquisitions)} items passed over: they have none of the layers {', '.join(wanted)}: "
            f"{', '.join(empty[:5])}{' ...' if len(empty) > 5 else ''}",
            PassedOverWarning,
            stacklevel=3,
        )
    for acquisition in acquisitions:
        missing = [name for name in wanted if name not in acquisition.files]
        if asked is not None and missing:
            raise CubeError(
                f"item {acquisition.id} has no asset {', '.join(missing)}; ask for layers that every product has, "
                "or leave the item out"
            )


def _static_products(
    options: _Options, everything: Sequence[pystac.Item], acquisitions: Sequence[Acquisition]
) -> list[Acquisition]:
    bursts = {a.burst_id for a in acquisitions}
    found = list(everything)
    if options.static_store is not None:
        found = read_items(
            options.static_store, Selection(burst_ids=tuple(sorted(bursts))), elsewhere=options.elsewhere
        )
    wanted = frozenset(STATIC_LAYERS)
    products = {
        a.burst_id: a
        for a in (from_item(i, wanted) for i in sorted(found, key=lambda i: i.id) if is_static(i))
        if a.burst_id in bursts
    }
    # Items of dates carry the static layers of their burst too, so these do where the static items are elsewhere.
    for item in found:
        burst = burst_id_of_item(item)
        if burst in bursts and burst not in products:
            linked = frozenset(n for n, asset in item.assets.items() if "static" in (asset.roles or ())) & wanted
            if linked:
                products[burst] = from_item(item, linked)
    if missing := sorted(bursts - set(products)):
        raise CubeError(
            f"there are no static layers of {', '.join(missing[:5])}{' ...' if len(missing) > 5 else ''}; "
            "produce them first, or say where they are with static_store="
        )
    return list(products.values())


def _by_burst(products: Sequence[Acquisition]) -> dict[str, Acquisition]:
    return {p.burst_id: p for p in sorted(products, key=lambda p: p.id)}


def _merges(
    steps: Sequence[Step], layer: str, grid: GeoGrid, rule: MergeRule, statics: Mapping[str, Acquisition]
) -> list[Merge | None]:
    merges: list[Merge | None] = []
    for step in steps:
        sources = []
        for a in step.acquisitions:
            file = a.files.get(layer)
            if file is None:
                continue
            weight = None
            if rule == "looks":
                still = statics.get(a.burst_id)
                looks = a.files.get("number_of_looks") or (still and still.files.get("number_of_looks"))
                if not looks:
                    raise CubeError(f"item {a.id} has no number_of_looks to weight by; choose another merge=")
                weight = looks.href
            sources.append(Source(file.href, a.id, file.grid, bounds_in(file.grid, grid.epsg), weight))
        merges.append(Merge(tuple(sources), rule) if sources else None)
    return merges


def _dataset(
    steps: Sequence[Step],
    names: Sequence[str],
    grid: GeoGrid,
    options: _Options,
    statics: Mapping[str, Acquisition],
) -> xr.Dataset:
    times = [s.start for s in steps]
    variables = {}
    for name in names:
        layer = LAYERS[name]
        merges = _merges(steps, name, grid, options.merge, statics)
        data = stack_layer(merges, times, grid, layer, options.chunk_sizes())
        variables[name] = data.assign_attrs(_attributes(name))
    centres = [_centre(s, grid.epsg) for s in steps]
    coords = {
        "time": ("time", np.array(times, "datetime64[ns]"), {"long_name": "start of the acquisition", "axis": "T"}),
        "end_time": ("time", np.array([s.end for s in steps], "datetime64[ns]")),
        "platform": ("time", np.array([s.platform for s in steps], dtype=np.str_)),
        "orbit_direction": ("time", np.array([s.orbit_direction for s in steps], dtype=np.str_)),
        "relative_orbit": ("time", np.array([s.relative_orbit for s in steps], np.int16)),
        "burst_id": ("time", np.array([s.burst_id for s in steps], dtype=np.str_)),
        "centre_x": ("time", np.array([c[0] for c in centres])),
        "centre_y": ("time", np.array([c[1] for c in centres])),
        "bursts": ("time", np.array([len(s.acquisitions) for s in steps], np.int32)),
        PRODUCTS: (
            "time",
            np.array([fingerprint(a.id for a in s.acquisitions) for s in steps], dtype=np.str_),
            {"long_name": "fingerprint of the products merged"},
        ),
    }
    return xr.Dataset(variables, coords=coords)


def _centre(step: Step, epsg: int) -> tuple[float, float]:
    edges = np.array([bounds_in(a.grid, epsg) for a in step.acquisitions])
    return float(edges[:, [0, 2]].mean()), float(edges[:, [1, 3]].mean())


def _static_variables(
    statics: Sequence[Acquisition], cube: xr.Dataset, grid: GeoGrid, options: _Options
) -> dict[str, xr.DataArray]:
    tracks: dict[int, list[Acquisition]] = {}
    for product in sorted(_by_burst(statics).values(), key=lambda p: p.burst_id):
        tracks.setdefault(product.relative_orbit, []).append(product)
    steps = [Step(tuple(products)) for _, products in sorted(tracks.items())]
    present = {name for s in steps for a in s.acquisitions for name in a.files}
    if options.static is True:
        names = [name for name in STATIC_LAYERS if name in present]
    else:
        names = [options.static] if isinstance(options.static, str) else list(options.static or ())
        if unknown := [name for name in names if name not in present]:
            raise CubeError(f"there is no static layer {', '.join(unknown)}; there are {', '.join(sorted(present))}")
    variables = {}
    for name in names:
        merges = _merges(steps, name, grid, "first", {})
        data = stack_layer(merges, [s.start for s in steps], grid, LAYERS[name], options.chunk_sizes())
        data = data.rename(time="track").assign_attrs(_attributes(name))
        if len(steps) == 1:
            data = data.isel(track=0)
        else:
            data = data.assign_coords(track=("track", np.array(sorted(tracks), np.int16)))
        variables[f"static_{name}" if name in cube else name] = data
    return variables


def _attributes(name: str) -> dict[str, Any]:
    layer = LAYERS[name]
    attributes: dict[str, Any] = {"long_name": layer.title, "units": layer.unit}
    if name == "mask":
        attributes |= {
            "flag_values": np.array([0, 1, 2, 3, 255], np.uint8),
            "flag_meanings": "valid shadow layover shadow_and_layover outside",
        }
    return attributes


def _described(cube: xr.Dataset, grid: GeoGrid, options: _Options, group: str) -> xr.Dataset:
    import rioxarray  # noqa: F401 - registers .rio

    cube = cube.assign_coords(y=("y", grid.y()), x=("x", grid.x()))
    cube = cube.rio.write_crs(grid.epsg).rio.write_transform(rasterio_affine(grid)).rio.write_coordinate_system()
    return with_grid(cube, cube).assign_attrs(
        Conventions="CF-1.11",
        title="Sentinel-1 radiometrically terrain corrected backscatter",
        sarcube_group=group,
        sarcube_merge=options.merge,
    )


def rasterio_affine(grid: GeoGrid) -> Any:
    """A grid's transform as rasterio takes it."""
    from rasterio import Affine

    return Affine(*grid.transform)
