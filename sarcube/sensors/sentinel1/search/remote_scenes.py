"""Scenes behind addresses whose bursts no provider lists: their annotation is read, and remembered.

Only directory and annotation of a zip are fetched by range requests, a few megabytes of some gigabytes.
"""

from __future__ import annotations

import datetime as dt
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from sarcube.config import RunConfig
from sarcube.errors import CredentialError, SarcubeError, SourceError
from sarcube.sensors.sentinel1.files import is_sidecar
from sarcube.sensors.sentinel1.search.local import SceneBursts, SceneIndex, bursts_of
from sarcube.sensors.sentinel1.search.scenes import FoundBurst, bare_name, is_another, no_such_scene, scene_name
from sarcube.transfer.problem import Problem
from sarcube.transfer.redact import redact

log = logging.getLogger(__name__)

_AT_ONCE = 4  # scenes opened side by side: waiting for the network, not computing


@dataclass(frozen=True)
class RemoteScene:
    """A scene's name and address, and what its provider tells of the file behind it."""

    name: str
    address: str
    checksum: str = ""
    size: int = 0
    published: dt.datetime | None = None


def search_remote(config: RunConfig) -> tuple[list[FoundBurst], list[Problem]]:
    """Bursts of `source.path`, an s3:// or https:// address: of one SAFE (zip or folder) or, on S3, of many.

    Raises
    ------
    SourceError
        The address cannot be reached or holds no SAFE.
    """
    return bursts_of_scenes(scenes_at(config, "SLC"), config)


def scenes_at(config: RunConfig, product: str) -> list[RemoteScene]:
    """The SAFEs of a type at `source.path`, of those asked for by name; errors are those of `search_remote`."""
    address = str(config.source.path).rstrip("/")
    if address.lower().endswith((".zip", ".safe")) or not address.startswith("s3://"):
        scenes = [RemoteScene(scene_name(address.split("?", 1)[0]), address)]
    else:
        every = _listed(address)
        scenes = [scene for scene in every if not is_another(scene.name, product)]
        if not scenes:
            raise SourceError(f"{address} holds no {product} in IW or EW, but {len(every)} of other types or modes")
    only = {bare_name(name) for name in config.source.scenes or ()}
    wanted = [s for s in scenes if not only or bare_name(s.name) in only or not s.name.upper().startswith("S1")]
    if scenes and not wanted:
        raise no_such_scene(redact(address), only, {scene.name for scene in scenes})
    return wanted


def bursts_of_scenes(scenes: list[RemoteScene], config: RunConfig) -> tuple[list[FoundBurst], list[Problem]]:
    """Bursts of remote scenes from their annotation; what was read once is remembered by name.

    A Sentinel-1 SLC's name ends with a checksum of its contents, so that the name is enough to know it again.

    Raises
    ------
    CredentialError
        Access is refused: no further scene would fare better.
    """
    index = SceneIndex.load("remote scenes")

    def read(scene: RemoteScene) -> SceneBursts | Problem:
        named = scene.name.upper().startswith("S1")  # `product.zip` may be another scene tomorrow
        known = index.get(scene.name, (0, 0), scene.address) if named else None
        if known is not None:
            return known
        try:
            bursts = bursts_of(scene.address)
        except CredentialError:
            raise
        except SarcubeError as error:
            log.warning("%s is left out: %s", redact(scene.address), error)
            return Problem(redact(scene.address), str(error), type(error).__name__)
        if named:
            index.put(scene.name, (0, 0), bursts)
        return bursts

    found: list[FoundBurst] = []
    problems: list[Problem] = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for scene, result in zip(scenes, pool.map(read, scenes), strict=True):
            if isinstance(result, Problem):
                problems.append(result)
            else:
                found.extend(
                    replace(b, checksum=scene.checksum, file_size=scene.size, published=scene.published)
                    for b in result.bursts
                )
                problems.extend(Problem(redact(scene.address), message) for message in result.problems)
    index.save(None)
    return found, problems


def _listed(address: str) -> list[RemoteScene]:
    """SAFEs under an S3 prefix: zips, and folders that have a manifest."""
    import obstore

    from sarcube.transfer.aws import s3_call, s3_store

    bucket, _, prefix = address[5:].partition("/")
    store = s3_store(bucket)

    def keys() -> list[str]:
        return [str(entry["path"]) for page in obstore.list(store, prefix or None) for entry in page]

    found = {}
    for key in s3_call(address, keys):
        name = key.rsplit("/", 1)[-1]
        if is_sidecar(key):
            continue
        if name.lower().endswith(".zip"):
            path = f"s3://{bucket}/{key}"
        elif name == "manifest.safe":
            path = f"s3://{bucket}/{key.removesuffix('/manifest.safe')}"
        else:
            continue
        found[path] = RemoteScene(scene_name(path), path)
    if not found:
        raise SourceError(f"{address} holds no SAFE (zips, or folders with manifest.safe); check source.path")
    return [found[path] for path in sorted(found)]
