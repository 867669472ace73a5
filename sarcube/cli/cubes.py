"""Commands on finished products: cube, mosaic, timescan, compare."""

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
_DIRECTION = typer.Option(None, "--direction", help="only ascending or only descending passes")
_TRACKS = typer.Option(None, "--tracks", help="only these relative orbits, like 52,154")
_COLLECTION = typer.Option(None, "--collection", help="only this collection of the store")
_PREVIEW = typer.Option(None, "--preview", help="folder for a PNG of every time step")
_VERSIONED = typer.Option(False, "--versioned", help="write through icechunk, one commit per batch of regions")
_OVERWRITE = typer.Option(False, "--overwrite", help="write COGs again that are there")


def _open(store: str, bbox: str | None, dates: str | None, layers: str | None, **options: Any) -> xr.Dataset:
    from sarcube.cube.open_cube import open_cube
    from sarcube.errors import ConfigError

    tracks = options.pop("tracks", None)
    try:
        orbits = [int(t) for t in tracks.split(",")] if tracks else None
    except ValueError as error:
        raise ConfigError(f"--tracks wants relative orbits like 52,154, not {tracks!r}") from error
    return open_cube(
        store,
        bbox=bounding_box(bbox),
        dates=dates.split(",") if dates and "," in dates else dates,
        layers=layers.split(",") if layers else None,
        relative_orbits=orbits,
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
        "times": [str(t)[:19] for t in cube["time"].values] if "time" in cube.dims else [],
        "gigabytes": round(cube.nbytes / 1e9, 3),
    }


def cube(
    store: str = _STORE,
    out: str = typer.Option(None, "--out", "-o", help="write it: .zarr, .nc, or a folder for COGs; none: describe it"),
    bbox: str = _BBOX,
    dates: str = _DATES,
    layers: str = _LAYERS,
    resolution: float = _RESOLUTION,
    crs: int = _CRS,
    group: str = _GROUP,
    merge: str = _MERGE,
    direction: str = _DIRECTION,
    tracks: str = _TRACKS,
    collection: str = _COLLECTION,
    static: bool = typer.Option(False, "--static", help="add the static layers"),
    versioned: bool = _VERSIONED,
    overwrite: bool = _OVERWRITE,
    preview: Path = _PREVIEW,
    as_json: bool = JSON,
) -> None:
    """Open a store as one cube; describe it or write it out.

    Zarr is gone on with where an earlier call stopped. A folder gets one COG per time step and layer with STAC items.

    Example: sarcube cube store --bbox=-8.4,31.6,-8.1,31.8 --layers VV,VH --out region.zarr
    """
    from sarcube.cube.export import write_cube, write_previews

    opened = _open(
        store, bbox, dates, layers, resolution=resolution, crs=crs, group=group, merge=merge, static=static,
        orbit_direction=direction, tracks=tracks, collection=collection,
    )  # fmt: skip
    written = write_cube(opened, out, versioned=versioned, overwrite=overwrite) if out is not None else None
    pictures = write_previews(opened, preview) if preview is not None else []
    if as_json:
        files = {"written": out} if out else {}
        echo_json(_facts(opened) | files | ({"previews": [str(p) for p in pictures]} if pictures else {}))
        return
    typer.echo(opened)
    if written:
        typer.echo(f"written: {written}")
    if pictures:
        typer.echo(f"{len(pictures)} previews in {preview}")


def mosaic(
    store: str = _STORE,
    out: str = typer.Option("mosaics", "--out", "-o", help="folder or s3:// prefix for COGs and STAC; .zarr; .nc"),
    bbox: str = _BBOX,
    dates: str = _DATES,
    layers: str = _LAYERS,
    resolution: float = _RESOLUTION,
    crs: int = _CRS,
    method: str = typer.Option("first", "--method", help="first, mean, looks, centre or resolution"),
    by: str = typer.Option("pass", "--by", help='what becomes one mosaic: pass, day, all, or a period like "MS"'),
    direction: str = _DIRECTION,
    tracks: str = _TRACKS,
    collection: str = _COLLECTION,
    overwrite: bool = _OVERWRITE,
    preview: Path = _PREVIEW,
    as_json: bool = JSON,
) -> None:
    """Write mosaics as COGs, one per pass, day or period.

    Example: sarcube mosaic store --layers VV,VH --method resolution --by MS --out mosaics
    """
    from sarcube.cube.export import write_cube, write_previews
    from sarcube.cube.mosaic import mosaic as merge_steps
    from sarcube.cube.mosaic import opening

    opened = _open(
        store, bbox, dates, layers, resolution=resolution, crs=crs, orbit_direction=direction, tracks=tracks,
        collection=collection, **opening(method),  # type: ignore[arg-type]
    )  # fmt: skip
    merged = merge_steps(opened, method=method, by=by)  # type: ignore[arg-type]
    merged = merged[[name for name, v in merged.data_vars.items() if "time" in v.dims]]
    written = write_cube(merged, out, prefix="mosaic", overwrite=overwrite)
    pictures = write_previews(merged, preview) if preview is not None else []
    if as_json:
        echo_json(_facts(merged) | {"written": out} | ({"previews": [str(p) for p in pictures]} if pictures else {}))
        return
    typer.echo(f"{merged.sizes['time']} mosaics: {written}")
    if pictures:
        typer.echo(f"{len(pictures)} previews in {preview}")


def timescan(
    store: str = _STORE,
    out: str = typer.Option("timescan", "--out", "-o", help="folder or s3:// prefix for COGs and STAC; .zarr; .nc"),
    bbox: str = _BBOX,
    dates: str = _DATES,
    layers: str = typer.Option(None, "--layers", help="like VV,VH; default: all polarizations"),
    resolution: float = _RESOLUTION,
    crs: int = _CRS,
    metrics: str = typer.Option(
        "mean,median,min,max,std,cov,p5,p95,count",
        "--metrics",
        help="also p10 or p97.5, trend, and of the annual harmonic amplitude, phase, model_mean, residual",
    ),
    scale: str = typer.Option("power", "--scale", help="what levels are reported in: power or db"),
    outliers: bool = typer.Option(False, "--remove-outliers", help="where a pixel has five dates or more"),
    mask: bool = typer.Option(False, "--mask", help="leave shadow and layover out"),
    merge: str = _MERGE,
    direction: str = _DIRECTION,
    tracks: str = _TRACKS,
    collection: str = _COLLECTION,
    versioned: bool = _VERSIONED,
    overwrite: bool = _OVERWRITE,
    as_json: bool = JSON,
) -> None:
    """Write metrics over time: one COG for each metric and polarization, with a STAC item.

    Example: sarcube timescan store --dates 2023 --metrics mean,std,p5,p95 --scale db --out timescan
    """
    from sarcube.cube.export import write_cube
    from sarcube.cube.temporal import TimescanOptions, scan_chunks
    from sarcube.cube.temporal import timescan as scan

    options = TimescanOptions(
        metrics=tuple(m.strip() for m in metrics.split(",")),
        remove_outliers=outliers,
        scale=scale,  # type: ignore[arg-type]
        layers=tuple(layers.split(",")) if layers else None,
    )
    wanted = f"{layers},mask" if layers and mask else layers
    selection: dict[str, Any] = {
        "resolution": resolution, "crs": crs, "merge": merge, "orbit_direction": direction, "tracks": tracks,
        "collection": collection,
    }  # fmt: skip
    # Opening is cheap; the number of dates decides about the chunks.
    chunks = scan_chunks(_open(store, bbox, dates, wanted, **selection).sizes["time"], options)
    opened = _open(store, bbox, dates, wanted, chunks=chunks, **selection)
    scanned = scan(opened.sar.mask() if mask else opened, options)
    written = write_cube(scanned, out, versioned=versioned, prefix="timescan", overwrite=overwrite)
    if as_json:
        echo_json(_facts(scanned) | {"dates": scanned.attrs["dates"], "written": out})
        return
    typer.echo(f"{', '.join(map(str, scanned.data_vars))} of {scanned.attrs['dates']} dates: {written}")


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
    for command in (cube, mosaic, timescan, compare):
        app.command()(command)
