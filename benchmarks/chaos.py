"""Chaos: whatever is killed, full, torn or damaged, the store must come out as from a quiet run.

    python benchmarks/chaos.py [--rounds 200] [--seed 1] [--side-by-side 2] [--json]

Each round starts a run and, as its seed says, kills workers, the scheduler, the client, or all of them at once, sets a
second client to work on the same store, fills the disk, or damages a scene. Every second round works on an S3
server that answers 500 and 503, hangs, tears connections in the middle of uploads and loses its own answers. After
each mishap the run is started again. All the time a reader looks at the store. At the end of a round no product
that could be made may be missing or there twice, none may ever have been visible in part, and every checksum
must be right. A scene that stays damaged costs its own products, and nothing else.

What happens in a round follows from its seed, when exactly from the machine: a seed alone repeats the mishaps, not
their moments.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import hashlib
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from benchmarks.chaos_processes import Nursery, Started  # noqa: E402
from benchmarks.chaos_s3 import FaultyS3  # noqa: E402
from benchmarks.chaos_workflow import FULL, NAME, scene_bytes  # noqa: E402

LOCAL = ("client", "everything", "workers", "two clients", "scheduler", "full disk", "damaged scene")
REMOTE = ("client", "everything", "workers", "two clients", "scheduler", "damaged scene")


@dataclass
class Round:
    """What happened in one round."""

    seed: int
    store: str
    events: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    alive: int = 0  # mishaps that met a client that had not ended
    reads: int = 0
    restarts: int = 0  # runs after the last mishap until nothing was left to do
    s3_faults: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass
class Scene:
    """A round's stage: its store, its size, what clients need, and how to look at what is stored."""

    folder: Path
    url: str
    bursts: int
    dates: int
    snapshot: Callable[[], Mapping[str, Callable[[], bytes]]]
    nursery: Nursery
    environment: dict[str, str]
    s3_faults: Mapping[str, int] = field(default_factory=dict)  # counts of what the server did
    quiet: Callable[[], None] = lambda: None  # an end to the server's faults
    lost: str = ""  # name of a scene that stays damaged
    started: list[Started] = field(default_factory=list)

    def start(self, call: str, *arguments: str) -> Started:
        """A process of this round."""
        process = self.nursery.start(call, *arguments, folder=self.folder, environment=self.environment)
        self.started.append(process)
        return process

    @property
    def chaos(self) -> Path:
        return self.folder / "scenes"

    @property
    def config(self):
        from sarcube.config import RunConfig

        options = {"bursts": self.bursts, "dates": self.dates, "files": 3, "seconds": 0.05, "chaos": str(self.chaos)}
        return RunConfig.from_dict(
            {
                "workflow": NAME,
                "source": {"path": "."},
                "store": self.url,
                "chaos": options,
            }
        )

    def left(self):
        """Tasks to do, but those that cannot be done."""
        from sarcube.production.plan import plan

        return [t for t in plan(self.config).tasks if not self.lost or t.label != self.lost]

    def names(self) -> list[str]:
        from sarcube.workflows.rehearsal.workflow import WORKFLOW

        return sorted({u.label for u in WORKFLOW.find(self.config).units})


def play(
    seed: int,
    folder: Path,
    nursery: Nursery,
    *,
    lives: int = 3,
    bursts: int = 6,
    dates: int = 5,
    events: tuple[str, ...] | None = None,
) -> Round:
    """One round in a fresh store; even seeds on S3."""
    rng = random.Random(seed)
    begun = time.monotonic()
    with _stage(seed, folder, nursery, bursts, dates) as scene:
        result = Round(seed, scene.url.split(":")[0] if "://" in scene.url else "disk")
        stop = threading.Event()
        reader = threading.Thread(target=_read, args=(scene, stop, result))
        reader.start()
        try:
            for i in range(lives):
                kinds = REMOTE if "://" in scene.url else LOCAL
                _live(events[i] if events else rng.choice(kinds), scene, rng, result)
            # A run whose worker died in the last moment, or whose server failed it too often, may leave something.
            for _ in range(4):
                last = scene.start("client", "run.yaml")
                last.wait(240.0)
                result.restarts += 1
                if not scene.left():
                    break
            else:
                result.faults.append(f"the last run did not finish: {last.output()[-2000:]}")
        finally:
            stop.set()
            reader.join()
            for process in scene.started:
                process.kill_all()
        _judge(scene, result)
        result.s3_faults = dict(scene.s3_faults)
    result.seconds = time.monotonic() - begun
    return result


@contextlib.contextmanager
def _stage(seed: int, folder: Path, nursery: Nursery, bursts: int, dates: int) -> Iterator[Scene]:
    server = None if seed % 2 else FaultyS3(seed, rate=0.06)
    before = dict(os.environ)
    if server is None:
        root = folder / "store"

        def on_disk() -> dict[str, Callable[[], bytes]]:
            return {str(p.relative_to(root)): p.read_bytes for p in root.rglob("*") if p.suffix in (".json", ".tif")}

        scene = Scene(folder, str(root), bursts, dates, on_disk, nursery, {})
    else:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        os.environ.update(server.environment)

        def on_s3() -> dict[str, Callable[[], bytes]]:
            found = server.snapshot().items()
            return {k.removeprefix("/chaos/store/"): (lambda data=data: data) for k, data in found}

        scene = Scene(
            folder, "s3://chaos/store", bursts, dates, on_s3, nursery, server.environment, server.faults, server.quiet
        )
    scene.chaos.mkdir()
    for name in scene.names():
        (scene.chaos / name).write_bytes(scene_bytes(name))
    (folder / "run.yaml").write_text(scene.config.to_yaml())
    try:
        yield scene
    finally:
        os.environ.clear()
        os.environ.update(before)
        if server:
            server.shutdown()
            server.server_close()


def _live(what: str, scene: Scene, rng: random.Random, result: Round) -> None:
    """Let a client live for a while, and do something to it."""
    result.events.append(what)
    if what == "scheduler":
        _lose_scheduler(scene, rng, result)
        return
    clients = [scene.start("client", "run.yaml")]
    _any_moment(scene, clients[0], rng)
    result.alive += not clients[0].ended
    if what == "two clients":
        clients.append(scene.start("client", "run.yaml"))
        _any_moment(scene, clients[1], rng)
    elif what == "workers":
        for _ in range(rng.randint(1, 3)):
            if workers := clients[0].workers():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rng.choice(workers), signal.SIGKILL)
            time.sleep(rng.uniform(0.1, 0.6))
        clients[0].wait(rng.uniform(0.5, 3.0))
    elif what == "full disk":
        flag = scene.chaos / FULL
        flag.touch()
        clients[0].wait(rng.uniform(0.5, 2.0))
        flag.unlink()
    elif what == "damaged scene":
        path = scene.chaos / rng.choice(scene.names())
        path.write_bytes(path.read_bytes()[:1000])
        clients[0].wait(rng.uniform(0.5, 3.0))
        if scene.lost or rng.random() < 0.5:  # fetched again
            path.write_bytes(scene_bytes(path.name))
        else:
            scene.lost = path.name
    for one in clients:
        if what == "everything":
            one.kill_all()
        one.kill()


def _any_moment(scene: Scene, client: Started, rng: random.Random) -> None:
    """Wait a while: by the clock, as it plans and brings up its workers, or for products, as it works or ends."""
    if rng.random() < 0.3:
        time.sleep(rng.uniform(0.1, 2.0))
        return
    before = len(_items(scene.snapshot()))
    left = scene.bursts * (scene.dates + 1) - before
    wanted = before + rng.randint(1, min(12, max(1, 2 * left // 3)))
    _until(lambda: len(_items(scene.snapshot())) >= wanted or client.ended)


def _lose_scheduler(scene: Scene, rng: random.Random, result: Round) -> None:
    """A cluster of its own processes, whose scheduler goes while the client works."""
    address_file = scene.folder / f"scheduler-{rng.random()}.json"
    scheduler = scene.start("scheduler", str(address_file))
    _until(lambda: _address(address_file) != "")
    address = _address(address_file)
    workers = [scene.start("worker", address) for _ in range(2)]
    client = scene.start("client", "run.yaml", address)
    # In every third case as the run begins (its record is the first that it writes), else while products come.
    seen = scene.snapshot if rng.random() < 0.34 else lambda: _items(scene.snapshot())
    before = len(seen())
    _until(lambda: len(seen()) > before or client.ended)
    time.sleep(rng.uniform(0.0, 0.5))
    result.alive += not client.ended
    scheduler.kill()
    if not client.wait(30.0):
        result.faults.append("the client goes on though its scheduler is gone")
    for process in (client, *workers, scheduler):
        process.kill_all()


def _address(file: Path) -> str:
    """Of the scheduler that writes this file; empty until it has."""
    try:
        return json.loads(file.read_text())["address"]
    except (OSError, ValueError):
        return ""


def _until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60.0
    while not there() and time.monotonic() < deadline:
        time.sleep(0.05)


def _items(files: Mapping[str, Callable[[], bytes]]) -> list[str]:
    return sorted(k for k in files if k.rsplit("/", 1)[-1].startswith("T") and k.endswith(".json"))


def _read(scene: Scene, stop: threading.Event, result: Round) -> None:
    """Look at every item there is, again and again: whatever has an item must be whole."""
    while not stop.is_set():
        _check_all(scene, result)
        stop.wait(0.1)


def _check_all(scene: Scene, result: Round) -> int:
    # The items of one look, then files as they are now: a file that an item names must not go any more.
    items = _items(scene.snapshot())
    files = scene.snapshot()
    for key in items:
        try:
            item = json.loads(files[key]())
        except (KeyError, OSError, ValueError):
            result.faults.append(f"{key} is visible in part")
            continue
        for asset in item["assets"].values():
            name = f"{key.rsplit('/', 1)[0]}/{asset['href'].removeprefix('./')}"
            try:
                data = files[name]()
            except (KeyError, OSError):
                result.faults.append(f"{key} names {name}, which is not there")
                continue
            if asset["file:checksum"] != "1220" + hashlib.sha256(data).hexdigest():
                result.faults.append(f"{name} has the wrong checksum")
        result.reads += 1
    return len(items)


def _judge(scene: Scene, result: Round) -> None:
    """Compare the store with what a quiet run leaves."""
    from sarcube.production.clean import clean
    from sarcube.production.status import status
    from sarcube.workflows.rehearsal.workflow import WORKFLOW

    result.faults += [f"{task.key} is missing" for task in scene.left()]
    units = WORKFLOW.find(scene.config).units
    made = sum(u.label != scene.lost for u in units)
    wanted = (made, made + scene.bursts)  # a date made while its scene was whole stays
    present = _check_all(scene, result)
    most = len(units) + scene.bursts
    if not wanted[1] <= present <= most or (not scene.lost and present != most):
        result.faults.append(f"{present} items instead of {wanted[1]} to {most}")
    scene.quiet()  # what follows is the judge's look at what is stored
    clean(scene.url, delete=True)
    found = status(scene.config)
    result.faults += [f"{key} belongs to nothing" for key in (*found.stale, *found.foreign)]


_nurseries: list[Nursery] = []  # of this process: one, kept from round to round


def _play_one(seed: int) -> Round:
    if not _nurseries:
        _nurseries.append(Nursery())
    with tempfile.TemporaryDirectory(prefix="sarcube-chaos-", ignore_cleanup_errors=True) as folder:
        return play(seed, Path(folder), _nurseries[0])


def main() -> None:
    """Play rounds and say how they went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--side-by-side", type=int, default=2, help="rounds at a time, each in its own processes")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rounds = []
    begun = time.monotonic()
    spawn = multiprocessing.get_context("spawn")  # each has its own environment, which names its S3 server
    with concurrent.futures.ProcessPoolExecutor(args.side_by_side, mp_context=spawn) as pool:
        for result in pool.map(_play_one, range(args.seed, args.seed + args.rounds)):
            rounds.append(result)
            if not args.json or result.faults:
                print(
                    f"{result.seed} ({result.store}): {', '.join(result.events)}; {result.alive} alive; "
                    f"{result.restarts} to finish; {result.reads} items read; {result.seconds:.1f} s",
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
                "mishaps": Counter(e for r in rounds for e in r.events),
                "mishaps_of_living_clients": sum(r.alive for r in rounds),
                "s3_faults": sum((Counter(r.s3_faults) for r in rounds), Counter()),
                "items_read": sum(r.reads for r in rounds),
                "wall_s": round(time.monotonic() - begun, 1),
                "round_s": round(sum(r.seconds for r in rounds) / len(rounds), 1),
            }
        )
    )
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
