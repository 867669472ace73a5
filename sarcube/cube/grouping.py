"""Time steps: which acquisitions become one step of the time axis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, get_args

import numpy as np

from sarcube.cube.acquisition import Acquisition, burst_id_of
from sarcube.errors import CubeError

Group = Literal["acquisition", "pass", "day", "track"]
Apart = Literal["platform", "orbit_direction", "relative_orbit"]
# A satellite returns to a place after 98 minutes at the earliest; within one overflight bursts follow each
# other in seconds, with holes where an AOI has several parts.
_PASS_GAP = np.timedelta64(10, "m")


@dataclass(frozen=True)
class Step:
    """One time step: the acquisitions that are merged into it, in time order."""

    acquisitions: tuple[Acquisition, ...]

    @property
    def start(self) -> np.datetime64:
        return self.acquisitions[0].start

    @property
    def end(self) -> np.datetime64:
        return max(a.end for a in self.acquisitions)

    @property
    def platform(self) -> str:
        return _joined(a.platform for a in self.acquisitions)

    @property
    def orbit_direction(self) -> str:
        return _joined(a.orbit_direction for a in self.acquisitions)

    @property
    def relative_orbit(self) -> int:
        """The track; 0 where several are merged."""
        orbits = {a.relative_orbit for a in self.acquisitions}
        return orbits.pop() if len(orbits) == 1 else 0

    @property
    def burst_id(self) -> str:
        """The burst; empty where several are merged."""
        bursts = {a.burst_id for a in self.acquisitions}
        return burst_id_of(bursts.pop()) if len(bursts) == 1 else ""


def steps_of(acquisitions: Sequence[Acquisition], group: Group = "pass", apart: Sequence[Apart] = ()) -> list[Step]:
    """Group acquisitions into time steps, in time order.

    Parameters
    ----------
    acquisitions : sequence of Acquisition
    group : {"acquisition", "pass", "day", "track"}
        Every acquisition; all of one overflight (one satellite, one direction, gaps of at most ten minutes);
        all passes that start on one UTC day; all dates of one track and direction.
    apart : sequence of {"platform", "orbit_direction", "relative_orbit"}
        For "day": what is never merged though it falls on one day. A pass never mixes any of them.

    Returns
    -------
    list of Step
    """
    if group not in get_args(Group):
        raise CubeError(f"group is one of {', '.join(get_args(Group))}, not {group!r}")
    if unknown := set(apart) - set(get_args(Apart)):
        raise CubeError(f"apart holds {', '.join(get_args(Apart))}, not {', '.join(sorted(unknown))}")
    ordered = sorted(_newest(acquisitions), key=lambda a: (a.start, a.burst_id))
    if group == "acquisition":
        return [Step((a,)) for a in ordered]
    passes = _passes(ordered)
    if group == "pass":
        return passes
    if group == "track":
        return _merged(passes, lambda s: (s.acquisitions[0].relative_orbit, s.orbit_direction))
    return _merged(passes, lambda s: (s.start.astype("datetime64[D]"), *(getattr(s, name) for name in apart)))


def _passes(ordered: list[Acquisition]) -> list[Step]:
    passes: list[list[Acquisition]] = []
    by_flight = sorted(ordered, key=lambda a: (a.platform, a.orbit_direction, a.start))
    for _, flight in groupby(by_flight, key=lambda a: (a.platform, a.orbit_direction)):
        last: np.datetime64 | None = None
        for acquisition in flight:
            if last is None or acquisition.start - last > _PASS_GAP:
                passes.append([])
            passes[-1].append(acquisition)
            last = acquisition.start
    return _in_time([Step(tuple(p)) for p in passes])


def _merged(steps: list[Step], key: object) -> list[Step]:
    groups: dict[object, list[Acquisition]] = {}
    for step in steps:
        groups.setdefault(key(step), []).extend(step.acquisitions)  # type: ignore[operator]
    return _in_time([Step(tuple(members)) for members in groups.values()])


def _in_time(steps: list[Step]) -> list[Step]:
    return sorted(steps, key=lambda s: (s.start, s.platform, s.relative_orbit))


def _newest(acquisitions: Iterable[Acquisition]) -> list[Acquisition]:
    # The same burst and instant twice is one acquisition, made again: ids end in the processing time.
    newest: dict[tuple[str, np.datetime64], Acquisition] = {}
    for acquisition in sorted(acquisitions, key=lambda a: a.id):
        newest[acquisition.burst_id, acquisition.start] = acquisition
    return list(newest.values())


def _joined(values: Iterable[str]) -> str:
    return ",".join(sorted(set(values)))
