"""What the notebooks work on where there is no real archive: small simulated ones, made at first use.

Kept under `data/` beside the notebooks (or in $SARCUBE_NOTEBOOK_DATA), so that each is made once.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import sarcube
from sarcube.production.run_file import archive_options, run_file_text
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
    plan = sarcube.plan(run_file)
    if plan.tasks:
        sarcube.produce(plan)
    return plan.config.store


def _run_file(name: str, options: SimulationOptions) -> Path:
    folder = data_folder()
    folder.mkdir(parents=True, exist_ok=True)
    archive, path = folder / f"{name}-archive", folder / f"{name}.yaml"
    if not (archive / "simulation.json").exists():
        simulate(archive, options)
    if not path.exists():
        path.write_text(run_file_text(archive_options(archive, f"./{name}-store", relative_to=folder)))
    return path
