"""What collections and the root catalog say: their documents, made of what a kind tells and what items hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import PurePosixPath

import pystac

from sarcube.catalog.extensions import CLASSIFICATION, FILE, PROJECTION, RASTER
from sarcube.catalog.index import FILE as INDEX_FILE
from sarcube.catalog.index import MEDIA_TYPE as INDEX_TYPE
from sarcube.catalog.items import CATALOG_FILE, COLLECTION_FILE, raster_fields, utc_text
from sarcube.catalog.summary import Summary
from sarcube.jsons import JsonObject
from sarcube.products.browse import MEDIA_TYPE as PNG
from sarcube.products.cog import MEDIA_TYPE
from sarcube.products.kinds import Fact, ProductKind
from sarcube.products.product import THUMBNAIL, checksum

_MOST_LINKS = 20_000  # beyond it the links of a collection would outgrow what they are for: the index has them
# What is true of a layer in every product, of all that an asset says.
_OF_ALL = (
    "title",
    "type",
    "roles",
    "data_type",
    "nodata",
    "unit",
    "raster:sampling",
    "bands",
    "classification:classes",
)


@dataclass(frozen=True)
class Description:
    """What a collection says of itself: told by its kind when it is made, and kept by whoever brings it up to date.

    Attributes
    ----------
    title, text : str
    kind : str
        Name of the kind; empty in collections of version 0.1.
    keywords, providers : tuple
    license_link : dict, optional
        The link to what the inputs may be used for.
    facts : tuple of Fact, optional
        None in collections of version 0.1.
    assets : mapping of str to dict
        What items may have: item assets by name.
    since : str
        Where there are no items yet, from when on there may be some.
    """

    title: str
    text: str
    kind: str = ""
    keywords: tuple[str, ...] = ()
    providers: tuple[JsonObject, ...] = ()
    license_link: JsonObject | None = None
    facts: tuple[Fact, ...] | None = None
    assets: Mapping[str, JsonObject] = field(default_factory=dict)
    since: str = "1970-01-01T00:00:00.000000Z"

    @classmethod
    def of(cls, kind: ProductKind) -> Description:
        """Of a kind's new collection."""
        assets = {
            layer.name: {
                "title": layer.title,
                "type": MEDIA_TYPE,
                "roles": list(layer.stac_roles),
                **raster_fields(layer),
            }
            for layer in kind.layers
        }
        for beside in kind.attached:
            assets[beside.name] = {"title": beside.title, "type": beside.media_type, "roles": list(beside.roles)}
        if kind.browse:
            assets[THUMBNAIL] = {"title": "Browse image", "type": PNG, "roles": ["thumbnail", "overview"]}
        link = {"rel": "license", "href": kind.license_link, "title": "Terms of use"} if kind.license_link else None
        return cls(
            kind.title,
            kind.text,
            kind.name,
            kind.keywords,
            kind.providers,
            link,
            kind.facts,
            assets,
            utc_text(kind.since),
        )

    def renewed(self, kind: ProductKind) -> Description:
        """The same, whose layers and facts are those that its kind has now; what people may have edited stays."""
        now = Description.of(kind)
        return replace(self, kind=now.kind, facts=now.facts, assets={**self.assets, **now.assets})

    @classmethod
    def read(cls, stored: JsonObject) -> Description:
        """Of a collection that is there."""
        facts = stored.get("sarcube:facts")
        return cls(
            stored["title"],
            stored["description"],
            stored.get("sarcube:kind", ""),
            tuple(stored.get("keywords", ())),
            tuple(stored.get("providers", ())),
            next((link for link in stored.get("links", ()) if link.get("rel") == "license"), None),
            None if facts is None else tuple(Fact(**fact) for fact in facts),
            stored.get("item_assets", {}),
            str(stored["extent"]["temporal"]["interval"][0][0]),
        )


def collection_document(name: str, about: Description, summary: Summary, index: bytes = b"") -> JsonObject:
    """A collection as it is stored, with the size and checksum of the index that it was computed from."""
    links: list[JsonObject] = [
        {"rel": "root", "href": f"../{CATALOG_FILE}", "type": "application/json"},
        {"rel": "parent", "href": f"../{CATALOG_FILE}", "type": "application/json"},
    ]
    if about.license_link:
        links.append(about.license_link)
    if summary.count <= _MOST_LINKS:
        links += [_item_link(href) for href in sorted(summary.hrefs)]
    stored: JsonObject = {
        "type": "Collection",
        "stac_version": pystac.get_stac_version(),
        "stac_extensions": [PROJECTION, RASTER, CLASSIFICATION, *summary.extensions()],
        "id": name,
        "title": about.title,
        "description": about.text,
        "keywords": list(about.keywords),
        "license": "other",
        "providers": list(about.providers),
        "extent": summary.extent(about.since),
        "item_assets": _item_assets(about, summary),
        "links": links,
    }
    if about.kind:
        stored["sarcube:kind"] = about.kind
    if about.facts is not None:
        stored["sarcube:facts"] = [asdict(fact) for fact in about.facts]
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


def _item_link(href: str) -> JsonObject:
    """Browsers (QGIS, stac-browser) list items by the titles of links: without one, by their whole address."""
    title = PurePosixPath(href).stem
    return {"rel": "item", "href": href, "type": "application/geo+json", "title": title}


def _item_assets(about: Description, summary: Summary) -> JsonObject:
    """Item assets by what the kind says, and for those that it does not know by what the items say."""
    found = dict(about.assets)
    for name, asset in summary.assets.items():
        told = {k: v for k, v in asset.items() if k in _OF_ALL or k.startswith("sarcube:")}
        if name not in found and told:
            found[name] = told
    return found


def catalog_document(titles: Mapping[str, str]) -> JsonObject:
    """The root catalog as it is stored; `titles` are those of its collections, by their ids."""
    return {
        "type": "Catalog",
        "stac_version": pystac.get_stac_version(),
        "id": "sarcube",
        "title": "Analysis-ready products",
        "description": "Products made by sarcube, each kind in a collection of its own.",
        "links": [
            {"rel": "root", "href": f"./{CATALOG_FILE}", "type": "application/json"},
            *(
                {"rel": "child", "href": f"./{name}/{COLLECTION_FILE}", "type": "application/json", "title": title}
                for name, title in titles.items()
            ),
        ],
    }
