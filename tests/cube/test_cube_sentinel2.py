"""Sentinel-2 and Sentinel-1 in one cube: one grid, one time axis, reflectance as what it means."""

import datetime as dt

import numpy as np
import pytest
import xarray as xr

from sarcube.catalog.items import ItemFacts, product_item
from sarcube.catalog.publish import publish_item
from sarcube.cube.mosaic import mosaic
from sarcube.cube.open_cube import open_cube
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid
from sarcube.products.names import ProductName
from sarcube.products.product import write_product
from sarcube.store.local_store import LocalStore
from sarcube.workflows.rtc.kinds import RTC_S1
from sarcube.workflows.sentinel2.kinds import S2_ARD

GRID = GeoGrid(32630, 300_000, 4_600_020, 20, 80, 60)


def publish(store, kind, place, day, platform, layers, grid=GRID):
    from sarcube.catalog.collections import ensure_collection

    ensure_collection(store, kind.collection, kind)
    start = dt.datetime(2022, 7, day, 11, tzinfo=dt.UTC)
    name = ProductName.of(kind, place, start, start, platform, grid.resolution)
    dataset = xr.Dataset({n: (("y", "x"), v) for n, v in layers.items()})
    product = write_product(store, name, dataset, grid, {}, kind.collection, kind)
    facts = ItemFacts(start, start, {"platform": platform.lower(), "product:type": kind.name})
    publish_item(store, product_item(store, product, facts), product)


def test_reflectance_and_backscatter_share_grid_and_time(tmp_path):
    store = LocalStore(tmp_path)
    numbers = np.arange(60 * 80, dtype=np.uint16).reshape(60, 80)
    scl = np.full((60, 80), 4, np.uint8)
    scl[:5] = 9
    power = np.full((60, 80), 0.1, np.float32)
    publish(store, S2_ARD, "mgrs_30tul", 3, "S2A", {"B04": numbers, "scl": scl})
    publish(store, S2_ARD, "mgrs_30tul", 8, "S2B", {"B04": numbers, "scl": scl})
    publish(store, RTC_S1, "t070_149815_iw3", 5, "S1A", {"VV": power})
    red = open_cube(tmp_path, collection="s2_ard", layers=["B04", "scl"])
    radar = open_cube(tmp_path, collection="s1_rtc_c1", layers=["VV"])
    assert red.B04.dtype == np.float32
    want = np.where(numbers == 0, np.nan, numbers * np.float32(1e-4))
    np.testing.assert_allclose(red.B04.isel(time=0), want, rtol=1e-6)
    assert (red.scl.isel(time=1).values == scl).all()
    # One call: both on one grid and time axis, nothing where a step is of the other.
    together = open_cube(tmp_path, collection=["s2_ard", "s1_rtc_c1"], layers=["B04", "scl", "VV"])
    assert dict(together.sizes) == {"time": 3, "y": 60, "x": 80}
    assert together.time.dt.day.values.tolist() == [3, 5, 8]
    np.testing.assert_array_equal(together.B04.isel(time=0), red.B04.isel(time=0))
    np.testing.assert_array_equal(together.VV.isel(time=1), radar.VV.isel(time=0))
    assert np.isnan(together.VV.isel(time=[0, 2])).all() and np.isnan(together.B04.isel(time=1)).all()
    assert (together.scl.isel(time=1) == 0).all() and together.scl.dtype == np.uint8
    with pytest.raises(CubeError, match=r"several kinds.*s2_ard"):
        open_cube(tmp_path)
    axes = [cube.drop_vars(set(cube.coords) - set(cube.dims)) for cube in (red, radar)]
    both = xr.merge(axes)
    assert both.sizes == {"time": 3, "y": 60, "x": 80}
    clear = both.B04.where(both.scl == 4)
    assert int(clear.isel(time=0).count()) == 55 * 80
    np.testing.assert_allclose(both.VV.isel(time=1), power)
    other = open_cube(tmp_path, collection="s2_ard", layers=["B04"], crs=3857, resolution=60)
    assert 0 < float(other.B04.max()) <= 0.48


def test_kinds_of_other_pixels_and_names(tmp_path):
    """The grid is of the kind that is named first; a layer of two kinds is refused by name."""
    store = LocalStore(tmp_path)
    numbers = np.full((60, 80), 1000, np.uint16)
    publish(store, S2_ARD, "mgrs_30tul", 3, "S2A", {"B04": numbers})
    coarse = GeoGrid(32630, 300_000, 4_600_020, 60, 27, 20)
    seen = np.zeros((20, 27), np.uint8)
    publish(
        store, RTC_S1, "t070_149815_iw3", 3, "S1A", {"VV": np.full((20, 27), 0.2, np.float32), "mask": seen}, coarse
    )
    fine = open_cube(tmp_path, collection=["s2_ard", "s1_rtc_c1"], layers=["B04", "VV"])
    assert fine.rio.resolution() == (20, -20)
    other = open_cube(tmp_path, collection=["s1_rtc_c1", "s2_ard"], layers=["B04", "VV"])
    assert other.rio.resolution() == (60, -60)
    day = open_cube(tmp_path, collection=["s2_ard", "s1_rtc_c1"], layers=["B04", "VV"], group="day")
    assert day.sizes["time"] == 1
    index = (day.VV - day.B04).isel(time=0, x=slice(0, 79))
    np.testing.assert_allclose(index, 0.1, rtol=1e-5)


def test_mosaics_of_the_best_pixels_and_of_medians(tmp_path):
    """Best: clear ground before snow, shadow and clouds, the first of equally good; median: of what is seen."""
    store = LocalStore(tmp_path)
    rng = np.random.default_rng(1)
    values, scls = [], []
    for day in (3, 8, 13):
        values.append(rng.integers(0, 4000, (60, 80)).astype(np.uint16))
        scls.append(rng.choice(np.array([0, 3, 4, 5, 6, 8, 9, 10, 11], np.uint8), (60, 80)))
        publish(store, S2_ARD, "mgrs_30tul", day, "S2A", {"B04": values[-1], "scl": scls[-1]})
    cube = open_cube(tmp_path, layers=["B04", "scl"])
    stack = np.where(np.array(values) == 0, np.nan, np.array(values) * np.float32(1e-4))
    rank = np.full(256, 99)
    for place, group in enumerate(((4, 5, 6), (11,), (7,), (2,), (10,), (3,), (8,), (9,), (1,))):
        rank[list(group)] = place
    ranks = np.where(np.isnan(stack), 999, rank[np.array(scls)])
    best = mosaic(cube, "best", "all").isel(time=0)
    pick = ranks.argmin(axis=0)[None]
    np.testing.assert_allclose(best.B04, np.take_along_axis(stack, pick, 0)[0], rtol=1e-6)
    seen = ranks.min(axis=0) < 99
    np.testing.assert_array_equal(best.scl.values[seen], np.take_along_axis(np.array(scls), pick, 0)[0][seen])
    median = mosaic(cube, "median", "all").isel(time=0)
    some = np.isfinite(stack).any(axis=0)
    np.testing.assert_allclose(median.B04.values[some], np.nanmedian(stack[:, some], axis=0), rtol=1e-6)
    clear = mosaic(cube.where(cube.scl.isin([4, 5, 6])), "median", "all").isel(time=0)
    kept = np.where(np.isin(np.array(scls), [4, 5, 6]), stack, np.nan)
    some = np.isfinite(kept).any(axis=0)
    np.testing.assert_allclose(clear.B04.values[some], np.nanmedian(kept[:, some], axis=0), rtol=1e-6)
    assert np.isnan(clear.B04.values[~some]).all()
    with pytest.raises(CubeError, match="classes of a mask"):
        mosaic(cube[["B04"]], "best", "all")
