"""Work that must not show in what is measured after it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any


def apart(work: Callable[..., Any], *arguments: Any) -> None:
    """In a process of its own: what a process holds when it starts a child counts as the child's largest memory."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(work, *arguments).result()
