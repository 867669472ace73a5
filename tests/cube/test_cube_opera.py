"""The real OPERA RTC-S1 files: 15 bursts x 21 dates x 2 polarizations, no STAC."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio

import sarcube
from sarcube.cube.opera_files import find_opera_files, opera_items, parse_name


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "data" / "opera_rtc"


@pytest.fixture(scope="module")
def files(folder: Path) -> list[Path]:
    return find_opera_files(folder)


@pytest.fixture(scope="module")
def items(files: list[Path]) -> list[pystac.Item]:
    return opera_items(files)


def _pixels(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def test_the_whole_archive_opens_in_one_line(folder: Path) -> None:
    cube = sarcube.open_cube(folder)
    assert dict(cube.sizes) == {"time": 21, "y": 4428, "x": 3498}
    assert set(cube.data_vars) == {"VV", "VH"}
    assert set(cube["merged"].values) == {15}
    assert set(cube["relative_orbit"].values) == {137}
    assert set(cube["orbit_direction"].values) == {"ascending"}
    assert cube.rio.crs.to_epsg() == 32611
    assert cube["VV"].dtype == np.float32


def test_every_value_of_all_files_bit_by_bit(files: list[Path], items: list[pystac.Item]) -> None:
    of_burst = defaultdict(list)
    for path in files:
        name = parse_name(path.name)
        assert name is not None
        of_burst[name.burst_id].append((name, path))
    compared = 0
    for burst, members in of_burst.items():
        cube = sarcube.open_cube(items, burst_ids=[burst]).compute(scheduler="sync")
        assert cube["VV"].shape == (21, 100, 100)
        for name, path in members:
            seen = cube[name.layer].sel(time=np.datetime64(name.start.replace(tzinfo=None), "ns")).values
            np.testing.assert_array_equal(seen.view(np.uint32), _pixels(path).view(np.uint32))
            compared += 1
    assert compared == 630


def test_every_burst_lies_at_its_place_in_the_pass(files: list[Path], items: list[pystac.Item]) -> None:
    cube = sarcube.open_cube(items, dates="2022-11-14", layers="VV")
    whole = cube["VV"].isel(time=0).compute()
    seen = 0
    for path in (p for p in files if "_20221114T" in p.name and p.name.endswith("VV.tif")):
        with rasterio.open(path) as dataset:
            left, bottom, right, top = dataset.bounds
        part = whole.sel(x=slice(left, right), y=slice(top, bottom)).values
        np.testing.assert_array_equal(part, _pixels(path))
        seen += part.size
    assert seen == 15 * 100 * 100
    assert int(whole.notnull().sum()) == seen


def test_the_seasonal_mean_agrees_with_numpy_over_the_files(files: list[Path], items: list[pystac.Item]) -> None:
    burst = "t137_292320_iw1"
    season = sarcube.open_cube(items, burst_ids=[burst], dates=("2023-10", "2023-12"), layers=["VV"])
    mean = season["VV"].mean("time").values
    chosen = [
        p
        for p in files
        if "T137-292320-IW1_2023" in p.name and p.name.split("_")[4][4:6] in {"10", "11", "12"} and "_VV" in p.name
    ]
    assert len(chosen) == season.sizes["time"] == 8
    second = np.nanmean(np.stack([_pixels(p) for p in chosen]).astype(np.float64), axis=0)
    np.testing.assert_allclose(mean, second, rtol=2e-6)


def test_odc_stac_gives_the_same_pixels_of_the_same_items(items: list[pystac.Item]) -> None:
    """Every burst on every date, and a whole pass: bit by bit."""
    odc = pytest.importorskip("odc.stac")
    bursts = sorted({i.properties["sar:burst_id"] for i in items})
    assert len(bursts) == 15
    for burst in bursts:
        names = ["VV", "VH"] if burst == bursts[0] else ["VV"]
        mine = sarcube.open_cube(items, burst_ids=[burst], layers=names).compute(scheduler="sync")
        theirs = odc.load([i for i in items if i.properties["sar:burst_id"] == burst], bands=names, groupby="solar_day")
        assert mine.sizes == theirs.sizes == {"time": 21, "y": 100, "x": 100}
        for name in names:
            np.testing.assert_array_equal(mine[name].values.view(np.uint32), theirs[name].values.view(np.uint32))
    day = [i for i in items if i.id.split("_")[4].startswith("20221114")]
    mine = sarcube.open_cube(day, layers="VV").isel(time=0)
    theirs = odc.load(day, bands=["VV"], groupby="solar_day", chunks={}).isel(time=0)
    np.testing.assert_array_equal(mine["x"], theirs["x"])
    np.testing.assert_array_equal(mine["y"], theirs["y"])
    np.testing.assert_array_equal(mine["VV"].values, theirs["VV"].values)


def test_the_newest_of_two_versions_counts(files: list[Path], tmp_path: Path) -> None:
    old = next(p for p in files if p.name.endswith("VV.tif"))
    again = tmp_path / old.name.replace("_20250830T120333Z_", "_20260101T000000Z_")
    with rasterio.open(old) as source, rasterio.open(again, "w", **source.profile) as target:
        target.write(np.full((1, 100, 100), 7, np.float32))
    (item,) = opera_items([old, again])
    assert item.assets["VV"].href == str(again)
    assert float(sarcube.open_cube([item])["VV"].max()) == 7
