"""Chaos rounds of real products: backscatter, or pairs of bursts merged and unwrapped, of a simulated archive.

A round of backscatter loses its scheduler. One of pairs goes through two mishaps: its scheduler goes, workers, the
client or all of them are killed, a second client works on the same store, or two make everything again and one of them
is killed. After each the run is started again; at the end the store has to be whole, and pairs have to hold the numbers
of a quiet run.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

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
_PAIRS = """\
workflow: insar
source: {{kind: local, path: {folder}/scenes}}
orbits: {{path: {folder}/orbits}}
dem: {{path: {folder}/dem.tif, heights: ellipsoid}}
store: {store}
insar: {{posting: 80, merge: true}}
"""
PAIR_MISHAPS = ("scheduler", "workers", "client", "everything", "two clients", "remakes killed")
_COMPARED = ("interferogram", "coherence", "unwrapped_phase", "connected_components", "los_east")
_ROUNDING = 2e-6
_PATIENCE_S = 900.0
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}


def simulate_archive(folder: Path) -> None:
    """The archive of `sarcube demo`, for any number of rounds."""
    from sarcube.simulate.archive import simulate
    from sarcube.simulate.options import demo_options

    simulate(folder, demo_options())


def simulate_pairs(folder: Path) -> None:
    """Two dates of the corner at which bursts of two sub-swaths meet."""
    from sarcube.simulate.archive import simulate
    from sarcube.simulate.options import SimulationOptions

    lon, lat = 8.2, 48.0
    simulate(
        folder,
        SimulationOptions(
            dates=(dt.date(2024, 5, 1), dt.date(2024, 5, 13)), polarizations=("VV",), truth="constant",
            aoi=(lon - 0.022, lat - 0.03, lon + 0.022, lat + 0.03), crop=True, coherent=True, baselines=(0.0, 60.0),
            displacement="fault", coherence=(0.8,),
        ),
    )  # fmt: skip


def play_pairs(seed: int, folder: Path, archive: Path, nursery: Nursery) -> tuple[list[str], int, list[str]]:
    """One round of pairs in an empty folder; returns mishaps, how many met a client at work, and faults."""
    rng = random.Random(seed)
    store = folder / "store"
    (folder / "run.yaml").write_text(_PAIRS.format(folder=archive.absolute(), store=store))
    events = [rng.choice(PAIR_MISHAPS) for _ in range(2)]
    faults, started, alive = [], list[Started](), 0

    def start(call: str, *arguments: str) -> Started:
        started.append(nursery.start(call, *arguments, folder=folder, environment=_ONE_THREAD))
        return started[-1]

    try:
        for what in events:
            alive += _mishap(what, store, rng, start, faults)
            for process in started:
                process.kill_all()
        last = start("client", "run.yaml")
        last.wait(_PATIENCE_S)
        if last.said().get("exit_code") != 0:
            faults.append(f"the last run did not finish: {last.output()[-2000:]}")
    finally:
        for process in started:
            process.kill_all()
    return events, alive, faults + _judge(folder, store) + _unlike(store, archive / "quiet")


def quiet_pairs(archive: Path, nursery: Nursery) -> None:
    """What a run leaves that nothing happens to: what rounds are compared with."""
    (archive / "run.yaml").write_text(_PAIRS.format(folder=archive.absolute(), store=archive / "quiet"))
    client = nursery.start("client", "run.yaml", folder=archive, environment=_ONE_THREAD)
    client.wait(_PATIENCE_S)
    if client.said().get("exit_code") != 0:
        raise RuntimeError(f"the quiet run failed: {client.output()[-2000:]}")


def _mishap(what: str, store: Path, rng: random.Random, start: Any, faults: list[str]) -> int:
    """Let a client live until some products more are there, and do something to it; whether it was at work."""
    if what == "scheduler":
        file = store.parent / f"scheduler-{rng.random()}.json"
        scheduler = start("scheduler", str(file))
        address = scheduler.address(file)
        workers = [start("worker", address) for _ in range(2)]
        client = start("client", "run.yaml", address)
        _some_more(store, client, rng)
        alive = not client.ended
        if rng.random() < 0.3:
            workers[0].signal_all(signal.SIGKILL)
        scheduler.kill()
        if not client.wait(300.0):
            faults.append("the client goes on though its scheduler is gone")
        return int(alive)
    again = ("", "remake") if what == "remakes killed" else ()
    clients = [start("client", "run.yaml", *again)]
    if what in ("two clients", "remakes killed"):
        clients.append(start("client", "run.yaml", *again))
    _some_more(store, clients[0], rng)
    alive = not clients[0].ended
    if what == "workers":
        for _ in range(rng.randint(1, 3)):
            if pids := clients[0].workers():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rng.choice(pids), signal.SIGKILL)
            time.sleep(rng.uniform(0.1, 3.0))
        clients[0].wait(_PATIENCE_S)
    elif what == "client":
        clients[0].kill()
        time.sleep(rng.uniform(0.0, 5.0))  # its workers may go on for a moment
    else:
        clients[0].kill_all()
        for other in clients[1:]:
            if not other.wait(_PATIENCE_S):
                faults.append(f"the other client does not end: {other.output()[-2000:]}")
    return int(alive)


def _some_more(store: Path, client: Started, rng: random.Random) -> None:
    """Wait for up to nine products more, of ten, and a moment."""
    wanted, deadline = len(_items(store)) + rng.randint(0, 9), time.monotonic() + 240.0
    while not client.ended and len(_items(store)) < wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(rng.uniform(0.0, 2.0))


def _unlike(store: Path, quiet: Path) -> list[str]:
    """Layers whose numbers are not those of the quiet run."""
    import numpy as np
    import rasterio

    def layers(root: Path) -> dict[str, Any]:
        found = {}
        for path in root.rglob("*.tif"):
            layer = next((name for name in _COMPARED if path.stem.endswith(f"_{name}")), "")
            if layer:
                found[f"{path.parent.relative_to(root)}/{layer}"] = path
        return found

    ours, theirs = layers(store), layers(quiet)
    faults = [f"{name} is in one of both stores only" for name in sorted(ours.keys() ^ theirs.keys())]
    for name in sorted(ours.keys() & theirs.keys()):
        with rasterio.open(ours[name]) as one, rasterio.open(theirs[name]) as other:
            # Sums end in another bit as memory lies for the processor: 3e-7 were seen.
            if not np.allclose(one.read(1), other.read(1), rtol=0.0, atol=_ROUNDING, equal_nan=True):
                faults.append(f"{name} holds other numbers than in the quiet run")
    return faults


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
        started.append(nursery.start(call, *arguments, folder=folder, environment=_ONE_THREAD))
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
    return list(store.rglob("T*-IW*_*.json"))


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
