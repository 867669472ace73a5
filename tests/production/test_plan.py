"""Plans: what is to do, why, and how they are shown."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sarcube.config import RunConfig
from sarcube.errors import ConfigError, SourceError
from sarcube.geometry.grid import GeoGrid
from sarcube.production.plan.estimates import estimate, former_records, rates_of
from sarcube.production.plan.plan import plan
from sarcube.production.plan.value import Plan
from sarcube.products.names import item_key
from sarcube.store.protocol import open_store
from sarcube.workflows.rehearsal import workflow as rehearsal
from sarcube.workflows.rtc.workflow import WORKFLOW

Rehearse = Callable[..., Plan]
RTC = {"source": {"path": "."}, "dem": {"path": "dem.tif", "heights": "ellipsoid"}}


def finish(made: Plan, keys: int | None = None) -> None:
    """Commit the first products of a plan as its tasks would."""
    from sarcube.workflows.workflow import Context

    context = Context("test", made.config)
    for task in made.tasks[:keys]:
        rehearsal.WORKFLOW.run(task, context)


def test_every_burst_has_static_layers_once_and_then_its_dates(rehearse: Rehearse) -> None:
    made = rehearse(bursts=3, dates=4)
    assert len(made.tasks) == 3 * (1 + 4)
    for burst in {t.place for t in made.tasks}:
        own = [t for t in made.tasks if t.place == burst]
        assert [t.kind for t in own] == ["REHEARSAL_STATIC", "REHEARSAL", "REHEARSAL", "REHEARSAL", "REHEARSAL"]
        assert all(t.after == (own[0].key,) for t in own[1:])
        assert [t.start for t in own[1:]] == sorted(t.start for t in own[1:])  # type: ignore[type-var]
        assert len({t.grid for t in own}) == 1
    assert [t.rank for t in made.tasks] == sorted(t.rank for t in made.tasks)


def test_two_plans_are_equal(rehearse: Rehearse) -> None:
    assert rehearse(bursts=2).tasks == rehearse(bursts=2).tasks


def test_what_exists_is_not_planned_again(rehearse: Rehearse) -> None:
    first = rehearse(bursts=2, dates=3)
    finish(first, 6)  # burst 1 whole, burst 2: static layers and one date
    again = rehearse(bursts=2, dates=3)
    assert [t.key for t in again.tasks] == [t.key for t in first.tasks[6:]]
    assert all(t.after == () for t in again.tasks)
    assert len(again.done) == 6
    finish(again)
    assert rehearse(bursts=2, dates=3).tasks == ()


def test_the_grid_of_static_layers_is_kept_for_ever(rehearse: Rehearse) -> None:
    first = rehearse(bursts=1, dates=1)
    finish(first, 1)
    path = Path(first.config.store) / item_key("rehearsal_static", first.tasks[0].place, None)
    item = json.loads(path.read_text())
    item["properties"]["proj:shape"] = [7, 9]
    path.write_text(json.dumps(item))
    assert rehearse(bursts=1, dates=1).tasks[0].grid.shape == (7, 9)


def test_another_resolution_is_a_problem_and_no_task(rehearse: Rehearse) -> None:
    first = rehearse(bursts=2, dates=1)
    finish(first, 1)
    config = first.config.model_copy(update={"grid": first.config.grid.model_copy(update={"resolution": 30.0})})
    again = plan(config)
    assert "one grid for ever" in again.problems[0].message
    assert {t.place for t in again.tasks} == {first.tasks[2].place}


def test_linking_refuses_bursts_without_static_layers(rehearse: Rehearse) -> None:
    first = rehearse(bursts=2, dates=1)
    finish(first, 1)
    config = first.config.with_section("rehearsal", link_static=True)
    again = plan(config)
    assert [t.key for t in again.tasks] == [first.tasks[1].key]
    assert len(again.problems) == 1
    assert again.problems[0].subject == first.tasks[2].place
    assert "REHEARSAL_STATIC" in again.problems[0].message
    assert again.problems[0].error == "MissingProductError"


def test_static_layers_may_live_elsewhere(rehearse: Rehearse, tmp_path: Path) -> None:
    first = rehearse(bursts=1, dates=1)
    only = first.config.with_section("rehearsal", product="REHEARSAL_STATIC")
    static_only = only.model_copy(update={"store": str(tmp_path / "static")})
    made = plan(static_only)
    assert [t.kind for t in made.tasks] == ["REHEARSAL_STATIC"]
    finish(made)
    elsewhere = first.config.model_copy(update={"static_store": str(tmp_path / "static")})
    linked = elsewhere.with_section("rehearsal", link_static=True)
    assert [t.kind for t in plan(linked).tasks] == ["REHEARSAL"]


def test_remake_plans_what_exists(rehearse: Rehearse) -> None:
    first = rehearse(bursts=1, dates=2)
    finish(first)
    again = plan(first.config, remake=True)
    assert [t.kind for t in again.tasks] == ["REHEARSAL", "REHEARSAL"]
    assert all(t.remake for t in again.tasks)


def test_nothing_found_says_where_it_looked(tmp_path: Path) -> None:
    config = RunConfig.from_dict(
        {
            "workflow": "rehearsal",
            "source": {"kind": "local", "path": "/data/scenes"},
            "store": str(tmp_path),
            "rehearsal": {"bursts": 0},
        }
    )
    with pytest.raises(SourceError, match="/data/scenes"):
        plan(config)


def test_a_mapping_is_a_run_file(rehearse: Rehearse) -> None:
    made = rehearse(bursts=2, dates=1)
    raw = made.config.model_dump(mode="json", exclude_none=True)
    assert plan(raw).tasks == made.tasks
    with pytest.raises(ConfigError, match="did you mean `store`"):
        plan(raw | {"stor": "x"})


def test_nothing_possible_is_told_from_nothing_to_do(rehearse: Rehearse) -> None:
    first = rehearse(bursts=2, dates=1)
    linked = first.config.with_section("rehearsal", link_static=True)
    none = plan(linked)
    assert none.impossible and {p.error for p in none.problems} == {"MissingProductError"}
    assert none.table().count("no static rehearsal of") == 1 and "problem: 2 times: " in none.table()
    finish(first, 2)
    assert not plan(linked).impossible, "the other burst is done"
    assert not rehearse(bursts=2, dates=1).impossible


def summary_of(cpu_s: float, **said: str) -> bytes:
    rate = {"mpixels": 10.0, "cpu_s": cpu_s, "bytes_out": 5e7}
    return json.dumps({**said, "rates": dict.fromkeys(("RTC_S1", "RTC_S1_STATIC", "rtc", "static"), rate)}).encode()


def test_rehearsals_do_not_spoil_the_estimates_of_a_store(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    told = {kind.name: kind.rate for kind in WORKFLOW.kinds}
    store.write_bytes("runs/20240101T000000Z-a/summary.json", summary_of(7.0, variant="rtc:native"))
    for i in range(7):
        store.write_bytes(f"runs/2024020{i}T000000Z-b/summary.json", summary_of(0.01, variant="rehearsal"))
    assert rates_of(store, told, "rtc:native")["RTC_S1"].cpu_s_per_mpixel == 0.7
    assert rates_of(store, told, "rehearsal")["RTC_S1"].cpu_s_per_mpixel == 0.001
    assert rates_of(store, told, "rtc:isce3") == told, "another engine's costs are its own"
    old = {"workflow": "sarcube.production.rtc_task:WORKFLOW", "engine": "native"}
    store.write_bytes("runs/20240301T000000Z-c/summary.json", summary_of(9.0, **old))
    rates = rates_of(store, told, "rtc:native", former_records(RunConfig.from_dict(RTC), WORKFLOW.kinds))
    assert rates["RTC_S1"].cpu_s_per_mpixel == 0.9, "records of version 0.1 count"


def test_isce3_is_planned_with_its_own_costs() -> None:
    """Measured on a whole burst: 419 CPU s of backscatter, 516 of static layers, 2.9 GB."""
    rates = WORKFLOW.rates(RunConfig.from_dict(RTC | {"rtc": {"engine": "isce3"}}))
    burst = GeoGrid(32632, 0.0, 0.0, 20.0, 4650, 2000)
    assert estimate(rates["RTC_S1"], burst).cpu_s == pytest.approx(419, rel=0.02)
    assert estimate(rates["RTC_S1_STATIC"], burst).cpu_s == pytest.approx(516, rel=0.02)
    assert estimate(rates["RTC_S1"], burst).memory == pytest.approx(2.9e9, rel=0.05)
    assert estimate(rates["RTC_S1_STATIC"], burst).memory == pytest.approx(3.4e9, rel=0.05)


def test_an_unknown_workflow_is_a_clear_error(rehearse: Rehearse) -> None:
    config = rehearse().config
    with pytest.raises(ConfigError, match=r"module:attribute"):
        plan(config.model_copy(update={"workflow": "sarcube.nowhere:X"}))
    with pytest.raises(ConfigError, match=r"did you mean `rehearsal`.*Installed: .*rtc"):
        plan(config.model_copy(update={"workflow": "rehersal"}))


def test_views_tell_the_same(rehearse: Rehearse) -> None:
    made = rehearse(bursts=3, dates=2)
    facts = json.loads(made.to_json())
    assert facts["totals"]["tasks"] == len(facts["tasks"]) == 9
    assert {t["key"] for t in facts["tasks"]} == {t.key for t in made.tasks}
    features = json.loads(made.to_geojson())["features"]
    assert [f["id"] for f in features] == [b.place for b in made.places]
    days = [day.isoformat() for day in made.dates]
    assert all(f["properties"]["dates_to_do"] == days for f in features) and len(days) == 2
    frame = made.to_geopandas()
    assert frame["place"].tolist() == [b.place for b in made.places] and frame["to_do"].tolist() == [3, 3, 3]
    assert frame["dates_done"].tolist() == [[], [], []] and frame.is_valid.all()
    table = made.table()
    assert "9 tasks to do" in table
    assert all(t.place in table for t in made.tasks)
    page = made.to_html()
    assert page.count("<polygon") == 3
    for place in made.places:  # written beside its outline, and told where the pointer rests on it
        assert re.search(rf"<text[^>]*>[^<]*{place.place}", page) and re.search(rf"<title>[^<]*{place.place}", page)
    assert "9 tasks to do" in made._repr_html_()


def test_pages_load_nothing_from_elsewhere(rehearse: Rehearse) -> None:
    page = rehearse().to_html()
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", page)
    assert "<script" not in page


def test_tasks_are_small_to_ship(rehearse: Rehearse) -> None:
    made = rehearse(bursts=20, dates=49)
    assert len(made.tasks) == 1000
    assert sum(len(pickle.dumps(t)) for t in made.tasks) < 2_000_000  # 20 MB for ten thousand


@pytest.mark.parametrize("columns", [80, 140])
def test_no_burst_id_is_cut_in_a_narrow_terminal(
    columns: int, rehearse: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    made = rehearse(bursts=3, dates=2)
    lines = made.table().splitlines()
    rows = lines[1 : 1 + len(made.tasks)]
    assert [line.split()[0] for line in rows] == [t.place for t in made.tasks]
    assert all(len(line) <= columns for line in rows)
    assert all(line.endswith(" s") for line in rows), "the last column is whole"
    assert ("REHEARSAL" in made.table()) == (columns > 100)
