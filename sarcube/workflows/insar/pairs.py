"""Which dates make pairs: passes of a track, the network over them, and baselines before anything is read."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from sarcube.config import RunConfig
from sarcube.errors import OrbitError, SarcubeError
from sarcube.sensors.sentinel1.search.scenes import FoundBurst
from sarcube.transfer.problem import Problem
from sarcube.workflows.insar.section import Pairs

if TYPE_CHECKING:
    from sarcube.geometry.orbit import Orbit

_ONE_PASS = dt.timedelta(minutes=10)  # a satellite is back after 98 minutes
_AROUND_S = 30.0  # of an orbit that is kept for a baseline

Perpendicular = Callable[["Pass", "Pass"], "float | None"]


@dataclass(frozen=True)
class Pass:
    """What a platform saw of a track in one overflight.

    Attributes
    ----------
    track : int
    bursts : dict of burst ID to FoundBurst
        In the order of time.
    """

    track: int
    bursts: dict[str, FoundBurst]

    @property
    def start(self) -> dt.datetime:
        return next(iter(self.bursts.values())).start_time

    @property
    def day(self) -> dt.date:
        return self.start.date()

    def days_to(self, other: Pass) -> float:
        """Days from this pass to another one, to a tenth."""
        return round((other.start - self.start).total_seconds() / 86400.0, 1)

    def shared(self, other: Pass) -> list[str]:
        """Bursts that both passes have."""
        return [name for name in self.bursts if name in other.bursts]


def passes_of(bursts: Iterable[FoundBurst]) -> dict[int, list[Pass]]:
    """Passes of each track in the order of time."""
    tracks: defaultdict[int, list[list[FoundBurst]]] = defaultdict(list)
    for burst in sorted(bursts, key=lambda b: (b.start_time, b.burst_id)):
        passes = tracks[burst.relative_orbit]
        if passes and burst.start_time - passes[-1][-1].start_time < _ONE_PASS:
            passes[-1].append(burst)
        else:
            passes.append([burst])
    return {
        track: [Pass(track, {b.burst_id: b for b in found}) for found in passes]
        for track, passes in sorted(tracks.items())
    }


def choose(
    passes: Sequence[Pass], wanted: Pairs, perpendicular: Perpendicular
) -> tuple[list[tuple[Pass, Pass]], list[str]]:
    """The pairs of one track in the order of time, and in words what of `wanted` cannot be had.

    Parameters
    ----------
    passes : sequence of Pass
        In the order of time.
    wanted : Pairs
    perpendicular : callable
        Two passes to their perpendicular baseline in metres, None where it cannot be known.
    """
    count, said = len(passes), list[str]()
    limited, yearly = set[tuple[int, int]](), set[tuple[int, int]]()
    if wanted.unlimited:
        limited.update(combinations(range(count), 2))
    if wanted.next is not None:
        limited.update((i, j) for i in range(count) for j in range(i + 1, min(i + 1 + wanted.next, count)))
    if wanted.reference is not None:
        at = [i for i, one in enumerate(passes) if one.day == wanted.reference]
        limited.update((min(i, j), max(i, j)) for i in at for j in range(count) if i != j)
        if not at:
            said.append(f"the reference {wanted.reference} is no date of the track, which has {_days(passes)}")
    if wanted.annual is not None:
        yearly.update(
            (i, j) for i, j in combinations(range(count), 2)
            if (off := days_off_anniversary(passes[i].day, passes[j].day)) is not None and off <= wanted.annual
        )  # fmt: skip
    if wanted.max_days is not None:
        limited = {(i, j) for i, j in limited if passes[i].days_to(passes[j]) <= wanted.max_days}
    chosen = limited | yearly
    if wanted.max_perpendicular is not None:
        measured = {pair: perpendicular(passes[pair[0]], passes[pair[1]]) for pair in sorted(chosen)}
        if unknown := sum(passes[i].shared(passes[j]) != [] and measured[i, j] is None for i, j in chosen):
            said.append(f"{unknown} pairs have no known baseline and are taken: name orbit files (orbits.path)")
        most = wanted.max_perpendicular
        chosen = {pair for pair in chosen if (b := measured[pair]) is None or abs(b) <= most}
    return [(passes[i], passes[j]) for i, j in sorted(chosen)], said


def days_off_anniversary(first: dt.date, second: dt.date) -> int | None:
    """Days between the second date and the nearest day that is whole years after the first; None before half a year.

    By the calendar: a date and the same one of another year are 365 days apart, or 366.
    """
    if (second - first).days < 183:
        return None
    years = (second.year - first.year + shift for shift in (-1, 0, 1))
    return min(abs((second - _anniversary(first, n)).days) for n in years if n > 0)


def _anniversary(day: dt.date, years: int) -> dt.date:
    leap = (day.month, day.day) == (2, 29)
    return dt.date(day.year + years, 2, 28) if leap else day.replace(year=day.year + years)


def listed(tracks: dict[int, list[Pass]], wanted: Pairs) -> tuple[list[tuple[Pass, Pass]], list[Problem]]:
    """The pairs that are named by their dates, and what is wrong with those that cannot be made."""
    found, problems = [], []
    for first, second in wanted.list or ():
        made = [
            (a, b) for passes in tracks.values()
            for a in passes for b in passes if a.day == first and b.day == second
        ]  # fmt: skip
        found += made
        if not made:
            problems.append(
                Problem(f"insar.pairs.list {first} {second}", _why_not(tracks, first, second), "SourceError")
            )
    return found, problems


def _why_not(tracks: dict[int, list[Pass]], first: dt.date, second: dt.date) -> str:
    of = {day: [t for t, passes in tracks.items() if any(p.day == day for p in passes)] for day in (first, second)}
    if absent := [day for day in (first, second) if not of[day]]:
        some = "; ".join(f"track {track} has {_days(passes)}" for track, passes in list(tracks.items())[:3])
        return f"the source has nothing of {' and '.join(map(str, absent))}: {some}"
    return (
        f"dates of different tracks make no pair: {first} is of track {', '.join(map(str, of[first]))}, {second} of "
        f"track {', '.join(map(str, of[second]))}"
    )


def _days(passes: Sequence[Pass]) -> str:
    days = [str(one.day) for one in passes]
    return ", ".join(days[:6]) + (f" and {len(days) - 6} more" if len(days) > 6 else "")


class Baselines:
    """Perpendicular baselines of passes from their orbits, each orbit looked for once."""

    def __init__(self, config: RunConfig, *, fetch: bool) -> None:
        """`fetch`: ask a provider for orbit files that are not there yet."""
        self._config, self._fetch = config, fetch
        self._orbits: dict[tuple[str, dt.datetime], Orbit | None] = {}

    def __call__(self, first: Pass, second: Pass) -> float | None:
        """Metres at the middle of what both have; None where they share nothing, or an orbit is not known yet."""
        from sarcube.engines.insar.baseline import perpendicular_and_parallel
        from sarcube.geometry.burst_grid import ring_centre
        from sarcube.geometry.ellipsoid import geodetic_to_ecef

        shared = first.shared(second)
        if not shared:
            return None
        name = shared[len(shared) // 2]
        orbits = [self._orbit(one, one.bursts[name]) for one in (first, second)]
        if orbits[0] is None or orbits[1] is None:
            return None
        lon, lat = ring_centre(first.bursts[name].footprint)
        point = np.asarray(geodetic_to_ecef(lon, lat, 0.0), np.float64).reshape(3)
        across = perpendicular_and_parallel(orbits[0], orbits[1], point)[0]
        return round(across, 1) if np.isfinite(across) else None

    def _orbit(self, one: Pass, found: FoundBurst) -> Orbit | None:
        key = found.platform, one.start
        if key not in self._orbits:
            try:
                self._orbits[key] = self._find(one, found)
            except SarcubeError:
                self._orbits[key] = None  # told where the burst is checked
        return self._orbits[key]

    def _find(self, one: Pass, found: FoundBurst) -> Orbit | None:
        from sarcube.geometry.orbit import trim
        from sarcube.sensors.sentinel1.orbits import find_orbit

        first, last = (_time(t) for t in (one.start, max(b.end_time for b in one.bursts.values())))
        orbits = self._config.orbits
        if self._config.source.kind == "cslc":
            from sarcube.sensors.sentinel1.search.cslc import open_cslc

            return open_cslc(found.path).burst.orbit
        if not self._fetch:
            orbits = orbits.model_copy(update={"kind": None, "allow_annotation": True})
        file = find_orbit(found.platform, first, last, orbits, scene=found.scene)
        if file is not None:
            orbit, epoch = file.at(first), file.at(first).epoch
            begin, end = (float((t - epoch) / np.timedelta64(1, "ns")) * 1e-9 for t in (first, last))
            return trim(orbit, begin - _AROUND_S, end + _AROUND_S)
        return None if "://" in found.path else _annotated(found)


def _annotated(found: FoundBurst) -> Orbit:
    """The orbit that a scene on this machine carries."""
    from sarcube.sensors.sentinel1.burst import read_bursts
    from sarcube.sensors.sentinel1.safe import open_safe

    bursts = read_bursts(
        open_safe(found.path), swaths=(found.swath,), polarizations=found.polarizations[:1], burst_ids=(found.burst_id,)
    )
    if not bursts:
        raise OrbitError(f"{found.path} has no burst {found.burst_id}")
    return bursts[0].orbit


def _time(time: dt.datetime) -> np.datetime64:
    return np.datetime64(time.astimezone(dt.UTC).replace(tzinfo=None), "ns")
