"""The rehearsal with scenes that can be damaged and a disk that can be full."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sarcube.errors import SceneError
from sarcube.workflows.rehearsal.section import RehearsalSection
from sarcube.workflows.rehearsal.workflow import Rehearsal
from sarcube.workflows.task import Task
from sarcube.workflows.workflow import Context, Made

NAME = "benchmarks.chaos_workflow:WORKFLOW"
FULL = "disk-is-full"


def scene_bytes(name: str) -> bytes:
    """What an undamaged scene holds."""
    return hashlib.sha256(name.encode()).digest() * 64


class ChaosSection(RehearsalSection):
    """A rehearsal with a folder of scenes."""

    chaos: Path = Path()


class Chaos(Rehearsal):
    """Reads its scene before it makes anything, as real work does."""

    name = "chaos"
    section = ChaosSection

    def run(self, task: Task, context: Context) -> Made:
        folder = Path(context.config.section(ChaosSection).chaos)
        good = [u for u in task.inputs if (folder / u).read_bytes() == scene_bytes(u)]
        if not good:
            raise SceneError(f"{task.label}: the measurement is damaged; fetch it again")
        with _full_disk(folder / FULL):
            return super().run(task, context)


@contextlib.contextmanager
def _full_disk(flag: Path) -> Iterator[None]:
    """While the flag is there, whatever is written does not fit: the last step of writing says so."""
    if not flag.exists():
        yield
        return
    real = os.fsync

    def refuse(_handle: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    os.fsync = refuse
    try:
        yield
    finally:
        os.fsync = real


WORKFLOW = Chaos()
