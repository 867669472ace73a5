"""Small seeded rounds of the chaos benchmark, on disk and on an S3 server that behaves badly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chaos import play
from benchmarks.chaos_processes import Nursery


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("seed", "events"),
    [(7, ("scheduler", "full disk")), (8, ("everything", "damaged scene"))],
    ids=["disk", "s3"],
)
def test_whatever_happens_the_store_comes_out_as_from_a_quiet_run(
    seed: int, events: tuple[str, ...], nursery: Nursery, tmp_path: Path
) -> None:
    result = play(seed, tmp_path, nursery, lives=len(events), bursts=3, dates=3, events=events)
    assert result.faults == []
    assert result.reads > 0
    assert result.alive > 0, "no mishap met a client at work"
    assert result.events == list(events)
    assert bool(result.s3_faults) == (seed % 2 == 0)
