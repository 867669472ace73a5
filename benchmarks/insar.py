"""What interferograms cost: a full burst of IW1, VV, two dates on disk, to the layers of a pair as COGs.

    python benchmarks/insar.py [--json] [--archive DIR] [--resolution 80] [--repeat 3]

Two dates are simulated (or found in --archive, where an earlier call left them). Each cost is the CPU time of a process
of its own with one kernel thread, after its kernels were loaded, and the least of some rounds in which the stages take
turns: other programs on the machine only ever add to it.

- floor: read the samples of both dates, and write the COGs of a pair;
- pair: the pair from both dates, with the static layers there, and its COGs;
- slc: one date as a geocoded SLC on the fine grid, in memory;
- further: a pair of two geocoded SLCs that are there, and its COGs.

`peak_mb` is the largest memory of the process that makes the pair; `threads2_speedup` the wall time of the engine with
one thread over that with two, which says little beside other programs.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.apart import apart

BOUNDS = {"slc_cpu_s": 6.0, "pair_cpu_s": 20.0, "further_pair_cpu_s": 4.0, "peak_mb": 1500.0}
LAYERS = ("interferogram", "coherence", "amplitude_first", "amplitude_second", "number_of_looks", "mask")


def simulate_archive(folder: Path) -> None:
    """Two dates of one burst, all of it; resampling does not ask whether they are coherent."""
    from sarcube.simulate.archive import simulate
    from sarcube.simulate.options import SimulationOptions

    dates = (dt.date(2024, 5, 1), dt.date(2024, 5, 13))
    simulate(folder, SimulationOptions(dates=dates, swaths=("IW1",), bursts=1, polarizations=("VV",)))


def _inputs(archive: Path, resolution: float) -> Any:
    import numpy as np
    import rasterio
    import xarray as xr

    from sarcube.geometry.burst_grid import auto_epsg, footprint_grid, ring_centre
    from sarcube.geometry.dem import Dem
    from sarcube.sensors.sentinel1.burst import read_bursts
    from sarcube.sensors.sentinel1.safe import open_safe

    first, second = (read_bursts(open_safe(path))[0] for path in sorted((archive / "scenes").iterdir()))
    with rasterio.open(archive / "dem.tif") as source:
        t = source.transform
        dem = Dem(source.read(1), source.crs.to_epsg(), t.c, t.f, t.a, -t.e, "simulated")
    grid = footprint_grid(first.footprint, auto_epsg(*ring_centre(first.footprint)), resolution, 200.0)
    static = xr.Dataset({"mask": (("y", "x"), np.zeros(grid.shape, np.uint8))})
    return first, second, grid, dem, static


def _write(layers: Any, grid: Any, folder: Path) -> None:
    import rasterio

    for name in LAYERS:
        values = layers[name].values
        with rasterio.open(
            folder / f"{name}.tif", "w", driver="COG", width=grid.width, height=grid.height, count=1, crs=grid.crs,
            dtype=values.dtype.name, transform=rasterio.Affine(*grid.transform), compress="DEFLATE", level=6,
            overview_resampling="NEAREST" if name == "mask" else "AVERAGE",
        ) as file:  # fmt: skip
            file.write(values, 1)


def stage(name: str, archive: Path, resolution: float) -> dict[str, float]:
    """One measured stage, in a process of its own."""
    import numpy as np

    from sarcube.engines.insar import InsarOptions, geocoded_slc, interferogram, pair_of_slcs
    from sarcube.geometry.grid import GeoGrid
    from sarcube.sensors.sentinel1.samples import read_samples

    first, second, grid, dem, static = _inputs(archive, resolution)
    options = InsarOptions(threads=1)
    row, column = grid.height // 2, grid.width // 2
    left, top = grid.left + column * resolution, grid.top - row * resolution
    small = GeoGrid(grid.epsg, left, top, resolution, 12, 12)
    little = static.isel(y=slice(0, 12), x=slice(0, 12))

    def make(which: str, where: Any, kept: Any, folder: Path, masked: Any) -> Any:
        if which == "slc":
            return geocoded_slc(first, where, dem, options)
        if which == "further":
            layers = pair_of_slcs(first, second, kept, where, dem, options, static=masked)
        else:
            layers = interferogram(first, second, where, dem, options, static=masked)
        _write(layers, where, folder)
        return layers

    def slcs(where: Any) -> Any:
        return tuple(geocoded_slc(burst, where, dem, options)["VV"].values for burst in (first, second))

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if name == "threads":
            make("pair", small, None, folder, little)
            walls = {1: np.inf, 2: np.inf}
            for _ in range(2):
                for threads, best in walls.items():
                    began = time.perf_counter()
                    interferogram(first, second, grid, dem, InsarOptions(threads=threads), static=static)
                    walls[threads] = min(best, time.perf_counter() - began)
            return {"threads2_speedup": walls[1] / walls[2]}
        if name == "floor":
            layers = make("pair", grid, None, folder, static)
            began = time.process_time()
            for burst in (first, second):
                read_samples(burst, "VV")
            _write(layers, grid, folder)
            return {"floor_cpu_s": time.process_time() - began}
        make(name, small, slcs(small) if name == "further" else None, folder, little)
        kept = slcs(grid) if name == "further" else None
        began = time.process_time()
        make(name, grid, kept, folder, static)
        seconds = time.process_time() - began
    if name == "pair":
        return {"pair_cpu_s": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3}
    return {"slc_cpu_s" if name == "slc" else "further_pair_cpu_s": seconds}


def measure(archive: Path, resolution: float, repeat: int) -> dict[str, float]:
    """All stages, in turns."""
    least: dict[str, float] = {}
    for turn in range(repeat):
        for name in ("floor", "pair", "slc", "further", *(("threads",) if turn == 0 else ())):
            command = [sys.executable, __file__, "--stage", name, "--archive", str(archive), "--resolution"]
            done = subprocess.run([*command, str(resolution)], capture_output=True, text=True, check=True)
            for key, value in json.loads(done.stdout).items():
                least[key] = min(least.get(key, value), value)
    return least


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="what interferograms cost")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--resolution", type=float, default=80.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        archive = arguments.archive or Path(scratch) / "archive"
        if not (archive / "simulation.json").exists():
            apart(simulate_archive, archive)
        if arguments.stage:
            print(json.dumps(stage(arguments.stage, archive, arguments.resolution)))
            return
        figures = measure(archive, arguments.resolution, arguments.repeat)
    if arguments.json:
        print(json.dumps({key: round(value, 3) for key, value in figures.items()}, indent=1))
        return
    for key, value in figures.items():
        bound = f"   (wanted: at most {BOUNDS[key]:g})" if key in BOUNDS else ""
        print(f"{key:22}{value:10.2f}{bound}")


if __name__ == "__main__":
    main()
