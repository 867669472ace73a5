"""A whole IW GRDH scene, from folder to committed products: CPU seconds and memory of the process that makes them.

    SARCUBE_TEST_DATA=../shared python benchmarks/grd.py [--json]

Real annotation of 2021, two polarizations of full-size simulated samples (speckle of 4.4 looks over a constant),
fractal relief at 30 m. The scene is written once into `--folder` and used again. The floor reads the same samples and
writes the same COGs with nothing in between.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.apart import stage

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
            "store": str(folder / "store"),
            "grd": {"preset": "ost-rtc"},
        }
    )
    shutil.rmtree(folder / "store", ignore_errors=True)
    tasks = plan(config).tasks
    WORKFLOW.prepare(config, {"RTC_GRD"})
    seconds = []
    for task in tasks:
        before = time.process_time()
        made = WORKFLOW.run(task, Context("benchmark", config, 1))
        seconds.append((task.place, round(time.process_time() - before, 1), made.stages))
    WORKFLOW.finish(config, {"RTC_GRD"})
    pixels = round(sum(np.prod(task.grid.shape) for task in tasks) / 1e6, 1)
    return {"tiles": seconds, **_used(), "megapixels": pixels}


def floor(folder: Path) -> dict[str, object]:
    """Read the samples and write the products' COGs, and say what that took; reading them back is not counted."""
    from sarcube.products.cog import encode_cog, read_layer
    from sarcube.sensors.sentinel1.grd.reader import read_grd
    from sarcube.sensors.sentinel1.safe import open_safe
    from sarcube.sensors.sentinel1.samples import read_stored
    from sarcube.workflows.grd.kinds import RTC_GRD

    (scene,) = (folder / "scenes").iterdir()
    before = time.process_time()
    for channel in read_grd(open_safe(scene, product="GRD")).channels.values():
        for first in range(0, channel.samples.lines, CHUNK):
            read_stored(channel.samples, (first, min(first + CHUNK, channel.samples.lines)))
    seconds = time.process_time() - before
    for path in sorted((folder / "store").rglob("*.tif")):
        values = read_layer(path)
        layer = RTC_GRD.table.get(str(values.name))
        if layer is None:
            continue  # a picture
        before = time.process_time()
        encode_cog(values.values, values.attrs["grid"], layer)
        seconds += time.process_time() - before
    return {"cpu_s": round(seconds, 1)}


def _used() -> dict[str, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu_s": round(used.ru_utime + used.ru_stime, 1), "memory_gb": round(used.ru_maxrss / 1e6, 2)}


def main() -> None:
    """Write the scene where it is missing; measure in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=Path("/tmp/sarcube-grd"))
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--child", choices=("produce", "floor"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(produce(given.folder) if given.child == "produce" else floor(given.folder)))
        return
    if not (given.folder / "dem.tif").exists():
        data = Path(os.environ.get("SARCUBE_TEST_DATA", "../shared")) / "data" / "grd"
        (template,) = data.glob("*_1SDV_2021*.zip")
        given.folder.mkdir(parents=True, exist_ok=True)
        write_scene(given.folder, template)
    _child(given.folder, "floor" if (given.folder / "store").exists() else "produce")  # compiles the kernels
    measured = _child(given.folder, "produce")
    measured["floor_cpu_s"] = _child(given.folder, "floor")["cpu_s"]
    measured["over_floor"] = round(measured["cpu_s"] / measured["floor_cpu_s"], 2)
    if given.json:
        print(json.dumps(measured, indent=1))
        return
    for name, wanted in (
        ("cpu_s", "90"),
        ("floor_cpu_s", ""),
        ("over_floor", ""),
        ("memory_gb", "3"),
        ("megapixels", ""),
    ):
        print(f"{name:<12}{measured[name]:>8}{f'   wanted {wanted}' if wanted else ''}")


def _child(folder: Path, what: str) -> dict[str, Any]:
    told: dict[str, Any] = stage(__file__, "--child", what, "--folder", folder)
    return told


if __name__ == "__main__":
    main()
