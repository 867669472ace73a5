"""Runs on real worker processes: what fails is data, what is lost is done again, what kills is set aside."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from distributed.scheduler import KilledWorker

from sarcube.production.plan.plan import plan
from sarcube.production.plan.value import Plan
from sarcube.production.run.dispatch import Dispatcher, _Flight
from sarcube.production.run.events import Event, TaskResult
from sarcube.production.run.options import ProduceOptions
from sarcube.production.run.produce import Outcome, produce
from sarcube.products.names import item_key
from sarcube.workflows.rehearsal import workflow as rehearsal
from sarcube.workflows.workflow import Context

Rehearse = Callable[..., Plan]
QUICK = ProduceOptions(backoff_s=0.2, attempts=3)
FIRST = "REHEARSAL/t001_000001_iw1/20240103T053000Z"
STATIC = "REHEARSAL_STATIC/t001_000004_iw1"
SECOND = "REHEARSAL/t001_000002_iw2/20240103T053002Z"
THIRD = "REHEARSAL/t001_000003_iw3/20240103T053005Z"


def failed(outcome: Outcome) -> dict[str, str]:
    return {f.key: f.error for f in outcome.failed}


def test_a_run_makes_every_item_once(rehearse: Rehearse, two_workers: Any, items_of: Any) -> None:
    made = rehearse(bursts=4, dates=3)
    outcome = produce(made, two_workers)
    assert outcome.ok
    assert outcome.exit_code == 0
    assert outcome.done == 16
    found = items_of(made.config.store)
    keys = {t.item_key("rehearsal" if t.start else "rehearsal_static") for t in made.tasks}
    assert found.keys() == keys and len(keys) == 16


def test_a_second_run_starts_no_cluster(rehearse: Rehearse, two_workers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    produce(rehearse(bursts=2), two_workers)

    def refuse(*_args: object) -> None:
        raise AssertionError("a cluster was started")

    monkeypatch.setattr("sarcube.cluster.connect", refuse)
    outcome = produce(rehearse(bursts=2))
    assert (outcome.done, outcome.skipped, outcome.ok) == (0, 8, True)


def test_faults_are_data(rehearse: Rehearse, two_workers: Any, items_of: Any) -> None:
    faults = {FIRST: "bad", SECOND: "bug", THIRD: "flaky", "REHEARSAL_STATIC/t001_000004_iw1": "bad"}
    made = rehearse(bursts=5, dates=3, faults=faults)
    events: list[Event] = []
    outcome = produce(made, two_workers, on_event=events.append, options=QUICK)
    assert failed(outcome) == {
        FIRST: "SceneError",
        SECOND: "ZeroDivisionError",
        "REHEARSAL_STATIC/t001_000004_iw1": "SceneError",
    }
    assert {f.place for f in outcome.blocked} == {"t001_000004_iw1"}
    assert len(outcome.blocked) == 3
    assert all("the measurement is truncated" in f.message for f in outcome.blocked)
    assert outcome.done == len(items_of(made.config.store)) == 20 - 3 - 3
    assert outcome.exit_code == 1
    retried = [e.task.key for e in events if e.kind == "retry" and e.task]
    assert retried == [THIRD], "only what may pass is tried again"
    attempts = {f.key: f.attempts for f in outcome.failed}
    assert attempts[FIRST] == 1
    bug = next(f for f in outcome.failed if f.key == SECOND)
    assert bug.trace.startswith("Traceback")
    assert f"unexpected ZeroDivisionError in {SECOND}" in bug.message, "the task is named"
    lines = "".join(p.read_text() for p in Path(outcome.record).glob("tasks-*.jsonl"))
    assert "in _fault" in next(json.loads(x)["trace"] for x in lines.splitlines() if json.loads(x)["task"] == SECOND)
    assert not next(f.trace for f in outcome.failed if f.key == FIRST)


def test_what_never_passes_is_given_up(rehearse: Rehearse, two_workers: Any) -> None:
    made = rehearse(bursts=1, dates=1, faults={FIRST: "leak"})
    outcome = produce(made, two_workers, options=QUICK)
    assert [f.attempts for f in outcome.failed] == [3]
    assert outcome.failed[0].error == "TransferError"


def test_a_burst_that_kills_its_worker_is_set_aside_and_the_rest_is_done(
    rehearse: Rehearse, two_workers: Any, items_of: Any
) -> None:
    made = rehearse(bursts=4, dates=3, faults={FIRST: "kill", SECOND: "kill-once"})
    deaths: list[str] = []

    def note(event: Event) -> None:
        if event.kind == "worker_lost" and event.task:
            deaths.append(event.task.key)

    outcome = produce(made, two_workers, on_event=note, options=QUICK)
    assert failed(outcome) == {FIRST: "KilledWorker"}
    assert "3 workers died" in outcome.failed[0].message
    assert outcome.done + outcome.skipped == len(items_of(made.config.store)) == 15
    assert deaths.count(FIRST) == 3
    assert deaths.count(SECOND) == 1


def test_a_hung_task_runs_out_of_time_and_its_worker_is_restarted(rehearse: Rehearse, two_workers: Any) -> None:
    made = rehearse(bursts=2, dates=2, faults={FIRST: "hang"})
    before = set(two_workers.scheduler_info()["workers"])
    outcome = produce(made, two_workers, options=ProduceOptions(time_limit_s=4.0))
    assert failed(outcome) == {FIRST: "TaskTimeoutError"}, (outcome, Path(outcome.record or ".").name)
    # Results that lay on the restarted worker are asked for again, and then the products exist.
    assert outcome.done + outcome.skipped == 5
    assert set(two_workers.scheduler_info()["workers"]) != before


@pytest.mark.parametrize(("answer", "said"), [(KeyError("tcp://a:1"), []), (ValueError("no nanny"), ["note"])])
def test_a_worker_that_cannot_be_restarted_does_not_end_the_run(
    rehearse: Rehearse, answer: Exception, said: list[str]
) -> None:
    class Scheduler:
        """Knows no such worker (it died by itself), or has no nanny to ask."""

        def restart_workers(self, *_workers: object, **_options: object) -> None:
            raise answer

    made, events = rehearse(), list[Event]()
    client: Any = Scheduler()
    dispatcher = Dispatcher(client, made, Context("r", made.config), QUICK, events.append)
    dispatcher._workers["tcp://a:1"] = {"nthreads": 1}
    dispatcher._restart("tcp://a:1")
    assert [e.kind for e in events] == said
    # Should it die later, that is not put down to the restart.
    assert not dispatcher._restarted


def test_a_result_that_dies_with_those_who_make_it_again_ends_no_run(rehearse: Rehearse) -> None:
    made, events = rehearse(bursts=1, dates=2), list[Event]()
    first, second = made.tasks[1:]

    class Future:
        def __init__(self, value: object) -> None:
            self.status, self.value = "finished", value

        def exception(self) -> object:
            return self.value

        def release(self) -> None:
            self.status = "released"

    lost = Future(KilledWorker("key", None, 2))
    kept = Future(TaskResult("done"))

    class Scheduler:
        def gather(self, futures: list[Future]) -> list[object]:
            if lost in futures:
                lost.status = "error"
                raise lost.value  # type: ignore[misc]
            return [future.value for future in futures]

    client: Any = Scheduler()
    dispatcher = Dispatcher(client, made, Context("r", made.config), QUICK, events.append)
    dispatcher._flights = {first.key: _Flight(first, 1, lost), second.key: _Flight(second, 1, kept)}
    dispatcher._gather([(first.key, 1), (second.key, 1)])
    assert not events and len(dispatcher._flights) == 2
    dispatcher._gather([dispatcher._news.get_nowait()[1] for _ in range(2)])
    assert [(e.kind, e.task) for e in events] == [("done", second)]
    assert [f.task for _, f in dispatcher._settling] == [first], "its workers are counted, and it is tried again"


def test_the_record_tells_what_happened(rehearse: Rehearse, two_workers: Any) -> None:
    made = rehearse(bursts=2, dates=2, faults={FIRST: "bad"})
    outcome = produce(made, two_workers)
    record = Path(outcome.record)
    lines = [json.loads(x) for p in sorted(record.glob("tasks-*.jsonl")) for x in p.read_text().splitlines()]
    assert {line["task"]: line["outcome"] for line in lines} == {
        t.key: "failed" if t.key == FIRST else "done" for t in made.tasks
    }
    done = next(line for line in lines if line["outcome"] == "done")
    assert done["seconds"] >= 0
    assert done["peak_mb"] > 10
    assert done["worker"].startswith("tls://")
    summary = json.loads((record / "summary.json").read_text())
    assert summary["done"] == 5
    assert summary["failed"] == 1
    assert json.loads((record / "run.json").read_text())["versions"]["numpy"]
    from sarcube.config import RunConfig

    assert RunConfig.from_file(record / "run.yaml") == made.config
    report = (record / "report.html").read_text()
    assert report.count("<polygon") == 2
    assert "the measurement is truncated" in report
    assert "http" not in report.replace("http://www.w3.org/2000/svg", "")


def test_history_serves_the_next_estimate(rehearse: Rehearse, two_workers: Any) -> None:
    first = rehearse(bursts=2, dates=1, seconds=0.05)
    produce(first, two_workers)
    again = plan(first.config, remake=True)
    assert again.tasks[0].estimate.cpu_s < 0.5 < first.tasks[1].estimate.cpu_s


def test_remake_replaces(rehearse: Rehearse, two_workers: Any) -> None:
    first = rehearse(bursts=1, dates=1)
    produce(first, two_workers)
    path = Path(first.config.store) / item_key("rehearsal", *_burst_and_start(first))
    path.write_text("{}")
    outcome = produce(plan(first.config, remake=True), two_workers)
    assert outcome.done == 1
    assert json.loads(path.read_text())["id"].startswith("SARCUBE_L2_REHEARSAL_T001-000001")


def _burst_and_start(made: Plan) -> tuple[str, Any]:
    return made.tasks[1].place, made.tasks[1].start


def test_secrets_appear_nowhere(rehearse: Rehearse, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task whose error text holds the whole environment, canaries and all."""
    from sarcube.cluster import Profile, connect

    canaries = {
        "AWS_SECRET_ACCESS_KEY": "canary-aws-2f8e1c",
        "EARTHDATA_PASSWORD": "canary-earth-77aa",
        "CDSE_TOKEN": "canary-cdse-90bd",
    }
    for name, value in canaries.items():
        monkeypatch.setenv(name, value)
    made = rehearse(bursts=1, dates=2, faults={FIRST: "leak"})
    events: list[Event] = []
    with connect(Profile(workers=1, memory=1.0)) as client:
        outcome = produce(made, client, on_event=events.append, options=QUICK)
    assert "AWS_SECRET_ACCESS_KEY=***" in outcome.failed[0].message
    told = repr(outcome) + repr(events) + "".join(t.key for t in made.tasks) + made.to_json() + made.to_html()
    for value in canaries.values():
        assert value not in told
        for path in Path(made.config.store).rglob("*"):
            assert value not in path.name
            assert path.is_dir() or value.encode() not in path.read_bytes(), path


def test_losing_a_race_counts_as_existing(rehearse: Rehearse, two_workers: Any) -> None:
    made = rehearse(bursts=2, dates=2)
    for task in made.tasks[:3]:
        rehearsal.WORKFLOW.run(task, Context("other", made.config))
    outcome = produce(made, two_workers)
    assert (outcome.done, outcome.skipped) == (3, 3)
    assert outcome.ok


def test_an_outcome_reads_like_a_sentence(rehearse: Rehearse, two_workers: Any) -> None:
    outcome = produce(rehearse(bursts=1, dates=2, faults={FIRST: "bad"}), two_workers)
    assert str(outcome).startswith("2 done, 0 existed, 1 failed")


def test_a_worker_of_other_versions_that_joins_late_spoils_nothing(
    rehearse: Rehearse, two_workers: Any, monkeypatch: pytest.MonkeyPatch, items_of: Any
) -> None:
    made = rehearse(bursts=1, dates=1)
    module = importlib.import_module("sarcube.cluster.connect")
    own = module.versions()
    monkeypatch.setattr(module, "versions", lambda: {**own, "numpy": "1.0"})
    outcome = produce(made, two_workers, options=ProduceOptions(backoff_s=0.05, attempts=2))
    assert items_of(made.config.store) == {}
    assert "the worker differs from the client: numpy" in outcome.failed[0].message
    assert outcome.failed[0].attempts == 2


def test_what_a_task_starts_counts_as_its_own() -> None:
    """Processor time and memory of an engine's program, which is another process."""
    import subprocess
    import sys
    import types

    from sarcube.production.run import execute as worker

    burn = "import time\nx = bytearray(300_000_000)\nwhile time.process_time() < 1.0: pass"

    def run(task: Any, context: Any) -> Any:
        subprocess.run([sys.executable, "-c", burn], check=True)
        return worker.Made()

    task = types.SimpleNamespace(key="rtc/x", kind="K", estimate=types.SimpleNamespace(memory=1))
    context = Context("burn", None)  # type: ignore[arg-type]
    worker._contexts["burn"] = context
    before = worker._resident()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(worker, "makers", lambda config: {"K": types.SimpleNamespace(run=run)})
            result = worker.execute("burn", task, 60.0)  # type: ignore[arg-type]
    finally:
        worker._contexts.pop("burn")
    assert result.status == "done", result.message
    assert result.cpu_s >= 0.9
    assert result.peak_mb * 1e6 > before + 250e6
