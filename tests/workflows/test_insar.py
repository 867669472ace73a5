"""Pairs: which are made, what is wrong with those that are not, and the whole way of one."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio

from sarcube.config import RunConfig
from sarcube.errors import ConfigError
from sarcube.geometry.grid import GeoGrid
from sarcube.production.views.network import NetworkPicture, positions
from sarcube.products.cog import write_cog
from sarcube.sensors.sentinel1.search.scenes import FoundBurst, SceneSearch
from sarcube.workflows.insar import find as finding
from sarcube.workflows.insar import pairs as pairing
from sarcube.workflows.insar.checks import NO_NEIGHBOUR
from sarcube.workflows.insar.kinds import CSLC_S1
from sarcube.workflows.insar.section import InsarSection, Pairs
from sarcube.workflows.insar.slcs import Rows
from sarcube.workflows.insar.timing import find_timing, wanted
from sarcube.workflows.insar.workflow import WORKFLOW
from tests.catalog.verdicts import judge_alike

RING = ((-8.9, 31.1), (-8.0, 31.2), (-8.1, 31.4), (-9.0, 31.3), (-8.9, 31.1))


def found(day: str, number: int = 110431, track: int = 52, platform: str = "S1A", **more: Any) -> FoundBurst:
    """An acquisition as a search finds it."""
    start = dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC) + dt.timedelta(hours=6.6, seconds=2.76 * (number % 9))
    burst = FoundBurst(
        f"t{track:03d}_{number:06d}_iw1", f"{platform}_{day}", "/nowhere", "IW1", number % 9, start,
        start + dt.timedelta(seconds=3), platform, "descending", track, ("VV", "VH"), RING,
    )  # fmt: skip
    return replace(burst, **more)


def config(folder: Path, **section: Any) -> RunConfig:
    return RunConfig.from_dict(
        {
            "workflow": "insar",
            "source": {"kind": "local", "path": str(folder)},
            "dem": {"path": str(folder / "dem.tif"), "heights": "ellipsoid"},
            "store": str(folder / "store"),
            "insar": section,
        }
    )


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """`find` of a run whose source has these bursts."""

    def run(*bursts: FoundBurst, **section: Any) -> Any:
        monkeypatch.setattr(finding, "find_scenes", lambda _, **__: SceneSearch(bursts))
        monkeypatch.setattr(pairing.Baselines, "__call__", lambda *_: None)
        return finding.find(config(tmp_path, **section))

    return run


def days(chosen: list[tuple[pairing.Pass, pairing.Pass]]) -> list[str]:
    return [f"{a.day:%m%d}-{b.day:%m%d}" for a, b in chosen]


DATES = ("2023-01-01", "2023-01-13", "2023-01-25", "2023-02-18", "2024-01-08")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"next": 1}, ["0101-0113", "0113-0125", "0125-0218", "0218-0108"]),
        ({"next": 2, "max_days": 24}, ["0101-0113", "0101-0125", "0113-0125", "0125-0218"]),
        ({"max_days": 12}, ["0101-0113", "0113-0125"]),
        ({"reference": "2023-01-25"}, ["0101-0125", "0113-0125", "0125-0218", "0125-0108"]),
        ({"annual": 10}, ["0101-0108", "0113-0108"]),
        ({"max_perpendicular": 25}, ["0101-0113", "0101-0125", "0113-0125", "0218-0108"]),
    ],
)
def test_dates_make_the_pairs_that_are_asked_for(asked: dict[str, Any], expected: list[str]) -> None:
    passes = pairing.passes_of(found(day) for day in DATES)[52]
    place = dict(zip(DATES, (0.0, 20.0, -5.0, 60.0, 70.0), strict=True))
    chosen, said = pairing.choose(passes, Pairs(**asked), lambda a, b: place[str(b.day)] - place[str(a.day)])
    assert days(chosen) == expected and not said


@pytest.mark.parametrize(
    ("first", "second", "off"),
    [
        ("2022-05-01", "2023-05-01", 0),  # 365 days
        ("2023-05-01", "2024-05-01", 0),  # 366
        ("2023-05-01", "2024-05-07", 6),  # 372: a multiple of the cycle of 12 days
        ("2022-05-01", "2023-04-26", 5),  # 360
        ("2020-02-29", "2021-02-28", 0),
        ("2023-12-30", "2026-01-02", 3),
        ("2023-01-02", "2024-12-30", 3),
        ("2023-05-01", "2023-10-28", None),
    ],
)
def test_years_are_those_of_the_calendar(first: str, second: str, off: int | None) -> None:
    assert pairing.days_off_anniversary(dt.date.fromisoformat(first), dt.date.fromisoformat(second)) == off
    passes = pairing.passes_of(found(day) for day in (first, second))[52]
    for days_off in range(8):
        chosen, _ = pairing.choose(passes, Pairs(annual=days_off), lambda *_: None)
        assert bool(chosen) == (off is not None and off <= days_off)


def test_a_reference_that_is_no_date_is_said() -> None:
    passes = pairing.passes_of(found(day) for day in DATES[:2])[52]
    chosen, said = pairing.choose(passes, Pairs(reference=dt.date(2022, 1, 1)), lambda *_: None)
    assert not chosen and "2023-01-01, 2023-01-13" in said[0]


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"posting": 33}, "multiple of 10 m"),
        ({"pairs": {}}, "name one of next"),
        ({"pairs": {"nxt": 1}}, "next"),
        ({"pairs": {"list": [["2023-01-01", "2023-01-01"]]}}, "not 2023-01-01 twice"),
        ({"timing": "always"}, "auto"),
        ({"polarization": "XX"}, "VV"),
    ],
)
def test_the_section_is_strict(tmp_path: Path, section: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        config(tmp_path, **section)


def test_postings_and_grids_that_contradict_are_refused(tmp_path: Path) -> None:
    for grid, named in (({"resolution": 40}, "drop the former"), ({"crs": 4326, "resolution": 0.001}, "projected")):
        with pytest.raises(ConfigError, match=named):
            finding.find(RunConfig.from_dict({**config(tmp_path).model_dump(exclude_none=True), "grid": grid}))


def test_units_carry_the_second_time_and_both_dates(search: Any) -> None:
    units = search(*(found(day, n) for day in DATES[:2] for n in (110431, 110432))).units
    assert [u.place for u in units] == ["t052_110431_iw1", "t052_110432_iw1"]
    assert units[0].tag.startswith("20230113T06") and units[0].start.date() == dt.date(2023, 1, 1)
    overlaps = units[0].inputs[2].pairs
    assert [(a[0].burst_id, b[1].burst_id) for a, b in overlaps] == [("t052_110431_iw1", "t052_110432_iw1")]
    assert units[1].inputs[2] == units[0].inputs[2], "one timing for all bursts of a pair of passes"


def test_a_burst_that_one_date_lacks_is_a_hole_that_is_said(search: Any) -> None:
    made = search(found(DATES[0]), found(DATES[0], 110432), found(DATES[1]))
    assert [u.place for u in made.units] == ["t052_110431_iw1"] and not made.problems
    assert "t052_110432_iw1" in made.warnings[0].message and "2023-01-13" in made.warnings[0].message


def test_dates_without_a_common_burst_make_nothing_and_say_so(search: Any) -> None:
    made = search(found(DATES[0]), found(DATES[1], 110432))
    assert not made.units and "no burst in common" in made.problems[0].message


def test_dates_of_different_tracks_make_no_pair(search: Any) -> None:
    listed = {"list": [["2023-01-01", "2023-01-06"], ["2023-01-01", "2023-03-01"]]}
    made = search(found(DATES[0]), found("2023-01-06", 260001, 125), pairs=listed)
    assert "different tracks" in made.problems[0].message and "track 52" in made.problems[0].message
    assert "nothing of 2023-03-01" in made.problems[1].message
    assert not search(found(DATES[0]), found("2023-01-06", 260001, 125)).units


def test_a_polarization_that_one_date_lacks_is_a_defect(search: Any, tmp_path: Path) -> None:
    made = search(found(DATES[0]), found(DATES[1], polarizations=("VV",)), polarization="vh")
    said = WORKFLOW.defects(config(tmp_path, polarization="VH"), made.units, None)  # type: ignore[arg-type]
    assert "VH is not there on both dates" in said[0]
    other = search(found(DATES[0], polarizations=("HH",)), found(DATES[1]))
    assert "no polarization in common" in WORKFLOW.defects(config(tmp_path), other.units, None)[0]  # type: ignore[arg-type]
    both = search(found(DATES[0]), found(DATES[1]), polarization="VH")
    assert both.units[0].tag.endswith("Z-VH")


def test_timing_is_looked_for_where_it_may_be_off() -> None:
    def burst(platform: str, orbit: str) -> Any:
        return SimpleNamespace(platform=platform, orbit_type=orbit)

    auto, precise = InsarSection(), burst("S1A", "POEORB")
    assert not wanted(auto, precise, precise)
    assert wanted(auto, precise, burst("S1C", "POEORB")) and wanted(auto, precise, burst("S1A", "RESORB"))
    assert wanted(InsarSection(timing="esd"), precise, precise)
    assert not wanted(InsarSection(timing="off"), precise, burst("S1C", "annotation"))


def test_kept_slcs_are_made_once_and_before_their_pairs(search: Any, tmp_path: Path) -> None:
    made = search(*map(found, DATES[:3]), keep_slc=True)
    slcs = {u.key for u in made.units if u.kind == "CSLC_S1"}
    pairs = [u for u in made.units if u.kind == "INSAR_S1"]
    assert len(slcs) == 3 and len(pairs) == 2
    assert set(pairs[0].waits) | set(pairs[1].waits) == slcs and len(set(pairs[0].waits)) == 2
    said = WORKFLOW.defects(config(tmp_path, keep_slc=True), [u for u in made.units if u.kind == "CSLC_S1"], None)  # type: ignore[arg-type]
    assert all("dem.tif" in text for text in said.values())


def test_two_platforms_without_a_neighbour_are_said(search: Any, tmp_path: Path) -> None:
    made = search(found(DATES[0]), found(DATES[1], platform="S1C"))
    assert NO_NEIGHBOUR in WORKFLOW.remarks(config(tmp_path), made.units)[0]


def test_the_network_is_drawn(search: Any) -> None:
    made = search(*map(found, DATES), pairs={"next": 2})
    known = tuple(replace(c, perpendicular=10.0 * c.days) for c in made.connections)
    places = positions(known)
    assert places[max(places)] == pytest.approx(3720.0)  # 372 days
    drawn = NetworkPicture("Pairs", known).svg()
    assert drawn.count("<circle") == 5 and drawn.count("<line") == 7 and "t052" in drawn


@pytest.fixture(scope="module")
def reference(shared_data: Path) -> Path:
    folder = shared_data / "reference" / "insar"
    if not folder.exists():
        pytest.skip("no reference pairs")
    return folder


def _reference(case: Path, folder: Path, **section: Any) -> RunConfig:
    exact = {"bistatic_delay": False, "static_troposphere": False, "fm_rate_mismatch": False}
    return RunConfig.from_dict(
        {
            "workflow": "insar",
            "source": {"kind": "local", "path": str(case), "burst_ids": ["t052_110431_iw1"]},
            "orbits": {"path": str(case)},
            "dem": {"path": str(case.parent / "dem_ellipsoidal.tif"), "heights": "ellipsoid"},
            "store": str(folder / "store"),
            "schemas": str(case.parent.parent.parent / "schemas"),
            "insar": {"corrections": exact, **section},
        }
    )


def test_timing_of_a_pass_is_found_from_a_neighbour_that_was_not_asked_for(reference: Path, tmp_path: Path) -> None:
    from sarcube.workflows.insar.run import insar_options

    run = _reference(reference / "overlap", tmp_path, timing="esd")
    (unit,) = finding.find(run).units
    neighbours = [pair for pair in unit.inputs[2].pairs if pair[0][0].burst_id == "t052_110431_iw1"]
    assert len(neighbours) == 1
    timing = find_timing(finding.Overlaps(tuple(neighbours)), run, insar_options(run, 1))
    assert timing.timing is not None
    # The orbit file is 0.06 m ahead of the samples: 0.00385 line.
    assert abs(timing.timing.lines) == pytest.approx(0.00385, abs=0.0005)


def test_the_plan_lets_pairs_wait_for_both_dates(reference: Path, tmp_path: Path) -> None:
    from sarcube.production.plan.plan import plan

    made = plan(_reference(reference / "mogi", tmp_path, keep_slc=True))
    assert [task.kind for task in made.tasks] == ["INSAR_S1_STATIC", "CSLC_S1", "CSLC_S1", "INSAR_S1"]
    assert set(made.tasks[-1].after) == {task.key for task in made.tasks[:3]}


def test_samples_of_a_geocoded_slc_are_read_by_rows(tmp_path: Path) -> None:
    import rasterio

    from sarcube.products.cog import encode_cog
    from sarcube.workflows.insar.kinds import CSLC_S1
    from sarcube.workflows.insar.slcs import Rows

    grid = GeoGrid(32629, 500_000.0, 3_500_000.0, 5.0, 40, 30, row_height=10.0)
    assert grid.bounds == (500_000.0, 3_499_700.0, 500_200.0, 3_500_000.0) and grid.y()[1] == 3_499_985.0
    values = (np.arange(1200).reshape(30, 40) * (1 - 2j)).astype(np.complex64)
    file = tmp_path / "slc.tif"
    file.write_bytes(encode_cog(values, grid, CSLC_S1.table["slc_VV"]))
    with rasterio.open(file) as data:
        assert data.transform == rasterio.Affine(5.0, 0, 500_000.0, 0, -10.0, 3_500_000.0)
        rows = Rows(data)
        assert rows.shape == (30, 40) and np.array_equal(rows[8:16], values[8:16])


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({}, None),
        ({"sarcube:static_tropospheric_correction_applied": False}, "static_troposphere: false"),
        ({"sarcube:dem": "other.tif"}, "other.tif"),
    ],
)
def test_a_kept_slc_that_was_made_otherwise_is_refused(made: Any, said: str | None, tmp_path: Path) -> None:
    from types import SimpleNamespace

    from sarcube.errors import ProductError
    from sarcube.workflows.insar.items import CORRECTIONS
    from sarcube.workflows.insar.slcs import _made_alike

    run = config(tmp_path, keep_slc=True)
    known = (
        dict.fromkeys(CORRECTIONS.values(), True) | {"sarcube:dem": "dem.tif", "sarcube:orbit_file": "RESORB"} | made
    )
    burst: Any = SimpleNamespace(orbit_source="POEORB", start_time=np.datetime64("2023-09-04T06:37:31", "ns"))
    if said is None:
        (warning,) = _made_alike(known, burst, run, "dem.tif", "a.json")
        assert "RESORB" in warning and "POEORB" in warning and "2023-09-04" in warning
        burst.orbit_source = "RESORB"
        assert _made_alike(known, burst, run, "dem.tif", "a.json") == []
    else:
        with pytest.raises(ProductError, match=said):
            _made_alike(known, burst, run, "dem.tif", "a.json")


@pytest.mark.timeout(600)
def test_from_scenes_to_a_cube(reference: Path, official: Path | None, tmp_path: Path) -> None:
    """A date that cannot be read is told and the rest is kept; the next run makes the pair, as good as the engine."""
    import sarcube

    scenes = tmp_path / "mogi"
    scenes.mkdir()
    for path in (reference / "mogi").iterdir():
        (scenes / path.name).symlink_to(path)
    run = _reference(reference / "mogi", tmp_path)
    run = run.model_copy(update={"source": run.source.model_copy(update={"path": str(scenes)})})
    second = sorted(scenes.glob("*.zip"))[1]
    from sarcube.production.plan.plan import plan
    from sarcube.production.run.produce import produce

    planned = plan(run)
    (connection,) = planned.connections
    assert connection.perpendicular == pytest.approx(-28.9, abs=1.0) and connection.days == 12.0
    assert "2023-09-16" in planned.table() and "B_perp" in planned.table()
    assert json.loads(planned.to_json())["network"][0]["days"] == 12.0
    second.unlink()
    outcome = produce(planned)
    assert outcome.done == 1 and len(outcome.failed) == 1 and outcome.exit_code == 1
    assert second.name in outcome.failed[0].message
    second.symlink_to(reference / "mogi" / second.name)
    file = tmp_path / "run.yaml"
    file.write_text(run.to_yaml())
    done = subprocess.run(
        [sys.executable, "-m", "sarcube.cli", "run", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    again = plan(run)
    assert not again.tasks and len(again.done) == 2 and "nothing to do" in again.table()

    (item,) = (json.loads(p.read_text()) for p in (tmp_path / "store" / "s1_insar").rglob("T052*.json"))
    facts = item["properties"]
    assert facts["insar:perpendicular_baseline"] == pytest.approx(-28.9, abs=0.5)
    assert facts["insar:temporal_baseline"] == pytest.approx(12.0, abs=1e-3)
    assert facts["sarcube:azimuth_timing"] == {"applied": False}
    assert {"interferogram", "coherence", "los_east", "digital_elevation_model"} <= item["assets"].keys()
    folder = next((tmp_path / "store" / "s1_insar").rglob("*_interferogram.tif")).parent
    names = {key: str(next(folder.glob(f"*_{key}.tif"))) for key in ("interferogram", "coherence")}
    assert "_20230904T063731Z_20230916T063731Z_" in names["coherence"]
    command = [
        sys.executable, str(reference / "measure_pair.py"), str(reference / "mogi" / "truth.tif"), "--json",
        "--complex", names["interferogram"], "--coherence", names["coherence"],
    ]  # fmt: skip
    seen = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    high, low = seen["coherence 0.90"], seen["coherence 0.50"]
    assert abs(high["phase_bias_rad"]) <= 0.005 and abs(low["phase_bias_rad"]) <= 0.005
    assert high["phase_std_rad"] <= 0.054 and low["phase_std_rad"] <= 0.193
    assert high["coherence_mean"] >= 0.893 and low["coherence_mean"] == pytest.approx(0.507, abs=0.01)

    cube = sarcube.open_cube(tmp_path / "store", static=["los_up"])
    assert cube["interferogram"].dtype == np.complex64 and cube.sizes["time"] == 1
    assert str(cube["secondary"].values[0])[:10] == "2023-09-16"
    assert float(cube["perpendicular_baseline"][0]) == pytest.approx(-28.9, abs=0.5)
    assert int(np.isfinite(cube["coherence"]).sum()) > 10_000
    coarse = sarcube.open_cube(tmp_path / "store", layers="interferogram", resolution=160)["interferogram"].values
    assert np.abs(np.angle(coarse[np.isfinite(coarse)])).max() > 1.0
    _check_unwrapped(reference / "mogi" / "truth.tif", tmp_path)
    judge_alike(tmp_path / "store", official)
    shutil.rmtree(tmp_path / "store")


def _check_unwrapped(truth: Path, folder: Path) -> None:
    """From the store to unwrapped phase, by its command: the right cycle of the truth wherever there is coherence."""
    import rasterio
    from rasterio.vrt import WarpedVRT
    from typer.testing import CliRunner

    from sarcube.cli.app import app

    pytest.importorskip("whirlwind")
    words = ["insar", "unwrap", str(folder / "store"), "--pair", "2023-09-04,2023-09-16", "--out", str(folder / "out")]
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    (made,) = json.loads(done.stdout)["pairs"]
    layers = {}
    for name in made["layers"]:
        with rasterio.open(next(Path(made["written"]).glob(f"*_{name}.tif"))) as file:
            layers[name], transform = file.read(1), file.transform
    height, width = made["shape"]
    with rasterio.open(truth) as file, WarpedVRT(
        file, crs=file.crs, transform=transform, width=width, height=height
    ) as there:  # fmt: skip
        expected, gamma = there.read(1), there.read(2)
    known = np.isfinite(layers["unwrapped_phase"]) & (gamma > 0) & (layers["coherence"] > 0.3)
    off = (layers["unwrapped_phase"] - expected)[known]
    assert known.sum() > 20_000 and np.ptp(expected[known]) > 10.0
    assert np.mean(np.rint((off - np.median(off)) / (2 * np.pi)) != 0) <= 0.001
    assert np.mean(layers["connected_components"][known] == 1) > 0.97


def test_rows_of_a_kept_slc_are_those_of_its_file(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    grid = GeoGrid(32632, 400_000, 5_000_000, 10, 300, 1300)
    values = (random.normal(size=grid.shape) + 1j * random.normal(size=grid.shape)).astype(np.complex64)
    write_cog(tmp_path / "slc.tif", values, grid, CSLC_S1.layer("slc_VV"))
    with rasterio.open(tmp_path / "slc.tif") as data:
        rows, read = Rows(data), []
        original = data.read
        counted = SimpleNamespace(
            height=data.height, width=data.width, block_shapes=data.block_shapes,
            read=lambda band, window: read.append(window.row_off) or original(band, window=window),
        )  # fmt: skip
        assert rows.shape == grid.shape
        for part in (slice(0, 7), slice(500, 530), slice(511, 512), slice(1290, 1300), slice(100, 1250), slice(7, 7)):
            np.testing.assert_array_equal(rows[part], values[part])
        banded = Rows(counted)
        for first in range(0, 1300, 160):
            np.testing.assert_array_equal(banded[first : first + 160], values[first : first + 160])
        assert read == [0, 512, 1024], "a row of blocks is decoded once"
