"""What the notebooks work on where there is no real archive: small simulated ones, made at first use.

Kept under `data/` beside the notebooks (or in $SARCUBE_NOTEBOOK_DATA), so that each is made once.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from rasterio.warp import transform_bounds

import sarcube
from sarcube.cluster import Profile, connect
from sarcube.production.plan.run_file import archive_options, run_file_text
from sarcube.simulate.archive import simulate
from sarcube.simulate.options import SimulationOptions


def data_folder() -> Path:
    """Where archives and stores of the notebooks lie."""
    return Path(os.environ.get("SARCUBE_NOTEBOOK_DATA", "data"))


def region() -> Path:
    """Run file of 9 x 8 km of hills, forest, fields and a lake: two sub-swaths, three dates, a clear-cut."""
    lon, lat = 8.2, 48.0
    options = SimulationOptions(
        center=(lon, lat),
        aoi=(lon - 0.06, lat - 0.036, lon + 0.06, lat + 0.036),
        crop=True,
        bursts=1,
        dates=(dt.date(2024, 5, 1), dt.date(2024, 5, 13), dt.date(2024, 5, 25)),
        clearcut_after=2,
    )
    return _run_file("region", options)


def passes() -> Path:
    """Archive of 4 x 4 km of one track: three dates of one scattering ground, and a fourth that covers half of it."""
    folder = data_folder()
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / "passes-archive"
    if not (archive / "simulation.json").exists():
        west, south, east, north = 8.17, 47.98, 8.23, 48.02
        options = SimulationOptions(
            center=(8.2, 48.0), swaths=("IW1",), bursts=1, aoi=(west, south, east, north), crop=True, coherent=True
        )  # fmt: skip
        half = replace(options, aoi=(west, south, 8.19, north), dates=(dt.date(2024, 6, 6),))
        more = simulate(folder / "passes-more", half)
        made = simulate(archive, options)
        for part, beside in ((more.scenes[0], made.scenes[0].parent), (next(more.orbits.iterdir()), made.orbits)):
            part.rename(beside / part.name)
        shutil.rmtree(more.directory)
    return archive


def bounds_of(cube: Any) -> tuple[float, float, float, float]:
    """West, south, east, north of a cube, degrees."""
    grid = cube.sar.grid
    return transform_bounds(f"EPSG:{grid.epsg}", "EPSG:4326", *grid.bounds)


def beside(cube: Any) -> Path:
    """Run file of one more acquisition of a cube's place, on its grid."""
    west, south, east, north = bounds_of(cube)
    grid = cube.sar.grid
    options = SimulationOptions(
        center=((west + east) / 2, (south + north) / 2),
        direction="ascending",
        aoi=(west - 0.02, south - 0.02, east + 0.02, north + 0.02),
        crop=True,
        swaths=("IW2",),
        bursts=1,
        dates=(dt.date(2025, 1, 14),),
    )
    return _run_file("beside", options, f"grid: {{resolution: {grid.resolution:g}, crs: {grid.epsg}}}")


def year() -> Path:
    """Run file of a few kilometres, one burst, twelve dates over a year, cut after the eighth."""
    options = SimulationOptions(
        center=(8.2, 48.0),
        swaths=("IW2",),
        bursts=1,
        burst_size=(320, 1600),
        dates=tuple(dt.date(2023, 1, 10) + dt.timedelta(days=12 * step) for step in range(0, 36, 3)),
        clearcut_after=8,
        seed=3,
    )
    return _run_file("year", options)


def produced(run_file: Path) -> str:
    """The store of a run, made where it is not there yet."""
    config = sarcube.RunConfig.from_file(run_file)
    if sarcube.plan(config).tasks:
        made(config)
    return config.store


def made(config: sarcube.RunConfig) -> Any:
    """Make what a run lacks, in a cluster of one thread of this process: so little is to do."""
    with connect(Profile(name="here", kind="local", workers=1, options={"processes": False})) as client:
        return sarcube.produce(sarcube.plan(config), client)


def _run_file(name: str, options: SimulationOptions, grid: str = "") -> Path:
    folder = data_folder()
    folder.mkdir(parents=True, exist_ok=True)
    archive, path = folder / f"{name}-archive", folder / f"{name}.yaml"
    if not (archive / "simulation.json").exists():
        simulate(archive, options)
    if not path.exists():
        text = run_file_text(archive_options(archive, f"./{name}-store", relative_to=folder))
        path.write_text(text.replace("grid: {resolution: 20, crs: auto}", grid) if grid else text)
    return path
