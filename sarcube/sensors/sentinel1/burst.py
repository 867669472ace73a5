"""Bursts of a SAFE: annotation, calibration, noise and orbit put together, nothing computed from samples."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Protocol

import numpy as np

from sarcube.errors import BurstNotFoundError, OrbitError, SceneError
from sarcube.geometry.orbit import Orbit, trim
from sarcube.sensors.sentinel1.assemble import MID_SWATH, SceneReader, add_channel
from sarcube.sensors.sentinel1.burst_id import BurstId
from sarcube.sensors.sentinel1.leap_seconds import leap_second_near
from sarcube.sensors.sentinel1.model import Burst
from sarcube.sensors.sentinel1.orbit_file import COVER_MARGIN, KEEP_MARGIN, OrbitFile
from sarcube.sensors.sentinel1.rebase import rebase
from sarcube.sensors.sentinel1.safe import Safe


def read_bursts(
    safe: Safe,
    *,
    swaths: Collection[str] | None = None,
    polarizations: Collection[str] | None = None,
    orbit: OrbitFile | None = None,
    burst_ids: Collection[str] | None = None,
    problems: list[str] | None = None,
) -> list[Burst]:
    """Read the bursts of a SAFE.

    Parameters
    ----------
    safe : Safe
    swaths, polarizations : collection of str, optional
        Only these; all by default.
    orbit : OrbitFile, optional
        Orbit to use in place of the annotation's.
    burst_ids : collection of str, optional
        Only these burst IDs.
    problems : list of str, optional
        Gets what is wrong with a burst that cannot be used (no valid line, no footprint), and the others are read;
        without it such a burst is an error.

    Returns
    -------
    list of Burst
        In the order of swaths and of time; each holds all its polarizations.

    Raises
    ------
    BurstNotFoundError
        A swath, polarization or burst ID is not in the scene.
    SceneError
        An annotation, calibration or noise file is damaged.
    OrbitError
        `orbit` does not cover the bursts.
    """
    wanted_swaths = _wanted(safe, "swath", swaths, safe.swaths)
    there = {name for found in safe.swaths.values() for name in found}
    wanted_polarizations = _wanted(safe, "polarization", polarizations, there)
    ids = None if burst_ids is None else {str(BurstId.parse(text)) for text in burst_ids}
    reader = SceneReader(safe, problems)
    mid_swath = next((reader.annotation(p).mid_range_time for p in safe.parts if p.swath in MID_SWATH.values()), None)
    bursts: list[Burst] = []
    for swath in safe.swaths:
        if swath in wanted_swaths:
            bursts += _swath_bursts(reader, swath, wanted_polarizations, ids, mid_swath)
    if ids is not None and (missing := ids - {burst.burst_id for burst in bursts}):
        parts = [p for p in safe.parts if p.swath in wanted_swaths and p.polarization in wanted_polarizations]
        there = {str(reader.burst_id(a, entry)) for a in map(reader.annotation, parts) for entry in a.bursts}
        raise BurstNotFoundError(
            f"{safe.path}: has no burst {', '.join(sorted(missing))} as asked; it has {', '.join(sorted(there))}"
        )
    return bursts if orbit is None else [with_orbit(burst, orbit) for burst in bursts]


def _swath_bursts(
    reader: SceneReader, swath: str, polarizations: set[str], ids: set[str] | None, mid_swath: float | None
) -> list[Burst]:
    found: dict[str, Burst] = {}
    epoch: np.datetime64 | None = None
    for part in reader.safe.parts:
        if part.swath != swath or part.polarization not in polarizations:
            continue
        # All polarizations count from the first one's epoch, so that they share one orbit.
        annotation = reader.annotation(part, epoch)
        epoch = annotation.orbit.epoch if epoch is None else epoch
        tables = None
        for index, entry in enumerate(annotation.bursts):
            burst_id = str(reader.burst_id(annotation, entry))
            if ids is not None and burst_id not in ids:
                continue
            tables = tables or reader.tables(part, epoch)
            where = f"{reader.safe.path}: {part.annotation}"
            try:
                burst = reader.burst(part, index, reader.channel(part, index, tables), mid_swath)
            except SceneError as error:
                if reader.problems is None:
                    raise
                reader.problems.append(f"{error}; {burst_id} (burst {index + 1} of {part.swath}) is left out")
                continue
            known = found.get(burst_id)
            if known is not None and part.polarization in known.channels:
                raise SceneError(f"{where}: has {burst_id} twice (at {known.index} and {index}); the file is damaged")
            found[burst_id] = burst if known is None else add_channel(known, burst, where)
    return sorted(found.values(), key=lambda burst: burst.start_time)


def with_orbit(
    burst: Burst,
    orbit: OrbitFile | Orbit,
    source: str | None = None,
    type: str | None = None,
) -> Burst:
    """The burst with another orbit, trimmed around it, every time counted from that orbit's epoch.

    Parameters
    ----------
    burst : Burst
    orbit : OrbitFile or Orbit
    source, type : str, optional
        Recorded with the burst; by default those of the orbit file.

    Raises
    ------
    OrbitError
        The orbit does not reach far enough beyond the burst, or is another platform's, or a leap second is near.
    """
    if isinstance(orbit, OrbitFile):
        if orbit.platform != burst.platform:
            raise OrbitError(f"{orbit.name}: is an orbit of {orbit.platform}, the burst is of {burst.platform}")
        source, type = source or orbit.name, type or orbit.type
        refuse_leap_second(burst, orbit)
        orbit = orbit.at(burst.start_time)
    moved = rebase(burst, orbit.epoch)
    start, end = moved.radar.first_line_time, moved.radar.last_line_time
    if len(orbit.time) < 2 or orbit.time[0] > start - COVER_MARGIN or orbit.time[-1] < end + COVER_MARGIN:
        raise OrbitError(
            f"{source or 'orbit'}: does not reach {COVER_MARGIN:g} s beyond {burst.burst_id}, {burst.start_time} to "
            f"{burst.end_time}; give an orbit file of that time"
        )
    return replace(
        moved, orbit=trim(orbit, start, end, KEEP_MARGIN), orbit_source=source or "given", orbit_type=type or "given"
    )


class Acquired(Protocol):
    """What has a place in time: a burst, or a slice of a detected image."""

    @property
    def scene(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def start_time(self) -> np.datetime64: ...
    @property
    def end_time(self) -> np.datetime64: ...


def refuse_leap_second(burst: Acquired, orbit: OrbitFile | None) -> None:
    """Refuse a burst or a slice whose place on its orbit a leap second leaves open.

    Parameters
    ----------
    burst : Burst or GrdSlice
    orbit : OrbitFile or None
        None: the annotation's, which knows no TAI.

    Raises
    ------
    OrbitError
        The leap second lies within it, or within a minute of it and no TAI tells where.
    """
    start, end = burst.start_time, burst.end_time
    within = leap_second_near(start, end, 0.0)
    near = leap_second_near(start, end)
    if near is None or (within is None and orbit is not None and orbit.has_tai):
        return
    name = "the annotation's orbit" if orbit is None else orbit.name
    reason = "lies within it" if within is not None else f"is near, and {name} does not give TAI"
    which = burst.scene if burst.label == burst.scene else f"{burst.scene}: {burst.label}"
    raise OrbitError(
        f"{which} at {start}: the leap second before {str(near)[:19]} {reason}; "
        "times are up to 1 s (7.6 km) uncertain there, leave this acquisition out"
    )


def _wanted(safe: Safe, what: str, asked: Collection[str] | None, there: Iterable[str]) -> set[str]:
    have = set(there)
    wanted = have if asked is None else {text.upper() for text in asked}
    if wanted - have:
        raise BurstNotFoundError(
            f"{safe.path}: has no {what} {', '.join(sorted(wanted - have))}; it has {', '.join(sorted(have))}"
        )
    return wanted
