"""The worker's side: one attempt at one task, whose failure is a value and never an exception."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict

from distributed import WorkerPlugin, get_worker

from sarcube.cluster.connect import differences, versions
from sarcube.errors import SarcubeError, TaskTimeoutError
from sarcube.production.run.events import TaskResult
from sarcube.transfer.redact import redact
from sarcube.workflows.registry import makers
from sarcube.workflows.task import Task
from sarcube.workflows.workflow import Context, Made

if TYPE_CHECKING:
    from distributed import Worker

THREADS_VARIABLE = "SARCUBE_KERNEL_THREADS"
_POLL_S = 0.2
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_HARD_LIMIT = 1.25  # times the limit, plus a minute: then not even Python runs any more, and the process ends
_contexts: dict[str, Context] = {}
_strangers: dict[str, str] = {}  # run to what differs here from its client


class RunPlugin(WorkerPlugin):
    """Brings a run's context to every worker, also to those that join later."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.name = f"sarcube-{context.run_id}"

    def setup(self, worker: Worker) -> None:
        threads = int(os.environ.get(THREADS_VARIABLE, "1"))
        _contexts[self.context.run_id] = replace(self.context, threads=threads)
        # Workers that join while the run goes on were not there when the client compared.
        if self.context.versions and (different := differences(versions(), self.context.versions)):
            _strangers[self.context.run_id] = "; ".join(different)
        _gate.adopt(worker)

    def teardown(self, worker: Worker) -> None:
        _contexts.pop(self.context.run_id, None)
        _strangers.pop(self.context.run_id, None)


class _Used(TypedDict):
    """What an attempt took, and where."""

    started: float
    seconds: float
    cpu_s: float
    peak_mb: float
    worker: str


class MemoryGate:
    """Lets tasks of one process in while their declared memory fits; one task always may run."""

    def __init__(self) -> None:
        self._limit: int | None = None
        self._used = 0
        self._free = threading.Condition()

    def adopt(self, worker: Worker) -> None:
        """Take the limit of a Dask worker that shares the process with nothing else."""
        limit = getattr(getattr(worker, "memory_manager", None), "memory_limit", None)
        self._limit = int(limit) if limit else None

    @contextlib.contextmanager
    def hold(self, wanted: int) -> Iterator[None]:
        """Wait until `wanted` bytes are free, keep them until the end of the block."""
        with self._free:
            limit = self._limit
            if limit is not None:
                self._free.wait_for(lambda: self._used == 0 or self._used + wanted <= limit)
            self._used += wanted
        try:
            yield
        finally:
            with self._free:
                self._used -= wanted
                self._free.notify_all()


_gate = MemoryGate()


@dataclass
class _Attempt:
    made: Made | None = None
    error: BaseException | None = None


def execute(run_id: str, task: Task, limit_s: float) -> TaskResult:
    """Carry out a task within a time limit.

    The work runs in a thread of its own: a hung one cannot be ended, but it can be given up; the client then
    restarts the worker (`tainted`).
    """
    worker = _announce(run_id, task)
    context = _contexts.get(run_id)
    if context is None or run_id in _strangers:
        message = "the worker does not know the run: it joined while the run ended"
        if context is not None:
            message = f"the worker differs from the client: {_strangers[run_id]}; install the same versions"
        return TaskResult("failed", "ClusterError", message, transient=True, started=time.time(), worker=worker)
    with _gate.hold(task.estimate.memory):
        started, wall, cpu = time.time(), time.monotonic(), _processor_time()
        attempt, peak = _in_time(task, context, limit_s)
        used: _Used = {
            "started": started,
            "seconds": round(time.monotonic() - wall, 4),
            "cpu_s": round(_processor_time() - cpu, 4),
            "peak_mb": round(peak / 1e6, 1),
            "worker": worker,
        }
    made = attempt.made
    if made is not None:
        return TaskResult(
            "exists" if made.existed else "done",
            bytes_in=made.bytes_in,
            bytes_out=made.bytes_out,
            stages=dict(made.stages),
            warnings=tuple(redact(w) for w in made.warnings),
            item=made.item,
            thumbnail=made.thumbnail,
            **used,
        )
    error = attempt.error or TaskTimeoutError(
        f"{task.key} took longer than its limit of {limit_s:g} s; raise the time limit or look at the scene"
    )
    return TaskResult(
        "failed",
        type(error).__name__,
        redact(_said(error, task.key)),
        transient=isinstance(error, SarcubeError) and error.transient,
        trace=redact(_trace(error)),
        tainted=attempt.error is None,
        **used,
    )


def _in_time(task: Task, context: Context, limit_s: float) -> tuple[_Attempt, int]:
    """Run the task in a thread, watching memory and time; an attempt without result or error ran out of time."""
    attempt, finished = _Attempt(), threading.Event()

    def work() -> None:
        try:
            attempt.made = makers(context.config)[task.kind].run(task, context)
        except BaseException as error:
            # All of it: a fault in a library, too little memory, even an exit is this task's failure and not the
            # worker's, which has others to do. The client is told class, message and trace.
            attempt.error = error
        finally:
            finished.set()

    started_before = _children()
    peak = _resident()
    with _hard_limit(limit_s):
        threading.Thread(target=work, name=task.key, daemon=True).start()
        deadline = time.monotonic() + limit_s
        while not finished.wait(min(_POLL_S, max(deadline - time.monotonic(), 0.0))):
            peak = max(peak, _resident() + sum(map(_resident, _children() - started_before)))
            if time.monotonic() >= deadline:
                return _Attempt(), peak
    return attempt, max(peak, _resident())


@contextlib.contextmanager
def _hard_limit(limit_s: float) -> Iterator[None]:
    """End the process where a task holds the interpreter itself, so that no Python thread can give it up."""
    alone = threading.current_thread() is not threading.main_thread() and _in_nanny()
    if alone:
        faulthandler.dump_traceback_later(limit_s * _HARD_LIMIT + 60.0, exit=True, file=sys.__stderr__ or 2)
    try:
        yield
    finally:
        if alone:
            faulthandler.cancel_dump_traceback_later()


def _in_nanny() -> bool:
    try:
        worker = get_worker()
    except ValueError:
        return False
    return bool(getattr(worker, "nanny", None)) and worker.state.nthreads == 1


def _announce(run_id: str, task: Task) -> str:
    """Tell the client that this worker has begun, so that it knows whom a dying worker takes along."""
    try:
        worker = get_worker()
    except ValueError:
        return "here"
    worker.log_event(f"sarcube-{run_id}", {"key": task.key, "worker": worker.address})
    return str(worker.address)


def _resident(process: int | None = None) -> int:
    """Bytes of resident memory of a process, this one by default; 0 where it is gone."""
    try:
        with open(f"/proc/{process or 'self'}/statm", "rb") as file:  # noqa: PTH123 - read several times a second
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError):
        import psutil

        with contextlib.suppress(psutil.Error):
            return int(psutil.Process(process).memory_info().rss)
        return 0


def _children(process: int | str = "self") -> frozenset[int]:
    """Processes below this one, as the kernel lists them by thread; none where it does not."""
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{process}/task"):  # noqa: PTH208 - read several times a second
            with contextlib.suppress(OSError), open(f"/proc/{process}/task/{thread}/children", "rb") as file:  # noqa: PTH123
                found.update(int(number) for number in file.read().split())
    return frozenset(found).union(*(_children(child) for child in found))


def _processor_time() -> float:
    """Seconds of processor time of this process and of those it started and waited for (an engine's program)."""
    spent = os.times()
    return time.process_time() + spent.children_user + spent.children_system


def _said(error: BaseException, key: str) -> str:
    if isinstance(error, SarcubeError):
        return str(error) or type(error).__name__
    return (
        f"unexpected {type(error).__name__} in {key}: {error}; a fault of sarcube or of a library: the record of the "
        "run holds its trace, please report it"
    )


def _trace(error: BaseException) -> str:
    if isinstance(error, SarcubeError):
        return ""  # its message says what to do; where in the code it arose is of no use
    return "".join(traceback.format_exception(error))[-4000:]
