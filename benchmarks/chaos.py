"""Chaos: whatever is killed, full, torn, damaged, asleep or wrong about the time, the store stays whole.

    python benchmarks/chaos.py [--rounds 200] [--seed 1] [--side-by-side 2] [--pairs] [--json]

Each round starts a run and, as its seed says, kills workers, the scheduler, the client, or all of them at once, also
while it brings its collections up to date; sets a second client to work on the same store, or two that make
everything again, one of which may sleep in the middle and wake when the other has ended; fills the disk, or damages a
scene. Every fourth round is one of remakes by two clients, in every tenth clocks are wrong by minutes or days. Rounds
take turns on a small disk, on an S3 server that answers 500 and 503, hangs, tears connections in the middle of uploads
and answers, loses its own answers and lists page by page, and on SeaweedFS. After each mishap the run is started again.
All the time a reader looks at the store, and asks it. Every 25th round is one of real products: of backscatter, whose
scheduler goes, and in turn of pairs, merged and unwrapped; with --pairs all are.

At the end of a round the store has to be as from a quiet run. No product that could be made may be missing or there
twice, none may ever have been visible in part, without its files, or found by no query; every checksum must be right;
index, collections and catalog must say what the items say; what lies around must be known to be dead before anything
is cleaned, and be gone after. A scene that stays damaged costs its own products, and nothing else.

What happens in a round follows from its seed, when exactly from the machine: a seed alone repeats the mishaps, not
their moments.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from benchmarks.chaos_judge import Reader, items_of, judge  # noqa: E402
from benchmarks.chaos_processes import Nursery, Started  # noqa: E402
from benchmarks.chaos_real import play_pairs, play_real, quiet_pairs, simulate_archive, simulate_pairs  # noqa: E402
from benchmarks.chaos_stage import STORES, Scene, full_disk, stage  # noqa: E402
from benchmarks.chaos_workflow import scene_bytes  # noqa: E402

MISHAPS = ("client", "everything", "workers", "two clients", "scheduler", "damaged scene", "finish")
REMAKES = ("remakes", "sleeper", "remakes killed")
_PATIENCE_S = 900.0  # after which a client hangs, however busy the machine is
_REAL = 25  # every so many rounds one of real backscatter
_SKEWS = (0.0, 600.0, -600.0, 86_400.0, -86_400.0, 30.0, -30.0)


@dataclass
class Round:
    """What happened in one round."""

    seed: int
    store: str
    events: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    skewed: bool = False
    alive: int = 0  # mishaps that met a client that had not ended
    reads: int = 0
    queries: int = 0
    restarts: int = 0  # runs after the last mishap until nothing was left to do
    s3_faults: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


def play(
    seed: int,
    folder: Path,
    nursery: Nursery,
    *,
    lives: int = 3,
    size: tuple[int, int] = (6, 5),
    events: tuple[str, ...] | None = None,
    store: str = "",
    mount: bool = False,
) -> Round:
    """One round in a fresh store.

    Parameters
    ----------
    seed : int
        Says what happens.
    folder : Path
        Empty.
    nursery : Nursery
    lives : int
        Mishaps.
    size : (int, int)
        Bursts and dates.
    events : tuple of str, optional
        Which mishaps.
    store : str, optional
        Which of STORES.
    mount : bool
        Give a store on disk a file system of its own.
    """
    rng = random.Random(seed)
    begun = time.monotonic()
    kind = store or STORES[seed % len(STORES)]
    with stage(kind, seed, folder, nursery, size, mount=mount) as scene:
        result = Round(seed, kind, skewed=seed % 10 == 3)
        if result.skewed:
            scene.skews = tuple(rng.sample(_SKEWS, len(_SKEWS)))
        kinds = REMAKES if seed % 4 == 0 else (*MISHAPS, "full disk") if kind == "disk" else MISHAPS
        with Reader(scene) as reader:
            try:
                for i in range(lives):
                    _live(events[i] if events else rng.choice(kinds), scene, rng, result)
                _finish(scene, result)
            finally:
                for process in scene.started:
                    process.kill_all()
        result.faults += judge(scene, reader)
        result.faults += reader.faults
        result.reads, result.queries = reader.reads, reader.queries
        result.s3_faults = dict(scene.s3_faults)
    result.seconds = time.monotonic() - begun
    return result


def _finish(scene: Scene, result: Round) -> None:
    """Run again until nothing is left: a worker that died, or a server that failed too often, may leave something."""
    last = None
    for _ in range(6):
        last = scene.start("client", "run.yaml")
        last.wait(_PATIENCE_S)
        result.restarts += 1
        said = last.said()
        if not scene.left() and said.get("unfinished") == "" and (scene.lost or said.get("exit_code") == 0):
            return
    result.faults.append(f"the last run did not finish: {last.output()[-2000:] if last else ''}")


def _live(what: str, scene: Scene, rng: random.Random, result: Round) -> None:
    """Let a client live for a while, and do something to it."""
    result.events.append(what)
    if what == "scheduler":
        _lose_scheduler(scene, rng, result)
        return
    if what in REMAKES:
        _remakes(what, scene, rng, result)
        return
    clients = [scene.start("client", "run.yaml")]
    if what == "finish":
        _until(lambda: not scene.left() or clients[0].ended)
        time.sleep(rng.uniform(0.0, 0.4))
    else:
        _any_moment(scene, clients[0], rng)
    result.alive += not clients[0].ended
    if what == "two clients":
        clients.append(scene.start("client", "run.yaml"))
        _any_moment(scene, clients[1], rng)
    _meanwhile(what, scene, clients[0], rng)
    for one in clients:
        if what in ("everything", "finish"):
            one.kill_all()
        one.kill()


def _meanwhile(what: str, scene: Scene, client: Started, rng: random.Random) -> None:
    """What happens around a client at work."""
    if what == "workers":
        for _ in range(rng.randint(1, 3)):
            if workers := client.workers():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rng.choice(workers), signal.SIGKILL)
            time.sleep(rng.uniform(0.1, 0.6))
        client.wait(rng.uniform(0.5, 3.0))
    elif what == "full disk":
        with full_disk(scene, [client.pid, *client.workers()]):
            client.wait(rng.uniform(0.5, 2.0))
    elif what == "damaged scene":
        path = scene.chaos / rng.choice(scene.names())
        path.write_bytes(path.read_bytes()[:1000])
        client.wait(rng.uniform(0.5, 3.0))
        if scene.lost or rng.random() < 0.5:  # fetched again
            path.write_bytes(scene_bytes(path.name))
        else:
            scene.lost = path.name


def _remakes(what: str, scene: Scene, rng: random.Random, result: Round) -> None:
    """Two clients make everything again; one may be killed, or sleep while the other works, and wake after."""
    if scene.left():
        scene.start("client", "run.yaml").wait(_PATIENCE_S)
    first = scene.start("client", "run.yaml", "", "remake")
    if what == "sleeper":
        _until(first.workers)
        time.sleep(rng.uniform(0.2, 2.0))
        result.alive += not first.ended
        first.signal_all(signal.SIGSTOP)
        scene.start("client", "run.yaml", "", "remake").wait(_PATIENCE_S)
        first.signal_all(signal.SIGCONT)
        first.wait(_PATIENCE_S)
        return
    second = scene.start("client", "run.yaml", "", "remake")
    result.alive += not (first.ended or second.ended)
    if what == "remakes killed":
        _until(second.workers)
        time.sleep(rng.uniform(0.0, 2.0))
        rng.choice((first, second)).kill_all()
    for client in (first, second):
        if not client.wait(_PATIENCE_S):
            result.faults.append(f"a client that makes everything again does not end: {client.output()[-2000:]}")


def _any_moment(scene: Scene, client: Started, rng: random.Random) -> None:
    """Wait a while: by the clock, as it plans and brings up its workers, or for products, as it works or ends."""
    if rng.random() < 0.3:
        time.sleep(rng.uniform(0.1, 2.0))
        return
    before = len(items_of(scene.snapshot()))
    left = scene.bursts * (scene.dates + 1) - before
    wanted = before + rng.randint(1, min(12, max(1, 2 * left // 3)))
    _until(lambda: len(items_of(scene.snapshot())) >= wanted or client.ended)


def _lose_scheduler(scene: Scene, rng: random.Random, result: Round) -> None:
    """A cluster of its own processes, whose scheduler goes while the client works."""
    address_file = scene.folder / f"scheduler-{rng.random()}.json"
    scheduler = scene.start("scheduler", str(address_file))
    address = scheduler.address(address_file)
    workers = [scene.start("worker", address) for _ in range(2)]
    client = scene.start("client", "run.yaml", address)
    # In every third case as the run begins (its record is the first that it writes), else while products come.
    seen = scene.snapshot if rng.random() < 0.34 else lambda: items_of(scene.snapshot())
    before = len(seen())
    _until(lambda: len(seen()) > before or client.ended)
    time.sleep(rng.uniform(0.0, 0.5))
    result.alive += not client.ended
    scheduler.kill()
    if not client.wait(_PATIENCE_S):
        result.faults.append(f"the client goes on though its scheduler is gone: {client.output()[-2000:]}")
    for process in (client, *workers, scheduler):
        process.kill_all()


def _until(there: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60.0
    while not there() and time.monotonic() < deadline:
        time.sleep(0.05)


_nurseries: list[Nursery] = []  # of this process: one, kept from round to round


def _play_one(seed: int, archive: Path, pairs: bool) -> Round:
    if not _nurseries:
        _nurseries.append(Nursery())
    with tempfile.TemporaryDirectory(prefix="sarcube-chaos-", ignore_cleanup_errors=True) as folder:
        begun = time.monotonic()
        if pairs or seed % (2 * _REAL) == 0:
            events, alive, faults = play_pairs(seed, Path(folder), archive / "pairs", _nurseries[0])
            told = [f"{event} of pairs" for event in events]
            return Round(seed, "disk", told, faults, alive=alive, restarts=1, seconds=time.monotonic() - begun)
        if seed % _REAL == 0:
            result = Round(seed, "disk", ["scheduler of real backscatter"], alive=1)
            result.faults = play_real(seed, Path(folder), archive / "backscatter", _nurseries[0])
            result.seconds = time.monotonic() - begun
            return result
        try:
            return play(seed, Path(folder), _nurseries[0], mount=True)
        except Exception:  # the round itself is at fault: said, and the others go on
            return Round(seed, "", faults=[traceback.format_exc()], seconds=time.monotonic() - begun)


def main() -> None:
    """Play rounds and say how they went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--side-by-side", type=int, default=2, help="rounds at a time, each in its own processes")
    parser.add_argument("--pairs", action="store_true", help="rounds of pairs only")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rounds = []
    begun = time.monotonic()
    spawn = multiprocessing.get_context("spawn")  # each has its own environment, which names its S3 server
    seeds = range(args.seed, args.seed + args.rounds)
    with (
        tempfile.TemporaryDirectory(prefix="sarcube-chaos-archive-") as archive,
        concurrent.futures.ProcessPoolExecutor(args.side_by_side, mp_context=spawn) as pool,
    ):
        if not args.pairs and any(seed % _REAL == 0 for seed in seeds):
            simulate_archive(Path(archive) / "backscatter")
        if args.pairs or any(seed % (2 * _REAL) == 0 for seed in seeds):
            simulate_pairs(Path(archive) / "pairs")
            nursery = Nursery()
            quiet_pairs(Path(archive) / "pairs", nursery)
            nursery.close()
        for result in pool.map(partial(_play_one, archive=Path(archive), pairs=args.pairs), seeds):
            rounds.append(result)
            if not args.json or result.faults:
                print(
                    f"{result.seed} ({result.store}): {', '.join(result.events)}; {result.alive} alive; "
                    f"{result.restarts} to finish; {result.reads} items read, {result.queries} queries; "
                    f"{result.seconds:.1f} s",
                    *result.faults[:20],
                    sep="\n  ",
                    flush=True,
                )
    bad = [r.seed for r in rounds if r.faults]
    print(
        json.dumps(
            {
                "rounds": len(rounds),
                "rounds_with_faults": len(bad),
                "seeds_with_faults": bad,
                "rounds_of_remakes": sum(bool({*r.events} & {*REMAKES}) for r in rounds),
                "rounds_with_wrong_clocks": sum(r.skewed for r in rounds),
                "stores": Counter(r.store for r in rounds),
                "mishaps": Counter(e for r in rounds for e in r.events),
                "mishaps_of_living_clients": sum(r.alive for r in rounds),
                "s3_faults": sum((Counter(r.s3_faults) for r in rounds), Counter()),
                "items_read": sum(r.reads for r in rounds),
                "queries": sum(r.queries for r in rounds),
                "wall_s": round(time.monotonic() - begun, 1),
                "round_s": round(sum(r.seconds for r in rounds) / len(rounds), 1),
            }
        )
    )
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
