"""Active fires in simulated granules, whose truth is planted; no real granule with fires was at hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("netCDF4")

from sarcube.engines.fire import planck
from sarcube.engines.fire.detect import find_fires
from sarcube.engines.fire.options import ContextualOptions, GepOptions
from sarcube.errors import SceneError
from sarcube.sensors.sentinel3.granule import open_granule, read
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


def test_satpy_reads_the_same(granule: SimulatedGranule) -> None:
    satpy = pytest.importorskip("satpy")
    scene = satpy.Scene([str(p) for p in granule.path.glob("*.nc")], reader="slstr_l1b")
    scene.load([satpy.DataQuery(name="S8", view="nadir", calibration="brightness_temperature")])
    theirs = scene["S8"]
    ours = read(open_granule(granule.path), "S8_BT_in.nc", "S8_BT_in")
    np.testing.assert_allclose(theirs.values, ours, atol=1e-3)
    lons, lats = theirs.attrs["area"].get_lonlats()
    np.testing.assert_allclose(lats, read(open_granule(granule.path), "geodetic_in.nc", "latitude_in"), atol=1e-5)
    np.testing.assert_allclose(lons, read(open_granule(granule.path), "geodetic_in.nc", "longitude_in"), atol=1e-5)
