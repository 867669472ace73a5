"""Chaos: whatever is killed, full, torn or damaged, the store must come out as from a quiet run.

    python benchmarks/chaos.py [--rounds 200] [--seed 1] [--json]

Each round starts a run and, as its seed says, kills workers, the scheduler, the client, or all of them at once, sets a
second client to work on the same store, fills the disk, or damages a scene. Every second round works on an S3
server that answers 500 and 503, hangs, tears connections in the middle of uploads and loses its own answers. After
each mishap the run is started again. All the time a reader looks at the store. At the end of a round no product
that could be made may be missing or there twice, none may ever have been visible in part, and every checksum
must be right. A scene that stays damaged costs its own products, and nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
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
    reads: int = 0
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
    environment: dict[str, str]
    s3_faults: Mapping[str, int] = field(default_factory=dict)  # counts of what the server did
    lost: str = ""  # name of a scene that stays damaged

    @property
    def chaos(self) -> Path:
        return self.folder / "scenes"

    @property
    def config(self):
        from sarcube.config import RunConfig

        options = {"bursts": self.bursts, "dates": self.dates, "files": 3, "seconds": 0.05, "chaos": str(self.chaos)}
        return RunConfig.from_dict(
            {
                "source": {"path": "."},
                "dem": {"path": "dem.tif", "heights": "ellipsoid"},
                "store": self.url,
                "engine_options": options,
            }
        )

    def left(self):
        """Tasks to do, but those that cannot be done."""
        from sarcube.production.plan import plan

        return [t for t in plan(self.config, workflow=NAME).tasks if not self.lost or t.scene != self.lost]

    def names(self) -> list[str]:
        from sarcube.production.rehearsal import WORKFLOW

        return sorted({u.scene for u in WORKFLOW.find(self.config).units})


def produce_once(run_file: str, address: str = "") -> int:
    """The client: plan what is missing, produce it, and return the exit code."""
    from sarcube.cluster import Profile, connect, find_profile
    from sarcube.config import RunConfig
    from sarcube.production.options import ProduceOptions
    from sarcube.production.plan import plan
    from sarcube.production.produce import produce

    made = plan(RunConfig.from_file(run_file), workflow=NAME)
    if not made.tasks:
        return 0
    with connect(find_profile(address) if address else Profile(workers=2, memory=1.0)) as client:
        outcome = produce(made, client, options=ProduceOptions(backoff_s=0.2, patience_s=20.0))
    print(outcome, [f.message for f in outcome.failed], flush=True)
    return outcome.exit_code


def play(
    seed: int, folder: Path, *, lives: int = 3, bursts: int = 6, dates: int = 5, events: tuple[str, ...] | None = None
) -> Round:
    """One round in a fresh store; even seeds on S3."""
    rng = random.Random(seed)
    begun = time.monotonic()
    with _stage(seed, folder, bursts, dates) as scene:
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
                last = _start(scene)
                output, _ = last.communicate(timeout=240)
                if not scene.left():
                    break
            else:
                result.faults.append(f"the last run did not finish: {output[-2000:]}")
        finally:
            stop.set()
            reader.join()
        _judge(scene, result)
        result.s3_faults = dict(scene.s3_faults)
    result.seconds = time.monotonic() - begun
    return result


@contextlib.contextmanager
def _stage(seed: int, folder: Path, bursts: int, dates: int) -> Iterator[Scene]:
    server = None if seed % 2 else FaultyS3(seed, rate=0.06)
    before = dict(os.environ)
    if server is None:
        root = folder / "store"

        def on_disk() -> dict[str, Callable[[], bytes]]:
            return {str(p.relative_to(root)): p.read_bytes for p in root.rglob("*") if p.suffix in (".json", ".tif")}

        scene = Scene(folder, str(root), bursts, dates, on_disk, {})
    else:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        os.environ.update(server.environment)

        def on_s3() -> dict[str, Callable[[], bytes]]:
            found = server.snapshot().items()
            return {k.removeprefix("/chaos/store/"): (lambda data=data: data) for k, data in found}

        scene = Scene(folder, "s3://chaos/store", bursts, dates, on_s3, server.environment, server.faults)
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


def _process(scene: Scene, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **scene.environment, "PYTHONPATH": str(ROOT)},
        cwd=scene.folder,
    )


def _start(scene: Scene, address: str = "") -> subprocess.Popen[str]:
    script = scene.folder / "client.py"
    script.write_text(
        "import sys\nfrom benchmarks.chaos import produce_once\n"
        "if __name__ == '__main__': sys.exit(produce_once(*sys.argv[1:]))\n"
    )
    return _process(scene, str(script), "run.yaml", *([address] if address else []))


def _live(what: str, scene: Scene, rng: random.Random, result: Round) -> None:
    """Let a client live for a while, and do something to it."""
    import psutil

    result.events.append(what)
    if what == "scheduler":
        _lose_scheduler(scene, rng)
        return
    clients = [_start(scene)]
    time.sleep(rng.uniform(1.5, 5.0))
    if what == "two clients":
        clients.append(_start(scene))
        time.sleep(rng.uniform(1.0, 4.0))
    elif what == "workers":
        for _ in range(rng.randint(1, 3)):
            with contextlib.suppress(psutil.Error, IndexError):
                children = psutil.Process(clients[0].pid).children(recursive=True)
                rng.choice([c for c in children if "spawn_main" in " ".join(c.cmdline())]).kill()
            time.sleep(rng.uniform(0.2, 1.0))
        _wait(clients[0], rng.uniform(2.0, 6.0))
    elif what == "full disk":
        flag = scene.chaos / FULL
        flag.touch()
        _wait(clients[0], rng.uniform(1.0, 4.0))
        flag.unlink()
    elif what == "damaged scene":
        path = scene.chaos / rng.choice(scene.names())
        path.write_bytes(path.read_bytes()[:1000])
        _wait(clients[0], rng.uniform(2.0, 5.0))
        if scene.lost or rng.random() < 0.5:  # fetched again
            path.write_bytes(scene_bytes(path.name))
        else:
            scene.lost = path.name
    for one in clients:
        if what == "everything":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(one.pid, signal.SIGKILL)
        one.kill()
        one.communicate()


def _lose_scheduler(scene: Scene, rng: random.Random) -> None:
    """A cluster of its own processes, whose scheduler goes while the client works."""
    from sarcube.cluster.environment import MEMORY

    address_file = scene.folder / f"scheduler-{rng.random()}.json"
    dask = ("-m", "dask")
    scheduler = _process(
        scene, *dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0",
        "--scheduler-file", str(address_file),
    )  # fmt: skip
    _until(lambda: _address(address_file) != "")
    address = _address(address_file)
    options = ("--nthreads", "1", "--death-timeout", "5", "--resources", f"{MEMORY}=1000000000", "--no-dashboard")
    workers = [_process(scene, *dask, "worker", address, "--host", "127.0.0.1", *options) for _ in range(2)]
    client = _start(scene, address)
    before = len(scene.snapshot())
    _until(lambda: len(scene.snapshot()) > before or client.poll() is not None)
    time.sleep(rng.uniform(0.0, 2.0))
    scheduler.kill()
    _wait(client, 30.0)
    for process in (client, *workers, scheduler):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


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


def _wait(process: subprocess.Popen[str], seconds: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)


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
    from sarcube.production.rehearsal import WORKFLOW
    from sarcube.production.status import clean, status

    result.faults += [f"{task.key} is missing" for task in scene.left()]
    units = WORKFLOW.find(scene.config).units
    made = sum(u.scene != scene.lost for u in units)
    wanted = (made, made + scene.bursts)  # a date made while its scene was whole stays
    present = _check_all(scene, result)
    most = len(units) + scene.bursts
    if not wanted[1] <= present <= most or (not scene.lost and present != most):
        result.faults.append(f"{present} items instead of {wanted[1]} to {most}")
    clean(scene.url)
    found = status(scene.config, workflow=NAME)
    result.faults += [f"{key} belongs to nothing" for key in (*found.stale, *found.foreign)]


def main() -> None:
    """Play rounds and say how they went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    bad = 0
    for seed in range(args.seed, args.seed + args.rounds):
        with tempfile.TemporaryDirectory() as folder:
            result = play(seed, Path(folder))
        bad += bool(result.faults)
        if not args.json or result.faults:
            print(
                f"{seed} ({result.store}): {', '.join(result.events)}; {result.reads} items read; "
                f"{result.seconds:.0f} s",
                *result.faults[:20],
                sep="\n  ",
                flush=True,
            )
    print(json.dumps({"rounds": args.rounds, "rounds_with_faults": bad}))
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
