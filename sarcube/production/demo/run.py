"""Carries the demonstration out and says what it does."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sarcube.config import RunConfig
from sarcube.errors import ProductError
from sarcube.production.demo.measure import CoverError, Measured, measure, read_truth
from sarcube.production.demo.pictures import draw_dates, draw_time_series
from sarcube.production.said import Said

if TYPE_CHECKING:
    import xarray as xr

    from sarcube.simulate.archive import Archive

Echo = Callable[[str], None]

_RUN_FILE = """\
# The run of the demonstration. Try: sarcube plan {folder}/run.yaml
aoi: {{bbox: [{west:.4f}, {south:.4f}, {east:.4f}, {north:.4f}]}}
dates: [{first}, {last}]
source: {{kind: local, path: archive/scenes}}
orbits: {{path: archive/orbits}}
dem: {{path: archive/dem.tif, heights: ellipsoid}}
grid: {{resolution: 20, crs: auto}}
store: ./store
"""


@dataclass
class _Steps:
    """Says each step before it starts and how long it took."""

    echo: Echo
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str, text: str) -> Iterator[None]:
        self.echo(f"{len(self.seconds) + 1}. {text} ...")
        begun = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - begun, 1)
        self.echo(f"   {self.seconds[name]:.1f} s")


def run_demo(directory: Path, echo: Echo = print) -> dict[str, object]:
    """Simulate, produce, open, draw and measure; what exists already is kept.

    Parameters
    ----------
    directory : Path
        Filled with archive, store, mosaics, run file, pictures and report.json.
    echo : callable
        Takes one line of text.

    Returns
    -------
    dict
        What was measured and how long each part took; also written to `report.json`.

    Raises
    ------
    ProductError
        A product could not be made.
    """
    steps = _Steps(echo)
    begun = time.monotonic()
    with steps("compile", "Compile the kernels (once per installation)"):
        from sarcube.engines.rtc.native.engine import warm_up

        warm_up()
    with steps(
        "simulate",
        "Simulate 3 dates x 2 sub-swaths x 2 bursts, the lines over the area: hills, a lake, a clear-cut to come",
    ):
        archive = _archive(directory / "archive")
    run_file = _write_run_file(directory, archive)
    with steps("produce", "Produce 4 static products and 12 acquisitions on Dask"):
        said = _produce(run_file)
    for one in said:
        echo(f"   warning{f', {one.count} times' if one.count > 1 else ''}: {one.message}")
    if said:
        echo("   (to be expected here: only the lines over the area are simulated, and no folder of schemas is named)")
    with steps("cube", "Open the cube and merge the four bursts of each date"):
        cube, bursts, mosaics = _open(directory, archive)
    with steps("measure", "Measure against the truth and draw"):
        measured = measure(archive, cube, bursts)
        draw_dates(cube, archive, directory / "demo.png")
        draw_time_series(measured, _clearcut_series(archive, cube), directory / "timeseries.png")
    total = round(time.monotonic() - begun, 1)
    report = measured.as_dict() | {"seconds": steps.seconds, "total_s": total}
    (directory / "report.json").write_text(json.dumps(report, indent=1))
    for line in _summary(directory, measured, mosaics, total):
        echo(line)
    return report


def _archive(folder: Path) -> Archive:
    from sarcube.simulate.archive import simulate
    from sarcube.simulate.options import demo_options
    from sarcube.simulate.stored import open_archive

    if (folder / "simulation.json").exists():
        return open_archive(folder)
    return simulate(folder, demo_options())


def _write_run_file(directory: Path, archive: Archive) -> Path:
    west, south, east, north = archive.bbox
    path = directory / "run.yaml"
    path.write_text(
        _RUN_FILE.format(
            folder=directory, west=west, south=south, east=east, north=north, first=archive.dates[0],
            last=archive.dates[-1],
        )
    )  # fmt: skip
    return path


def _produce(run_file: Path) -> tuple[Said, ...]:
    from sarcube.production.plan.plan import plan
    from sarcube.production.run.produce import produce
    from sarcube.production.views.progress import show_progress

    todo = plan(RunConfig.from_file(run_file))
    with show_progress() as show:
        outcome = produce(todo, on_event=show)
    if not outcome.ok:
        causes = [f"{f.key}: {f.message}" for f in outcome.failed] + [
            f"{p.subject}: {p.message}" for p in outcome.problems
        ]
        raise ProductError("the demonstration could not be produced; " + "; ".join(causes or [str(outcome)]))
    return outcome.warnings


def _open(directory: Path, archive: Archive) -> tuple[xr.Dataset, xr.Dataset, int]:
    from sarcube.cube.cog_export import CogOptions, write_cogs
    from sarcube.cube.mosaic import mosaic
    from sarcube.cube.open_cube import open_cube

    store = directory / "store"
    cube = mosaic(open_cube(str(store), bbox=archive.bbox))
    written = write_cogs(cube, directory / "mosaics", CogOptions(overwrite=True))
    bursts = open_cube(str(store), bbox=archive.bbox, group="acquisition", layers=archive.polarizations)
    return cube.compute(), bursts.compute(), len(written)


def _clearcut_series(archive: Archive, cube: xr.Dataset) -> tuple[CoverError, ...]:
    """The ground that is cut before the last date, through all dates."""
    truth = read_truth(archive, cube)
    where = truth.covers[archive.dates[-1]] == archive.covers.index("clearcut")
    series = []
    for step, date in enumerate(archive.dates):
        known, seen = truth.gamma0[date, "VV"][where], cube["VV"].values[step][where]
        means = [10 * np.log10(float(np.nanmean(v, dtype=np.float64))) for v in (known, seen)]
        series.append(CoverError(date, "VV", "clearcut", int(where.sum()), *means))
    return tuple(series)


def _summary(directory: Path, measured: Measured, mosaics: int, total: float) -> Iterator[str]:
    yield ""
    yield "Mean gamma0 against the truth (land without layover and shadow, and the lake):"
    yield f"   {'date':12}{'cover':10}{'pol':5}{'pixels':>8}{'truth dB':>10}{'seen dB':>10}{'error dB':>10}"
    for e in measured.errors:
        yield (
            f"   {e.date:12}{e.cover:10}{e.polarization:5}{e.pixels:8d}{e.truth_db:10.2f}{e.measured_db:10.2f}"
            f"{e.error_db:+10.3f}"
        )
    for c in measured.changes:
        what = f"{c.found:.1%} of the clear-cut found" if c.true_pixels else "no change in the truth"
        yield f"   {c.before} to {c.after}: {what}, {c.false:.2%} false alarms elsewhere"
    yield (
        f"   largest error {measured.worst_db:.3f} dB; across burst edges {measured.seam_db:.3f} dB; "
        f"{measured.gaps} gaps inside the AOI"
    )
    yield ""
    yield f"Done in {total:.0f} s. In {directory}:"
    yield "   demo.png          the three dates in colour"
    yield "   timeseries.png    three places through time"
    yield f"   mosaics/          {mosaics} mosaics as Cloud-Optimized GeoTIFF with STAC items"
    yield "   store/            products, STAC catalog, and the record of the run (runs/*/report.html)"
    yield "   report.json       the figures above"
    yield "Next:"
    activate = Path(sys.executable).with_name("activate")
    if shutil.which("sarcube") is None and activate.exists():
        yield f"   source {os.path.relpath(activate)}      puts sarcube on the path"
    yield f"   sarcube run {directory}/run.yaml      does nothing more: everything exists"
    yield f"   sarcube status {directory}/store"
    yield f"   sarcube cube {directory}/store --out cube.zarr"
    yield f"   python -c \"import sarcube; print(sarcube.open_cube('{directory}/store'))\""
