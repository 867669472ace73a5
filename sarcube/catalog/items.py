"""From a written product to its STAC item. Knows layers, files and grids, not what they were computed from."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath

import pystac

from sarcube.catalog.extensions import CLASSIFICATION, FILE, PROJECTION, RASTER, STORAGE
from sarcube.catalog.footprint import footprint
from sarcube.catalog.hrefs import relative_href
from sarcube.geometry.lattice import pixel_metres
from sarcube.jsons import JsonObject
from sarcube.products.kinds import Layer, MaskClass
from sarcube.products.product import THUMBNAIL, Product, ProductFile
from sarcube.products.summary import Statistics
from sarcube.store.protocol import Store

GENERIC_EXTENSIONS = (PROJECTION, RASTER, FILE)
COLLECTION_FILE = "collection.json"
CATALOG_FILE = "catalog.json"
STATIC_LINK = "static-layers"
# What STAC calls the types of pixels that numpy names otherwise.
_STAC_TYPES = {"complex64": "cfloat32", "complex128": "cfloat64"}


@dataclass(frozen=True)
class ItemFacts:
    """What an item says beyond its product's files.

    Attributes
    ----------
    start : datetime
        UTC; also the item's `datetime`.
    end : datetime, optional
    properties : mapping
        Further properties, plain JSON values.
    extensions : tuple of str
        Schema addresses of the extensions that `properties` uses.
    links : tuple of Link
    static : Item, optional
        The static product's item (absolute hrefs, as `query` returns it), whose layers the item is to carry too.
    static_title : str
        What the link to it is called.
    """

    start: dt.datetime
    end: dt.datetime | None = None
    properties: Mapping[str, object] = field(default_factory=dict)
    extensions: tuple[str, ...] = ()
    links: tuple[pystac.Link, ...] = ()
    static: pystac.Item | None = None
    static_title: str = "Static layers"


def utc_text(time: dt.datetime) -> str:
    """RFC 3339 in UTC with microseconds always: readers trip over items that mix precisions."""
    if time.tzinfo is None:
        time = time.replace(tzinfo=dt.UTC)
    return time.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def product_item(store: Store, product: Product, facts: ItemFacts) -> pystac.Item:
    """The item of a product; hrefs are relative to the item file within the store.

    Parameters
    ----------
    store : Store
        The store that the product was written to.
    product : Product
    facts : ItemFacts
    """
    outline = footprint(product.outline, product.grid)
    name = product.name
    grid = product.grid
    properties: JsonObject = {
        "created": utc_text(name.processed),
        "proj:code": grid.crs,
        "proj:epsg": grid.epsg,
        "proj:bbox": [float(v) for v in grid.bounds],
        "proj:shape": list(grid.shape),
        "proj:transform": [float(v) for v in grid.transform],
        "sarcube:kind": product.kind.name,
        "sarcube:place": name.place,
        "sarcube:timed": product.kind.timed,
        **facts.properties,
    }
    if facts.end is not None:
        properties["start_datetime"] = utc_text(facts.start)
        properties["end_datetime"] = utc_text(facts.end)
    properties = {name: value for name, value in properties.items() if value is not None and value != ""}
    extensions = [*GENERIC_EXTENSIONS, *facts.extensions]
    layers = product.kind.table
    if any(layers[f.layer].classes for f in product.files if f.layer in layers):
        extensions.append(CLASSIFICATION)
    if storage := _storage(store):
        properties.update(storage)
        extensions.append(STORAGE)
    item = pystac.Item(
        id=name.stem,
        geometry=outline.geometry,
        bbox=list(outline.bbox),
        datetime=facts.start,
        properties=properties,
        stac_extensions=list(dict.fromkeys(extensions)),
        collection=product.collection,
    )
    item.properties["datetime"] = utc_text(facts.start)
    for file in product.files:
        item.add_asset(file.layer, _asset(product, file))
    _add_links(item, product)
    for link in facts.links:
        item.add_link(link)
    if facts.static is not None:
        link_static(store, item, product.item_key, facts.static, facts.static_title)
    return item


def item_dict(item: pystac.Item) -> JsonObject:
    """The item as it is stored: hrefs untouched, no self link, times with microseconds."""
    stored = item.to_dict(include_self_link=False, transform_hrefs=False)
    if item.datetime is not None:
        stored["properties"]["datetime"] = utc_text(item.datetime)
    return stored


def link_static(
    store: Store, item: pystac.Item, item_key: str, static: pystac.Item, title: str = "Static layers"
) -> None:
    """Give an item the layers of a static product: its assets, and a link to its item.

    Where both lie in one store hrefs are relative, so that the store can be moved; otherwise absolute.
    Layers that the item has itself (the mask of the acquisition) are not replaced.
    """
    folder = PurePosixPath(item_key).parent
    href = static.get_self_href()
    if href:
        link = pystac.Link(STATIC_LINK, relative_href(store, folder, href), "application/geo+json", title)
        item.add_link(link)
    for name, asset in static.assets.items():
        if name in item.assets or name == THUMBNAIL:
            continue
        copy = asset.clone()
        copy.href = relative_href(store, folder, asset.href)
        roles = list(copy.roles or [])
        copy.roles = roles if "static" in roles else [*roles, "static"]
        item.add_asset(name, copy)


def _asset(product: Product, file: ProductFile) -> pystac.Asset:
    href = "./" + PurePosixPath(file.key).name
    info: JsonObject = {"file:size": file.size, "file:checksum": file.checksum}
    beside = next((about for about in product.kind.attached if about.name == file.layer), None)
    if beside is not None:
        return pystac.Asset(href, beside.title, None, file.media_type, list(beside.roles), info)
    if file.layer not in product.kind.table:
        return pystac.Asset(href, "Browse image", None, file.media_type, ["thumbnail", "overview"], info)
    layer = product.kind.table[file.layer]
    info |= raster_fields(layer)
    grid = product.grid
    info |= {"proj:shape": list(grid.shape), "proj:transform": [float(v) for v in grid.transform]}
    if not grid.is_geographic:
        info["raster:spatial_resolution"] = pixel_metres(grid)
    if file.statistics is not None and (statistics := _statistics(file.statistics)):
        info["statistics"] = statistics
    if file.lossy:
        info["sarcube:compression_error"] = file.lossy
    return pystac.Asset(href, layer.title, None, file.media_type, list(layer.stac_roles), info)


def raster_fields(layer: Layer) -> JsonObject:
    """What is true of a layer in every product: for assets and for a collection's item assets.

    Enough to open and to show it where its workflow is not installed.
    """
    fields: JsonObject = {
        "data_type": _STAC_TYPES.get(layer.dtype, layer.dtype),
        "nodata": "nan" if math.isnan(layer.nodata) else int(layer.nodata),
        "unit": layer.unit,
        "raster:sampling": "area",
        "bands": [{"name": layer.name}],
        "sarcube:merge": layer.merge,
    }
    if not math.isnan(layer.nodata) and not float(layer.nodata).is_integer():
        fields["nodata"] = layer.nodata
    if shown := {k: v for k, v in asdict(layer.shown).items() if v is not None}:
        fields["sarcube:shown"] = shown
    if layer.weight:
        fields["sarcube:weight"] = layer.weight
    if layer.scale != 1.0:
        fields |= {"raster:scale": layer.scale, "raster:offset": 0.0}
    fields["bands"][0] |= dict(layer.facts)
    if layer.classes:
        fields["classification:classes"] = [_class(member) for member in layer.classes]
        fields["sarcube:best_first"] = [c.value for c in sorted(layer.classes, key=lambda c: c.rank)]
        fields["sarcube:ranks"] = [c.rank for c in layer.classes]  # of equal rank: equally good
        if blind := [c.value for c in layer.classes if c.blind]:
            fields["sarcube:blind"] = blind
    return fields


def _class(member: MaskClass) -> JsonObject:
    fields: JsonObject = {"value": member.value, "name": member.name, "description": member.text}
    if member.colour is not None and member.colour[3]:
        fields["color_hint"] = "{:02X}{:02X}{:02X}".format(*member.colour[:3])
    return fields


def _statistics(values: Statistics) -> dict[str, float]:
    found = {
        "minimum": values.minimum,
        "maximum": values.maximum,
        "mean": values.mean,
        "stddev": values.stddev,
        "valid_percent": values.valid_percent,
    }
    return {name: float(f"{value:.7g}") for name, value in found.items() if value is not None}


def _add_links(item: pystac.Item, product: Product) -> None:
    up = "../" * product.folder.removeprefix(product.collection).count("/")
    item.add_link(pystac.Link("root", f"{up}../{CATALOG_FILE}", "application/json"))
    item.add_link(pystac.Link("parent", f"{up}{COLLECTION_FILE}", "application/json"))
    item.add_link(pystac.Link("collection", f"{up}{COLLECTION_FILE}", "application/json"))


def _storage(store: Store) -> JsonObject:
    if not store.url.startswith("s3://"):
        return {}
    from sarcube.store.s3_store import S3Store

    assert isinstance(store, S3Store)  # the only kind of store with such an address
    if store.endpoint:
        return {"storage:platform": "OTHER", "storage:requester_pays": False}
    return {"storage:platform": "AWS", "storage:region": store.region, "storage:requester_pays": False}
