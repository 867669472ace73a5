"""Real backscatter whose scheduler is killed: the next run ends with the store of a quiet one."""

from __future__ import annotations

from pathlib import Path

from benchmarks.chaos_processes import Nursery
from benchmarks.chaos_real import play_real
from tests.way.running import Demo


def test_the_scheduler_of_real_work_is_killed(demo: Demo, tmp_path: Path) -> None:
    nursery = Nursery()
    try:
        assert play_real(1, tmp_path, demo.folder / "archive", nursery) == []
    finally:
        nursery.close()
