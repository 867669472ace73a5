"""Active fires in simulated granules, whose truth is planted; no real granule with fires was at hand."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely

pytest.importorskip("netCDF4")

from sarcube.engines.fire import planck
from sarcube.engines.fire.detect import find_fires
from sarcube.engines.fire.options import ContextualOptions, GepOptions
from sarcube.errors import SceneError
from sarcube.geometry.aoi import area_of_text
from sarcube.sensors.sentinel3.granule import open_granule, read
from sarcube.sensors.sentinel3.names import parse_name
from sarcube.simulate.slstr import SimulatedGranule, SlstrOptions, simulate_slstr
from sarcube.workflows.active_fire.inputs import fire_scene
from sarcube.workflows.active_fire.products import make_fires


def hotspots(made: SimulatedGranule) -> pd.DataFrame:
    return find_fires(fire_scene(open_granule(made.path)), ContextualOptions())


@pytest.fixture(scope="module")
def granule(tmp_path_factory: pytest.TempPathFactory) -> SimulatedGranule:
    return simulate_slstr(tmp_path_factory.mktemp("slstr"))


def places(table: pd.DataFrame) -> set[tuple[int, int]]:
    return set(zip(table["row"], table["column"], strict=True))


def test_planck_against_a_closed_form() -> None:
    # Stefan-Boltzmann: pi times the integral over all wavelengths.
    wavelengths = np.geomspace(0.5, 500, 20000)
    emitted = np.pi * np.trapezoid(planck.radiance(700.0, wavelengths), wavelengths)
    assert emitted == pytest.approx(planck.STEFAN_BOLTZMANN * 700.0**4, rel=1e-3)
    np.testing.assert_allclose(planck.temperature(planck.radiance(np.array([250.0, 480.0]))), [250.0, 480.0])


def test_planted_fires_are_found_with_their_power(granule: SimulatedGranule) -> None:
    table = hotspots(granule)
    truth = {(int(f["row"]), int(f["column"])): f["power"] for f in granule.fires}
    strong = {place for place, power in truth.items() if power >= 10}
    assert len(strong) > 50
    found = places(table)
    assert len(found & strong) >= 0.95 * len(strong)
    assert not found - set(truth), "desert, glint and cloud edges raise no alarm"
    ratio = np.array([t.FRP / truth[t.row, t.column] for t in table.itertuples()])
    assert np.abs(ratio - 1).max() < 0.10
    assert (table["FRP_uncertainty"] > 0).all()
    assert table["confidence"].between(0, 1).all()
    assert (table.loc[table["T4"] > 311, "channel"] == "F1").all()


def test_fixed_thresholds_raise_alarms_where_neighbours_do_not(granule: SimulatedGranule) -> None:
    scene = fire_scene(open_granule(granule.path))
    truth = {(int(f["row"]), int(f["column"])) for f in granule.fires}
    false = places(find_fires(scene, GepOptions())) - truth
    assert len(false) > 100


def test_collections_night_and_repeated_pixels(granule: SimulatedGranule, tmp_path: Path) -> None:
    old = hotspots(simulate_slstr(tmp_path / "003", SlstrOptions(collection="003")))
    new = hotspots(granule)
    assert places(old) == places(new)
    np.testing.assert_allclose(old["FRP"], new["FRP"], rtol=1e-6)
    small = SlstrOptions(shape=(120, 160), fires=20, day=False)
    night = simulate_slstr(tmp_path / "night", small)
    assert len(places(hotspots(night)) & {(int(f["row"]), int(f["column"])) for f in night.fires}) >= 19
    twice = simulate_slstr(tmp_path / "twice", SlstrOptions(shape=(120, 160), fires=20, day=False, repeated=True))
    assert places(hotspots(twice)) == places(hotspots(night))
    np.testing.assert_allclose(hotspots(twice)["FRP"].sum(), hotspots(night)["FRP"].sum(), rtol=0.01)


def test_files_zip_and_faults(granule: SimulatedGranule, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / granule.path.name.removesuffix(".SEN3")), "zip", granule.path.parent,
                                  granule.path.name)  # fmt: skip
    made = make_fires(archive, tmp_path / "fires", None)
    features = json.loads(made.files["hotspots"].read_text())["features"]
    assert len(features) == len(made.hotspots) > 50
    assert features[0]["properties"]["day"] is True
    assert pd.read_parquet(made.files["hotspots_parquet"])["FRP"].sum() == pytest.approx(made.hotspots["FRP"].sum())
    assert {"cloud_mask", "reflectance_S6", "reflectance_S3"} <= set(made.files)
    lacking = tmp_path / granule.path.name
    shutil.copytree(granule.path, lacking)
    (lacking / "S8_BT_in.nc").write_bytes(b"no netCDF")
    with pytest.raises(SceneError, match=r"S8_BT_in\.nc"):
        fire_scene(open_granule(lacking))
    (lacking / "S8_BT_in.nc").unlink()
    with pytest.raises(SceneError, match="lacks S8"):
        open_granule(lacking)


def test_zips_in_every_form_and_names_of_no_day(granule: SimulatedGranule, tmp_path: Path) -> None:
    name, small = granule.path.name, tmp_path / "small"
    made = simulate_slstr(small, SlstrOptions(shape=(60, 80), fires=4, traps=False))
    for lead, archive in ((f"{made.path.name}/", "x.zip"), ("", f"{name}.zip"), ("other/", f"{name}.zip"),
                          (f"a/b/{made.path.name}/", "y.zip"), (f"./{made.path.name}/", "z.zip")):  # fmt: skip
        with zipfile.ZipFile(tmp_path / archive, "w") as target:
            for file in sorted(made.path.glob("*.nc")):
                target.write(file, f"{lead}{file.name}")
        assert open_granule(tmp_path / archive).shape == (60, 80)
        assert len(make_fires(tmp_path / archive, tmp_path / "out", None).hotspots) == 4
    assert parse_name(name.replace("20230822T", "20239922T")) is None
    lacking = tmp_path / "lacking" / made.path.name
    shutil.copytree(made.path, lacking)
    (lacking / "F1_BT_fn.nc").unlink()
    with pytest.raises(SceneError, match=r"lacks F1_BT_fn\.nc"):
        open_granule(lacking)


def test_daylight_that_is_missing_is_told(tmp_path: Path) -> None:
    made = simulate_slstr(tmp_path, SlstrOptions(shape=(60, 80), fires=4, traps=False))
    assert not any("by day" in r for r in make_fires(made.path, tmp_path / "all", None).remarks)
    for file in (*made.path.glob("S2_*"), *made.path.glob("S3_*")):
        file.unlink()
    fires = make_fires(made.path, tmp_path / "some", None)
    assert len(fires.hotspots) == 4 and any("by day there is no S2, S3" in r for r in fires.remarks)
    night = simulate_slstr(tmp_path, SlstrOptions(shape=(60, 80), fires=4, traps=False, day=False))
    assert not any("by day" in r for r in make_fires(night.path, tmp_path / "night", None).remarks)


@pytest.mark.parametrize("centre", [(179.9, 60.0), (-179.95, -17.0)])
def test_a_whole_granule_across_the_antimeridian(tmp_path: Path, centre: tuple[float, float]) -> None:
    options = SlstrOptions(shape=(60, 80), fires=4, traps=False, center=centre)
    made = simulate_slstr(tmp_path, options)
    fires = make_fires(made.path, tmp_path / "out", None)
    with rasterio.open(fires.files["cloud_mask"]) as mask:
        assert mask.width < 400 and mask.bounds.left < 180 < mask.bounds.right
        assert (mask.read(1) != 255).mean() > 0.4
    assert len(fires.hotspots) == 4 and fires.hotspots["longitude"].abs().max() <= 180
    south, north = centre[1] - 1, centre[1] + 1
    halves = [shapely.box(179, south, 180, north), shapely.box(-180, south, -179, north)]  # as RFC 7946 has it
    cut = make_fires(made.path, tmp_path / "cut", area_of_text(shapely.multipolygons(halves).wkt))
    with rasterio.open(cut.files["cloud_mask"]) as mask:
        assert tuple(np.round(mask.bounds, 6)) == (179, south, 181, north)
    assert len(cut.hotspots) == 4


def test_what_clouds_hide_is_told(tmp_path: Path) -> None:
    import netCDF4

    made = simulate_slstr(tmp_path, SlstrOptions(shape=(60, 80), fires=4, traps=False))
    for values, shown in ((240.0, 1), (np.ma.masked_all((60, 80)), 255)):
        with netCDF4.Dataset(made.path / "S9_BT_in.nc", "a") as data:
            data["S9_BT_in"][:] = values
        fires = make_fires(made.path, tmp_path / "out", None)
        with rasterio.open(fires.files["cloud_mask"]) as mask:
            assert set(np.unique(mask.read(1))) <= {shown, 255}
        assert any("no pixel of the area is clear" in r for r in fires.remarks)


def test_power_over_the_temperatures_of_flames(tmp_path: Path) -> None:
    """One coefficient stands for all temperatures: exact near 800 and 1210 K, 8 % high at 1000, 8 % low at 1350 K."""
    ratios = {}
    for low, high in ((750.0, 1150.0), (1150.0, 1350.0)):
        options = SlstrOptions(shape=(200, 240), fires=60, traps=False, hottest=(low, high))
        made = simulate_slstr(tmp_path / f"{high:.0f}", options)
        truth = {(int(f["row"]), int(f["column"])): f["power"] for f in made.fires if f["power"] >= 10}
        table = hotspots(made)
        assert len(places(table) & set(truth)) >= 0.95 * len(truth)
        ratios[high] = np.array([t.FRP / truth[t.row, t.column] for t in table.itertuples()])
    assert np.abs(np.concatenate([*ratios.values()]) - 1).max() < 0.10
    assert np.median(ratios[1150.0]) == pytest.approx(1.06, abs=0.015)
    assert np.median(ratios[1350.0]) == pytest.approx(0.97, abs=0.03)


def test_orphans_are_not_read(tmp_path: Path) -> None:
    """Each fire's measurement is in the file three times: in its pixel, in a flagged one, and among the orphans."""
    twice = SlstrOptions(shape=(120, 160), fires=20, traps=False, repeated=True)
    made = simulate_slstr(tmp_path / "twice", twice)
    granule = open_granule(made.path)
    stored = read(granule, "S8_BT_in.nc", "S8_BT_orphan_in")
    assert np.isfinite(stored).sum() == len(made.fires)
    once = simulate_slstr(tmp_path / "once", SlstrOptions(shape=(120, 160), fires=20, traps=False))
    assert places(hotspots(made)) == places(hotspots(once))
    np.testing.assert_allclose(hotspots(made)["FRP"].sum(), hotspots(once)["FRP"].sum(), rtol=0.01)


@pytest.mark.parametrize("name", ["S7", "S8", "S9", "F1", "F2", "S1", "S2", "S3", "S5", "S6"])
def test_satpy_reads_the_same(satpy_scene: Any, granule: SimulatedGranule, name: str) -> None:
    """Brightness temperature, radiance, reflectance and positions; satpy's reflectance has no cosine of the sun."""
    import satpy

    own = open_granule(granule.path)
    thermal = name[0] == "F" or name > "S6"
    grid = "in" if thermal and name != "F1" else "fn" if thermal else "an"
    kind = "brightness_temperature" if thermal else "radiance"
    query = satpy.DataQuery(name=name, view="nadir", calibration=kind, stripe=grid[0])
    satpy_scene.load([query])
    theirs = satpy_scene[query]
    ours = read(
        own, f"{name}_{'BT' if thermal else 'radiance'}_{grid}.nc", f"{name}_{'BT' if thermal else 'radiance'}_{grid}"
    )
    factor = {"S1": 0.97, "S2": 0.98, "S3": 0.98, "S5": 1.11, "S6": 1.13}.get(name, 1.0)
    np.testing.assert_allclose(theirs.values, factor * ours, rtol=2e-6, atol=1e-3)
    lons, lats = theirs.attrs["area"].get_lonlats()
    np.testing.assert_allclose(lats, read(own, f"geodetic_{grid}.nc", f"latitude_{grid}"), atol=1e-6)
    np.testing.assert_allclose(lons, read(own, f"geodetic_{grid}.nc", f"longitude_{grid}"), atol=1e-6)
    if not thermal:
        query = satpy.DataQuery(name=name, view="nadir", calibration="reflectance", stripe="a")
        satpy_scene.load([query])
        theirs = satpy_scene[query].values / 100.0
        scene = fire_scene(own)
        rows, columns = own.shape
        mean = theirs.reshape(rows, 2, columns, 2).mean(axis=(1, 3)) / np.cos(np.radians(scene.sun_zenith))
        np.testing.assert_allclose(mean, scene.reflectance[name], rtol=1e-4)


def test_satpy_has_the_same_angles(satpy_scene: Any, granule: SimulatedGranule) -> None:
    import satpy

    scene = fire_scene(open_granule(granule.path))
    for name, ours in (("solar_zenith_angle", scene.sun_zenith), ("satellite_zenith_angle", scene.view_zenith)):
        query = satpy.DataQuery(name=name, view="nadir", resolution=1000)
        satpy_scene.load([query])
        np.testing.assert_allclose(satpy_scene[query].values, ours, atol=1e-3)


@pytest.fixture(scope="module")
def satpy_scene(granule: SimulatedGranule) -> Any:
    satpy = pytest.importorskip("satpy")
    return satpy.Scene([str(p) for p in granule.path.glob("*.nc")], reader="slstr_l1b")
