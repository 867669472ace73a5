"""Which orbit a burst gets: precise before restituted, chosen by what the state vectors cover.

A local folder is asked first, then the cache, then a provider. Two restituted files that each cover a part
are joined. The annotation's own orbit is the last resort and is recorded as such by who opens the burst.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sarcube.config import Orbits
from sarcube.errors import OrbitError
from sarcube.geometry.orbit import Orbit
from sarcube.sensors.sentinel1.files import is_sidecar
from sarcube.sensors.sentinel1.orbit_file import OrbitFile, make_orbit, read_orbit
from sarcube.transfer.folder import Remembered, files_below

MARGIN = 60.0  # s that state vectors must reach beyond both ends: geocoding and interpolation look outside
_LONGEST_GAP = 30.0  # s between neighbouring vectors; ESA's files have 10 s (the annotation's too)
_TYPES = ("POEORB", "RESORB")
_NAME = re.compile(
    r"(?P<platform>S1[A-D])_OPER_AUX_(?P<type>POEORB|RESORB)_OPOD_(?P<created>\d{8}T\d{6})"
    r"_V(?P<start>\d{8}T\d{6})_(?P<stop>\d{8}T\d{6})[^/]*\.EOF(\.zip)?$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class OrbitEntry:
    """An orbit file as its name describes it; what it really covers is known once it has been read.

    `created`, `start` and `stop` are UTC in the compact form of the name (20200510T225942), which sorts.
    """

    path: str
    platform: str
    type: str
    created: str
    start: str
    stop: str


@dataclass(frozen=True)
class OrbitIndex:
    """Orbit files of some folders, looked at once. Small and picklable: names only, no state vectors."""

    entries: tuple[OrbitEntry, ...]

    @classmethod
    def of_folders(cls, folders: Sequence[Path]) -> OrbitIndex:
        """List the orbit files (`*.EOF`, `*.EOF.zip`) in folders and their subfolders, or single files."""
        found: dict[str, OrbitEntry] = {}
        for folder in folders:
            paths = [folder] if folder.is_file() else sorted(files_below(folder))
            for path in paths:
                entry = None if is_sidecar(path.relative_to(folder).as_posix()) else entry_of(path)
                if entry:
                    found.setdefault(path.name, entry)
        return cls(tuple(found.values()))

    def find(self, platform: str, start: np.datetime64, end: np.datetime64) -> OrbitFile | None:
        """The best orbit for a span of time, or None.

        Raises
        ------
        OrbitError
            Only when a file that was needed is damaged and nothing else covers the span.
        """
        damaged: list[str] = []
        for kind in _TYPES:
            orbit = self._best(platform, kind, start, end, damaged)
            if orbit is not None:
                return orbit
        if damaged:
            raise OrbitError("; ".join(damaged))
        return None

    def _best(
        self, platform: str, kind: str, start: np.datetime64, end: np.datetime64, damaged: list[str]
    ) -> OrbitFile | None:
        margin = np.timedelta64(round(MARGIN * 1e9), "ns")
        first, last = _compact(start - margin), _compact(end + margin)
        near = [
            e for e in self.entries if e.platform == platform and e.type == kind and e.start <= last and e.stop >= first
        ]
        # Whole cover as the names claim it first, and of those the newest: it is a reprocessing.
        near.sort(key=lambda e: (e.start <= first and e.stop >= last, e.created), reverse=True)
        parts: list[OrbitFile] = []
        for entry in near:
            try:
                orbit = read_cached(entry.path)
            except OrbitError as error:
                damaged.append(str(error))
                continue
            if orbit.platform != platform:
                damaged.append(f"{entry.path}: is named an orbit of {platform} and holds one of {orbit.platform}")
                continue
            if covers(orbit.at(start), start, end):
                return orbit
            parts.append(orbit)
        return _joined(parts, start, end)


def _index(path: Path) -> OrbitIndex:
    return OrbitIndex.of_folders([path])


# A file with a name of its own is described by what it holds.
_INDEXES = Remembered(_index, lambda path: path.suffix.upper() == ".EOF" and not _NAME.match(path.name))


def find_orbit(
    platform: str,
    start: np.datetime64,
    end: np.datetime64,
    orbits: Orbits,
    index: OrbitIndex | None = None,
    *,
    scene: str = "",
) -> OrbitFile | None:
    """The best orbit for one burst.

    Parameters
    ----------
    platform : str
        "S1A".
    start, end : numpy.datetime64
        UTC of the burst's first and last line.
    orbits : Orbits
        The run file's `orbits`.
    index : OrbitIndex, optional
        Of `orbits.path`, when the caller has built it already.
    scene : str, optional
        SAFE name; providers that look orbits up by scene want it.

    Returns
    -------
    OrbitFile or None
        None: nothing covers the burst and the annotation's orbit may be used.

    Raises
    ------
    OrbitError
        Nothing covers the burst and `orbits.allow_annotation` is false; the message tells what each source said.
    TransferError
        A provider could not be reached: that is no answer, and the next try may give a better orbit.
    CredentialError
        The provider wants a login.
    """
    start, end = start.astype("datetime64[ns]"), end.astype("datetime64[ns]")
    said: list[str] = []
    found: OrbitFile | None = None
    if index is None and orbits.path is not None:
        index = local_index(orbits.path)
    if index is not None:
        try:
            found = index.find(platform, start, end)
        except OrbitError as error:
            said.append(f"{orbits.path}: {error}")
        else:
            if found is not None and (found.type == "POEORB" or orbits.kind is None):
                return found
            if found is None:
                said.append(f"{orbits.path or 'the index'}: none of {len(index.entries)} files covers it")
    if orbits.kind is not None:
        from sarcube.sensors.sentinel1.orbit_providers import OrbitNeed, fetch_orbit

        fetched = fetch_orbit(OrbitNeed(platform, start, end, scene), orbits, said, precise_only=found is not None)
        found = fetched or found
    if found is not None:
        return found
    if orbits.allow_annotation:
        return None
    raise OrbitError(
        f"no orbit file covers {platform} {_compact(start)} to {_compact(end)} with {MARGIN:.0f} s margin "
        f"({'; '.join(said) or 'neither orbits.path nor orbits.kind is set'}); add one to orbits.path, set "
        "orbits.kind, or orbits.allow_annotation: true"
    )


def local_index(path: Path) -> OrbitIndex:
    """The index of `orbits.path`, built once per state of the folder and its subfolders.

    To ask again costs a look at each folder, not at each file.

    Raises
    ------
    OrbitError
        The folder does not exist, or holds no orbit file.
    """
    if not path.exists():
        raise OrbitError(f"orbits.path {path} does not exist; name a folder of EOF files, or leave the key out")
    index = _INDEXES.get(path)
    if not index.entries:
        raise OrbitError(
            f"orbits.path {path} holds no orbit file (S1?_OPER_AUX_POEORB_..., ..._RESORB_..., *.EOF or *.EOF.zip); "
            "put some there, or leave the key out"
        )
    return index


def entry_of(path: Path) -> OrbitEntry | None:
    """An orbit file's entry by its name; a file with another name is described by reading it."""
    match = _NAME.match(path.name)
    if match:
        text = {key: value.upper() for key, value in match.groupdict().items() if value}
        return OrbitEntry(str(path), text["platform"], text["type"], text["created"], text["start"], text["stop"])
    if path.suffix.upper() != ".EOF" or not path.is_file():
        return None
    try:
        orbit = read_cached(str(path))
    except OrbitError:
        return None  # not named like an orbit and not readable as one: some other file
    stamp = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC).strftime("%Y%m%dT%H%M%S")
    return OrbitEntry(str(path), orbit.platform, orbit.type, stamp, _compact(orbit.start), _compact(orbit.stop))


def read_cached(path: str) -> OrbitFile:
    """Read an orbit file, or take it from the few that this process has read last."""
    try:
        status = Path(path).stat()
    except OSError as error:
        raise OrbitError(f"orbit file {path} cannot be read: {error.strerror or error}") from error
    return _read(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=24)
def _read(path: str, stamp: int, size: int) -> OrbitFile:
    return read_orbit(path)


def covers(orbit: Orbit, start: np.datetime64, end: np.datetime64, margin: float = MARGIN) -> bool:
    """Whether state vectors surround a span with margin and without a gap inside it."""
    first, last = _seconds(orbit, start) - margin, _seconds(orbit, end) + margin
    time = orbit.time
    if len(time) < 4 or time[0] > first or time[-1] < last:
        return False
    inside = time[max(np.searchsorted(time, first) - 1, 0) : np.searchsorted(time, last) + 1]
    return bool(np.diff(inside).max(initial=0.0) <= _LONGEST_GAP)


def _joined(parts: list[OrbitFile], start: np.datetime64, end: np.datetime64) -> OrbitFile | None:
    """Files that cover the span only together, as one; None where even together they do not."""
    if len(parts) < 2:
        return None
    parts = sorted(parts, key=lambda p: (p.start, p.stop))
    joined = parts[0]
    for part in parts[1:]:
        if part.stop > joined.stop:
            joined = join(joined, part)
    return joined if covers(joined.at(start), start, end) else None


def join(first: OrbitFile, second: OrbitFile) -> OrbitFile:
    """Two files of one platform as one orbit.

    Where both have a vector for the same instant, the weight goes from the first to the second linearly
    over the overlap: each file is least sure at its ends, and a jump of centimetres between two vectors
    would be a jump of velocity in between. Where their instants differ, the middle of the overlap parts them.
    """
    # Both as UTC went at the first one's epoch: a leap second may lie in or between them.
    t1, t2 = _absolute(first.orbit), _absolute(second.at(first.orbit.epoch))
    low, high = t2[0], t1[-1]
    shared, i1, i2 = np.intersect1d(t1, t2, return_indices=True)
    overlap1 = int((t1 >= low).sum())
    if len(shared) and len(shared) == overlap1 == int((t2 <= high).sum()):
        span = max(float((high - low) / np.timedelta64(1, "ns")), 1.0)
        weight = ((shared - low) / np.timedelta64(1, "ns") / span)[:, None]
        before, after = t1 < low, t2 > high
        times = np.concatenate([t1[before], shared, t2[after]])

        def blend(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.concatenate([a[before], a[i1] * (1 - weight) + b[i2] * weight, b[after]])

    else:
        middle = low + (high - low) // 2
        before, after = t1 <= middle, t2 > middle
        times = np.concatenate([t1[before], t2[after]])

        def blend(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.concatenate([a[before], b[after]])

    name = f"{first.name} + {second.name}"
    orbit = make_orbit(
        times,
        blend(first.orbit.position, second.orbit.position),
        blend(first.orbit.velocity, second.orbit.velocity),
        name,
    )
    start, stop = min(first.start, second.start), max(first.stop, second.stop)
    return OrbitFile(name, first.type, first.platform, start, stop, orbit, first.has_tai and second.has_tai)


def _absolute(orbit: Orbit) -> NDArray[np.datetime64]:
    """UTC of each vector, to the microsecond that files are written in."""
    return np.asarray(orbit.epoch + np.round(orbit.time * 1e6).astype("timedelta64[us]"), "datetime64[ns]")


def _seconds(orbit: Orbit, time: np.datetime64) -> float:
    return float((time - orbit.epoch) / np.timedelta64(1, "ns")) * 1e-9


def _compact(time: np.datetime64) -> str:
    return str(time.astype("datetime64[s]")).replace("-", "").replace(":", "")
