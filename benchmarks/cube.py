"""Speed and memory of the cube against odc-stac and bare stackstac, and against an earlier version: ratios in one run.

    python benchmarks/cube.py --json
    python benchmarks/cube.py --before ../sarcube-0.1    # a checkout of that version, for what is measured against it

Same items, same files, same chunks. Every measurement runs in a process of its own, so that peaks of memory are its
own; engines take turns, so that a slow minute of the machine hits all of them; the best of the repetitions counts.
Where SeaweedFS is installed the same is read from it over S3.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pystac
from apart import peak_mb  # beside this script: another version of sarcube may come first on the path
from rasterio.warp import transform_bounds

SIZE, CHUNK = 4096, 1024
ENGINES = ("sarcube", "odc-stac", "stackstac")
METRICS = ("mean", "median", "std")
# Pixels along a side of what is scanned and filtered by this version and the one before.
SCANNED = 1024
ROOT = Path(__file__).resolve().parents[1]


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


def speckle(seed: int, size: int) -> np.ndarray:
    """Power of 5 looks."""
    return np.random.default_rng(seed).gamma(5, 0.02, (size, size)).astype(np.float32)


def write(path: Path, values: np.ndarray) -> None:
    """A COG as the product writer of whichever version is imported makes it."""
    from sarcube.geometry.grid import GeoGrid
    from sarcube.products.cog import write_cog

    try:
        from sarcube.workflows.rtc.kinds import LAYERS
    except ImportError:  # version 0.1
        from sarcube.products.layers import LAYERS
    write_cog(path, values, GeoGrid(32629, 200000.0, 4500000.0, 20.0, *values.shape[::-1]), LAYERS["VV"])


def make_files(folder: Path, distinct: int = 5, size: int = SIZE) -> list[Path]:
    """COGs of speckle."""
    paths = [folder / f"speckle{i}.tif" for i in range(distinct)]
    for i, path in enumerate(paths):
        if not path.exists():
            write(path, speckle(i, size))
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


def some_items(options: argparse.Namespace, dates: int) -> list[pystac.Item]:
    """Items of files in the folder, or of objects in the bucket."""
    if not options.bucket:
        return linked_items(options.folder, dates, size=options.size)
    shape = (options.size, options.size)
    return [burst_item(0, d, {"VV": f"s3://{options.bucket}/date{d:04d}.tif"}, shape, 1) for d in range(dates)]


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


def timed(work: Any, warm: Any) -> dict[str, Any]:
    """Wall time, CPU time and peak memory of some work, after a small piece of it that loads and compiles all."""
    import dask

    with dask.config.set(scheduler="threads", num_workers=2):
        warm()
        start, cpu = time.perf_counter(), time.process_time()
        result = work()
        return {
            "seconds": time.perf_counter() - start,
            "cpu": time.process_time() - cpu,
            "mean": float(np.nanmean(result, dtype="float64")),
            "peak_mb": peak_mb(),
        }


def task_reduce(options: argparse.Namespace) -> dict[str, Any]:
    """A metric over time."""

    def reduced(items: list[pystac.Item], part: slice) -> np.ndarray:
        cube = open_with(options.engine, items)[:, part, part]
        return getattr(cube, options.metric)("time").compute().values

    items = some_items(options, options.dates)
    return timed(lambda: reduced(items, slice(None)), lambda: reduced(items[:2], slice(CHUNK)))


def task_series(options: argparse.Namespace) -> dict[str, Any]:
    """One pixel through all dates."""

    def series(items: list[pystac.Item]) -> np.ndarray:
        return open_with(options.engine, items).isel(x=options.size // 3, y=options.size // 3).compute().values

    items = some_items(options, options.dates)
    return timed(lambda: series(items), lambda: series(items[:2]))


def scanned(what: str, items: list[pystac.Item]) -> Any:
    """Metrics over time, or the multi-temporal filter, of a square of pixels."""
    import sarcube

    size = 512
    cube = sarcube.open_cube(items, layers=["VV"], chunks={"time": -1, "y": size, "x": size})
    cube = cube.isel(y=slice(SCANNED), x=slice(SCANNED))
    if what == "speckle":
        return cube.sar.speckle("quegan_yu", window=7)["VV"].values
    from sarcube.cube.temporal import METRICS as EVERY

    more: dict[str, Any] = {"remove_outliers": True, "scale": "db"} if what == "timescan_outliers" else {}
    scan = cube.sar.timescan([*EVERY, "p5", "p95"], **more).compute()
    return np.stack([scan[name].values for name in sorted(scan.data_vars)])


def task_scan(options: argparse.Namespace) -> dict[str, Any]:
    """What is measured against an earlier version."""
    items = some_items(options, options.dates)
    step = max(1, len(items) // 8)
    return timed(partial(scanned, options.metric, items), partial(scanned, options.metric, items[::step]))


def task_write(options: argparse.Namespace) -> dict[str, Any]:
    """A file written, and how long reading all of it takes."""
    import rasterio

    path = options.folder / f"written{os.getpid()}.tif"
    values = speckle(0, options.size)
    rows, columns = np.ogrid[: options.size, : options.size]
    values[np.abs(rows - columns * 0.3 - options.size * 0.35) > options.size * 0.42] = np.nan  # a slanted burst
    write(path, values)
    read, back = [], np.zeros_like(values)
    for _ in range(15):
        cpu = time.process_time()
        with rasterio.Env(GDAL_CACHEMAX=16), rasterio.open(path) as source:  # decoding alone: no block is kept
            source.read(1, out=back)
        read.append(time.process_time() - cpu)
    np.testing.assert_array_equal(back, values)
    size = path.stat().st_size
    path.unlink()
    return {"cpu": min(read), "seconds": min(read), "mb": size / 1e6}


def task_open(bursts: int, dates: int) -> dict[str, float]:
    """Opening many items for an area of one burst."""
    import sarcube
    import sarcube.cube.open_cube

    sarcube.open_cube([burst_item(0, 0, {}, (2000, 4400), 8)])  # imports are not part of opening
    before = psutil.Process().memory_info().rss / 2**20
    items = [burst_item(b, d, {}, (2000, 4400), 8) for b in range(bursts) for d in range(dates)]
    west, south, east, north = items[55 * dates].bbox
    gc.collect()  # what the items left behind
    start, cpu = time.perf_counter(), time.process_time()
    cube = sarcube.open_cube(items, bbox=(west + 0.01, south + 0.01, east - 0.01, north - 0.01))
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    return {
        "seconds": seconds,
        "cpu": cpu,
        "mb": peak_mb() - before,  # the items themselves included
        "tasks": len(dict(cube.__dask_graph__())),
        "steps": cube.sizes["time"],
        "process_mb": peak_mb(),
    }


def run(*arguments: Any, tree: Path = ROOT) -> dict[str, Any]:
    """One measurement in a process of its own, by the version in a tree."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    if tree != ROOT:
        environment["NUMBA_CACHE_DIR"] = str(Path(tempfile.gettempdir()) / f"numba-{abs(hash(tree))}")
    done = subprocess.run(
        [sys.executable, __file__, *map(str, arguments)], check=False, capture_output=True, text=True, env=environment
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, arguments))}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def compare(repeat: int, tries: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The best of several runs of each; they take turns."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in tries}
    for _ in range(repeat):
        for name, one in tries.items():
            found[name].append(one())
    return {n: {**runs[-1], **{k: min(r[k] for r in runs) for k in ("seconds", "cpu")}} for n, runs in found.items()}


def against_peers(name: str, repeat: int, *arguments: Any) -> dict[str, Any]:
    """Figures of one task by each engine."""
    found = compare(repeat, {e: partial(run, *arguments, "--engine", e) for e in ENGINES})
    ours, peers = found["sarcube"], [found[e] for e in ENGINES[1:]]
    figures: dict[str, Any] = {
        f"{name}_ratio_to_best_peer": round(ours["seconds"] / min(p["seconds"] for p in peers), 3),
        f"{name}_cpu_ratio_to_best_peer": round(ours["cpu"] / min(p["cpu"] for p in peers), 3),
        f"{name}_difference": max(abs(p["mean"] / ours["mean"] - 1) for p in peers),
    }
    for engine, one in found.items():
        figures[f"{name}_s_{engine}"] = round(one["seconds"], 2)
        figures[f"{name}_cpu_s_{engine}"] = round(one["cpu"], 2)
        figures[f"{name}_peak_mb_{engine}"] = round(one["peak_mb"])
    return figures


def against_before(folder: Path, size: int, dates: int, repeat: int, before: Path) -> dict[str, Any]:
    """Figures of this version and the one before."""
    figures: dict[str, Any] = {}
    place = ("--folder", folder, "--size", size, "--dates", dates)
    for what in ("timescan", "timescan_outliers", "speckle"):
        task = (*place, "--task", "scan", "--metric", what)
        found = compare(repeat, {"now": partial(run, *task), "before": partial(run, *task, tree=before)})
        figures[f"{what}_times_faster"] = round(found["before"]["cpu"] / found["now"]["cpu"], 2)
        figures[f"{what}_cpu_s"] = round(found["now"]["cpu"], 2)
        figures[f"{what}_difference"] = abs(found["before"]["mean"] / found["now"]["mean"] - 1)
    task = (*place, "--task", "write")
    found = compare(repeat, {"now": partial(run, *task), "before": partial(run, *task, tree=before)})
    figures["written_opens_times_faster"] = round(found["before"]["cpu"] / found["now"]["cpu"], 2)
    figures["written_size_ratio"] = round(found["now"]["mb"] / found["before"]["mb"], 3)
    return figures


def on_s3(folder: Path, size: int, dates: int, repeat: int) -> dict[str, Any]:
    """Figures over S3; empty where there is no server to start."""
    sys.path.insert(0, str(ROOT))
    import pytest

    from tests.servers import seaweedfs

    try:
        server = seaweedfs()
    except pytest.skip.Exception as missing:
        return {"s3": str(missing)}
    bucket, client = server.make_bucket("cube"), server.client()
    for date, path in enumerate(linked_dates(folder, dates, size)):
        client.upload_file(str(path), bucket, f"date{date:04d}.tif")
    os.environ.update(server.environment)
    place = ("--bucket", bucket, "--size", size, "--dates", dates)
    figures: dict[str, Any] = {"s3_dates": dates}
    for metric in METRICS:
        figures |= against_peers(f"s3_{metric}", repeat, *place, "--task", "reduce", "--metric", metric)
    return figures


def linked_dates(folder: Path, dates: int, size: int) -> list[Path]:
    """The files of some dates."""
    linked_items(folder, dates, size=size)
    return [folder / f"date{date:04d}.tif" for date in range(dates)]


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Every figure of the benchmark."""
    opened = compare(options.repeat, {"now": partial(run, "--task", "open")})["now"]
    figures: dict[str, Any] = {
        "open_10k_s": round(opened["seconds"], 3),
        "open_10k_cpu_s": round(opened["cpu"], 3),
        "open_10k_mb": round(opened["mb"], 1),
        "graph_tasks": opened["tasks"],
        "open_10k_steps": opened["steps"],
    }
    place = ("--folder", folder, "--size", options.size)
    for metric in METRICS:
        task = (*place, "--dates", options.dates, "--task", "reduce", "--metric", metric)
        figures |= against_peers(metric, options.repeat, *task)
    figures |= against_peers("series", options.repeat, *place, "--dates", 4 * options.dates, "--task", "series")
    for metric in METRICS:
        task = (*place, "--task", "reduce", "--metric", metric)
        peaks = [run(*task, "--dates", n)["peak_mb"] for n in (20, 200)]
        figures[f"{metric}_peak_mb_20"], figures[f"{metric}_peak_mb_200"] = map(round, peaks)
        figures[f"{metric}_peak_ratio_200_to_20"] = round(peaks[1] / peaks[0], 3)
    if options.before:
        figures |= against_before(folder, options.size, options.dates, options.repeat, options.before.resolve())
    if options.s3_dates:
        figures |= on_s3(folder, options.size, options.s3_dates, options.repeat)
    return {**figures, "dates": options.dates, "size": options.size, "chunk": CHUNK}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--folder", type=Path, help="where to keep the rasters; default: a temporary folder")
    parser.add_argument("--dates", type=int, default=50)
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--before", type=Path, help="a checkout of the version to compare with, such as 0.1")
    parser.add_argument("--s3-dates", type=int, default=20, help="dates read over S3 (60 MB each); 0: none")
    tasks = {"reduce": task_reduce, "series": task_series, "scan": task_scan, "write": task_write, "open": None}
    parser.add_argument("--task", choices=tasks, help=argparse.SUPPRESS)
    parser.add_argument("--metric", default="mean", help=argparse.SUPPRESS)
    parser.add_argument("--bucket", help=argparse.SUPPRESS)
    parser.add_argument("--engine", choices=ENGINES, default="sarcube", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        task = tasks[options.task]
        print(json.dumps(task(options) if task else task_open(100, 100)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = (options.folder or Path(scratch)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        make_files(folder, size=options.size)
        figures = measure(options, folder)
    if options.json:
        print(json.dumps(figures))
        return
    for key, value in figures.items():
        print(f"{key:36s} {value}")


if __name__ == "__main__":
    main()
