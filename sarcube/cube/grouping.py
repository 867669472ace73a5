"""Time steps: which acquisitions become one step of the time axis."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from sarcube.cube.acquisition import Acquisition
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
    def second(self) -> np.datetime64:
        """Start of the second date of pairs; NaT of what are none."""
        times = [a.second for a in self.acquisitions if a.second is not None]
        return min(times) if times else np.datetime64("NaT", "ns")

    @property
    def perpendicular_baseline(self) -> float:
        """Mean over the pairs, metres; NaN of what are none."""
        return float(np.mean([a.perpendicular_baseline for a in self.acquisitions]))

    @property
    def until(self) -> np.datetime64:
        """The date to which layers of pairs beside those of a date are; NaT where there are none."""
        times = [a.until for a in self.acquisitions if a.until is not None]
        return min(times) if times else np.datetime64("NaT", "ns")

    @property
    def wavelength(self) -> float:
        """Metres; NaN where products differ in it, or do not tell."""
        lengths = {a.wavelength for a in self.acquisitions}
        return lengths.pop() if len(lengths) == 1 else float("nan")

    @property
    def channel(self) -> str:
        return _joined(a.channel for a in self.acquisitions if a.channel)

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
    def place(self) -> str:
        """The place; empty where several are merged, or where the product tells none."""
        places = {a.place for a in self.acquisitions}
        one = places.pop() if len(places) == 1 else ""
        return "" if one == self.acquisitions[0].id else one


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
    ordered = sorted(_newest(acquisitions), key=lambda a: (a.start, a.place))
    if group == "acquisition":
        return [Step((a,)) for a in ordered]
    passes = _passes(ordered)
    if group == "pass":
        return passes
    if group == "track":
        return _merged(passes, lambda s: (s.acquisitions[0].relative_orbit, s.orbit_direction))
    return _merged(
        passes,
        lambda s: (
            s.start.astype("datetime64[D]"), _pair(s.acquisitions[0]), *(getattr(s, name) for name in apart)
        ),
    )  # fmt: skip


def pass_numbers(times: Sequence[np.datetime64], flights: Sequence[Hashable]) -> list[int]:
    """Which overflight each instant belongs to, counted in time order.

    Parameters
    ----------
    times : sequence of datetime64
    flights : sequence
        What never shares an overflight differs in this: platform, direction.
    """
    keys = [0] * len(times)
    count = 0
    last: dict[Hashable, tuple[np.datetime64, int]] = {}
    for i in np.argsort(np.asarray(times, "datetime64[ns]"), kind="stable"):
        flight = flights[i]
        if flight not in last or times[i] - last[flight][0] > _PASS_GAP:
            count += 1
            last[flight] = (times[i], count)
        last[flight] = (times[i], last[flight][1])
        keys[i] = last[flight][1]
    return keys


def _passes(ordered: list[Acquisition]) -> list[Step]:
    # Pairs of different lengths that begin with one overflight are not of one.
    flights = [(a.platform, a.orbit_direction, _pair(a)) for a in ordered]
    passes: dict[int, list[Acquisition]] = {}
    for number, acquisition in zip(pass_numbers([a.start for a in ordered], flights), ordered, strict=True):
        passes.setdefault(number, []).append(acquisition)
    return _in_time([Step(tuple(members)) for members in passes.values()])


def _merged(steps: list[Step], key: object) -> list[Step]:
    groups: dict[object, list[Acquisition]] = {}
    for step in steps:
        groups.setdefault(key(step), []).extend(step.acquisitions)  # type: ignore[operator]
    return _in_time([Step(tuple(members)) for members in groups.values()])


def _in_time(steps: list[Step]) -> list[Step]:
    return sorted(steps, key=lambda s: (s.start, s.platform, s.relative_orbit, _pair(s.acquisitions[0])))


def _newest(acquisitions: Iterable[Acquisition]) -> list[Acquisition]:
    # The same place and times twice is one product, made again: ids end in the processing time.
    newest: dict[tuple[str, np.datetime64, tuple[int, str]], Acquisition] = {}
    for acquisition in sorted(acquisitions, key=lambda a: a.id):
        newest[acquisition.place, acquisition.start, _pair(acquisition)] = acquisition
    return list(newest.values())


def _pair(acquisition: Acquisition) -> tuple[int, str]:
    """What tells pairs of one first date apart: whole days to the second, 0 of an overflight, and polarization."""
    start, second = acquisition.start, acquisition.second
    # An orbit repeats itself to the second: the middle of the day is far from both ends.
    days = (acquisition.end if second is None else second + np.timedelta64(12, "h")) - start
    return int(days / np.timedelta64(1, "D")), acquisition.channel


def _joined(values: Iterable[str]) -> str:
    return ",".join(sorted(set(values)))
