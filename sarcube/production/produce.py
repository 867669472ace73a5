"""Carry out a plan: on a cluster, losing nothing, and leaving a record."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sarcube.errors import ClusterError, SarcubeError
from sarcube.html import BurstMap, Shape
from sarcube.production.events import Event, OnEvent, TaskResult
from sarcube.production.maps import outcome_shapes
from sarcube.production.options import ProduceOptions
from sarcube.production.plan import Plan
from sarcube.production.said import Said, counted
from sarcube.store.protocol import open_store
from sarcube.workflows.workflow import Context, Problem, load_workflow

if TYPE_CHECKING:
    from distributed import Client

    from sarcube.production.dispatch import Dispatcher
    from sarcube.production.record import RunRecord

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """A task that did not end well.

    Attributes
    ----------
    key, burst_id : str
    date : str
        Day of the acquisition, empty for static layers.
    scene : str
    error, message : str
        Class and text; for a blocked task the cause.
    attempts : int
    trace : str
    """

    key: str
    burst_id: str
    date: str
    scene: str
    error: str
    message: str
    attempts: int = 1
    trace: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a plan.

    Attributes
    ----------
    done : int
        Products made by this run.
    skipped : int
        Products that existed, before or through another run meanwhile.
    failed : tuple of Failure
    blocked : tuple of Failure
        Not tried, since the static layers they need failed.
    problems : tuple of Problem
        What the plan had to leave out.
    cancelled : bool
        Ended by Ctrl-C.
    stopped : str
        Why the run ended before its plan (a lost cluster), else empty.
    seconds : float
    bytes_out : int
    record : str
        Where the record of the run lies; empty where nothing was to do.
    left : int
        Tasks that the run did not come to.
    shapes : tuple of Shape
        The bursts, for `map`.
    warnings : tuple of Said
        Of the source and of the products made, counted by kind.
    unfinished : str
        Why collections or index are not up to date, else empty.
    impossible : bool
        Nothing of what was asked for exists or could be tried.
    """

    done: int = 0
    skipped: int = 0
    failed: tuple[Failure, ...] = ()
    blocked: tuple[Failure, ...] = ()
    problems: tuple[Problem, ...] = ()
    cancelled: bool = False
    stopped: str = ""
    seconds: float = 0.0
    bytes_out: int = 0
    record: str = ""
    left: int = field(default=0)
    shapes: tuple[Shape, ...] = field(default=(), repr=False, compare=False)
    warnings: tuple[Said, ...] = ()
    impossible: bool = False
    unfinished: str = ""

    @property
    def ok(self) -> bool:
        """Whether everything that the run asks for now exists."""
        bad = self.failed or self.blocked or self.problems or self.cancelled or self.stopped or self.unfinished
        return not bad

    def map(self) -> BurstMap:
        """The bursts on a map, by what became of them: for a notebook, or to `save` as a page."""
        return BurstMap("Run", self.shapes)

    def _repr_html_(self) -> str:
        from sarcube.production.maps import outcome_html

        return outcome_html(self)

    @property
    def exit_code(self) -> int:
        """For a command: 0 done, 1 some tasks failed or are left, 2 nothing of what was asked for can be done."""
        if self.impossible:
            return 2
        return 0 if self.ok else 1

    def __str__(self) -> str:
        parts = [f"{self.done} done", f"{self.skipped} existed"]
        for number, word in ((len(self.failed), "failed"), (len(self.blocked), "blocked"), (self.left, "left")):
            if number:
                parts.append(f"{number} {word}")
        if self.problems:
            parts.append(f"{len(self.problems)} problem{'s' if len(self.problems) > 1 else ''} in the plan")
        if number := sum(said.count for said in self.warnings):
            parts.append(f"{number} warning{'s' if number > 1 else ''}")
        text = ", ".join(parts) + f" in {self.seconds:.0f} s"
        if self.cancelled:
            text += "; cancelled: run again to go on"
        return "; ".join(part for part in (text, self.stopped, self.unfinished) if part)


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
        Called with every Event, in the thread that called produce (see `sarcube.production.progress`).
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
    options = options or ProduceOptions()
    load_workflow(plan.workflow).prepare(plan.config, {t.kind for t in plan.tasks})
    return _carry_out(plan, client, on_event, options, begun)


def _carry_out(
    plan: Plan, client: Client | None, on_event: OnEvent | None, options: ProduceOptions, begun: float
) -> Outcome:
    from sarcube.cluster.connect import versions
    from sarcube.production.dispatch import Dispatcher, Tally
    from sarcube.production.record import RunRecord, new_run_id

    run_id = new_run_id()
    record = RunRecord(open_store(plan.config.store), plan, run_id) if options.record else None
    if record:
        record.begin()

    finished: Counter[str] = Counter()
    heard: list[tuple[str, str]] = []

    def tell(event: Event) -> None:
        if event.kind == "done" and event.task:
            finished[event.task.burst_id] += 1
            heard.extend((event.task.key, text) for text in (event.result.warnings if event.result else ()))
        if record:
            record.hear(event)
        if on_event:
            on_event(event)

    dispatcher: Dispatcher | None = None
    stopped, cancelled = "", False
    try:
        with _client(plan, client) as used:
            context = Context(run_id, plan.config, plan.workflow, versions=versions())
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
    bad = Counter(failure.burst_id for failure in (*outcome.failed, *outcome.blocked))
    outcome = replace(outcome, shapes=outcome_shapes(plan, finished, bad), warnings=_warnings(plan, heard))
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
    kinds = {key.partition("/")[0] for key in plan.done}
    if plan.config.link_static_layers:  # someone else's
        kinds.discard("static")
    try:
        if kinds:
            load_workflow(plan.workflow).finish(plan.config, kinds)
    except SarcubeError as error:
        return f"collections may not be up to date: {error}"
    return ""


def _finish(plan: Plan, dispatcher: Dispatcher | None) -> str:
    try:
        load_workflow(plan.workflow).finish(plan.config, {t.kind for t in plan.tasks})
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
    plan: Plan, tally: Any, record: RunRecord | None, cancelled: bool, stopped: str, seconds: float
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


def _failure(task: Any, result: TaskResult, attempts: int) -> Failure:
    return Failure(
        task.key,
        task.burst_id,
        task.date.isoformat() if task.date else "",
        task.scene,
        result.error,
        result.message,
        attempts,
        result.trace,
    )


def _facts(outcome: Outcome) -> dict[str, Any]:
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
