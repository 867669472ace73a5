"""Finding items in a store."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import pystac

from sarcube.catalog.items import COLLECTION_FILE
from sarcube.errors import CatalogError, StoreError
from sarcube.products.names import item_file, item_key, product_folder
from sarcube.products.store import Store, open_store

_READERS = 8
Dates = tuple[dt.date | dt.datetime | str | None, dt.date | dt.datetime | str | None]


@dataclass(frozen=True)
class Selection:
    """Which items are wanted; None means any.

    Attributes
    ----------
    bbox : (west, south, east, north), optional
        Degrees; west beyond east crosses the antimeridian, and so does an east beyond 180.
    start, end : datetime, optional
        UTC, both included. Static items are taken whatever their time.
    burst_ids : frozenset of str, optional
    """

    bbox: tuple[float, float, float, float] | None = None
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    burst_ids: frozenset[str] | None = None

    def takes(self, stored: dict[str, Any]) -> bool:
        """Whether an item, as stored, is wanted."""
        properties = stored["properties"]
        if self.burst_ids is not None and properties.get("sarcube:burst_id") not in self.burst_ids:
            return False
        if not str(properties.get("product:type", "")).endswith("_STATIC") and not self._in_time(properties):
            return False
        return self.bbox is None or _overlaps(stored, self.bbox)

    def _in_time(self, properties: dict[str, Any]) -> bool:
        first = _time(properties.get("start_datetime") or properties["datetime"])
        last = _time(properties.get("end_datetime") or properties["datetime"])
        return (self.start is None or last >= self.start) and (self.end is None or first <= self.end)


def selection(
    bbox: Sequence[float] | None = None, dates: Dates | None = None, burst_ids: Iterable[str] | None = None
) -> Selection:
    """A Selection from what users write: dates as days (the last one included whole), texts or datetimes."""
    if bbox is not None and len(bbox) != 4:
        raise CatalogError(f"bbox must be west, south, east, north, not {list(bbox)}")
    start, end = dates or (None, None)
    box = (float(bbox[0]), float(bbox[1]), float(bbox[2]), float(bbox[3])) if bbox is not None else None
    wanted = frozenset(b.lower() for b in burst_ids) if burst_ids is not None else None
    return Selection(box, _moment(start, last=False), _moment(end, last=True), wanted)


def find_items(
    store: Store | str,
    collection: str | None = None,
    bbox: Sequence[float] | None = None,
    dates: Dates | None = None,
    burst_ids: Iterable[str] | None = None,
) -> list[pystac.Item]:
    """Items of a store, their hrefs absolute, in order of time.

    Parameters
    ----------
    store : Store or str
        A store or its address.
    collection : str, optional
        Only this one; default all.
    bbox : (west, south, east, north), optional
    dates : (first, last), optional
        Both included.
    burst_ids : iterable of str, optional

    Returns
    -------
    list of Item
        With both `proj:code` and `proj:epsg`, so that stackstac and odc-stac take them as they are.
    """
    place = open_store(store) if isinstance(store, str) else store
    wanted = selection(bbox, dates, burst_ids)
    names = [collection] if collection else collections(place)
    found = [pair for name in names for pair in _stored_items(place, name, wanted)]
    found.sort(key=lambda pair: (str(pair[1]["properties"]["datetime"]), pair[0]))
    return [open_item(stored, place.href(key)) for key, stored in found]


def read_item(store: Store, key: str) -> pystac.Item:
    """One item by its key, hrefs absolute."""
    return open_item(_read(store, key), store.href(key))


def item_exists(store: Store, collection: str, burst_id: str, start: dt.datetime) -> bool:
    """Whether an acquisition has been published. One request."""
    return store.exists(item_key(collection, burst_id, start))


def static_item_exists(store: Store, collection: str, burst_id: str) -> bool:
    """Whether a burst ID's static layers have been published. One request."""
    return store.exists(item_key(collection, burst_id, None))


def find_static_item(store: Store, collection: str, burst_id: str) -> pystac.Item | None:
    """The item of a burst ID's static layers, None where there is none."""
    key = item_key(collection, burst_id, None)
    return read_item(store, key) if store.exists(key) else None


def collections(store: Store) -> tuple[str, ...]:
    """Names of the collections in a store."""
    return tuple(name for name in store.folders() if store.exists(f"{name}/{COLLECTION_FILE}"))


def open_item(stored: dict[str, Any], href: str) -> pystac.Item:
    """An item from its JSON and its address, all hrefs absolute."""
    absolute = dict(stored)
    absolute["assets"] = {
        name: {**asset, "href": absolute_href(href, asset["href"])} for name, asset in stored["assets"].items()
    }
    absolute["links"] = [
        {**link, "href": absolute_href(href, link["href"])} for link in stored.get("links", ()) if link["rel"] != "self"
    ]
    epsg = stored["properties"].get("proj:epsg")
    item = pystac.Item.from_dict(absolute, href=href)
    if epsg is not None:
        # pystac turns projection 1.2 into 2.0 and drops the field that stackstac needs.
        item.properties["proj:epsg"] = epsg
    return item


def absolute_href(base: str, href: str) -> str:
    """`href` as seen from the file at `base` (a path or an address)."""
    if "://" in href or href.startswith("/"):
        return href
    if "://" in base:
        scheme, _, rest = base.partition("://")
        return scheme + "://" + urljoin("http://" + rest, href).removeprefix("http://")
    return urljoin(base, href)


def item_keys(store: Store, collection: str, wanted: Selection | None = None) -> Iterator[str]:
    """Keys of a collection's items, walking only folders that the selection allows."""
    wanted = wanted or Selection()
    bursts = sorted(wanted.burst_ids) if wanted.burst_ids is not None else store.folders(collection)
    for burst in bursts:
        static = item_file(burst, None)
        for name in store.files(f"{collection}/{burst}"):
            if name == static:
                yield f"{product_folder(collection, burst, None)}/{name}"
        for day in _days(store, f"{collection}/{burst}", wanted):
            yield from (f"{day}/{name}" for name in store.files(day) if name.endswith(".json"))


def _days(store: Store, folder: str, wanted: Selection) -> Iterator[str]:
    first = wanted.start.date() - dt.timedelta(days=1) if wanted.start else dt.date.min
    last = wanted.end.date() if wanted.end else dt.date.max
    for year in store.folders(folder):
        if not year.isdigit() or not first.year <= int(year) <= last.year:
            continue
        for month in store.folders(f"{folder}/{year}"):
            if not (first.year, first.month) <= (int(year), int(month)) <= (last.year, last.month):
                continue
            for day in store.folders(f"{folder}/{year}/{month}"):
                if first <= dt.date(int(year), int(month), int(day)) <= last:
                    yield f"{folder}/{year}/{month}/{day}"


def walk_items(store: Store, collection: str, wanted: Selection) -> list[tuple[str, dict[str, Any]]]:
    """Items of a collection by reading their files, as (key, JSON)."""
    keys = list(item_keys(store, collection, wanted))
    with ThreadPoolExecutor(_READERS) as pool:
        read = list(pool.map(lambda key: _read(store, key), keys))
    return [(key, stored) for key, stored in zip(keys, read, strict=True) if wanted.takes(stored)]


def _stored_items(store: Store, collection: str, wanted: Selection) -> list[tuple[str, dict[str, Any]]]:
    return walk_items(store, collection, wanted)


def _read(store: Store, key: str) -> dict[str, Any]:
    try:
        stored = json.loads(store.read_bytes(key))
    except ValueError as error:
        raise CatalogError(f"{store.href(key)} is not JSON: {error}; delete it and run again") from error
    if not isinstance(stored, dict) or stored.get("type") != "Feature":
        raise CatalogError(f"{store.href(key)} is not a STAC item; delete it and run again")
    return stored


def _time(text: str) -> dt.datetime:
    time = dt.datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=dt.UTC)


def _moment(value: dt.date | dt.datetime | str | None, *, last: bool) -> dt.datetime | None:
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = dt.date.fromisoformat(value) if len(value) == 10 else dt.datetime.fromisoformat(value)
        except ValueError:
            raise CatalogError(f"{value!r} is not a date like 2025-04-01") from None
    if isinstance(value, dt.datetime):
        return value if value.tzinfo else value.replace(tzinfo=dt.UTC)
    midnight = dt.datetime.combine(value, dt.time(), dt.UTC)
    return midnight + dt.timedelta(days=1, microseconds=-1) if last else midnight


def _overlaps(stored: dict[str, Any], bbox: tuple[float, float, float, float]) -> bool:
    from shapely.geometry import box, shape

    west, south, east, north = stored["bbox"]
    if north < bbox[1] or south > bbox[3]:
        return False
    if not any(a0 <= b1 and b0 <= a1 for a0, a1 in _spans(west, east) for b0, b1 in _spans(bbox[0], bbox[2])):
        return False
    geometry = shape(stored["geometry"])
    return any(geometry.intersects(box(b0, bbox[1], b1, bbox[3])) for b0, b1 in _spans(bbox[0], bbox[2]))


def _spans(west: float, east: float) -> list[tuple[float, float]]:
    """A range of longitudes as ranges within -180 to 180."""
    if east - west >= 360:
        return [(-180.0, 180.0)]
    if west > east:
        return [(west, 180.0), (-180.0, east)]
    if east > 180:
        return [(west, 180.0), (-180.0, east - 360.0)] if west <= 180 else [(west - 360.0, east - 360.0)]
    if west < -180:
        return [(west + 360.0, 180.0), (-180.0, east)] if east >= -180 else [(west + 360.0, east + 360.0)]
    return [(west, east)]


def store_error_if_missing(store: Store) -> None:
    """StoreError where a store has no collection at all, which mostly is a mistyped address."""
    if not collections(store):
        raise StoreError(f"{store.url} holds no collection; check the address, or run `sarcube run` first")
