"""Sentinel-2 and Sentinel-1 in one cube: one grid, one time axis, reflectance as what it means."""

import datetime as dt

import numpy as np
import xarray as xr

from sarcube.catalog.items import ItemFacts, product_item
from sarcube.catalog.publish import publish_item
from sarcube.cube.open_cube import open_cube
from sarcube.geometry.grid import GeoGrid
from sarcube.products.names import ProductName
from sarcube.products.product import write_product
from sarcube.store.local_store import LocalStore
from sarcube.workflows.rtc.kinds import RTC_S1
from sarcube.workflows.sentinel2.kinds import S2_ARD

GRID = GeoGrid(32630, 300_000, 4_600_020, 20, 80, 60)


def publish(store, kind, place, day, platform, layers):
    from sarcube.catalog.collections import ensure_collection

    ensure_collection(store, kind.collection, kind)
    start = dt.datetime(2022, 7, day, 11, tzinfo=dt.UTC)
    name = ProductName.of(kind, place, start, start, platform, 20)
    dataset = xr.Dataset({n: (("y", "x"), v) for n, v in layers.items()})
    product = write_product(store, name, dataset, GRID, {}, kind.collection, kind)
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
    axes = [cube.drop_vars(set(cube.coords) - set(cube.dims)) for cube in (red, radar)]
    both = xr.merge(axes)
    assert both.sizes == {"time": 3, "y": 60, "x": 80}
    clear = both.B04.where(both.scl == 4)
    assert int(clear.isel(time=0).count()) == 55 * 80
    np.testing.assert_allclose(both.VV.isel(time=1), power)
    other = open_cube(tmp_path, collection="s2_ard", layers=["B04"], crs=3857, resolution=60)
    assert 0 < float(other.B04.max()) <= 0.48
