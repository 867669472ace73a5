"""One task of a whole pass: its line of sight, or the bursts of a pair merged, filtered and unwrapped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sarcube.config import RunConfig
from sarcube.errors import DemError, ProductError
from sarcube.products.unwrapped import LAND, NOT_SEEN, NOT_TOLD, WATER
from sarcube.workflows.insar.checks import NO_WATER, not_told
from sarcube.workflows.insar.find import pair_tag
from sarcube.workflows.insar.kinds import INSAR_S1, INSAR_S1_PASS, INSAR_S1_PASS_STATIC
from sarcube.workflows.insar.passes import gaps, parts_of
from sarcube.workflows.insar.section import InsarSection
from sarcube.workflows.making import Result, Stages, collection_of, dem_of, store_of
from sarcube.workflows.sentinel1 import known_heights, of_any, open_acquisition, static_layers
from sarcube.workflows.task import Task
from sarcube.workflows.workflow import Context

if TYPE_CHECKING:
    import pystac
    import xarray as xr
    from numpy.typing import NDArray

    from sarcube.engines.insar.merge import Merged
    from sarcube.engines.insar.whole import Whole, WholeOptions
    from sarcube.geometry.grid import GeoGrid
    from sarcube.sensors.sentinel1.search.scenes import FoundBurst

_DEM_MARGIN_M = 1000.0


def pass_static(task: Task, context: Context, stages: Stages) -> Result:
    """Line of sight and elevation over all bursts, from the orbit of one of them that can be read."""
    return of_any(task, lambda found: _static_of(found, task, context, stages))


def _static_of(found: FoundBurst, task: Task, context: Context, stages: Stages) -> Result:
    from sarcube.engines.insar import line_of_sight_layers
    from sarcube.geometry.burst_grid import grid_lonlat_bounds
    from sarcube.terrain.dem import load_dem
    from sarcube.workflows.insar.pass_items import static_facts
    from sarcube.workflows.sentinel1_items import ItemContext, file_tags

    config, grid = context.config, task.grid
    with stages("open"):
        burst = open_acquisition(found, config)
    with stages("dem"):
        dem = load_dem(
            dem_of(config), grid_lonlat_bounds(grid, _DEM_MARGIN_M), grid.resolution, footprint=task.unit.footprint,
            known=known_heights(burst),
        )  # fmt: skip
    with stages("compute"):
        dataset = line_of_sight_layers(burst, grid, dem)
    said = (*burst.warnings, *dem.warnings)
    about = ItemContext(
        dem=dem.description, facility=config.metadata.facility, properties=config.metadata.properties, warnings=said,
    )  # fmt: skip
    attrs = dict(dataset.attrs)
    return Result(
        dataset,
        grid,
        burst.platform,
        lambda product: static_facts(product, burst, attrs, about),
        file_tags(burst, attrs, dem.description),
        said,
    )


def merged_pair(task: Task, context: Context, stages: Stages) -> Result:
    """All bursts of a pair of passes that the store has."""
    from sarcube.engines.insar.merge import align, merge
    from sarcube.engines.insar.whole import finish
    from sarcube.workflows.insar.merging import check_mergeable, read_piece
    from sarcube.workflows.insar.pass_items import PassContext, pass_facts, pass_tags

    config = context.config
    store = store_of(config, INSAR_S1)
    with stages("open"):
        items, absent = _items(task, config)
        check_mergeable(items)
    with stages("static"):
        static, elevation, grid = static_layers(
            task, config, INSAR_S1_PASS_STATIC.name, ("digital_elevation_model",)
        )  # fmt: skip
    with stages("read"):
        read = [read_piece(store, item, grid) for item in items]
    pieces = [piece for piece, _ in read]
    with stages("water"):
        water, whence, warned = _water(config, grid, elevation)
    options = _options(config)
    with stages("merge"):
        alignment, mask = align(pieces), INSAR_S1.table["mask"]
        best = [c.value for c in sorted(mask.classes, key=lambda c: c.rank)]
        merged = merge(pieces, alignment.constants, grid.shape, best, int(mask.nodata))
        elsewhere = [piece.name for piece, moved in read if moved]
        del read, pieces
    with stages("unwrap"):
        whole = finish(merged.interferogram, merged.coherence, merged.looks, water == WATER, options)
    said = tuple(dict.fromkeys((*_said(items, absent, elsewhere, grid, options), *warned)))
    dataset = _layers(merged, whole, water, grid, config.section(InsarSection).debias)
    about = PassContext(items, alignment, options, whole, whence, absent, said)
    return Result(
        dataset,
        grid,
        str(items[0].properties["platform"]).replace("sentinel-", "S").upper(),
        lambda product: pass_facts(product, about, static, config),
        pass_tags(about),
        said,
    )


def _items(task: Task, config: RunConfig) -> tuple[list[pystac.Item], list[str]]:
    """Items of the bursts, and IDs of those that have none."""
    from sarcube.catalog.query import read_item
    from sarcube.products.names import item_key

    store, collection, section = (
        store_of(config, INSAR_S1),
        collection_of(config, INSAR_S1),
        config.section(InsarSection),
    )
    items, absent = [], []
    for first, second in parts_of(task.unit):
        key = item_key(collection, first.burst_id, first.start_time, pair_tag(section, first, second))
        if store.exists(key):
            items.append(read_item(store, key))
        else:
            absent.append(first.burst_id)
    if not items:
        raise ProductError(f"{store.url}/{collection} has no interferogram of {task.unit.day} of {task.place}")
    return items, absent


def _water(config: RunConfig, grid: GeoGrid, static: xr.Dataset) -> tuple[NDArray[np.uint8], str, tuple[str, ...]]:
    """Classes of water, where they are from, and what is to be said of them."""
    from sarcube.terrain.water import UNKNOWN, read_water, read_water_bodies

    source = config.section(InsarSection).water
    if not_told(config):
        return np.full(grid.shape, NOT_TOLD, np.uint8), "not told", (NO_WATER,)
    if source == "auto":
        found, whence, said = read_water_bodies(dem_of(config).mirror, grid)
        found[np.isnan(static["digital_elevation_model"].values)] = UNKNOWN  # land whose tile is not public
    else:
        assert not isinstance(source, str)
        found, whence, said = read_water(source, grid), source.name, ()
        if (found == UNKNOWN).all():
            raise DemError(f"insar.water {source} does not touch the bursts; name a mask of there")
        if not (found == 1).any():
            said = (f"insar.water {source.name} has no water on these bursts: all of it is taken for land",)
    return np.select([found == 1, found == 0], [WATER, LAND], NOT_TOLD).astype(np.uint8), whence, said


def _options(config: RunConfig) -> WholeOptions:
    from sarcube.engines.insar.whole import WholeOptions

    section = config.section(InsarSection)
    return WholeOptions(
        alpha=None if section.filter == "baran" else float(section.filter),
        method=None if section.unwrap == "none" else section.unwrap,
        leave_out_water=section.apply_water_mask,
    )


def _said(
    items: list[pystac.Item], absent: list[str], elsewhere: list[str], grid: GeoGrid, options: WholeOptions
) -> tuple[str, ...]:
    """What the product has otherwise than one might expect, its bursts' own warnings among it."""
    from sarcube.engines.insar.unwrap import NOT_COMMERCIAL

    said = [text for item in items for text in item.properties.get("sarcube:warnings", ())]
    if absent:
        said.append(f"the store has no interferogram of {', '.join(absent)}: the pass has none there")
    said += gaps(str(item.properties["sarcube:burst_id"]) for item in items)
    if elsewhere:
        said.append(f"{', '.join(elsewhere)} lie on another CRS than {grid.crs}: their sums were interpolated")
    if options.method == "snaphu":
        said.append(NOT_COMMERCIAL)
    return tuple(said)


def _layers(merged: Merged, whole: Whole, water: NDArray[np.uint8], grid: GeoGrid, debias: bool) -> xr.Dataset:
    import xarray as xr

    from sarcube.engines.insar.coherence import debiased_coherence

    coherence = debiased_coherence(merged.coherence, merged.looks) if debias else merged.coherence
    layers: dict[str, object] = {
        "interferogram": merged.interferogram, "filtered_phase": whole.filtered_phase, "coherence": coherence,
        "water_mask": water, "amplitude_first": merged.amplitude_first, "amplitude_second": merged.amplitude_second,
        "number_of_looks": merged.looks, "mask": merged.mask,
    }  # fmt: skip
    if whole.unwrapped_phase is not None and whole.components is not None:
        layers["unwrapped_phase"] = whole.unwrapped_phase
        seen = np.isfinite(merged.interferogram)
        layers["connected_components"] = np.where(seen, whole.components, NOT_SEEN).astype(np.uint16)
    ordered = {name: (("y", "x"), layers[name]) for name in INSAR_S1_PASS.table if name in layers}
    return xr.Dataset(ordered, {"y": grid.y(), "x": grid.x()})
