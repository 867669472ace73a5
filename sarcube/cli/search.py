"""`sarcube search`: what there is of an area and dates, before any run file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sarcube.cli.output import JSON, echo

if TYPE_CHECKING:
    from sarcube.sensors.sentinel1.inventory.model import Level


def search(
    aoi: str = typer.Option(
        None, "--aoi", help="west,south,east,north in degrees, a file of shapes (GeoJSON, GeoPackage, ...), or WKT"
    ),
    dates: str = typer.Option(None, "--dates", help='"2024", "2024-05" or "2024-05-01,2024-05-31"; none: all'),
    source: str = typer.Option("asf", "--source", help="asf, cdse, or a folder or address of SAFEs, or of a STAC API"),
    collection: str = typer.Option(None, "--collection", help="of the STAC API that --source names"),
    product: str = typer.Option("SLC", "--product", help="SLC, which has bursts, or GRD"),
    direction: str = typer.Option(None, "--direction", help="ascending or descending"),
    track: list[int] = typer.Option([], "--track", help="relative orbit; again for more"),
    polarization: list[str] = typer.Option([], "--polarization", help="VV, VH, HH or HV; again for more"),
    refine: bool = typer.Option(False, "--refine", help="leave out doubles, marginal tracks and incomplete dates"),
    every_date: bool = typer.Option(False, "--every-date", help="with --refine: only bursts that all dates have"),
    key: str = typer.Option(None, "--key", help="only this mosaic key, or parts of one: descending_117, VVVH"),
    csv: Path = typer.Option(None, "--csv", help="write the bursts as CSV"),
    geojson: Path = typer.Option(None, "--geojson", help="write the bursts as GeoJSON"),
    parquet: Path = typer.Option(None, "--parquet", help="write the bursts as GeoParquet"),
    scenes: bool = typer.Option(False, "--scenes", help="write scenes to these files, not bursts"),
    html: Path = typer.Option(None, "--map", help="write a page with a map"),
    download: Path = typer.Option(None, "--download", help="fetch the scenes into this folder; again to go on"),
    run_file: Path = typer.Option(None, "--run-file", help="write a run file of what was chosen"),
    store: str = typer.Option("./store", "--store", help="of the run file"),
    dem: str = typer.Option(
        None, "--dem", help="of the run file: heights above the ellipsoid; none: Copernicus GLO-30"
    ),
    orbits: str = typer.Option(None, "--orbits", help="of the run file: folder of orbit files"),
    as_json: bool = JSON,
) -> None:
    """Tell which scenes and bursts there are, and what of them is worth taking.

    Summary by mosaic key (direction, track, channels); what --refine leaves out is said with its reason. Exit codes:
    0 found, 1 some downloads failed (the rest is kept), 2 nothing found or something must be changed.

    Example: sarcube search --aoi=-8.4,31.6,-8.1,31.8 --dates 2023 --source archive/scenes --refine
    """
    from sarcube.sensors.sentinel1.inventory.search import search as ask

    narrowed: dict[str, object] = {"orbit_direction": direction, "relative_orbits": tuple(track)}
    found = ask(
        aoi,
        dates,
        source={"kind": "stac", "url": source, "collection": collection} if collection else source,
        product=product.upper(),  # type: ignore[arg-type]  # refused there, with what is allowed
        polarizations=polarization or None,
        **narrowed,
    )
    if refine:
        found = found.refine(every_date=every_date)
    if key and found.found:
        found = found.choose(key)
    typer.echo(found.to_json()) if as_json else echo(found.table())
    if not found.found:
        raise typer.Exit(2)
    for path, ending in ((csv, ".csv"), (geojson, ".geojson"), (parquet, ".parquet")):
        if path:
            found.write(path if path.suffix else path.with_suffix(ending), _level(found.product, scenes))
    if html:
        found.map().save(html)
    fetched = found.download(download) if download else None
    if fetched is not None:
        echo(fetched, err=as_json)
    if run_file:
        keys: dict[str, object] = {"store": store}
        if dem:
            keys["dem"] = {"path": dem, "heights": "ellipsoid"}
        if orbits:
            keys["orbits"] = {"path": orbits}
        found.to_run_file(run_file, source=download, **keys)
        echo(f"wrote {run_file}; next: sarcube plan {run_file}", err=as_json)
    if fetched is not None and not fetched.ok:
        raise typer.Exit(1)


def _level(product: str, scenes: bool) -> Level:
    return "scenes" if scenes or product == "GRD" else "bursts"


def register(app: typer.Typer) -> None:
    """Add the command to the tree."""
    app.command()(search)
