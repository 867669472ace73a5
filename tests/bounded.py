"""Bounds of CPU time, for tests of what damaged input costs."""

from __future__ import annotations

import time
from collections.abc import Callable

TRIES = 3


def within(limit: float, call: Callable[[], object]) -> None:
    """Whether a call takes at most `limit` CPU seconds, at its best.

    A process now and then does other work of its own (it collects garbage, other threads of it end), and a machine
    that is shared counts waiting for memory as work. What a damaged input costs, it costs each time.
    """
    spent = []
    for _ in range(TRIES):
        start = time.thread_time()
        call()
        spent.append(time.thread_time() - start)
        if spent[-1] < limit:
            return
    raise AssertionError(f"{min(spent):.1f} s of CPU time at best of {TRIES}; at most {limit:.1f} s are allowed")
