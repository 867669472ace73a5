"""Which products are before and which after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sarcube.workflows.burned_area.section import BurnedAreaSection

if TYPE_CHECKING:
    from sarcube.sensors.sentinel2.search.found import FoundTile


def chosen_pair(found: Sequence[FoundTile], section: BurnedAreaSection) -> tuple[list[FoundTile], list[FoundTile], str]:
    """Products of one tile before and after, and why there are none where there are none."""
    ordered = sorted(found, key=lambda one: one.start)
    # A datatake may come in two products of a tile, of one start.
    first, last = ([one for one in ordered if one.start == end.start] for end in (ordered[0], ordered[-1]))
    before = _within(ordered, section.before) if section.before else first
    after = _within(ordered, section.after) if section.after else last
    if not before or not after or before[-1].start >= after[0].start:
        days = ", ".join(one.start.date().isoformat() for one in ordered)
        return [], [], f"no product before and another after: the source has {days}; see burned_area.before and after"
    return before, after, ""


def _within(found: Sequence[FoundTile], span: tuple[object, object]) -> list[FoundTile]:
    first, last = span
    return [one for one in found if first <= one.start.date() <= last]  # type: ignore[operator]
