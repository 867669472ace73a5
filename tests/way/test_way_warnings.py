"""What is assumed or left out is said where people look: plan, screen, report, record, status and item."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path

import numpy as np
import pytest
import rasterio
import yaml

from sarcube.simulate.archive import simulate
from sarcube.simulate.options import SimulationOptions
from tests.way.running import sarcube

pytestmark = pytest.mark.timeout(600)
ORBIT = "no orbit file: the annotation's orbit is used"
VOID = "the DEM is void at "


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two dates of one burst, no orbit files, and a DEM with a hole."""
    folder = tmp_path_factory.mktemp("warned")
    options = SimulationOptions(
        center=(8.2, 48.0),
        dates=(dt.date(2024, 1, 3), dt.date(2024, 1, 15)),
        swaths=("IW2",),
        bursts=1,
        polarizations=("VV",),
        burst_size=(300, 2000),
        posting=30.0,
    )
    simulate(folder / "archive", options)
    with rasterio.open(folder / "archive" / "dem.tif", "r+") as dem:
        heights = dem.read(1)
        heights[heights.shape[0] // 2 - 5 :, heights.shape[1] // 2 - 5 :][:10, :10] = np.nan
        dem.write(heights, 1)
    run = {
        "source": {"kind": "local", "path": str(folder / "archive" / "scenes")},
        "dem": {"path": str(folder / "archive" / "dem.tif"), "heights": "ellipsoid"},
        "store": str(folder / "store"),
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(run))
    return path


def test_warnings_are_seen_where_people_look(run_file: Path) -> None:
    planned = sarcube("plan", run_file)
    assert planned.returncode == 0, planned.stderr
    assert f"warning: 3 times: {ORBIT}" in planned.stdout and "; 3 warnings" in planned.stdout
    assert len(json.loads(sarcube("plan", run_file, "--json").stdout)["warnings"]) == 3

    done = sarcube("run", run_file)
    assert done.returncode == 0, done.stdout + done.stderr
    after = done.stdout[done.stdout.index("3 tasks to do") :]
    assert after.count(ORBIT) == 1 and f"warning: 3 times: {ORBIT}" in after, "all of a run in one place, counted"
    # A seventh where the schemas of STAC's extensions cannot be had: that is said of the run as a whole.
    assert f"warning: 3 times: {VOID}" in after and re.search(r"\b[67] warnings", after)
    assert after.count("warning: this run: ") == (1 if "7 warnings" in after else 0)

    store = run_file.parent / "store"
    (record,) = (store / "runs").iterdir()
    summary = json.loads((record / "summary.json").read_text())
    assert {(w["message"][: len(VOID)], w["count"]) for w in summary["warnings"] if w["count"] > 1} == {
        (ORBIT[: len(VOID)], 3),
        (VOID, 3),
    }
    assert len(json.loads((record / "run.json").read_text())["warnings"]) == 3
    report = (record / "report.html").read_text()
    assert re.search(r"Warnings \([67]\)", report) and VOID in report

    items = [json.loads(path.read_text()) for path in store.rglob("T*.json") if "runs" not in path.parts]
    assert len(items) == 3
    for item in items:
        said = item["properties"]["sarcube:warnings"]
        assert ORBIT in said and any(text.startswith(VOID) for text in said)
    for subject in (store, run_file):
        found = sarcube("status", subject)
        assert f"warning: 3 times: {ORBIT}" in found.stdout and f"warning: 3 times: {VOID}" in found.stdout


@pytest.mark.parametrize("place", ["sarcube.workflows.rtc.items.static_facts", "sarcube.catalog.publish.require_valid"])
def test_an_error_that_nobody_foresaw_leaves_no_files(
    run_file: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    from sarcube.config import RunConfig
    from sarcube.production.plan.plan import plan
    from sarcube.workflows.registry import load_workflow
    from sarcube.workflows.workflow import Context

    store = run_file.parent / f"other store {place}"
    config = RunConfig.from_file(run_file).model_copy(update={"store": str(store)})
    planned = plan(config)
    written: list[Path] = []

    def fail(*_args: object, **_options: object) -> None:
        written.extend(p for p in store.rglob("*.tif"))
        raise ZeroDivisionError("a fault of a library")

    monkeypatch.setattr(place, fail)
    work = load_workflow(config.workflow)
    with pytest.raises(ZeroDivisionError):
        work.run(planned.tasks[0], Context("x", planned.config))
    assert len(written) == 7
    assert not [p for p in store.rglob("*") if p.is_file() and p.suffix in (".tif", ".png", ".json", ".part")]
