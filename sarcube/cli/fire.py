"""`sarcube fire`: active fires of a Sentinel-3 granule."""

from __future__ import annotations

from pathlib import Path

import typer

from sarcube.cli.output import JSON, echo, echo_json, echo_lines


def fire(
    scene: Path = typer.Argument(..., help="SL_1_RBT granule of SLSTR: SEN3 folder or zip"),
    aoi: str = typer.Option(None, "--aoi", help="west,south,east,north, a GeoJSON file, or WKT; none: the granule"),
    out: Path = typer.Option("fires", "--out", "-o", help="folder for hotspots and rasters"),
    method: str = typer.Option("contextual", "--method", help="contextual, or gep (fixed thresholds)"),
    land_cover: Path = typer.Option(None, "--land-cover", help="raster of CCI or C3S land cover classes"),
    as_json: bool = JSON,
) -> None:
    """Find active fires in a Sentinel-3 SLSTR granule.

    Writes hotspots (GeoJSON, GeoParquet) with temperatures, radiative power and confidence, a cloud mask, and by day
    reflectance of S6, S5, S3, S2, S1, as COGs on multiples of 0.01 degrees.

    Example: sarcube fire S3B_SL_1_RBT____20230908T093409_....SEN3 --aoi=23,40,27,43 --out fires
    """
    from sarcube.cli.output import bounding_box
    from sarcube.config import Aoi
    from sarcube.geometry.aoi import load_aoi
    from sarcube.workflows.active_fire.products import make_fires

    asked = None
    if aoi is not None:
        if aoi[:1].isalpha() and "(" in aoi:
            asked = Aoi(wkt=aoi)
        else:
            asked = Aoi(geojson=Path(aoi)) if aoi.endswith("json") else Aoi(bbox=bounding_box(aoi))
    made = make_fires(scene, out, load_aoi(asked), method, land_cover)
    table = made.hotspots
    total = float(table["FRP"].sum())
    if as_json:
        files = {name: str(path) for name, path in made.files.items()}
        echo_json({"hotspots": len(table), "frp_mw": round(total, 1), "files": files, "remarks": list(made.remarks)})
        return
    echo(f"{len(table)} hotspots, {total:.1f} MW in all: {made.files['hotspots']}")
    echo_lines(f"note: {remark}" for remark in made.remarks)


def register(app: typer.Typer) -> None:
    """Add the command to the tree."""
    app.command()(fire)
