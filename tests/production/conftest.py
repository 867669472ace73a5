"""Rehearsals: runs without scenes or pixels, on real worker processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sarcube.cluster import Demand, Profile, connect
from sarcube.config import RunConfig
from sarcube.production.plan.plan import plan
from sarcube.production.plan.value import Plan


def rehearsal_config(store: Path | str, **options: Any) -> RunConfig:
    """A run file for a rehearsal; `options` are the workflow's (bursts, dates, faults, seconds)."""
    return RunConfig.from_dict(
        {
            "workflow": "rehearsal",
            "source": {"kind": "local", "path": "."},
            "store": str(store),
            "rehearsal": options,
        }
    )


@pytest.fixture
def rehearse(tmp_path: Path) -> Callable[..., Plan]:
    """Plan a rehearsal in the test's own store."""

    def make(**options: Any) -> Plan:
        return plan(rehearsal_config(tmp_path / "store", **options))

    return make


@pytest.fixture(scope="session")
def two_workers() -> Iterator[Any]:
    """A client of a cluster of two worker processes."""
    with connect(Profile(workers=2, memory=1.5), Demand()) as client:
        yield client


@pytest.fixture
def items_of() -> Callable[[Path | str], dict[str, Any]]:
    """Reads every item of a store, by its key."""

    def read(store: Path | str) -> dict[str, Any]:
        root = Path(store)
        keys = (str(path.relative_to(root)) for path in sorted(root.rglob("T*.json")))
        return {key: json.loads((root / key).read_text()) for key in keys if not key.startswith("runs/")}

    return read
