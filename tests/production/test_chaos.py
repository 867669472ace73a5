"""One small seeded round of the chaos benchmark."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.chaos import play


@pytest.mark.parametrize("seed", [7])
def test_whatever_is_killed_the_store_comes_out_as_from_a_quiet_run(seed: int, tmp_path: Path) -> None:
    result = play(seed, tmp_path, lives=2, bursts=3, dates=3)
    assert result.faults == []
    assert result.reads > 0
    assert result.events
