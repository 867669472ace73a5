"""Items that other tools wrote: stactools' Sentinel-1 RTC of Indigo, Earth Search, Planetary Computer, STAC 1.1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.warp import transform_bounds

from sarcube.cube.combine import CombineOptions, combine
from sarcube.cube.open_cube import open_cube
from sarcube.cube.viewer.passes import read_content
from sarcube.cube.viewer.readings import read_box
from sarcube.cube.viewer.tiles import percentiles
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid

GRID = GeoGrid(32617, 399960, 2900040, 20, 90, 70)
_RNG = np.random.default_rng(1)
POWER = _RNG.gamma(4, 0.05, GRID.shape).astype(np.float32)
NUMBERS = _RNG.integers(1, 10_000, GRID.shape).astype(np.uint16)
POWER[:7] = 0
NUMBERS[:7] = 0
_TIFF = "image/tiff; application=geotiff; profile=cloud-optimized"
_REFLECTANCE = {"nodata": 0, "data_type": "uint16", "bits_per_sample": 15, "spatial_resolution": 20, "scale": 1e-4}


def tiff(path: Path, values: NDArray[Any], **told: Any) -> Path:
    """A GeoTIFF as others write it, which says no more of its numbers than it is asked to."""
    with rasterio.open(
        path, "w", driver="GTiff", width=GRID.width, height=GRID.height, count=1, dtype=values.dtype, crs=GRID.crs,
        transform=rasterio.Affine(*GRID.transform), nodata=told.get("nodata"), tiled=True, blockxsize=64, blockysize=64,
    ) as file:  # fmt: skip
        file.write(values, 1)
        if "scale" in told:
            file.scales, file.offsets = (told["scale"],), (told["offset"],)
    return path


def item(assets: dict[str, Any], name: str = "S1A_20200103_17RMJ_ASC", **properties: Any) -> dict[str, Any]:
    west, south, east, north = transform_bounds(GRID.crs, "EPSG:4326", *GRID.bounds)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [west, south, east, north],
        "properties": {
            "datetime": "2020-01-03T23:36:21Z",
            "proj:code": GRID.crs,
            "proj:shape": list(GRID.shape),
            "proj:transform": [*GRID.transform, 0, 0, 1],
            **properties,
        },
        "links": [],
        "assets": assets,
    }


def opened(stored: dict[str, Any], **options: Any) -> Any:
    return open_cube([pystac.Item.from_dict(stored)], **options)


def asset(path: Path, band: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    bands = {"raster:bands": [band]} if band else {}
    return {"href": str(path), "type": _TIFF, "roles": ["data"], **bands, **fields}


@pytest.fixture
def rtc(tmp_path: Path) -> Path:
    """A folder with two items of Indigo's RTC as stactools writes them, one without a datetime, files beside them."""
    tiff(tmp_path / "vv.tif", POWER)
    tiff(tmp_path / "angle.tif", NUMBERS)
    assets = {
        "gamma0_vv": asset(Path("./vv.tif"), {"nodata": 0, "sampling": "area", "data_type": "float32"}),
        "incidence": asset(Path("./angle.tif"), {"nodata": 0, "data_type": "uint16", "unit": "degrees", "scale": 0.01}),
        "thumbnail": {"href": "./t.png", "type": "image/png", "roles": ["thumbnail"]},
    }
    span = {"start_datetime": "2020-01-15T23:35:56Z", "end_datetime": "2020-01-15T23:36:46Z"}
    for one in (item(assets), item(assets, "S1A_20200115_17RMJ_ASC", datetime=None, **span)):
        (tmp_path / f"{one['id']}.json").write_text(json.dumps(one))
    return tmp_path


def test_rtc_of_stactools(rtc: Path) -> None:
    cube = open_cube(rtc)
    assert dict(cube.sizes) == {"time": 2, "y": 70, "x": 90} and set(cube.data_vars) == {"VV", "incidence"}
    for step in range(2):
        np.testing.assert_array_equal(cube.VV.isel(time=step), np.where(POWER == 0, np.nan, POWER))
        np.testing.assert_allclose(cube.incidence.isel(time=step), np.where(NUMBERS == 0, np.nan, NUMBERS * 0.01), 1e-6)
    assert cube.incidence.attrs["units"] == "degrees"
    assert float(cube.VV.mean()) == pytest.approx(POWER[7:].mean(dtype=np.float64), rel=1e-5)
    coarse = open_cube(rtc, resolution=40).VV.isel(time=0).values
    assert np.isnan(coarse[:3]).all() and np.nanmin(coarse) > 0


def test_files_elsewhere_are_read_where_they_are_allowed(rtc: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("catalogue")
    stored = item({"vv": asset(rtc / "vv.tif", {"nodata": 0, "data_type": "float32"})})
    (folder / "item.json").write_text(json.dumps(stored))
    with pytest.raises(CubeError, match="lies outside of its store"):
        open_cube(folder)
    for allowed in (True, rtc, [str(rtc)]):
        assert float(open_cube(folder, elsewhere=allowed).VV.max()) == pytest.approx(POWER.max())  # type: ignore[arg-type]


def test_rtc_of_stactools_in_viewer_and_combinations(rtc: Path) -> None:
    content = read_content(str(rtc))
    reading = read_box(content, tuple(content.items["S1A_20200103_17RMJ_ASC"].bbox)).readings[0]  # type: ignore[arg-type]
    assert reading.values["VV"] == pytest.approx(POWER[7:].mean(), rel=1e-3)
    assert reading.values["incidence"] == pytest.approx(NUMBERS[7:].mean() * 0.01, rel=1e-3)
    assert percentiles(content, "incidence")["50"] == pytest.approx(np.median(NUMBERS[7:]) * 0.01, rel=0.05)
    made = combine([f"{rtc}@2020-01-03"], CombineOptions("VV", "incidence", "VV"))
    np.testing.assert_allclose(made.values["green"], np.where(NUMBERS == 0, np.nan, NUMBERS * 0.01), 1e-5)


@pytest.mark.parametrize(
    ("offset", "removed", "expected"), [(-0.1, None, -0.1), (-0.1, True, 0.0), (-0.1, False, -0.1), (0, None, 0.0)]
)
def test_reflectance_of_earth_search(tmp_path: Path, offset: float, removed: bool | None, expected: float) -> None:
    path = tiff(tmp_path / "red.tif", NUMBERS)
    assets = {
        "red": asset(path, {**_REFLECTANCE, "offset": offset}),
        "visual": {"href": "v.tif", "type": _TIFF, "roles": ["visual"], "raster:bands": [{"data_type": "uint8"}] * 3},
    }
    told = {} if removed is None else {"earthsearch:boa_offset_applied": removed}
    cube = opened(item(assets, **told))
    assert set(cube.data_vars) == {"red"} and cube.red.dtype == np.float32
    np.testing.assert_allclose(
        cube.red.isel(time=0), np.where(NUMBERS == 0, np.nan, NUMBERS * 1e-4 + expected), atol=1e-6
    )


def test_bands_of_stac_1_1_and_of_files_themselves(tmp_path: Path) -> None:
    plain = tiff(tmp_path / "plain.tif", NUMBERS)
    band = {"name": "red", "data_type": "uint16", "nodata": 0, "raster:scale": 1e-4, "raster:offset": -0.1}
    cube = opened(item({"red": asset(plain, bands=[band])}))
    np.testing.assert_allclose(cube.red.isel(time=0)[7:], NUMBERS[7:] * 1e-4 - 0.1, atol=1e-6)
    own = tiff(tmp_path / "own.tif", NUMBERS, nodata=0, scale=0.5, offset=3.0)
    cube = opened(item({"level": asset(own, {"data_type": "uint16", "scale": 2.0, "offset": 1.0})}))
    np.testing.assert_allclose(cube.level.isel(time=0)[7:], NUMBERS[7:] * 0.5 + 3.0, rtol=1e-6)
    assert np.isnan(cube.level.isel(time=0)[:7]).all()


def test_planetary_computer_s_nodata(tmp_path: Path) -> None:
    path = tiff(tmp_path / "vv.tif", np.where(POWER == 0, np.float32(-32768), POWER), nodata=-32768)
    cube = opened(item({"vv": asset(path)}))
    np.testing.assert_array_equal(cube.VV.isel(time=0), np.where(POWER == 0, np.nan, POWER))


def test_what_tells_nothing_is_said_to_do_so(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", NUMBERS)
    with pytest.raises(CubeError, match="needs the role data and a data_type"):
        opened(item({"a": asset(path)}), layers="a")
    with pytest.raises(CubeError, match="tells what its rasters are"):
        opened(item({"a": asset(path)}))
    with pytest.raises(CubeError, match=r"is of float32, and item .* tells uint8"):
        opened(item({"a": asset(tiff(tmp_path / "b.tif", POWER), {"data_type": "uint8"})})).a.compute(scheduler="sync")
    for odd in ({"nodata": -9999}, {"nodata": 1e400}, {"nodata": "none"}, {"scale": "1"}, {"scale": 0}):
        cube = opened(item({"a": asset(path, {"data_type": "uint16", **odd})}))
        np.testing.assert_array_equal(cube.a.isel(time=0), NUMBERS)
