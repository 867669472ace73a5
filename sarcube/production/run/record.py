"""What a run leaves in the store: its configuration, versions, every task's end, and a report.

runs/<id>/run.yaml       the configuration
runs/<id>/run.json       versions, machine, when it began
runs/<id>/tasks-0001.jsonl ...   one line per attempt that ended, in segments
runs/<id>/summary.json   written at the end: counts, rates; absent where the run was killed
runs/<id>/run.log        what happened, line by line
runs/<id>/report.html
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import platform
import secrets
import time
from collections import defaultdict
from importlib.metadata import PackageNotFoundError, version

import sarcube
from sarcube.errors import SarcubeError
from sarcube.production.plan.value import Plan
from sarcube.production.records import RUNS, read_lines
from sarcube.production.run.events import Event
from sarcube.production.run.log import RunLog
from sarcube.production.views.report import report_html
from sarcube.store.protocol import Store
from sarcube.transfer.redact import redact
from sarcube.workflows.task import Task

log = logging.getLogger(__name__)
_SEGMENT_LINES = 2000
_SEGMENT_S = 30.0
_PACKAGES = ("numpy", "numba", "rasterio", "xarray", "dask", "distributed", "pystac", "pyproj", "obstore")
ENDS = ("done", "failed", "blocked", "retry")


def new_run_id() -> str:
    """Sorts by time, and no two are alike."""
    return f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


class RunRecord:
    """Writes the record while the run goes on. A store that refuses it costs a warning, never the run."""

    def __init__(self, store: Store, plan: Plan, run_id: str, log: RunLog | None = None) -> None:
        self.store, self.plan, self.run_id = store, plan, run_id
        self._log, self._logged = log, 0
        self.folder = f"{RUNS}/{run_id}"
        self._lines: list[str] = []
        self._segment = 1
        self._kept = False
        self._written = time.monotonic()
        self._sums: defaultdict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))

    @property
    def href(self) -> str:
        """Where the record lies; empty where the store took nothing of it."""
        if not self._kept:
            return ""
        return self.store.href(f"{self.folder}/report.html").removesuffix("/report.html")

    def begin(self) -> None:
        """Write what is known before the first task."""
        self._put("run.yaml", self.plan.config.to_yaml())
        facts = {
            "id": self.run_id,
            "began": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "workflow": self.plan.config.workflow,
            "tasks": len(self.plan.tasks),
            "existed": len(self.plan.done),
            "problems": [{"subject": p.subject, "message": p.message} for p in self.plan.problems],
            "warnings": [{"subject": p.subject, "message": p.message} for p in self.plan.warnings],
            "versions": versions(),
            "machine": {"system": platform.platform(), "python": platform.python_version()},
        }
        self._put("run.json", json.dumps(facts, indent=1))

    def hear(self, event: Event) -> None:
        """Note the end of an attempt."""
        if event.kind in ENDS and event.task is not None:
            self._note(event, event.task)
        full = len(self._lines) >= _SEGMENT_LINES
        if self._lines and (full or time.monotonic() - self._written > _SEGMENT_S):
            self.flush()

    def _note(self, event: Event, task: Task) -> None:
        result = event.result
        line: dict[str, object] = {
            "task": task.key,
            "kind": task.kind,
            "place": task.place,
            "day": task.unit.day,
            "inputs": task.label,
            "attempt": event.attempt,
            "outcome": event.kind,
        }
        if event.message:
            line["cause"] = event.message
        if result is not None:
            line |= {name: value for name in _RESULT if (value := getattr(result, name))}
            if event.kind == "done" and result.status == "done":
                sums = self._sums[task.kind]
                sums["mpixels"] += task.grid.width * task.grid.height / 1e6
                sums["cpu_s"] += result.cpu_s
                sums["seconds"] += result.seconds
                sums["bytes_out"] += result.bytes_out
                sums["tasks"] += 1
                sums["peak_mb"] = max(sums["peak_mb"], result.peak_mb)
        self._lines.append(json.dumps(line))

    def flush(self) -> None:
        """Write the lines so far as a segment of their own: objects in S3 cannot be appended to."""
        if self._lines and self._put(f"tasks-{self._segment:04d}.jsonl", "\n".join(self._lines) + "\n"):
            self._segment += 1
            self._lines = []
        if self._log and self._log.size > 2 * self._logged:  # as a whole each time, so seldom
            self._write_log(self._log)
        self._written = time.monotonic()

    def _write_log(self, lines: RunLog) -> None:
        self._logged = lines.size
        self._put("run.log", lines.text())

    def finish(self, facts: dict[str, object]) -> None:
        """Write the summary, the log and the report."""
        self.flush()
        if self._log:
            self._write_log(self._log)
        summary = {
            "id": self.run_id,
            "ended": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "variant": self.plan.config.variant,
            **facts,
            "rates": {kind: {k: round(v, 4) for k, v in sums.items()} for kind, sums in self._sums.items()},
        }
        self._put("summary.json", json.dumps(summary, indent=1))
        try:
            lines = read_lines(self.store, self.folder)
        except SarcubeError:
            lines = []  # the summary is worth a page without them
        self._put("report.html", report_html(self.store, self.plan, lines, summary, versions()))

    def _put(self, name: str, text: str) -> bool:
        try:
            self.store.write_bytes(f"{self.folder}/{name}", redact(text).encode())
        except SarcubeError as error:
            log.warning("the record of the run lacks %s: %s", name, error)
            return False
        self._kept = True
        return True


_RESULT = (
    "status", "error", "message", "transient", "trace", "started", "seconds", "cpu_s", "peak_mb", "bytes_in",
    "bytes_out", "stages", "warnings", "item", "thumbnail", "worker",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Of sarcube and what its results depend on."""
    found = {"sarcube": sarcube.__version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
