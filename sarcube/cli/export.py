"""`sarcube export`: products of a store in the layout that other programs read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from sarcube.cli.hyp3 import power_of
from sarcube.cli.output import JSON, echo, echo_json, echo_lines

if TYPE_CHECKING:
    from sarcube.cube.hyp3.export import ExportOptions


def export(
    store: str = typer.Argument(..., help="store (folder or s3:// prefix) of interferograms"),
    layout: Literal["hyp3", "dolphin"] = typer.Option(
        ..., "--as", help="hyp3: a zip per pair, which MintPy reads; dolphin: geocoded SLCs as HDF5"
    ),
    out: Path = typer.Option(Path("exported"), "--out", "-o", help="folder"),
    pair: str = typer.Option(None, "--pair", help="only this one: 2024-05-01,2024-05-13"),
    dates: str = typer.Option(None, "--dates", help='pairs that begin in "2023", "2023-09" or "2023-09-01,2023-09-30"'),
    tracks: str = typer.Option(None, "--tracks", help="only these relative orbits, like 52,154"),
    bursts: str = typer.Option(None, "--bursts", help="only these burst IDs, with commas between them"),
    water: Path = typer.Option(None, "--water", help="raster (water is not 0) or GeoJSON polygons of water"),
    apply_water_mask: bool = typer.Option(False, "--apply-water-mask", help="leave water out before unwrapping"),
    method: str = typer.Option(
        "whirlwind", "--method", help="whirlwind, or snaphu: its solver is for non-commercial use only"
    ),
    alpha: str = typer.Option("0.5", "--alpha", help="Goldstein filter, 0 to 1, or baran: one minus the coherence"),
    as_json: bool = JSON,
) -> None:
    """Write products of a store as other programs read them.

    hyp3: all bursts of a pair merged, filtered and unwrapped once, in a zip with the names, layers, units, signs and
    parameters of HyP3-ISCE2. All zips of a track have one grid, so that MintPy takes them as a stack. Pairs that a run
    has merged already (merge: true) are taken as they are.

    dolphin: the geocoded SLCs that a run has kept (keep_slc), an HDF5 file per burst and date in the layout of OPERA's
    CSLC-S1. Options of pairs, water, filter and unwrapping say nothing here.

    Example: sarcube export store --as hyp3 --pair 2024-05-01,2024-05-13 --out zips
    """
    from sarcube.cube.dolphin import DolphinOptions, export_dolphin
    from sarcube.cube.hyp3.export import ExportOptions, export_hyp3
    from sarcube.cube.unwrap import UnwrapOptions
    from sarcube.errors import ConfigError

    days = None
    if pair is not None:
        if len(parts := pair.split(",")) != 2:
            raise ConfigError(f"--pair wants two days, like 2024-05-01,2024-05-13, not {pair!r}")
        days = parts[0].strip(), parts[1].strip()
    try:
        orbits = None if tracks is None else [int(text) for text in tracks.split(",")]
    except ValueError as error:
        raise ConfigError(f"--tracks wants relative orbits like 52,154, not {tracks!r}") from error
    if apply_water_mask and water is None:
        raise ConfigError("--apply-water-mask needs to know where water is: name a raster or GeoJSON with --water")
    span = dates.split(",") if dates and "," in dates else dates
    places = None if bursts is None else [text.strip() for text in bursts.split(",")]
    if layout == "dolphin":
        _say(export_dolphin(store, out, DolphinOptions(span, orbits, places)), [], as_json)
        return
    options = ExportOptions(
        UnwrapOptions(power_of(alpha), method, water),  # type: ignore[arg-type]
        apply_water_mask,
        days,
        span,
        orbits,
        places,
    )
    _say(export_hyp3(store, out, options), _remarks(store, options), as_json)


def _say(made: Iterable[Path], remarks: list[str], as_json: bool) -> None:
    """Each file as soon as it is there."""
    written = []
    for path in made:
        written.append(path)
        if not as_json:
            echo(path)
    if as_json:
        echo_json({"products": written, "remarks": remarks})
    else:
        echo_lines(f"note: {remark}" for remark in remarks)


def _remarks(store: str, options: ExportOptions) -> list[str]:
    from sarcube.cube.hyp3.export import has_merged
    from sarcube.engines.insar.unwrap import NOT_COMMERCIAL

    if has_merged(store, options.places):
        return ["the store has merged pairs: they are exported as they are, whatever --water, --method and --alpha say"]
    said = [NOT_COMMERCIAL] if options.unwrap.method == "snaphu" else []
    if options.unwrap.water is None:
        said.append("no --water was given: the products' water masks are all land")
    return said


def register(app: typer.Typer) -> None:
    """Add the command to the tree."""
    app.command()(export)
