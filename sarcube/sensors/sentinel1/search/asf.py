"""Bursts from ASF's search service: its burst dataset knows each burst's ID, time and footprint.

Protocol: ASF Search API (https://docs.asf.alaska.edu/api/basics/), `dataset=SLC-BURST`, GeoJSON. Addresses
can be set in the environment: `SARCUBE_ASF_SEARCH_URL`, `SARCUBE_ASF_DOWNLOAD_URL`.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import urllib.parse
from collections.abc import Sequence

from sarcube.config import RunConfig
from sarcube.errors import SourceError
from sarcube.geometry.aoi import Area
from sarcube.jsons import JsonObject
from sarcube.sensors.sentinel1.search.provider_json import (
    direction_of,
    grouped,
    in_words,
    json_of,
    period,
    polarization_of,
    query_area,
    require_limits,
    ring_of,
    scene_in,
    time_of,
    time_or_none,
)
from sarcube.sensors.sentinel1.search.scenes import FoundBurst, normal_burst_id
from sarcube.transfer.download import Expected
from sarcube.transfer.http import request
from sarcube.transfer.problem import Problem

log = logging.getLogger(__name__)

_LONG_QUERY = 2000  # characters; longer ones are posted
_BURST_SECONDS = 3.1  # of an IW burst, for its end where the service gives the start alone


def search_address() -> str:
    """ASF's search service."""
    return os.environ.get("SARCUBE_ASF_SEARCH_URL", "https://api.daac.asf.alaska.edu/services/search/param")


def download_address(scene: str) -> str:
    """Where ASF has a scene's zip."""
    base = os.environ.get("SARCUBE_ASF_DOWNLOAD_URL", "https://datapool.asf.alaska.edu").rstrip("/")
    return f"{base}/{_folder(scene)}/S{scene[2]}/{scene}.zip"


def _folder(scene: str) -> str:
    """ASF's name of a scene's type: SLC, or of a GRD its class and whether it has two channels (GRD_HD)."""
    return "SLC" if scene[7:10] == "SLC" else f"GRD_{scene[10]}{scene[14]}"


def search_asf(
    config: RunConfig, area: Area | None, polarizations: Sequence[str] | None = None
) -> tuple[list[FoundBurst], list[Problem]]:
    """Bursts that ASF has for a run; one entry for each acquisition, its polarizations together.

    Raises
    ------
    ConfigError
        Nothing limits the search.
    SourceError
        The service does not answer, or not in the form of its API.
    """
    require_limits(config, area, "ASF")
    channels: list[FoundBurst] = []
    problems: dict[str, Problem] = {}
    for query in _queries(config, area, polarizations):
        for feature in ask(query):
            try:
                channels.append(_channel(feature))
            except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
                name = _name(feature)
                problems.setdefault(name, Problem(name, f"ASF describes {name} in an unknown form: {in_words(error)}"))
    log.info("ASF has %d bursts and polarizations", len(channels))
    return grouped(channels), list(problems.values())


def announced(scene: str) -> Expected:
    """Size and MD5 that ASF announces for a scene's zip."""
    for feature in ask({"granule_list": scene, "processingLevel": _folder(scene), "output": "geojson"}):
        properties = feature.get("properties") or {}
        if properties.get("sceneName") == scene:
            return expected_of(properties)
    return Expected()


def expected_of(properties: JsonObject) -> Expected:
    """Size and checksum that a feature's properties state."""
    size, md5 = properties.get("bytes"), properties.get("md5sum")
    if isinstance(size, dict):  # newer answers have a mapping of files
        sizes = [v.get("bytes") for k, v in size.items() if k.endswith(".zip") and isinstance(v, dict)]
        size = sizes[0] if sizes else 0
    return Expected(int(size or 0), f"md5:{md5}" if md5 else "")


def _queries(config: RunConfig, area: Area | None, polarizations: Sequence[str] | None) -> list[dict[str, str]]:
    of = {"dataset": "SLC-BURST"}
    if polarizations is not None:
        of["polarization"] = ",".join(p.upper() for p in polarizations)
    if config.source.burst_ids:
        ids = (normal_burst_id(text) for text in config.source.burst_ids)
        of["fullBurstID"] = ",".join(text[1:].upper() for text in ids)
    return queries(config, area, of)


def queries(config: RunConfig, area: Area | None, of: dict[str, str]) -> list[dict[str, str]]:
    """What to ask for: `of` names the products, the run's source and area narrow them; one for each part of an area."""
    source, query = config.source, {**of, "output": "geojson"}
    span = period(config)
    if span:
        query["start"], query["end"] = (t.strftime("%Y-%m-%dT%H:%M:%SZ") for t in span)
    if source.orbit_direction:
        query["flightDirection"] = source.orbit_direction.upper()
    if source.relative_orbits:
        query["relativeOrbit"] = ",".join(str(n) for n in source.relative_orbits)
    if area is None:
        return [query]
    return [{**query, "intersectsWith": wkt} for wkt in query_area(area)]


def ask(query: dict[str, str]) -> list[JsonObject]:
    """Features of an answer, whatever was asked."""
    text = urllib.parse.urlencode(query)
    if len(text) > _LONG_QUERY:
        answer = request("POST", search_address(), data=query)
    else:
        answer = request("GET", f"{search_address()}?{text}")
    with answer:
        raw = json_of(answer, "ASF")
    features = raw.get("features")
    if not isinstance(features, list):
        raise SourceError(f"ASF answered without features: {str(raw.get('error', raw))[:200]}")
    return [f for f in features if isinstance(f, dict)]


def _name(feature: JsonObject) -> str:
    properties = feature.get("properties")
    return str(properties.get("sceneName", "?")) if isinstance(properties, dict) else "?"


def _channel(feature: JsonObject) -> FoundBurst:
    """One feature: one burst in one polarization."""
    properties = feature["properties"]
    burst = properties["burst"]
    scene = scene_in(urllib.parse.urlsplit(str(properties["url"])).path.strip("/").split("/")[0])
    # The annotation's azimuth time where the service has it; startTime lies up to a second beside it.
    start = time_of(burst.get("azimuthTime") or properties["startTime"])
    return FoundBurst(
        burst_id=normal_burst_id("t" + burst["fullBurstID"]),
        scene=scene,
        path=download_address(scene),
        swath=str(burst["subswath"]).upper(),
        index=int(burst["burstIndex"]),
        start_time=start,
        end_time=start + dt.timedelta(seconds=_BURST_SECONDS),
        platform=scene[:3],
        orbit_direction=direction_of(properties["flightDirection"]),
        relative_orbit=int(properties["pathNumber"]),
        polarizations=(polarization_of(properties["polarization"]),),
        footprint=ring_of(feature["geometry"]),
        size_bytes=int(properties.get("bytes") or 0) if not isinstance(properties.get("bytes"), dict) else 0,
        published=time_or_none(properties.get("processingDate")),
        ipf_version=str(properties.get("pgeVersion") or ""),
    )
