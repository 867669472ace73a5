"""Scenes in folders: found by burst, filtered, remembered, taken once; a damaged one is a problem, not the end."""

from __future__ import annotations

import datetime as dt
import os
import pickle
import shutil
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sarcube.config import DemConfig, RunConfig
from sarcube.errors import BurstNotFoundError, ConfigError, SceneError, SourceError
from sarcube.products.names import place_token
from sarcube.sensors.sentinel1.burst import read_bursts
from sarcube.sensors.sentinel1.burst_id import BurstId
from sarcube.sensors.sentinel1.polarizations import wanted
from sarcube.sensors.sentinel1.safe import open_safe
from sarcube.sensors.sentinel1.search import local
from sarcube.sensors.sentinel1.search.scenes import FoundBurst, SceneSearch, deduplicated, find_scenes, normal_burst_id
from sarcube.workflows.rtc.kinds import RTC_S1
from sarcube.workflows.rtc.section import RtcSection
from sarcube.workflows.sentinel1 import burst_unit
from sarcube.workflows.sentinel1_checks import defects

MOROCCO = "S1A_IW_SLC__1SDV_20230904T063730_20230904T063757_050174_0609E3_DAA1"
NEVADA = "S1A_IW_SLC__1SDV_20200511T135117_20200511T135144_032518_03C421_7768"


def searched(config: RunConfig) -> SceneSearch:
    """As a workflow asks that has polarizations in its section."""
    return find_scenes(config, wanted(config.section(RtcSection).polarizations))


def run(path: Path, **options: Any) -> RunConfig:
    source = {"kind": "local", "path": str(path), **options.pop("source", {})}
    return RunConfig.from_dict({"source": source, "dem": {"path": "dem.tif", "heights": "ellipsoid"}, **options})


@pytest.fixture(scope="module")
def scenes(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two real scenes: one as a zip, one as a folder within a folder."""
    folder = tmp_path_factory.mktemp("scenes")
    shutil.copy(shared_data / "data" / "safe" / f"{MOROCCO}.zip", folder)
    with zipfile.ZipFile(shared_data / "data" / "safe" / f"{NEVADA}.zip") as archive:
        archive.extractall(folder / "2020" / "05")
    return folder


@pytest.fixture
def known(scenes: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The scenes with an index that the tests of this module share: reading them takes a second."""
    monkeypatch.setenv("SARCUBE_CACHE", str(scenes.parent / "shared-cache"))
    return scenes


def ids(search: SceneSearch) -> set[str]:
    return {b.burst_id for b in search.bursts}


def test_every_burst_of_every_scene_is_found_and_described(known: Path) -> None:
    search = find_scenes(run(known))
    assert not search.problems and not search.explanation
    assert search.considered == len(search.bursts) == 54
    burst = next(b for b in search.bursts if b.burst_id == "t052_110431_iw1")
    assert (burst.scene, burst.swath, burst.index, burst.platform) == (MOROCCO, "IW1", 0, "S1A")
    assert burst.start_time == dt.datetime(2023, 9, 4, 6, 37, 31, 72288, dt.UTC)
    assert 2.5 < (burst.end_time - burst.start_time).total_seconds() < 3.3
    assert (burst.orbit_direction, burst.relative_orbit) == ("descending", 52)
    assert burst.polarizations == ("VV", "VH") and burst.footprint[0] == burst.footprint[-1]
    assert Path(burst.path).is_file()
    assert pickle.loads(pickle.dumps(burst)) == burst and len(pickle.dumps(burst)) < 4000
    nevada = next(b for b in search.bursts if b.burst_id == "t071_151202_iw2")
    assert nevada.index == 3 and Path(nevada.path).is_dir()


def test_the_area_is_matched_with_bursts_not_with_scenes(known: Path) -> None:
    search = find_scenes(run(known, aoi={"bbox": [-8.5, 31.65, -8.2, 31.8]}))
    assert ids(search) == {"t052_110431_iw1", "t052_110432_iw1"}
    assert search.considered == 54


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"dates": ["2020-05-11", "2020-05-11"]}, 27),
        ({"dates": ["2020-05-12", "2023-09-04"]}, 27),
        ({"source": {"orbit_direction": "descending"}}, 54),
        ({"source": {"relative_orbits": [71]}}, 27),
        ({"source": {"burst_ids": ["T052-110431-IW1", "t071_151202_iw2"]}}, 2),
        ({"source": {"scenes": [f"{NEVADA}.SAFE"]}}, 27),
        ({"polarizations": ["vh"]}, 54),
    ],
)
def test_filters(known: Path, options: dict[str, Any], count: int) -> None:
    search = searched(run(known, **options))
    assert len(search.bursts) == count
    if "polarizations" in options:
        assert {b.polarizations for b in search.bursts} == {("VH",)}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"aoi": {"bbox": [8.2, 31.65, 8.5, 31.8]}}, r"aoi\.bbox.*degrees east"),
        ({"dates": ["2021-01-01", "2021-12-31"]}, r"dates.*2020-05-11 to 2023-09-04"),
        ({"source": {"orbit_direction": "ascending"}}, r"source\.orbit_direction"),
        ({"source": {"relative_orbits": [1, 2]}}, r"relative orbit 52, 71"),
        ({"source": {"burst_ids": ["t001_000001_iw1"]}}, r"source\.burst_ids"),
        ({"polarizations": ["HH"]}, r"polarizations"),
    ],
)
def test_nothing_found_says_why(known: Path, options: dict[str, Any], says: str) -> None:
    search = searched(run(known, **options))
    assert search.bursts == () and search.considered == 54
    assert search.extent is not None and search.extent[0] < -110 and search.extent[2] > -9
    import re

    assert re.search(says, search.explanation)


def test_scenes_of_other_types_and_modes_are_passed_over_in_one_line(scenes: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    shutil.copytree(scenes, folder)
    before = find_scenes(run(folder))
    name = "S1A_IW_GRDH_1SDV_20210119T031653_20210119T031718_036201_043ED0_8255"
    for other in (name, name.replace("GRDH", "RAW_"), name.replace("_IW_GRDH", "_WV_SLC_")):
        (folder / f"{other}.SAFE" / "annotation").mkdir(parents=True)
    after = find_scenes(run(folder))
    assert len(after.bursts) == len(before.bursts) > 0
    (more,) = [p for p in after.problems if p.message not in {q.message for q in before.problems}]
    assert (
        more.message.startswith("3 scenes are no SLC in IW or EW, passed over: S1A_IW_GRDH_") and "grd" in more.message
    )


def test_a_damaged_zip_is_a_problem_and_the_rest_is_found(scenes: Path, tmp_path: Path) -> None:
    whole = (scenes / f"{MOROCCO}.zip").read_bytes()
    shutil.copy(scenes / f"{MOROCCO}.zip", tmp_path)
    (tmp_path / f"{NEVADA}.zip").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "S1_readme.zip").write_bytes(b"hello")
    (tmp_path / "S1A_empty.SAFE").mkdir()
    search = find_scenes(run(tmp_path))
    assert len(search.bursts) == 27
    assert sorted(Path(p.subject).name for p in search.problems) == [
        f"{NEVADA}.zip",
        "S1A_empty.SAFE",
        "S1_readme.zip",
    ]
    assert all(len(p.message) > 20 for p in search.problems)


def test_planning_again_reads_no_scene_and_leaves_the_data_folder_alone(
    scenes: Path, monkeypatch: pytest.MonkeyPatch, own_places: Path
) -> None:
    before = sorted(p for p in scenes.rglob("*"))
    first = find_scenes(run(scenes))
    calls: list[str] = []
    monkeypatch.setattr(local, "bursts_of", lambda path: calls.append(path) or [])
    second = find_scenes(run(scenes))
    assert second == first and calls == []
    assert sorted(p for p in scenes.rglob("*")) == before
    assert list((own_places / "cache" / "index").glob("*.json"))


def test_a_changed_or_removed_scene_is_noticed(scenes: Path, tmp_path: Path) -> None:
    shutil.copy(scenes / f"{MOROCCO}.zip", tmp_path)
    assert len(find_scenes(run(tmp_path)).bursts) == 27
    path = tmp_path / f"{MOROCCO}.zip"
    path.write_bytes(path.read_bytes()[:1000])
    os.utime(path, ns=(time.time_ns(), time.time_ns()))
    changed = find_scenes(run(tmp_path))
    assert not changed.bursts and len(changed.problems) == 1
    path.unlink()
    explanation = find_scenes(run(tmp_path)).explanation
    assert explanation.startswith("the source has no bursts: looked for SAFE folders and zips in")
    assert str(tmp_path) in explanation


def test_an_index_of_another_hand_is_not_trusted(scenes: Path, own_places: Path) -> None:
    first = find_scenes(run(scenes))
    for index in (own_places / "cache" / "index").glob("*.json"):
        index.write_text(index.read_text().replace('"IW1"', "17").replace("2023-", "x"))
    assert find_scenes(run(scenes)) == first
    for index in (own_places / "cache" / "index").glob("*.json"):
        index.write_bytes(b"\x00garbage")
    assert find_scenes(run(scenes)) == first


def test_one_safe_itself_and_a_path_that_is_not_there(scenes: Path) -> None:
    assert len(find_scenes(run(scenes / f"{MOROCCO}.zip")).bursts) == 27
    assert len(find_scenes(run(next(scenes.glob(f"2020/05/**/{NEVADA}.SAFE")))).bursts) == 27
    with pytest.raises(SourceError, match="does not exist"):
        find_scenes(run(scenes / "none"))


def made(**changes: Any) -> FoundBurst:
    start = changes.pop("start_time", dt.datetime(2023, 9, 4, 6, 37, 31, 72288, dt.UTC))
    values: dict[str, Any] = {
        "burst_id": "t052_110431_iw1",
        "scene": "A",
        "path": "/a.zip",
        "swath": "IW1",
        "index": 0,
        "start_time": start,
        "end_time": start + dt.timedelta(seconds=3),
        "platform": "S1A",
        "orbit_direction": "descending",
        "relative_orbit": 52,
        "polarizations": ("VV", "VH"),
        "footprint": ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 0.0)),
        "size_bytes": 1,
    }
    return FoundBurst(**{**values, **changes})


def test_an_acquisition_in_two_scenes_is_taken_once_by_a_fixed_rule() -> None:
    start = made().start_time
    slice_before = made(scene="A", index=8)
    slice_after = made(scene="B", path="/b.zip", start_time=start + dt.timedelta(microseconds=40))
    single = made(scene="C", path="/c.zip", polarizations=("VV",))
    empty = made(scene="D", path="/d.zip", size_bytes=0)
    again = made(start_time=start + dt.timedelta(days=12))
    for order in ([slice_before, slice_after, single, empty, again], [again, empty, single, slice_after, slice_before]):
        assert deduplicated(order) == [slice_after, again]
    copies = [made(path="/z.zip"), made(path="/b.zip")]
    assert [b.path for b in deduplicated(copies)] == ["/b.zip"]


def test_the_same_scene_as_zip_and_folder_gives_each_burst_once(scenes: Path, tmp_path: Path) -> None:
    shutil.copy(scenes / f"{MOROCCO}.zip", tmp_path)
    with zipfile.ZipFile(scenes / f"{MOROCCO}.zip") as archive:
        archive.extractall(tmp_path)
    search = find_scenes(run(tmp_path))
    assert search.considered == 54 and len(search.bursts) == 27


def test_burst_ids_are_understood_as_file_names_have_them() -> None:
    assert normal_burst_id("T070-149815-IW3") == "t070_149815_iw3"
    for text in ("", "149815", "t070_149815_iw4", "t070_149815_iw3 x", "070_149815_IW3"):
        with pytest.raises(ConfigError, match="looks like t070_149815_iw3"):
            normal_burst_id(text)


@given(st.integers(1, 175), st.integers(1, 375887), st.sampled_from(["IW1", "IW3", "EW5"]))
def test_burst_ids_are_written_and_read_again(track: int, number: int, swath: str) -> None:
    burst_id = str(BurstId(track, number, swath))
    assert normal_burst_id(burst_id) == normal_burst_id(place_token(burst_id)) == burst_id


def test_a_thousand_scenes_are_planned_again_as_they_were_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = tuple((round(10 + 0.01 * i, 6), round(45 + 0.003 * i, 6)) for i in range(20))
    ring = (*ring, ring[0])
    count = 0

    def bursts(path: str) -> local.SceneBursts:
        nonlocal count
        count += 1
        start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=count)
        return local.SceneBursts(
            tuple(
                made(burst_id=f"t052_{110000 + n:06d}_iw1", path=path, footprint=ring, start_time=start, index=n)
                for n in range(27)
            )
        )

    monkeypatch.setattr(local, "bursts_of", bursts)
    for number in range(1000):
        (tmp_path / f"S1A_{number:04d}.zip").touch()
    first = find_scenes(run(tmp_path))
    assert count == 1000 and len(first.bursts) == 27_000
    again = find_scenes(run(tmp_path, aoi={"bbox": [10.1, 45.0, 10.15, 45.05]}))
    assert count == 1000  # no scene was opened again
    assert again.bursts == first.bursts


def test_a_folder_that_cannot_be_read_as_a_scene_names_itself(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="S1A_x"):
        local.bursts_of(str(tmp_path / "S1A_x.SAFE"))


def test_a_folder_that_cannot_be_listed_and_a_link_in_a_circle(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(scenes / f"{MOROCCO}.zip", tmp_path)
    (tmp_path / "locked").mkdir()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "back").symlink_to(tmp_path, target_is_directory=True)
    real = os.scandir

    def scandir(path: Any) -> Any:
        if not isinstance(path, int) and Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(local.os, "scandir", scandir)
    search = find_scenes(run(tmp_path))
    assert search.considered == 27
    assert [(Path(p.subject).name, "Permission denied" in p.message) for p in search.problems] == [("locked", True)]


def test_a_scene_without_measurements_has_no_bytes_to_read(known: Path) -> None:
    assert {b.size_bytes for b in find_scenes(run(known)).bursts if b.scene == MOROCCO} == {0}


def test_a_scene_that_is_not_there_says_what_is(known: Path) -> None:
    with pytest.raises(SourceError, match=rf"no scene S1A_ABSENT .*{NEVADA}.*{MOROCCO}"):
        find_scenes(run(known, source={"scenes": ["S1A_ABSENT"]}))
    search = find_scenes(run(known, source={"scenes": [MOROCCO, "S1A_ABSENT"]}))
    assert search.bursts and not search.problems
    assert [w.subject for w in search.warnings] == ["source.scenes"]
    assert "no S1A_ABSENT" in search.warnings[0].message and MOROCCO in search.warnings[0].message


def test_a_burst_that_is_not_there_says_what_is(known: Path) -> None:
    search = find_scenes(run(known, source={"burst_ids": ["t052_110431_iw1", "t001_000001_iw1"]}))
    assert ids(search) == {"t052_110431_iw1"}
    (warning,) = search.warnings
    assert "no t001_000001_iw1" in warning.message and "t052_110431_iw1" in warning.message
    safe = open_safe(known / f"{MOROCCO}.zip")
    with pytest.raises(BurstNotFoundError, match=r"no burst t001_000001_iw1 .*it has .*t052_110431_iw1"):
        read_bursts(safe, burst_ids=["t001_000001_iw1"])


def test_polarizations_that_are_absent_are_told(make: Any, tmp_path: Path) -> None:
    """One that is annotated and not measured ends in an error: the plan knows; one that is not there at all is said."""
    both = [make.recipe(), make.recipe(polarization="VH")]
    members = make.members(both)
    (vh,) = [name for name in members if name.startswith("measurement/") and "-vh-" in name]
    del members[vh]
    make.folder(tmp_path / "a" / f"{make.name}.SAFE", members)
    config = run(tmp_path / "a")
    for _ in range(2):  # read, and remembered
        search = find_scenes(config)
        assert {b.absent for b in search.bursts} == {("VH",)} and {b.polarizations for b in search.bursts} == {
            ("VV", "VH")
        }
    told = defects(
        config.model_copy(update={"dem": DemConfig(kind="cop_glo30", geoid="https://x.invalid/g.tif")}),
        [burst_unit(RTC_S1, burst) for burst in search.bursts],
    )
    assert len(told) == len(search.bursts)
    assert "no measurement file of VH for IW2; fetch it again, or ask for polarizations: [VV]" in told[0]
    alone = searched(run(tmp_path / "a", polarizations=["VV"]))
    assert {b.absent for b in alone.bursts} == {()} and not alone.warnings
    make.folder(tmp_path / "b" / f"{make.name}.SAFE", make.members(both[:1]))
    lacking = searched(run(tmp_path / "b", polarizations=["VV", "VH"]))
    assert [w.message for w in lacking.warnings] == ["the scene has no VH: made is VV alone"]
