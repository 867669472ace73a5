"""What production itself costs: planning, submitting, finishing and committing, with an instant workflow.

    python benchmarks/production.py [--json] [--tasks 10000] [--million 1000000] [--speedup RUN]

`--speedup RUN` also measures how much two workers gain over one with the real engine: RUN is a run file whose
source is there; it is produced twice into fresh stores.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def _config(store: str, bursts: int, dates: int):
    from sarcube.config import RunConfig

    return RunConfig.from_dict(
        {
            "source": {"kind": "local", "path": "."},
            "dem": {"path": "dem.tif", "heights": "ellipsoid"},
            "store": store,
            "engine_options": {"bursts": bursts, "dates": dates},
        }
    )


def measure_run(tasks: int) -> dict[str, float]:
    """Plan, submit, finish and commit so many tasks on a local cluster of two."""
    from sarcube.cluster import Demand, Profile, connect
    from sarcube.production import rehearsal
    from sarcube.production.plan import plan
    from sarcube.production.produce import produce

    bursts = max(1, tasks // 50)
    with tempfile.TemporaryDirectory() as folder:
        config = _config(folder, bursts, 49)  # 49 dates and the static layers
        begun = time.monotonic()
        made = plan(config, workflow=rehearsal.NAME)
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

    from sarcube.production.execute import execute

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
    from sarcube.production import rehearsal
    from sarcube.production.plan import plan

    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        made = plan(_config(folder, max(1, tasks // 100), 99), workflow=rehearsal.NAME)
        seconds = time.monotonic() - begun
        assert made.totals.cpu_s > 0
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(json.dumps({"tasks": len(made.tasks), "s": round(seconds, 2), "mb": round(peak, 1)}))


def measure_speedup(run_file: str) -> dict[str, float]:
    """Seconds of the same run with one worker and with two, after kernels were compiled."""
    from sarcube.cluster import Demand, Profile, connect
    from sarcube.config import RunConfig
    from sarcube.production.plan import plan
    from sarcube.production.produce import produce

    config = RunConfig.from_file(run_file)
    seconds = {}
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            made = plan(config.model_copy(update={"store": folder, "static_store": None}))
            with connect(Profile(workers=workers), Demand(memory=made.totals.memory)) as client:
                client.run(_warm)
                begun = time.monotonic()
                outcome = produce(made, client)
                seconds[workers] = time.monotonic() - begun
            assert outcome.ok, outcome
    return {
        "workers1_s": round(seconds[1], 2),
        "workers2_s": round(seconds[2], 2),
        "workers2_speedup": round(seconds[1] / seconds[2], 3),
    }


def _warm() -> None:
    from sarcube.rtc.native.engine import warm_up

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
    parser.add_argument("--speedup", metavar="RUN", help="run file for the gain of a second worker")
    args = parser.parse_args()
    result: dict[str, float | None] = {"workers2_speedup": None}
    result |= measure_run(args.tasks)
    million = measure_million(args.million)
    result |= {"plan_million_tasks": million["tasks"], "plan_million_s": million["s"], "plan_million_mb": million["mb"]}
    if args.speedup:
        result |= measure_speedup(args.speedup)
    if args.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:24}{value if value is not None else '-'}")


if __name__ == "__main__":
    main()
