"""Commands for Sentinel-2: s2, burned-area."""

from __future__ import annotations

from pathlib import Path

import typer

from sarcube.cli.output import JSON, echo, echo_json, echo_lines


def s2(
    input: Path = typer.Option(..., "--input", help="SAFE folder or zip, L2A or L1C"),
    bands: str = typer.Option("B2,B3,B4,B8", "--bands", help="comma-separated; B4 or B04"),
    outdir: Path = typer.Option(..., "--outdir", help="folder of the result"),
    landseamask: str = typer.Option("None", "--landseamask", help="what becomes no data: Land, Sea or None"),
    cloudmask: str = typer.Option("None", "--cloudmask", help="whose clouds become no data: L1C, L2A or None"),
    aoi: str = typer.Option("", "--AoI", "--aoi", help="WKT in degrees, or a file: GeoJSON, GeoPackage, ..."),
    resolution: float = typer.Option(10.0, "--resolution", help="metres; degrees with a --projection in degrees"),
    upsampling: str = typer.Option("Nearest", "--upsampling", help="Nearest, Bilinear or Bicubic"),
    downsampling: str = typer.Option("First", "--downsampling", help="First, Min, Max, Mean or Median"),
    flagdownsampling: str = typer.Option(
        "First", "--flagdownsampling", "--flag_downsampling",
        help="First, FlagAnd, FlagOr, FlagMedianAnd or FlagMedianOr",
    ),
    projection: str = typer.Option("Auto", "--projection", help="Auto (UTM) or an EPSG code"),
    output_format: str = typer.Option("COG", "--output_format", "--output-format", help="COG, GeoTIFF, any of GDAL's"),
    cloud_shadow: bool = typer.Option(False, "--cloud-shadow", help="L2A: shadow of clouds, too"),
    cloud_buffer: float = typer.Option(0.0, "--cloud-buffer", help="metres around clouds"),
    dem: str = typer.Option(None, "--dem", help="--landseamask: heights above the geoid"),
    water: Path = typer.Option(None, "--water", help="--landseamask: raster or GeoJSON of water"),
    sen2cor: Path = typer.Option(None, "--sen2cor", help="L2A_Process, for L1C"),
    as_json: bool = JSON,
) -> None:  # fmt: skip
    """Preprocess one Sentinel-2 product, with the options of AI4Copernicus's S2-preprocess.

    Example: sarcube s2 --input S2A_MSIL2A_...SAFE --bands B2,B3,B4,B8 --outdir out
    """
    from sarcube.config import DemConfig
    from sarcube.workflows.sentinel2.command import preprocess, section_of
    from sarcube.workflows.sentinel2.section import Sentinel2Section

    section = section_of(
        Sentinel2Section,
        bands=bands,
        resolution=resolution,
        land_sea=landseamask,
        cloud_mask=cloudmask,
        upsampling=upsampling,
        downsampling=downsampling,
        flag_downsampling=flagdownsampling,
        cloud_shadow=cloud_shadow,
        cloud_buffer=cloud_buffer,
        water=water,
        sen2cor=sen2cor,
    )
    heights = DemConfig(path=dem, heights="egm2008") if dem else None
    path, notes = preprocess(
        input, outdir, section, aoi=aoi, projection=projection, output_format=output_format, dem=heights
    )
    if as_json:
        echo_json({"written": str(path), "notes": notes})
        return
    echo_lines(f"note: {note}" for note in notes)
    echo(str(path))


def burned_area(
    before: Path = typer.Argument(..., help="product before the fire: SAFE folder or zip"),
    after: Path = typer.Argument(..., help="product after it, of the same tile"),
    out: Path = typer.Option(..., "--out", "-o", help="folder of layers, hectares.csv and perimeters.geojson"),
    aoi: str = typer.Option("", "--aoi", help="WKT in degrees, or a file: GeoJSON, GeoPackage, ..."),
    resolution: float = typer.Option(20.0, "--resolution", help="metres"),
    as_json: bool = JSON,
) -> None:
    """Map what burned between two dates: dNBR, RBR, RdNBR, severity, hectares and perimeters.

    Example: sarcube burned-area S2A_MSIL2A_...before.SAFE S2A_MSIL2A_...after.SAFE --out burned
    """
    from sarcube.workflows.sentinel2.command import write_burned_area

    hectares, notes = write_burned_area(before, after, out, aoi=aoi, resolution=resolution)
    if as_json:
        echo_json({"written": str(out), "hectares": hectares, "notes": notes})
        return
    echo_lines(f"note: {note}" for note in notes)
    echo_lines(f"{name:15}{area:12.2f} ha" for name, area in hectares.items())


def register(app: typer.Typer) -> None:
    """Add the commands to the tree."""
    app.command(name="s2")(s2)
    app.command(name="burned-area")(burned_area)
