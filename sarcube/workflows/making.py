"""What every workflow does alike: where products go, making their collections, and committing one."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sarcube.config import DemConfig, RunConfig
from sarcube.errors import ConfigError
from sarcube.products.kinds import ProductKind
from sarcube.products.names import ProductName
from sarcube.store.protocol import Store, open_store
from sarcube.workflows.registry import kind_of
from sarcube.workflows.task import Task
from sarcube.workflows.workflow import Made

if TYPE_CHECKING:
    import xarray as xr

    from sarcube.catalog.items import ItemFacts
    from sarcube.geometry.grid import GeoGrid
    from sarcube.products.cog import Codec
    from sarcube.products.product import Product, ProductOptions

log = logging.getLogger(__name__)
_CODECS: dict[str, Codec] = {"zstd": "ZSTD", "deflate": "DEFLATE", "lerc": "LERC", "none": "NONE"}


@dataclass
class Stages:
    """Seconds per stage of a task: `with stages("open"): ...`."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - begun, 3)


def store_of(config: RunConfig, kind: ProductKind) -> Store:
    """Where products of a kind live."""
    return open_store(config.store if kind.timed else config.static_store or config.store)


def collection_of(config: RunConfig, kind: ProductKind) -> str:
    """Name of a kind's collection in a run."""
    named = config.collections
    return named.get(kind.name) or named.get(kind.formerly) or kind.collection


def dem_of(config: RunConfig) -> DemConfig:
    """The run's DEM; ConfigError where the run file names none."""
    if config.dem is None:
        raise ConfigError(f"`dem`: Field required, by the workflow {config.workflow}")
    return config.dem


def product_options(config: RunConfig) -> ProductOptions:
    """How a run file wants files to be written."""
    from sarcube.products.cog import CogOptions
    from sarcube.products.product import ProductOptions

    wanted = config.compression
    codec = _CODECS[wanted.codec]
    return ProductOptions(CogOptions(codec, wanted.level, wanted.mantissa_bits, wanted.max_error))


def ensure_collections(config: RunConfig, kinds: Iterable[str]) -> None:
    """Make the collections that a run writes to, and say where items are checked without the official schemas."""
    from sarcube.catalog.collections import ensure_collection
    from sarcube.catalog.extensions import PROJECTION
    from sarcube.catalog.items import CATALOG_FILE
    from sarcube.catalog.schemas import shared_schemas

    schemas = str(config.schemas) if config.schemas else None
    wanted = [kind_of(config, name) for name in kinds]
    first = not all(store_of(config, kind).exists(CATALOG_FILE) for kind in wanted)
    for kind in wanted:
        ensure_collection(store_of(config, kind), collection_of(config, kind), kind, schemas=schemas)
    if first and shared_schemas(schemas).get(PROJECTION) is None:  # said once per store
        log.warning(
            "items are checked by sarcube's own rules for STAC's extensions: the official schemas are neither on the "
            "network nor in a folder (name one in the run file: `schemas`)"
        )


def update_catalogs(config: RunConfig, kinds: Iterable[str]) -> None:
    """Bring collections and indexes up to date with what a run made."""
    from sarcube.catalog.collections import update_collections

    schemas = str(config.schemas) if config.schemas else None
    by_store: dict[str, dict[str, ProductKind]] = {}
    for kind in (kind_of(config, name) for name in kinds):
        by_store.setdefault(store_of(config, kind).url, {})[collection_of(config, kind)] = kind
    for url, collections in sorted(by_store.items()):
        update_collections(open_store(url), collections, schemas=schemas)


@dataclass(frozen=True)
class Result:
    """What a workflow has computed for a task.

    Attributes
    ----------
    dataset : Dataset
        Variables named as layers of the kind, dims (y, x) on the grid.
    grid : GeoGrid
    platform : str
        As in file names: "S1A".
    facts : callable
        The written product to what its item says.
    tags : mapping of str to str
        Metadata of every file.
    warnings : tuple of str
    """

    dataset: xr.Dataset
    grid: GeoGrid
    platform: str
    facts: Callable[[Product], ItemFacts]
    tags: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def make(task: Task, config: RunConfig, compute: Callable[[Stages], Result]) -> Made:
    """Make a task's product: compute it unless it is there, write its files, publish its item, which commits.

    Parameters
    ----------
    task : Task
    config : RunConfig
    compute : callable
        Called once, with the stages to keep time with.
    """
    kind = kind_of(config, task.kind)
    store, collection = store_of(config, kind), collection_of(config, kind)
    key = task.item_key(collection)
    if not task.remake and store.exists(key):
        return Made(existed=True, item=key)
    stages = Stages()
    return _commit(task, config, kind, compute(stages), stages)


def _commit(task: Task, config: RunConfig, kind: ProductKind, result: Result, stages: Stages) -> Made:
    from sarcube.catalog.items import product_item
    from sarcube.catalog.publish import publish_item
    from sarcube.products.attempt import withdraw
    from sarcube.products.product import THUMBNAIL, write_product

    store, unit, grid = store_of(config, kind), task.unit, result.grid
    now = dt.datetime.now(dt.UTC)
    name = ProductName.of(kind, unit.place, unit.start, now, result.platform, grid.resolution, unit.tag)
    collection = collection_of(config, kind)
    with stages("write"):
        product = write_product(
            store, name, result.dataset, grid, result.tags, collection, kind, product_options(config)
        )
    with stages("publish"):
        try:
            item = product_item(store, product, result.facts(product))
        except BaseException:  # also what nobody foresaw, and a task that is called back
            withdraw(store, product.attempt, [file.key for file in product.files])
            raise
        # Where this fails the item may still arrive, however late: its files stay, until another item is there.
        schemas = str(config.schemas) if config.schemas else None
        address = config.public if config.public and store.url == open_store(config.store).url else ""
        published = publish_item(store, item, product, schemas=schemas, overwrite=task.remake, public=address)
    thumbnail = next((file.key for file in product.files if file.layer == THUMBNAIL), "")
    return Made(
        existed=not published.created,
        item=published.key,
        bytes_in=unit.bytes_in,
        bytes_out=product.size if published.created else 0,
        stages=stages.seconds,
        warnings=result.warnings,
        thumbnail=thumbnail if published.created else "",
    )
