"""Scenes from any STAC API; their bursts are read from their annotation.

STAC has no agreed way to tell bursts, so that the API is asked for scenes and the annotation for bursts.
"""

from __future__ import annotations

import datetime as dt
import logging
import re

from sarcube.config import RunConfig
from sarcube.errors import ConfigError, CredentialError, SourceError, TransferError
from sarcube.geometry.aoi import Area
from sarcube.jsons import JsonObject
from sarcube.sensors.sentinel1.search.provider_json import period, scene_in, time_or_none
from sarcube.sensors.sentinel1.search.remote_scenes import RemoteScene, bursts_of_scenes
from sarcube.sensors.sentinel1.search.scenes import FoundBurst, bare_name, is_another, scene_name
from sarcube.transfer.http import OFFLINE, attempts, without_retry_lines
from sarcube.transfer.problem import Problem
from sarcube.transfer.redact import redact

log = logging.getLogger(__name__)

# Names under which catalogues offer a scene as a whole, the most telling first.
_ASSETS = ("safe-zip", "product", "Product", "PRODUCT", "archive", "safe", "data", "safe-manifest", "safe_manifest")
_MOST = 20_000  # scenes


def search_stac(config: RunConfig, area: Area | None) -> tuple[list[FoundBurst], list[Problem]]:
    """Bursts of the scenes that a STAC API has for a run.

    Raises
    ------
    ConfigError
        pystac-client is not installed.
    SourceError, TransferError
        The API does not answer, or not as a STAC API.
    """
    scenes, problems = scenes_of(config, area, "SLC")
    found, more = bursts_of_scenes(scenes, config)
    return found, problems + more


def scenes_of(config: RunConfig, area: Area | None, product: str) -> tuple[list[RemoteScene], list[Problem]]:
    """The SAFEs of a type that a STAC API offers for a run, and items that offer none; errors as of `search_stac`.

    Collections may hold other types and modes beside: what an item's name tells to be one is passed over.
    """
    scenes: dict[str, RemoteScene] = {}
    problems: list[Problem] = []
    for item in items_of(config, area):
        if is_another(str(item.get("id")), product):
            continue
        try:
            scene = _scene(item)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            name = str(item.get("id", "?"))
            problems.append(Problem(name, f"the item {name} offers no SAFE: {error}"))
            continue
        if _wanted(item, config) and not is_another(scene.name, product):
            scenes.setdefault(scene.name, scene)
    return [scenes[name] for name in sorted(scenes)], problems


def items_of(config: RunConfig, area: Area | None) -> list[JsonObject]:
    """Items, as JSON, that a STAC API has for a run's area and dates; errors are those of `search_stac`."""
    try:
        from pystac_client import Client
        from pystac_client.exceptions import APIError
        from pystac_client.stac_api_io import StacApiIO
    except ImportError as error:
        raise ConfigError("source.kind stac needs pystac-client: pip install 'sarcube[search]'") from error
    import requests
    import shapely
    from urllib3.util import Retry

    url = str(config.source.url)
    span = period(config)
    when = "/".join(t.strftime("%Y-%m-%dT%H:%M:%SZ") for t in span) if span else None
    shapes: list[JsonObject | None] = [None] if area is None else [shapely.geometry.mapping(p) for p in area.parts()]
    retry = Retry(total=attempts() - 1, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504))
    items: dict[str, JsonObject] = {}
    try:
        with without_retry_lines():
            client = Client.open(url, stac_io=StacApiIO(max_retries=retry, timeout=120))
            for shape in shapes:
                found = client.search(
                    collections=[str(config.source.collection)],
                    datetime=when,
                    intersects=shape,
                    max_items=_MOST,
                    limit=100,
                )
                for item in found.items_as_dicts():
                    items.setdefault(str(item.get("id")), item)
    except APIError as error:
        code = getattr(error, "status_code", None)  # absent where no answer came at all
        text = f"{redact(url)}: {redact(str(error))[:300]}"
        if code in (401, 403):
            raise CredentialError(f"{redact(url)}: the STAC API refuses access ({code})") from None
        if code is None:
            reason = re.search(r"\[Errno -?\d+\] ([\w ]+)", str(error))
            raise TransferError(
                f"{redact(url)} cannot be reached{f': {reason[1]}' if reason else ''}{OFFLINE}"
            ) from None
        if code < 500 and code != 429:
            raise SourceError(text) from None
        raise TransferError(text) from None
    except requests.exceptions.RequestException as error:
        raise TransferError(f"{redact(url)} cannot be reached: {type(error).__name__}{OFFLINE}") from None
    except (ValueError, KeyError, TypeError, NotImplementedError) as error:
        raise SourceError(f"{redact(url)} does not answer as a STAC API: {redact(str(error))[:300]}") from error
    log.info("%s has %d scenes", redact(url), len(items))
    return list(items.values())


def _scene(item: JsonObject) -> RemoteScene:
    """The SAFE that an item offers: a zip, or the folder around its manifest."""
    assets = item["assets"]
    order = [key for key in _ASSETS if key in assets] + [key for key in assets if key not in _ASSETS]
    for key in order:
        href = str(assets[key]["href"])
        path = href.split("?", 1)[0]
        if not href.startswith(("s3://", "https://", "http://")):
            continue
        size = int(assets[key].get("file:size") or 0)
        if path.lower().endswith("/manifest.safe"):
            return RemoteScene(_name(item, path.rsplit("/", 1)[0]), href.rsplit("/", 1)[0], published=_published(item))
        if path.lower().endswith((".zip", ".safe")) or path.endswith("/$value"):
            return RemoteScene(_name(item, path), href, _checksum(assets[key]), size, _published(item))
    raise ValueError("no asset is a zip, a SAFE folder or a manifest.safe")


def _published(item: JsonObject) -> dt.datetime | None:
    properties = item.get("properties") or {}
    return next((t for k in ("published", "created") if (t := time_or_none(properties.get(k)))), None)


def _name(item: JsonObject, path: str) -> str:
    for candidate in (str(item["id"]), path):
        try:
            return scene_in(candidate)
        except ValueError:
            continue
    return scene_name(path)


def _checksum(asset: JsonObject) -> str:
    """`file:checksum` is a multihash in hex; those of MD5 and SHA-256 are understood."""
    text = str(asset.get("file:checksum") or "").lower()
    for prefix, kind, length in (("1220", "sha256", 64), ("d50110", "md5", 32)):
        if text.startswith(prefix) and len(text) == len(prefix) + length:
            return f"{kind}:{text[len(prefix) :]}"
    return ""


def _wanted(item: JsonObject, config: RunConfig) -> bool:
    """Whether an item's own properties leave it in question; what they do not say, the annotation will."""
    properties, source = item.get("properties") or {}, config.source
    direction, track = properties.get("sat:orbit_state"), properties.get("sat:relative_orbit")
    if source.orbit_direction and direction and str(direction).lower() != source.orbit_direction:
        return False
    if source.relative_orbits and isinstance(track, int) and track not in source.relative_orbits:
        return False
    only = {bare_name(name) for name in source.scenes or ()}
    return not only or bare_name(str(item.get("id"))) in only
