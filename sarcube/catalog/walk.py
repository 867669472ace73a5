"""Items by their files: what is true, whatever an index says."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from sarcube.catalog.items import COLLECTION_FILE
from sarcube.catalog.passed import PassedOver, require_usable
from sarcube.catalog.selection import Selection
from sarcube.errors import CatalogError, StoreError
from sarcube.jsons import JsonObject
from sarcube.products.names import item_file, product_folder
from sarcube.products.public import at_home
from sarcube.store.protocol import Store

_READERS = 8
_BATCH = 1_000


def collections(store: Store) -> tuple[str, ...]:
    """Names of the collections in a store."""
    return tuple(name for name in store.folders() if store.exists(f"{name}/{COLLECTION_FILE}"))


def item_keys(store: Store, collection: str, wanted: Selection | None = None) -> Iterator[str]:
    """Keys of a collection's items, walking only folders that the selection allows."""
    wanted = wanted or Selection()
    places = sorted(wanted.places) if wanted.places is not None else store.folders(collection)
    for place in places:
        if place.startswith("_"):  # the catalog's own folders
            continue
        static = item_file(place, None)
        for name in store.files(f"{collection}/{place}"):
            if name == static:
                yield f"{product_folder(collection, place, None)}/{name}"
        for day in _days(store, f"{collection}/{place}", wanted):
            yield from (f"{day}/{name}" for name in store.files(day) if name.endswith(".json"))


def _days(store: Store, folder: str, wanted: Selection) -> Iterator[str]:
    first = wanted.start.date() - dt.timedelta(days=1) if wanted.start else dt.date.min
    last = wanted.end.date() if wanted.end else dt.date.max
    for year in store.folders(folder):
        if not year.isdecimal() or not first.year <= int(year) <= last.year:
            continue
        for month in filter(str.isdecimal, store.folders(f"{folder}/{year}")):
            if (
                not (first.year, first.month)
                <= (int(year), int(month))
                <= (
                    last.year,
                    last.month,
                )
            ):
                continue
            for day in store.folders(f"{folder}/{year}/{month}"):
                date = _date(year, month, day)
                if date is not None and first <= date <= last:
                    yield f"{folder}/{year}/{month}/{day}"


def _date(year: str, month: str, day: str) -> dt.date | None:
    try:
        return dt.date(int(year), int(month), int(day))
    except ValueError:  # somebody else's folder
        return None


def walk_items(
    store: Store, collection: str, wanted: Selection, passed: PassedOver | None = None
) -> Iterator[tuple[str, JsonObject]]:
    """Wanted items of a collection, as (key, JSON); damaged ones go to `passed`, or are told."""
    for key, stored in read_items(store, item_keys(store, collection, wanted), passed):
        if wanted.takes(key, stored):
            yield key, stored


def read_items(store: Store, keys: Iterable[str], passed: PassedOver | None = None) -> Iterator[tuple[str, JsonObject]]:
    """Items by key, as (key, JSON), several at once; a key without an object is passed over.

    So is a damaged item: it is added to `passed`, or told where none is given.
    """
    remaining = iter(keys)
    found = PassedOver() if passed is None else passed
    with ThreadPoolExecutor(_READERS) as pool:
        while batch := list(islice(remaining, _BATCH)):
            for key, stored in zip(batch, pool.map(lambda key: _read_if_there(store, key), batch), strict=True):
                if isinstance(stored, CatalogError):
                    found.add(store.href(key), stored)
                elif stored is not None:
                    yield key, stored
    if passed is None:
        found.tell()


def _read_if_there(store: Store, key: str) -> JsonObject | CatalogError | None:
    try:
        stored = read_stored(store, key)
        require_usable(stored, store.href(key))
        return stored
    except CatalogError as error:
        return error
    except StoreError:
        if store.exists(key):
            raise
        return None


def read_stored(store: Store, key: str) -> JsonObject:
    """An item as it is stored, hrefs relative; CatalogError where the file is something else."""
    try:
        stored = json.loads(store.read_bytes(key))
    except (ValueError, RecursionError) as error:
        raise CatalogError(f"{store.href(key)} is not JSON: {error}; delete it and run again") from error
    if not isinstance(stored, dict) or stored.get("type") != "Feature":
        raise CatalogError(f"{store.href(key)} is not a STAC item; delete it and run again")
    return at_home(stored)
