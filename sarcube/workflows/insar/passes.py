"""Passes as places, and the units of their pairs.

A set of bursts of a track is a place: `t052_110430_110433_iw12` is track 52 from burst 110430 to 110433 (numbers that
the sub-swaths share) in IW1 and IW2, whether or not each of them is there.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sarcube.geometry.longitudes import unwrap_ring
from sarcube.products.names import time_text
from sarcube.products.places import Place
from sarcube.sensors.sentinel1.burst_id import BurstId
from sarcube.sensors.sentinel1.search.scenes import FoundBurst
from sarcube.workflows.grids import ring_of
from sarcube.workflows.insar.kinds import INSAR_S1_PASS
from sarcube.workflows.insar.pairs import Pass
from sarcube.workflows.task import Ring, Unit

_PLACE = re.compile(r"t\d{3}_\d{6}_\d{6}_iw\d+")
_NAMED = 4

Seen = tuple[FoundBurst, FoundBurst]


@dataclass(frozen=True, slots=True)
class Parts:
    """The bursts that a pair of passes is merged from, in the order of their IDs."""

    pairs: tuple[Seen, ...]


def is_pass(place: str) -> bool:
    """Whether a place is a set of bursts, and not one burst."""
    return _PLACE.fullmatch(place) is not None


def pass_place(burst_ids: Iterable[str]) -> Place:
    """The place of bursts of one track."""
    found = [_numbers(name) for name in burst_ids]
    track = found[0][0]
    numbers = [number for _, number, _ in found]
    swaths = "".join(str(swath) for swath in sorted({swath for *_, swath in found}))
    return Place(f"t{track:03d}_{min(numbers):06d}_{max(numbers):06d}_iw{swaths}")


def gaps(burst_ids: Iterable[str]) -> tuple[str, ...]:
    """What is missing between bursts of a pass, in words; empty where they hang together.

    As HyP3 has it: numbers follow each other in every sub-swath, and those of neighbouring sub-swaths begin and end
    within one of each other.
    """
    ids = list(burst_ids)
    swaths, said = _by_swath(ids), []
    lacking = absent_between(ids)
    for swath in sorted(swaths):
        if absent := [name for name in lacking if name.endswith(f"_iw{swath}")]:
            some = ", ".join(absent[:_NAMED]) + (", ..." if len(absent) > _NAMED else "")
            said.append(f"no interferogram of {some} between others of IW{swath} ({len(absent)} bursts)")
    for near, far in pairwise(sorted(swaths)):
        if far - near > 1:
            said.append(f"nothing of IW{near + 1} between IW{near} and IW{far}")
        elif any(abs(of(swaths[near]) - of(swaths[far])) > 1 for of in (min, max)):
            ends = " and ".join(f"{min(swaths[s])} to {max(swaths[s])} of IW{s}" for s in (near, far))
            said.append(f"sub-swaths do not begin and end together: {ends}")
    return tuple(said)


def absent_between(burst_ids: Iterable[str]) -> tuple[str, ...]:
    """IDs of the bursts that a sub-swath lacks between the first and the last that it has."""
    ids = list(burst_ids)
    track = min((_numbers(name)[0] for name in ids), default=0)
    return tuple(
        f"t{track:03d}_{n:06d}_iw{swath}"
        for swath, numbers in sorted(_by_swath(ids).items())
        for n in range(min(numbers), max(numbers) + 1) if n not in numbers
    )  # fmt: skip


def _by_swath(burst_ids: Iterable[str]) -> dict[int, list[int]]:
    swaths: dict[int, list[int]] = defaultdict(list)
    for _, number, swath in map(_numbers, burst_ids):
        swaths[swath].append(number)
    return swaths


def pass_units(made: Sequence[tuple[Pass, Pass, Sequence[Unit]]]) -> list[Unit]:
    """A unit for each pair of passes of one track, all at one place.

    Parameters
    ----------
    made : sequence of (first, second, units of the bursts that both have)
    """
    footprints = {unit.place: unit.footprint for *_, bursts in made for unit in bursts}
    place, outline = pass_place(footprints), _outline(footprints.values())
    units = []
    for first, second, unsorted in made:
        bursts = sorted(unsorted, key=lambda unit: unit.place)
        middle: FoundBurst = bursts[len(bursts) // 2].inputs[0]
        # Tags of bursts tell the polarization after the time, where it is not the usual one.
        own = bursts[0].tag.split("-")[1:]
        units.append(
            Unit(
                INSAR_S1_PASS.name,
                place,
                first.start,
                max(unit.end for unit in bursts if unit.end is not None),
                (Parts(tuple((unit.inputs[0], unit.inputs[1]) for unit in bursts)), middle),
                outline,
                tag="-".join((time_text(second.start), *own)),
                label=f"{first.day} {second.day}",
                versioned=True,
                waits=tuple(unit.key for unit in bursts),
            )
        )
    return units


def parts_of(unit: Unit) -> tuple[Seen, ...]:
    """Bursts of a pass's unit."""
    parts = unit.inputs[0]
    assert isinstance(parts, Parts)
    return parts.pairs


def _numbers(burst_id: str) -> tuple[int, int, int]:
    track, number, swath = str(BurstId.parse(burst_id)).split("_")
    return int(track[1:]), int(number), int(swath[2:])


def _outline(footprints: Iterable[Ring]) -> Ring:
    """Ring around footprints in degrees, continuous across the antimeridian."""
    import shapely

    shapes, middle = [], None
    for ring in footprints:
        points = unwrap_ring(ring)
        middle = float(points[:, 0].mean()) if middle is None else middle
        points[:, 0] += 360.0 * np.round((middle - points[:, 0].mean()) / 360.0)
        shapes.append(shapely.make_valid(shapely.Polygon(points)))
    return ring_of(shapes)
