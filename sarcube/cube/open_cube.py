"""Open a region and a time range in one line."""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

import numpy as np
import pystac
import xarray as xr

from sarcube.cube import accessor as _accessor  # noqa: F401 - registers cube.sar
from sarcube.cube.acquisition import Acquisition, from_item, is_static, layer_keys, place_of_item
from sarcube.cube.asked import parse_bbox, texts_of
from sarcube.cube.cf import PRODUCTS, fingerprint, with_grid
from sarcube.cube.cube_options import CubeKeywords, CubeOptions
from sarcube.cube.found import Store, explain_nothing, read_acquisitions, read_items
from sarcube.cube.grouping import Group, Step, steps_of
from sarcube.cube.layers import attributes, layers_of
from sarcube.cube.pairs import accessor as _pairs_accessor  # noqa: F401 - registers cube.insar
from sarcube.cube.pairs.axis import pair_coordinates
from sarcube.cube.pairs.beside import lay_beside
from sarcube.cube.reader import Merge, MergeRule, Source
from sarcube.cube.selection import Selection, When, select
from sarcube.cube.several import check_names, kinds_of, own_layers, read_all, shared_grid
from sarcube.cube.stack import stack_layer
from sarcube.cube.target_grid import bounds_in, epsg_of
from sarcube.errors import CubeError, PassedOverWarning
from sarcube.geometry.grid import GeoGrid
from sarcube.products.kinds import Layer

if TYPE_CHECKING:
    from affine import Affine

    from sarcube.cube.asked import BboxLike


def open_cube(
    store: Store,
    *,
    bbox: BboxLike | None = None,
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
        By default what the products are made for (their measures) and their masks. Of a store with several kinds of
        products they tell which is opened. A layer of pairs named with its channel (coherence_VV) is laid beside those
        of dates, each at the first date of its pair to the next one, on the pixels of the others.
    resolution : float, optional
        In units of the CRS; by default that of the products.
    crs : int or str, optional
        EPSG code; by default that of most products.
    group : {"pass", "acquisition", "day", "track"}
        What makes one time step: all products of one overflight, each alone, all passes of one UTC day, or all
        dates of one track.
    merge : {"first", "mean", "looks", "centre"}, optional
        How products of one step meet where they overlap: the first in time that is valid, the mean (each layer as
        it says of itself: a sum, the most frequent value, the best class), the same weighted by the layer that counts
        looks, or the product whose centre is nearest.
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
    collection : str or sequence of str, optional
        Keep only this. A store that has several kinds of dated products needs its collection named, or several, which
        then share grid and time axis: ["s1_rtc_c1", "s2_ard"]. Pixels and CRS are those of the first one's products
        unless asked for; a step of one kind has no data in the layers of the others.
    places, platforms, orbit_direction, relative_orbits : optional
        Keep only these. `burst_ids` is what version 0.1 called places.

    Returns
    -------
    Dataset
        Values as the layers have them (backscatter: linear power), nodata where nothing was seen. Coordinates along
        time: end_time, platform, orbit_direction, relative_orbit, place (empty where merged), merged (how many
        products), products (a fingerprint of these).

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
    chosen = CubeOptions.read(options)
    area = parse_bbox(bbox)
    selection, _ = chosen.selection(area, dates), chosen.chunk_sizes()
    code, asked = epsg_of(crs), texts_of("layers", layers)
    if asked == ():
        raise CubeError("layers is empty; name some, or leave it out for all measures and masks")
    everything = read_all(store, selection, chosen.collection, chosen.elsewhere)
    dated = [i for i in everything if not is_static(i)]
    if not dated and selection != Selection():
        one = chosen.collection if isinstance(chosen.collection, str) else None
        explain_nothing(store, selection, one, chosen.elsewhere)
    items, beside = kinds_of(select(dated, selection), chosen.collection, asked)
    own = own_layers(items)
    table = {**layers_of(items), **{name: of.layer for name, of in beside.items()}}
    wanted = _layers(table, asked)
    check_names(own, wanted)
    weights = {table[name].weight for name in wanted if chosen.merge == "looks"} - {""}
    plain = [name for name in wanted if name not in beside]
    acquisitions = read_acquisitions(items, frozenset(plain) | weights)
    _check_assets(acquisitions, plain, asked, own)
    acquisitions = [a for a in acquisitions if a.files]
    base = acquisitions
    if beside:
        acquisitions = lay_beside(acquisitions, beside)
    grid = shared_grid(base or acquisitions, own, area, resolution, code)

    statics: list[Acquisition] = []
    unweighted = [a for a in acquisitions if not _weights_of(table, wanted, own.get(a.id)) & weights <= a.files.keys()]
    still: dict[str, Layer] = {}
    if chosen.static or unweighted:
        statics, still = _static_products(store, chosen, everything, acquisitions if chosen.static else unweighted)
    steps = steps_of(acquisitions, group, chosen.apart)
    cube = _dataset(steps, [table[name] for name in wanted], grid, chosen, _by_place(statics))
    if chosen.static:
        cube = cube.assign(_static_variables(statics, still, cube, grid, chosen))
    return _described(cube, grid, chosen, group)


def _layers(table: Mapping[str, Layer], layers: Sequence[str] | None) -> list[str]:
    present = set(table)
    if layers is None:
        chosen = [layer.name for role in ("measure", "mask") for layer in table.values() if layer.role == role]
        return chosen or sorted(present)
    names = list(dict.fromkeys(layers))
    if not present:
        raise CubeError(
            f"none of the selected items tells what its rasters are, so there is no layer {', '.join(names)}; an asset "
            "needs the role data and a data_type (raster:bands, or that of STAC 1.1)"
        )
    for name in names:
        if name not in present:
            # Whatever their case: vv is VV.
            spelled = {known.casefold(): known for known in sorted(present)}
            near = difflib.get_close_matches(name.casefold(), spelled, 1, 0.4)
            hint = f"; did you mean {spelled[near[0]]}?" if near else "."
            raise CubeError(f"no selected product has a layer {name!r}{hint} They have {', '.join(sorted(present))}")
    return names


def _weights_of(table: Mapping[str, Layer], wanted: Sequence[str], own: frozenset[str] | None) -> set[str]:
    return {table[name].weight for name in wanted if own is None or name in own} - {""}


def _check_assets(
    acquisitions: Sequence[Acquisition], wanted: Sequence[str], asked: object, own: Mapping[str, frozenset[str]]
) -> None:
    # Dual-pol dates beside single-pol ones are ordinary; a layer that was asked for by name is not.
    if wanted and (empty := [a.id for a in acquisitions if not a.files and asked is None]):
        warnings.warn(
            f"{len(empty)} of {len(acquisitions)} items passed over: they have none of the layers {', '.join(wanted)}: "
            f"{', '.join(empty[:5])}{' ...' if len(empty) > 5 else ''}",
            PassedOverWarning,
            stacklevel=3,
        )
    for acquisition in acquisitions:
        missing = [name for name in wanted if name in own[acquisition.id] and name not in acquisition.files]
        if asked is not None and missing:
            raise CubeError(
                f"item {acquisition.id} has no asset {', '.join(missing)}; ask for layers that every product has, "
                "or leave the item out"
            )


def _static_products(
    store: Store, options: CubeOptions, everything: Sequence[pystac.Item], acquisitions: Sequence[Acquisition]
) -> tuple[list[Acquisition], dict[str, Layer]]:
    places = {a.place for a in acquisitions}
    found = list(everything)
    if options.static_store is not None:
        found = read_items(options.static_store, Selection(places=tuple(sorted(places))), elsewhere=options.elsewhere)
    # Items of dates carry the static layers of their place too, so these do where the static items are elsewhere.
    linked = [i for i in found if any("static" in (asset.roles or ()) for asset in i.assets.values())]
    there = {place_of_item(i) for i in (*linked, *filter(is_static, found))}
    if options.static_store is None and options.collection and places - there and isinstance(store, str | os.PathLike):
        # A collection was named, which they are not of.
        found += read_items(store, Selection(places=tuple(sorted(places - there))), elsewhere=options.elsewhere)
    table = layers_of(i for i in found if is_static(i))
    for item in linked:
        marked = {key for key, asset in item.assets.items() if "static" in (asset.roles or ())}
        table |= {n: layer for n, layer in layers_of([item]).items() if n not in table and n in layer_keys(marked)}
    wanted = frozenset(table)
    # A place may have several kinds of static layers: all count, and of one name those on the dates' own pixels.
    pixels = {a.place: a.grid.resolution for a in acquisitions}
    still = [from_item(i, wanted) for i in sorted(found, key=lambda i: i.id) if is_static(i)]
    still.sort(key=lambda a: bool(a.files) and a.grid.resolution == pixels.get(a.place))
    products: dict[str, Acquisition] = {}
    for a in still:
        if a.place in places:
            before = products[a.place].files if a.place in products else {}
            products[a.place] = replace(a, files={**before, **a.files})
    for item in linked:
        place = place_of_item(item)
        if place in places and place not in products:
            own = {key for key, asset in item.assets.items() if "static" in (asset.roles or ())}
            products[place] = from_item(item, frozenset(layer_keys(own)) & wanted)
    if missing := sorted(places - set(products)):
        raise CubeError(
            f"there are no static layers of {', '.join(missing[:5])}{' ...' if len(missing) > 5 else ''}; "
            "produce them first, or say where they are with static_store="
        )
    return list(products.values()), table


def _by_place(products: Sequence[Acquisition]) -> dict[str, Acquisition]:
    return {p.place: p for p in sorted(products, key=lambda p: p.id)}


def _merges(
    steps: Sequence[Step], layer: Layer, grid: GeoGrid, rule: MergeRule, statics: Mapping[str, Acquisition]
) -> list[Merge | None]:
    merges: list[Merge | None] = []
    for step in steps:
        sources = []
        for a in step.acquisitions:
            file = a.files.get(layer.name)
            if file is None:
                continue
            weight = None
            if rule == "looks" and layer.weight:
                still = statics.get(a.place)
                looks = a.files.get(layer.weight) or (still and still.files.get(layer.weight))
                if not looks:
                    raise CubeError(f"item {a.id} has no {layer.weight} to weight by; choose another merge=")
                weight = looks.href
            sources.append(Source(file.href, a.id, file.grid, bounds_in(file.grid, grid.epsg), weight, file.numbers))
        blind = tuple(c.value for c in layer.classes if c.blind)
        merges.append(Merge(tuple(sources), rule, layer.merge, blind) if sources else None)
    return merges


def _dataset(
    steps: Sequence[Step],
    layers: Sequence[Layer],
    grid: GeoGrid,
    options: CubeOptions,
    statics: Mapping[str, Acquisition],
) -> xr.Dataset:
    times = [s.start for s in steps]
    variables = {}
    for layer in layers:
        merges = _merges(steps, layer, grid, options.merge, statics)
        data = stack_layer(merges, times, grid, layer, options.chunk_sizes())
        variables[layer.name] = data.assign_attrs(attributes(layer))
    centres = [_centre(s, grid.epsg) for s in steps]
    coords = {
        "time": ("time", np.array(times, "datetime64[ns]"), {"long_name": "start of the acquisition", "axis": "T"}),
        "end_time": ("time", np.array([s.end for s in steps], "datetime64[ns]")),
        "platform": ("time", np.array([s.platform for s in steps], dtype=np.str_)),
        "orbit_direction": ("time", np.array([s.orbit_direction for s in steps], dtype=np.str_)),
        "relative_orbit": ("time", np.array([s.relative_orbit for s in steps], np.int16)),
        "place": ("time", np.array([s.place for s in steps], dtype=np.str_)),
        "centre_x": ("time", np.array([c[0] for c in centres])),
        "centre_y": ("time", np.array([c[1] for c in centres])),
        "merged": ("time", np.array([len(s.acquisitions) for s in steps], np.int32)),
        PRODUCTS: (
            "time",
            np.array([fingerprint(a.id for a in s.acquisitions) for s in steps], dtype=np.str_),
            {"long_name": "fingerprint of the products merged"},
        ),
    }
    return xr.Dataset(variables, coords=coords | pair_coordinates(steps))


def _centre(step: Step, epsg: int) -> tuple[float, float]:
    edges = np.array([bounds_in(a.grid, epsg) for a in step.acquisitions])
    return float(edges[:, [0, 2]].mean()), float(edges[:, [1, 3]].mean())


def _static_variables(
    statics: Sequence[Acquisition], table: Mapping[str, Layer], cube: xr.Dataset, grid: GeoGrid, options: CubeOptions
) -> dict[str, xr.DataArray]:
    tracks: dict[int, list[Acquisition]] = {}
    for product in sorted(_by_place(statics).values(), key=lambda p: p.place):
        tracks.setdefault(product.relative_orbit, []).append(product)
    steps = [Step(tuple(products)) for _, products in sorted(tracks.items())]
    present = {name for s in steps for a in s.acquisitions for name in a.files}
    if options.static is True:
        names = [name for name in table if name in present]
    else:
        names = [options.static] if isinstance(options.static, str) else list(options.static or ())
        if unknown := [name for name in names if name not in present]:
            raise CubeError(f"there is no static layer {', '.join(unknown)}; there are {', '.join(sorted(present))}")
    variables = {}
    for name in names:
        merges = _merges(steps, table[name], grid, "first", {})
        data = stack_layer(merges, [s.start for s in steps], grid, table[name], options.chunk_sizes())
        data = data.rename(time="track").assign_attrs(attributes(table[name]))
        if len(steps) == 1:
            data = data.isel(track=0)
        else:
            data = data.assign_coords(track=("track", np.array(sorted(tracks), np.int16)))
        variables[f"static_{name}" if name in cube else name] = data
    return variables


def _described(cube: xr.Dataset, grid: GeoGrid, options: CubeOptions, group: str) -> xr.Dataset:
    import rioxarray  # noqa: F401 - registers .rio

    cube = cube.assign_coords(y=("y", grid.y()), x=("x", grid.x()))
    cube = cube.rio.write_crs(grid.epsg).rio.write_transform(rasterio_affine(grid)).rio.write_coordinate_system()
    return with_grid(cube, cube).assign_attrs(
        Conventions="CF-1.11",
        sarcube_group=group,
        sarcube_merge=options.merge,
    )


def rasterio_affine(grid: GeoGrid) -> Affine:
    """A grid's transform as rasterio takes it."""
    from affine import Affine

    return Affine(*grid.transform)
