"""The client's side of a run: what to submit next, what to try again, whom to set aside."""

from __future__ import annotations

import contextlib
import queue
import random
import time
from collections import defaultdict
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from distributed import Client
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from sarcube.cluster.environment import MEMORY
from sarcube.errors import ClusterError
from sarcube.jsons import JsonObject
from sarcube.production.plan.value import Plan
from sarcube.production.run.events import Counts, Event, OnEvent, TaskResult
from sarcube.production.run.execute import RunPlugin, execute
from sarcube.production.run.feed import Feed
from sarcube.production.run.options import ProduceOptions
from sarcube.workflows.task import Task
from sarcube.workflows.workflow import Context

if TYPE_CHECKING:
    from distributed import Future

_TICK_S = 0.5
_WINDOW = 64
_BATCH_S = 0.02  # results that come in together are fetched together: one round trip instead of many
_LOOK_S = 5.0  # how often the workers are counted
_SETTLE_S = 0.5  # news of a dying worker and of the tasks it took come on different ways
_INTRODUCTIONS_S = (0.5, 2.0, 5.0)  # pauses between attempts to bring the run to all workers
_RESTART_S = 60.0


@dataclass
class _Flight:
    """A task on the cluster."""

    task: Task
    attempt: int
    future: Future[TaskResult]


@dataclass
class _Story:
    """What a task has been through; kept only for tasks that something happened to."""

    failures: int = 0
    deaths: int = 0
    expelled: int = 0  # times that Dask gave it up because of workers on which it may merely have waited


@dataclass
class Tally:
    """What became of the tasks."""

    done: int = 0
    existed: int = 0
    bytes_out: int = 0
    failed: list[tuple[Task, TaskResult, int]] = field(default_factory=list)
    blocked: list[tuple[Task, str]] = field(default_factory=list)


class Dispatcher:
    """Keeps the cluster busy with a bounded number of tasks until every task of the plan has come to an end.

    A task's failure is data. A task that waits for another is released here, on the client:
    the state is in the store, so that workers have to keep nothing for each other.
    """

    def __init__(self, client: Client, plan: Plan, context: Context, options: ProduceOptions, tell: OnEvent) -> None:
        self.client = client
        self.plan, self.context, self.options, self._tell = plan, context, options, tell
        self.tally = Tally()
        self._feed = Feed(plan.tasks)
        self._news: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._flights: dict[str, _Flight] = {}
        self._settling: list[tuple[float, _Flight]] = []
        self._running: dict[str, str] = {}  # worker to the key of the task that it announced last
        self._restarted: set[str] = set()
        self._stories: defaultdict[str, _Story] = defaultdict(_Story)
        self._random = random.Random(0)
        self._begun = self._seen = time.monotonic()
        self._looked = 0.0
        self._workers: dict[str, JsonObject] = {}
        self._cpu_total = sum(t.estimate.cpu_s for t in plan.tasks)
        self._cpu_done = 0.0
        self._topic = f"sarcube-{context.run_id}"

    def run(self) -> None:
        """Work until nothing is left.

        Raises
        ------
        ClusterError
            The scheduler is gone, or no worker came for too long. What was done is kept.
        KeyboardInterrupt
            After the tasks on the cluster have been called back.
        """
        try:
            self._introduce()
            self.client.subscribe_topic(self._topic, lambda event: self._news.put(("began", event[1])))
            self.client.subscribe_topic("all", lambda event: self._news.put(("cluster", event[1])))
            self._look()
            self.emit("begin")
            while True:
                self._fill()
                if not (self._flights or self._settling or self._feed.left):
                    break
                self._step()
        except (CommClosedError, OSError) as error:
            raise ClusterError(f"the scheduler cannot be reached any more: {error}; run again to go on") from error
        finally:
            self._leave()

    def _introduce(self) -> None:
        """Bring the run to the workers; one that dies at that moment breaks the call, though the scheduler is there."""
        for pause in _INTRODUCTIONS_S:
            try:
                self.client.register_plugin(RunPlugin(self.context))
                return
            except (CommClosedError, OSError):
                time.sleep(pause)
                self._reachable()
        self.client.register_plugin(RunPlugin(self.context))

    def _reachable(self) -> None:
        """A client that looks for its scheduler waits in every call, and one that came back would know of no run."""
        if self.client.status != "running":
            raise ClusterError("the connection to the scheduler is lost; run again to go on")

    def emit(
        self, kind: str, task: Task | None = None, message: str = "", result: TaskResult | None = None, attempt: int = 0
    ) -> None:
        """Tell of an event."""
        self._tell(Event(kind, self.counts(), task, message, result, attempt))

    def counts(self) -> Counts:
        """How far the run is."""
        return Counts(
            total=len(self.plan.tasks),
            done=self.tally.done + self.tally.existed,
            failed=len(self.tally.failed),
            blocked=len(self.tally.blocked),
            waiting_retry=self._feed.retries,
            seconds=time.monotonic() - self._begun,
            cpu_s_done=self._cpu_done,
            cpu_s_total=self._cpu_total,
            bytes_out=self.tally.bytes_out,
            workers=len(self._workers),
        )

    # --- submitting

    def _fill(self, room: int = 0) -> None:
        chosen: list[tuple[Task, int]] = []
        while due := self._feed.due():
            chosen.append(due)
        slots = sum(int(w["nthreads"]) for w in self._workers.values())
        window = (self.options.window or max(_WINDOW, 4 * slots)) + room
        while len(self._flights) + len(chosen) < window and (task := self._feed.next()):
            chosen.append((task, 1))
        alike: defaultdict[tuple[str, int, int], list[tuple[Task, int]]] = defaultdict(list)
        for task, attempt in chosen:
            alike[task.kind, task.estimate.memory, task.rank].append((task, attempt))
        for group in alike.values():
            self._submit(group)
        for task, cause in self._feed.take_blocked():
            self._block(task, cause)

    def _submit(self, group: list[tuple[Task, int]]) -> None:
        """Tasks of one kind, memory and rank go together: the scheduler's work per call is most of its work."""
        # Resources are asked for only where every worker has announced some: otherwise a task could wait
        # for ever. The gate in each worker holds either way.
        first = group[0][0]
        announced = [w["resources"].get(MEMORY) for w in self._workers.values()]
        known = [float(a) for a in announced if a]
        memory = min(float(first.estimate.memory), max(known)) if known and len(known) == len(announced) else None
        futures = self.client.map(
            execute,
            [self.context.run_id] * len(group),
            [task for task, _ in group],
            [self.options.time_limit_s] * len(group),
            key=[(f"{self._topic}-{task.kind}", task.key, attempt) for task, attempt in group],
            resources=None if memory is None else {MEMORY: memory},
            priority=-first.rank,
            pure=False,
        )
        for (task, attempt), future in zip(group, futures, strict=True):
            self._flights[task.key] = _Flight(task, attempt, future)
            future.add_done_callback(lambda _f, ended=(task.key, attempt): self._news.put(("ended", ended)))

    # --- hearing

    def _step(self) -> None:
        """Hear what there is to hear, then act on all of it at once."""
        self._reachable()
        ended: list[tuple[str, int]] = []
        deadline = time.monotonic() + _TICK_S
        heard = False
        while (left := deadline - time.monotonic()) > 0.0:
            try:
                kind, value = self._news.get(timeout=left)
            except queue.Empty:
                break
            if not heard:
                heard, deadline = True, min(deadline, time.monotonic() + _BATCH_S)
            if kind == "ended":
                ended.append(value)
            elif kind == "began":
                self._running[value["worker"]] = value["key"]
                if flight := self._flights.get(value["key"]):
                    self.emit("start", flight.task, value["worker"], attempt=flight.attempt)
            else:
                self._hear(value)
        self._fill(room=len(ended))  # before their results are fetched, so that workers do not wait for that
        self._gather(ended)
        self._settle()
        if time.monotonic() - self._looked > _LOOK_S:
            self._look()
        if not ended:
            self.emit("tick")

    def _gather(self, ended: list[tuple[str, int]]) -> None:
        flights = [f for key, attempt in ended if (f := self._flights.get(key)) and f.attempt == attempt]
        states = [(f, f.future.status) for f in flights]
        finished = [f for f, status in states if status == "finished"]
        results = self._fetch(finished)
        for flight, result in results:
            self._land(flight)
            self._result(flight, result)
        for worker in {result.worker for _, result in results if result.tainted}:
            self._restart(worker)
        for flight, status in states:
            if status == "error":
                error = flight.future.exception()
                self._land(flight)
                if isinstance(error, KilledWorker):
                    self._settling.append((time.monotonic() + _SETTLE_S, flight))
                else:
                    # Not the task's doing, whose failures are values: it could not be shipped, or its result.
                    self._fail(flight.task, TaskResult("failed", type(error).__name__, str(error)), flight.attempt)
            elif status in ("cancelled", "lost"):
                self._land(flight)
                self._reachable()
                self._result(flight, TaskResult("failed", "ClusterError", "the scheduler lost it", transient=True))

    def _fetch(self, finished: list[_Flight]) -> list[tuple[_Flight, TaskResult]]:
        """Results of finished tasks. One that is lost with its worker is made again, at which workers may die too."""
        if not finished:
            return []
        try:
            return list(zip(finished, self.client.gather([f.future for f in finished]), strict=True))
        except (KilledWorker, CancelledError):
            for flight in finished:  # to be looked at again: that one has another state now
                self._news.put(("ended", (flight.task.key, flight.attempt)))
            return []

    def _land(self, flight: _Flight) -> None:
        self._flights.pop(flight.task.key, None)
        flight.future.release()

    def _result(self, flight: _Flight, result: TaskResult) -> None:
        task = flight.task
        if self._running.get(result.worker) == task.key:
            del self._running[result.worker]
        if result.status == "failed":
            story = self._stories[task.key]
            story.failures += 1
            if result.transient and story.failures < self.options.attempts:
                self._again(flight, story.failures, result)
            else:
                self._fail(task, result, flight.attempt)
            return
        self.tally.done += result.status == "done"
        self.tally.existed += result.status == "exists"
        self.tally.bytes_out += result.bytes_out
        self._close(task)
        self._feed.done(task)
        self.emit("done", task, result=result, attempt=flight.attempt)

    def _again(self, flight: _Flight, failures: int, result: TaskResult) -> None:
        pause = min(self.options.backoff_s * 2.0 ** (failures - 1), self.options.longest_backoff_s)
        pause *= 0.5 + self._random.random()  # many tasks that failed together must not come back together
        self._feed.again(flight.task, flight.attempt + 1, pause)
        message = f"{result.message}; again in {pause:.0f} s"
        self.emit("retry", flight.task, message, result=result, attempt=flight.attempt)

    def _fail(self, task: Task, result: TaskResult, attempt: int) -> None:
        self.tally.failed.append((task, result, attempt))
        self._close(task)
        self.emit("failed", task, result.message, result=result, attempt=attempt)
        for waiting, cause in self._feed.failed(task, f"{task.key} failed: {result.message}"):
            self._block(waiting, cause)

    def _block(self, task: Task, cause: str) -> None:
        self.tally.blocked.append((task, cause))
        self._close(task)
        self.emit("blocked", task, cause)
        for waiting, _ in self._feed.failed(task, cause):
            self._block(waiting, cause)

    def _close(self, task: Task) -> None:
        self._cpu_done += task.estimate.cpu_s
        self._stories.pop(task.key, None)

    # --- workers that die

    def _hear(self, news: object) -> None:
        """Find out whom a worker that went away was working on."""
        if not isinstance(news, dict) or news.get("action") != "remove-worker":
            return
        worker = news.get("worker", "")
        announced = self._running.pop(worker, None)
        self._workers.pop(worker, None)
        if news.get("expected") or worker in self._restarted:
            self._restarted.discard(worker)
            return
        mine = {k[1] for k in news.get("processing-tasks", ()) if isinstance(k, tuple) and k[0].startswith(self._topic)}
        culprit = announced if announced in mine else None
        if culprit is None and len(mine) == 1:
            culprit = mine.pop()
        flight = self._flights.get(culprit) if culprit else None
        settling = next((f for _, f in self._settling if f.task.key == culprit), None)
        flight = flight or settling
        if flight is None:
            self.emit("worker_lost", message=f"worker {worker} is gone")
            return
        story = self._stories[flight.task.key]
        story.deaths += 1
        self.emit(
            "worker_lost",
            flight.task,
            f"worker {worker} died at it, {story.deaths} of {self.options.deaths} times",
            attempt=flight.attempt,
        )
        if story.deaths >= self.options.deaths and settling is None:
            flight.future.cancel(force=True)
            self._land(flight)
            self._set_aside(flight, story.deaths)

    def _settle(self) -> None:
        """Judge tasks that Dask gave up because their workers died."""
        now = time.monotonic()
        due = [f for at, f in self._settling if at <= now]
        self._settling = [(at, f) for at, f in self._settling if at > now]
        for flight in due:
            story = self._stories[flight.task.key]
            story.expelled += 1
            if story.deaths >= self.options.deaths or story.expelled >= self.options.deaths:
                self._set_aside(flight, story.deaths)
            else:
                # It only stood in the queue of workers that others killed.
                self._feed.again(flight.task, flight.attempt + 1, 0.0)

    def _set_aside(self, flight: _Flight, deaths: int) -> None:
        message = (
            f"set aside: {deaths} workers died while they worked on it (out of memory, or a crash in a "
            "library); look at its scene, or give workers more memory"
        )
        self._fail(flight.task, TaskResult("failed", "KilledWorker", message), flight.attempt)

    def _restart(self, worker: str) -> None:
        """Start a worker anew that still carries a hung task."""
        if worker not in self._workers:
            return
        self._restarted.add(worker)
        try:
            self.client.restart_workers([worker], timeout=_RESTART_S, raise_for_error=False)
        except ValueError:
            # No nanny there. The hung thread stays, and the cluster is one worker weaker.
            self._restarted.discard(worker)
            self.emit("note", message=f"worker {worker} carries a hung task and cannot be restarted")
        except KeyError:
            # The scheduler knows it no more: it died by itself meanwhile.
            self._restarted.discard(worker)

    def _look(self) -> None:
        """Count the workers; give up where there has been none for too long."""
        self._reachable()
        self._workers = dict(self.client.scheduler_info(n_workers=-1)["workers"])
        now = self._looked = time.monotonic()
        if self._workers:
            self._seen = now
        elif now - self._seen > self.options.patience_s:
            raise ClusterError(
                f"no worker for {self.options.patience_s:.0f} s; look at the cluster, then run again to go on"
            )

    def _leave(self) -> None:
        """Call back what is on the cluster and take the context from it."""
        with contextlib.suppress(OSError, CommClosedError, TimeoutError, ValueError, RuntimeError):
            if self._flights:
                self.client.cancel([f.future for f in self._flights.values()], force=True)
            self.client.unsubscribe_topic(self._topic)
            self.client.unsubscribe_topic("all")
            self.client.unregister_worker_plugin(f"sarcube-{self.context.run_id}")
