"""What interferograms cost: a full burst of IW1, VV, from two SAFEs on disk to COGs and items in a store.

    python benchmarks/insar.py [--json] [--archive DIR] [--posting 80] [--repeat 3]

Two dates are simulated (or found in --archive, where an earlier call left them). Each cost is the CPU time of a process
of its own with one kernel thread, after its imports and with kernels loaded, and the least of some rounds in which the
stages take turns: other programs on the machine only ever add to it. What is measured is the task of a plan, as a
worker carries it out.

- floor: read the samples of both dates, and write the files of a pair, with the project's own reader and writer;
- pair: the pair from both dates, with the static layers there;
- slc: one date as a geocoded SLC on the fine grid (34 million samples); `slc_engine_cpu_s` is the engine's part of it,
  `slc_floor_cpu_s` what reading its samples and writing its file cost alone;
- further: a pair of two geocoded SLCs that the store keeps.

`peak_mb` is the largest memory of the process that makes the pair, `slc_peak_mb` of the one that makes a date;
`threads2_speedup` the wall time of the engine with one thread over that with two, which says little beside other
programs.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.apart import apart, peak_mb, stage

DATES = (dt.date(2024, 5, 1), dt.date(2024, 5, 13))
BOUNDS = {"slc_cpu_s": 6.0, "pair_cpu_s": 20.0, "further_pair_cpu_s": 4.0, "peak_mb": 1500.0}


def simulate_archive(folder: Path) -> None:
    """Two dates of one burst, all of it; resampling does not ask whether they are coherent."""
    from sarcube.simulate.archive import simulate
    from sarcube.simulate.options import SimulationOptions

    simulate(folder, SimulationOptions(dates=DATES, swaths=("IW1",), bursts=1, polarizations=("VV",)))


def planned(archive: Path, store: Path, posting: float, keep: bool) -> Any:
    """What a run of the archive has to do."""
    from sarcube.config import RunConfig
    from sarcube.production.plan.plan import plan

    return plan(
        RunConfig.from_dict(
            {
                "workflow": "insar",
                "source": {"kind": "local", "path": str(archive / "scenes")},
                "orbits": {"path": str(archive / "orbits")},
                "dem": {"path": str(archive / "dem.tif"), "heights": "ellipsoid"},
                "insar": {"posting": posting, "keep_slc": keep, "timing": "off"},
                "store": str(store),
            }
        )
    )


def _inputs(made: Any) -> Any:
    """Both dates, the grid of the pair, and heights."""
    from sarcube.sensors.sentinel1.open_burst import open_burst
    from sarcube.terrain.dem import load_dem

    task = next(t for t in made.tasks if t.kind == "INSAR_S1")
    bursts = [open_burst(found, made.config) for found in task.inputs[:2]]
    longitude, latitude = zip(*bursts[0].footprint, strict=True)
    box = min(longitude) - 0.2, min(latitude) - 0.1, max(longitude) + 0.2, max(latitude) + 0.1
    return bursts, task.grid, load_dem(made.config.dem, box, 10.0, footprint=bursts[0].footprint)


def _ready(made: Any) -> None:
    """Import what tasks import and load the kernels: a pair on a grid of a few pixels."""
    import numpy as np
    import xarray as xr

    from sarcube.engines.insar import InsarOptions, geocoded_slc, interferogram, pair_of_slcs
    from sarcube.geometry.grid import GeoGrid

    (first, second), grid, dem = _inputs(made)
    step = grid.resolution
    left, top = grid.left + grid.width // 2 * step, grid.top - grid.height // 2 * step
    small, options = GeoGrid(grid.epsg, left, top, step, 12, 12), InsarOptions(threads=1)
    static = xr.Dataset({"mask": (("y", "x"), np.zeros(small.shape, np.uint8))})
    interferogram(first, second, small, dem, options, static=static)
    kept = [geocoded_slc(burst, small, dem, options)["VV"].values for burst in (first, second)]
    pair_of_slcs(first, second, (kept[0], kept[1]), small, dem, options, static=static)


def stage_task(name: str, archive: Path, store: Path, posting: float) -> dict[str, float]:
    """Carry out the tasks of a kind; the last of them counts."""
    from sarcube.workflows.registry import load_workflow
    from sarcube.workflows.workflow import Context

    made = planned(archive, store, posting, keep=name in ("slc", "further"))
    work = load_workflow("insar")
    work.prepare(made.config, tuple(kind.name for kind in work.kinds))
    context = Context("benchmark", made.config, threads=1)
    _ready(planned(archive, store / "none", posting, keep=False))
    kind = {"static": "INSAR_S1_STATIC", "pair": "INSAR_S1", "slc": "CSLC_S1", "further": "INSAR_S1"}[name]
    figures: dict[str, float] = {}
    for task in (t for t in made.tasks if t.kind == kind):
        begun = time.process_time()
        work.run(task, context)
        figures = {f"{name}_cpu_s": time.process_time() - begun}
    return {**figures, f"{name}_peak_mb": peak_mb()}


def stage_floor(archive: Path, store: Path, posting: float) -> dict[str, float]:
    """Read samples and write the files of a pair and of a date; and the engine's part of a date."""
    import rasterio
    import xarray as xr

    from sarcube.catalog.query import find_items
    from sarcube.engines.insar import InsarOptions, geocoded_slc
    from sarcube.geometry.grid import GeoGrid
    from sarcube.products.names import ProductName
    from sarcube.products.product import write_product
    from sarcube.sensors.sentinel1.samples import read_samples
    from sarcube.store.protocol import open_store
    from sarcube.workflows.insar.kinds import CSLC_S1, INSAR_S1

    made = planned(archive, store / "none", posting, keep=True)
    _ready(made)
    bursts, grid, dem = _inputs(made)
    figures = {}
    for kind, dates, called in ((INSAR_S1, bursts, "floor_cpu_s"), (CSLC_S1, bursts[:1], "slc_floor_cpu_s")):
        item, task = find_items(str(store), kind.collection)[0], next(t for t in made.tasks if t.kind == kind.name)
        layers = {}
        for asset in (name for name in item.assets if name in kind.table):
            with rasterio.open(item.assets[asset].href) as file:
                layers[asset], at = (("y", "x"), file.read(1)), file.transform
                own = GeoGrid(
                    file.crs.to_epsg(), at.c, at.f, at.a, file.width, file.height, 0.0 if at.a == -at.e else -at.e
                )
        name = ProductName.of(
            kind, task.place, task.unit.start, dt.datetime.now(dt.UTC), "S1A", own.resolution, task.unit.tag
        )
        for _ in range(2):  # the first loads what writing needs
            with tempfile.TemporaryDirectory() as scratch:
                begun = time.process_time()
                for burst in dates:
                    read_samples(burst, "VV")
                write_product(open_store(scratch), name, xr.Dataset(layers), own, {}, "floor", kind)
                figures[called] = time.process_time() - begun
    begun = time.process_time()
    geocoded_slc(bursts[1], grid, dem, InsarOptions(threads=1))
    return {**figures, "slc_engine_cpu_s": time.process_time() - begun}


def stage_threads(archive: Path, store: Path, posting: float) -> dict[str, float]:
    """Wall time of the engine with one thread over that with two."""
    import numpy as np
    import xarray as xr

    from sarcube.engines.insar import InsarOptions, interferogram

    made = planned(archive, store / "none", posting, keep=False)
    _ready(made)
    (first, second), grid, dem = _inputs(made)
    static = xr.Dataset({"mask": (("y", "x"), np.zeros(grid.shape, np.uint8))})
    walls = {1: np.inf, 2: np.inf}
    for _ in range(2):
        for threads, best in walls.items():
            begun = time.perf_counter()
            interferogram(first, second, grid, dem, InsarOptions(threads=threads), static=static)
            walls[threads] = min(best, time.perf_counter() - begun)
    return {"threads2_speedup": walls[1] / walls[2]}


def measure(archive: Path, posting: float, repeat: int) -> dict[str, float]:
    """All stages, in turns, each time in new stores."""
    least: dict[str, float] = {}
    for turn in range(repeat):
        with tempfile.TemporaryDirectory() as scratch:
            pair, kept = Path(scratch) / "pair", Path(scratch) / "kept"
            steps = [
                ("static", pair),
                ("pair", pair),
                ("static", kept),
                ("slc", kept),
                ("further", kept),
                ("floor", kept),
            ]
            for name, store in [*steps, *([("threads", pair)] if turn == 0 else [])]:
                given = "--stage", name, store, "--archive", archive, "--posting", posting
                for key, value in stage(__file__, *given).items():
                    least[key] = (max if key.endswith("_mb") else min)(least.get(key, value), value)
    least["peak_mb"] = least.pop("pair_peak_mb")
    least.pop("static_peak_mb")
    least["further_pair_cpu_s"] = least.pop("further_cpu_s")
    return least


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--posting", type=float, default=80.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--stage", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.stage:
        name, store = arguments.stage
        make = {"floor": stage_floor, "threads": stage_threads}.get(name)
        known = (arguments.archive, Path(store), arguments.posting)
        print(json.dumps(make(*known) if make else stage_task(name, *known)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        archive = arguments.archive or Path(scratch) / "archive"
        if not (archive / "simulation.json").exists():
            apart(simulate_archive, archive)
        figures = measure(archive, arguments.posting, arguments.repeat)
    if arguments.json:
        print(json.dumps({key: round(value, 3) for key, value in figures.items()}, indent=1))
        return
    for key, value in figures.items():
        bound = f"   (wanted: at most {BOUNDS[key]:g})" if key in BOUNDS else ""
        print(f"{key:22}{value:10.2f}{bound}")


if __name__ == "__main__":
    main()
