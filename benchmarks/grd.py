"""A whole IW GRDH scene, from folder to committed products: CPU seconds and memory of the process that makes them.

    SARCUBE_TEST_DATA=../shared python benchmarks/grd.py

Real annotation of 2021, two polarizations of full-size simulated samples (speckle of 4.4 looks over a constant),
fractal relief at 30 m. The scene is written once into `--folder` and used again.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

CHUNK = 512


def write_scene(folder: Path, template: Path) -> None:
    """The scene, its DEM and a run file."""
    from sarcube.geometry.burst_grid import footprint_grid
    from sarcube.geometry.grid import GeoGrid
    from sarcube.sensors.sentinel1.grd.reader import read_grd
    from sarcube.sensors.sentinel1.safe import open_safe
    from sarcube.simulate.ground import write_raster
    from sarcube.simulate.measurement import MeasurementFile
    from sarcube.simulate.options import SimulationOptions
    from sarcube.simulate.template import copy_metadata, tie_points
    from sarcube.simulate.terrain import fractal_terrain

    safe = copy_metadata(open_safe(template, product="GRD"), folder / "scenes", SimulationOptions(product="GRD"))
    image = read_grd(safe)
    lines, samples = image.radar.lines, image.radar.samples
    for k, channel in enumerate(image.channels.values()):
        path = Path(safe.path) / channel.samples.member
        file = MeasurementFile(path, lines, samples, tie_points(image.geolocation), "Simulated GRD", detected=True)
        rng = np.random.default_rng(k)
        for first in range(0, lines, CHUNK):
            shape = (min(CHUNK, lines - first), samples)
            power = rng.standard_gamma(4.4, shape, dtype=np.float32) * (160.0**2 / 4.4)
            file.write(first, 0, np.rint(np.sqrt(power)).astype(np.uint16))
        file.close()
    around = footprint_grid(image.footprint, None, 60.0, 12_000.0)
    small = fractal_terrain(
        GeoGrid(around.epsg, around.left, around.top, 240.0, around.width // 4, around.height // 4), 150.0, 700.0, 3
    )
    heights = np.kron(small, np.ones((8, 8), np.float32))[: around.height * 2, : around.width * 2]
    from scipy.ndimage import uniform_filter

    grid = GeoGrid(around.epsg, around.left, around.top, 30.0, heights.shape[1], heights.shape[0])
    write_raster(folder / "dem.tif", uniform_filter(heights, 9).astype(np.float32), grid, None, {})


def produce(folder: Path) -> dict[str, object]:
    """Make all products of the scene, and say what that took."""
    from sarcube.config import RunConfig
    from sarcube.production.plan.plan import plan
    from sarcube.workflows.grd.workflow import WORKFLOW
    from sarcube.workflows.workflow import Context

    config = RunConfig.model_validate(
        {
            "workflow": "grd",
            "source": {"kind": "local", "path": str(folder / "scenes")},
            "dem": {"path": str(folder / "dem.tif"), "heights": "ellipsoid"},
            "store": str(folder / f"store-{os.getpid()}"),
            "grd": {"preset": "ost-rtc"},
        }
    )
    tasks = plan(config).tasks
    WORKFLOW.prepare(config, {"RTC_GRD"})
    seconds = []
    for task in tasks:
        before = time.process_time()
        made = WORKFLOW.run(task, Context("benchmark", config, 1))
        seconds.append((task.place, round(time.process_time() - before, 1), made.stages))
    WORKFLOW.finish(config, {"RTC_GRD"})
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "tiles": seconds,
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "memory_gb": round(used.ru_maxrss / 1e6, 2),
        "megapixels": round(sum(np.prod(task.grid.shape) for task in tasks) / 1e6, 1),
    }


def main() -> None:
    """Write the scene where it is missing; measure in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=Path("/tmp/sarcube-grd"))
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(produce(given.folder)))
        return
    if not (given.folder / "dem.tif").exists():
        data = Path(os.environ.get("SARCUBE_TEST_DATA", "../shared")) / "data" / "grd"
        (template,) = data.glob("*_1SDV_2021*.zip")
        given.folder.mkdir(parents=True, exist_ok=True)
        write_scene(given.folder, template)
    command = [sys.executable, __file__, "--child", "--folder", str(given.folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # compiles the kernels
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    print(json.dumps(json.loads(done.stdout.splitlines()[-1]), indent=1))


if __name__ == "__main__":
    main()
