"""COGs: valid, exact or within the stated error, with the right overviews and tags."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rio_cogeo import cog_validate

from sarcube.errors import GridError, ProductError
from sarcube.geometry.grid import GeoGrid
from sarcube.products.cog import CogOptions, encode_cog, read_layer, round_mantissa, write_cog
from sarcube.products.kinds import Layer
from sarcube.workflows.rtc.kinds import LAYERS

GRID = GeoGrid(32629, 500_000, 4_000_000, 20, 1_300, 1_100)


def speckle(grid: GeoGrid = GRID, seed: int = 0) -> NDArray[np.float32]:
    """Four-look speckle with a border of NaN."""
    values = np.random.default_rng(seed).gamma(4, 0.02, grid.shape).astype(np.float32)
    values[:150] = np.nan
    values[:, -77:] = np.nan
    return values


@pytest.mark.parametrize(
    "options",
    [
        CogOptions(),
        CogOptions("DEFLATE", 3, threads=2),
        CogOptions("NONE"),
        CogOptions(mantissa_bits=10),
        CogOptions("LERC", max_error=0.001),
    ],
    ids=["zstd", "deflate", "none", "mantissa", "lerc"],
)
@pytest.mark.parametrize("layer", ["VV", "mask", "incidence_angle"])
def test_valid_by_the_strict_check(tmp_path: Path, options: CogOptions, layer: str) -> None:
    values = speckle()
    if layer == "mask":
        values = np.where(np.isnan(values), 255, values * 20 % 4).astype(np.uint8)
    path = tmp_path / "a.tif"
    write_cog(path, values, GRID, LAYERS[layer], {"BURST_ID": "t"}, options)
    valid, errors, warnings = cog_validate(str(path), strict=True)
    assert valid, (errors, warnings)
    with rasterio.open(path) as data:
        assert data.block_shapes == [(512, 512)]
        assert data.overviews(1) == [2, 4]
        assert data.dtypes == (LAYERS[layer].dtype,)
        assert data.tags()["BURST_ID"] == "t"
        assert data.descriptions == (layer,)
        assert (data.nodata == 255) if layer == "mask" else np.isnan(data.nodata)
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


@pytest.mark.parametrize("epsg", [32629, 32760, 3413, 3031, 4326])
def test_what_is_written_is_read(epsg: int) -> None:
    grid = GeoGrid(epsg, 10.0, 20.0, 0.001, 300, 200) if epsg == 4326 else GeoGrid(epsg, -600, 800, 20, 300, 200)
    values = speckle(GRID)[140:340, 900:1200]
    array = read_layer(encode_cog(values, grid, LAYERS["VV"], {"WHO": "me"}))
    np.testing.assert_array_equal(array.values, values)
    assert array.attrs["grid"] == grid and array.name == "VV" and array.attrs["WHO"] == "me"
    np.testing.assert_allclose(array.x, grid.x())
    np.testing.assert_allclose(array.y, grid.y())


def test_overviews_average_power_and_keep_masks(tmp_path: Path) -> None:
    values = speckle()
    write_cog(tmp_path / "vv.tif", values, GRID, LAYERS["VV"])
    with rasterio.open(tmp_path / "vv.tif", overview_level=0) as data:
        half = data.read(1)
    np.testing.assert_allclose(half[100, 100], values[200:202, 200:202].mean(), rtol=1e-6)
    edge = values[148:152, 200:202]  # two rows of NaN above two of data: block means must not mix them in
    assert np.isnan(half[74, 100]) and np.isfinite(half[75, 100]) and np.isnan(edge[:2]).all()
    mask = np.random.default_rng(1).choice([0, 1, 2, 3, 255], GRID.shape).astype(np.uint8)
    write_cog(tmp_path / "mask.tif", mask, GRID, LAYERS["mask"])
    with rasterio.open(tmp_path / "mask.tif", overview_level=0) as data:
        assert set(np.unique(data.read(1))) <= {0, 1, 2, 3, 255}
        assert data.colormap(1)[2][3] == 255 and data.colormap(1)[255][3] == 0


def test_complex_samples_have_small_overviews_only(tmp_path: Path) -> None:
    layer = Layer("slc", "Samples", "complex64", overview="nearest")
    grid = GeoGrid(32629, 500_000, 4_000_000, 20, 4500, 700)
    random = np.random.default_rng(3)
    values = (random.normal(size=grid.shape) + 1j * random.normal(size=grid.shape)).astype(np.complex64)
    values[:300] = np.nan
    path = tmp_path / "slc.tif"
    write_cog(path, values, grid, layer, {"WHO": "me"})
    assert cog_validate(str(path), strict=True)[0]
    with rasterio.open(path) as data:
        assert data.overviews(1) == [8, 16]
        assert data.tags()["WHO"] == "me" and data.descriptions == ("slc",)
        np.testing.assert_array_equal(data.read(1), values)
    with rasterio.open(path, overview_level=0) as data:
        coarse = data.read(1)
    assert set(coarse[np.isfinite(coarse)]) <= set(values[300:].ravel()) and np.isnan(coarse[:36]).all()
    write_cog(path, values[:512, :300], GeoGrid(32629, 500_000, 4_000_000, 20, 300, 512), layer)
    with rasterio.open(path) as data:
        assert data.overviews(1) == []
        np.testing.assert_array_equal(data.read(1), values[:512, :300])


@pytest.mark.parametrize(("columns", "rows"), [(1300, 1100), (1301, 1027), (2049, 600), (513, 3)])
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_overviews_are_those_that_gdal_makes(tmp_path: Path, columns: int, rows: int, kind: str) -> None:
    grid = GeoGrid(32629, 500_000, 4_000_000, 20, columns, rows)
    values = np.random.default_rng(0).gamma(4, 0.02, grid.shape).astype(kind)
    values[: rows // 3] = np.nan
    values[:, -77:] = np.nan
    values[np.random.default_rng(1).uniform(size=grid.shape) < 0.3] = np.nan
    layer = replace(LAYERS["VV"], dtype=kind, nodata=-1.0) if kind == "float64" else LAYERS["VV"]
    values = np.where(np.isnan(values), layer.nodata, values)
    write_cog(tmp_path / "own.tif", values, grid, layer)
    profile = {"width": columns, "height": rows, "count": 1, "dtype": kind, "nodata": layer.nodata}
    transform = rasterio.Affine(20, 0, 500_000, 0, -20, 4_000_000)
    with rasterio.open(
        tmp_path / "gdal.tif", "w", driver="COG", crs=grid.crs, transform=transform, overview_resampling="AVERAGE",
        blocksize=512, **profile,
    ) as target:  # fmt: skip
        target.write(values, 1)
    with rasterio.open(tmp_path / "own.tif") as own, rasterio.open(tmp_path / "gdal.tif") as gdal:
        assert own.overviews(1) == gdal.overviews(1)
        levels = len(own.overviews(1))
        assert own.transform == gdal.transform and own.crs == gdal.crs
    assert levels >= 1
    for level in range(levels):
        with (
            rasterio.open(tmp_path / "own.tif", overview_level=level) as own,
            rasterio.open(tmp_path / "gdal.tif", overview_level=level) as gdal,
        ):
            assert own.transform.almost_equals(gdal.transform)
            a, b = own.read(1), gdal.read(1)
        missing = np.isnan(b) if kind == "float32" else b == -1.0
        np.testing.assert_array_equal(np.isnan(a) if kind == "float32" else a == -1.0, missing)
        np.testing.assert_allclose(a[~missing], b[~missing], rtol=2e-6)


@pytest.mark.parametrize("bits", [1, 5, 10, 16, 22])
def test_rounding_the_mantissa(bits: int) -> None:
    values = np.concatenate(
        [speckle().ravel()[:200_000], np.array([0, -0.0, 1, -3.7, np.inf, -np.inf, np.nan, 1e-30], np.float32)]
    )
    rounded = round_mantissa(values, bits)
    finite = np.isfinite(values)
    np.testing.assert_array_equal(np.isnan(rounded), np.isnan(values))
    np.testing.assert_array_equal(rounded[np.isinf(values)], values[np.isinf(values)])
    error = np.abs(rounded[finite].astype(float) - values[finite]) / np.maximum(np.abs(values[finite]), 1e-38)
    assert error.max() <= 2.0 ** -(bits + 1)
    assert error.max() > 2.0 ** -(bits + 1) * 0.5


def test_the_stated_error_holds() -> None:
    values = speckle()
    lerc = read_layer(encode_cog(values, GRID, LAYERS["VV"], options=CogOptions("LERC", max_error=0.001)))
    assert 0 < np.nanmax(np.abs(lerc.values - values)) <= 0.001
    np.testing.assert_array_equal(np.isnan(lerc), np.isnan(values))
    options = CogOptions(mantissa_bits=10)
    small = encode_cog(values, GRID, LAYERS["VV"], options=options)
    assert len(small) < 0.7 * len(encode_cog(values, GRID, LAYERS["VV"]))
    assert options.lossy(LAYERS["VV"]) == "relative error at most 0.000488"
    assert options.lossy(LAYERS["mask"]) is None and options.lossy(LAYERS["incidence_angle"]) is None
    exact = read_layer(encode_cog(values, GRID, LAYERS["incidence_angle"], options=options))
    np.testing.assert_array_equal(exact.values, values)


def test_wrong_use() -> None:
    with pytest.raises(GridError, match="shape"):
        encode_cog(np.zeros((3, 4), np.float32), GRID, LAYERS["VV"])
    with pytest.raises(ProductError, match="mantissa_bits"):
        CogOptions(mantissa_bits=24)
    with pytest.raises(ProductError, match="max_error"):
        CogOptions("LERC")


def test_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(ProductError, match="absent"):
        read_layer(tmp_path / "absent.tif")
    data = encode_cog(speckle(), GRID, LAYERS["VV"])
    (tmp_path / "cut.tif").write_bytes(data[: len(data) // 2])
    with pytest.raises(ProductError, match="cut"):
        read_layer(tmp_path / "cut.tif")
    with pytest.raises(ProductError, match="cannot be read"):
        read_layer(b"not a tiff")
