"""`sarcube insar`: what people do with pairs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import typer

from sarcube.cli.cubes import Selection, selecting
from sarcube.cli.displacement import displacement
from sarcube.cli.hyp3 import Hyp3Command, burst, merge, power_of, scene
from sarcube.cli.output import JSON, echo, echo_json, echo_lines

_insar = typer.Typer(help="What people do with interferograms.", no_args_is_help=True)


@_insar.callback()
def _group() -> None:
    """What people do with interferograms."""


@selecting
def unwrap(
    selection: Selection,
    out: str = typer.Option("unwrapped", "--out", "-o", help="folder or s3:// prefix: a folder per pair, COGs in it"),
    pair: str = typer.Option(None, "--pair", help="only this one: 2024-05-01,2024-05-13"),
    method: str = typer.Option(
        "whirlwind", "--method", help="whirlwind, or snaphu: begins with a solver licensed for non-commercial use only"
    ),
    alpha: str = typer.Option("0.5", "--alpha", help="Goldstein filter, 0 to 1, or baran: one minus the coherence"),
    water: Path = typer.Option(None, "--water", help="left out: raster (water is not 0) or GeoJSON polygons of water"),
    overwrite: bool = typer.Option(False, "--overwrite", help="write anew what is there already"),
    as_json: bool = JSON,
) -> None:
    """Merge the bursts of each pair, filter and unwrap the whole once.

    Example: sarcube insar unwrap store --pair 2024-05-01,2024-05-13 --out unwrapped
    """
    from sarcube.cube.cog_export import CogOptions, write_cogs
    from sarcube.cube.grid_of import grid_of
    from sarcube.cube.unwrap import INPUTS, UnwrapOptions, only, pair_name, unwrap_pairs
    from sarcube.engines.insar.unwrap import NOT_COMMERCIAL

    if selection.collection is None:
        selection = replace(selection, collection="s1_insar")
    cube = selection.open(",".join(INPUTS), merge="looks")
    if pair is not None:
        cube = only(cube, pair.split(","))
    written = []
    for made in unwrap_pairs(cube, UnwrapOptions(power_of(alpha), method, water)):  # type: ignore[arg-type]
        folder = f"{out.rstrip('/')}/{pair_name(made)}"
        write_cogs(made, folder, CogOptions(prefix="insar", overwrite=overwrite))
        grid = grid_of(made)
        facts = {
            "pair": pair_name(made),
            "written": folder,
            "bursts": int(made["merged"].values[0]),
            "shape": list(grid.shape),
            "components": made.attrs["components"],
            "looks": made.attrs["sarcube_unwrapping_looks"],
            "layers": [str(name) for name in made.data_vars],
        }
        written.append(facts)
        if not as_json:
            echo(
                f"{facts['bursts']} bursts, {grid.width} x {grid.height} pixels, {facts['components']} components, "
                f"{facts['looks']:g} looks: {folder}"
            )
    remarks = [NOT_COMMERCIAL] if method == "snaphu" else []
    if water is None:
        remarks.append("water was not masked; --water leaves it out")
    if as_json:
        echo_json({"pairs": written, "remarks": remarks})
        return
    echo_lines(f"note: {remark}" for remark in remarks)


def register(app: typer.Typer) -> None:
    """Add the commands to the tree."""
    _insar.command()(unwrap)
    _insar.command()(displacement)
    _insar.command(cls=Hyp3Command)(burst)
    _insar.command(cls=Hyp3Command)(scene)
    _insar.command(cls=Hyp3Command)(merge)
    app.add_typer(_insar, name="insar")
