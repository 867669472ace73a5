"""What can be known of pairs before they are opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sarcube.config import RunConfig
from sarcube.geometry.burst_grid import footprint_grid
from sarcube.geometry.grid import GeoGrid
from sarcube.jsons import JsonObject
from sarcube.sensors.sentinel1.search.scenes import FoundBurst, made_from_older
from sarcube.workflows import sentinel1_checks
from sarcube.workflows.insar.find import polarization_of
from sarcube.workflows.insar.kinds import CSLC_S1
from sarcube.workflows.insar.passes import gaps, parts_of
from sarcube.workflows.insar.section import InsarSection
from sarcube.workflows.task import Unit

NO_WATER = (
    "water is not told apart: its mask says so everywhere; dem.kind: cop_glo30 brings one, insar.water names another"
)
NO_NEIGHBOUR = "azimuth timing: no two neighbouring bursts are there on both dates to find it from; not corrected"


def defects(config: RunConfig, units: Sequence[Unit]) -> dict[int, str]:
    """Index of each pair of a burst ID that cannot be made, and why."""
    section = config.section(InsarSection)
    if units[0].kind == CSLC_S1.name:
        return sentinel1_checks.defects(config, [_narrowed_to(unit, unit.tag) for unit in units])
    found: dict[int, str] = {}
    for i, unit in enumerate(units):
        if unit.start is None:
            continue
        first, second = bursts_of(unit)
        if not polarization_of(section, first, second):
            found[i] = _no_polarization(section, first, second)
    for k in (0, 1):
        singles = [_narrowed(section, unit, k) for unit in units]
        for i, message in sentinel1_checks.defects(config, singles).items():
            found.setdefault(i, message)
    return found


def remarks(config: RunConfig, units: Sequence[Unit]) -> dict[int, tuple[str, ...]]:
    """Index of each pair that can be made, but not as well as it might be, and what its item will say."""
    section = config.section(InsarSection)
    if units[0].kind == CSLC_S1.name:
        return dict(sentinel1_checks.remarks(config, units))
    said: dict[int, tuple[str, ...]] = {}
    orbits = [sentinel1_checks.remarks(config, [_narrowed(section, unit, k) for unit in units]) for k in (0, 1)]
    for i, unit in enumerate(units):
        texts = tuple(dict.fromkeys((*orbits[0].get(i, ()), *orbits[1].get(i, ()))))
        if unit.start is not None and section.timing != "off":
            first, second = bursts_of(unit)
            # Where bursts are merged the timing is looked for as well, and what has no neighbour has no seam.
            wanted = section.timing == "esd" or first.platform != second.platform or bool(texts)
            if wanted and not unit.inputs[2].pairs:
                texts = (*texts, NO_NEIGHBOUR)
        if texts:
            said[i] = texts
    return said


def outdated(unit: Unit, stored: JsonObject) -> str:
    """Why a product is of older input than its pair; empty where it is not."""
    sources = stored["properties"].get("sarcube:source_scenes") or ()
    for found, made in zip(bursts_of(unit), sources, strict=False):
        scene, processed, ipf = (str(made.get(key) or "") for key in ("scene", "processed", "ipf"))
        if made_from_older(found, scene, processed, ipf):
            return f"made from {scene}, of which the source has a later version, {found.scene}"
    return ""


def defects_of_passes(config: RunConfig, units: Sequence[Unit], grid: GeoGrid) -> dict[int, str]:
    """Index of each pair of passes that cannot be merged, and why; what is wrong with a burst is told of the burst."""
    section = config.section(InsarSection)
    found: dict[int, str] = {}
    for i, unit in enumerate(units):
        needed = footprint_grid(unit.footprint, grid.epsg, grid.resolution)
        inside = grid.left <= needed.left and needed.right <= grid.right
        if not (inside and grid.bottom <= needed.bottom and needed.top <= grid.top):
            found[i] = (
                f"the grid that {unit.place} has does not hold these bursts: others of the same numbers came first; "
                "use another store or collection"
            )
        elif not any(polarization_of(section, *pair) for pair in parts_of(unit)):
            found[i] = "no burst has a polarization in common with itself on the second date"
    return found


def remarks_on_passes(config: RunConfig, units: Sequence[Unit]) -> dict[int, tuple[str, ...]]:
    """Index of each pair of passes that has gaps, or is not told where water is, and what its item will say."""
    section = config.section(InsarSection)
    said: dict[int, tuple[str, ...]] = {}
    for i, unit in enumerate(units):
        texts = gaps(first.burst_id for first, _ in parts_of(unit))
        if not_told(config):
            texts = (*texts, NO_WATER)
        if section.unwrap == "snaphu":
            from sarcube.engines.insar.unwrap import NOT_COMMERCIAL

            texts = (*texts, NOT_COMMERCIAL)
        if texts:
            said[i] = texts
    return said


def not_told(config: RunConfig) -> bool:
    """Whether a run is not told where water is."""
    water = config.section(InsarSection).water
    return water == "none" or (water == "auto" and (config.dem is None or config.dem.kind is None))


def outdated_pass(unit: Unit, stored: JsonObject) -> str:
    """Which bursts a merged pair was made without, or from older versions of which scenes; empty where of none."""
    made = {str(burst.get("burst_id")): burst for burst in stored["properties"].get("sarcube:bursts") or ()}
    if not made:
        return ""
    if absent := [first.burst_id for first, _ in parts_of(unit) if first.burst_id not in made]:
        return f"made without {', '.join(absent)}"
    for pair in parts_of(unit):
        for found, source in zip(pair, made[pair[0].burst_id].get("sources") or (), strict=False):
            scene, processed, ipf = (str(source.get(key) or "") for key in ("scene", "processed", "ipf"))
            if made_from_older(found, scene, processed, ipf):
                return f"made from {scene}, of which the source has a later version, {found.scene}"
    return ""


def bursts_of(unit: Unit) -> tuple[FoundBurst, FoundBurst]:
    """First and second date of a pair."""
    first, second = unit.inputs[:2]
    return first, second


def _narrowed(section: InsarSection, unit: Unit, date: int) -> Unit:
    """One date of a pair as a unit of its own, with the pair's polarization alone."""
    one = replace(unit, inputs=(unit.inputs[date],))
    name = polarization_of(section, *bursts_of(unit)) if unit.start is not None else ""
    return _narrowed_to(one, name) if name else one


def _narrowed_to(unit: Unit, polarization: str) -> Unit:
    found = unit.inputs[0]
    absent = tuple(p for p in found.absent if p == polarization)
    return replace(unit, inputs=(replace(found, polarizations=(polarization,), absent=absent),))


def _no_polarization(section: InsarSection, first: FoundBurst, second: FoundBurst) -> str:
    have = " and ".join(f"{', '.join(b.polarizations)} of {b.start_time:%Y-%m-%d}" for b in (first, second))
    if section.polarization == "auto":
        return f"the dates have no polarization in common: {have}"
    return f"{section.polarization} is not there on both dates: {have}; ask for insar.polarization: auto"
