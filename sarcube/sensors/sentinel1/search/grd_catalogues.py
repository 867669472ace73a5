"""GRD scenes of ASF, CDSE, STAC APIs and addresses, each in the form that its catalogue has."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from sarcube.config import RunConfig
from sarcube.errors import CredentialError, SarcubeError
from sarcube.geometry.aoi import Area
from sarcube.jsons import JsonObject
from sarcube.sensors.sentinel1.search import asf, cdse
from sarcube.sensors.sentinel1.search.grd import FoundGrd, grd_scene
from sarcube.sensors.sentinel1.search.provider_json import (
    direction_of,
    in_words,
    require_limits,
    ring_of,
    scene_in,
    time_of,
    time_or_none,
)
from sarcube.sensors.sentinel1.search.remote_scenes import RemoteScene, scenes_at
from sarcube.sensors.sentinel1.search.scenes import scene_name
from sarcube.sensors.sentinel1.search.stac import scenes_of
from sarcube.transfer.problem import Problem
from sarcube.transfer.redact import redact

Answer = tuple[list[FoundGrd], list[Problem]]
_NAME = re.compile(
    r"(?P<platform>S1[A-D])_(?P<mode>[A-Z0-9]{2})_(?P<type>GRD[FHM])_1S(?P<channels>SH|SV|DH|DV)_"
    r"\d{8}T\d{6}_\d{8}T\d{6}_(?P<orbit>\d{6})_"
)
_CHANNELS = {"SH": ("HH",), "SV": ("VV",), "DH": ("HH", "HV"), "DV": ("VV", "VH")}
_ASF_LEVELS = "GRD_HD,GRD_HS,GRD_MD,GRD_MS"
_MODES = ("IW", "EW")
_AT_ONCE = 4  # scenes opened side by side: waiting for the network, not computing


def search_asf(config: RunConfig, area: Area | None) -> Answer:
    """GRD scenes that ASF has for a run.

    Raises
    ------
    ConfigError
        Nothing limits the search.
    SourceError
        The service does not answer, or not in the form of its API.
    """
    require_limits(config, area, "ASF")
    of = {"dataset": "SENTINEL-1", "processingLevel": _ASF_LEVELS, "beamMode": ",".join(_MODES)}
    features = [feature for query in asf.queries(config, area, of) for feature in asf.ask(query)]
    return _read(features, _of_asf, lambda f: str((f.get("properties") or {}).get("sceneName", "?")), "ASF")


def search_cdse(config: RunConfig, area: Area | None) -> Answer:
    """GRD scenes that CDSE has for a run; errors are those of `search_asf`."""
    require_limits(config, area, "CDSE")
    products = [
        entry
        for text in cdse.product_filters(config, area, "_GRD")
        for entry in cdse.entries("Products", text, expand="Attributes")
    ]
    taken = [p for p in products if str(p.get("Name", ""))[4:6] in _MODES]  # stripmap is not read
    return _read(taken, _of_cdse, lambda p: str(p.get("Name", "?")), "CDSE")


def search_stac(config: RunConfig, area: Area | None) -> Answer:
    """GRD scenes that a STAC API offers as SAFEs; what the items do not say is read of their annotation."""
    scenes, problems = scenes_of(config, area, "GRD")
    found, more = _opened(scenes)
    return found, problems + more


def search_address(config: RunConfig) -> Answer:
    """GRD scenes at `source.path`, an s3:// or https:// address."""
    return _opened(scenes_at(config, "GRD"))


def _opened(scenes: list[RemoteScene]) -> Answer:
    """Scenes told by their annotation, a few megabytes each by range requests."""

    def read(scene: RemoteScene) -> FoundGrd | Problem:
        try:
            found = grd_scene(scene.address)
        except CredentialError:
            raise
        except SarcubeError as error:
            return Problem(redact(scene.address), str(error), type(error).__name__)
        return replace(found, checksum=scene.checksum, file_size=scene.size)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        results = list(pool.map(read, scenes))
    return [r for r in results if isinstance(r, FoundGrd)], [r for r in results if isinstance(r, Problem)]


def _read(
    entries: list[JsonObject],
    read: Callable[[JsonObject], FoundGrd],
    name: Callable[[JsonObject], str],
    provider: str,
) -> Answer:
    found: dict[tuple[str, str], FoundGrd] = {}
    problems: dict[str, Problem] = {}
    for entry in entries:
        try:
            scene = read(entry)
            found[scene.scene, scene.path] = scene
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            text = f"{provider} describes {name(entry)} in an unknown form: {in_words(error)}"
            problems.setdefault(name(entry), Problem(name(entry), text))
    return list(found.values()), list(problems.values())


def _of_asf(feature: JsonObject) -> FoundGrd:
    properties = feature["properties"]
    scene = scene_in(properties["sceneName"], "GRD")
    expected = asf.expected_of(properties)
    return FoundGrd(
        scene=scene,
        path=asf.download_address(scene),
        start_time=time_of(properties["startTime"]),
        end_time=time_of(properties["stopTime"]),
        orbit_direction=direction_of(properties["flightDirection"]),
        relative_orbit=int(properties["pathNumber"]),
        footprint=ring_of(feature["geometry"]),
        size_bytes=expected.size,
        processed=time_or_none(properties.get("processingDate")),
        checksum=expected.checksum,
        file_size=expected.size,
        **_named(scene),
    )


def _of_cdse(entry: JsonObject) -> FoundGrd:
    scene = scene_in(entry["Name"], "GRD")
    told = {a["Name"]: a["Value"] for a in entry["Attributes"] if isinstance(a, dict) and "Value" in a}
    expected = cdse.expected_of(entry)
    content = entry["ContentDate"]
    return FoundGrd(
        scene=scene,
        path=cdse.download_address(str(entry["Id"])),
        start_time=time_of(content["Start"]),
        end_time=time_of(content["End"]),
        orbit_direction=direction_of(told["orbitDirection"]),
        relative_orbit=int(told["relativeOrbitNumber"]),
        footprint=ring_of(entry["GeoFootprint"]),
        size_bytes=expected.size,
        processed=time_or_none(told.get("processingDate") or entry.get("PublicationDate")),
        checksum=expected.checksum,
        file_size=expected.size,
        **_named(scene),
    )


def _named(scene: str) -> JsonObject:
    """What a scene's name says."""
    match = _NAME.match(scene_name(scene))
    if match is None:
        raise ValueError(f"{scene[:80]!r} is no name of a GRD scene")
    return {
        "platform": match["platform"],
        "mode": match["mode"],
        "product_type": match["type"],
        "absolute_orbit": int(match["orbit"]),
        "polarizations": _CHANNELS[match["channels"]],
        "absent": (),
    }
