"""Collections and the root catalog: made before the first item, brought up to date at the end of a run.

Extents, summaries and links are always computed anew from the items, so that it does not matter who writes last.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pystac

from sarcube.catalog.items import (
    CATALOG_FILE,
    CLASSIFICATION,
    COLLECTION_FILE,
    PROJECTION,
    RASTER,
    raster_fields,
    utc_text,
)
from sarcube.catalog.publish import encode
from sarcube.catalog.query import Selection, collections, walk_items
from sarcube.catalog.schemas import Schemas, shared_schemas
from sarcube.catalog.validate import require_valid
from sarcube.errors import CatalogError, StoreConflictError
from sarcube.products.browse import MEDIA_TYPE as PNG
from sarcube.products.cog import MEDIA_TYPE
from sarcube.products.layers import LAYERS
from sarcube.products.names import STATIC_VALIDITY
from sarcube.products.product import THUMBNAIL
from sarcube.products.store import Store

_LEGAL_NOTICE = "https://sentinel.esa.int/documents/247904/690755/Sentinel_Data_Legal_Notice"
_MOST_LINKS = 20_000  # beyond it the links of a collection would outgrow what they are for: the index has them
_SUMMARIZED = (
    "platform",
    "constellation",
    "instruments",
    "gsd",
    "product:type",
    "sar:polarizations",
    "sar:instrument_mode",
    "sar:frequency_band",
    "sat:orbit_state",
    "sat:relative_orbit",
    "proj:code",
    "processing:level",
    "processing:version",
)
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
        stored = _collection(collection, text or _default_text(collection), {})
        require_valid(stored, _schemas(schemas))
        with contextlib.suppress(StoreConflictError):  # another process was quicker and wrote the same
            store.create_bytes(key, encode(stored))
    if not store.exists(CATALOG_FILE) or collection not in _children(store):
        _write_catalog(store, {collection})


def update_collections(store: Store, *, schemas: Schemas | str | None = None) -> tuple[str, ...]:
    """Compute extents, summaries and links of every collection and the root catalog from the items.

    Returns
    -------
    tuple of str
        The collections.
    """
    names = collections(store)
    for name in names:
        update_collection(store, name, walk_items(store, name, Selection()), schemas=schemas)
    _write_catalog(store, set())
    return names


def update_collection(
    store: Store,
    collection: str,
    items: Sequence[tuple[str, dict[str, Any]]],
    *,
    schemas: Schemas | str | None = None,
) -> None:
    """Bring one collection up to date with its items, given as (key, JSON)."""
    key = f"{collection}/{COLLECTION_FILE}"
    old = json.loads(store.read_bytes(key))
    text = CollectionText(old["title"], old["description"], tuple(old.get("keywords", ())))
    stored = _collection(collection, text, dict(items))
    require_valid(stored, _schemas(schemas))
    store.write_bytes(key, encode(stored))


def _collection(name: str, text: CollectionText, items: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    layers = [layer for layer in LAYERS if not items or any(layer in i["assets"] for i in items.values())]
    links = [
        {"rel": "root", "href": f"../{CATALOG_FILE}", "type": "application/json"},
        {"rel": "parent", "href": f"../{CATALOG_FILE}", "type": "application/json"},
        {"rel": "license", "href": _LEGAL_NOTICE, "title": "Legal notice on Sentinel data"},
    ]
    if len(items) <= _MOST_LINKS:
        prefix = f"{name}/"
        links += [
            {"rel": "item", "href": "./" + key.removeprefix(prefix), "type": "application/geo+json"}
            for key in sorted(items)
        ]
    stored: dict[str, Any] = {
        "type": "Collection",
        "stac_version": pystac.get_stac_version(),
        "stac_extensions": [PROJECTION, RASTER, CLASSIFICATION],
        "id": name,
        "title": text.title,
        "description": text.description,
        "keywords": list(text.keywords),
        "license": "other",
        "providers": _PROVIDERS,
        "extent": _extent(items.values()),
        "item_assets": _item_assets(layers),
        "links": links,
    }
    if summaries := _summaries(items.values()):
        stored["summaries"] = summaries
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


def _extent(items: Iterable[dict[str, Any]]) -> dict[str, Any]:
    boxes: list[list[float]] = []
    starts: list[str] = []
    ends: list[str] = []
    for item in items:
        boxes.append(item["bbox"])
        properties = item["properties"]
        starts.append(properties.get("start_datetime") or properties["datetime"])
        ends.append(properties.get("end_datetime") or properties["datetime"])
    if not boxes:
        return {
            "spatial": {"bbox": [[-180.0, -90.0, 180.0, 90.0]]},
            "temporal": {"interval": [[utc_text(STATIC_VALIDITY), None]]},
        }
    west, east = _longitudes([(b[0], b[2]) for b in boxes])
    bbox = [west, min(b[1] for b in boxes), east, max(b[3] for b in boxes)]
    return {"spatial": {"bbox": [bbox]}, "temporal": {"interval": [[min(starts), max(ends)]]}}


def _longitudes(spans: list[tuple[float, float]]) -> tuple[float, float]:
    """The shortest range of longitudes that holds all spans; west is beyond east across the antimeridian."""
    unrolled = sorted((w % 360.0, w % 360.0 + ((e - w) % 360.0 if e - w < 360.0 else 360.0)) for w, e in spans)
    merged: list[list[float]] = []
    for west, east in unrolled:
        if merged and west <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], east)
        else:
            merged.append([west, east])
    while len(merged) > 1 and merged[-1][1] >= merged[0][0] + 360.0:  # the last reaches around to the first
        merged[-1][1] = max(merged[-1][1], merged[0][1] + 360.0)
        merged.pop(0)
    if merged[-1][1] - merged[-1][0] >= 360.0:
        return -180.0, 180.0
    # The widest gap between neighbours is what the range leaves out.
    gaps = [
        (merged[(i + 1) % len(merged)][0] + (360.0 if i + 1 == len(merged) else 0.0) - merged[i][1], i)
        for i in range(len(merged))
    ]
    _, before = max(gaps)
    west = merged[(before + 1) % len(merged)][0]
    east = merged[before][1]
    return round(_wrap(west), 6), round(_wrap(east, upper=True), 6)


def _wrap(longitude: float, *, upper: bool = False) -> float:
    wrapped = (longitude + 180.0) % 360.0 - 180.0
    return 180.0 if upper and wrapped == -180.0 else wrapped


def _summaries(items: Iterable[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, set[Any]] = {}
    for item in items:
        for name in _SUMMARIZED:
            value = item["properties"].get(name)
            if value is not None:
                found.setdefault(name, set()).update(value if isinstance(value, list) else [value])
    return {name: sorted(values) for name, values in found.items()}


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
    store.write_bytes(CATALOG_FILE, encode(stored))


def _schemas(schemas: Schemas | str | None) -> Schemas:
    return schemas if isinstance(schemas, Schemas) else shared_schemas(str(schemas) if schemas else None)
