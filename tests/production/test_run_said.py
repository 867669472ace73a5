"""What a run leaves to read: its log, all of its warnings in one place, quick-looks, and what to do next."""

from __future__ import annotations

import base64
import io
import logging
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from sarcube.cli.app import app
from sarcube.errors import PassedOverWarning
from sarcube.production.plan.value import Plan
from sarcube.production.run.log import RunLog, listening
from sarcube.production.run.outcome import Failure, Outcome
from sarcube.production.run.produce import produce
from sarcube.production.views.outcome import next_step
from sarcube.production.views.report import report_html
from sarcube.store.local_store import LocalStore


def test_log_and_warnings_of_a_run(
    rehearse: Callable[..., Plan], two_workers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sarcube.workflows.rehearsal.workflow import WORKFLOW

    real = type(WORKFLOW).prepare

    def prepare(self: Any, *given: Any) -> None:
        logging.getLogger("sarcube.somewhere").warning("the clock of %s is late, token=abc", "the store")
        warnings.warn("1 damaged item passed over", PassedOverWarning, stacklevel=2)
        logging.getLogger("other.library").warning("nothing of ours")
        real(self, *given)

    monkeypatch.setattr(type(WORKFLOW), "prepare", prepare)
    plan = rehearse(bursts=2, dates=1)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        outcome = produce(plan, two_workers)
    said = [str(w) for w in outcome.warnings]
    assert any("the clock of the store is late" in text for text in said)
    assert any("1 damaged item passed over" in text for text in said)
    assert not any("nothing of ours" in text for text in said)
    folder = Path(outcome.record)
    lines = (folder / "run.log").read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ |    ", line) for line in lines)
    told = "\n".join(lines)
    assert all(f"done {task.key} in " in told for task in plan.tasks)
    assert "nothing of ours" in told and "damaged item" in told
    assert "end: " in lines[-1] and "abc" not in told
    assert "the clock of the store is late" in (folder / "report.html").read_text()


def test_a_log_is_bounded_but_for_what_went_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sarcube.production.run.log._MOST", 100)
    with listening(RunLog()) as log:
        for i in range(50):
            log.add(f"start of {i}")
        logging.getLogger("sarcube").error("lost")
    logging.getLogger("sarcube").error("afterwards")
    assert log.text().count("start of") < 6
    assert log.text().endswith("error sarcube: lost\n")


def test_quick_looks_of_any_size_are_in_the_report(rehearse: Callable[..., Plan], tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "pictures")
    noise = np.random.default_rng(1).integers(0, 255, (2048, 1500, 4), np.uint8)
    noise[:, :700, 3] = 0
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    assert len(buffer.getvalue()) > 5_000_000
    store.write_bytes("a.png", buffer.getvalue())
    store.write_bytes("b.png", b"no picture")
    plan = rehearse(bursts=1, dates=2)
    ends = [
        {"task": t.key, "kind": t.kind, "place": t.place, "day": t.unit.day, "outcome": "done", "thumbnail": picture}
        for t, picture in zip(plan.tasks, ("a.png", "b.png", "c.png"), strict=False)
    ]
    summary = {
        "id": "x", "outcome": "done", "ended": "now", "variant": "v", "seconds": 1, "bytes_out": 1, "warnings": [],
    }  # fmt: skip
    page = report_html(store, plan, ends, summary, {})
    (found,) = re.findall(r"data:image/webp;base64,([^\"]+)", page)
    data = base64.b64decode(found)
    assert len(data) < 400_000
    small = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
    assert max(small.shape) == 640
    assert (small[:, :200, 3] == 0).all() and (small[:, 260:, 3] > 0).mean() > 0.99
    assert "Quick-looks (1 of 3)" in page


@pytest.mark.parametrize(
    ("outcome", "run", "step"),
    [
        (Outcome(done=2), "run.yaml", "sarcube view 'my store'"),
        (Outcome(done=2), "", "sarcube view 'my store'"),
        (Outcome(failed=(Failure("k", "p", "", "", "E", "m"),)), "run.yaml", "sarcube status run.yaml"),
        (Outcome(cancelled=True, left=3), "run.yaml", "sarcube run run.yaml"),
        (Outcome(impossible=True), "a b.yaml", "sarcube plan 'a b.yaml'"),
    ],
)
def test_what_to_do_next(outcome: Outcome, run: str, step: str) -> None:
    assert next_step(outcome, "my store", run) == step


def test_reprs_end_in_what_to_do_next(rehearse: Callable[..., Plan], two_workers: Any) -> None:
    from sarcube.production.plan.plan import plan as make_plan
    from sarcube.production.status import status

    plan = rehearse(bursts=1, dates=2)
    assert repr(plan).startswith("Plan: 3 tasks to do") and repr(plan).endswith("next: outcome = sarcube.produce(plan)")
    before = status(plan.config)
    assert repr(before).endswith("sarcube.produce(sarcube.plan(run)) makes what is missing")
    outcome = produce(plan, two_workers)
    opened = f"next: cube = sarcube.open_cube({plan.config.store!r})"
    assert f"{outcome.record}/report.html" in repr(outcome) and repr(outcome).endswith(opened)
    assert repr(status(plan.config)).endswith(opened) and repr(make_plan(plan.config)).endswith(opened)
    for shown in (plan, outcome, before):
        assert "next: <code>" in shown._repr_html_()
    failed = Outcome(failed=(Failure("k", "p", "", "", "E", "m"),))
    assert "outcome.failed tells why" in repr(failed)


def test_command_ends_with_the_report_and_the_next_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = {
        "workflow": "rehearsal", "source": {"kind": "local", "path": "."}, "store": "./store",
        "cluster": str(tmp_path / "here.yaml"), "rehearsal": {"bursts": 1, "dates": 1},
    }  # fmt: skip
    Path("run.yaml").write_text(yaml.safe_dump(text))
    Path("here.yaml").write_text("{kind: local, workers: 1, options: {processes: false}}\n")
    planned = CliRunner().invoke(app, ["plan", "run.yaml"])
    assert re.search(r"of one core for the tasks and 4 s to start each worker", planned.output)
    done = CliRunner().invoke(app, ["run", "run.yaml"])
    assert done.exit_code == 0, done.output
    *_, report, step = done.output.splitlines()
    assert Path(report.removeprefix("report: ")).is_file()
    assert step == "next: sarcube view store"
    again = CliRunner().invoke(app, ["run", "run.yaml", "--quiet"])
    assert (again.exit_code, len(again.output.splitlines())) == (0, 1)
    assert "0 done, 2 existed" in again.output
