"""Commands on finished products: cube, mosaic, compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from sarcube.cli.output import JSON, bounding_box, echo_json

if TYPE_CHECKING:
    import xarray as xr

_STORE = typer.Argument(..., help="store (folder or s3:// prefix), or a folder of OPERA RTC-S1 files")
_BBOX = typer.Option(None, "--bbox", help="west,south,east,north in degrees")
_DATES = typer.Option(None, "--dates", help='"2023", "2023-09" or "2023-09-01,2023-09-30"')
_LAYERS = typer.Option(None, "--layers", help="like VV,VH,mask; default: polarizations and mask")
_RESOLUTION = typer.Option(None, "--resolution", help="pixel size; default: that of the products")
_CRS = typer.Option(None, "--crs", help="EPSG code; default: that of most products")
_GROUP = typer.Option("pass", "--group", help="what makes a time step: pass, acquisition, day or track")
_MERGE = typer.Option("first", "--merge", help="where bursts overlap: first, mean, looks or centre")


def _open(
    store: str,
    bbox: str | None,
    dates: str | None,
    layers: str | None,
    resolution: float | None,
    crs: int | None,
    group: str,
    **options: Any,
) -> xr.Dataset:
    from sarcube.cube.open_cube import open_cube

    return open_cube(
        store,
        bbox=bounding_box(bbox),
        dates=tuple(dates.split(",")) if dates and "," in dates else dates,  # type: ignore[arg-type]
        layers=layers.split(",") if layers else None,
        resolution=resolution,
        crs=crs,
        group=group,  # type: ignore[arg-type]
        **options,
    )


def _facts(cube: xr.Dataset) -> dict[str, Any]:
    from sarcube.cube.grid_of import grid_of

    grid = grid_of(cube)
    return {
        "dims": {str(k): int(v) for k, v in cube.sizes.items()},
        "layers": [str(name) for name in cube.data_vars],
        "crs": grid.crs,
        "bounds": list(grid.bounds),
        "resolution": grid.resolution,
        "times": [str(t)[:19] for t in cube["time"].values],
        "gigabytes": round(cube.nbytes / 1e9, 3),
    }


def cube(
    store: str = _STORE,
    out: Path = typer.Option(None, "--out", "-o", help="write it: .zarr, .nc, or a folder for COGs; none: describe it"),
    bbox: str = _BBOX,
    dates: str = _DATES,
    layers: str = _LAYERS,
    resolution: float = _RESOLUTION,
    crs: int = _CRS,
    group: str = _GROUP,
    merge: str = _MERGE,
    static: bool = typer.Option(False, "--static", help="add the static layers"),
    as_json: bool = JSON,
) -> None:
    """Open a store as one cube; describe it or write it out.

    Example: sarcube cube store --bbox=-8.4,31.6,-8.1,31.8 --layers VV,VH --out region.zarr
    """
    from sarcube.cube.export import write_cube

    opened = _open(store, bbox, dates, layers, resolution, crs, group, merge=merge, static=static)
    if out is not None:
        write_cube(opened, out)
    if as_json:
        echo_json(_facts(opened) | ({"written": str(out)} if out else {}))
    else:
        typer.echo(opened)
        if out:
            typer.echo(f"written to {out}")


def mosaic(
    store: str = _STORE,
    out: Path = typer.Option(Path("mosaics"), "--out", "-o", help="folder for the COGs and their STAC items"),
    bbox: str = _BBOX,
    dates: str = _DATES,
    layers: str = _LAYERS,
    resolution: float = _RESOLUTION,
    crs: int = _CRS,
    method: str = typer.Option("first", "--method", help="first, mean, looks, centre or resolution"),
    by: str = typer.Option("pass", "--by", help='what becomes one mosaic: pass, day, all, or a period like "MS"'),
    as_json: bool = JSON,
) -> None:
    """Write mosaics as COGs, one per pass, day or period.

    Example: sarcube mosaic store --layers VV,VH --method looks --out mosaics
    """
    from sarcube.cube.cog_export import write_cogs
    from sarcube.cube.mosaic import mosaic as merged

    # Bursts of one pass are merged as they are read; what is left to merge are passes.
    merge = method if method in ("first", "mean", "looks", "centre") else "first"
    static = ["rtc_anf_gamma0_to_beta0"] if method == "resolution" else False
    opened = _open(store, bbox, dates, layers, resolution, crs, "pass", merge=merge, static=static)
    items = write_cogs(merged(opened, method=method, by=by), out)  # type: ignore[arg-type]
    if as_json:
        echo_json([item.to_dict() for item in items])
    else:
        for item in items:
            typer.echo(f"{item.id}  {', '.join(item.assets)}")
        typer.echo(f"{len(items)} mosaics in {out}")


def compare(
    a: Path = typer.Argument(..., help="a product: its item's JSON, or a folder of <...>_<layer>.tif"),
    b: Path = typer.Argument(..., help="the product to compare it with"),
    picture: Path = typer.Option(None, "--picture", "-p", help="draw A, B and A - B into this PNG"),
    as_json: bool = JSON,
) -> None:
    """Compare two products layer by layer: differences, shifts, masks.

    Example: sarcube compare native/item.json isce3/item.json --picture difference.png
    """
    from sarcube.products.compare import compare_products, comparison_table, draw_comparison

    found = compare_products(a, b)
    if picture:
        draw_comparison(a, b, picture)
    if as_json:
        echo_json([layer.as_dict() for layer in found])
    else:
        typer.echo(comparison_table(found))


def register(app: typer.Typer) -> None:
    """Add the commands to the tree."""
    for command in (cube, mosaic, compare):
        app.command()(command)
