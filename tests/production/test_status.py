"""Completeness, failures with their cause, files that belong nowhere."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sarcube.errors import ConfigError
from sarcube.production.plan.value import Plan
from sarcube.production.run.produce import produce
from sarcube.production.status import refill, status
from sarcube.store.protocol import open_store
from sarcube.workflows.rehearsal import workflow as rehearsal
from sarcube.workflows.workflow import Context

Rehearse = Callable[..., Plan]
FIRST = "REHEARSAL/t001_000001_iw1/20240103T053000Z"
STEM = "SARCUBE_L2_REHEARSAL_T001-000001-IW1_20240103T053000Z_20240601T000000Z_S1A_20_v0.1"
FOLDER = "rehearsal/t001_000001_iw1/2024/01/03"


def test_expected_against_present_with_causes(rehearse: Rehearse, two_workers: Any) -> None:
    made = rehearse(bursts=3, dates=3, faults={FIRST: "bad", "REHEARSAL_STATIC/t001_000002_iw2": "bad"})
    produce(made, two_workers)
    found = status(made.config)
    assert (found.expected, found.present, found.complete) == (12, 7, False)
    by_burst = {p.place: p for p in found.places}
    assert by_burst["t001_000001_iw1"].missing == ("2024-01-03",)
    assert by_burst["t001_000001_iw1"].present == ("2024-01-15", "2024-01-27")
    assert by_burst["t001_000002_iw2"].missing == ("2024-01-03", "2024-01-15", "2024-01-27")
    assert by_burst["t001_000002_iw2"].lacking == ("REHEARSAL_STATIC",)
    assert by_burst["t001_000001_iw1"].once == ("REHEARSAL_STATIC",)
    causes = {f.task: f.cause for f in found.failures}
    assert len(causes) == 5
    assert all("truncated" in cause for cause in causes.values())
    assert "58.3 % complete" in found.table()
    assert json.loads(found.to_json())["expected"] == 12


def test_refill_makes_a_run_of_what_is_missing(rehearse: Rehearse, two_workers: Any) -> None:
    made = rehearse(bursts=3, dates=3, faults={FIRST: "bad"})
    produce(made, two_workers)
    run = refill(made.config, status(made.config))
    assert run is not None
    assert run.source.places == ("t001_000001_iw1",)
    assert run.dates == (dt.date(2024, 1, 3), dt.date(2024, 1, 3))
    whole = rehearse(bursts=3, dates=3)
    produce(whole, two_workers)
    found = status(whole.config)
    assert found.complete
    assert found.failures == ()
    assert refill(whole.config, found) is None


def test_a_store_by_itself(rehearse: Rehearse, two_workers: Any) -> None:
    made = rehearse(bursts=2, dates=2, faults={FIRST: "bad"})
    produce(made, two_workers)
    found = status(made.config.store)
    assert found.expected is None
    assert found.present == 5
    assert [f.task for f in found.failures] == [FIRST]
    assert len(found.runs) == 1


def test_an_empty_address_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no product"):
        status(str(tmp_path))


def test_a_task_sweeps_what_a_killed_attempt_left(rehearse: Rehearse) -> None:
    made = rehearse(bursts=1, dates=1, files=2)
    store = open_store(made.config.store)
    root = Path(made.config.store)
    store.write_bytes(f"{FOLDER}/{STEM}_VV.tif", b"left")
    (root / FOLDER / f".{STEM}_VH.tif.0123456789ab.part").write_bytes(b"half")
    other = STEM.replace("T053000Z", "T170000Z")
    store.write_bytes(f"{FOLDER}/{other}_VV.tif", b"another acquisition of that day")
    for task in made.tasks:
        rehearsal.WORKFLOW.run(task, Context("x", made.config))
    left = {p.name for p in (root / FOLDER).iterdir()}
    assert f"{STEM}_VV.tif" not in left
    assert not any(name.endswith(".part") for name in left)
    assert f"{other}_VV.tif" in left
    assert len(left) == 1 + 2 + 1


def test_a_task_leaves_what_is_younger(rehearse: Rehearse) -> None:
    made = rehearse(bursts=1, dates=1, files=1)
    store = open_store(made.config.store)
    later = STEM.replace("20240601", "20500601")
    store.write_bytes(f"{FOLDER}/{later}_VV.tif", b"another attempt, of a machine whose clock is ahead")
    for task in made.tasks:
        rehearsal.WORKFLOW.run(task, Context("x", made.config))
    assert store.exists(f"{FOLDER}/{later}_VV.tif")
