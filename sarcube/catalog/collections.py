"""Collections and the root catalog: made before the first item, brought up to date at the end of a run.

Nobody holds a lock, so nobody can die with one. Index, collection and catalog are each replaced by one conditional
write, over the very version that was read before what they are to say was looked up. Who loses looks again; the older
never wins. A collection names size and checksum of the index that it was computed from: where a process was killed
between the two, the next one sees it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pystac

from sarcube.catalog.index import FILE as INDEX_FILE
from sarcube.catalog.index import MEDIA_TYPE as INDEX_TYPE
from sarcube.catalog.index import IndexWriter, open_index, strays
from sarcube.catalog.items import CATALOG_FILE, CLASSIFICATION, COLLECTION_FILE, FILE, PROJECTION, RASTER, raster_fields
from sarcube.catalog.passed import DAMAGE, PassedOver
from sarcube.catalog.pending import pending, settle
from sarcube.catalog.publish import encode
from sarcube.catalog.schemas import Schemas, shared_schemas
from sarcube.catalog.selection import Selection
from sarcube.catalog.summary import Summary
from sarcube.catalog.validate import require_valid
from sarcube.catalog.walk import collections, item_keys, read_items, walk_items
from sarcube.errors import CatalogError, StoreConflictError, TransferError
from sarcube.products.browse import MEDIA_TYPE as PNG
from sarcube.products.cog import MEDIA_TYPE
from sarcube.products.layers import LAYERS
from sarcube.products.product import THUMBNAIL, checksum
from sarcube.store.local_store import LocalStore
from sarcube.store.protocol import Store, open_store

log = logging.getLogger(__name__)
_LEGAL_NOTICE = "https://sentinel.esa.int/documents/247904/690755/Sentinel_Data_Legal_Notice"
_MOST_LINKS = 20_000  # beyond it the links of a collection would outgrow what they are for: the index has them
_TRIES = 20
_SMALL_INDEX = 4_000_000  # bytes, of some 5,000 items: to list what lies around them takes seconds
_PROVIDERS = [
    {"name": "ESA", "roles": ["producer", "licensor"], "url": "https://sentinels.copernicus.eu"},
]


@dataclass(frozen=True)
class CollectionText:
    """What a collection is called and says of itself."""

    title: str
    description: str
    keywords: tuple[str, ...] = ("SAR", "Sentinel-1")


def ensure_collection(
    store: Store,
    collection: str,
    text: CollectionText | None = None,
    *,
    schemas: Schemas | str | None = None,
) -> None:
    """Make a collection and the root catalog unless they are there. Safe to call from many processes.

    Raises
    ------
    CatalogError
        The name cannot be a folder's.
    """
    if not collection or "/" in collection or collection.startswith("."):
        raise CatalogError(f"{collection!r} cannot name a collection; use letters, digits, - and _")
    key = f"{collection}/{COLLECTION_FILE}"
    if not store.exists(key):
        stored = _collection(collection, text or _default_text(collection), Summary(collection))
        require_valid(stored, _schemas(schemas))
        with contextlib.suppress(StoreConflictError):  # another process was quicker and wrote the same
            store.create_bytes(key, encode(stored))
    if not store.exists(CATALOG_FILE) or collection not in _children(store):
        _write_catalog(store, {collection})


def update_collections(
    store: Store | str, *, schemas: Schemas | str | None = None, rebuild: bool = False
) -> tuple[str, ...]:
    """Bring the index, extents, summaries and links of every collection, and the root catalog, up to date.

    Where nothing was published since the last time, nothing is written. Any number of processes may do it at once.
    In a folder, and on S3 up to a few thousand items, index and items are compared by their names, and put right
    where they do not agree.

    Parameters
    ----------
    store : Store or str
    schemas : Schemas or folder, optional
    rebuild : bool
        Read every item's file, instead of the index and what was published since. Needed after items were
        deleted or changed by hand.

    Returns
    -------
    tuple of str
        The collections.

    Raises
    ------
    TransferError
        Others kept changing a collection all the time. What was published can be found; the next run tries again.
    """
    store = open_store(store)
    names = collections(store)
    for name in names:
        if rebuild or pending(store, name) or not _quiet(store, name):
            _until_it_holds(f"{store.url}/{name}", partial(_update, store, name, _schemas(schemas), rebuild))
    if names:
        _write_catalog(store, set())
    return names


def _until_it_holds(what: str, attempt: Callable[[], None]) -> None:
    """Try until no other process was quicker; each look begins with what the others have written."""
    for number in range(_TRIES):
        try:
            attempt()
            return
        except StoreConflictError:
            log.info("%s was brought up to date by another process meanwhile; looking again", what)
            time.sleep(random.uniform(0.0, 0.1 * min(number + 1, 10)))
    raise TransferError(f"{what} kept changing while it was brought up to date, {_TRIES} times; run again")


def _quiet(store: Store, name: str) -> bool:
    """Whether there is nothing to do, seen from outside: the index is the one that the collection speaks of."""
    info = store.stat(f"{name}/{INDEX_FILE}")
    stated = _index_asset(store.read_bytes(f"{name}/{COLLECTION_FILE}"))
    if info is None or stated.get("file:size") != info.size:
        return info is None and not stated and next(item_keys(store, name), None) is None
    if not _comparable(store, name):
        return True
    found = store.read_version(f"{name}/{INDEX_FILE}")
    index = open_index(found[0]) if found else None
    return index is not None and not strays(name, index.rows(), store.list(name))


def _comparable(store: Store, name: str) -> bool:
    """Whether listing all of a collection takes little."""
    if isinstance(store, LocalStore):
        return True
    info = store.stat(f"{name}/{INDEX_FILE}")
    return info is not None and info.size < _SMALL_INDEX


def _index_asset(collection: bytes) -> dict[str, Any]:
    """What a collection says of the index that it was computed from."""
    try:
        asset = json.loads(collection)["assets"]["items"]
    except (ValueError, KeyError, TypeError):
        return {}
    return asset if isinstance(asset, dict) else {}


def _update(store: Store, name: str, schemas: Schemas, rebuild: bool) -> None:
    """One attempt: StoreConflictError where another process was quicker."""
    # The order matters: what is replaced is read before what it is made from.
    key = f"{name}/{COLLECTION_FILE}"
    collection = store.read_version(key)
    if collection is None:
        return  # removed meanwhile
    found = store.read_version(f"{name}/{INDEX_FILE}")
    index = None if rebuild or found is None else open_index(found[0])
    markers = pending(store, name)
    marked = {marker.key for marker in markers}
    writer, summary = IndexWriter(name), Summary(name)
    changed = index is None
    ids: dict[str, str] = {}
    old: dict[str, str] = {}
    if index is None:
        items = walk_items(store, name, Selection())
    else:
        rows = index.rows()
        if _comparable(store, name) and (astray := strays(name, rows, store.list(name)) - marked):
            log.warning("the index of %s/%s did not agree with %d items; put right", store.url, name, len(astray))
            marked |= astray
        writer.copy(index, marked)
        for item_key, stored in index.outlines(marked):
            summary.add(item_key, stored)
        old = {k: rows[k] for k in marked if k in rows}
        items = read_items(store, sorted(marked))
    passed = PassedOver()
    for item_key, stored in items:
        try:
            writer.add(item_key, stored)
            summary.add(item_key, stored)
        except DAMAGE as error:
            passed.add(store.href(item_key), error)
            continue
        if item_key in marked:
            ids[item_key] = stored["id"]
    passed.tell()
    changed = changed or ids != old
    data = writer.finish() if changed else (found or (b"", ""))[0]
    if changed and (summary.count or found):
        if found is None:
            store.create_bytes(f"{name}/{INDEX_FILE}", data)
        else:
            store.replace_bytes(f"{name}/{INDEX_FILE}", data, found[1])
    stated = json.loads(collection[0])
    text = CollectionText(stated["title"], stated["description"], tuple(stated.get("keywords", ())))
    wanted = _collection(name, text, summary, data)
    require_valid(wanted, schemas)
    if encode(wanted) != collection[0]:
        store.replace_bytes(key, encode(wanted), collection[1])
    settle(store, markers, ids)


def _collection(name: str, text: CollectionText, summary: Summary, index: bytes = b"") -> dict[str, Any]:
    links = [
        {"rel": "root", "href": f"../{CATALOG_FILE}", "type": "application/json"},
        {"rel": "parent", "href": f"../{CATALOG_FILE}", "type": "application/json"},
        {"rel": "license", "href": _LEGAL_NOTICE, "title": "Legal notice on Sentinel data"},
    ]
    if summary.count <= _MOST_LINKS:
        links += [{"rel": "item", "href": h, "type": "application/geo+json"} for h in sorted(summary.hrefs)]
    stored: dict[str, Any] = {
        "type": "Collection",
        "stac_version": pystac.get_stac_version(),
        "stac_extensions": [PROJECTION, RASTER, CLASSIFICATION, *summary.extensions()],
        "id": name,
        "title": text.title,
        "description": text.description,
        "keywords": list(text.keywords),
        "license": "other",
        "providers": _PROVIDERS,
        "extent": summary.extent(),
        "item_assets": _item_assets(layer for layer in LAYERS if not summary.count or layer in summary.assets),
        "links": links,
    }
    if summary.count:
        stored["summaries"] = summary.values()
        stored["assets"] = {
            "items": {
                "href": f"./{INDEX_FILE}",
                "type": INDEX_TYPE,
                "title": "All items as stac-geoparquet",
                "roles": ["metadata", "stac-items"],
                "file:size": len(index),
                "file:checksum": checksum(index),
            }
        }
        stored["stac_extensions"] = list(dict.fromkeys([*stored["stac_extensions"], FILE]))
    return stored


def _item_assets(layers: Iterable[str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: {
            "title": LAYERS[name].title,
            "type": MEDIA_TYPE,
            "roles": list(LAYERS[name].roles),
            **raster_fields(LAYERS[name]),
        }
        for name in layers
    }
    found[THUMBNAIL] = {"title": "Browse image", "type": PNG, "roles": ["thumbnail", "overview"]}
    return found


def _default_text(collection: str) -> CollectionText:
    if "static" in collection:
        return CollectionText(
            "Sentinel-1 static layers per burst",
            "Layers that do not change from date to date, on the grid of each Sentinel-1 burst: incidence "
            "angles, layover and shadow, area factors, number of looks, elevation.",
            ("SAR", "Sentinel-1", "static layers"),
        )
    return CollectionText(
        "Sentinel-1 RTC backscatter per burst",
        "Radiometrically terrain-corrected backscatter of Sentinel-1 bursts: linear power, one product per "
        "burst and acquisition, every acquisition of a burst on the same grid.",
        ("SAR", "Sentinel-1", "RTC", "backscatter", "ARD"),
    )


def _children(store: Store) -> set[str]:
    try:
        links = json.loads(store.read_bytes(CATALOG_FILE)).get("links", [])
    except (OSError, ValueError):
        return set()
    return {link["href"].split("/")[1] for link in links if link.get("rel") == "child"}


def _write_catalog(store: Store, more: set[str]) -> None:
    _until_it_holds(f"{store.url}/{CATALOG_FILE}", partial(_write_catalog_once, store, more))


def _write_catalog_once(store: Store, more: set[str]) -> None:
    found = store.read_version(CATALOG_FILE)  # before the collections are listed: who lists later wins
    names = sorted({*collections(store), *more})
    stored = {
        "type": "Catalog",
        "stac_version": pystac.get_stac_version(),
        "id": "sarcube",
        "title": "Sentinel-1 analysis-ready products",
        "description": "Products of Sentinel-1 bursts, made by sarcube.",
        "links": [
            {"rel": "root", "href": f"./{CATALOG_FILE}", "type": "application/json"},
            *({"rel": "child", "href": f"./{n}/{COLLECTION_FILE}", "type": "application/json"} for n in names),
        ],
    }
    data = encode(stored)
    if found is None:
        store.create_bytes(CATALOG_FILE, data)
    elif found[0] != data:
        store.replace_bytes(CATALOG_FILE, data, found[1])


def _schemas(schemas: Schemas | str | None) -> Schemas:
    return schemas if isinstance(schemas, Schemas) else shared_schemas(str(schemas) if schemas else None)
