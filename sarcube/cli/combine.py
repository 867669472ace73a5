"""`sarcube combine`: band combinations of any mission."""

from __future__ import annotations

from pathlib import Path

import typer

from sarcube.cli.output import JSON, bounding_box, echo, echo_json, echo_lines


def combine(
    inputs: list[str] = typer.Argument(
        ..., help="[name=]path[@date]: a store, a Sentinel-2 SAFE (folder, zip), any raster that GDAL reads"
    ),
    red: str = typer.Option("", "--red", help="expression over bands: VV, band_1, nir, pre.VV, nd(B08, B04)"),
    green: str = typer.Option("", "--green"),
    blue: str = typer.Option("", "--blue"),
    preset: str = typer.Option(None, "--preset", help="true-color, swir, sar-ratio, change or coherence"),
    out: Path = typer.Option("combination.tif", "--out", "-o", help="COG to write; legend and item beside it"),
    profile: str = typer.Option(None, "--profile", help="percentile (2 to 98), minmax, reflectance, sar (dB) or unit"),
    extent: str = typer.Option("intersection", "--extent", help="intersection or union of what the inputs show"),
    resolution: str = typer.Option("highest", "--resolution", help="highest, lowest, average, or a pixel size"),
    crs: int = typer.Option(None, "--crs", help="EPSG code; default: that of most bands"),
    bbox: str = typer.Option(None, "--bbox", help="west,south,east,north in degrees"),
    formula: str = typer.Option("", "--formula", help='colour formula: "Gamma RGB 1.2 Saturation 1.1"'),
    resampling: str = typer.Option("bilinear", "--resampling", help="nearest, bilinear or cubic"),
    values: bool = typer.Option(False, "--values", help="write the three channels as float32 too"),
    overwrite: bool = typer.Option(False, "--overwrite", help="write anew what is there already"),
    as_json: bool = JSON,
) -> None:
    """Combine bands of any inputs into red, green and blue.

    Expressions have arithmetic, comparisons, and where, min, max, log10, sqrt, abs, db, nd, stretch.

    Example: sarcube combine store@2024-05-01 --red "db(VV)" --green "db(VH)" --blue "VV / VH" --out rgb.tif
    """
    from sarcube.cube.combine import CHANNELS, CombineOptions, write_combination
    from sarcube.cube.combine import combine as combined

    options = CombineOptions(
        red, green, blue, preset, profile, extent, resolution, crs, bounding_box(bbox), formula, resampling,  # type: ignore[arg-type]
    )  # fmt: skip
    made = combined(inputs, options)
    written = write_combination(made, out, values=values, overwrite=overwrite)
    shown = {c: (made.expressions[c].text, r) for c, r in zip(CHANNELS, written.ranges, strict=True)}
    if as_json:
        echo_json(
            {
                "written": [written.picture, written.legend, written.item, *written.values],
                "crs": made.grid.crs,
                "resolution": made.grid.resolution,
                "shape": list(made.grid.shape),
                "channels": {c: {"expression": text, "range": list(r)} for c, (text, r) in shown.items()},
                "remarks": list(made.remarks),
            }
        )
        return
    echo_lines(f"{c:6}{text}: {low:.4g} to {high:.4g}" for c, (text, (low, high)) in shown.items())
    echo_lines(f"note: {remark}" for remark in made.remarks)
    echo(f"{made.grid.width} x {made.grid.height} pixels of {made.grid.resolution:g} in {made.grid.crs}: {out}")


def register(app: typer.Typer) -> None:
    """Add the command to the tree."""
    app.command()(combine)
