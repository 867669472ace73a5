"""Small seeded rounds of the chaos benchmark: on disk, on an S3 server that behaves badly, and on SeaweedFS."""

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
    ("seed", "store", "events"),
    [
        (7, "disk", ("scheduler", "full disk")),
        (8, "faulty s3", ("sleeper", "damaged scene")),
        (13, "seaweedfs", ("remakes killed", "finish")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whatever_happens_the_store_comes_out_as_from_a_quiet_run(
    seed: int, store: str, events: tuple[str, ...], nursery: Nursery, tmp_path: Path
) -> None:
    result = play(seed, tmp_path, nursery, lives=len(events), size=(2, 3), events=events, store=store)
    assert result.faults == []
    assert result.reads > 0
    assert result.alive > 0, "no mishap met a client at work"
    assert result.events == list(events)
    assert bool(result.s3_faults) == (store == "faulty s3")
    assert result.skewed == (seed == 13)
