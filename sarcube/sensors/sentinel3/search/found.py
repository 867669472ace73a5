"""What a search finds, and which of it a run takes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sarcube.config import RunConfig
from sarcube.geometry.aoi import Area
from sarcube.transfer.problem import Problem

# Of one measurement the best made is taken: not time critical before near real time.
TIMELINESS = ("NR", "ST", "NT")
_SLACK = dt.timedelta(seconds=2)  # granules of one frame start a second or so apart


@dataclass(frozen=True, slots=True)
class FoundGranule:
    """One granule, small enough to cross processes.

    Attributes
    ----------
    path : str
        SEN3 folder or zip, or the address that it is fetched from.
    name : str
        Of the product, without suffix.
    platform : str
        "S3A" to "S3D".
    start, stop, created : datetime
        UTC.
    relative_orbit : int
    timeliness, collection : str
        "NR", "ST" or "NT"; "003", "004".
    footprint : tuple of (longitude, latitude)
        Empty where it has not been looked at, since the run does not want the granule anyway.
    size_bytes : int
    checksum : str
        "md5:..." as the provider states it, empty where it does not.
    """

    path: str
    name: str
    platform: str
    start: dt.datetime
    stop: dt.datetime
    created: dt.datetime
    relative_orbit: int
    timeliness: str
    collection: str
    footprint: tuple[tuple[float, float], ...]
    size_bytes: int = 0
    checksum: str = ""


def scene_names(config: RunConfig) -> set[str]:
    """Names that the run is narrowed to, without suffixes."""
    names = (text.rsplit("/", 1)[-1] for text in config.source.scenes or ())
    return {name.removesuffix(".zip").removesuffix(".SEN3") for name in names}


def is_asked(name: str, start: dt.datetime, relative_orbit: int, config: RunConfig) -> bool:
    """Whether a granule is within what a run asks, as far as its name tells."""
    names, source = scene_names(config), config.source
    if names and name not in names:
        return False
    if config.dates and not config.dates[0] <= start.date() <= config.dates[1]:
        return False
    return not (source.relative_orbits and relative_orbit not in source.relative_orbits)


def selected(found: Iterable[FoundGranule], config: RunConfig, area: Area | None) -> list[FoundGranule]:
    """Those within the run's dates, area and filters, in order of time."""
    kept = [
        one
        for one in found
        if is_asked(one.name, one.start, one.relative_orbit, config)
        and (area is None or (bool(one.footprint) and area.intersects(one.footprint)))
    ]
    return sorted(kept, key=lambda one: (one.start, one.name))


def best_made(found: Sequence[FoundGranule]) -> tuple[list[FoundGranule], list[Problem]]:
    """Granules without those whose every second is in better made ones, and what was passed over."""
    kept: list[FoundGranule] = []
    remarks = []
    for one in sorted(found, key=_rank, reverse=True):
        better = sorted((k.start, k.stop) for k in kept if k.platform == one.platform)
        if _covered(one.start, one.stop, better):
            remarks.append(Problem(one.name, "passed over: better or later made granules have all that it saw"))
        else:
            kept.append(one)
    return sorted(kept, key=lambda one: (one.start, one.name)), remarks


def _rank(one: FoundGranule) -> tuple[int, str, dt.datetime, str]:
    return TIMELINESS.index(one.timeliness), one.collection, one.created, one.name


def _covered(start: dt.datetime, stop: dt.datetime, spans: Sequence[tuple[dt.datetime, dt.datetime]]) -> bool:
    for first, last in spans:
        if first <= start + _SLACK and last > start:
            start = last
        if start >= stop - _SLACK:
            return True
    return False
