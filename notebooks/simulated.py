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

import yaml
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


def quake() -> Path:
    """Run file of a pair: on the real annotations of the Moroccan pair of 2023, where these are here.

    A fault through the middle slips by 60 cm between the dates; fields, forest, a meadow and a lake of their coherence.
    """
    shared = Path(os.environ.get("SARCUBE_TEST_DATA", "../../shared")) / "data"
    scenes = tuple(sorted((shared / "safe").glob("S1A_IW_SLC__1SDV_202309*.zip")))
    dem = shared / "dem" / "morocco_iw1_b0.tif"
    change = {"coherent": True, "displacement": "fault", "displacement_metres": 0.6, "seed": 4}
    bbox = (-8.39, 31.69, -8.29, 31.75)
    if len(scenes) == 2 and dem.exists():
        options = SimulationOptions(
            template=scenes, dem=dem, swaths=("IW1",), bursts=(0,), polarizations=("VV",), aoi=bbox, **change
        )  # type: ignore[arg-type]
    else:
        options = SimulationOptions(
            center=(-8.34, 31.72), swaths=("IW1",), bursts=1, polarizations=("VV",), aoi=bbox, crop=True,
            dates=(dt.date(2023, 9, 4), dt.date(2023, 9, 16)), **change,
        )  # type: ignore[arg-type]  # fmt: skip
    return _pairs_file("quake", options, 80)


def seasons() -> Path:
    """Run file of the pairs of four dates, VV and VH; a forest is cut before the last of them.

    `backscatter` makes one of the same scenes' backscatter, in the same store.
    """
    options = SimulationOptions(
        center=(8.2, 48.0),
        aoi=(8.17, 47.98, 8.23, 48.02),
        crop=True,
        swaths=("IW2",),
        bursts=1,
        dates=tuple(dt.date(2024, 5, 1) + dt.timedelta(days=12 * k) for k in range(4)),
        clearcut_after=3,
        coherent=True,
        coherence=(),
    )
    return _pairs_file("seasons", options, 40)


def backscatter(run_file: Path) -> Path:
    """Run file of the backscatter of a run of pairs: same scenes, same store."""
    folder = run_file.parent
    path = folder / f"{run_file.stem}-backscatter.yaml"
    options = archive_options(folder / f"{run_file.stem}-archive", f"./{run_file.stem}-store", relative_to=folder)
    path.write_text(run_file_text(options))
    return path


def _pairs_file(name: str, options: SimulationOptions, posting: int) -> Path:
    folder = data_folder()
    folder.mkdir(parents=True, exist_ok=True)
    archive, path = folder / f"{name}-archive", folder / f"{name}.yaml"
    if not (archive / "simulation.json").exists():
        simulate(archive, options)
    run: dict[str, Any] = {
        "workflow": "insar",
        "aoi": {"bbox": list(options.aoi or ())},
        "source": {"kind": "local", "path": f"./{archive.name}/scenes"},
        "dem": {"path": f"./{archive.name}/dem.tif", "heights": "ellipsoid"},
        "store": f"./{name}-store",
        "insar": {"posting": posting, "pairs": {"next": 1}},
    }
    if any((archive / "orbits").iterdir()):  # a real annotation brings its own
        run["orbits"] = {"path": f"./{archive.name}/orbits"}
    path.write_text(yaml.safe_dump(run, sort_keys=False))
    return path


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
