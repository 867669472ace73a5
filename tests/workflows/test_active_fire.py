"""Active fires of simulated granules through plan, tasks, store, table, cube and viewer; the truth is planted."""

from __future__ import annotations

import datetime as dt
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio

pytest.importorskip("netCDF4")

import sarcube
from sarcube.catalog.query import find_items
from sarcube.config import RunConfig
from sarcube.errors import ConfigError, CubeError, SourceError
from sarcube.geometry.grid import GeoGrid
from sarcube.production.plan.plan import plan
from sarcube.production.run.produce import produce
from sarcube.sensors.sentinel3.search.found import FoundGranule, best_made
from sarcube.sensors.sentinel3.search.granules import find_granules
from sarcube.simulate.slstr import SimulatedGranule, SlstrOptions, simulate_slstr
from sarcube.testing.workflow import WorkflowSuite
from sarcube.workflows.active_fire.land_cover import covers_on
from tests.catalog.verdicts import judge_alike
from tests.http_server import Reply, Server

AOI = (23.85, 40.6, 25.2, 41.45)
SMALL = SlstrOptions(shape=(100, 130), fires=15, traps=False)
DAY, NIGHT = dt.datetime(2023, 8, 22, 9, 3, 9, tzinfo=dt.UTC), dt.datetime(2023, 8, 22, 20, 1, 2, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, SimulatedGranule]]:
    """A day and a night of two satellites, one as zip; and of the day the earlier near real time granule, too."""
    folder = tmp_path_factory.mktemp("granules")
    night = replace(SMALL, day=False, platform="S3A", start=NIGHT, seed=2)
    made = {
        "day": simulate_slstr(folder, replace(SMALL, start=DAY)),
        "early": simulate_slstr(folder, replace(SMALL, start=DAY, timeliness="NR")),
        "night": simulate_slstr(folder, night),
    }
    path = made["night"].path
    shutil.make_archive(str(path).removesuffix(".SEN3"), "zip", folder, path.name)
    shutil.rmtree(path)
    return folder, made


@pytest.fixture(scope="module")
def cover(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shrubs in the west, water in the east, north-up in degrees as CCI's map."""
    values = np.full((400, 800), 120, np.uint8)
    values[:, 400:] = 210
    path = tmp_path_factory.mktemp("cover") / "lc.tif"
    profile = {"driver": "GTiff", "width": 800, "height": 400, "count": 1, "dtype": "uint8", "crs": "EPSG:4326",
               "transform": rasterio.Affine(1 / 360, 0, 23.4, 0, -1 / 360, 41.55), "nodata": 0}  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(values, 1)
    return path


def run_of(folder: Path, store: Path, **more: Any) -> RunConfig:
    return RunConfig.from_dict(
        {
            "workflow": "active_fire",
            "aoi": {"bbox": AOI},
            "source": {"path": str(folder)},
            "store": str(store),
            **more,
        }
    )


class TestActiveFire(WorkflowSuite):
    @pytest.fixture
    def run(self, archive: tuple[Path, Any], tmp_path: Path, cover: Path) -> RunConfig:
        return run_of(archive[0], tmp_path / "store", active_fire={"land_cover": {"path": str(cover)}})


@pytest.fixture(scope="module")
def store(archive: tuple[Path, Any], cover: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made by Dask."""
    place = tmp_path_factory.mktemp("fires") / "store"
    config = run_of(archive[0], place, active_fire={"land_cover": {"path": str(cover)}, "rgb": ["S6", "S5", "S3"]})
    planned = plan(config)
    assert len(planned.tasks) == 2, "the near real time granule is passed over"
    assert any("passed over" in warning.message for warning in planned.warnings)
    outcome = produce(planned)
    assert outcome.ok, outcome.failed
    assert not plan(config).tasks
    assert not sarcube.status(str(place)).foreign, "hotspots and pictures are files of the product"
    return place


def test_hotspots_of_many_scenes_are_one_table(store: Path, archive: tuple[Path, dict[str, SimulatedGranule]]) -> None:
    table = sarcube.hotspots(store)
    assert table["time"].is_monotonic_increasing
    assert set(table["platform"]) == {"S3A", "S3B"}
    assert set(table["land_cover_name"]) == {"shrubland"}, "none on water"
    for name, when in (("day", DAY), ("night", NIGHT)):
        part = table[table["platform"] == ("S3B" if name == "day" else "S3A")]
        truth = {(int(f["row"]), int(f["column"])): f["power"] for f in archive[1][name].fires if f["power"] >= 10}
        found = set(zip(part["row"], part["column"], strict=True))
        assert found <= set(truth) and len(found) > 3
        seconds = (part["time"] - when).dt.total_seconds()
        assert seconds.between(0, 15).all()
        np.testing.assert_allclose(seconds, 0.15 * (part["row"] + 0.5), atol=0.01)
    only = sarcube.hotspots(store, dates="2023-08-22", bbox=(24.0, 40.6, 24.3, 41.4))
    assert 0 < len(only) < len(table) and only["longitude"].between(24.0, 24.3).all()
    with pytest.raises(CubeError, match="for this place and time"):
        sarcube.hotspots(store, dates="2022")


def test_what_an_item_holds(store: Path, official: Path | None) -> None:
    judge_alike(store, official)
    day, night = find_items(str(store))
    assert day.properties["platform"] == "sentinel-3b"
    assert day.properties["sarcube:hotspots"] == len(
        json.loads(Path(day.assets["hotspots"].href).read_bytes())["features"]
    )
    assert {"rgb", "reflectance_S6", "land_cover", "cloud_mask", "thumbnail"} <= set(day.assets)
    assert not {"rgb", "reflectance_S6"} & set(night.assets)
    with rasterio.open(day.assets["rgb"].href) as picture:
        assert picture.count == 4 and picture.tags()["BANDS"] == "S6 S5 S3"
        red = picture.read(1)[picture.read(4) == 255]
        assert 60 < np.median(red) < 120  # reflectance 0.15 of 0.5
    stored = pd.read_parquet(io.BytesIO(Path(day.assets["hotspots_parquet"].href).read_bytes()))
    assert {"geometry", "FRP", "FRP_uncertainty", "confidence", "land_cover_name"} <= set(stored.columns)
    cube = sarcube.open_cube(store)
    assert dict(cube.sizes)["time"] == 2
    np.testing.assert_allclose(np.nanmedian(cube["reflectance_S3"].isel(time=0)), 0.25, atol=0.01)


def test_near_real_time_is_replaced_and_never_counted_twice(
    archive: tuple[Path, dict[str, SimulatedGranule]], tmp_path: Path
) -> None:
    folder, made = archive
    config = run_of(folder, tmp_path / "store")
    early = config.model_copy(
        update={"source": config.source.model_copy(update={"scenes": (made["early"].path.name,)})}
    )
    assert produce(plan(early)).ok
    before = sarcube.hotspots(tmp_path / "store")
    (told,) = plan(config).outdated
    assert "_NR_" in told.message and "_NT_" in told.message
    assert produce(plan(config, remake="outdated")).ok
    after = sarcube.hotspots(tmp_path / "store", dates=("2023-08-22T08:00:00Z", "2023-08-22T10:00:00Z"))
    assert len(after) == len(before) and after["granule"].str.contains("_NT_").all()
    # Granules of another cut, under a time of their own: what both saw counts once.
    shifted = simulate_slstr(
        tmp_path / "more", replace(SMALL, start=DAY + dt.timedelta(seconds=3), timeliness="NR", seed=1)
    )
    assert produce(plan(run_of(shifted.path.parent, tmp_path / "store"))).ok
    both = sarcube.hotspots(tmp_path / "store", dates=("2023-08-22T08:00:00Z", "2023-08-22T10:00:00Z"))
    late = both[both["granule"].str.contains("_NR_")]
    assert (late["time"] > pd.Timestamp(DAY + dt.timedelta(seconds=15))).all()


def test_of_one_measurement_the_best_made_granule() -> None:
    def granule(start: float, stop: float, timeliness: str, day: int = 2) -> FoundGranule:
        at = [DAY + dt.timedelta(seconds=s) for s in (start, stop)]
        made = DAY + dt.timedelta(days=day)
        return FoundGranule("", f"{timeliness}{start}{day}", "S3A", *at, made, 83, timeliness, "004", ())

    nr, nt = granule(60, 240, "NR"), [granule(0, 180, "NT"), granule(180, 360, "NT")]
    assert best_made([nr, *nt])[0] == nt
    kept, passed = best_made([nr, nt[0]])
    assert kept == [nt[0], nr] and not passed, "its last minute is nowhere else"
    again = granule(0, 180, "NT", 9)
    assert best_made([nt[0], again])[0] == [again]


def test_faults_are_told(archive: tuple[Path, Any], tmp_path: Path, cover: Path) -> None:
    folder = archive[0]
    with pytest.raises(ConfigError, match="`aoi`: Field required"):
        RunConfig.from_dict({"workflow": "active_fire", "source": {"path": str(folder)}})
    with pytest.raises(ConfigError, match="S4 is no channel"):
        run_of(folder, tmp_path, active_fire={"rgb": ["S4", "S3", "S2"]})
    wrong = plan(run_of(folder, tmp_path, grid={"crs": 32635}))
    assert not wrong.tasks and "in metres" in wrong.problems[0].message
    elsewhere = run_of(folder, tmp_path, aoi={"bbox": [0, 0, 1, 1]})
    with pytest.raises(SourceError, match="none is within what is asked"):
        plan(elsewhere)
    with pytest.raises(ConfigError, match="has nothing in the area"):
        covers_on(cover, GeoGrid.snapped(4326, (24.0, 41.6, 25.0, 41.8), 0.01))
    damaged = tmp_path / "damaged"
    shutil.copytree(folder, damaged)
    next(damaged.glob("*_NT_*.SEN3")).joinpath("geodetic_in.nc").write_bytes(b"no")
    planned = plan(run_of(damaged, tmp_path / "s"))
    assert [p.error for p in planned.problems] == ["SceneError"] and len(planned.tasks) == 2
    with pytest.raises(CubeError, match="no product with hotspots"):
        sarcube.hotspots([])


def test_viewer_and_command(store: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from sarcube.cli.app import app
    from sarcube.cube.viewer.passes import read_content

    table = sarcube.hotspots(store)
    points = read_content(str(store)).points()
    assert len(points) == len(table) and {p["pass"] for p in points} == {0, 1}
    out = tmp_path / "all.geojson"
    told = CliRunner().invoke(app, ["hotspots", str(store), "--out", str(out), "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.output)["hotspots"] == len(table) == len(json.loads(out.read_text())["features"])
    assert sum(day["hotspots"] for day in json.loads(told.output)["days"]) == len(table)


def test_cdse_is_asked_for_granules_of_the_area(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Granules by the form of CDSE's catalogue; what is no SL_1_RBT, or lies nowhere, is left out."""
    name = "S3B_SL_1_RBT____20230822T090309_20230822T090609_20230823T094214_0179_083_121_2160_PS2_O_NT_004.SEN3"
    ring = [[20.0, 38.0], [32.0, 36.0], [33.0, 46.0], [21.0, 48.0], [20.0, 38.0]]
    entry = {
        "Id": "aaaa-bbbb", "Name": name, "ContentLength": 500_000_000,
        "GeoFootprint": {"type": "Polygon", "coordinates": [ring]},
        "Checksum": [{"Algorithm": "MD5", "Value": "0" * 32}],
    }  # fmt: skip
    others = [{**entry, "Name": name.replace("SL_1_RBT", "OL_1_EFR")}, {**entry, "Id": "c", "GeoFootprint": None}]
    server.routes["/odata"] = lambda _: Reply(json.dumps({"value": [*others, entry]}).encode())
    monkeypatch.setenv("SARCUBE_CDSE_ODATA_URL", f"{server.url}/odata/v1")
    monkeypatch.setenv("SARCUBE_CDSE_DOWNLOAD_URL", f"{server.url}/download")
    run = run_of(tmp_path, tmp_path / "store", source={"kind": "cdse"}, dates="2023-08")
    (one,) = find_granules(run).found
    assert one.path == f"{server.url}/download/Products(aaaa-bbbb)/$value" and one.size_bytes == 500_000_000
    assert (one.timeliness, one.collection, one.relative_orbit) == ("NT", "004", 121)
    (asked,) = server.asked("/odata/v1/Products")
    text = asked.query["$filter"]
    assert "SENTINEL-3" in text and "_SL_1_RBT____" in text and "Intersects" in text and "2023-08-01" in text
    assert not find_granules(run_of(tmp_path, tmp_path, source={"kind": "cdse"}, aoi={"bbox": [0, 0, 1, 1]})).found
    with pytest.raises(ConfigError, match="choose local or cdse"):
        find_granules(run_of(tmp_path, tmp_path, source={"kind": "asf"}))


def test_land_cover_is_read_as_it_lies_and_other_classes_are_refused(tmp_path: Path) -> None:
    """South-up, with a no data value, in a CRS that does not reach; and values that are no classes."""
    from sarcube.workflows.active_fire.land_cover import covers_at

    step, west, south = 1 / 360, 23.4, 40.4
    values = np.full((400, 800), 120, np.int16)
    values[:, 400:] = 210
    values[:40] = 0
    lon, lat = np.array([23.5, 25.4, 23.5, 120.0]), np.array([40.9, 40.9, 41.49, 10.0])
    grid = GeoGrid.snapped(4326, (23.5, 40.5, 25.5, 41.4), 0.01)
    north = rasterio.Affine(step, 0, west, 0, -step, south + 400 * step)
    up = rasterio.Affine(step, 0, west, 0, step, south)

    def written(stored: np.ndarray, transform: rasterio.Affine, crs: str = "EPSG:4326", **more: object) -> Path:
        path = tmp_path / "lc.tif"
        profile = {"driver": "GTiff", "width": 800, "height": 400, "count": 1, "dtype": stored.dtype.name}
        with rasterio.open(path, "w", crs=crs, transform=transform, **profile, **more) as target:
            target.write(stored, 1)
        return path

    plain = covers_on(written(values, north), grid)
    assert covers_at(tmp_path / "lc.tif", lon, lat).tolist() == [120, 210, 0, 0]
    assert set(np.unique(plain)) == {120, 210}
    for path in (
        lambda: written(values[::-1], up),
        lambda: written(np.where(values == 0, -9999, values).astype(np.int16), north, nodata=-9999),
        lambda: written(np.where(values == 0, 255, values).astype(np.uint8), north, nodata=255),
    ):
        file = path()
        assert covers_at(file, lon, lat).tolist() == [120, 210, 0, 0]
        np.testing.assert_array_equal(covers_on(file, grid), plain)
    far = written(values, rasterio.Affine(500, 0, 0, 0, -500, 1e5), "+proj=gnom +lat_0=-80 +lon_0=-150 +datum=WGS84")
    assert covers_at(far, lon, lat).tolist() == [0, 0, 0, 0]
    for strange in (300, 13, -1):
        file = written(np.where(values == 120, strange, values).astype(np.int16), north)
        for ask in (lambda f=file: covers_at(f, lon, lat), lambda f=file: covers_on(f, grid)):
            with pytest.raises(ConfigError, match=rf"^land cover \S+ has the value {strange}, no class of CCI"):
                ask()


def test_of_overlapping_areas_near_real_time_counts_where_nothing_better_looked(
    archive: tuple[Path, dict[str, SimulatedGranule]], tmp_path: Path
) -> None:
    """The west was made in near real time, the middle later of the better granule: each fire is there once."""
    folder, made = archive
    store = tmp_path / "store"
    for name, box in (("early", (23.85, 40.6, 24.7, 41.45)), ("day", (24.3, 40.6, 25.2, 41.45))):
        config = run_of(folder, store, aoi={"bbox": box})
        only = config.source.model_copy(update={"scenes": (made[name].path.name,)})
        assert produce(plan(config.model_copy(update={"source": only}))).ok
    table = sarcube.hotspots(store)
    assert set(table["timeliness"]) == {"NR", "NT"}
    assert not table.duplicated(["row", "column"]).any()
    overlap = table[table["longitude"].between(24.32, 24.68)]
    assert len(overlap) > 0 and set(overlap["timeliness"]) == {"NT"}
    assert (table.loc[table["longitude"] < 24.28, "timeliness"] == "NR").all()


def test_a_granule_that_holds_a_pole_is_found(tmp_path: Path) -> None:
    import netCDF4
    from pyproj import Transformer

    made = simulate_slstr(tmp_path, replace(SMALL, shape=(100, 100), fires=2))
    x, y = np.meshgrid(np.arange(-60_000, 40_000, 1000.0), np.arange(-40_000, 60_000, 1000.0))
    lon, lat = Transformer.from_crs(3413, 4326, always_xy=True).transform(x, y)
    with netCDF4.Dataset(made.path / "geodetic_in.nc", "a") as data:
        data["longitude_in"][:], data["latitude_in"][:] = lon, lat
    found = {}
    for box in ((100.0, 89.9, 120.0, 89.95), (-170.0, 89.8, -150.0, 89.9), (-30.0, 89.7, 10.0, 89.9), (0, 80, 20, 85)):
        config = run_of(tmp_path, tmp_path / "store", aoi={"bbox": box})
        try:
            found[box[0]] = len(find_granules(config).found)
        except SourceError:
            found[box[0]] = 0
    assert found == {100.0: 1, -170.0: 1, -30.0: 1, 0: 0}
