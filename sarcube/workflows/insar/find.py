"""From what a source has to the units of a run: pairs of the same burst, and what their timing is found from."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sarcube.config import RunConfig
from sarcube.errors import ConfigError
from sarcube.extras import need
from sarcube.geometry.grid import metres_per_unit
from sarcube.products.names import time_text
from sarcube.sensors.sentinel1.burst_id import BurstId
from sarcube.sensors.sentinel1.polarizations import POLARIZATIONS
from sarcube.sensors.sentinel1.search.scenes import FoundBurst, find_scenes
from sarcube.transfer.problem import Problem
from sarcube.workflows.insar.kinds import CSLC_S1, INSAR_S1
from sarcube.workflows.insar.pairs import Baselines, Pass, choose, listed, passes_of
from sarcube.workflows.insar.passes import Seen, pass_units
from sarcube.workflows.insar.section import InsarSection
from sarcube.workflows.making import dem_of
from sarcube.workflows.network import Connection
from sarcube.workflows.sentinel1 import narrowed_source
from sarcube.workflows.sentinel1_checks import dem_remarks
from sarcube.workflows.task import Unit, unit_key
from sarcube.workflows.workflow import Found

_DEFAULT_RESOLUTION = 20.0
_MOST_OVERLAPS = 9  # one of IW1 to IW3 at the beginning, in the middle and at the end of a pass
_LIKE = ("VV", "HH")


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Where the azimuth timing of a pair of passes is found: neighbouring bursts, each on both dates.

    Attributes
    ----------
    pairs : tuple of (burst, next burst along the track), each on (first date, second date)
        The same for all bursts of a pair of passes, so that all are given one and the same timing.
    """

    pairs: tuple[tuple[Seen, Seen], ...]


def find(config: RunConfig) -> Found:
    """The pairs of a run.

    Raises
    ------
    ConfigError
        `grid` and `insar.posting` contradict each other, or the source and `insar.keep_slc`.
    MissingExtraError
        What is to unwrap is not installed.
    """
    section = config.section(InsarSection)
    _check_grid(config, section)
    if section.keep_slc and config.source.kind == "cslc":
        raise ConfigError(
            "insar.keep_slc: the source's files are geocoded SLCs already (source.kind cslc); leave it out"
        )
    if section.merge and section.unwrap != "none":
        from sarcube.engines.insar.unwrap import EXTRAS

        need(section.unwrap, EXTRAS[section.unwrap])
    search = find_scenes(narrowed_source(config), geocoded=True)
    problems, warnings = list(search.problems), list(search.warnings)
    warnings += [Problem("dem", text) for text in dem_remarks(dem_of(config), search.bursts)]
    tracks = passes_of(search.bursts)
    around = {} if section.timing == "off" else passes_of(_with_neighbours(config, search.bursts))
    baselines = Baselines(config, fetch=section.pairs.max_perpendicular is not None)
    pairs, wrong = listed(tracks, section.pairs)
    problems += wrong
    for track, passes in tracks.items():
        chosen, said = choose(passes, section.pairs, baselines)
        pairs += chosen
        warnings += [Problem(f"track {track}", text) for text in said]
    units, connections = list[Unit](), list[Connection]()
    merged = defaultdict[int, list[tuple[Pass, Pass, list[Unit]]]](list)
    for first, second in sorted(_once(pairs), key=lambda p: (p[0].track, p[0].start, p[1].start)):
        name = f"track {first.track}, {first.day} and {second.day}"
        shared = first.shared(second)
        if not shared:
            problems.append(
                Problem(name, "the dates have no burst in common: nothing to make a pair of", "SourceError")
            )
            continue
        overlaps = _overlaps(around.get(first.track, ()), first, second)
        made = [_unit(section, first.bursts[burst], second.bursts[burst], overlaps) for burst in shared]
        units += made
        if section.merge:
            merged[first.track].append((first, second, made))
        if section.keep_slc:
            units += [slc for unit in made for slc in _slcs(section, unit)]
        warnings += _holes(name, first, second)
        across = baselines(first, second)
        days = first.days_to(second)
        connections.append(Connection(f"t{first.track:03d}", first.start, second.start, days, across, len(shared)))
    for of_track in merged.values():
        units += pass_units(of_track)
    explanation = search.explanation or _why_none(tracks, section)
    return Found(units, tuple(problems), "" if units else explanation, (), tuple(warnings), tuple(connections))


def _check_grid(config: RunConfig, section: InsarSection) -> None:
    if config.grid.crs != "auto" and metres_per_unit(config.grid.crs) != 1.0:
        raise ConfigError(
            f"grid.crs {config.grid.crs} does not count in metres, insar.posting does: give a projected CRS of metres, "
            "or auto"
        )
    if config.grid.resolution not in (_DEFAULT_RESOLUTION, section.posting):
        raise ConfigError(
            f"grid.resolution says {config.grid.resolution:g} m, insar.posting {section.posting:g} m: drop the former"
        )


def _once(pairs: Iterable[tuple[Pass, Pass]]) -> Iterator[tuple[Pass, Pass]]:
    seen = set[tuple[int, dt.datetime, dt.datetime]]()
    for first, second in pairs:
        key = first.track, first.start, second.start
        if key not in seen:
            seen.add(key)
            yield first, second


def _holes(name: str, first: Pass, second: Pass) -> Iterator[Problem]:
    """What one of two dates has and the other one lacks."""
    for one, other in ((first, second), (second, first)):
        if alone := [burst for burst in one.bursts if burst not in other.bursts]:
            some = ", ".join(alone[:3]) + (", ..." if len(alone) > 3 else "")
            yield Problem(
                name, f"the source has no {some} of {other.day}: no interferogram there ({len(alone)} bursts)"
            )


def _why_none(tracks: dict[int, list[Pass]], section: InsarSection) -> str:
    counts = ", ".join(f"{len(passes)} of track {track}" for track, passes in tracks.items())
    pairs = section.pairs.model_dump(mode="json", exclude_none=True)
    return f"no two dates make a pair as insar.pairs asks for ({pairs}); the source has dates: {counts or 'none'}"


def _unit(section: InsarSection, first: FoundBurst, second: FoundBurst, overlaps: Overlaps) -> Unit:
    polarization = polarization_of(section, first, second)
    waits: tuple[str, ...] = ()
    if section.keep_slc:
        waits = tuple(unit_key(CSLC_S1.name, b.burst_id, b.start_time, polarization) for b in (first, second))
    size = sum(burst.size_bytes // max(len(burst.polarizations), 1) for burst in (first, second))
    return Unit(
        INSAR_S1.name,
        first.burst_id,
        first.start_time,
        second.end_time,
        (first, second, overlaps),
        first.footprint,
        tag=pair_tag(section, first, second),
        label=f"{first.scene} {second.scene}",
        bytes_in=size,
        versioned=True,
        waits=waits,
    )


def _slcs(section: InsarSection, pair: Unit) -> tuple[Unit, Unit]:
    """Both dates of a pair as units of their own."""
    first, second = (
        Unit(
            CSLC_S1.name, pair.place, found.start_time, found.end_time, (found,), found.footprint,
            tag=polarization_of(section, *pair.inputs[:2]), label=found.scene, bytes_in=pair.bytes_in // 2,
        )
        for found in pair.inputs[:2]
    )  # fmt: skip
    return first, second


def pair_tag(section: InsarSection, first: FoundBurst, second: FoundBurst) -> str:
    """What tells a pair from others of its first date: the second time, and an unusual polarization."""
    polarization = polarization_of(section, first, second)
    tag = time_text(second.start_time)
    # Both polarizations of a pair may lie in one store.
    return f"{tag}-{polarization}" if polarization and polarization not in _LIKE else tag


def polarization_of(section: InsarSection, first: FoundBurst, second: FoundBurst) -> str:
    """The polarization of a pair, as asked for or the like-polarized one that both dates have; empty: there is none."""
    both = [p for p in POLARIZATIONS if p in first.polarizations and p in second.polarizations]
    if section.polarization != "auto":
        return section.polarization if section.polarization in both else ""
    like = [p for p in both if p in _LIKE]
    return (like or both or [""])[0]


def _with_neighbours(config: RunConfig, bursts: Sequence[FoundBurst]) -> Sequence[FoundBurst]:
    """The bursts of a run and those along the track beside them that a source on this machine has as well."""
    if config.source.kind not in ("local", "cslc") or "://" in str(config.source.path):
        return bursts  # a provider is asked once
    there = {burst.burst_id for burst in bursts}
    beside = {name for burst in there for name in _beside(burst)} - there
    source = config.source.model_copy(update={"burst_ids": tuple(sorted(there | beside)), "places": None})
    return find_scenes(config.model_copy(update={"source": source, "aoi": None}), geocoded=True).bursts


def _beside(burst_id: str) -> tuple[str, str]:
    """The bursts before and after one of its swath."""
    own = BurstId.parse(burst_id)
    track, number, swath = str(own).split("_")
    return f"{track}_{int(number) - 1:06d}_{swath}", f"{track}_{int(number) + 1:06d}_{swath}"


def _overlaps(passes: Sequence[Pass], first: Pass, second: Pass) -> Overlaps:
    """Overlaps along the track of two passes, a few that lie spread over them."""
    one, two = (_same(passes, of) for of in (first, second))
    if one is None or two is None:
        return Overlaps(())
    both = {name: (one.bursts[name], two.bursts[name]) for name in one.shared(two)}
    found = [(both[name], both[after]) for name in sorted(both) if (after := _beside(name)[1]) in both]
    swaths = Counter(pair[0][0].swath for pair in found)
    kept = []
    for swath, count in sorted(swaths.items()):
        of = sorted((p for p in found if p[0][0].swath == swath), key=lambda p: p[0][0].start_time)
        most = max(1, _MOST_OVERLAPS // len(swaths))
        step = max(count - 1, 1) / max(most - 1, 1)
        kept += [of[i] for i in sorted({min(round(k * step), count - 1) for k in range(most)})]
    return Overlaps(tuple(kept))


def _same(passes: Sequence[Pass], of: Pass) -> Pass | None:
    return next((p for p in passes if any(b in p.bursts and p.bursts[b] == of.bursts[b] for b in of.bursts)), None)
