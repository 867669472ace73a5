"""Made-up bursts, datasets and products for the catalog's tests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import xarray as xr

from sarcube.catalog.items import product_item
from sarcube.catalog.publish import Publication, publish_item
from sarcube.catalog.schemas import Schemas
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.orbit import Orbit
from sarcube.geometry.radar import RadarGrid
from sarcube.products.names import ProductName
from sarcube.products.product import Product, ProductOptions, write_product
from sarcube.sensors.sentinel1.model import (
    AzimuthNoise,
    Burst,
    Calibration,
    Channel,
    GeolocationGrid,
    Noise,
    RangeNoise,
    Samples,
    TopsParameters,
)
from sarcube.store.protocol import Store
from sarcube.workflows.rtc.items import rtc_facts, static_facts
from sarcube.workflows.rtc.kinds import LAYERS, RTC_S1, RTC_S1_STATIC, STATIC_LAYERS
from sarcube.workflows.sentinel1_items import ItemContext

UTM = GeoGrid(32629, 500_000, 4_000_000, 20, 300, 200)
POLAR = GeoGrid(3031, -1_200_000, 800_000, 20, 300, 200)
# Grids across the antimeridian: UTM zone 1 reaching west of it, and the north polar grid.
ANTIMERIDIAN = GeoGrid(32601, 260_000, 5_700_000, 200, 300, 200)
ARCTIC = GeoGrid(3413, -1_540_000, 1_560_000, 200, 300, 200)
ATTRS = {
    "engine": "native",
    "engine_version": "0.1.0",
    "backscatter": "gamma0",
    "geocoding": "area_projection",
    "thermal_noise": True,
    "void_dem_pixels": np.int64(3),
    "minimum_area_factor_db": np.float32(-30),
    "not_finite": float("nan"),
    "polarizations": ("VV", "VH"),
}


KINDS = {"rtc": RTC_S1, "static": RTC_S1_STATIC, "empty": RTC_S1}


@dataclass(frozen=True)
class Case:
    """A kind of product that the catalog must describe."""

    name: str
    grid: GeoGrid
    burst_id: str = "t070_149815_iw3"
    polarizations: tuple[str, ...] = ("VV", "VH")


CASES = (
    Case("utm", UTM),
    Case("polar", POLAR, "t007_013000_iw1", ("HH", "HV")),
    Case("antimeridian", ANTIMERIDIAN, "t001_000002_iw2"),
    Case("arctic", ARCTIC, "t030_060000_iw2", ("HH",)),
)


def make_burst(case: Case = CASES[0], start: str = "2022-01-01T12:47:52.123456") -> Burst:
    """A burst whose metadata have the shape of real ones."""
    begin = np.datetime64(start, "ns")
    epoch = begin.astype("datetime64[s]").astype("datetime64[ns]") - np.timedelta64(60, "s")
    first = float((begin - epoch) / np.timedelta64(1, "s"))
    times = np.arange(20) * 10.0
    orbit = Orbit(epoch, times, np.tile([7e6, 0, 0], (20, 1)), np.tile([0, 7.5e3, 0], (20, 1)))
    sample = np.linspace(0, 25_000, 50)
    table = np.full((2, 50), 300.0, np.float32)
    calibration = Calibration(
        np.array([first, first + 3]), np.array([0, 1_500]), sample, table, table * 0.8, table, table, 1.0
    )
    noise = Noise(
        (RangeNoise(first, 0, sample, np.full(50, 400.0)),),
        (AzimuthNoise(0, 1_500, 0, 25_000, np.array([0.0, 1_500.0]), np.array([0.9, 1.1])),),
    )
    channels = {
        p: Channel(p, Samples("/safe", "m.tiff", 0, 1_500, 25_000), calibration, noise) for p in case.polarizations
    }
    none = np.zeros(3)
    geolocation = GeolocationGrid(
        np.full(3, first), np.full(3, 5e-3), none, none, none, none, none, np.array([30.0, 36.0, 45.0])
    )
    swath = case.burst_id[-3:].upper()
    return Burst(
        case.burst_id,
        0,
        "S1A_IW_SLC__1SDV_20220101T124744_20220101T124814_041267_04E7A2_DAF1",
        "S1A",
        "IW",
        swath,
        "ascending",
        41_267,
        int(case.burst_id[1:4]),
        -1_000.0,
        RadarGrid(first, 2.055e-3, 8e5, 2.33, 1_500, 25_000, 0.0555),
        0,
        orbit,
        "S1A_OPER_AUX_POEORB_OPOD_20220121T121549_V20211231T225942_20220102T005942.EOF",
        "POEORB",
        10,
        1_490,
        np.zeros(1_500, np.int32),
        np.full(1_500, 24_000, np.int32),
        ((0.0, 0.0),),
        channels,
        "003.31",
        5.4e-3,
        TopsParameters(1.6, (), (), 300.0, 1_700.0, 0.75, 5.65e7, 0.75),
        geolocation,
        64e6,
        5.405000454334350e9,
    )


def make_dataset(layers: tuple[str, ...], grid: GeoGrid, seed: int = 0) -> xr.Dataset:
    """Layers with random values inside a slanted part of the grid."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(grid.shape)
    outside = (rows + 0.1 * columns < 40) | (rows + 0.1 * columns > 0.95 * grid.height)
    data = {}
    for name in layers:
        values = np.where(outside, np.nan, rng.gamma(5, 0.02, grid.shape)).astype(np.float32)
        if LAYERS[name].dtype == "uint8":
            values = np.where(outside, 255, rng.integers(0, 4, grid.shape)).astype(np.uint8)
        data[name] = (("y", "x"), values)
    return xr.Dataset(data, coords={"y": grid.y(), "x": grid.x()}, attrs=dict(ATTRS))


def make_rtc(
    store: Store,
    case: Case = CASES[0],
    start: str = "2022-01-01T12:47:52.123456",
    *,
    collection: str = "rtc",
    static: pystac.Item | None = None,
    seed: int = 0,
) -> tuple[Product, pystac.Item]:
    """Files of one acquisition in the store, and their item, not published yet."""
    burst = make_burst(case, start)
    dataset = make_dataset((*case.polarizations, "mask"), case.grid, seed)
    begin = burst.start_time.astype("datetime64[us]").item()
    name = ProductName.of(RTC_S1, case.burst_id, begin, dt.datetime.now(dt.UTC), "S1A", case.grid.resolution)
    options = ProductOptions(browse_side=100)
    product = write_product(store, name, dataset, case.grid, {"SCENE": burst.scene}, collection, RTC_S1, options)
    context = ItemContext(
        "Copernicus DEM GLO-30", source_href="https://example.com/scene.zip", facility="a laboratory", static=static
    )
    return product, rtc_item(store, product, burst, dataset.attrs, context)


def make_static(store: Store, case: Case = CASES[0], *, collection: str = "static") -> tuple[Product, pystac.Item]:
    """Static files of a burst ID in the store, and their item, not published yet."""
    burst = make_burst(case)
    dataset = make_dataset(STATIC_LAYERS, case.grid)
    name = ProductName.of(RTC_S1_STATIC, case.burst_id, None, dt.datetime.now(dt.UTC), "S1A", case.grid.resolution)
    product = write_product(store, name, dataset, case.grid, {}, collection, RTC_S1_STATIC)
    facts = static_facts(product, burst, dataset.attrs, ItemContext("Copernicus DEM GLO-30"))
    return product, product_item(store, product, facts)


def rtc_item(
    store: Store, product: Product, burst: Burst, attrs: Mapping[str, Any], context: ItemContext | None = None
) -> pystac.Item:
    """The item that a product of an acquisition gets."""
    return product_item(store, product, rtc_facts(product, burst, attrs, context))


def publish(store: Store, made: tuple[Product, pystac.Item], schemas: Schemas) -> Publication:
    """Publish what `make_rtc` or `make_static` made."""
    product, item = made
    return publish_item(store, item, product, schemas=schemas)


def valid_by_pystac(stored: dict[str, Any], schemas: Schemas) -> None:
    """Validate with pystac's own validator, on the schemas that are here."""
    from pystac.validation.stac_validator import JsonSchemaSTACValidator

    validator = JsonSchemaSTACValidator()
    for uri in (
        *stored.get("stac_extensions", ()),
        "https://proj.org/schemas/v0.7/projjson.schema.json",
        "https://geojson.org/schema/Geometry.json",
    ):
        schema = schemas.get(uri)
        assert schema is not None, uri
        validator.schema_cache[uri] = schema
    pystac.validation.validate_dict(stored, validator=validator)


def all_files(folder: Path) -> list[str]:
    """Files below a folder, relative."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
