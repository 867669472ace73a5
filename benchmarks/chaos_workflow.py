"""The rehearsal with scenes that can be damaged."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sarcube.errors import SceneError
from sarcube.workflows.rehearsal.section import RehearsalSection
from sarcube.workflows.rehearsal.workflow import Rehearsal
from sarcube.workflows.task import Task
from sarcube.workflows.workflow import Context, Made

NAME = "benchmarks.chaos_workflow:WORKFLOW"


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

        return super().run(task, context)


WORKFLOW = Chaos()
