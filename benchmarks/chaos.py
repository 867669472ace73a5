"""Chaos: clients and workers are killed while a run goes on, and the store must come out as from a quiet run.

    python benchmarks/chaos.py [--rounds 200] [--seed 1]

Each round starts a run and, as its seed says, kills workers, the client (which is the scheduler too), all of
them at once, or sets a second client to work on the same store; then the run is started again. All the time a
reader looks at the store. At the end of a round no product may be missing or there twice, none may ever have
been visible in part, and every checksum must be right.
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
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Round:
    """What happened in one round."""

    seed: int
    events: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    reads: int = 0
    seconds: float = 0.0


def produce_once(store: str, bursts: int, dates: int) -> int:
    """The client: plan what is missing, produce it, and return the exit code."""
    from sarcube.cluster import Profile, connect
    from sarcube.production import rehearsal
    from sarcube.production.options import ProduceOptions
    from sarcube.production.plan import plan
    from sarcube.production.produce import produce

    made = plan(config_of(store, bursts, dates), workflow=rehearsal.NAME)
    if not made.tasks:
        return 0
    with connect(Profile(workers=2, memory=1.0)) as client:
        outcome = produce(made, client, options=ProduceOptions(backoff_s=0.2))
    print(outcome, [f.message for f in outcome.failed], flush=True)
    return outcome.exit_code


def config_of(store: str, bursts: int, dates: int):
    """The run file of a round."""
    from sarcube.config import RunConfig

    return RunConfig.from_dict(
        {
            "source": {"path": "."},
            "dem": {"path": "dem.tif", "heights": "ellipsoid"},
            "store": store,
            "engine_options": {"bursts": bursts, "dates": dates, "files": 3, "seconds": 0.05},
        }
    )


def play(seed: int, folder: Path, *, lives: int = 3, bursts: int = 6, dates: int = 5) -> Round:
    """One round in a fresh store."""
    rng = random.Random(seed)
    result = Round(seed)
    begun = time.monotonic()
    store = folder / f"store-{seed}"
    stop = threading.Event()
    reader = threading.Thread(target=_read, args=(store, stop, result))
    reader.start()
    try:
        for _ in range(lives):
            _disturb(_start(store, bursts, dates), rng, result, lambda: _start(store, bursts, dates))
        for _ in range(2):  # a run whose worker died in the last moment may leave something to do
            last = _start(store, bursts, dates)
            output, _ = last.communicate(timeout=180)
            if last.returncode == 0:
                break
        else:
            result.faults.append(f"the last run did not finish: {output[-2000:]}")
    finally:
        stop.set()
        reader.join()
    _judge(store, bursts, dates, result)
    result.seconds = time.monotonic() - begun
    return result


def _start(store: Path, bursts: int, dates: int) -> subprocess.Popen[str]:
    code = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}]\n"
        "from benchmarks.chaos import produce_once\n"
        f"if __name__ == '__main__': sys.exit(produce_once({str(store)!r}, {bursts}, {dates}))\n"
    )
    script = store.parent / "client.py"
    script.write_text(code)
    return subprocess.Popen(
        [sys.executable, str(script)],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def _disturb(client: subprocess.Popen[str], rng: random.Random, result: Round, another) -> None:
    """Let a client live for a while, then do something to it."""
    import psutil

    what = rng.choice(["client", "everything", "workers", "two clients"])
    time.sleep(rng.uniform(1.5, 5.0))
    result.events.append(what)
    clients = [client]
    if what == "two clients":
        clients.append(another())
        time.sleep(rng.uniform(1.0, 4.0))
    elif what == "workers":
        for _ in range(rng.randint(1, 3)):
            with contextlib.suppress(psutil.Error, IndexError):
                children = psutil.Process(client.pid).children(recursive=True)
                rng.choice([c for c in children if "spawn_main" in " ".join(c.cmdline())]).kill()
            time.sleep(rng.uniform(0.2, 1.0))
        with contextlib.suppress(subprocess.TimeoutExpired):
            client.wait(timeout=rng.uniform(2.0, 6.0))
    for one in clients:
        if what == "everything":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(one.pid, signal.SIGKILL)
        one.kill()
        one.communicate()


def _read(store: Path, stop: threading.Event, result: Round) -> None:
    """Look at every item there is, again and again: whatever has an item must be whole."""
    while not stop.is_set():
        for path in sorted(store.rglob("T*.json")):
            _check(path, result)
        stop.wait(0.1)


def _check(path: Path, result: Round) -> None:
    try:
        item = json.loads(path.read_text())
    except ValueError:
        result.faults.append(f"{path.name} is visible in part")
        return
    for asset in item["assets"].values():
        file = path.parent / asset["href"]
        try:
            data = file.read_bytes()
        except OSError:
            result.faults.append(f"{path.name} names {file.name}, which is not there")
            continue
        if asset["file:checksum"] != "1220" + hashlib.sha256(data).hexdigest():
            result.faults.append(f"{file.name} has the wrong checksum")
    result.reads += 1


def _judge(store: Path, bursts: int, dates: int, result: Round) -> None:
    """Compare the store with what a quiet run leaves."""
    from sarcube.production import rehearsal
    from sarcube.production.plan import plan
    from sarcube.production.status import clean, status

    config = config_of(str(store), bursts, dates)
    left = plan(config, workflow=rehearsal.NAME)
    result.faults += [f"{task.key} is missing" for task in left.tasks]
    items = sorted(store.rglob("T*.json"))
    if len(items) != bursts * (dates + 1):
        result.faults.append(f"{len(items)} items instead of {bursts * (dates + 1)}")
    for path in items:
        _check(path, result)
    clean(str(store))
    found = status(config, workflow=rehearsal.NAME)
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
                f"{seed}: {', '.join(result.events)}; {result.reads} items read; {result.seconds:.0f} s",
                *result.faults,
                sep="\n  ",
            )
    print(json.dumps({"rounds": args.rounds, "rounds_with_faults": bad}))
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
