"""What can be known of pairs before they are opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sarcube.config import RunConfig
from sarcube.sensors.sentinel1.search.scenes import FoundBurst, made_from_older
from sarcube.workflows import sentinel1_checks
from sarcube.workflows.insar.find import polarization_of
from sarcube.workflows.insar.kinds import CSLC_S1
from sarcube.workflows.insar.section import InsarSection
from sarcube.workflows.task import Unit

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
            wanted = section.timing == "esd" or first.platform != second.platform or bool(texts)
            if wanted and not unit.inputs[2].pairs:
                texts = (*texts, NO_NEIGHBOUR)
        if texts:
            said[i] = texts
    return said


def outdated(unit: Unit, stored: Mapping[str, Any]) -> str:
    """Why a product is of older input than its pair; empty where it is not."""
    sources = stored["properties"].get("sarcube:source_scenes") or ()
    for found, made in zip(bursts_of(unit), sources, strict=False):
        scene, processed, ipf = (str(made.get(key) or "") for key in ("scene", "processed", "ipf"))
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
