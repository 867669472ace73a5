"""Commands that look into a store: ls, validate, timeseries."""

from __future__ import annotations

from pathlib import Path

import typer

from sarcube.cli.output import JSON, bounding_box, echo, echo_json, echo_lines
from sarcube.text_file import write_text

_STORE = typer.Argument(..., metavar="STORE", help="store (folder or s3:// prefix)")
_CSV = typer.Option(False, "--csv", help="print the facts as CSV")
_COLLECTION = typer.Option(None, "--collection", help="only this collection of the store")
_DATES = typer.Option(None, "--dates", help='"2023", "2023-09" or "2023-09-01,2023-09-30"')


def ls(
    store: str = _STORE,
    collection: str = _COLLECTION,
    dates: str = _DATES,
    bbox: str = typer.Option(None, "--bbox", help="west,south,east,north in degrees"),
    places: str = typer.Option(None, "--places", help="only these places (burst IDs, tiles), comma-separated"),
    as_csv: bool = _CSV,
    as_json: bool = JSON,
) -> None:
    """List what is in a store: items, times, layers, bytes, orbit type, warnings.

    Example: sarcube ls store --dates 2024-05

    Example: sarcube ls store --csv
    """
    from sarcube.catalog import listing
    from sarcube.days import parse_days
    from sarcube.words import terminal_width

    days = parse_days(dates) if dates else None
    wanted = places.split(",") if places else None
    found = listing.list_items(store, collection, bounding_box(bbox), days, wanted)
    if as_json:
        echo(listing.as_json(found))
    elif as_csv:
        echo(listing.as_csv(found).rstrip("\n"))
    else:
        echo_lines(listing.as_lines(found, terminal_width()))


def validate(
    store: str = _STORE,
    collection: str = _COLLECTION,
    checksums: bool = typer.Option(False, "--checksums", help="read every file, instead of comparing sizes"),
    schemas: Path = typer.Option(
        None, "--schemas", help="folder of STAC schemas, <extension>/<version>/schema.json; none: cache, then network"
    ),
    as_json: bool = JSON,
) -> None:
    """Check a store: items and collections against their schemas and rules, files there and unharmed, links resolving.

    STAC's own schemas are part of the installation; those of extensions come from --schemas, else from a cache that
    is filled over the network once, else sarcube's own rules for them are asked, which is said. Exit code 1
    where something is wrong.

    Example: sarcube validate store --checksums
    """
    from dataclasses import asdict

    from sarcube.catalog.check import examine_store
    from sarcube.workflows.registry import known_kinds

    rules = {kind.name: kind.rules for kind in known_kinds()}
    found = examine_store(
        store, collection, checksums=checksums, schemas=str(schemas) if schemas else None, rules=rules
    )
    echo_json(asdict(found)) if as_json else echo_lines(found.lines())
    raise typer.Exit(1 if found.faults else 0)


def timeseries(
    store: str = typer.Argument(..., help="store (folder or s3:// prefix), or a folder of OPERA RTC-S1 files"),
    where: str = typer.Argument(
        ..., metavar="LON,LAT", help="a point: longitude,latitude; or a box: west,south,east,north; degrees"
    ),
    box: float = typer.Option(None, "--box", help="metres: mean over a square of that side around the point"),
    layers: str = typer.Option(None, "--layers", help="like VV,VH; default: all measures"),
    dates: str = _DATES,
    direction: str = typer.Option(None, "--direction", help="only ascending or only descending passes"),
    tracks: str = typer.Option(None, "--tracks", help="only these relative orbits, like 52,154"),
    collection: str = _COLLECTION,
    out: Path = typer.Option(None, "--out", "-o", help="write the CSV there instead of printing it"),
    plot: Path = typer.Option(None, "--plot", "-p", help="draw the series into this PNG, SVG or PDF"),
    as_json: bool = JSON,
) -> None:
    """Values of all dates at a place, as CSV and as a picture; means are of power, levels in decibel beside them.

    Example: sarcube timeseries store 8.2209,48.0086 --box 100 --plot series.png
    """
    from sarcube.cli.cubes import Selection
    from sarcube.cube import series

    chosen = Selection(store, dates=dates, direction=direction, tracks=tracks, collection=collection).keywords()
    chosen.pop("bbox")
    found = series.series_of(chosen.pop("store"), where, box, layers=layers.split(",") if layers else None, **chosen)
    if plot:
        series.write_plot(found, plot, title=f"{where}{f', mean over {box:g} m' if box else ''}")
    rows = series.rows(found)
    if out:
        write_text(out, series.as_csv(rows))
    if as_json:
        echo_json(rows)
    elif out:
        echo(f"{len(rows)} dates: {out}")
    else:
        echo(series.as_csv(rows).rstrip("\n"))
    if plot and not as_json:
        echo(f"drawn: {plot}", err=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the tree."""
    app.command("ls")(ls)
    app.command()(validate)
    # A place west of Greenwich begins with a minus, and is no option.
    app.command(context_settings={"ignore_unknown_options": True})(timeseries)
