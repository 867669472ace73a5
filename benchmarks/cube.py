"""Speed and memory of the cube against odc-stac and bare stackstac: same items, same chunks, one run.

    python benchmarks/cube.py --json

Every measurement runs in a process of its own, so that peaks of memory are its own; engines take turns, so
that a slow minute of the machine hits all of them; the best of the repetitions counts.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np
import psutil
import pystac
from rasterio.warp import transform_bounds

SIZE, CHUNK = 4096, 1024
ENGINES = ("sarcube", "odc-stac", "stackstac")


@cache
def lonlat_bounds(*bounds: float) -> tuple[float, float, float, float]:
    """Bounds in degrees of bounds in UTM zone 29."""
    return transform_bounds(32629, 4326, *bounds)


def burst_item(burst: int, date: int, hrefs: dict[str, str], shape: tuple[int, int], assets: int) -> pystac.Item:
    """An item as the catalogue writes them: burst `burst` of a 10 x 10 field, seen on day `date`."""
    row, col = divmod(burst, 10)
    left, top = 200000.0 + col * 60000, 4500000.0 - row * 16000
    height, width = shape
    moment = np.datetime64("2020-01-01T05:00:00") + np.timedelta64(date * 12 * 86400 + burst * 3, "s")
    west, south, east, north = lonlat_bounds(left, top - height * 20, left + width * 20, top)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    name = f"t{1 + col:03d}_{1000 + burst:06d}_iw{1 + burst % 3}"
    token = name.upper().replace("_", "-")
    item = pystac.Item(
        id=f"SARCUBE_L2_RTC-S1_{token}_{str(moment)[:19].replace('-', '').replace(':', '')}Z_S1A_20_v0.1",
        geometry={"type": "Polygon", "coordinates": [ring]},
        bbox=[west, south, east, north],
        datetime=moment.astype("datetime64[us]").item().replace(tzinfo=None),
        properties={
            "platform": "sentinel-1a",
            "sat:orbit_state": "descending",
            "sat:relative_orbit": 1 + col,
            "sarcube:burst_id": name,
            "proj:epsg": 32629,
            "proj:code": "EPSG:32629",
            "proj:shape": [height, width],
            "proj:transform": [20.0, 0.0, left, 0.0, -20.0, top],
        },
        stac_extensions=["https://stac-extensions.github.io/projection/v1.2.0/schema.json"],
    )
    names = (
        "VV", "VH", "mask", "number_of_looks", "incidence_angle", "local_incidence_angle",
        "rtc_anf_gamma0_to_beta0", "rtc_anf_gamma0_to_sigma0",
    )  # fmt: skip
    for layer in names[:assets]:
        item.add_asset(
            layer,
            pystac.Asset(
                hrefs.get(layer, f"/absent/{item.id}_{layer}.tif"),
                media_type=pystac.MediaType.COG,
                roles=["data"],
                extra_fields={
                    "proj:shape": [height, width],
                    "proj:transform": [20.0, 0.0, left, 0.0, -20.0, top],
                    "data_type": "uint8" if layer == "mask" else "float32",
                    "nodata": 255 if layer == "mask" else "nan",
                },
            ),
        )
    return item


def make_files(folder: Path, distinct: int = 5, size: int = SIZE) -> list[Path]:
    """COGs of speckle, as the product writer makes them."""
    from sarcube.geometry.grid import GeoGrid
    from sarcube.products.cog import write_cog
    from sarcube.workflows.rtc.kinds import LAYERS

    rng = np.random.default_rng(1)
    grid = GeoGrid(32629, 200000.0, 4500000.0, 20.0, size, size)
    paths = []
    for i in range(distinct):
        path = folder / f"speckle{i}.tif"
        if not path.exists():
            write_cog(path, rng.gamma(5, 0.02, (size, size)).astype(np.float32), grid, LAYERS["VV"])
        paths.append(path)
    return paths


def linked_items(folder: Path, dates: int, distinct: int = 5, size: int = SIZE) -> list[pystac.Item]:
    """One burst on many dates; every date is a file of its own (hard links to a few)."""
    files = make_files(folder, distinct, size)
    items = []
    for date in range(dates):
        path = folder / f"date{date:04d}.tif"
        if not path.exists():
            os.link(files[date % len(files)], path)
        items.append(burst_item(0, date, {"VV": str(path)}, (size, size), 1))
    return items


def open_with(engine: str, items: list[pystac.Item], chunk: int = CHUNK):
    """The same lazy array (time, y, x) by each engine."""
    if engine == "sarcube":
        import sarcube

        return sarcube.open_cube(items, layers=["VV"], chunks=chunk)["VV"]
    if engine == "odc-stac":
        import odc.stac

        return odc.stac.load(
            items, bands=["VV"], chunks={"x": chunk, "y": chunk}, dtype="float32", nodata=float("nan")
        )["VV"]
    import stackstac

    return stackstac.stack(
        items, assets=["VV"], chunksize=chunk, dtype=np.dtype("float32"), fill_value=np.float32(np.nan), rescale=False,
        xy_coords="center", properties=False, band_coords=False,
    ).isel(band=0)  # fmt: skip


def task_mean(folder: Path, engine: str, dates: int, size: int) -> dict[str, float]:
    """Mean over time: seconds of opening and computing, peak memory."""
    import dask

    items = linked_items(folder, dates, size=size)
    with dask.config.set(scheduler="threads", num_workers=2):
        warm = linked_items(folder, 2, size=size)
        open_with(engine, warm)[:, :CHUNK, :CHUNK].mean("time").compute()
        start, cpu = time.perf_counter(), time.process_time()
        result = open_with(engine, items).mean("time").compute()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    return {"seconds": seconds, "cpu": cpu, "mean": float(result.mean(dtype="float64")), "peak_mb": peak_mb()}


def task_open(bursts: int, dates: int) -> dict[str, float]:
    """Opening many items for an area of one burst."""
    import sarcube
    import sarcube.cube.open_cube

    sarcube.open_cube([burst_item(0, 0, {}, (2000, 4400), 8)])  # imports are not part of opening
    before = psutil.Process().memory_info().rss / 2**20
    items = [burst_item(b, d, {}, (2000, 4400), 8) for b in range(bursts) for d in range(dates)]
    west, south, east, north = items[55 * dates].bbox
    start = time.perf_counter()
    cube = sarcube.open_cube(items, bbox=(west + 0.01, south + 0.01, east - 0.01, north - 0.01))
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "mb": peak_mb() - before,  # the items themselves included
        "tasks": len(dict(cube.__dask_graph__())),
        "steps": cube.sizes["time"],
        "process_mb": peak_mb(),
    }


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(*arguments: str) -> dict[str, float]:
    """One measurement in a process of its own."""
    root = Path(__file__).resolve().parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, __file__, *arguments], check=True, capture_output=True, text=True, env=environment
    )
    return json.loads(done.stdout.splitlines()[-1])


def measure(folder: Path, dates: int, size: int, repeat: int) -> dict[str, float]:
    """Every figure of the benchmark."""
    opened = run("--task", "open")
    times: dict[str, list[float]] = {engine: [] for engine in ENGINES}
    cpu: dict[str, list[float]] = {engine: [] for engine in ENGINES}
    means = {}
    for _ in range(repeat):
        for engine in ENGINES:
            result = run("--task", "mean", "--folder", str(folder), "--engine", engine, "--dates", str(dates))
            times[engine].append(result["seconds"])
            cpu[engine].append(result["cpu"])
            means[engine] = result["mean"]
    best, busy = ({engine: min(v) for engine, v in kind.items()} for kind in (times, cpu))
    peaks = {
        n: run("--task", "mean", "--folder", str(folder), "--engine", "sarcube", "--dates", str(n))["peak_mb"]
        for n in (20, 200)
    }
    return {
        "open_10k_s": round(opened["seconds"], 3),
        "open_10k_mb": round(opened["mb"], 1),
        "graph_tasks": opened["tasks"],
        "open_10k_steps": opened["steps"],
        "mean_ratio_to_best_peer": round(best["sarcube"] / min(best["odc-stac"], best["stackstac"]), 3),
        "mean_cpu_ratio_to_best_peer": round(busy["sarcube"] / min(busy["odc-stac"], busy["stackstac"]), 3),
        **{f"mean_s_{engine}": round(seconds, 2) for engine, seconds in best.items()},
        **{f"mean_cpu_s_{engine}": round(seconds, 2) for engine, seconds in busy.items()},
        **{f"mean_s_median_{engine}": round(statistics.median(v), 2) for engine, v in times.items()},
        "mean_difference": max(abs(means[e] / means["sarcube"] - 1) for e in ENGINES),
        "peak_mb_20": round(peaks[20], 1),
        "peak_mb_200": round(peaks[200], 1),
        "peak_ratio_200_to_20": round(peaks[200] / peaks[20], 3),
        "dates": dates,
        "size": size,
        "chunk": CHUNK,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--folder", type=Path, help="where to keep the rasters; default: a temporary folder")
    parser.add_argument("--dates", type=int, default=50)
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--task", choices=["mean", "open"], help=argparse.SUPPRESS)
    parser.add_argument("--engine", choices=ENGINES, default="sarcube", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task == "mean":
        print(json.dumps(task_mean(options.folder, options.engine, options.dates, options.size)))
        return
    if options.task == "open":
        print(json.dumps(task_open(100, 100)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        make_files(folder, size=options.size)
        figures = measure(folder, options.dates, options.size, options.repeat)
    if options.json:
        print(json.dumps(figures))
        return
    for key, value in figures.items():
        print(f"{key:28s} {value}")


if __name__ == "__main__":
    main()
