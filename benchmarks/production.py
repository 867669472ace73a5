"""What production itself costs: planning, submitting, finishing and committing, with an instant workflow.

    python benchmarks/production.py [--json] [--tasks 10000] [--million 1000000] [--speedup RUN]

The gain of a second worker is measured with the real engine, on simulated scenes or on those of a run file.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path


def _config(store: str, bursts: int, dates: int):
    from sarcube.config import RunConfig

    return RunConfig.from_dict(
        {
            "workflow": "rehearsal",
            "source": {"kind": "local", "path": "."},
            "store": store,
            "rehearsal": {"bursts": bursts, "dates": dates},
        }
    )


def measure_run(tasks: int) -> dict[str, float]:
    """Plan, submit, finish and commit so many tasks on a local cluster of two."""
    from sarcube.cluster import Demand, Profile, connect
    from sarcube.production.plan.plan import plan
    from sarcube.production.run.produce import produce

    bursts = max(1, tasks // 50)
    with tempfile.TemporaryDirectory() as folder:
        config = _config(folder, bursts, 49)  # 49 dates and the static layers
        begun = time.monotonic()
        made = plan(config)
        planned = time.monotonic()
        memory: list[float] = []
        shipped = graph_bytes(made)
        with connect(Profile(workers=2, memory=2.0), Demand()) as client:
            started = time.monotonic()
            outcome = produce(made, client, on_event=lambda e: memory.append(_resident_mb()))
        ended = time.monotonic()
        assert outcome.ok and outcome.done == len(made.tasks), outcome
        quarter = len(memory) // 4
        return {
            "tasks": len(made.tasks),
            "wall_s": round(ended - begun, 2),
            "plan_s": round(planned - begun, 2),
            "run_s": round(ended - started, 2),
            "graph_mb": round(shipped / 1e6, 2),
            "client_peak_mb": round(max(memory), 1),
            "client_growth_mb": round(max(memory[-quarter:]) - max(memory[quarter : 2 * quarter]), 1),
        }


def graph_bytes(made) -> int:
    """Bytes of all that is shipped to the cluster for a plan: each task is submitted as one call of `execute`."""
    from distributed.protocol.pickle import dumps

    from sarcube.production.run.execute import execute

    return sum(len(dumps((execute, ("run", task, 1.0), {}))) for task in made.tasks)


def measure_million(tasks: int) -> dict[str, float]:
    """Plan so many tasks; in a process of its own, whose memory is this plan's alone."""
    code = f"import sys; sys.path[:0] = {sys.path!r}; import production; production.plan_only({tasks})"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    return json.loads(run.stdout.splitlines()[-1])


def plan_only(tasks: int) -> None:
    """Plan and print seconds and memory."""
    from sarcube.production.plan.plan import plan

    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        made = plan(_config(folder, max(1, tasks // 100), 99))
        seconds = time.monotonic() - begun
        assert made.totals.cpu_s > 0
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(json.dumps({"tasks": len(made.tasks), "s": round(seconds, 2), "mb": round(peak, 1)}))


def measure_speedup(run_file: str | None) -> dict[str, float]:
    """Seconds of the same tasks with one worker and with two of one kernel thread each, as it is in a long run.

    Each cluster makes some products in another store first, so that all processes have loaded what they need.
    Where other programs share the machine, wall times say little: `others_cores` is how many cores they kept busy
    meanwhile, `workers2_busy` the share of the time in which both workers had a task, and `workers_cpu_ratio` the
    CPU time of all tasks with one worker against two. `cores_busy` is the share of the time of as many cores that
    two workers of two kernel threads keep busy, with the client and to the end of the run.
    """
    from sarcube.config import RunConfig

    with tempfile.TemporaryDirectory() as folder:
        config = RunConfig.from_file(run_file) if run_file else simulated_run(Path(folder))
        one, two = (_timed_run(config, Path(folder), workers, 1) for workers in (1, 2))
        wide = _timed_run(config, Path(folder), 2, 2)
    return {
        "speedup_tasks": one.tasks,
        "workers1_s": round(one.seconds, 2),
        "workers2_s": round(two.seconds, 2),
        "workers2_speedup": round(one.seconds / two.seconds, 3),
        "workers2_busy": round(two.in_tasks / (2 * two.seconds), 3),
        "workers1_cpu_s": round(one.cpu_s, 2),
        "workers_cpu_ratio": round(one.cpu_s / two.cpu_s, 3),
        "workers2_client_cpu_s": round(two.client_cpu_s, 2),
        "others_cores": round(max(run.others for run in (one, two, wide)), 2),
        "cores_busy": round((wide.cpu_s + wide.client_cpu_s) / (2 * wide.seconds), 3),
    }


@dataclass(frozen=True)
class _Timed:
    """What a run took: wall time, time in tasks, CPU time of all workers and of the client; cores that others used."""

    tasks: int
    seconds: float
    in_tasks: float
    cpu_s: float
    client_cpu_s: float
    others: float


def _timed_run(config, folder: Path, workers: int, threads: int) -> _Timed:
    from sarcube.cluster import Demand, Profile, connect
    from sarcube.production.plan.plan import plan
    from sarcube.production.run.produce import produce

    def planned(store: str):
        name = f"{folder}/{store}-{workers}-{threads}"
        return plan(config.model_copy(update={"store": name, "static_store": None}))

    made, before = planned("store"), _beginning(planned("before"), workers)
    results: list = []
    with connect(Profile(workers=workers, threads=threads), Demand(memory=made.totals.memory)) as client:
        client.wait_for_workers(workers)
        client.run(_warm)
        outcome = produce(before, client)
        assert outcome.ok, outcome
        begun, machine, own = time.monotonic(), _machine_cpu_s(), time.process_time()
        outcome = produce(made, client, on_event=lambda e: results.append(e.result) if e.result else None)
        seconds = time.monotonic() - begun
        machine, own = _machine_cpu_s() - machine, time.process_time() - own
    assert outcome.ok, outcome
    cpu_s = sum(r.cpu_s for r in results)
    others = max(0.0, machine - cpu_s - own) / seconds
    return _Timed(len(made.tasks), seconds, sum(r.seconds for r in results), cpu_s, own, others)


def _beginning(made, bursts: int):
    """Of so many burst IDs the static layers and the first date."""
    first: dict = {}
    for task in made.tasks:
        first.setdefault((task.place, task.kind), task)
    chosen = list(dict.fromkeys(burst_id for burst_id, _ in first))[:bursts]
    return replace(made, tasks=tuple(task for (burst_id, _), task in first.items() if burst_id in chosen))


def _machine_cpu_s() -> float:
    """Seconds that all cores together have been busy."""
    import psutil

    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0)


def simulated_run(folder: Path):
    """A run of 4 bursts on 6 dates at 10 m, of scenes that are simulated here: enough tasks to share out evenly."""
    import datetime as dt

    from sarcube.config import RunConfig
    from sarcube.simulate.archive import simulate
    from sarcube.simulate.options import SimulationOptions

    options = SimulationOptions(
        dates=tuple(dt.date(2024, 5, 1) + dt.timedelta(days=12 * i) for i in range(6)),
        burst_size=(1000, 8000),
        truth="constant",
        posting=30.0,
        relief=50.0,
    )
    archive = simulate(folder / "archive", options)
    return RunConfig.from_dict(
        {
            "source": {"kind": "local", "path": str(archive.directory / "scenes")},
            "orbits": {"path": str(archive.orbits)},
            "dem": {"path": str(archive.dem), "heights": "ellipsoid"},
            "grid": {"resolution": 10},
            "store": str(folder / "store"),
        }
    )


def _warm() -> None:
    from sarcube.engines.rtc.native.engine import warm_up

    warm_up()


def _resident_mb() -> float:
    import psutil

    return psutil.Process().memory_info().rss / 1e6


def main() -> None:
    """Run what was asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--million", type=int, default=1_000_000, help="tasks of the large plan")
    parser.add_argument("--speedup", metavar="RUN", help="run file for the gain of a second worker (else simulated)")
    parser.add_argument("--only-speedup", action="store_true", help="nothing but that")
    args = parser.parse_args()
    result: dict[str, float] = {}
    if not args.only_speedup:
        result |= measure_run(args.tasks)
        large = measure_million(args.million)
        result |= {"plan_million_tasks": large["tasks"], "plan_million_s": large["s"], "plan_million_mb": large["mb"]}
    result |= measure_speedup(args.speedup)
    if args.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:24}{value}")


if __name__ == "__main__":
    main()
