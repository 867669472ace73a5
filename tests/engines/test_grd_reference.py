"""The native engine on a GRD scene with known truth (`reference/grd`: real annotation, simulated echo)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr

from sarcube.engines.rtc.native.detected import DetectedOptions, geocode_detected
from sarcube.errors import EngineError, GridError
from sarcube.geometry.burst_grid import footprint_grid
from sarcube.geometry.dem import Dem
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel1.grd.assemble import assemble
from sarcube.sensors.sentinel1.grd.model import GrdPass
from sarcube.sensors.sentinel1.grd.reader import read_grd
from sarcube.sensors.sentinel1.safe import open_safe


@pytest.fixture(scope="module")
def case(shared_data: Path) -> tuple[GrdPass, GeoGrid, Dem]:
    folder = shared_data / "reference" / "grd"
    if not folder.is_dir():
        pytest.skip(f"no reference case at {folder}")
    with rasterio.open(folder / "dem_ellipsoidal.tif") as source:
        t = source.transform
        dem = Dem(source.read(1).astype(np.float32), source.crs.to_epsg(), t.c, t.f, t.a, -t.e, "reference DEM")
    facts = json.loads((folder / "grd.json").read_text())
    west, south, east, north = facts["bbox"]
    ring = [(west, south), (east, south), (east, north), (west, north)]
    (path,) = folder.glob("*.zip")
    image = assemble([read_grd(open_safe(path, product="GRD"))])
    return image, footprint_grid(ring, facts["epsg"], 20.0), dem


PLAIN = {"thermal_noise": False, "static_troposphere": False, "threads": 2}


@pytest.fixture(scope="module")
def flattened(case: tuple[GrdPass, GeoGrid, Dem]) -> xr.Dataset:
    return geocode_detected(*case, DetectedOptions(**PLAIN))  # type: ignore[arg-type]


def _ratio(dataset: xr.Dataset, grid: GeoGrid) -> np.ndarray:
    x, y = np.meshgrid(grid.x(), grid.y())
    truth = np.where((np.floor(x / 2000) + np.floor(y / 2000)) % 2 == 0, 0.2, 0.05)
    edge = np.minimum(np.abs(x / 2000 - np.rint(x / 2000)), np.abs(y / 2000 - np.rint(y / 2000))) * 2000
    return np.where(edge > 90, dataset["VV"].values / truth, np.nan)


def test_truth_comes_back(case: tuple[GrdPass, GeoGrid, Dem], flattened: xr.Dataset) -> None:
    ratio = _ratio(flattened, case[1])
    seen = np.isfinite(ratio)
    assert seen.sum() > 500_000
    assert abs(10 * np.log10(ratio[seen].mean())) < 0.05
    angle = flattened["local_incidence_angle"].values
    # This ground has no steeper classes: 10 to 20 degrees are 56 cells; `simulate/simulated_grd` has all of them.
    for low in range(20, 60, 10):
        inside = seen & (angle >= low) & (angle < low + 10)
        assert inside.sum() > 500, low
        assert abs(10 * np.log10(ratio[inside].mean())) < 0.1, low


def test_mask_and_attributes_say_what_was_done(case: tuple[GrdPass, GeoGrid, Dem], flattened: xr.Dataset) -> None:
    mask = flattened["mask"].values
    np.testing.assert_array_equal(mask == 255, np.isnan(flattened["VV"].values))
    assert flattened.attrs["scenes"] == [case[0].first.scene]
    assert flattened.attrs["noise_removed"] == [] and flattened.attrs["correction"] == "rtc"
    looks = flattened["number_of_looks"].values
    assert 2 < np.nanmedian(looks) < 6  # 20 m over 10 m cells


def test_geometric_correction_alone_keeps_the_terrain(
    case: tuple[GrdPass, GeoGrid, Dem], flattened: xr.Dataset
) -> None:
    plain = geocode_detected(*case, DetectedOptions(correction="gtc", layover_shadow="none", **PLAIN))  # type: ignore[arg-type]
    rtc, gtc = _ratio(flattened, case[1]), _ratio(plain, case[1])
    both = np.isfinite(rtc) & np.isfinite(gtc)
    assert both.sum() > 500_000
    angle = flattened["local_incidence_angle"].values
    nominal = flattened["incidence_angle"].values
    # Slopes towards the radar are bright without flattening: the known dependence on slope is still in.
    steep, gentle = both & (angle < nominal - 8), both & (angle > nominal + 8)
    assert gtc[steep].mean() > 1.25 * rtc[steep].mean()
    assert gtc[gentle].mean() < 0.85 * rtc[gentle].mean()
    assert not plain["mask"].values[both].any()


def test_what_cannot_be_done_is_said(case: tuple[GrdPass, GeoGrid, Dem]) -> None:
    image, grid, dem = case
    with pytest.raises(EngineError, match="VH"):
        geocode_detected(image, grid, dem, DetectedOptions(polarizations=("VH",)))
    away = GeoGrid(grid.epsg, grid.left + 60_000, grid.top, 20.0, 100, 100)
    flat = Dem(np.zeros((60, 60), np.float32), grid.epsg, away.left - 1e4, away.top + 1e4, 500.0, 500.0, "plane")
    empty = geocode_detected(image, away, flat, DetectedOptions(**PLAIN))  # type: ignore[arg-type]
    assert np.isnan(empty["VV"].values).all() and (empty["mask"].values == 255).all()
    beyond = GeoGrid(grid.epsg, grid.left + 400_000, grid.top, 20.0, 100, 100)
    flat = Dem(np.zeros((60, 60), np.float32), grid.epsg, beyond.left - 1e4, beyond.top + 1e4, 500.0, 500.0, "plane")
    with pytest.raises(GridError, match="does not touch"):
        geocode_detected(image, beyond, flat, DetectedOptions(**PLAIN))  # type: ignore[arg-type]
