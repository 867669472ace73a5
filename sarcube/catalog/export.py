"""A store's catalog as other catalogs take it in: lines of JSON with absolute addresses (pgstac, any STAC API).

Where the run file has named a public address, the addresses are https:// ones."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sarcube.catalog.hrefs import absolute_href
from sarcube.catalog.items import COLLECTION_FILE
from sarcube.catalog.query import find_stored
from sarcube.catalog.selection import Selection
from sarcube.catalog.walk import collections
from sarcube.jsons import JsonObject
from sarcube.store.local_store import LocalStore
from sarcube.store.protocol import Store, open_store

# Links that an API makes itself; the one to its collection is what an item is invalid without.
_STRUCTURE = ("self", "root", "parent", "item", "items", "child")


def api_collections(store: Store | str) -> Iterator[JsonObject]:
    """Every collection, ready to be posted to an API: absolute hrefs, no structural links."""
    place = open_store(store)
    for name in collections(place):
        key = f"{name}/{COLLECTION_FILE}"
        yield _absolute(json.loads(place.read_bytes(key)), place.href(key))


def api_items(store: Store | str, collection: str | None = None) -> Iterator[JsonObject]:
    """Every item (of one collection), ready to be posted to an API; one at a time, so that memory does not grow."""
    place = open_store(store)
    for name in collections(place) if collection is None else (collection,):
        for key, stored in find_stored(place, name, Selection()):
            yield _absolute(stored, place.href(key))


def write_ndjson(store: Store | str, folder: str | Path) -> tuple[Path, Path]:
    """Write `collections.ndjson` and `items.ndjson`, which `pypgstac load` takes as they are.

    Returns
    -------
    tuple of Path
        Of the collections, of the items; each complete or absent.
    """
    target = LocalStore(folder)
    names = ("collections.ndjson", "items.ndjson")
    for name, lines in zip(names, (api_collections(store), api_items(store)), strict=True):
        # Line by line: a store may hold more items than memory.
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as part:
            part.writelines(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
            part.flush()
            target.upload(part.name, name)
    return target.path(names[0]), target.path(names[1])


def _absolute(stored: JsonObject, base: str) -> JsonObject:
    # Where an item says at which public address it is, others are to read it there, and not from s3://.
    base = next((link["href"] for link in stored.get("links", ()) if link["rel"] == "self"), base)
    links = [
        {**link, "href": absolute_href(base, link["href"])}
        for link in stored.get("links", ())
        if link["rel"] not in _STRUCTURE
    ]
    assets = {
        name: {**asset, "href": absolute_href(base, asset["href"])} for name, asset in stored.get("assets", {}).items()
    }
    made = {**stored, "links": links}
    return {**made, "assets": assets} if assets else made
