"""Carry out a plan: on a cluster, losing nothing, and leaving a record."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from sarcube.errors import ClusterError, SarcubeError
from sarcube.production.plan.value import Plan
from sarcube.production.run.events import Event, OnEvent, TaskResult
from sarcube.production.run.log import RunLog, listening
from sarcube.production.run.options import ProduceOptions
from sarcube.production.run.outcome import Failure, Outcome
from sarcube.production.said import Said, counted
from sarcube.production.views.page import outcome_shapes
from sarcube.store.protocol import open_store
from sarcube.workflows.workflow import Context

if TYPE_CHECKING:
    from distributed import Client

    from sarcube.production.run.dispatch import Dispatcher, Tally
    from sarcube.production.run.record import RunRecord
    from sarcube.workflows.task import Task

log = logging.getLogger(__name__)


def produce(
    plan: Plan,
    client: Client | None = None,
    *,
    on_event: OnEvent | None = None,
    options: ProduceOptions | None = None,
) -> Outcome:
    """Carry out a plan. A task's failure is data; Ctrl-C ends the run, and running again goes on.

    Parameters
    ----------
    plan : Plan
    client : distributed.Client, optional
        A cluster to use; default: the one that `config.cluster` names, for the time of the run.
    on_event : callable, optional
        Called with every Event, in the thread that called produce (see `sarcube.production.views.progress`).
    options : ProduceOptions, optional

    Raises
    ------
    ClusterError
        The cluster cannot be started.
    StoreError
        The store cannot be written.
    """
    begun = time.monotonic()
    if not plan.tasks:
        return Outcome(
            unfinished=_catch_up(plan),
            skipped=len(plan.done),
            problems=plan.problems,
            impossible=plan.impossible,
            warnings=_warnings(plan, ()),
            seconds=time.monotonic() - begun,
            shapes=outcome_shapes(plan, {}, {}),
        )
    with listening(RunLog()) as heard:
        for work, kinds in plan.makers({t.kind for t in plan.tasks}):
            work.prepare(plan.config, kinds)
        return _carry_out(plan, client, on_event, options or ProduceOptions(), (begun, heard))


def _carry_out(
    plan: Plan, client: Client | None, on_event: OnEvent | None, options: ProduceOptions, since: tuple[float, RunLog]
) -> Outcome:
    from sarcube.cluster.connect import versions
    from sarcube.production.run.dispatch import Dispatcher, Tally
    from sarcube.production.run.record import RunRecord, new_run_id

    begun, lines = since
    run_id = new_run_id()
    record = RunRecord(open_store(plan.config.store), plan, run_id, lines) if options.record else None
    if record:
        record.begin()

    finished: Counter[str] = Counter()
    heard: list[tuple[str, str]] = []

    def tell(event: Event) -> None:
        lines.hear(event)
        if event.kind == "done" and event.task:
            finished[event.task.place] += 1
            heard.extend((event.task.key, text) for text in (event.result.warnings if event.result else ()))
        if record:
            record.hear(event)
        if on_event:
            on_event(event)

    dispatcher: Dispatcher | None = None
    stopped, cancelled = "", False
    try:
        with _client(plan, client) as used:
            context = Context(run_id, plan.config, versions=versions())
            dispatcher = Dispatcher(used, plan, context, options, tell)
            dispatcher.run()
    except KeyboardInterrupt:
        cancelled = True
    except ClusterError as error:
        if dispatcher is None:
            raise
        stopped = str(error)
    tally = dispatcher.tally if dispatcher else Tally()
    unfinished = _finish(plan, dispatcher) if tally.done or tally.existed or plan.done else ""
    outcome = _outcome(plan, tally, record, cancelled, stopped, time.monotonic() - begun)
    bad = Counter(failure.place for failure in (*outcome.failed, *outcome.blocked))
    outcome = replace(
        outcome, shapes=outcome_shapes(plan, finished, bad), warnings=_warnings(plan, [*lines.said, *heard])
    )
    outcome = replace(outcome, unfinished=unfinished)
    if dispatcher:
        dispatcher.emit("end", message=str(outcome))
    if record:
        record.finish(_facts(outcome))
    return outcome


def _warnings(plan: Plan, heard: Iterable[tuple[str, str]]) -> tuple[Said, ...]:
    """Of the products made, and what the plan said of the source; what it expected of tasks these say themselves."""
    tasks = {task.key for task in plan.tasks}
    return counted([*((w.subject, w.message) for w in plan.warnings if w.subject not in tasks), *heard])


def _catch_up(plan: Plan) -> str:
    """Finish for a run that was killed after its last product: its items are there, its collections lag behind.

    Returns
    -------
    str
        Why that cannot be done, else empty.
    """
    kinds = {key.partition("/")[0] for key in plan.done} - plan.given  # which are someone else's
    try:
        for work, names in plan.makers(kinds):
            work.finish(plan.config, names)
    except SarcubeError as error:
        return f"collections may not be up to date: {error}"
    return ""


def _finish(plan: Plan, dispatcher: Dispatcher | None) -> str:
    try:
        for work, kinds in plan.makers({t.kind for t in plan.tasks}):
            work.finish(plan.config, kinds)
    except SarcubeError as error:
        # The products are there and can be found; the next run tries again.
        said = f"collections are not up to date: {error}"
        if dispatcher:
            dispatcher.emit("note", message=said)
        return said
    return ""


@contextlib.contextmanager
def _client(plan: Plan, client: Client | None) -> Iterator[Client]:
    if client is not None:
        yield client
        return
    from sarcube.cluster import Demand, connect

    demand = Demand(len(plan.tasks), plan.totals.memory)
    with connect(plan.config.cluster, demand) as own:
        yield own


def _outcome(
    plan: Plan, tally: Tally, record: RunRecord | None, cancelled: bool, stopped: str, seconds: float
) -> Outcome:
    failed = tuple(_failure(task, result, attempts) for task, result, attempts in tally.failed)
    blocked = tuple(_failure(task, TaskResult("failed", "Blocked", cause), 0) for task, cause in tally.blocked)
    return Outcome(
        done=tally.done,
        skipped=len(plan.done) + tally.existed,
        failed=failed,
        blocked=blocked,
        problems=plan.problems,
        cancelled=cancelled,
        stopped=stopped,
        seconds=seconds,
        bytes_out=tally.bytes_out,
        record=record.href if record else "",
        left=len(plan.tasks) - tally.done - tally.existed - len(failed) - len(blocked),
    )


def _failure(task: Task, result: TaskResult, attempts: int) -> Failure:
    return Failure(
        task.key,
        task.place,
        task.unit.day,
        task.label,
        result.error,
        result.message,
        attempts,
        result.trace,
    )


def _facts(outcome: Outcome) -> dict[str, object]:
    return {
        "outcome": str(outcome),
        "done": outcome.done,
        "skipped": outcome.skipped,
        "failed": len(outcome.failed),
        "blocked": len(outcome.blocked),
        "left": outcome.left,
        "cancelled": outcome.cancelled,
        "stopped": outcome.stopped,
        "unfinished": outcome.unfinished,
        "seconds": round(outcome.seconds, 2),
        "bytes_out": outcome.bytes_out,
        "warnings": [asdict(said) for said in outcome.warnings],
    }
