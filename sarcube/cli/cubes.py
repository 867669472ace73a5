"""Commands on finished products: cube, mosaic, timescan, compare."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sarcube.cli.output import JSON, bounding_box, echo, echo_json, echo_lines
from sarcube.words import several

if TYPE_CHECKING:
    import xarray as xr
    from typer.models import OptionInfo

_OUT = "folder or s3:// prefix for COGs and STAC; .zarr; .nc"
_LAYERS = typer.Option(None, "--layers", help="like VV,VH,mask; default: polarizations and mask")
_MERGE = typer.Option("first", "--merge", help="where bursts overlap: first, mean, looks or centre")
_PREVIEW = typer.Option(None, "--preview", help="folder for a PNG of every time step")
_VERSIONED = typer.Option(False, "--versioned", help="Zarr with versions (icechunk): one commit per batch of regions")
_OVERWRITE = typer.Option(False, "--overwrite", help="write anew what is there already")


def _option(name: str, text: str) -> OptionInfo:
    option: OptionInfo = typer.Option(name, help=text)
    return option


@dataclass(frozen=True)
class Selection:
    """What of a store is opened: the arguments and options that cube, mosaic and timescan share."""

    store: Annotated[str, typer.Argument(help="store (folder or s3:// prefix), or a folder of OPERA RTC-S1 files")]
    bbox: Annotated[str | None, _option("--bbox", "west,south,east,north in degrees")] = None
    dates: Annotated[str | None, _option("--dates", '"2023", "2023-09" or "2023-09-01,2023-09-30"')] = None
    resolution: Annotated[float | None, _option("--resolution", "pixel size; default: that of the products")] = None
    crs: Annotated[int | None, _option("--crs", "EPSG code; default: that of most products")] = None
    direction: Annotated[str | None, _option("--direction", "only ascending or only descending passes")] = None
    tracks: Annotated[str | None, _option("--tracks", "only these relative orbits, like 52,154")] = None
    collection: Annotated[str | None, _option("--collection", "only this collection of the store, or several: a,b")] = (
        None
    )

    elsewhere: Annotated[
        list[str] | None, _option("--elsewhere", "folder or address besides the store where its files may lie")
    ] = None

    def open(self, layers: str | None, **options: Any) -> xr.Dataset:
        """Open the cube, with further options of `open_cube`."""
        from sarcube.cube.open_cube import open_cube

        keywords = self.keywords()
        return open_cube(keywords.pop("store"), layers=layers.split(",") if layers else None, **keywords, **options)

    def keywords(self) -> dict[str, Any]:
        """Keywords of `open_cube`, the store among them."""
        from sarcube.errors import ConfigError

        try:
            orbits = [int(t) for t in self.tracks.split(",")] if self.tracks else None
        except ValueError as error:
            raise ConfigError(f"--tracks wants relative orbits like 52,154, not {self.tracks!r}") from error
        return {
            "store": self.store,
            "bbox": bounding_box(self.bbox),
            "dates": self.dates.split(",") if self.dates and "," in self.dates else self.dates,
            "resolution": self.resolution,
            "crs": self.crs,
            "orbit_direction": self.direction,
            "relative_orbits": orbits,
            "collection": self.collection.split(",") if self.collection and "," in self.collection else self.collection,
            "elsewhere": self.elsewhere or False,
        }


def selecting(command: Callable[..., None]) -> Callable[..., None]:
    """Spread a command's first parameter, a `Selection`, over the command line."""

    @functools.wraps(command)
    def spread(**given: Any) -> None:
        command(Selection(**{field.name: given.pop(field.name) for field in fields(Selection)}), **given)

    def parameters(of: Callable[..., object]) -> list[inspect.Parameter]:
        return [
            p.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for p in inspect.signature(of, eval_str=True).parameters.values()
        ]

    shown = [*parameters(Selection), *parameters(command)[1:]]
    spread.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    spread.__annotations__ = {p.name: p.annotation for p in shown}
    return spread


def _facts(cube: xr.Dataset, written: str | None, pictures: Sequence[Path] = ()) -> dict[str, object]:
    from sarcube.cube.grid_of import grid_of

    grid = grid_of(cube)
    facts = {
        "dims": {str(k): int(v) for k, v in cube.sizes.items()},
        "layers": [str(name) for name in cube.data_vars],
        "crs": grid.crs,
        "bounds": list(grid.bounds),
        "resolution": grid.resolution,
        "times": [str(t)[:19] for t in cube["time"].values] if "time" in cube.dims else [],
        "gigabytes": round(cube.nbytes / 1e9, 3),
    }
    facts |= {"written": written} if written else {}
    return facts | ({"previews": [str(p) for p in pictures]} if pictures else {})


@selecting
def cube(
    selection: Selection,
    out: str = typer.Option(None, "--out", "-o", help="write it: .zarr, .nc, or a folder for COGs; none: describe it"),
    layers: str = _LAYERS,
    group: str = typer.Option("pass", "--group", help="what makes a time step: pass, acquisition, day or track"),
    merge: str = _MERGE,
    static: bool = typer.Option(False, "--static", help="add the static layers"),
    versioned: bool = _VERSIONED,
    overwrite: bool = _OVERWRITE,
    preview: Path = _PREVIEW,
    as_json: bool = JSON,
) -> None:
    """Open a store as one cube; describe it or write it out.

    Zarr: an earlier call that was stopped is continued. A folder gets one COG per time step and layer, with STAC items.

    Example: sarcube cube store --bbox=-8.4,31.6,-8.1,31.8 --layers VV,VH --out region.zarr
    """
    from sarcube.cube.export import write_cube, write_previews

    opened = selection.open(layers, group=group, merge=merge, static=static)
    written = write_cube(opened, out, versioned=versioned, overwrite=overwrite) if out is not None else None
    pictures = write_previews(opened, preview) if preview is not None else []
    if as_json:
        echo_json(_facts(opened, out, pictures))
        return
    echo(opened)
    echo_lines([f"written: {written}"] if written else [])
    echo_lines([f"{len(pictures)} previews in {preview}"] if pictures else [])


@selecting
def mosaic(
    selection: Selection,
    out: str = typer.Option("mosaics", "--out", "-o", help=_OUT),
    layers: str = _LAYERS,
    method: str = typer.Option("first", "--method", help="first, mean, median, best, looks, centre or resolution"),
    by: str = typer.Option(
        "pass", "--by", help="what becomes one mosaic: pass, day, all, or a period like 12D or MS (month)"
    ),
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

    opened = selection.open(layers, **opening(method))  # type: ignore[arg-type]
    merged = merge_steps(opened, method=method, by=by)  # type: ignore[arg-type]
    merged = merged[[name for name, v in merged.data_vars.items() if "time" in v.dims]]
    written = write_cube(merged, out, prefix="mosaic", overwrite=overwrite)
    pictures = write_previews(merged, preview) if preview is not None else []
    if as_json:
        echo_json(_facts(merged, out, pictures))
        return
    echo(f"{several(merged.sizes['time'], 'mosaic')}: {written}")
    echo_lines([f"{several(len(pictures), 'preview')} in {preview}"] if pictures else [])


@selecting
def timescan(
    selection: Selection,
    out: str = typer.Option("timescan", "--out", "-o", help=_OUT),
    layers: str = typer.Option(None, "--layers", help="like VV,VH; default: all polarizations"),
    metrics: str = typer.Option(
        "mean,median,min,max,std,cov,p5,p95,count",
        "--metrics",
        help="also p10 or p97.5, trend, and of the annual harmonic amplitude, phase, model_mean, residual",
    ),
    scale: str = typer.Option("power", "--scale", help="unit of levels: power or db (decibel)"),
    outliers: bool = typer.Option(
        False, "--remove-outliers", help="leave out what lies far from a pixel's other dates (of five or more)"
    ),
    mask: bool = typer.Option(False, "--mask", help="leave shadow and layover out"),
    merge: str = _MERGE,
    versioned: bool = _VERSIONED,
    overwrite: bool = _OVERWRITE,
    as_json: bool = JSON,
) -> None:
    """Write metrics over time: mean, percentiles, trend and more.

    One COG for each metric and polarization, with a STAC item.

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
    # Opening is cheap; the number of dates decides about the chunks.
    chunks = scan_chunks(selection.open(wanted, merge=merge).sizes["time"], options)
    opened = selection.open(wanted, merge=merge, chunks=chunks)
    scanned = scan(opened.sar.mask() if mask else opened, options)
    written = write_cube(scanned, out, versioned=versioned, prefix="timescan", overwrite=overwrite)
    if as_json:
        echo_json(_facts(scanned, out) | {"dates": scanned.attrs["dates"]})
        return
    echo(f"{', '.join(map(str, scanned.data_vars))} of {scanned.attrs['dates']} dates: {written}")


def compare(
    a: Path = typer.Argument(..., help="a product: its item's JSON, or a folder of <...>_<layer>.tif"),
    b: Path = typer.Argument(..., help="the product to compare it with"),
    picture: Path = typer.Option(None, "--picture", "-p", help="draw A, B and A - B into this PNG"),
    as_json: bool = JSON,
) -> None:
    """Compare two products layer by layer: differences, shifts, masks.

    Example: sarcube compare native/item.json isce3/item.json --picture difference.png
    """
    from sarcube.workflows.rtc.compare import compare_products, comparison_table, draw_comparison

    found = compare_products(a, b)
    if picture:
        draw_comparison(a, b, picture)
    if as_json:
        echo_json([layer.as_dict() for layer in found])
    else:
        echo(comparison_table(found))


@selecting
def composite(
    selection: Selection,
    out: Path = typer.Option(..., "--out", "-o", help="folder for COGs, pictures, legends and record"),
    preset: str = typer.Option(
        "snac", "--preset", help="snac; of pairs: coin, coherence-amplitude, change, fringes, browse-50 or browse-100"
    ),
    polarization: str = typer.Option(None, "--polarization", help="VV, VH, HH or HV; default: the first there is"),
    pair: str = typer.Option(None, "--pair", help="of pairs only this one: 2024-05-01,2024-05-13"),
    by: str = typer.Option("pass", "--by", help="of pairs: pass, bursts merged by their looks; or product, each alone"),
    stretch: str = typer.Option(None, "--stretch", help="of pairs: percentile (2 to 96), or fixed to compare pictures"),
    as_json: bool = JSON,
) -> None:
    """Make pictures of products by a preset, with layers, legend and PNG.

    snac takes the first and the last of the selected dates: bytes as GEP's S1 amplitude change makes them, -15 to 5
    dB; beside it each date in dB and their difference.

    coin shows each pair: red coherence, green mean backscatter, blue its difference, and their layers in dB;
    coherence-amplitude: red coherence, green and blue mean amplitude; change: grey within 3 dB, red brighter, blue
    darker; fringes: phase on the colour wheel; browse-50 and browse-100: all of it, and each alone, at 50 or 100 m.
    Pictures are COGs of 8 bit with alpha in EPSG:3857.

    Example: sarcube composite store --preset snac --dates 2023 --polarization VV --out change

    Example: sarcube composite pairs --preset coin --pair 2024-05-01,2024-05-13 --out coin
    """
    from sarcube.cube.composite.make import composites as make
    from sarcube.errors import ConfigError

    keywords = selection.keywords()
    days = None if pair is None else tuple(pair.split(","))
    if days is not None and len(days) != 2:
        raise ConfigError(f"--pair wants two days like 2024-05-01,2024-05-13, not {pair!r}")
    asked = {"layer": polarization, "pair": days, "by": by, "stretch": stretch}
    files = []
    for made in make(keywords.pop("store"), out, preset, **asked, **keywords):
        files += [str(path) for path in made.files]
        if not as_json:
            echo_lines([str(path) for path in made.files])
    if as_json:
        echo_json({"files": files})


def register(app: typer.Typer) -> None:
    """Add the commands to the tree."""
    for command in (cube, mosaic, timescan, composite, compare):
        app.command()(command)
