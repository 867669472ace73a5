"""Work in processes of its own: what must not show in what is measured after it, and what is measured."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any


def apart(work: Callable[..., Any], *arguments: Any) -> None:
    """In a process of its own: what a process holds when it starts a child counts as the child's largest memory."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(work, *arguments).result()


def stage(script: str, *arguments: object, tree: Path | None = None) -> Any:
    """What a script prints at last, as JSON; it is started as a worker is, with up to two kernel threads.

    `tree` is the checkout whose sarcube it is to use, where that is another than the one that is installed.
    """
    from sarcube.cluster.environment import AT_START

    own = {"NUMBA_NUM_THREADS": "2", "GDAL_CACHEMAX": "64", "OMP_WAIT_POLICY": "passive"}
    if tree:
        own["PYTHONPATH"] = str(tree)
    run = subprocess.run(
        [sys.executable, script, *map(str, arguments)],
        capture_output=True, text=True, check=False, env={**os.environ, **AT_START, **own},
    )  # fmt: skip
    if run.returncode:
        raise SystemExit(f"{Path(script).name} {' '.join(map(str, arguments))} failed:\n{run.stderr}")
    return json.loads(run.stdout.splitlines()[-1])


def peak_mb() -> float:
    """Largest memory of this program alone: what getrusage tells begins with that of the process that started it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return next(float(line.split()[1]) / 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
