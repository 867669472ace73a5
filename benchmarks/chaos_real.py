"""A chaos round of real backscatter: the scheduler goes while the bursts of a simulated archive are worked through."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

from benchmarks.chaos_processes import Nursery, Started
from sarcube.errors import ConfigError

_RUN = """\
aoi: {{bbox: [{west:.4f}, {south:.4f}, {east:.4f}, {north:.4f}]}}
dates: [{first}, {first}]
source: {{kind: local, path: {folder}/scenes, burst_ids: [{bursts}]}}
orbits: {{path: {folder}/orbits}}
dem: {{path: {folder}/dem.tif, heights: ellipsoid}}
grid: {{resolution: 20, crs: auto}}
store: {store}
"""


def simulate_archive(folder: Path) -> None:
    """The archive of `sarcube demo`, for any number of rounds."""
    from sarcube.simulate.archive import simulate
    from sarcube.simulate.options import demo_options

    simulate(folder, demo_options())


def play_real(seed: int, folder: Path, archive: Path, nursery: Nursery) -> list[str]:
    """One round in an empty folder; returns faults.

    A scheduler is killed while its client and workers make products, or workers are; then the run is started again.
    """
    from sarcube.simulate.stored import open_archive

    rng = random.Random(seed)
    known = open_archive(archive)
    west, south, east, north = known.bbox
    store = folder / "store"
    facts = {"first": known.dates[0], "bursts": ", ".join(known.burst_ids[:2]), "folder": archive.absolute()}
    box = {"west": west, "south": south, "east": east, "north": north}
    (folder / "run.yaml").write_text(_RUN.format(**box, **facts, store=store))
    faults, started = [], list[Started]()

    def start(call: str, *arguments: str) -> Started:
        started.append(nursery.start(call, *arguments, folder=folder, environment={"OPENBLAS_NUM_THREADS": "1"}))
        return started[-1]

    try:
        scheduler = start("scheduler", str(folder / "scheduler.json"))
        address = scheduler.address(folder / "scheduler.json")
        workers = [start("worker", address) for _ in range(2)]
        client = start("client", "run.yaml", address)
        wanted, deadline = rng.randint(1, 3), time.monotonic() + 240.0
        while not client.ended and len(_items(store)) < wanted and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(rng.uniform(0.0, 0.5))
        if rng.random() < 0.3:
            workers[0].signal_all(signal.SIGKILL)
        scheduler.kill()
        if not client.wait(300.0):
            faults.append("the client goes on though its scheduler is gone")
        elif client.said().get("exit_code") != 1 and len(_items(store)) < 4:
            faults.append(f"the client lost its scheduler and ends with {client.said()}")
        for process in started:
            process.kill_all()
        last = start("client", "run.yaml")
        last.wait(900.0)
        if last.said().get("exit_code") != 0:
            faults.append(f"the last run did not finish: {last.output()[-2000:]}")
    finally:
        for process in started:
            process.kill_all()
    return faults + _judge(folder, store)


def _items(store: Path) -> list[Path]:
    return list(store.rglob("T*-IW?_*.json"))


def _judge(folder: Path, store: Path) -> list[str]:
    from sarcube.catalog.check import check_store
    from sarcube.production.clean import clean
    from sarcube.production.status import status

    faults = [f"{fault.key}: {fault.message}" for fault in check_store(str(store), checksums=True)]
    try:
        found = status(str(folder / "run.yaml"))
    except ConfigError as error:
        return [*faults, str(error)]
    if not found.complete or found.writing or found.foreign:
        faults.append(f"status: {found.table()}")
    clean(str(store), delete=True)
    after = status(str(folder / "run.yaml"))
    faults += [f"{key} is still there after cleaning" for key in (*after.stale, *after.writing)]
    faults += [f"{path} is still there after cleaning" for path in store.rglob("_pending/*")]
    return faults
