"""Ctrl-C ends a run in order, and running again goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from sarcube.production.plan.value import Plan

_CLIENT = """
import sys
from sarcube.config import RunConfig
from sarcube.workflows.rehearsal import workflow as rehearsal
from sarcube.production.plan.plan import plan
from sarcube.production.run.produce import produce

if __name__ == "__main__":
    outcome = produce(plan(RunConfig.from_file(sys.argv[1])))
    print(outcome)
    sys.exit(outcome.exit_code)
"""


def test_ctrl_c_reaches_every_process_and_still_ends_in_order(
    rehearse: Callable[..., Plan], tmp_path: Path, items_of: Callable[[str], dict[str, object]]
) -> None:
    made = rehearse(bursts=20, dates=9, seconds=0.3)
    store = Path(made.config.store)
    script, run = tmp_path / "client.py", tmp_path / "run.yaml"
    script.write_text(_CLIENT)
    run.write_text(made.config.to_yaml())
    client = subprocess.Popen(
        [sys.executable, str(script), str(run)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60.0
    while len(items_of(str(store))) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    children = psutil.Process(client.pid).children(recursive=True)
    assert children
    os.killpg(client.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    out, err = client.communicate(timeout=60)
    assert "cancelled: run again to go on" in out, err
    assert "Traceback" not in err
    assert client.returncode == 1
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    there = len(items_of(str(store)))
    assert 3 <= there < 200
    assert len(rehearse(bursts=20, dates=9, seconds=0.3).tasks) == 200 - there
    (record,) = (store / "runs").iterdir()
    assert '"cancelled": true' in (record / "summary.json").read_text()
