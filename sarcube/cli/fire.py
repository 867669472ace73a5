"""`sarcube fire`: active fires of a Sentinel-3 granule; `sarcube hotspots`: those of a store."""

from __future__ import annotations

from pathlib import Path

import typer

from sarcube.cli.output import JSON, bounding_box, echo, echo_json, echo_lines


def fire(
    scene: Path = typer.Argument(..., help="SL_1_RBT granule of SLSTR: SEN3 folder or zip"),
    aoi: str = typer.Option(
        None, "--aoi", help="west,south,east,north, WKT, or a file (GeoJSON, GeoPackage, ...); none: the granule"
    ),
    out: Path = typer.Option("fires", "--out", "-o", help="folder for hotspots and rasters"),
    method: str = typer.Option("contextual", "--method", help="contextual, or gep (fixed thresholds)"),
    land_cover: Path = typer.Option(None, "--land-cover", help="raster of CCI or C3S land cover classes"),
    as_json: bool = JSON,
) -> None:
    """Find active fires in a Sentinel-3 SLSTR granule.

    Writes hotspots (GeoJSON, GeoParquet) with temperatures, radiative power and confidence, a cloud mask, by day
    reflectance of S6, S5, S3, S2, S1 and a picture, as COGs on multiples of 0.01 degrees, and the land cover there.
    Regions and dates are for a run file with `workflow: active_fire`.

    Example: sarcube fire S3B_SL_1_RBT____20230908T093409_....SEN3 --aoi=23,40,27,43 --out fires
    """
    from sarcube.geometry.aoi import area_of_text
    from sarcube.workflows.active_fire.products import make_fires

    numbers = bounding_box(aoi) if aoi is not None and aoi.lstrip("-+ ")[:1].isdigit() and "," in aoi else None
    made = make_fires(scene, out, area_of_text(aoi or "", numbers), method, land_cover)
    table = made.hotspots
    total = float(table["FRP"].sum())
    if as_json:
        files = {name: str(path) for name, path in made.files.items()}
        echo_json({"hotspots": len(table), "frp_mw": round(total, 1), "files": files, "remarks": list(made.remarks)})
        return
    echo(f"{len(table)} hotspots, {total:.1f} MW in all: {made.files['hotspots']}")
    echo_lines(f"note: {remark}" for remark in made.remarks)


def hotspots(
    store: str = typer.Argument(..., help="store (folder or s3:// prefix) with products of active fires"),
    dates: str = typer.Option(None, "--dates", help='"2023", "2023-09" or "2023-09-01,2023-09-30"'),
    bbox: str = typer.Option(None, "--bbox", help="west,south,east,north in degrees"),
    collection: str = typer.Option(None, "--collection", help="only this collection of the store"),
    out: Path = typer.Option(None, "--out", "-o", help="file: .geojson, .parquet (GeoParquet) or .csv"),
    as_json: bool = JSON,
) -> None:
    """List the hotspots of all scenes of a store as one table through time, none twice.

    Prints one line a day; --out writes every hotspot.

    Example: sarcube hotspots store --dates 2023-08 --bbox=24,40,27,42 --out fires.parquet
    """
    from sarcube.cube.hotspots import daily, write_hotspots
    from sarcube.cube.hotspots import hotspots as read

    when = dates.split(",") if dates and "," in dates else dates
    table = read(store, bbox=bounding_box(bbox), dates=when, collection=collection)
    days = daily(table)
    file = write_hotspots(table, out) if out is not None else None
    if as_json:
        echo_json({"hotspots": len(table), "days": days, "file": file and str(file)})
        return
    echo_lines(f"{one['day']}  {one['hotspots']:5d} hotspots  {one['frp_mw']:10.1f} MW" for one in days)
    echo(f"{len(table)} hotspots" + (f" in {file}" if file else ""))


def register(app: typer.Typer) -> None:
    """Add the commands to the tree."""
    app.command()(fire)
    app.command()(hotspots)
