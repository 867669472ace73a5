"""An inventory for people and programs: rows, GeoDataFrames, CSV, GeoJSON, GeoParquet, a table, a map."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

from sarcube.errors import ConfigError
from sarcube.extras import need
from sarcube.geometry.longitudes import together
from sarcube.html import PlaceMap, Shape, html_table, place_map, wrap
from sarcube.sensors.sentinel1.inventory.coverage import share
from sarcube.sensors.sentinel1.inventory.model import Found, Inventory, Level, by_scene
from sarcube.text_file import write_text, writing
from sarcube.words import several, terminal_width

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

Row = dict[str, object]
_SHOWN = 40  # exclusions listed where people read


def burst_rows(inventory: Inventory) -> list[Row]:
    """One row for each burst ID: what it is, its dates, what of the area it covers."""
    if inventory.product == "GRD":
        raise ConfigError("GRD scenes have no bursts; ask for scenes")
    groups: dict[str, list[Found]] = {}
    for one in sorted(inventory.found, key=lambda f: (f.burst_id, f.start_time)):
        groups.setdefault(one.burst_id, []).append(one)
    rows = []
    for burst_id, found in groups.items():
        dates = sorted({one.start_time.date() for one in found})
        channels = {"".join(inventory.key_of(one).polarizations): None for one in found}
        rows.append(
            {
                "burst_id": burst_id,
                "swath": getattr(found[0], "swath", ""),
                "track": found[0].relative_orbit,
                "direction": found[0].orbit_direction,
                "polarizations": "/".join(channels),
                "mosaic_key": str(inventory.key_of(found[-1])),
                "count": len(found),
                "first": dates[0].isoformat(),
                "last": dates[-1].isoformat(),
                "dates": [day.isoformat() for day in dates],
                "scenes": list(dict.fromkeys(one.scene for one in found)),
                "coverage": _share(inventory, found[-1:]),
                "outline": together(one.footprint for one in found[-1:]),
            }
        )
    return rows


def scene_rows(inventory: Inventory) -> list[Row]:
    """One row for each scene: what it is, how many of its bursts meet the area, what they cover."""
    rows = []
    for scene, found in by_scene(inventory.found).items():
        first = found[0]
        rows.append(
            {
                "scene": scene,
                "platform": first.platform,
                "mode": scene[4:6],
                "start": first.start_time.isoformat(),
                "end": max(one.end_time for one in found).isoformat(),
                "date": first.start_time.date().isoformat(),
                "track": first.relative_orbit,
                "direction": first.orbit_direction,
                "polarizations": "".join(inventory.key_of(first).polarizations),
                "mosaic_key": str(inventory.key_of(first)),
                "bursts": 0 if inventory.product == "GRD" else len(found),
                "size_bytes": first.file_size or sum(one.size_bytes for one in found),
                "path": first.path,
                "coverage": _share(inventory, found),
                "outline": together(one.footprint for one in found),
            }
        )
    return rows


def rows_of(inventory: Inventory, level: Level) -> list[Row]:
    """Rows of bursts or of scenes; `outline` is a shapely geometry."""
    return scene_rows(inventory) if level == "scenes" else burst_rows(inventory)


def summary_rows(inventory: Inventory) -> list[Row]:
    """One row for each mosaic key."""
    rows = []
    for key in inventory.keys:
        passes = [each for each in inventory.passes if each.key == key]
        found = [one for each in passes for one in each.found]
        dates = sorted({each.date for each in passes})
        rows.append(
            {
                "mosaic_key": str(key),
                "direction": key.direction,
                "track": "+".join(map(str, key.tracks)),
                "polarizations": "".join(key.polarizations),
                "scenes": len({one.scene for one in found}),
                "bursts": 0 if inventory.product == "GRD" else len({one.burst_id for one in found}),
                "dates": len(dates),
                "first": dates[0].isoformat(),
                "last": dates[-1].isoformat(),
                "coverage": _share(inventory, found),
            }
        )
    return rows


def summary_frame(inventory: Inventory) -> pd.DataFrame:
    """The summary as a DataFrame."""
    import pandas as pd

    return pd.DataFrame(summary_rows(inventory), columns=_columns("summary"))


def frame(inventory: Inventory, level: Level) -> gpd.GeoDataFrame:
    """Bursts or scenes as a GeoDataFrame in EPSG:4326."""
    geopandas = need("geopandas", "search")
    rows = rows_of(inventory, level)
    table = geopandas.GeoDataFrame(rows, columns=[*_columns(level), "outline"], geometry="outline", crs="EPSG:4326")
    for name in ("start", "end"):
        if name in table:
            table[name] = table[name].astype("datetime64[ns, UTC]")
    return table.rename_geometry("geometry")


def write(inventory: Inventory, path: Path, level: Level) -> Path:
    """See `Inventory.write`."""
    ending = path.suffix.lower()
    rows = rows_of(inventory, level)
    if ending == ".csv":
        text = io.StringIO(newline="")
        names = [*_columns(level), "outline"]
        out = csv.writer(text, lineterminator="\n")
        out.writerow([*names[:-1], "wkt"])
        out.writerows([_flat(row[name]) for name in names] for row in rows)
        write_text(path, text.getvalue())
    elif ending in (".geojson", ".json"):
        write_text(path, to_geojson(rows))
    elif ending == ".parquet":
        with writing(path):
            frame(inventory, level).to_parquet(path, index=False)
    else:
        raise ConfigError(f"{path}: an inventory is written as .csv, .geojson or .parquet")
    return path


def to_geojson(rows: list[Row]) -> str:
    """Rows as a FeatureCollection; outlines are cut at the antimeridian."""
    import shapely

    features = [
        {
            "type": "Feature",
            "geometry": json.loads(shapely.to_geojson(row["outline"])),
            "properties": {name: value for name, value in row.items() if name != "outline"},
        }
        for row in rows
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


def to_json(inventory: Inventory) -> str:
    """Summary, scenes, bursts, exclusions, notes and problems."""
    levels: tuple[Level, ...] = ("scenes",) if inventory.product == "GRD" else ("scenes", "bursts")
    return json.dumps(
        {
            "product": inventory.product,
            "summary": summary_rows(inventory),
            **{
                level: [
                    {name: value for name, value in row.items() if name != "outline"}
                    for row in rows_of(inventory, level)
                ]
                for level in levels
            },
            "excluded": [{"rule": e.rule, "subject": e.subject, "reason": e.reason} for e in inventory.excluded],
            "notes": list(inventory.notes),
            "problems": [{"subject": p.subject, "message": p.message} for p in inventory.problems],
            "explanation": inventory.explanation,
        },
        indent=1,
    )


def headline(inventory: Inventory) -> str:
    """The inventory in one sentence."""
    if not inventory.found:
        why = inventory.explanation or ("nothing is left of what was found" if inventory.excluded else "nothing")
        return f"nothing found: {why}"
    what = several(len(inventory.scene_names), f"{inventory.product} scene")
    if inventory.product == "SLC":
        what += f" with {several(len({one.burst_id for one in inventory.found}), 'burst ID')}"
    dates = inventory.dates
    return f"{what} of {several(len(dates), 'date')}, {dates[0]} to {dates[-1]}"


def table(inventory: Inventory) -> str:
    """Summary and everything that has to be said, for a terminal."""
    from rich.console import Console
    from rich.table import Table

    out = io.StringIO()
    console = Console(file=out, width=terminal_width())
    if inventory.found:
        grid = Table(box=None, pad_edge=False)
        numbers = ("scenes", "bursts", "dates", "area")
        for name in ("mosaic key", "scenes", "bursts", "dates", "first", "last", "area"):
            grid.add_column(name, justify="right" if name in numbers else "left", no_wrap=True)
        for row in summary_rows(inventory):
            grid.add_row(*_summary_cells(row))
        console.print(grid)
    for line in _said(inventory):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(headline(inventory), markup=False, highlight=False, soft_wrap=True)
    return out.getvalue().rstrip()


def notebook(inventory: Inventory) -> str:
    """Summary, what was said, and the map, as a fragment."""
    header = ("mosaic key", "scenes", "bursts", "dates", "first", "last", "area")
    rows = [_summary_cells(row) for row in summary_rows(inventory)]
    drawn = inventory_map(inventory)
    parts = [html_table((), [(headline(inventory),)]), html_table(header, rows, (1, 2, 3, 6))]
    if said := _said(inventory):
        parts.append(html_table((), [(line,) for line in said]))
    return wrap(f"Inventory of {inventory.product}", "".join(parts) + place_map(drawn.shapes, drawn.areas), style=True)


def inventory_map(inventory: Inventory) -> PlaceMap:
    """Each place once: left out below, chosen above, and the area."""
    shapes = [
        Shape(one.footprint, "left out", f"{one.burst_id}: {exclusion.rule}, {exclusion.reason}")
        for exclusion in inventory.excluded
        if exclusion.rule != "double"
        for one in {one.burst_id: one for one in exclusion.found}.values()
    ]
    counts: dict[str, int] = {}
    for one in inventory.found:
        counts[one.burst_id] = counts.get(one.burst_id, 0) + 1
    latest = {one.burst_id: one for one in inventory.found}
    shapes = [shape for shape in shapes if shape.title.partition(":")[0] not in latest]
    for one in latest.values():
        dates = "" if inventory.product == "GRD" else f", {counts[one.burst_id]} dates"
        shapes.append(Shape(one.footprint, "chosen", f"{one.burst_id}: {inventory.key_of(one)}{dates}"))
    return PlaceMap("Inventory", tuple(shapes), _areas(inventory))


def _areas(inventory: Inventory) -> tuple[tuple[tuple[float, float], ...], ...]:
    if inventory.area is None:
        return ()
    parts = getattr(inventory.area.shape, "geoms", [inventory.area.shape])
    return tuple(tuple((x, y) for x, y, *_ in part.exterior.coords) for part in parts if hasattr(part, "exterior"))


def _said(inventory: Inventory) -> list[str]:
    lines = [f"left out: {e.subject}: {e.rule}: {e.reason}" for e in inventory.excluded[:_SHOWN]]
    if (more := len(inventory.excluded) - _SHOWN) > 0:
        lines.append(f"left out: {more} more (--json lists all)")
    lines += [f"note: {note}" for note in inventory.notes]
    return lines + [f"problem: {problem.subject}: {problem.message}" for problem in inventory.problems]


def _summary_cells(row: Row) -> tuple[str, ...]:
    area = "" if row["coverage"] is None else f"{row['coverage']:.1%}"
    numbers = (str(row["scenes"]), str(row["bursts"] or "-"), str(row["dates"]))
    return (str(row["mosaic_key"]), *numbers, str(row["first"]), str(row["last"]), area)


def _share(inventory: Inventory, found: tuple[Found, ...] | list[Found]) -> float | None:
    if inventory.area is None:
        return None
    return round(share(inventory.area, (one.footprint for one in found)), 4)


def _flat(value: object) -> object:
    if isinstance(value, list):
        return " ".join(value)
    return value.wkt if hasattr(value, "wkt") else value


def _columns(level: str) -> list[str]:
    """Names of the columns, also where there is no row to tell them."""
    about = ["track", "direction", "polarizations", "mosaic_key"]
    if level == "bursts":
        return ["burst_id", "swath", *about, "count", "first", "last", "dates", "scenes", "coverage"]
    if level == "scenes":
        return ["scene", "platform", "mode", "start", "end", "date", *about, "bursts", "size_bytes", "path", "coverage"]
    return [
        "mosaic_key", "direction", "track", "polarizations", "scenes", "bursts", "dates", "first", "last", "coverage"
    ]  # fmt: skip
