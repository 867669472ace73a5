"""The backscatter workflow: the only module of production that knows RTC.

A task is: open the burst, load the DEM, let the engine compute, write the product, publish its item. The item
is the commit; whatever a killed attempt left beside it is swept away afterwards.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sarcube.config import RunConfig
from sarcube.errors import BurstNotFoundError, GridError, OrbitError, ProductError, SceneError
from sarcube.products.names import STATIC_VALIDITY, ProductName, item_key
from sarcube.store.protocol import Store, open_store
from sarcube.workflows.rtc.checks import defects, dem_remarks, remarks
from sarcube.workflows.rtc.grids import grid_of_item
from sarcube.workflows.task import Task
from sarcube.workflows.workflow import Context, Found, Made, Problem

if TYPE_CHECKING:
    import pystac
    import xarray as xr

    from sarcube.engines.rtc.engine import RtcOptions
    from sarcube.geometry.dem import Dem
    from sarcube.geometry.grid import GeoGrid
    from sarcube.products.cog import Codec
    from sarcube.products.product import ProductOptions
    from sarcube.sensors.sentinel1.model import Burst
    from sarcube.sensors.sentinel1.search.scenes import FoundBurst

log = logging.getLogger(__name__)
# Layover and shadow at the burst's edge come from terrain beyond it: engines look up to five kilometres out.
_DEM_MARGIN_M = 6000.0
_RTC, _STATIC = "RTC_S1", "RTC_S1_STATIC"
_LINKED = ("number_of_looks",)
_CODECS: dict[str, Codec] = {"zstd": "ZSTD", "deflate": "DEFLATE", "lerc": "LERC", "none": "NONE"}


@dataclass
class _Stages:
    """Seconds per stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - begun, 3)


class RtcWorkflow:
    """Static layers once per burst ID, backscatter once per acquisition."""

    def find(self, config: RunConfig) -> Found:
        """Bursts of the source within the run's area, dates and filters."""
        from sarcube.engines.rtc.engine import check_engine_options
        from sarcube.sensors.sentinel1.orbits import local_index
        from sarcube.sensors.sentinel1.search.scenes import find_scenes

        check_engine_options(config.engine, config.engine_options)
        if config.orbits.path is not None:
            local_index(config.orbits.path)  # refuses a folder that is not there or holds no orbit
        search = find_scenes(config)
        problems = tuple(Problem(p.path, p.message, p.error) for p in search.problems)
        warnings = tuple(Problem(p.path, p.message) for p in search.warnings)
        warnings += tuple(Problem("dem", message) for message in dem_remarks(config.dem, search.bursts))
        return Found(search.bursts, problems, search.explanation, warnings)

    def defects(self, config: RunConfig, units: Sequence[Any], grid: GeoGrid) -> Mapping[int, str]:
        """Acquisitions without orbit, or whose DEM does not reach."""
        return defects(config, units)

    def remarks(self, config: RunConfig, kind: str, units: Sequence[Any]) -> Mapping[int, Sequence[str]]:
        """Acquisitions that no orbit file covers."""
        return remarks(config, units)

    def outdated(self, unit: Any, stored: Mapping[str, Any]) -> str:
        """Which older version of its scene a product was made from, where the source has a later one."""
        from sarcube.sensors.sentinel1.search.scenes import made_from_older

        facts = stored["properties"]
        scene = str(facts.get("sarcube:source_scene") or "")
        made = str(facts.get("sarcube:source_processing_datetime") or "")
        software = facts.get("processing:software")
        ipf = str(software.get("Sentinel-1 IPF") or "") if isinstance(software, Mapping) else ""
        if not made_from_older(unit, scene, made, ipf):
            return ""
        return f"made from {scene}, of which the source has a later version, {unit.scene}"

    def prepare(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Make the collections that the run writes to; refuse an engine that is not there, and missing logins."""
        from sarcube.catalog.collections import ensure_collection
        from sarcube.catalog.items import CATALOG_FILE, PROJECTION
        from sarcube.catalog.schemas import shared_schemas
        from sarcube.engines.rtc.engine import get_engine
        from sarcube.transfer.sessions import check_credentials

        check_credentials(config)
        if config.engine != "native":  # which is always there, and slow to import
            get_engine(config.engine, config.engine_options)
        schemas = str(config.schemas) if config.schemas else None
        names = config.collections
        kinds = tuple(kinds)
        first = not all(_store(config, kind).exists(CATALOG_FILE) for kind in kinds)
        for kind in kinds:
            name = names.static if kind == "static" else names.rtc
            ensure_collection(_store(config, kind), name, schemas=schemas)
        if first and shared_schemas(schemas).get(PROJECTION) is None:  # said once per store
            log.warning(
                "items are checked against STAC itself, not its extensions: their schemas are neither on the network "
                "nor in a folder (name one in the run file: `schemas`)"
            )

    def finish(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Bring collections and index up to date with what the run made."""
        from sarcube.catalog.collections import update_collections

        schemas = str(config.schemas) if config.schemas else None
        for url in sorted({_store(config, kind).url for kind in kinds}):
            update_collections(open_store(url), schemas=schemas)

    def run(self, task: Task, context: Context) -> Made:
        """Make one product."""
        config = context.config
        store = _store(config, task.kind)
        key = item_key(_collection(config, task.kind), task.burst_id, task.start)
        if not task.remake and store.exists(key):
            return Made(existed=True, item=key)
        stages = _Stages()
        if task.kind == "static":
            made = _first_usable(task, lambda found: _static(task, found, context, store, stages))
        else:
            made = _backscatter(task, task.inputs[0], context, store, stages)
        return made


def rtc_options(config: RunConfig, threads: int = 0) -> RtcOptions:
    """The engine's options that a run file stands for."""
    from sarcube.engines.rtc.engine import RtcOptions

    switches = config.corrections
    return RtcOptions(
        backscatter=config.backscatter,
        polarizations=None if config.polarizations == "auto" else tuple(config.polarizations),
        thermal_noise=switches.thermal_noise,
        bistatic_delay=switches.bistatic_delay,
        static_troposphere=switches.static_troposphere,
        shadow_masking=switches.shadow_masking,
        static_reuse=config.geometry == "reuse",
        threads=threads,
        engine_options=config.engine_options,
    )


def product_options(config: RunConfig) -> ProductOptions:
    """How a run file wants files to be written."""
    from sarcube.products.cog import CogOptions
    from sarcube.products.product import ProductOptions

    wanted = config.compression
    codec = _CODECS[wanted.codec]
    return ProductOptions(CogOptions(codec, wanted.level, wanted.mantissa_bits, wanted.max_error))


def _store(config: RunConfig, kind: str) -> Store:
    return open_store((config.static_store if kind == "static" else None) or config.store)


def _collection(config: RunConfig, kind: str) -> str:
    return config.collections.static if kind == "static" else config.collections.rtc


def _first_usable(task: Task, make: Callable[[FoundBurst], Made]) -> Made:
    """Static layers need the geometry of any one acquisition: where one cannot be read, the next may serve."""
    for found in task.inputs[:-1]:
        try:
            return make(found)
        except (SceneError, BurstNotFoundError, OrbitError):
            continue
    return make(task.inputs[-1])


def _static(task: Task, found: FoundBurst, context: Context, store: Store, stages: _Stages) -> Made:
    from sarcube.engines.rtc.engine import get_engine

    config = context.config
    with stages("open"):
        burst = _open(found, config)
    with stages("dem"):
        dem = _dem(config, task.grid, burst)
    with stages("compute"):
        options = rtc_options(config, context.threads)
        dataset = get_engine(config.engine, config.engine_options).static(burst, task.grid, dem, options)
    return _commit(task, found, (burst, dem), dataset, task.grid, config, store, stages, None)


def _backscatter(task: Task, found: FoundBurst, context: Context, store: Store, stages: _Stages) -> Made:
    from sarcube.engines.rtc.engine import get_engine

    config = context.config
    with stages("open"):
        burst = _open(found, config)
    with stages("static"):
        item, static, grid = _static_layers(task, config)
    with stages("dem"):
        dem = _dem(config, grid, burst)
    with stages("compute"):
        options = rtc_options(config, context.threads)
        # The grid is that of the static layers in the store, whatever the plan expected: two runs that began
        # with different dates may have expected different ones, and only one of them made the layers.
        dataset = get_engine(config.engine, config.engine_options).backscatter(burst, grid, dem, options, static)
    if config.link_static_layers:
        # Who asks for linked layers gets the static ones, as from the AWS pipeline: what both have is kept once.
        dataset = dataset.drop_vars([name for name in _LINKED if name in item.assets and name in dataset])
    return _commit(task, found, (burst, dem), dataset, grid, config, store, stages, item)


def _open(found: FoundBurst, config: RunConfig) -> Burst:
    from sarcube.sensors.sentinel1.open_burst import open_burst

    return open_burst(found, config)


def _dem(config: RunConfig, grid: GeoGrid, burst: Burst) -> Dem:
    from sarcube.geometry.burst_grid import grid_lonlat_bounds
    from sarcube.geometry.grid import metres_per_unit
    from sarcube.terrain.dem import load_dem

    metres = metres_per_unit(grid.epsg)
    bounds = grid_lonlat_bounds(grid, _DEM_MARGIN_M / metres)
    points = burst.geolocation
    known = (points.longitude, points.latitude, points.height)
    return load_dem(config.dem, bounds, grid.resolution * metres, footprint=burst.footprint, known=known)


def _static_layers(task: Task, config: RunConfig) -> tuple[pystac.Item, xr.Dataset, GeoGrid]:
    from sarcube.catalog.query import find_static_item
    from sarcube.products.product import read_static

    store = _store(config, "static")
    item = find_static_item(store, config.collections.static, task.burst_id)
    if item is None:
        raise ProductError(
            f"{store.url}/{config.collections.static} has no static layers of {task.burst_id}; run the plan again"
        )
    grid = grid_of_item(item.to_dict(transform_hrefs=False), item.id)
    # A task always has a DEM: with it an engine needs no more of the static layers than this.
    static = read_static(store, item, ("mask",))
    if static.attrs["grid"] != grid:
        raise GridError(f"static layers of {task.burst_id}: the files lie on another grid than {item.id} says")
    return item, static, grid


def _commit(  # noqa: PLR0913, PLR0917
    task: Task,
    found: FoundBurst,
    inputs: tuple[Burst, Dem],
    dataset: xr.Dataset,
    grid: GeoGrid,
    config: RunConfig,
    store: Store,
    stages: _Stages,
    static: pystac.Item | None,
) -> Made:
    from sarcube.catalog.publish import publish_item
    from sarcube.products.attempt import withdraw
    from sarcube.products.product import THUMBNAIL, write_product
    from sarcube.workflows.rtc.items import (
        ItemContext,
        engine_warnings,
        file_tags,
        noise_removed,
        rtc_item,
        static_item,
    )

    burst, dem = inputs
    is_static = task.kind == "static"
    name = ProductName(
        _STATIC if is_static else _RTC,
        task.burst_id,
        STATIC_VALIDITY if is_static or task.start is None else task.start,
        dt.datetime.now(dt.UTC),
        burst.platform,
        grid.resolution,
    )
    attrs = {**dataset.attrs, "thermal_noise": not is_static and noise_removed(burst, dataset.attrs)}
    warnings = (*burst.warnings, *dem.warnings, *engine_warnings(attrs))
    tags = file_tags(burst, attrs, dem.description)
    with stages("write"):
        product = write_product(
            store, name, dataset, grid, tags, _collection(config, task.kind), product_options(config)
        )
    with stages("publish"):
        context = ItemContext(
            dem=dem.description,
            source_href=found.path,
            facility=config.metadata.facility,
            static=static,
            properties=config.metadata.properties,
            warnings=warnings,
        )
        try:
            make = static_item if is_static else rtc_item
            item = make(store, product, burst, attrs, context)
        except BaseException:  # also what nobody foresaw, and a task that is called back
            withdraw(store, product.attempt, [file.key for file in product.files])
            raise
        # Where this fails the item may still arrive, however late: its files stay, until another item is there.
        schemas = str(config.schemas) if config.schemas else None
        published = publish_item(store, item, product, schemas=schemas, overwrite=task.remake)
    thumbnail = next((file.key for file in product.files if file.layer == THUMBNAIL), "")
    return Made(
        existed=not published.created,
        item=published.key,
        bytes_in=found.size_bytes if not is_static else 0,
        bytes_out=product.size if published.created else 0,
        stages=stages.seconds,
        warnings=warnings,
        thumbnail=thumbnail if published.created else "",
    )


WORKFLOW = RtcWorkflow()
