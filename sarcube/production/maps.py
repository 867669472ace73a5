"""Areas and what became of places, as shapes on a map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from sarcube.config import Aoi
from sarcube.html import Ring, Shape
from sarcube.production.plan import Plan


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
