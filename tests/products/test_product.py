"""Products: written whole, verified, never half visible, never mixed up by two writers."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from PIL import Image
from rio_cogeo import cog_validate

from sarcube.errors import ProductError, StoreError
from sarcube.geometry.grid import GeoGrid
from sarcube.products.browse import browse_png
from sarcube.products.cog import CogOptions
from sarcube.products.names import ProductName
from sarcube.products.outline import outline
from sarcube.products.product import ProductOptions, read_layers, write_product
from sarcube.products.summary import block_mean, scan
from sarcube.store.local_store import LocalStore
from sarcube.store.protocol import Store
from sarcube.workflows.rtc.kinds import RTC_S1
from tests.files import faults_of

GRID = GeoGrid(32629, 500_000, 4_000_000, 20, 700, 600)
NAME = ProductName(
    "RTC_S1",
    "t070_149815_iw3",
    dt.datetime(2022, 1, 1, 12, 47, 52),
    dt.datetime(2025, 4, 8, 2, 54, 1),
    "S1A",
    20.0,
)


def dataset(grid: GeoGrid = GRID, seed: int = 0) -> xr.Dataset:
    """Two polarizations and a mask inside a slanted burst."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(grid.shape)
    outside = (rows + 0.2 * columns < 200) | (rows + 0.2 * columns > 600)
    layers = {
        p: np.where(outside, np.nan, rng.gamma(4, scale, grid.shape)).astype(np.float32)
        for p, scale in (("VV", 0.02), ("VH", 0.004))
    }
    mask = np.where(outside, 255, rng.integers(0, 4, grid.shape)).astype(np.uint8)
    data = {name: (("y", "x"), values) for name, values in (*layers.items(), ("mask", mask))}
    return xr.Dataset(data, coords={"y": grid.y(), "x": grid.x()})


def test_round_trip(store: Store) -> None:
    made = dataset()
    product = write_product(store, NAME, made, GRID, {"SCENE": "S1A_X"}, "rtc", RTC_S1)
    assert product.name == NAME
    assert [f.layer for f in product.files] == ["VV", "VH", "mask", "thumbnail"]
    assert all(f.key.startswith("rtc/t070_149815_iw3/2022/01/01/" + NAME.stem) for f in product.files)
    assert set(store.list()) == {*(f.key for f in product.files), product.attempt.marker}
    back = read_layers(store, product)
    xr.testing.assert_equal(back.drop_attrs(), made)
    assert back.attrs["grid"] == GRID
    assert back.VV.attrs["PLACE"] == "t070_149815_iw3" and back.VV.attrs["SCENE"] == "S1A_X"
    assert back.VV.attrs["UNITS"] == "1" and back.VV.attrs["PRODUCT_ID"] == NAME.stem
    assert faults_of(store, product.files) == []


def test_files_are_what_they_say(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    made = dataset()
    product = write_product(store, NAME, made, GRID, {}, "rtc", RTC_S1)
    for file in product.files:
        data = store.read_bytes(file.key)
        assert file.size == len(data)
        assert file.checksum == "1220" + hashlib.sha256(data).hexdigest()
        if file.layer != "thumbnail":
            assert cog_validate(store.gdal_path(file.key), strict=True)[0]
    statistics = product.files[0].statistics
    assert statistics is not None
    values = made.VV.values.astype(float)
    np.testing.assert_allclose(statistics.mean, np.nanmean(values), rtol=1e-9)
    np.testing.assert_allclose(statistics.stddev, np.nanstd(values), rtol=1e-6)
    assert statistics.minimum == np.nanmin(values) and statistics.maximum == np.nanmax(values)
    assert statistics.valid_percent == pytest.approx(100 * np.isfinite(values).mean())


def test_damage_is_found(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    product = write_product(store, NAME, dataset(), GRID, {}, "rtc", RTC_S1)
    vv, vh, mask, _ = (store.path(f.key) for f in product.files)
    vv.unlink()
    vh.write_bytes(vh.read_bytes()[:-1])
    flipped = bytearray(mask.read_bytes())
    flipped[-1] ^= 1
    mask.write_bytes(flipped)
    problems = faults_of(store, product.files)
    assert len(problems) == 3
    assert "missing" in problems[0] and "bytes" in problems[1] and "checksum" in problems[2]


def test_one_name_is_never_used_twice(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        products = list(
            pool.map(lambda seed: write_product(store, NAME, dataset(seed=seed), GRID, {}, "rtc", RTC_S1), range(4))
        )
    assert len({p.name.stem for p in products}) == 4
    for seed, product in enumerate(products):
        assert faults_of(store, product.files) == []
        back = read_layers(store, product)
        xr.testing.assert_equal(back.drop_attrs(), dataset(seed=seed))
        assert back.VV.attrs["PRODUCT_ID"] == product.name.stem


class _FailingStore(LocalStore):
    """Refuses the third file."""

    def create_bytes(self, key: str, data: bytes | memoryview) -> None:
        if "mask" in key:
            raise StoreError("no space left")
        super().create_bytes(key, data)


def test_a_failed_product_is_removed(tmp_path: Path) -> None:
    store = _FailingStore(tmp_path)
    with pytest.raises(StoreError, match="no space"):
        write_product(store, NAME, dataset(), GRID, {}, "rtc", RTC_S1)
    assert list(store.list()) == []


def test_reading_some_layers(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    product = write_product(store, NAME, dataset(), GRID, {}, "rtc", RTC_S1)
    assert list(read_layers(store, product, ["VH"])) == ["VH"]
    with pytest.raises(ProductError, match="no layer HH"):
        read_layers(store, product, ["HH"])
    store.delete(product.files[0].key)
    with pytest.raises(ProductError):
        read_layers(store, product)


def test_layers_on_two_grids_are_refused(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    other = dataclasses.replace(GRID, left=GRID.left + 20)
    a = write_product(store, NAME, dataset(), GRID, {}, "a", RTC_S1)
    b = write_product(store, NAME, dataset(), other, {}, "b", RTC_S1)
    with pytest.raises(ProductError, match="lies on"):
        read_layers(store, {"VV": a.files[0].key, "VH": b.files[1].key})


def test_unknown_layers() -> None:
    with pytest.raises(ProductError, match="colour"):
        write_product(LocalStore("/nowhere"), NAME, dataset().rename(VV="colour"), GRID, {}, "rtc", RTC_S1)
    with pytest.raises(ProductError, match="nothing"):
        write_product(LocalStore("/nowhere"), NAME, xr.Dataset(), GRID, {}, "rtc", RTC_S1)


def test_lossy_compression_is_recorded(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    options = ProductOptions(CogOptions(mantissa_bits=8), browse=False)
    product = write_product(store, NAME, dataset(), GRID, {}, "rtc", RTC_S1, options)
    assert [f.lossy for f in product.files] == ["relative error at most 0.00195"] * 2 + [None]
    assert read_layers(store, product).VV.attrs["COMPRESSION_ERROR"] == "relative error at most 0.00195"


def test_browse_image(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    product = write_product(store, NAME, dataset(), GRID, {}, "rtc", RTC_S1, ProductOptions(browse_side=300))
    power = dataset().VV.values
    seen = np.flatnonzero(np.isfinite(power).any(axis=1))
    assert np.isfinite(power).any(axis=0).all()
    shown = block_mean(power[seen[0] : seen[-1] + 1], 3)
    with Image.open(store.path(product.files[-1].key)) as image:
        assert image.mode == "RGBA" and image.size == shown.shape[::-1] and image.width == 234
        pixels = np.asarray(image)
    valid = np.isfinite(shown)
    np.testing.assert_array_equal(pixels[..., 3] == 255, valid)
    assert pixels[valid, 0].std() > 10 and (pixels[~valid] == 0).all()
    assert (pixels[..., 0] == pixels[..., 2]).all() and (pixels[..., 0] != pixels[..., 1]).any()


def test_browse_image_of_one_layer_and_of_nothing() -> None:
    import io

    one = np.asarray(Image.open(io.BytesIO(browse_png([dataset().VV.values], [RTC_S1.layer("VV")]))))
    assert (one[..., 0] == one[..., 1]).all()
    nothing = np.full((50, 60), np.nan, np.float32)
    assert (np.asarray(Image.open(io.BytesIO(browse_png([nothing], [RTC_S1.layer("VV")])))) == 0).all()


def test_statistics_of_nothing_and_of_integers() -> None:
    none, coarse = scan(np.full((20, 20), np.nan, np.float32), np.nan)
    assert none.mean is None and none.valid_percent == 0 and not coarse.any()
    few = np.full((20, 20), 255, np.uint8)
    few[9, 17] = 3
    statistics, coarse = scan(few, 255)
    assert (statistics.minimum, statistics.maximum, statistics.stddev) == (3, 3, 0)
    assert coarse[1, 2] == 1 and coarse.sum() == 1


def test_statistics_keep_their_digits() -> None:
    values = (1e4 + np.random.default_rng(0).normal(0, 1e-1, (500, 500))).astype(np.float32)
    statistics, _ = scan(values, np.nan)
    assert statistics.stddev == pytest.approx(values.astype(float).std(), rel=1e-6)


def test_outline_follows_the_data() -> None:
    from shapely.geometry import Point, Polygon

    valid = np.isfinite(dataset().VV.values)
    _, coarse = scan(dataset().VV.values, np.nan)
    rings = outline(coarse, GRID, 8)
    assert len(rings) == 1 and rings[0][0] == rings[0][-1] and len(rings[0]) < 40
    polygon = Polygon(rings[0])
    assert polygon.area == pytest.approx(valid.sum() * 400, rel=0.03)
    rows, columns = np.nonzero(valid)
    grown = polygon.buffer(1.5 * 8 * 20)
    for i in range(0, rows.size, 5_003):
        assert grown.contains(Point(GRID.x()[columns[i]], GRID.y()[rows[i]]))


def test_outline_of_parts_holes_and_nothing() -> None:
    coarse = np.zeros((75, 88), np.uint8)
    assert outline(coarse, GRID, 8) == ()
    coarse[5:20, 5:20] = 1
    coarse[10:14, 10:14] = 0  # a hole: the sensor looked there
    coarse[25:65, 30:85] = 1
    coarse[70, 2] = 1  # too small to tell
    rings = outline(coarse, GRID, 8)
    assert len(rings) == 2


def test_the_browse_image_shows_the_part_that_has_data() -> None:
    import io

    from PIL import Image

    from sarcube.products.browse import browse_png

    power = np.full((4000, 5000), np.nan, np.float32)
    power[1000:1300, 2000:2600] = np.linspace(0.01, 1, 600, dtype=np.float32)
    power[1000, 2000] = np.nan
    image = np.asarray(Image.open(io.BytesIO(browse_png([power], [RTC_S1.layer("VV")]))))
    assert image.shape == (300, 600, 4)
    assert image[0, 0, 3] == 0 and (image[1:, :, 3] == 255).all()
    assert image[150, 590, 0] > 250 and image[150, 5, 0] < 50
    empty = np.asarray(
        Image.open(io.BytesIO(browse_png([np.full((40, 50), np.nan, np.float32)], [RTC_S1.layer("VV")])))
    )
    assert empty.shape == (40, 50, 4) and not empty.any()
