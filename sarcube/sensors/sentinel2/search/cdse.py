"""Products that the Copernicus Data Space has: by its OData catalogue, entity `Products`, fetched as whole zips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sarcube.config import RunConfig
from sarcube.geometry.aoi import Area
from sarcube.jsons import JsonObject
from sarcube.sensors.sentinel1.search.cdse import any_of, dates_of, download_address, entries, expected_of, literal
from sarcube.sensors.sentinel1.search.cdse import with_area as by_area
from sarcube.sensors.sentinel1.search.provider_json import ring_of
from sarcube.sensors.sentinel2.search.found import FoundTile, by_name, scene_names, tiles_asked


def search_cdse(config: RunConfig, area: Area | None) -> list[FoundTile]:
    """Products for a run.

    Raises
    ------
    ConfigError
        Nothing limits the search.
    SourceError
        The catalogue does not answer, or not in the form of its API.
    """
    from sarcube.errors import ConfigError

    names, tiles = scene_names(config), tiles_asked(config)
    if area is None and not names and not tiles:
        raise ConfigError("CDSE has all of the world: give an `aoi`, `source.places` or `source.scenes`")
    found: dict[str, FoundTile] = {}
    for text in _filters(config, area, names, tiles):
        for entry in entries("Products", text):
            one = _tile(entry)
            if one is not None:
                found[one.name] = one
    return [found[name] for name in sorted(found)]


def _filters(config: RunConfig, area: Area | None, names: set[str], tiles: set[str] | None) -> Iterator[str]:
    terms = ["Collection/Name eq 'SENTINEL-2'", any_of(f"contains(Name,'_MSI{level}_')" for level in ("L1C", "L2A"))]
    terms += dates_of(config)
    if names:
        terms.append(any_of(f"Name eq '{literal(name)}.SAFE'" for name in sorted(names)))
    if tiles:
        terms.append(any_of(f"contains(Name,'_T{literal(tile)}_')" for tile in sorted(tiles)))
    return by_area(terms, area)


def _tile(entry: JsonObject) -> FoundTile | None:
    identifier, name = entry.get("Id"), str(entry.get("Name", ""))
    try:
        ring = ring_of(entry.get("GeoFootprint"))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        ring = ()
    expected = expected_of(entry)
    one = by_name(name, tuple(ring), expected.size) if identifier else None
    if one is None:
        return None
    return replace(one, path=download_address(str(identifier)), checksum=expected.checksum)
