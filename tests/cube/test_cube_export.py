"""What goes out comes back: COG and STAC, Zarr resumed, icechunk, NetCDF, previews, the accessor."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr

import sarcube
from sarcube.cube.export import (
    CogOptions,
    ZarrOptions,
    write_cogs,
    write_netcdf,
    write_preview,
    write_zarr,
)
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid
from tests.catalog.verdicts import judge_alike
from tests.cube.examples import GRID, SMALL, lay_out, same, speckle, tear


@pytest.fixture
def cube(bursts: Any) -> xr.Dataset:
    return sarcube.open_cube(speckle(bursts, "03", "15", "27"), chunks=64)


def test_cogs_with_stac_open_as_the_same_cube(cube: xr.Dataset, official: Path | None, tmp_path: Path) -> None:
    items = write_cogs(cube, tmp_path / "out")
    assert len(items) == 3
    same(cube, sarcube.open_cube(items))
    item = json.loads((tmp_path / "out" / f"{items[0].id}.json").read_text())
    assert item["assets"]["VV"]["href"] == f"./{items[0].id}_VV.tif"
    assert item["properties"]["proj:epsg"] == 32629
    judge_alike(tmp_path / "out", official)
    with rasterio.open(items[0].assets["VV"].href) as written:
        assert written.profile["tiled"]
        assert written.block_shapes == [(512, 512)]
        assert written.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    before = (tmp_path / "out" / f"{items[0].id}_VV.tif").stat().st_mtime_ns
    assert [i.id for i in write_cogs(cube, tmp_path / "out")] == [i.id for i in items]
    assert (tmp_path / "out" / f"{items[0].id}_VV.tif").stat().st_mtime_ns == before
    write_cogs(cube, tmp_path / "out", CogOptions(overwrite=True))
    assert (tmp_path / "out" / f"{items[0].id}_VV.tif").stat().st_mtime_ns != before
    assert not list((tmp_path / "out").glob(".writing*"))


def test_static_layers_are_written_once(cube: xr.Dataset, tmp_path: Path) -> None:
    angle = xr.DataArray(
        np.full((2, 130, 150), 40.0, np.float32), dims=("track", "y", "x"), coords={"track": [52, 154]}
    )
    height = xr.DataArray(np.full((130, 150), 7.0, np.float32), dims=("y", "x"))
    layers = cube[["VV"]].assign(local_incidence_angle=angle, digital_elevation_model=height).isel(time=slice(0, 2))
    *steps, still = write_cogs(layers, tmp_path)
    assert [set(i.assets) for i in steps] == [{"VV"}, {"VV"}]
    assert set(still.assets) == {"local_incidence_angle_T052", "local_incidence_angle_T154", "digital_elevation_model"}
    assert still.properties["start_datetime"] == "2022-01-03T05:00:00Z"
    again = sarcube.open_cube([*steps, still])
    np.testing.assert_array_equal(again["VV"].values, layers["VV"].values)


def test_overviews_are_means_in_power(bursts: Any, tmp_path: Path) -> None:
    grid = GeoGrid(32629, 600000, 4500000, 20, 1100, 600)
    values = np.random.default_rng(0).gamma(4, 0.05, grid.shape).astype(np.float32)
    picture = sarcube.open_cube([bursts.burst(grid, "t052_001000_iw1", layers={"VV": values})]).isel(time=0)
    (item,) = write_cogs(picture, tmp_path)
    with rasterio.open(item.assets["VV"].href, overview_level=0) as half:
        means = values.reshape(300, 2, 550, 2).mean(axis=(1, 3))
        np.testing.assert_allclose(half.read(1), means, rtol=1e-5)


def test_zarr_is_sharded_and_complete(cube: xr.Dataset, tmp_path: Path) -> None:
    address = str(tmp_path / "cube.zarr")
    outcome = write_zarr(cube, address, SMALL)
    assert outcome.written == outcome.regions == 2 * 3 * 3
    again = xr.open_zarr(address)
    same(cube, again)
    assert again["VV"].encoding["shards"] == (2, 64, 64)
    assert again["VV"].encoding["chunks"] == (2, 32, 32)
    assert again.attrs["Conventions"] == "CF-1.11"
    assert again["mask"].dtype == np.uint8 or again["mask"].encoding["dtype"] == np.uint8
    metadata = json.loads((tmp_path / "cube.zarr" / "zarr.json").read_text())
    assert metadata["zarr_format"] == 3
    assert metadata["consolidated_metadata"]["metadata"]["VV"]


def test_zarr_goes_on_where_it_stopped(cube: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = str(tmp_path / "cube.zarr")
    with monkeypatch.context() as patch, pytest.raises(OSError, match="power cut"):
        tear(patch, after=2)
        write_zarr(cube, address, SMALL)
    outcome = write_zarr(cube, address, SMALL)
    assert (outcome.before, outcome.written) == (8, 10)
    same(cube, xr.open_zarr(address))
    assert write_zarr(cube, address, SMALL).written == 0


def test_zarr_refuses_another_cube(cube: xr.Dataset, tmp_path: Path) -> None:
    address = str(tmp_path / "cube.zarr")
    write_zarr(cube, address, SMALL)
    with pytest.raises(CubeError, match=r"holds another cube .*x"):
        write_zarr(cube.isel(x=slice(5, None)), address, SMALL)
    with pytest.raises(CubeError, match="other shards"):
        write_zarr(cube, address, ZarrOptions(chunk=(1, 32, 32), shard=(1, 64, 64)))
    with pytest.raises(CubeError, match="there already"):
        write_zarr(cube, address, ZarrOptions(resume=False))
    with pytest.raises(CubeError, match="multiple of chunk"):
        ZarrOptions(chunk=(3, 100, 100), shard=(3, 256, 256))
    xr.Dataset({"a": ("b", [1])}).to_zarr(tmp_path / "other.zarr", zarr_format=3)
    with pytest.raises(CubeError, match="holds other data"):
        write_zarr(cube, str(tmp_path / "other.zarr"), SMALL)


def test_icechunk_keeps_versions(cube: xr.Dataset, tmp_path: Path) -> None:
    icechunk = pytest.importorskip("icechunk")
    address = str(tmp_path / "versions")
    options = ZarrOptions(chunk=(2, 32, 32), shard=(2, 64, 64), batch=9, versioned=True)
    assert write_zarr(cube, address, options).written == 18
    repository = icechunk.Repository.open(icechunk.local_filesystem_storage(address))
    assert len(list(repository.ancestry(branch="main"))) == 1 + 1 + 2
    same(cube, xr.open_zarr(repository.readonly_session("main").store, consolidated=False))


def test_netcdf_comes_back(cube: xr.Dataset, tmp_path: Path) -> None:
    pytest.importorskip("netCDF4")
    path = write_netcdf(cube, tmp_path / "cube.nc")
    with xr.open_dataset(path, mask_and_scale=False) as again:
        same(cube, again)
        assert again["mask"].attrs["flag_meanings"].startswith("valid shadow")
    assert not list(tmp_path.glob("*.part"))


def test_previews_are_pictures(cube: xr.Dataset, tmp_path: Path) -> None:
    from PIL import Image

    picture = Image.open(write_preview(cube.isel(time=0), tmp_path / "a.png", size=50))
    assert picture.size == (50, 44)
    assert picture.mode == "RGBA"
    alpha = np.asarray(picture)[..., 3]
    assert {0, 255} == set(np.unique(alpha))
    with rasterio.open(write_preview(cube.isel(time=[0]), tmp_path / "a.tif", size=75)) as written:
        assert (written.width, written.count, written.crs.to_epsg()) == (75, 4, 32629)
        assert written.bounds.left == 600000
        assert written.transform.a == 40
    with pytest.raises(CubeError, match="one time step"):
        write_preview(cube, tmp_path / "a.png")
    with pytest.raises(CubeError, match=r"\.png or \.tif"):
        write_preview(cube.isel(time=0), tmp_path / "a.jpg")


def test_the_accessor_does_what_functions_do(cube: xr.Dataset) -> None:
    loaded = cube.compute(scheduler="sync")
    db = cube.sar.db()
    np.testing.assert_allclose(db["VV"], 10 * np.log10(loaded["VV"]), rtol=1e-5)
    assert db["VV"].attrs["units"] == "dB"
    assert db["VV"].dtype == np.float32
    masked = cube.sar.mask(layover=False).compute(scheduler="sync")
    hidden = loaded["mask"].isin([1, 3])
    np.testing.assert_array_equal(masked["VV"].isnull(), loaded["VV"].isnull() | hidden)
    assert cube.sar.polarizations == ("VV", "VH")
    assert cube.sar.grid == GRID
    assert cube.sar.rgb().sizes == {"time": 3, "band": 4, "y": 130, "x": 150}
    assert cube.sar.speckle("lee", enl=4)["VV"].shape == cube["VV"].shape
    scanned = cube.sar.timescan(["mean", "p95"], scale="db")
    assert list(scanned.data_vars) == ["VV_mean", "VV_p95", "VH_mean", "VH_p95"]
    assert float(cube.sar.enl()["VV"].mean()) == pytest.approx(4, rel=0.1)
    assert cube.sar.mosaic("mean", by="all").sizes["time"] == 1
    assert "VV_p_value" in cube.sar.change("2022-01-03", "2022-01-27", enl=4)


def test_series_of_points_and_polygons(cube: xr.Dataset) -> None:
    from rasterio.warp import transform as transform_points
    from shapely.geometry import Polygon

    row, col = 60, 70
    (lon,), (lat,) = transform_points(32629, 4326, [GRID.x()[col] + 3], [GRID.y()[row] - 4])
    np.testing.assert_array_equal(cube.sar.timeseries((lon, lat))["VV"], cube["VV"][:, row, col].values)
    left, right, top, bottom = GRID.x()[40] - 10, GRID.x()[60] + 10, GRID.y()[50] + 10, GRID.y()[70] - 10
    lons, lats = transform_points(32629, 4326, [left, right, right, left], [top, top, bottom, bottom])
    series = cube.sar.timeseries(Polygon(zip(lons, lats, strict=True)))["VV"]
    expected = cube["VV"][:, 50:71, 40:61].mean(("y", "x"), dtype=np.float64)
    np.testing.assert_allclose(series, expected, rtol=1e-6)
    with pytest.raises(CubeError, match="lies outside the cube"):
        cube.sar.timeseries((0.0, 0.0))


def test_series_plot(cube: xr.Dataset) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from rasterio.warp import transform as transform_points

    (lon,), (lat,) = transform_points(32629, 4326, [GRID.x()[70]], [GRID.y()[60]])
    ax = cube.sar.plot_timeseries((lon, lat))
    assert [line.get_label() for line in ax.get_lines()] == ["VV", "VH"]
    assert len(ax.get_lines()[0].get_xdata()) == 3


def test_to_zarr_says_nothing(bursts: Any, tmp_path: Path) -> None:
    """A cube's own `to_zarr`, as a notebook calls it, in a process of its own: pytest changes filters of warnings."""
    store = lay_out(tmp_path, speckle(bursts, "03", "15"))
    script = (
        "import sys, sarcube, xarray as xr\n"
        "cube = sarcube.open_cube(sys.argv[1])\n"
        "cube.to_zarr(sys.argv[2])\n"
        "cube.sar.db().isel(time=[0]).to_zarr(sys.argv[2] + '2')\n"
        "back = xr.open_zarr(sys.argv[2])\n"
        "assert [str(p) for p in back.platform.values] == ['sentinel-1a'] * 2\n"
        "assert (back.VV.values == cube.VV.values)[cube.VV.notnull().values].all()\n"
    )
    command = [sys.executable, "-c", script, str(store), str(tmp_path / "cube.zarr")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
