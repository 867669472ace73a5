"""What there is of an area before any run file: keys, coverage, exclusions with their reasons, tables, downloads."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

import sarcube
from sarcube.config import RunConfig
from sarcube.errors import ConfigError
from sarcube.sensors.sentinel1.inventory.coverage import share
from sarcube.sensors.sentinel1.inventory.model import Inventory
from sarcube.sensors.sentinel1.search.scenes import FoundBurst
from tests.http_server import Reply, Server, ranged
from tests.sensors.test_providers import AOI, SCENE, asf_feature, reply

AREA = (0.0, 50.0, 2.0, 51.0)


def name_of(start: dt.datetime, ending: str = "DAA1") -> str:
    return f"S1A_IW_SLC__1SDV_{start:%Y%m%dT%H%M%S}_{start:%Y%m%dT%H%M%S}_050174_0609E3_{ending}"


def burst(
    number: int, day: int, box: tuple[float, float, float, float] = (-0.5, 49.5, 2.5, 51.5), **changes: Any
) -> FoundBurst:
    """One burst of a made track on a day of May, over a box."""
    track = changes.get("relative_orbit", 10)
    start = changes.pop("start", dt.datetime(2024, 5, day, 5, 0, tzinfo=dt.UTC) + dt.timedelta(seconds=2.758 * number))
    west, south, east, north = box
    first = start.replace(second=0, microsecond=0)
    scene = changes.pop("scene", name_of(first))
    values: dict[str, Any] = {
        "burst_id": f"t{track:03}_{number:06}_iw1",
        "scene": scene,
        "path": f"https://example.org/{scene}.zip",
        "swath": "IW1",
        "index": number,
        "start_time": start,
        "end_time": start + dt.timedelta(seconds=3),
        "platform": "S1A",
        "orbit_direction": "descending",
        "relative_orbit": track,
        "polarizations": ("VV", "VH"),
        "footprint": ((west, south), (east, south), (east, north), (west, north), (west, south)),
        "size_bytes": 1,
    }
    return FoundBurst(**{**values, **changes})


def inventory(*found: FoundBurst, area: tuple[float, float, float, float] | None = AREA) -> Inventory:
    raw: dict[str, Any] = {
        "source": {"kind": "asf"}, "dem": {"kind": "cop_glo30", "geoid": "egm08.tif"}
    }  # fmt: skip
    if area:
        raw["aoi"] = {"bbox": area}
    return Inventory(RunConfig.from_dict(raw), "SLC", found)


def said(refined: Inventory) -> list[tuple[str, str]]:
    return [(e.rule, e.reason) for e in refined.excluded]


def test_coverage_weighs_by_true_area_and_crosses_the_antimeridian() -> None:
    area = inventory(area=(0, 0, 10, 60)).area
    assert area is not None
    # Half of the degrees, and sin 30 / sin 60 of the ground.
    ring = ((0.0, 0.0), (10.0, 0.0), (10.0, 30.0), (0.0, 30.0), (0.0, 0.0))
    assert share(area, [ring]) == pytest.approx(0.5 / 0.8660254, rel=1e-6)
    assert share(area, [ring, ring]) == pytest.approx(0.5 / 0.8660254, rel=1e-6)
    pacific = inventory(area=(179, 0, -179, 1)).area
    assert pacific is not None
    west = ((178.0, 0.0), (180.0, 0.0), (180.0, 1.0), (178.0, 1.0), (178.0, 0.0))
    east = ((-180.0, 0.0), (-178.0, 0.0), (-178.0, 1.0), (-180.0, 1.0), (-180.0, 0.0))
    assert share(pacific, [west]) == pytest.approx(0.5, abs=1e-9)
    assert share(pacific, [west, east]) == pytest.approx(1.0, abs=1e-9)
    assert share(pacific, []) == 0.0
    point = inventory(area=None)
    assert point.area is None


def test_keys_passes_and_what_they_cover() -> None:
    found = inventory(
        *(burst(n, day) for day in (1, 13) for n in (1, 2)),
        burst(1, 2, relative_orbit=25, orbit_direction="ascending", polarizations=("VV",)),
    )
    assert [str(key) for key in found.keys] == ["ascending_25_VV", "descending_10_VVVH"]
    assert len(found.passes) == 3 and found.dates[0] == dt.date(2024, 5, 1)
    assert found.summary["bursts"].tolist() == [1, 2] and found.summary["dates"].tolist() == [1, 2]
    for text in ("DESCENDING_VVVH", "descending_10_VVVH", "10", "vvvh"):
        assert {b.relative_orbit for b in found.choose(text).found} == {10}
    with pytest.raises(ConfigError, match="no mosaic key is ascending_10; found were ascending_25_VV, desc"):
        found.choose("ascending_10")
    # A pass over midnight is one date.
    late = dt.datetime(2024, 5, 1, 23, 59, 58, tzinfo=dt.UTC)
    night = inventory(burst(1, 1, start=late), burst(2, 1, start=late + dt.timedelta(seconds=3)))
    assert night.dates == (dt.date(2024, 5, 1),)


def test_doubles_are_dropped_with_the_scene_that_is_taken() -> None:
    late = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)
    old, new = burst(1, 1), burst(1, 1, scene=name_of(dt.datetime(2024, 5, 1, 5), "FFFF"), processed=late)
    old = burst(1, 1, processed=late - dt.timedelta(days=20))
    refined = inventory(old, new, burst(2, 1)).refine()
    assert [b.scene for b in refined.found] == [new.scene, old.scene]
    assert said(refined) == [("double", f"{new.scene} is a later processing of it (1 of its 2 bursts)")]
    assert refined.excluded[0].subject == old.scene


def test_marginal_tracks_are_dropped_and_alternatives_kept() -> None:
    whole, half = (-1.0, 49.0, 3.0, 52.0), (-1.0, 49.0, 1.0, 52.0)
    both = inventory(burst(1, 1, whole), burst(1, 2, whole, relative_orbit=20), burst(1, 3, half, relative_orbit=30))
    refined = both.refine()
    assert {b.relative_orbit for b in refined.found} == {10, 20}
    (rule, reason), *_ = said(refined)
    assert rule == "marginal track" and reason == "covers 50.0% of the area, all of it covered by 10, 20 as well"
    # Of two halves that only together cover it none is marginal; nor is one of another direction.
    east = (0.9, 49.0, 3.0, 52.0)
    halves = inventory(burst(1, 1, half), burst(1, 2, east, relative_orbit=20))
    assert len(halves.refine()) == 2
    other = burst(1, 3, half, relative_orbit=30, orbit_direction="ascending")
    assert len(inventory(burst(1, 1, whole), other).refine()) == 2
    assert len(both.refine(marginal=False)) == 3


def test_incomplete_dates_are_dropped_and_never_all_of_them() -> None:
    north, south = (-1.0, 50.5, 3.0, 52.0), (-1.0, 49.0, 3.0, 50.5)
    found = inventory(
        burst(1, 1, north), burst(2, 1, south), burst(1, 13, north), burst(1, 25, north), burst(2, 25, south)
    )
    refined = found.refine()
    assert refined.dates == (dt.date(2024, 5, 1), dt.date(2024, 5, 25))
    ((rule, reason),) = said(refined)
    assert rule == "incomplete date"
    assert reason.startswith("covers 49.") and reason.endswith("of the area, the track's best date 100.0%")
    assert refined.excluded[0].subject == "descending_10_VVVH 2024-05-13"
    alternating = inventory(burst(1, 1, north), burst(2, 13, south)).refine(tolerance=0.02)
    assert len(alternating) == 2 and "no date covers more than 50.3%" in alternating.notes[0]
    nowhere = inventory(burst(1, 1, north), area=None).refine()
    assert len(nowhere) == 1 and "not judged" in nowhere.notes[0]


def test_bursts_that_some_dates_lack_are_dropped_where_asked() -> None:
    whole, margin = (-1.0, 49.0, 3.0, 52.0), (-1.0, 49.0, 0.01, 50.01)
    found = inventory(burst(1, 1, whole), burst(2, 1, margin), burst(1, 13, whole))
    assert len(found.refine()) == 3
    refined = found.refine(every_date=True)
    assert {b.burst_id for b in refined.found} == {"t010_000001_iw1"}
    assert said(refined) == [("not on every date", "not there on 2024-05-13 of 2 dates")]


def test_tracks_that_meet_at_the_equator_are_one() -> None:
    south, north = (-1.0, -2.0, 3.0, 0.1), (-1.0, -0.1, 3.0, 2.0)
    ascending = {"orbit_direction": "ascending"}
    found = inventory(
        *(burst(1, day, south, relative_orbit=175, **ascending) for day in (1, 13)),
        *(burst(2, day, north, relative_orbit=1, **ascending) for day in (1, 13)),
        area=(0.0, -1.0, 2.0, 1.0),
    )
    assert len(found.keys) == 2
    refined = found.refine()
    assert [str(k) for k in refined.keys] == ["ascending_175+1_VVVH"] and len(refined.passes) == 2
    assert not refined.excluded and "meet at the equator" in refined.notes[0]
    assert refined.summary["coverage"].tolist() == [1.0]
    assert len(refined.choose("175")) == 4


def test_tables_files_and_map(tmp_path: Path) -> None:
    gpd = pytest.importorskip("geopandas", reason="geopandas is not installed")
    pacific = (178.5, 50.2, 181.5, 50.8)
    found = inventory(burst(1, 1, pacific), burst(1, 13, pacific), burst(2, 1, pacific), area=(179, 50, -179, 51))
    bursts, scenes = found.bursts, found.scenes
    assert bursts.crs.to_epsg() == 4326 and bursts["count"].tolist() == [2, 1]
    assert bursts["dates"][0] == ["2024-05-01", "2024-05-13"] and bursts["coverage"][0] == pytest.approx(0.6, abs=0.01)
    assert bursts.geometry[0].geom_type == "MultiPolygon" and bursts.total_bounds[2] <= 180
    assert scenes["bursts"].tolist() == [2, 1] and str(scenes["start"].dtype) == "datetime64[ns, UTC]"
    for ending in ("csv", "geojson", "parquet"):
        found.write(tmp_path / f"b.{ending}")
    found.write(tmp_path / "s.geojson", "scenes")
    again = gpd.read_parquet(tmp_path / "b.parquet")
    assert again.geometry.equals(bursts.geometry) and again.crs == bursts.crs
    assert [list(dates) for dates in again["dates"]] == bursts["dates"].tolist()
    read = gpd.read_file(tmp_path / "b.geojson")
    assert read.geometry.geom_equals_exact(bursts.geometry, 1e-9).all()
    lines = (tmp_path / "b.csv").read_text().splitlines()
    assert lines[0].startswith("burst_id,swath,track") and "2024-05-01 2024-05-13" in lines[1]
    assert shapely.from_wkt(lines[1].split('"')[1]).equals(bursts.geometry[0])
    assert len(json.loads((tmp_path / "s.geojson").read_text())["features"]) == 2
    with pytest.raises(ConfigError, match=r"\.csv, \.geojson or \.parquet"):
        found.write(tmp_path / "b.shp")
    refined = found.refine()
    page = refined.map().save(tmp_path / "m.html").read_text()
    assert "left out" not in page and "t010_000001_iw1: descending_10_VVVH, 2 dates" in page
    shown = refined._repr_html_()
    assert "2 burst IDs of 2 dates" in shown and "<script" not in shown
    assert json.loads(refined.to_json())["summary"][0]["mosaic_key"] == "descending_10_VVVH"
    assert "descending_10_VVVH" in refined.table()


def test_tables_are_written_into_new_folders_and_said_where_they_cannot(tmp_path: Path) -> None:
    found = inventory(burst(1, 1))
    for ending in ("csv", "geojson"):
        assert found.write(tmp_path / "new" / ending / f"bursts.{ending}").is_file()
    assert found.map().save(tmp_path / "new" / "map" / "map.html").is_file()
    (tmp_path / "file").write_text("")
    for name in ("bursts.csv", "bursts.geojson", "bursts.parquet"):
        with pytest.raises(ConfigError, match=r"cannot be written: .*file is no folder"):
            found.write(tmp_path / "file" / name)
    with pytest.raises(ConfigError, match=r"cannot be written: .*file is no folder"):
        found.map().save(tmp_path / "file" / "map.html")
    with pytest.raises(ConfigError, match=r"cannot be written: .*file is no folder"):
        found.to_run_file(tmp_path / "file" / "run.yaml")


def test_nothing_found_says_why(tmp_path: Path) -> None:
    nothing = sarcube.search((0, 0, 1, 1), source=tmp_path)
    assert "nothing found" in nothing.table() and "looked for SAFE" in nothing.table()
    assert list(nothing.bursts.columns)[:2] == ["burst_id", "swath"]
    with pytest.raises(ConfigError, match="nothing found"):
        nothing.to_run_file(tmp_path / "run.yaml")


@pytest.mark.parametrize(
    "aoi",
    [
        "-8.5,31.65,-8.2,31.8",
        (-8.5, 31.65, -8.2, 31.8),
        "POLYGON ((-8.5 31.65, -8.2 31.65, -8.2 31.8, -8.5 31.8, -8.5 31.65))",
        shapely.box(-8.5, 31.65, -8.2, 31.8),
        {"bbox": (-8.5, 31.65, -8.2, 31.8)},
        {
            "type": "FeatureCollection",
            "features": [{"geometry": shapely.box(-8.5, 31.65, -8.2, 31.8).__geo_interface__}],
        },
    ],
)
def test_areas_in_every_form(aoi: Any, tmp_path: Path) -> None:
    found = sarcube.search(aoi, "2023-09", source=tmp_path)
    assert found.area is not None and found.area.shape.bounds == pytest.approx((-8.5, 31.65, -8.2, 31.8))
    assert found.config.dates == (dt.date(2023, 9, 1), dt.date(2023, 9, 30))


def test_dates_in_every_form(tmp_path: Path) -> None:
    first, last = dt.date(2023, 9, 1), dt.date(2023, 9, 30)
    for given in (
        "2023-09", ("2023-09-01", "2023-09-30"), [first, last], slice("2023-09-01", "2023-09-30"),
        "2023-09-01/2023-09-30",
        np.array(["2023-09-01", "2023-09-30"], "datetime64[D]"),
    ):  # fmt: skip
        found = sarcube.search((0, 0, 1, 1), given, source=tmp_path)  # type: ignore[arg-type]
        assert found.config.dates == (first, last)
    assert sarcube.search((0, 0, 1, 1), first, source=tmp_path).config.dates == (first, first)
    for wrong in ({"first": first}, ["2023-09-01"] * 3, slice(None, "2023-09-30"), object()):
        with pytest.raises(ConfigError, match="`dates"):
            sarcube.search((0, 0, 1, 1), wrong, source=tmp_path)  # type: ignore[arg-type]


def test_areas_in_files_and_frames_of_any_crs(tmp_path: Path) -> None:
    geopandas = pytest.importorskip("geopandas")
    box = shapely.box(-8.5, 31.65, -8.2, 31.8)
    frame = geopandas.GeoDataFrame({"name": ["area", "none"]}, geometry=[box, None], crs="EPSG:4326").to_crs(32629)
    frame[:1].to_file(tmp_path / "area (1).gpkg")
    frame[:1].to_crs(4326).to_file(tmp_path / "area (1).geojson")
    features = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": {}, "geometry": None},
            {"type": "Feature", "properties": {}, "geometry": box.__geo_interface__},
        ],
    }
    for aoi in (
        tmp_path / "area (1).gpkg", str(tmp_path / "area (1).gpkg"), str(tmp_path / "area (1).geojson"), frame[:1],
        frame, frame.geometry[:1], features, np.array(box.bounds),
    ):  # fmt: skip
        found = sarcube.search(aoi, "2023-09", source=tmp_path)
        assert found.area is not None and found.area.shape.bounds == pytest.approx(box.bounds, abs=2e-4)
    for wrong in (
        {"type": "FeatureCollection", "features": None},
        {"type": "Feature", "geometry": {"type": "Polygon"}},
        {"type": "Polygon", "coordinates": [[0, 1]]},
    ):
        with pytest.raises(ConfigError, match="aoi"):
            sarcube.search(wrong, source=tmp_path)


def test_what_is_no_area_or_channel_or_product(tmp_path: Path) -> None:
    for wrong, says in (("Vienna", "is no area"), ((1, 2), "bbox"), ("a.geojson", "cannot be read")):
        with pytest.raises(ConfigError, match=says):
            sarcube.search(wrong, source=tmp_path)
    with pytest.raises(ConfigError, match="SLC or GRD"):
        sarcube.search(None, source=tmp_path, product="RAW")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no polarization"):
        sarcube.search(None, source=tmp_path, polarizations=["XX"])
    with pytest.raises(ConfigError, match="orbit_direction"):
        sarcube.search(None, source=tmp_path, orbit_direction="upwards")


@pytest.fixture
def asf(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    features = [asf_feature(n, p) for n in range(4) for p in ("VV", "VH")]
    server.routes["/services/search/param"] = lambda r: reply(
        {"type": "FeatureCollection", "features": features if r.query.get("dataset") == "SLC-BURST" else []}
    )
    monkeypatch.setenv("SARCUBE_ASF_SEARCH_URL", f"{server.url}/services/search/param")
    monkeypatch.setenv("SARCUBE_ASF_DOWNLOAD_URL", server.url)
    monkeypatch.setenv("EARTHDATA_TOKEN", "t")
    return server


def test_from_a_catalogue_to_a_folder_and_a_run(asf: Server, tmp_path: Path) -> None:
    """Searched, chosen, fetched in two goes (the first is torn), and a run file of exactly that."""
    data = b"PK" + bytes(range(256)) * 4000
    tag = {"ETag": '"v1"'}

    def torn(request: Any) -> Reply:
        whole = ranged(data, request)
        size = {"Content-Length": str(len(whole.body))}
        return Reply(whole.body, whole.status, {**whole.headers, **tag, **size}, send=200_000)

    asf.routes[f"/SLC/SA/{SCENE}.zip"] = torn
    found = sarcube.search(AOI["bbox"], ("2023-09-01", "2023-09-30"), source="asf").refine()
    assert found.scene_names == (SCENE,) and len(found) == 2
    asf.routes[f"/SLC/SA/{SCENE}.zip"] = lambda r: Reply(b"no", 404)
    failed = found.download(tmp_path / "scenes", progress=False)
    assert not failed.ok and failed.paths == () and "404" in failed.problems[0].message
    assert str(failed).endswith("1 failed")
    asf.routes[f"/SLC/SA/{SCENE}.zip"] = torn
    fetched = found.download(tmp_path / "scenes")
    assert fetched.ok and fetched.paths == (tmp_path / "scenes" / f"{SCENE}.zip",) and fetched.already == 0
    assert hashlib.sha256(fetched.paths[0].read_bytes()).digest() == hashlib.sha256(data).digest()
    assert any("range" in r.headers for r in asf.requests)  # it went on where it was torn
    before = len(asf.requests)
    assert found.download(tmp_path / "scenes").already == 1 and len(asf.requests) == before
    path = tmp_path / "run.yaml"
    config = found.to_run_file(path, source=tmp_path / "scenes", store="store", rtc={"polarizations": ["VV"]})
    read = RunConfig.from_file(path)
    assert read == config and path.read_text().startswith("# From a search: 1 SLC scene with 2 burst IDs of 1 date")
    assert read.source.path == str(tmp_path / "scenes") and read.source.scenes == (SCENE,)
    assert read.source.burst_ids == ("t052_110431_iw1", "t052_110432_iw1") and read.source.relative_orbits == (52,)
    remote = found.to_run_file()
    assert remote.source.kind == "asf" and remote.orbits.kind == "aws"
    with pytest.raises(ConfigError, match="stroe"):
        found.to_run_file(stroe="x")
