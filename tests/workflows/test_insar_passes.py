"""Passes as places: which bursts, which gaps, which rules; and the whole way of one."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pystac
import pytest

from sarcube.config import RunConfig
from sarcube.errors import ConfigError, MergeError
from sarcube.sensors.sentinel1.search.scenes import FoundBurst, SceneSearch
from sarcube.testing.workflow import WorkflowSuite
from sarcube.workflows.insar import find as finding
from sarcube.workflows.insar import pairs as pairing
from sarcube.workflows.insar.checks import NO_WATER
from sarcube.workflows.insar.merging import check_mergeable
from sarcube.workflows.insar.passes import gaps, is_pass, parts_of, pass_place
from sarcube.workflows.insar.workflow import WORKFLOW
from tests.once import once

DATES = ("2023-01-01", "2023-01-13", "2023-01-25")


def found(day: str, number: int, swath: int = 1, **more: Any) -> FoundBurst:
    """An acquisition as a search finds it, 20 km along the track for each number."""
    start = dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC) + dt.timedelta(hours=6, seconds=2.76 * (number % 9))
    west, south = 8.0 + swath, 48.0 - 0.18 * (number % 9)
    ring = ((west, south), (west + 1.1, south + 0.2), (west + 1.1, south + 0.4), (west, south + 0.2), (west, south))
    return FoundBurst(
        f"t052_{number:06d}_iw{swath}", f"S1A_{day}", "/nowhere", f"IW{swath}", number % 9, start,
        start + dt.timedelta(seconds=3), "S1A", "descending", 52, ("VV", "VH"), ring, **more,
    )  # fmt: skip


def config(folder: Path, **section: Any) -> RunConfig:
    return RunConfig.from_dict(
        {
            "workflow": "insar",
            "source": {"kind": "local", "path": str(folder)},
            "dem": {"path": str(folder / "dem.tif"), "heights": "ellipsoid"},
            "store": str(folder / "store"),
            "insar": {"merge": True, "unwrap": "none", **section},
        }
    )


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Units of passes, of a run whose source has these bursts."""

    def run(*bursts: FoundBurst, **section: Any) -> Any:
        monkeypatch.setattr(finding, "find_scenes", lambda _: SceneSearch(bursts))
        monkeypatch.setattr(pairing.Baselines, "__call__", lambda *_: None)
        units = finding.find(config(tmp_path, **section)).units
        return [unit for unit in units if unit.kind == "INSAR_S1_PASS"], units

    return run


def test_a_pass_waits_for_the_pairs_of_its_bursts(search: Any) -> None:
    bursts = [found(day, n, s) for day in DATES for n in (110431, 110432) for s in (1, 2)]
    passes, units = search(*bursts)
    assert [u.place for u in passes] == ["t052_110431_110432_iw12"] * 2
    assert [u.tag for u in passes] == ["20230113T060002Z", "20230125T060002Z"]
    assert passes[0].footprint == passes[1].footprint
    pairs = {u.key for u in units if u.kind == "INSAR_S1"}
    assert set(passes[0].waits) | set(passes[1].waits) == pairs and len(passes[0].waits) == 4
    grids = [WORKFLOW.grid(config(Path("/nowhere")), u.place, u.footprint) for u in (passes[0], units[0])]
    assert grids[0].resolution == 80 and grids[0].right > grids[1].right and grids[0].epsg in (32632, 32633)
    assert not search(*bursts, merge=False, unwrap="whirlwind")[0]


def test_all_pairs_of_a_track_are_one_place_also_where_one_lacks_a_burst(search: Any) -> None:
    bursts = [found(day, n) for day in DATES for n in (110431, 110432, 110433)]
    passes, _ = search(*(b for b in bursts if (b.scene, b.burst_id) != ("S1A_2023-01-25", "t052_110433_iw1")))
    assert {u.place for u in passes} == {"t052_110431_110433_iw1"} and len({u.footprint for u in passes}) == 1
    assert [len(parts_of(u)) for u in passes] == [3, 2]


def test_gaps_are_told(search: Any, tmp_path: Path) -> None:
    passes, _ = search(*(found(day, n) for day in DATES[:2] for n in (110431, 110433)))
    gap, water = WORKFLOW.remarks(config(tmp_path), passes)[0]
    assert "t052_110432_iw1 between others of IW1" in gap and water == NO_WATER


@pytest.mark.parametrize(
    ("bursts", "says"),
    [
        (("000001_iw1", "000002_iw1", "000002_iw2"), ""),
        (("000001_iw1", "000003_iw1"), "t052_000002_iw1 between others"),
        (("000001_iw1", "000001_iw3"), "nothing of IW2"),
        (("000001_iw1", "000003_iw2", "000002_iw1"), "begin and end together"),
    ],
)
def test_what_hangs_together(bursts: tuple[str, ...], says: str) -> None:
    text = "; ".join(gaps(f"t052_{b}" for b in bursts))
    assert says in text and bool(says) == bool(text)


def test_names_of_passes() -> None:
    assert pass_place(["t052_000001_iw3", "t052_000004_iw1"]) == "t052_000001_000004_iw13"
    assert is_pass("t052_000001_000004_iw13") and not is_pass("t052_000001_iw1")


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"merge": False, "unwrap": "none"}, "unwrap without merge"),
        ({"filter": 1.5}, "1.5 is no alpha"),
        ({"filter": "lee"}, "baran"),
        ({"unwrap": "mcf"}, "whirlwind"),
    ],
)
def test_the_section_is_strict(tmp_path: Path, section: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        config(tmp_path, **section)


def test_paths_of_water_count_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    raw = config(tmp_path).model_dump(mode="json", exclude_none=True)
    raw["insar"] |= {"water": "lakes.geojson", "unwrap": None, "filter": "baran"}
    file.write_text(json.dumps(raw))
    section = RunConfig.from_file(file).model_dump()["insar"]
    assert section["water"] == tmp_path / "lakes.geojson" and section["unwrap"] == "none"


def item(burst: str, **more: Any) -> pystac.Item:
    """What a burst's item says, as far as merging asks."""
    properties = {
        "sarcube:burst_id": burst, "sat:relative_orbit": 52, "sar:polarizations": ["VV"],
        "insar:reference_datetime": "2023-01-01T06:00:00.000000Z",
        "insar:secondary_datetime": "2023-01-13T06:00:00.000000Z",
        "proj:transform": [80.0, 0, 0, 0, -80.0, 0], "sarcube:azimuth_timing": {"applied": True, "shift_s": 1e-6},
    } | more  # fmt: skip
    return pystac.Item(f"PRODUCT-{burst}", None, None, dt.datetime(2023, 1, 1), properties)


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ({"sat:relative_orbit": 81}, "tracks"),
        ({"insar:reference_datetime": "2023-01-25T06:00:00Z"}, "first dates"),
        ({"insar:secondary_datetime": "2023-01-25T06:00:00Z"}, "second dates"),
        ({"sar:polarizations": ["VH"]}, "polarizations cannot be merged: VV of PRODUCT-t052_000001_iw1; VH of"),
        ({"proj:transform": [40.0, 0, 0, 0, -40.0, 0]}, "pixel sizes cannot be merged: 80.0 of"),
        ({"sarcube:azimuth_timing": {"applied": False}}, "azimuth timings"),
        ({"sarcube:burst_id": "t052_000001_iw1"}, "merged once"),
    ],
)
def test_each_broken_rule_names_the_products(second: dict[str, Any], says: str) -> None:
    first, good = item("t052_000001_iw1"), item("t052_000002_iw1")
    check_mergeable([first, good], contiguous=True)
    other = item("t052_000002_iw1", **second)
    with pytest.raises(MergeError, match=says) as error:
        check_mergeable([first, other])
    assert "PRODUCT-t052_000002_iw1" in str(error.value)


def test_gaps_are_refused_where_that_is_asked_for() -> None:
    items = [item("t052_000001_iw1"), item("t052_000003_iw1")]
    check_mergeable(items)
    with pytest.raises(MergeError, match="t052_000002_iw1 between others"):
        check_mergeable(items, contiguous=True)


# --- the whole way


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corner at which bursts of two sub-swaths meet, two dates, a fault across it."""
    from sarcube.simulate.archive import simulate
    from sarcube.simulate.options import SimulationOptions

    def make(folder: Path) -> str:
        lon, lat = 8.2, 48.0
        simulate(
            folder,
            SimulationOptions(
                center=(lon, lat), dates=(dt.date(2024, 5, 1), dt.date(2024, 5, 13)), bursts=2, polarizations=("VV",),
                aoi=(lon - 0.022, lat - 0.03, lon + 0.022, lat + 0.03), crop=True, truth="constant", relief=60.0,
                coherent=True, baselines=(0.0, 60.0), displacement="fault", displacement_metres=0.3, coherence=(0.8,),
                seed=4,
            ),
        )  # fmt: skip
        return ""

    return once(tmp_path_factory, "meeting-bursts", make)[0]


def run_of(archive: Path, store: Path, **section: Any) -> RunConfig:
    return RunConfig.from_dict(
        {
            "workflow": "insar",
            "source": {"kind": "local", "path": str(archive / "scenes")},
            "orbits": {"path": str(archive / "orbits")},
            "dem": {"path": str(archive / "dem.tif"), "heights": "ellipsoid"},
            "store": str(store),
            "insar": {"merge": True, **section},
        }
    )


class TestPassesOweNothing(WorkflowSuite):
    """The suite for all workflows."""

    @pytest.fixture
    def run(self, archive: Path, tmp_path: Path) -> RunConfig:
        pytest.importorskip("whirlwind")
        return run_of(archive, tmp_path / "store", posting=40, water=str(river(tmp_path)))


def river(folder: Path) -> Path:
    """From west to east across the archive, a little north of the middle."""
    path = folder / "river.geojson"
    ring = [(8.0, 48.006), (8.4, 48.006), (8.4, 48.009), (8.0, 48.009), (8.0, 48.006)]
    path.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    return path
