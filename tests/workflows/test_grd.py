"""The workflow grd on a simulated archive: from folder to items and cube; tiles, presets, and what is refused."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from sarcube.catalog.query import find_items
from sarcube.config import RunConfig
from sarcube.cube.open_cube import open_cube
from sarcube.errors import ConfigError, GridError, SourceError
from sarcube.geometry.grid import GeoGrid
from sarcube.production.plan.plan import plan
from sarcube.sensors.sentinel1.search.grd import grd_scene
from sarcube.simulate.archive import Archive, simulate
from sarcube.simulate.options import SimulationOptions
from sarcube.transfer.problem import Problem
from sarcube.workflows.grd.run import part_of
from sarcube.workflows.grd.tiles import overlap, tile_grid, tile_ring, tiles_under
from sarcube.workflows.grd.workflow import WORKFLOW, _passes, _units
from sarcube.workflows.task import Ring
from sarcube.workflows.workflow import Context
from tests.catalog.verdicts import judge_alike
from tests.http_server import Reply, Server, ranged

LON, LAT = 8.2, 48.0
AOI = (LON - 0.02, LAT - 0.014, LON + 0.02, LAT + 0.014)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    options = SimulationOptions(
        product="GRD", center=(LON, LAT), dates=(dt.date(2024, 5, 1), dt.date(2024, 5, 13)), aoi=AOI, crop=True,
        truth="constant", swaths=("IW2",), bursts=1, relief=60.0,
    )  # fmt: skip
    return simulate(tmp_path_factory.mktemp("grd") / "archive", options)


def config_of(archive: Archive, store: Path, **section: Any) -> RunConfig:
    more = {key: section.pop(key) for key in ("grid", "dates", "source") if key in section}
    return RunConfig.model_validate(
        {
            "workflow": "grd",
            "source": {"kind": "local", "path": str(archive.directory / "scenes")},
            "aoi": {"bbox": list(AOI)},
            "dem": {"path": str(archive.dem), "heights": "ellipsoid"},
            "orbits": {"path": str(archive.orbits)},
            "store": str(store),
            "grd": section,
            **more,
        }
    )


def make_all(config: RunConfig) -> list[Any]:
    tasks = plan(config).tasks
    kinds = {task.kind for task in tasks}
    WORKFLOW.prepare(config, kinds)
    made = [WORKFLOW.run(task, Context("test", config, 2)) for task in tasks]
    WORKFLOW.finish(config, kinds)
    return made


@pytest.fixture(scope="module")
def store(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "store"
    made = make_all(config_of(archive, path, layover_shadow="mask"))
    assert len(made) == 2 and not any(m.existed for m in made)
    return path


def test_products_open_as_a_cube_and_hold_the_truth(archive: Archive, store: Path) -> None:
    cube = open_cube(store, bbox=AOI, layers=["VV", "VH", "mask"])
    assert cube.sizes["time"] == 2
    values = cube["VV"].values
    good = np.isfinite(values) & (cube["mask"].values == 0)
    assert good.mean() > 0.8
    assert abs(10 * np.log10(values[good].mean() / 0.1)) < 0.05
    assert np.isnan(values[(cube["mask"].values & 3) > 0]).all()  # masked, as asked for


def test_items_say_what_was_done(store: Path, official: Path | None) -> None:
    import json

    (first, _) = sorted(store.rglob("t*/2024/*/*/*.json"))
    item = json.loads(first.read_text())
    facts = item["properties"]
    assert item["collection"] == "s1_grd_rtc" and facts["sarcube:kind"] == "RTC_GRD"
    assert facts["sarcube:source_product_type"] == "GRDH" and facts["sar:polarizations"] == ["VV", "VH"]
    assert facts["sarcube:layover_shadow"] == "mask" and facts["sarcube:noise_removal_applied"] is True
    assert facts["sarcube:orbit_type"] == "POEORB" and len(facts["sarcube:source_scenes"]) == 1
    assert facts["proj:shape"] == [5000, 5000]
    judge_alike(store, official)
    assert set(item["assets"]) >= {"VV", "VH", "mask", "number_of_looks", "incidence_angle", "local_incidence_angle"}


def test_a_second_plan_finds_everything_made(archive: Archive, store: Path) -> None:
    again = plan(config_of(archive, store, layover_shadow="mask"))
    assert not again.tasks and len(again.done) == 2


def test_geometric_correction_is_a_kind_of_its_own(archive: Archive, store: Path) -> None:
    config = config_of(archive, store, preset="ost-gtc", dates=["2024-05-01", "2024-05-02"])
    (made,) = make_all(config)
    assert made.item.startswith("s1_grd_gtc/")
    cube = open_cube(store, bbox=AOI, collection="s1_grd_gtc", layers=["VV"])
    assert cube.sizes["time"] == 1 and np.isfinite(cube["VV"].values).any()


def test_speckle_filters_lower_the_speckle_and_keep_the_mean(archive: Archive, store: Path, tmp_path: Path) -> None:
    config = config_of(archive, tmp_path / "other", speckle="lee", dates=["2024-05-01", "2024-05-02"])
    make_all(config)
    plain = open_cube(store, bbox=AOI, layers=["VV"], collection="s1_grd_rtc", dates="2024-05-01")["VV"].values
    calm = open_cube(tmp_path / "other", bbox=AOI, layers=["VV"])["VV"].values
    both = np.isfinite(plain) & np.isfinite(calm)
    assert calm[both].std() < 0.5 * plain[both].std()
    assert abs(10 * np.log10(calm[both].mean() / plain[both].mean())) < 0.1


def test_what_cannot_be_planned_is_said(archive: Archive, store: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="resolution: 10"):
        plan(config_of(archive, store, preset="ceos"))
    with pytest.raises(ValueError, match="says what speckle is"):
        config_of(archive, store, preset="ceos", speckle="lee")
    with pytest.raises(ConfigError, match="whole archive"):
        raw = config_of(archive, store, source={"kind": "asf"})
        plan(raw.model_copy(update={"aoi": None}))
    with pytest.raises(SourceError, match="does not exist"):
        plan(config_of(archive, store, source={"kind": "local", "path": str(tmp_path / "nowhere")}))
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="no GRD scene"):
        plan(config_of(archive, store, source={"kind": "local", "path": str(tmp_path / "empty")}))
    with pytest.raises(SourceError, match="until dates is asked for"):
        plan(config_of(archive, store, dates=["2025-01-01", "2025-02-01"]))


def test_scenes_by_name_with_and_without_cog(archive: Archive, store: Path) -> None:
    """The Copernicus Data Space tells its COG files by `_COG`, which a SAFE's own folder may not have."""
    name = sorted((archive.directory / "scenes").iterdir())[0].name.removesuffix(".SAFE")
    where = str(archive.directory / "scenes")

    def planned(*scenes: str, **section: Any) -> Any:
        return plan(config_of(archive, store, source={"kind": "local", "path": where, "scenes": scenes}, **section))

    for written in (name, f"{name}_COG", f"{name}.SAFE", f"{name}_COG.SAFE", f"{name}_COG.zip"):
        found = planned(written)
        assert len(found.tasks) + len(found.done) == 1 and not found.warnings, written
    other = f"{name[:-4]}0000"
    (warning,) = planned(name, other).warnings
    assert f"has no {other}" in warning.message and name in warning.message


def test_zips_under_any_name(archive: Archive, tmp_path: Path) -> None:
    scene = sorted((archive.directory / "scenes").iterdir())[0]
    (tmp_path / "scenes").mkdir()
    made = shutil.make_archive(str(tmp_path / "scenes" / "product"), "zip", scene.parent, scene.name)
    with zipfile.ZipFile(tmp_path / "scenes" / "notes.zip", "w") as other:
        other.writestr("notes.txt", "none")
    found = plan(config_of(archive, tmp_path / "new", source={"kind": "local", "path": str(tmp_path / "scenes")}))
    assert [scene.path for task in found.tasks for scene in task.inputs] == [made]
    (problem,) = found.problems
    assert problem.message == "1 archive holds no Sentinel-1 GRD, passed over: notes.zip"


def test_polarizations_that_a_scene_lacks_are_told(archive: Archive, store: Path) -> None:
    found = plan(config_of(archive, store, polarizations=["VV", "HH"]))
    assert ["has no HH: made is VV alone" in w.message for w in found.warnings] == [True, True]


def test_of_two_resolutions_of_a_pass_the_finer_is_made(archive: Archive, store: Path) -> None:
    """EW comes as GRDH and GRDM of the same acquisition: one product, not one over the other."""
    paths = sorted((archive.directory / "scenes").iterdir())
    fine = [grd_scene(str(path)) for path in paths]
    coarse = [replace(one, product_type="GRDM", scene=one.scene.replace("GRDH", "GRDM")) for one in fine]
    config, warnings = config_of(archive, store), list[Problem]()
    units = [u for scenes in _passes([*coarse, *fine]) for u in _units(config, "RTC_GRD", scenes, warnings)]
    assert [u.inputs for u in units] == [(one,) for one in fine]
    assert {w.subject for w in warnings} == {one.scene for one in coarse}
    assert all("GRDH of the same pass" in w.message for w in warnings)
    alone = [u for scenes in _passes(coarse) for u in _units(config, "RTC_GRD", scenes, [])]
    assert [u.inputs for u in alone] == [(one,) for one in coarse]


@pytest.fixture
def zipped(archive: Archive, server: Server, tmp_path: Path) -> tuple[str, bytes]:
    """The first scene as a provider has it: name, and bytes of its zip, behind /files/ of the server."""
    scene = sorted((archive.directory / "scenes").iterdir())[0]
    path = shutil.make_archive(str(tmp_path / "scene"), "zip", scene.parent, scene.name)
    data = Path(path).read_bytes()
    server.routes["/files/"] = lambda r: ranged(data, r)
    return scene.name.removesuffix(".SAFE"), data


def layers_of(config: RunConfig) -> Any:
    (made,) = make_all(config)
    assert not made.existed
    return open_cube(config.store, bbox=AOI, layers=["VV", "VH"]).isel(time=0).drop_vars("products").compute()


def test_a_scene_of_a_catalogue_is_fetched_and_one_behind_an_address_read_by_ranges(
    archive: Archive, zipped: tuple[str, bytes], server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both give what the folder gives; what a catalogue tells in another form is a problem, and the rest is made."""
    name, data = zipped
    scene = grd_scene(str(archive.directory / "scenes" / f"{name}.SAFE"))
    day = ["2024-05-01", "2024-05-01"]
    local = layers_of(config_of(archive, tmp_path / "local", dates=day))
    feature = {
        "geometry": {"type": "Polygon", "coordinates": [scene.footprint]},
        "properties": {
            "sceneName": name, "startTime": scene.start_time.isoformat(), "stopTime": scene.end_time.isoformat(),
            "flightDirection": "DESCENDING", "pathNumber": scene.relative_orbit, "bytes": len(data),
            "md5sum": hashlib.md5(data).hexdigest(), "processingDate": "2024-05-01T20:00:00.000Z",
        },
    }  # fmt: skip
    strange = {"geometry": None, "properties": {"sceneName": "S1A_IW_SLC__1SDV_x"}}
    server.routes["/search"] = lambda r: Reply(
        json.dumps({"features": [feature, strange]}).encode(), 200, {"Content-Type": "application/json"}
    )
    server.routes[f"/GRD_HD/SA/{name}.zip"] = lambda r: ranged(data, r)
    monkeypatch.setenv("SARCUBE_ASF_SEARCH_URL", f"{server.url}/search")
    monkeypatch.setenv("SARCUBE_ASF_DOWNLOAD_URL", server.url)
    monkeypatch.setenv("EARTHDATA_TOKEN", "t")
    source = {"kind": "asf", "cache": str(tmp_path / "cache")}
    config = config_of(archive, tmp_path / "asf", dates=day, source=source)
    planned = plan(config)
    assert [p.subject for p in planned.problems] == ["S1A_IW_SLC__1SDV_x"] and len(planned.tasks) == 1
    query = server.asked("/search")[0].query
    assert query["processingLevel"].startswith("GRD_HD,") and query["beamMode"] == "IW,EW"
    xr.testing.assert_equal(layers_of(config), local)
    assert (tmp_path / "cache" / f"{name}.zip").read_bytes() == data
    address = {"kind": "local", "path": f"{server.url}/files/{name}.zip"}
    sent = server.sent
    xr.testing.assert_equal(layers_of(config_of(archive, tmp_path / "https", dates=day, source=address)), local)
    assert any("range" in r.headers for r in server.asked("/files/")) and server.sent > sent


def test_a_scene_of_the_copernicus_data_space(
    archive: Archive, zipped: tuple[str, bytes], server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, data = zipped
    local = grd_scene(str(archive.directory / "scenes" / f"{name}.SAFE"))
    told = {"orbitDirection": "DESCENDING", "relativeOrbitNumber": local.relative_orbit}
    entry = {
        "Id": "aa-bb", "Name": f"{name}.SAFE", "ContentLength": len(data), "PublicationDate": "2024-05-02T00:00:00Z",
        "Checksum": [{"Algorithm": "MD5", "Value": hashlib.md5(data).hexdigest()}],
        "ContentDate": {"Start": local.start_time.isoformat(), "End": local.end_time.isoformat()},
        "GeoFootprint": {"type": "Polygon", "coordinates": [local.footprint]},
        "Attributes": [{"Name": key, "Value": value} for key, value in told.items()],
    }  # fmt: skip
    stripmap = {**entry, "Name": entry["Name"].replace("_IW_", "_S3_")}
    server.routes["/odata/Products"] = lambda r: Reply(
        json.dumps({"value": [entry, stripmap]}).encode(), 200, {"Content-Type": "application/json"}
    )
    monkeypatch.setenv("SARCUBE_CDSE_ODATA_URL", f"{server.url}/odata")
    monkeypatch.setenv("SARCUBE_CDSE_DOWNLOAD_URL", f"{server.url}/files")
    config = config_of(archive, tmp_path / "cdse", source={"kind": "cdse", "relative_orbits": [local.relative_orbit]})
    ((scene,),) = [task.inputs for task in plan(config).tasks]
    assert (scene.scene, scene.relative_orbit, scene.product_type) == (name, local.relative_orbit, "GRDH")
    assert scene.path == f"{server.url}/files/Products(aa-bb)/$value" and scene.file_size == len(data)
    query = server.asked("/odata/Products")[0].query
    assert query["$expand"] == "Attributes" and "contains(Name,'_GRD')" in query["$filter"]
    assert "relativeOrbitNumber' and" in query["$filter"]


def test_an_ew_scene_goes_the_same_way(tmp_path: Path) -> None:
    """HH and HV in cells of 40 m: name, annotation, tiles, speckle filter by its looks, truth, item."""
    aoi = (LON - 0.06, LAT - 0.04, LON + 0.06, LAT + 0.04)
    options = SimulationOptions(
        product="GRD", mode="EW", center=(LON, LAT), dates=(dt.date(2024, 5, 1),), aoi=aoi, crop=True,
        truth="constant", swaths=("IW2",), bursts=1, relief=60.0, polarizations=("HH", "HV"), posting=20.0,
    )  # fmt: skip
    made = simulate(tmp_path / "archive", options)
    (scene,) = (made.directory / "scenes").iterdir()
    assert scene.name.startswith("S1A_EW_GRDM_1SDH_")
    config = config_of(made, tmp_path / "store", grid={"resolution": 40}, speckle="lee")
    config = config.model_copy(update={"aoi": config.aoi.model_copy(update={"bbox": aoi}) if config.aoi else None})
    (done,) = make_all(config)
    assert not done.existed
    (item,) = find_items(str(tmp_path / "store"))
    told = item.properties
    assert told["sar:instrument_mode"] == "EW" and told["sarcube:source_product_type"] == "GRDM"
    assert told["sar:polarizations"] == ["HH", "HV"]
    inner = (LON - 0.04, LAT - 0.025, LON + 0.04, LAT + 0.025)
    values = open_cube(tmp_path / "store", bbox=inner, layers=["HH", "HV"]).isel(time=0).compute()
    seen = np.isfinite(values["HH"].values)
    assert seen.mean() > 0.8 and seen.sum() > 10_000
    for name, truth in (("HH", 0.1), ("HV", 0.02)):
        assert abs(10 * np.log10(float(values[name].mean()) / truth)) < 0.1


def test_a_damaged_scene_is_a_problem_beside_the_others(archive: Archive, tmp_path: Path) -> None:
    scenes = tmp_path / "scenes"
    shutil.copytree(archive.directory / "scenes", scenes)
    broken = sorted(scenes.iterdir())[0]
    for path in (broken / "annotation").glob("*.xml"):
        path.write_bytes(path.read_bytes()[:5000])
    found = plan(config_of(archive, tmp_path / "store", source={"kind": "local", "path": str(scenes)}))
    assert len(found.tasks) == 1 and any(str(broken) in problem.subject for problem in found.problems)
    shutil.rmtree(sorted(scenes.iterdir())[1] / "measurement")
    left = plan(config_of(archive, tmp_path / "store", source={"kind": "local", "path": str(scenes)}))
    assert not left.tasks and any("no measurement" in problem.message for problem in left.problems)


def test_tiles_are_fixed_and_nest() -> None:
    coarse, fine = tile_grid("t079_32736_5_79", 20.0), tile_grid("t079_32736_5_79", 10.0)
    assert coarse == GeoGrid(32736, 500_000.0, 8_000_000.0, 20.0, 5000, 5000)
    assert fine.bounds == coarse.bounds and fine.width == 2 * coarse.width
    assert tile_grid("t001_4326_m7_31", 0.0002).bounds == pytest.approx((-7.0, 31.0, -6.0, 32.0))
    for place, resolution in (("t079_32736_5_79", 30.0), ("t079", 20.0), ("t070_149815_iw3", 20.0)):
        with pytest.raises(GridError):
            tile_grid(place, resolution)


def _box(west: float, south: float, east: float, north: float) -> Ring:
    return ((west, south), (east, south), (east, north), (west, north), (west, south))


@pytest.mark.parametrize(
    ("ring", "zones"),
    [
        (_box(8.0, 47.0, 8.6, 47.4), {32632}),
        (_box(11.6, 47.0, 12.4, 47.4), {32632, 32633}),
        (_box(30.0, -0.3, 30.5, 0.3), {32636, 32736}),
        (_box(179.7, 10.0, 180.3, 10.4), {32660, 32601}),
        (_box(10.0, 74.8, 11.8, 75.2), {32632, 3413}),
    ],
)
def test_every_bit_of_a_scene_lies_on_a_tile_of_its_own_zone(ring: Ring, zones: set[int]) -> None:
    import shapely

    config = RunConfig.model_validate(
        {
            "workflow": "grd",
            "source": {"kind": "local", "path": "x"},
            "dem": {"path": "d", "heights": "ellipsoid"},
            "store": "s",
        }
    )
    places = tiles_under(config, 7, ring)
    assert {tile_grid(p, 20.0).epsg for p in places} == zones and places == sorted(set(places))
    parts = [overlap(ring, tile_ring(tile_grid(p, 20.0))) for p in places]
    turned = [shapely.affinity.translate(p, 360.0 if p.bounds[0] < -170 else 0.0) for p in parts if p is not None]
    covered = shapely.union_all(turned).intersection(shapely.Polygon(ring))
    assert covered.area == pytest.approx(shapely.Polygon(ring).area, rel=1e-3)


def test_a_tile_at_the_antimeridian_has_one_name() -> None:
    raw = {"workflow": "grd", "source": {"kind": "local", "path": "x"}, "dem": {"path": "d", "heights": "ellipsoid"}}
    config = RunConfig.model_validate({**raw, "store": "s", "grid": {"crs": 4326, "resolution": 0.0002}})
    for ring in (_box(179.7, 10.1, 180.3, 10.4), _box(-180.3, 10.1, -179.7, 10.4)):
        assert tiles_under(config, 7, ring) == ["t007_4326_179_10", "t007_4326_m180_10"]
    assert tiles_under(config, 7, _box(-179.9, 10.1, -179.7, 10.4)) == ["t007_4326_m180_10"]
    tile = tile_grid("t007_4326_m180_10", 0.0002)
    part = part_of(tile, _box(179.7, 10.1, 180.3, 10.4))
    assert part.left == pytest.approx(-180.0) and part.right == pytest.approx(-179.7, abs=0.03)
    part = part_of(tile_grid("t007_4326_179_10", 0.0002), _box(-180.3, 10.1, -179.7, 10.4))
    assert part.left == pytest.approx(179.7, abs=0.03) and part.right == pytest.approx(180.0)


def test_the_part_of_a_tile_that_is_computed_holds_the_footprint() -> None:
    tile = tile_grid("t058_32632_4_53", 20.0)
    part = part_of(tile, _box(8.0, 48.2, 8.1, 48.3))
    assert part.width < 700 and part.height < 900
    assert (part.left - tile.left) % (64 * 20) == 0 and (tile.top - part.top) % (64 * 20) == 0
    whole = part_of(tile, _box(5.0, 45.0, 12.0, 51.0))
    assert whole == tile
    with pytest.raises(GridError):
        part_of(tile, _box(20.0, 48.2, 20.1, 48.3))
