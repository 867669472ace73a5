"""Which task comes next: place by place, each after those that it needs, retries when their time has come."""

from __future__ import annotations

import heapq
import itertools
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

from sarcube.workflows.task import Task


class Feed:
    """Hands out the tasks of a plan one at a time. Knows nothing of Dask; memory grows with what waits only."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._source: Iterator[Task] = iter(tasks)
        self._open = {key for t in tasks for key in t.after}
        self._failed: dict[str, str] = {}
        self._waiting: defaultdict[str, list[Task]] = defaultdict(list)
        self._released: list[tuple[int, int, Task]] = []
        self._later: list[tuple[float, int, Task, int]] = []
        self._order = itertools.count()
        self._exhausted = False
        self.blocked: list[tuple[Task, str]] = []

    @property
    def retries(self) -> int:
        """Tasks that wait for their next attempt."""
        return len(self._later)

    @property
    def left(self) -> bool:
        """Whether a task can still come without another one ending first."""
        return bool(self._released or self._later) or not self._exhausted

    def due(self) -> tuple[Task, int] | None:
        """A task whose next attempt is due, with that attempt's number."""
        if self._later and self._later[0][0] <= time.monotonic():
            _, _, task, attempt = heapq.heappop(self._later)
            return task, attempt
        return None

    def next(self) -> Task | None:
        """The next task; None where all that is left waits for others."""
        # Tasks whose needs have come go before new places: time series finish one by one.
        if self._released:
            return heapq.heappop(self._released)[2]
        for task in self._source:
            if self._ready(task):
                return task
        self._exhausted = True
        return None

    def _ready(self, task: Task) -> bool:
        """Whether all that a task needs is done; else it waits for the first that is not, or is given up."""
        parents = [key for key in task.after if key in self._open]
        if not parents:
            return True
        failed = next((key for key in parents if key in self._failed), None)
        if failed is not None:
            self.blocked.append((task, self._failed[failed]))
        else:
            self._waiting[parents[0]].append(task)
        return False

    def again(self, task: Task, attempt: int, delay_s: float) -> None:
        """Come back to a task after a while."""
        heapq.heappush(self._later, (time.monotonic() + delay_s, next(self._order), task, attempt))

    def done(self, task: Task) -> None:
        """Release the tasks that waited for this one."""
        if task.key in self._open:
            self._open.discard(task.key)
            for waiting in self._waiting.pop(task.key, ()):
                if self._ready(waiting):
                    heapq.heappush(self._released, (waiting.rank, next(self._order), waiting))

    def failed(self, task: Task, cause: str) -> list[tuple[Task, str]]:
        """Give up the tasks that waited for this one; returns them with the cause."""
        if task.key not in self._open:
            return []
        self._failed[task.key] = cause
        return [(waiting, cause) for waiting in self._waiting.pop(task.key, ())]

    def take_blocked(self) -> list[tuple[Task, str]]:
        """Tasks met since the last call whose needs had failed before."""
        found, self.blocked = self.blocked, []
        return found
