"""Granules that the Copernicus Data Space has: by its OData catalogue, entity `Products`, fetched as whole zips."""

from __future__ import annotations

from sarcube.config import RunConfig
from sarcube.errors import ConfigError
from sarcube.geometry.aoi import Area
from sarcube.jsons import JsonObject
from sarcube.sensors.sentinel1.search.cdse import any_of, dates_of, download_address, entries, expected_of, literal
from sarcube.sensors.sentinel1.search.cdse import with_area as by_area
from sarcube.sensors.sentinel1.search.provider_json import ring_of
from sarcube.sensors.sentinel3.names import parse_name
from sarcube.sensors.sentinel3.search.found import FoundGranule, scene_names


def search_cdse(config: RunConfig, area: Area | None) -> list[FoundGranule]:
    """Granules for a run.

    Raises
    ------
    ConfigError
        Nothing limits the search.
    SourceError
        The catalogue does not answer, or not in the form of its API.
    """
    names = scene_names(config)
    if area is None and not names:
        raise ConfigError("CDSE has all of the world: give an `aoi` or `source.scenes`")
    terms = ["Collection/Name eq 'SENTINEL-3'", "contains(Name,'_SL_1_RBT____')", *dates_of(config)]
    if names:
        terms.append(any_of(f"Name eq '{literal(name)}.SEN3'" for name in sorted(names)))
    found: dict[str, FoundGranule] = {}
    for text in by_area(terms, area):
        for entry in entries("Products", text):
            one = _granule(entry)
            if one is not None:
                found[one.name] = one
    return [found[name] for name in sorted(found)]


def _granule(entry: JsonObject) -> FoundGranule | None:
    identifier, name = entry.get("Id"), parse_name(str(entry.get("Name", "")))
    if not identifier or name is None:
        return None
    try:
        ring = tuple(ring_of(entry.get("GeoFootprint")))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None  # where it lies is not told: it cannot be asked whether the area is in it
    expected = expected_of(entry)
    return FoundGranule(
        download_address(str(identifier)), name.text, name.platform, name.start, name.stop, name.created,
        name.relative_orbit, name.timeliness, name.collection, ring, expected.size, expected.checksum,
    )  # fmt: skip
