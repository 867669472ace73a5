"""Collections and the root catalog: made before the first item, brought up to date at the end of a run.

Extents, summaries and links are always computed anew from the items, so that it does not matter who writes last.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pystac

from sarcube.catalog.index import FILE as INDEX_FILE
from sarcube.catalog.index import MEDIA_TYPE as INDEX_TYPE
from sarcube.catalog.index import IndexWriter, read_index
from sarcube.catalog.items import CATALOG_FILE, CLASSIFICATION, COLLECTION_FILE, PROJECTION, RASTER, raster_fields
from sarcube.catalog.pending import Lock, index_lock, pending, settle
from sarcube.catalog.publish import encode
from sarcube.catalog.schemas import Schemas, shared_schemas
from sarcube.catalog.selection import Selection
from sarcube.catalog.summary import Summary
from sarcube.catalog.validate import require_valid
from sarcube.catalog.walk import collections, read_items, walk_items
from sarcube.errors import CatalogError, StoreConflictError
from sarcube.products.browse import MEDIA_TYPE as PNG
from sarcube.products.cog import MEDIA_TYPE
from sarcube.products.layers import LAYERS
from sarcube.products.product import THUMBNAIL
from sarcube.store.protocol import Store, open_store

log = logging.getLogger(__name__)
_LEGAL_NOTICE = "https://sentinel.esa.int/documents/247904/690755/Sentinel_Data_Legal_Notice"
_MOST_LINKS = 20_000  # beyond it the links of a collection would outgrow what they are for: the index has them
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
    store: Store | str, *, schemas: Schemas | str | None = None, rebuild: bool = False, patience: float = 60.0
) -> tuple[str, ...]:
    """Bring the index, extents, summaries and links of every collection, and the root catalog, up to date.

    Where nothing was published since the last time, nothing is written.

    Parameters
    ----------
    store : Store or str
    schemas : Schemas or folder, optional
    rebuild : bool
        Read every item's file, instead of the index and what was published since. Needed after items were
        deleted or changed by hand.
    patience : float
        Seconds to wait for another process that is doing the same; then it is left to that process.

    Returns
    -------
    tuple of str
        The collections.
    """
    store = open_store(store)
    names = collections(store)
    for name in names:
        if not rebuild and store.exists(f"{name}/{INDEX_FILE}") and not pending(store, name):
            continue
        with index_lock(store, name, patience) as lock:
            if lock is None:
                log.info("%s is being brought up to date by another process", name)
                continue
            _update(store, name, _schemas(schemas), rebuild, lock)
    if names:
        _write_catalog(store, set())
    return names


def _update(store: Store, name: str, schemas: Schemas, rebuild: bool, lock: Lock) -> None:
    markers = pending(store, name)
    marked = {marker.key for marker in markers}
    index = None if rebuild else read_index(store, name)
    writer = IndexWriter(name)
    summary = Summary(name)
    if index is None or not index.current:
        items = walk_items(store, name, Selection())
    else:
        writer.copy(index, marked)
        for key, stored in index.outlines(marked):
            summary.add(key, stored)
        items = read_items(store, sorted(marked))
    ids: dict[str, str] = {}
    for number, (key, stored) in enumerate(items):
        writer.add(key, stored)
        summary.add(key, stored)
        if key in marked:
            ids[key] = stored["id"]
        if number % 5_000 == 4_999:
            lock.show_life()
    if summary.count:
        store.write_bytes(f"{name}/{INDEX_FILE}", writer.finish())
    key = f"{name}/{COLLECTION_FILE}"
    old = json.loads(store.read_bytes(key))
    text = CollectionText(old["title"], old["description"], tuple(old.get("keywords", ())))
    stored = _collection(name, text, summary)
    require_valid(stored, schemas)
    store.write_bytes(key, encode(stored))
    settle(store, markers, ids)


def _collection(name: str, text: CollectionText, summary: Summary) -> dict[str, Any]:
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
            }
        }
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
    if not store.exists(CATALOG_FILE) or store.read_bytes(CATALOG_FILE) != data:
        store.write_bytes(CATALOG_FILE, data)


def _schemas(schemas: Schemas | str | None) -> Schemas:
    return schemas if isinstance(schemas, Schemas) else shared_schemas(str(schemas) if schemas else None)
