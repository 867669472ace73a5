"""Products that a STAC API has: whole SAFEs, or their bands as rasters behind addresses."""

from __future__ import annotations

from dataclasses import replace

from sarcube.config import RunConfig
from sarcube.geometry.aoi import Area
from sarcube.jsons import JsonObject
from sarcube.sensors.sentinel1.search.provider_json import time_or_none
from sarcube.sensors.sentinel1.search.stac import items_of
from sarcube.sensors.sentinel2.search.found import FoundTile, by_name
from sarcube.sensors.sentinel2.stac_item import PREFIX, band_assets, name_in, ring_in
from sarcube.transfer.problem import Problem


def search_stac(config: RunConfig, area: Area | None) -> tuple[list[FoundTile], list[Problem]]:
    """Products for a run, and items that cannot be used.

    Raises
    ------
    ConfigError
        pystac-client is not installed.
    SourceError, TransferError, CredentialError
        The API does not answer, or not as a STAC API.
    """
    found: dict[str, FoundTile] = {}
    problems = []
    for item in items_of(config, area):
        try:
            one = _tile(item, config)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            name = str(item.get("id", "?"))
            problems.append(Problem(name, f"the item {name} offers no Sentinel-2 product: {error}"))
            continue
        found.setdefault(one.name, one)
    return [found[name] for name in sorted(found)], problems


def _tile(item: JsonObject, config: RunConfig) -> FoundTile:
    told, name = item["properties"], name_in(item)
    if name is None:
        raise ValueError("it does not tell the product that it was made of (s2:product_uri)")
    stem = str(told.get("s2:product_uri") or told.get("title") or item["id"])
    orbit = str(told.get("sat:orbit_state") or "").lower()
    size = sum(int(asset.get("file:size") or 0) for asset in item["assets"].values())
    path = f"{PREFIX}{_address(item, config)}" if band_assets(item) else _archive(item)
    one = by_name(stem, ring_in(item), size, orbit_state=orbit)
    assert one is not None  # its name was parsed
    cloud = told.get("eo:cloud_cover")
    return replace(
        one,
        path=path,
        sensed=time_or_none(told.get("datetime")) or one.start,
        cloud_cover=float(cloud) if isinstance(cloud, int | float) else None,
    )


def _address(item: JsonObject, config: RunConfig) -> str:
    own = next((str(link["href"]) for link in item.get("links", ()) if link.get("rel") == "self"), "")
    if own.startswith(("https://", "http://")):
        return own
    return f"{str(config.source.url).rstrip('/')}/collections/{item['collection']}/items/{item['id']}"


def _archive(item: JsonObject) -> str:
    for asset in item["assets"].values():
        href = str(asset.get("href", ""))
        path = href.partition("?")[0]
        if href.startswith(("https://", "http://")) and (path.lower().endswith(".zip") or path.endswith("/$value")):
            return href
    raise ValueError("no asset is a band as GeoTIFF or JPEG 2000, or a zip")
