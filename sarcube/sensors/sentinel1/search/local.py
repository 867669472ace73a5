"""Scenes in folders: searched once, remembered by path, time and size, so that planning again is quick."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sarcube.config import RunConfig
from sarcube.errors import SarcubeError, SourceError
from sarcube.instants import utc_time
from sarcube.sensors.sentinel1.files import ZipFiles, is_sidecar
from sarcube.sensors.sentinel1.model import Burst
from sarcube.sensors.sentinel1.search.provider_json import time_or_none
from sarcube.sensors.sentinel1.search.scenes import FoundBurst, is_another, no_such_scene, scene_name
from sarcube.transfer.cache import cache_folder, write_atomically
from sarcube.transfer.folder import files_below
from sarcube.transfer.problem import Problem
from sarcube.words import several

log = logging.getLogger(__name__)

_VERSION = 4  # of the index file; another version is read anew
# Annotation of a type, by the agency's names or the short ones of mirrors (`annotation/iw1-vv.xml`).
_ANNOTATION = {
    product: re.compile(rf"(^|/)annotation/(s1[a-z]-)?(iw|ew){swath}-({product}-)?(vv|vh|hh|hv)[^/]*\.xml$", re.I)
    for product, swath in (("SLC", r"\d"), ("GRD", ""))
}
_ARCHIVES = (".tar", ".tgz", ".tar.gz", ".7z", ".rar")
_BYTES_PER_SAMPLE = 4  # complex int16
_MICRO = 1_000_000  # footprints are kept as whole millionths of a degree, a decimetre


@dataclass(frozen=True)
class SceneFile:
    """A SAFE in a folder or zip, by its name and place alone."""

    path: str
    stamp: tuple[int, int]  # newest modification time in nanoseconds, bytes


def search_local(config: RunConfig) -> tuple[list[FoundBurst], list[Problem]]:
    """Every burst of the SAFEs (folders and zips) under `source.path`, which may be one SAFE itself.

    Raises
    ------
    SourceError
        The path does not exist.
    """
    path = str(config.source.path)
    if "://" in path:
        from sarcube.sensors.sentinel1.search.remote_scenes import search_remote

        return search_remote(config)
    root = Path(path).expanduser().resolve()
    if not root.exists():
        raise SourceError(f"source.path {root} does not exist; name the folder of the SAFEs")
    only = {scene_name(name) for name in config.source.scenes or ()}
    found: list[FoundBurst] = []
    problems: list[Problem] = []
    passed: list[str] = []
    listed, others = list[SceneFile](), list[str]()
    for scene in scenes_below(root, problems, passed):
        if is_another(scene.path, "SLC") and scene.path != str(root):
            others.append(scene.path)
        else:
            listed.append(scene)
    problems.extend(_of_others(root, others))
    scenes = [s for s in listed if not only or _may_be(s.path, only)]
    problems.extend(of_archives(root, passed, "SLC"))
    if listed and not scenes:
        raise no_such_scene(str(root), only, {scene_name(s.path) for s in listed})
    index = SceneIndex.load(str(root))
    for scene in scenes:
        known = index.get(scene.path, scene.stamp, scene.path)
        if known is None:
            try:
                known = bursts_of(scene.path)
            except SarcubeError as error:
                log.warning("%s is left out: %s", scene.path, error)
                problems.append(Problem(scene.path, str(error), type(error).__name__))
                continue
            index.put(scene.path, scene.stamp, known)
        found.extend(known.bursts)
        problems.extend(Problem(scene.path, message) for message in known.problems)
    index.save({scene.path for scene in scenes} if not only else None)
    return found, problems


def of_archives(root: Path, passed: list[str], product: str) -> list[Problem]:
    """What is said of archives that hold no scene of a type."""
    if not passed:
        return []
    hold = several(len(passed), "archive holds", "archives hold")
    log.info("%s: %s no Sentinel-1 %s: %s", root, hold, product, ", ".join(passed))
    few = ", ".join(Path(path).name for path in passed[:5]) + (", ..." if len(passed) > 5 else "")
    return [Problem(str(root), f"{hold} no Sentinel-1 {product}, passed over: {few}")]


def _of_others(root: Path, paths: list[str]) -> list[Problem]:
    """What is said of scenes of other types beside those that are wanted."""
    if not paths:
        return []
    few = ", ".join(scene_name(path) for path in paths[:3]) + (", ..." if len(paths) > 3 else "")
    are = several(len(paths), "scene is", "scenes are")
    return [Problem(str(root), f"{are} no SLC in IW or EW, passed over: {few} (GRD: workflow grd)")]


@dataclass(frozen=True)
class SceneBursts:
    """The bursts of one SAFE, and what is wrong with those that are left out."""

    bursts: tuple[FoundBurst, ...]
    problems: tuple[str, ...] = ()


def bursts_of(path: str) -> SceneBursts:
    """The bursts of one SAFE as search results.

    Raises
    ------
    SceneError
        It cannot be read.
    """
    from sarcube.sensors.sentinel1.burst import read_bursts
    from sarcube.sensors.sentinel1.safe import open_safe
    from sarcube.transfer.remote import open_remote

    remote = "://" in path
    safe = open_safe(path, opener=open_remote) if remote else open_safe(path)
    # Polarizations share times and places: one tells them, the others are read when the burst is opened.
    telling = {polarizations[0] for polarizations in safe.swaths.values()}
    stored = [(part.swath, part.polarization) for part in safe.parts if part.measurement is not None]
    found, problems = [], list[str]()
    for burst in read_bursts(safe, polarizations=telling, problems=problems):
        polarizations = safe.swaths[burst.swath]
        absent = tuple(name for name in polarizations if (burst.swath, name) not in stored)
        count = len(polarizations) - len(absent)
        size = burst.radar.lines * burst.radar.samples * _BYTES_PER_SAMPLE * count
        found.append(replace(_as_found(burst, path, polarizations, size), absent=absent))
    return SceneBursts(tuple(found), tuple(problems))


def _as_found(burst: Burst, path: str, polarizations: tuple[str, ...], size: int) -> FoundBurst:
    return FoundBurst(
        burst_id=burst.burst_id,
        scene=burst.scene,
        path=path,
        swath=burst.swath,
        index=burst.index,
        start_time=to_datetime(burst.start_time),
        end_time=to_datetime(burst.end_time),
        platform=burst.platform,
        orbit_direction=burst.orbit_direction,
        relative_orbit=burst.relative_orbit,
        polarizations=polarizations,
        footprint=tuple((round(float(lon), 6), round(float(lat), 6)) for lon, lat in burst.footprint),
        size_bytes=size,
        processed=time_or_none(burst.source_processed),
        ipf_version=burst.ipf_version,
    )


def to_datetime(time: np.datetime64) -> dt.datetime:
    """UTC with its time zone, to the microsecond."""
    micro = int(time.astype("datetime64[us]").astype(np.int64))
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=micro)


def _may_be(path: str, only: set[str]) -> bool:
    """Whether a file may be one of some scenes: a name that is none of a scene tells nothing."""
    name = scene_name(path)
    return name in only or not name.upper().startswith("S1")


def _holds(path: str, product: str) -> bool:
    """Whether a zip of any name holds annotation of an SLC or GRD, by its directory."""
    try:
        return any(_ANNOTATION[product].search(name) for name in ZipFiles(path).names())
    except SarcubeError:
        return False


def scenes_below(root: Path, problems: list[Problem], passed: list[str], product: str = "SLC") -> Iterator[SceneFile]:
    """SAFEs under a folder, in the order of their paths; a SAFE's own folders are not searched for others.

    `passed` gets archives that hold none of the type that is looked for.
    """
    if root.is_file():
        yield SceneFile(str(root), _stamp([root]))
        return
    if _is_safe(root):
        yield _safe_scene(root)
        return
    try:
        entries = sorted(os.scandir(root), key=lambda e: e.name)
    except OSError as error:
        problems.append(Problem(str(root), f"{root} cannot be listed: {error.strerror or error}"))
        return
    for entry in entries:
        if is_sidecar(entry.name):
            continue
        if entry.is_dir() and not entry.name.startswith("."):
            if entry.is_symlink() and root.is_relative_to(Path(entry.path).resolve()):
                continue  # a link back up: its scenes are being listed already
            yield from scenes_below(Path(entry.path), problems, passed, product)
        elif entry.name.lower().endswith(".zip") and entry.is_file():
            # Downloads are also called `product.zip` or by an identifier.
            if entry.name.upper().startswith("S1") or _holds(entry.path, product):
                yield SceneFile(entry.path, _stamp([Path(entry.path)]))
            else:
                passed.append(entry.path)
        elif entry.name.lower().endswith(_ARCHIVES) and entry.is_file():
            passed.append(entry.path)


def _is_safe(folder: Path) -> bool:
    return (
        folder.suffix.upper() == ".SAFE"
        or (folder / "manifest.safe").is_file()
        or (folder.name.startswith("S1") and (folder / "annotation").is_dir())
    )


def _safe_scene(folder: Path) -> SceneFile:
    return SceneFile(str(folder), _stamp([folder, *files_below(folder)]))


def _stamp(paths: list[Path]) -> tuple[int, int]:
    newest, size = 0, 0
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue  # vanished since it was listed, or a dead link: the next look will tell
        newest, size = max(newest, status.st_mtime_ns), size + status.st_size
    return newest, size


class SceneIndex:
    """What was found in each SAFE, kept in the cache folder as JSON.

    Scenes that could not be read are not kept: the next search tries them again.
    """

    def __init__(self, path: Path, root: str, scenes: dict[str, object]) -> None:
        self._path, self._root, self._scenes, self._changed = path, root, scenes, False

    @classmethod
    def load(cls, root: str) -> SceneIndex:
        name = hashlib.sha256(root.encode()).hexdigest()[:24]
        path = cache_folder("index") / f"{name}.json"
        try:
            digest, _, text = path.read_bytes().partition(b"\n")
            if digest.decode("ascii") == hashlib.sha256(text).hexdigest():
                raw = json.loads(text)
                if raw["version"] == _VERSION and raw["root"] == root:
                    return cls(path, root, raw["scenes"])
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.info("the scene index %s is read anew: %s", path, error)
        return cls(path, root, {})

    def get(self, key: str, stamp: tuple[int, int], path: str) -> SceneBursts | None:
        """What is known of a scene; None where it has changed since or was never read."""
        entry = self._scenes.get(key)
        if not isinstance(entry, dict) or entry.get("stamp") != list(stamp):
            return None
        try:
            bursts = tuple(_decode(raw, path) for raw in entry["bursts"])
            return SceneBursts(bursts, tuple(str(text) for text in entry["problems"]))
        except (KeyError, TypeError, ValueError):
            return None  # an index of another hand; the scene itself knows

    def put(self, key: str, stamp: tuple[int, int], known: SceneBursts) -> None:
        """Remember a scene."""
        bursts = [_encode(b) for b in known.bursts]
        self._scenes[key] = {"stamp": list(stamp), "bursts": bursts, "problems": list(known.problems)}
        self._changed = True

    def save(self, present: set[str] | None) -> None:
        """Write the index if it changed; with `present`, forget scenes that are gone."""
        if present is not None and not set(self._scenes) <= present:
            self._scenes = {path: entry for path, entry in self._scenes.items() if path in present}
            self._changed = True
        if not self._changed:
            return
        root = {"version": _VERSION, "root": self._root, "scenes": self._scenes}
        try:
            text = json.dumps(root, separators=(",", ":")).encode()
            write_atomically(self._path, hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
        except OSError as error:
            log.info("the scene index %s is not kept: %s", self._path, error)


def _encode(burst: FoundBurst) -> list[object]:
    return [
        burst.burst_id,
        burst.scene,
        burst.swath,
        burst.index,
        burst.start_time.isoformat(),
        burst.end_time.isoformat(),
        burst.platform,
        burst.orbit_direction,
        burst.relative_orbit,
        burst.polarizations,
        [round(v * _MICRO) for point in burst.footprint for v in point],
        burst.size_bytes,
        burst.absent,
        burst.processed.isoformat() if burst.processed else "",
        burst.ipf_version,
    ]


def _decode(raw: list[Any], path: str) -> FoundBurst:
    return FoundBurst(
        burst_id=raw[0],
        scene=raw[1],
        path=path,
        swath=raw[2],
        index=int(raw[3]),
        start_time=utc_time(raw[4]),
        end_time=utc_time(raw[5]),
        platform=raw[6],
        orbit_direction=raw[7],
        relative_orbit=int(raw[8]),
        polarizations=tuple(raw[9]),
        footprint=tuple((raw[10][i] / _MICRO, raw[10][i + 1] / _MICRO) for i in range(0, len(raw[10]), 2)),
        size_bytes=int(raw[11]),
        absent=tuple(raw[12]),
        processed=time_or_none(raw[13]),
        ipf_version=str(raw[14]),
    )
