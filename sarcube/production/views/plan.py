"""A plan for people and programs: a table, JSON, GeoJSON, a page with a map."""

from __future__ import annotations

import datetime as dt
import html
import io
import json
from collections import defaultdict
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING

from sarcube.extras import need
from sarcube.geometry.longitudes import together
from sarcube.html import PlaceMap, Shape, html_table, page, place_map, wrap
from sarcube.production.plan.estimates import START_CPU_S
from sarcube.production.plan.value import PlaceSummary, Plan
from sarcube.production.said import counted
from sarcube.production.views.network import NetworkPicture, connection_dict, network_table
from sarcube.production.views.page import areas, said_html
from sarcube.words import several, size_text, terminal_width, time_text
from sarcube.workflows.task import Task

if TYPE_CHECKING:
    import geopandas as gpd

_ROWS = 200  # of tasks shown where people read
_COLUMNS = ("place", "date", "what", "why", "inputs", "memory", "CPU")
_WIDE = 100  # columns of a terminal from which inputs have room, too
_FIRST_ROWS = 12  # in a notebook


def headline(plan: Plan) -> str:
    """The plan in one sentence."""
    totals = plan.totals
    if not plan.tasks:
        text = f"nothing to do: all {len(plan.done)} products exist" if plan.done else "nothing to do"
    else:
        there = several(len(plan.done), "product exists", "products exist")
        text = (
            f"{several(len(plan.tasks), 'task')} to do, {there}; about {size_text(totals.bytes_in)} to "
            f"read, {size_text(totals.bytes_out)} to write, {time_text(totals.cpu_s)} of one core for the tasks and "
            f"{time_text(START_CPU_S)} to start each worker, {size_text(totals.memory)} of memory per task"
        )
        if totals.money_usd is not None:
            text += f", {totals.money_usd:.2f} USD" if totals.money_usd >= 0.01 else ", less than 0.01 USD"
    if plan.problems:
        text += f"; {several(len(plan.problems), 'problem')}"
    if plan.warnings:
        text += f"; {several(len(plan.warnings), 'warning')}"
    return text


def told(plan: Plan) -> str:
    """The plan in one sentence, and what one does with it next in Python."""
    return f"Plan: {headline(plan)}\nnext: {next_call(plan)}"


def next_call(plan: Plan) -> str:
    """What one calls next."""
    if plan.tasks:
        return "outcome = sarcube.produce(plan)"
    if plan.impossible:
        return "plan.problems tells what has to be changed"
    return f"cube = sarcube.open_cube({plan.config.store!r})" if plan.done else "nothing: the source has nothing there"


def outdated_text(plan: Plan) -> str:
    """How many products are of input that has a later version, with an example, and what to do."""
    count, first = len(plan.outdated), plan.outdated[0]
    to_do = {task.key for task in plan.tasks}
    again = "made again" if all(old.subject in to_do for old in plan.outdated) else "--make-outdated-products does so"
    what = "1 product is to be made anew" if count == 1 else f"{count} products are to be made anew"
    return f"{what}: {first.subject} was {first.message}; {again}"


def table(plan: Plan) -> str:
    """Tasks, places and problems as text for a terminal."""
    from rich.console import Console
    from rich.table import Table

    out = io.StringIO()
    width = terminal_width()
    console = Console(file=out, width=width, force_terminal=False, markup=False, emoji=False)
    what = {kind.name: kind.what for kind in plan.kinds}
    if plan.tasks:
        grid = Table(box=None, pad_edge=False)
        columns = [name for name in _COLUMNS if name != "inputs" or width >= _WIDE]
        rows = [_row(task, what) for task in islice(plan.tasks, _ROWS)]
        lengths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in columns}
        # One column gives way where there is no room; the rest, names of places first of all, is never cut.
        gives = "inputs" if "inputs" in columns else "why"
        room = width - 2 * (len(columns) - 1) - sum(n for name, n in lengths.items() if name != gives)
        for name in columns:
            length = max(8, min(room, lengths[name])) if name == gives else lengths[name]
            right = name in ("memory", "CPU")
            grid.add_column(name, justify="right" if right else "left", no_wrap=True, width=length)
        for row in rows:
            grid.add_row(*(row[name] for name in columns))
        console.print(grid)
        if len(plan.tasks) > _ROWS:
            console.print(f"... and {len(plan.tasks) - _ROWS} more (sarcube plan --json lists all)")
    if plan.connections:
        console.print(network_table(plan.connections))
    for word, entries in (("problem", plan.problems), ("warning", plan.warnings)):
        for said in counted((entry.subject, entry.message) for entry in entries):
            console.print(f"{word}: {said}", markup=False, highlight=False, soft_wrap=True)
    if plan.outdated:
        console.print(outdated_text(plan), markup=False, highlight=False, soft_wrap=True)
    console.print(headline(plan), markup=False, highlight=False, soft_wrap=True)
    return out.getvalue().rstrip()


def to_json(plan: Plan) -> str:
    """Everything that the plan knows."""
    totals = plan.totals
    return json.dumps(
        {
            "store": plan.config.store,
            "totals": {
                "tasks": totals.tasks,
                "done": len(plan.done),
                "bytes_in": totals.bytes_in,
                "bytes_out": totals.bytes_out,
                "cpu_s": round(totals.cpu_s, 1),
                "memory": totals.memory,
                "money_usd": totals.money_usd,
            },
            "tasks": [_task(task) for task in plan.tasks],
            "done": list(plan.done),
            "outdated": [{"key": old.subject, "message": old.message} for old in plan.outdated],
            "problems": [{"subject": p.subject, "message": p.message} for p in plan.problems],
            "warnings": [{"subject": p.subject, "message": p.message} for p in plan.warnings],
            "places": [_properties(place) for place in plan.places],
            "network": [connection_dict(c) for c in plan.connections],
        },
        indent=1,
    )


def to_geojson(plan: Plan) -> str:
    """A FeatureCollection of the places, cut at the antimeridian, with the dates that exist and those to do."""
    import shapely

    features = [
        {
            "type": "Feature",
            "id": place.place,
            "geometry": json.loads(shapely.to_geojson(together([place.footprint]))),
            "properties": _properties(place) | dates,
        }
        for place, dates in zip(plan.places, _dates(plan), strict=True)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


def to_geopandas(plan: Plan) -> gpd.GeoDataFrame:
    """One row for each place."""
    geopandas = need("geopandas", "search")
    rows = [
        {
            "place": place.place,
            "done": sum(place.done.values()),
            "to_do": sum(place.to_do.values()),
            "crs": place.grid.crs if place.grid else None,
            **dates,
            "geometry": together([place.footprint]),
        }
        for place, dates in zip(plan.places, _dates(plan), strict=True)
    ]
    columns = ["place", "done", "to_do", "crs", "dates_done", "dates_to_do", "geometry"]
    return geopandas.GeoDataFrame(rows, columns=columns, crs="EPSG:4326")


def _dates(plan: Plan) -> list[dict[str, list[str]]]:
    """Days (UTC) of which each place has products, and of which it will."""
    done: defaultdict[str, set[str]] = defaultdict(set)
    to_do: defaultdict[str, set[str]] = defaultdict(set)
    for key in plan.done:
        _, place, *time = key.split("/")
        if time:
            done[place].add(dt.datetime.strptime(time[0][:8], "%Y%m%d").date().isoformat())
    for task in plan.tasks:
        if task.start:
            to_do[task.place].add(task.start.date().isoformat())
    return [{"dates_done": sorted(done[p.place]), "dates_to_do": sorted(to_do[p.place])} for p in plan.places]


def to_html(plan: Plan, *, whole_page: bool = True) -> str:
    """A page of its own, or a fragment for a notebook."""
    drawn = plan_map(plan)
    parts = [f"<p>{html.escape(headline(plan))}</p>", place_map(drawn.shapes, drawn.areas)]
    if plan.connections:
        parts += ["<h2>Pairs</h2>", network(plan).svg()]
    if plan.problems:
        parts += ["<h2>Problems</h2>", html_table(("what", "why"), [(p.subject, p.message) for p in plan.problems])]
    parts.append(said_html("Warnings", counted((w.subject, w.message) for w in plan.warnings)))
    if plan.tasks:
        # A notebook gets the beginning, a page of its own what people can still read.
        what = {kind.name: kind.what for kind in plan.kinds}
        shown = min(len(plan.tasks), _ROWS if whole_page else _FIRST_ROWS)
        parts += [
            f"<h2>Tasks ({shown} of {len(plan.tasks)})</h2>",
            html_table(_COLUMNS, (tuple(_row(task, what).values()) for task in plan.tasks[:shown]), (5, 6)),
        ]
    if not whole_page:
        parts.append(f'<p class="soft">next: <code>{html.escape(next_call(plan))}</code></p>')
    body = "".join(parts)
    return page("Plan", body) if whole_page else wrap("Plan", body, style=True)


def notebook(plan: Plan) -> str:
    """The beginning, where a notebook shows it."""
    return to_html(plan, whole_page=False)


def _row(task: Task, what: Mapping[str, str]) -> dict[str, str]:
    return {
        "place": task.place,
        "date": task.unit.day or "-",
        "what": what[task.kind],
        "why": task.reason,
        "inputs": task.label,
        "memory": size_text(task.estimate.memory),
        "CPU": time_text(task.estimate.cpu_s),
    }


def _task(task: Task) -> dict[str, object]:
    return {
        "key": task.key,
        "kind": task.kind,
        "place": task.place,
        "start": task.start.isoformat() if task.start else None,
        "tag": task.unit.tag,
        "inputs": task.label,
        "reason": task.reason,
        "after": list(task.after),
        "bytes_in": task.estimate.bytes_in,
        "bytes_out": task.estimate.bytes_out,
        "cpu_s": task.estimate.cpu_s,
        "memory": task.estimate.memory,
    }


def _properties(place: PlaceSummary) -> dict[str, object]:
    grid = place.grid
    return {
        "place": place.place,
        "done": dict(place.done),
        "to_do": dict(place.to_do),
        "crs": grid.crs if grid else None,
        "shape": list(grid.shape) if grid else None,
        "transform": list(grid.transform) if grid else None,
    }


def network(plan: Plan) -> NetworkPicture:
    """The pairs of a plan over time and baseline."""
    return NetworkPicture("Pairs", plan.connections)


def plan_map(plan: Plan) -> PlaceMap:
    """The places of a plan, and the area that was asked for."""
    shapes = tuple(Shape(p.footprint, state(p), title(p)) for p in plan.places)
    return PlaceMap("Plan", shapes, areas(plan.config.aoi))


def state(place: PlaceSummary) -> str:
    """How far a place is before the run."""
    if place.grid is None:
        return "failed"
    done, to_do = sum(place.done.values()), sum(place.to_do.values())
    if done and not to_do:
        return "done"
    return "partly" if done else "to do"


def title(place: PlaceSummary) -> str:
    """What a map says of a place that is pointed at."""
    return f"{place.place}: {sum(place.done.values())} products exist, {sum(place.to_do.values())} to do"
