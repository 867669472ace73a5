"""`sarcube insar displacement`: a network of unwrapped pairs inverted for displacement through time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sarcube.cli.cubes import Selection, selecting
from sarcube.cli.output import JSON, echo, echo_json

if TYPE_CHECKING:
    from sarcube.cube.series import Where

_LAYERS = ("unwrapped_phase", "coherence", "connected_components")


@selecting
def displacement(
    selection: Selection,
    out: str = typer.Option("displacement", "--out", "-o", help="folder or s3:// prefix for COGs and STAC; .zarr; .nc"),
    reference: str = typer.Option(
        None, "--reference", help="where it is 0: lon,lat or west,south,east,north or a GeoJSON; default: most coherent"
    ),
    weights: str = typer.Option("none", "--weights", help="none, or coherence: by the variance that it tells"),
    components: bool = typer.Option(
        True, "--components/--no-components", help="only what is in one component with the reference"
    ),
    overwrite: bool = typer.Option(False, "--overwrite", help="write anew what is there already"),
    as_json: bool = JSON,
) -> None:
    """Displacement and velocity of a network of unwrapped pairs (SBAS), along the line of sight.

    Least squares over a connected network, pixel by pixel; positive towards the sensor. Of what `sarcube insar unwrap`
    wrote, or of a store of unwrapped pairs.

    Example: sarcube insar displacement unwrapped --reference=8.2,48.0 --weights coherence --out displacement
    """
    from sarcube.cube.pairs.displacement import SeriesOptions, write_displacement
    from sarcube.cube.pairs.displacement import displacement as invert

    wanted = [name for name in _LAYERS if components or name != _LAYERS[2]]
    cube = selection.open(",".join(wanted), chunks={"time": -1, "y": 512, "x": 512})
    made = invert(cube, SeriesOptions(_place(reference), weights, components))  # type: ignore[arg-type]
    written = write_displacement(made, out, overwrite=overwrite)
    facts = {
        "written": written,
        "dates": [str(time)[:10] for time in made["time"].values],
        "pairs": cube.sizes["time"],
        "reference": made.attrs["sarcube_reference"],
        "reference_pixels": made.attrs["sarcube_reference_pixels"],
        "layers": [str(name) for name in made.data_vars],
    }
    if as_json:
        echo_json(facts)
        return
    echo(f"{facts['pairs']} pairs of {len(facts['dates'])} dates, 0 at {facts['reference']}: {written}")


def _place(text: str | None) -> Where | None:
    """A reference as the command line takes it."""
    if text is None:
        return None
    if Path(text).suffix.lower() in (".geojson", ".json"):
        from sarcube.config import Aoi
        from sarcube.geometry.aoi import load_aoi

        area = load_aoi(Aoi(geojson=Path(text)))
        return None if area is None else area.shape
    return [float(part) if _number(part) else part for part in text.replace(",", " ").split()]


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
