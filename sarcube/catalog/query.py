"""Finding items in a store: by its index and what was published since, or where there is none by its files."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import pystac

from sarcube.catalog.extensions import PROJECTION, PROJECTION_2
from sarcube.catalog.hrefs import absolute_href
from sarcube.catalog.index import read_index
from sarcube.catalog.passed import DAMAGE, PassedOver
from sarcube.catalog.pending import newer, pending
from sarcube.catalog.selection import Dates, Selection, selection
from sarcube.catalog.walk import collections, read_items, read_stored, walk_items
from sarcube.errors import DamagedIndexError, PassedOverWarning, StoreError
from sarcube.instants import utc_time
from sarcube.jsons import JsonObject
from sarcube.products.names import item_key
from sarcube.store.protocol import Store, open_store

_ASSET_FIELDS = frozenset({"href", "title", "description", "type", "roles"})
_LINK_FIELDS = frozenset({"rel", "href", "type", "title"})


def find_items(
    store: Store | str,
    collection: str | None = None,
    bbox: Sequence[float] | None = None,
    dates: Dates | None = None,
    places: Iterable[str] | None = None,
    *,
    assets: Sequence[str] | None = None,
) -> list[pystac.Item]:
    """Items of a store, their hrefs absolute, in order of time.

    Parameters
    ----------
    store : Store or str
        A store or its address.
    collection : str, optional
        Only this one; default all.
    bbox : (west, south, east, north), optional
        Degrees; across the antimeridian west is beyond east, or east beyond 180.
    dates : (first, last), optional
        Both included.
    places : iterable of str, optional
    assets : sequence of str, optional
        Only these assets are in the items, which saves time and memory where items are many.

    Returns
    -------
    list of Item
        With both `proj:code` and `proj:epsg`, so that stackstac and odc-stac take them as they are.

    Raises
    ------
    StoreError
        There is no such collection, or none at all.
    """
    place = open_store(store)
    wanted = selection(bbox, dates, places)
    names = collections(place)
    if not names or (collection is not None and collection not in names):
        raise StoreError(
            f"{place.url} has no collection {collection or ''}; it has {', '.join(names) or 'none'}. Check the "
            "address, or make products with `sarcube run` first"
        )
    chosen = [collection] if collection is not None else names
    with _no_garbage():
        found = [pair for name in chosen for pair in find_stored(place, name, wanted, assets)]
        found.sort(key=lambda pair: (str(pair[1]["properties"].get("datetime")), pair[0]))
        return list(_opened(place, found))


def _opened(store: Store, found: Iterable[tuple[str, JsonObject]]) -> Iterator[pystac.Item]:
    passed = PassedOver()
    for key, stored in found:
        try:
            yield open_item(stored, store.href(key))
        except DAMAGE as error:
            passed.add(store.href(key), error)
    passed.tell()


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Nothing that is built here is garbage: looking for some takes most of the time of 100,000 items."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def find_stored(
    store: Store, collection: str, wanted: Selection, assets: Sequence[str] | None = None
) -> Iterator[tuple[str, JsonObject]]:
    """Wanted items of a collection as (key, JSON as stored); quicker than `find_items` for great numbers."""
    given: set[str] = set()
    try:
        for key, stored in _by_index(store, collection, wanted, assets):
            given.add(key)
            yield key, _with(stored, assets)
    except DamagedIndexError as error:
        warnings.warn(f"{collection}: {error}; items are read one by one until then", PassedOverWarning, stacklevel=3)
        for key, stored in walk_items(store, collection, wanted):
            if key not in given:
                yield key, _with(stored, assets)


def _by_index(
    store: Store, collection: str, wanted: Selection, assets: Sequence[str] | None
) -> Iterator[tuple[str, JsonObject]]:
    """Items of an index and what was published since; by their files where there is no index."""
    # Markers first: one that vanishes meanwhile is then in the index that is read after.
    markers = pending(store, collection)
    index = read_index(store, collection)
    if index is None:
        yield from walk_items(store, collection, wanted)
        return
    fresh = newer(markers, index.ids(markers))
    older = ((key, stored) for key, stored in index.select(wanted, assets) if key not in fresh)
    yield from _chain(older, read_items(store, sorted(fresh)), wanted)


def _with(stored: JsonObject, assets: Sequence[str] | None) -> JsonObject:
    if assets is not None:
        stored["assets"] = {name: a for name, a in stored["assets"].items() if name in assets}
    return stored


def _chain(
    older: Iterator[tuple[str, JsonObject]], fresh: Iterator[tuple[str, JsonObject]], wanted: Selection
) -> Iterator[tuple[str, JsonObject]]:
    yield from older
    yield from ((key, stored) for key, stored in fresh if wanted.takes(key, stored))


def read_item(store: Store, key: str) -> pystac.Item:
    """One item by its key, hrefs absolute."""
    return open_item(read_stored(store, key), store.href(key))


def find_static_item(store: Store, collection: str, place: str) -> pystac.Item | None:
    """The item of a place's product without time, None where there is none."""
    key = item_key(collection, place, None)
    return read_item(store, key) if store.exists(key) else None


def open_item(stored: JsonObject, href: str) -> pystac.Item:
    """An item from its JSON and its address, all hrefs absolute, without the link to the root.

    pystac follows a root link, once an item, whenever an item becomes a dictionary (stackstac and odc-stac ask for
    one), and cannot where that is an s3:// address. In memory the item names projection 2.0, as pystac makes of
    1.2, but keeps `proj:epsg`, which stackstac needs and pystac's own reading drops.
    """
    said = stored["properties"]
    item = pystac.Item(
        id=stored["id"],
        geometry=stored.get("geometry"),
        bbox=stored.get("bbox"),
        datetime=utc_time(said.get("datetime") or said["start_datetime"]),  # STAC wants one of them
        properties=said,
        stac_extensions=[PROJECTION_2 if uri == PROJECTION else uri for uri in stored.get("stac_extensions", ())],
        href=href,
        collection=stored.get("collection"),
    )
    for name, asset in stored["assets"].items():
        fields = {k: v for k, v in asset.items() if k not in _ASSET_FIELDS}
        target, get = absolute_href(href, asset["href"]), asset.get
        item.add_asset(name, pystac.Asset(target, get("title"), get("description"), get("type"), get("roles"), fields))
    for link in stored.get("links", ()):
        if link["rel"] not in ("self", "root"):
            extra = {k: v for k, v in link.items() if k not in _LINK_FIELDS} or None
            target = absolute_href(href, link["href"])
            item.add_link(pystac.Link(link["rel"], target, link.get("type"), link.get("title"), extra))
    return item
