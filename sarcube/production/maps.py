"""Plans and outcomes as maps and cards, for notebooks."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sarcube.html import BurstMap, Ring, Shape, html_table, wrap
from sarcube.html import burst_map as draw
from sarcube.production.page import said_html

if TYPE_CHECKING:
    from sarcube.config import Aoi
    from sarcube.production.plan import BurstSummary, Plan
    from sarcube.production.produce import Outcome

_FAILURES = 20  # shown where people read


def plan_map(plan: Plan) -> BurstMap:
    """The bursts of a plan, and the area that was asked for."""
    shapes = tuple(Shape(b.footprint, state(b), title(b)) for b in plan.bursts)
    return BurstMap("Plan", shapes, areas(plan.config.aoi))


def state(burst: BurstSummary) -> str:
    """How far a burst ID is before the run."""
    if burst.grid is None:
        return "failed"
    if not burst.dates_to_do and (burst.dates_done or burst.has_static):
        return "done"
    return "partly" if burst.dates_done else "to do"


def title(burst: BurstSummary) -> str:
    """What a map says of a burst ID that is pointed at."""
    return f"{burst.burst_id}: {burst.dates_done} dates exist, {burst.dates_to_do} to do"


def outcome_shapes(plan: Plan, done: Mapping[str, int], bad: Mapping[str, int]) -> tuple[Shape, ...]:
    """The bursts of a plan after the run.

    Parameters
    ----------
    plan : Plan
    done, bad : mapping of burst ID to int
        Tasks that ended well, and that failed or were blocked.
    """
    planned = Counter(task.burst_id for task in plan.tasks)
    shapes = []
    for burst in plan.bursts:
        name = burst.burst_id
        if bad.get(name) or burst.grid is None:
            now = "failed"
        elif done.get(name, 0) >= planned[name]:
            now = "done"
        else:
            now = "partly" if done.get(name) or burst.dates_done else "to do"
        text = f"{name}: {done.get(name, 0)} of {planned[name]} tasks done, {bad.get(name, 0)} failed"
        shapes.append(Shape(burst.footprint, now, text))
    return tuple(shapes)


def outcome_html(outcome: Outcome) -> str:
    """An outcome in a notebook: the sentence, the map, what failed and why."""
    parts = [f"<p>{html.escape(str(outcome))}</p>", draw(outcome.shapes) if outcome.shapes else ""]
    bad = (*outcome.failed, *outcome.blocked)
    if bad:
        rows = [(f.key, f.error, f.message) for f in bad[:_FAILURES]]
        parts.append(html_table(("task", "error", "why"), rows))
    parts.append(said_html("Warnings", outcome.warnings))
    if outcome.record:
        parts.append(f'<p class="soft">record: {html.escape(outcome.record)}</p>')
    return wrap("Run", "".join(parts), style=True)


def areas(aoi: Aoi | None) -> tuple[Ring, ...]:
    """Outlines of the area of interest; holes are left out."""
    from sarcube.geometry.aoi import load_aoi

    area = load_aoi(aoi)
    if area is None:
        return ()
    parts = getattr(area.shape, "geoms", [area.shape])
    return tuple(tuple((x, y) for x, y, *_ in part.exterior.coords) for part in parts if hasattr(part, "exterior"))
