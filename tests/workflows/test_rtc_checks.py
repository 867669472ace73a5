"""What a plan knows of a DEM before anything is opened."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from sarcube.catalog.schemas import shared_schemas
from sarcube.config import DemConfig, RunConfig
from sarcube.errors import DemError
from sarcube.workflows.rtc.workflow import WORKFLOW
from sarcube.workflows.sentinel1_checks import dem_gap, dem_remarks, geoid_gap

FOOTPRINT = [(10.1, 45.1), (10.9, 45.1), (10.9, 45.3), (10.1, 45.3), (10.1, 45.1)]
BOTH = ("RTC_S1_STATIC", "RTC_S1")


def test_a_geoid_that_is_missing_is_told_by_the_plan(tmp_path: Path) -> None:
    assert geoid_gap(DemConfig(path="dem.tif", heights="ellipsoid"), FOOTPRINT) == ""
    assert "set dem.geoid" in geoid_gap(DemConfig(path="dem.tif", heights="egm96"), FOOTPRINT)
    assert "set dem.geoid" in geoid_gap(DemConfig(kind="cop_glo30"), FOOTPRINT)
    path = tmp_path / "geoid.tif"
    config = DemConfig(kind="cop_glo30", geoid=str(path))
    assert str(path) in geoid_gap(config, FOOTPRINT)
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": "EPSG:4326", "width": 30, "height": 30}
    with rasterio.open(path, "w", transform=from_origin(9.5, 46, 0.05, 0.05), **profile) as target:
        target.write(np.zeros((30, 30), np.float32), 1)
    assert "does not surround" in geoid_gap(config, [(x + 1, y) for x, y in FOOTPRINT])
    assert geoid_gap(config, FOOTPRINT) == ""
    assert geoid_gap(DemConfig(kind="cop_glo30", geoid="https://nowhere.invalid/geoid.tif"), FOOTPRINT) == ""


def write_dem(path: Path, left: float) -> None:
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": "EPSG:4326", "width": 20, "height": 20}
    with rasterio.open(path, "w", transform=from_origin(left, 46, 0.1, 0.1), **profile) as target:
        target.write(np.zeros((20, 20), np.float32), 1)


def test_a_dem_that_was_replaced_is_looked_at_anew(tmp_path: Path) -> None:
    path = tmp_path / "dem.tif"
    write_dem(path, 50.0)
    config = DemConfig(path=str(path), heights="ellipsoid")
    assert "does not cover 100 %" in dem_gap(config, FOOTPRINT)
    write_dem(path, 9.5)
    assert dem_gap(config, FOOTPRINT) == ""


@pytest.mark.parametrize(("epsg", "south"), [(3031, True), (3413, False)])
def test_a_dem_around_a_pole_covers_what_it_covers(tmp_path: Path, epsg: int, south: bool) -> None:
    path = tmp_path / "dem.tif"
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": f"EPSG:{epsg}", "width": 100, "height": 100}
    with rasterio.open(
        path, "w", transform=from_origin(-2e6, 2e6, 4e4, 4e4), **profile
    ) as target:  # to about 72 degrees
        target.write(np.zeros((100, 100), np.float32), 1)
    config = DemConfig(path=str(path), heights="ellipsoid")
    sign = -1.0 if south else 1.0
    for west in (-170.0, -60.0, 0.0, 100.0, 175.0):
        for lat, there in ((76.0, True), (80.0, True), (60.0, False)):
            ring = [(west + x, sign * (lat + y)) for x, y in ((0, 0), (8, 0), (8, 0.3), (0, 0.3), (0, 0))]
            assert (dem_gap(config, ring) == "") == there, (west, lat)


def unit(ring: list[tuple[float, float]], burst_id: str = "t001_000001_iw1") -> SimpleNamespace:
    return SimpleNamespace(burst_id=burst_id, footprint=ring)


def test_the_plan_says_how_many_tiles_of_how_many_there_are(tmp_path: Path) -> None:
    config = DemConfig(kind="cop_glo30", mirror=str(tmp_path), geoid="geoid.tif")
    across = [(x + 0.5, y) for x, y in FOOTPRINT]  # 10.6 to 11.4
    units = [unit(across), unit(across), unit(FOOTPRINT, "t001_000002_iw1")]
    with pytest.raises(DemError, match="holds no GLO-30 tile"):
        dem_remarks(config, units)
    (tmp_path / "Copernicus_DSM_10_N45_00_E010_00_DEM.tif").write_bytes(b"")
    (text,) = dem_remarks(config, units)
    assert text.startswith("1 of 2 GLO-30 tiles found in ") and "sea" in text
    (tmp_path / "Copernicus_DSM_COG_10_N45_00_E011_00_DEM.tif").write_bytes(b"")
    assert dem_remarks(config, units) == ()


def test_a_plan_tells_of_masks_and_of_heights_that_the_file_contradicts(tmp_path: Path) -> None:
    def write(name: str, dtype: str, crs: str) -> None:
        profile = {"driver": "GTiff", "count": 1, "dtype": dtype, "crs": crs, "width": 30, "height": 30}
        with rasterio.open(tmp_path / name, "w", transform=from_origin(9.5, 46, 0.05, 0.05), **profile) as target:
            target.write(np.full((30, 30), 8, dtype), 1)

    config = DemConfig(path=str(tmp_path), heights="ellipsoid")
    write("dem.tif", "float32", "EPSG:4326+5773")
    assert dem_gap(config, FOOTPRINT) == ""
    (text,) = dem_remarks(config, [unit(FOOTPRINT)])
    assert "refer to egm96" in text and "says ellipsoid" in text
    write("mask.tif", "uint8", "EPSG:4326")
    assert "mask.tif holds bytes" in dem_gap(config, FOOTPRINT)


def test_that_schemas_are_missing_is_said_once_per_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr("sarcube.catalog.schemas.urllib.request.urlopen", fail)
    monkeypatch.setenv("SARCUBE_SCHEMA_CACHE", str(tmp_path / "cache"))
    shared_schemas.cache_clear()
    for store, kinds in (("a", BOTH), ("a", ("RTC_S1",)), ("a", BOTH), ("b", ("RTC_S1",))):
        config = RunConfig.from_dict(
            {"source": {"path": "."}, "dem": {"path": "d.tif", "heights": "ellipsoid"}, "store": str(tmp_path / store)}
        )
        WORKFLOW.prepare(config, kinds)
    shared_schemas.cache_clear()
    assert caplog.text.count("official schemas are neither on the network") == 2, "once for each of two stores"
