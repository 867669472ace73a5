"""What plans, reports and progress displays share: what was said of many, shapes on a map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sarcube.config import Aoi
from sarcube.html import COLOURS, STYLE, PlaceMap, Ring, Shape, card, html_table, page, place_map, wrap
from sarcube.production.plan.value import Plan
from sarcube.production.said import Said

__all__ = [
    "COLOURS",
    "STYLE",
    "PlaceMap",
    "Shape",
    "areas",
    "card",
    "html_table",
    "outcome_shapes",
    "page",
    "place_map",
    "said_html",
    "wrap",
]


def said_html(heading: str, entries: Sequence[Said]) -> str:
    """A heading and a table of what was said, how often and of whom; empty where nothing was."""
    if not entries:
        return ""
    rows = [
        (s.message, s.count, ", ".join(s.subjects) + (", ..." if s.count > len(s.subjects) else "")) for s in entries
    ]
    number = sum(s.count for s in entries)
    return f"<h2>{heading} ({number})</h2>" + html_table(("what", "times", "of"), rows, (1,))


def outcome_shapes(plan: Plan, done: Mapping[str, int], bad: Mapping[str, int]) -> tuple[Shape, ...]:
    """The places of a plan after the run.

    Parameters
    ----------
    plan : Plan
    done, bad : mapping of str to int
        By place the tasks that ended well, and those that failed or were blocked.
    """
    planned = Counter(task.place for task in plan.tasks)
    shapes = []
    for place in plan.places:
        name = place.place
        if bad.get(name) or place.grid is None:
            now = "failed"
        elif done.get(name, 0) >= planned[name]:
            now = "done"
        else:
            now = "partly" if done.get(name) or sum(place.done.values()) else "to do"
        text = f"{name}: {done.get(name, 0)} of {planned[name]} tasks done, {bad.get(name, 0)} failed"
        shapes.append(Shape(place.footprint, now, text))
    return tuple(shapes)


def areas(aoi: Aoi | None) -> tuple[Ring, ...]:
    """Outlines of the area of interest; holes are left out."""
    from sarcube.geometry.aoi import load_aoi

    area = load_aoi(aoi)
    if area is None:
        return ()
    parts = getattr(area.shape, "geoms", [area.shape])
    return tuple(tuple((x, y) for x, y, *_ in part.exterior.coords) for part in parts if hasattr(part, "exterior"))
