"""What is told of a run while it goes on: small values for progress displays, the record, and callers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sarcube.workflows.task import Task

Status = Literal["done", "exists", "failed"]


@dataclass(frozen=True)
class TaskResult:
    """What became of one attempt at a task; comes back from the worker.

    Attributes
    ----------
    status : str
        "done", "exists" (another run had made it) or "failed".
    error, message : str
        Class and text of the error, empty where there is none.
    transient : bool
        The same attempt may succeed later.
    trace : str
        Traceback of an error that sarcube did not raise on purpose.
    tainted : bool
        The worker still carries the remains of the attempt (a hung thread) and has to be restarted.
    started : float
        Unix time.
    seconds, cpu_s : float
        Wall and processor time.
    peak_mb : float
        Largest resident memory of the worker during the attempt.
    bytes_in, bytes_out : int
    stages : mapping of str to float
        Seconds per stage.
    warnings : tuple of str
    item, thumbnail : str
        Keys in the store.
    worker : str
    """

    status: Status
    error: str = ""
    message: str = ""
    transient: bool = False
    trace: str = ""
    tainted: bool = False
    started: float = 0.0
    seconds: float = 0.0
    cpu_s: float = 0.0
    peak_mb: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    stages: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    item: str = ""
    thumbnail: str = ""
    worker: str = ""


@dataclass(frozen=True)
class Counts:
    """How far a run is.

    Attributes
    ----------
    total, done, failed, blocked, waiting_retry : int
    seconds : float
        Since the first task was submitted.
    cpu_s_done, cpu_s_total : float
        Expected CPU time, by which the time left is reckoned.
    bytes_out : int
    workers : int
    """

    total: int = 0
    done: int = 0
    failed: int = 0
    blocked: int = 0
    waiting_retry: int = 0
    seconds: float = 0.0
    cpu_s_done: float = 0.0
    cpu_s_total: float = 0.0
    bytes_out: int = 0
    workers: int = 0

    @property
    def finished(self) -> int:
        return self.done + self.failed + self.blocked

    @property
    def seconds_left(self) -> float | None:
        """From the pace so far, weighted by expected CPU time; None until something is finished."""
        if self.finished == 0 or self.cpu_s_done <= 0:
            return None
        return self.seconds * (self.cpu_s_total - self.cpu_s_done) / self.cpu_s_done


@dataclass(frozen=True)
class Event:
    """Something happened.

    Attributes
    ----------
    kind : str
        "begin", "start" (a worker took a task), "done", "failed", "blocked", "retry", "worker_lost", "note",
        "tick" (nothing new, time went on) or "end".
    counts : Counts
    task : Task, optional
    message : str
    result : TaskResult, optional
    attempt : int
    """

    kind: str
    counts: Counts
    task: Task | None = None
    message: str = ""
    result: TaskResult | None = None
    attempt: int = 0


OnEvent = Callable[[Event], None]
