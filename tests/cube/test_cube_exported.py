"""Exports as other programs see them: GDAL's CRS, place and nodata; and what is kept of an export that is there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
import xarray as xr
import zarr
from pyproj import CRS

import sarcube
from sarcube.cube.export import CogOptions, write_cogs, write_cube, write_netcdf
from sarcube.cube.temporal import TimescanOptions, timescan
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid
from tests.cube.examples import GRID, speckle


@pytest.fixture
def items(bursts: Any) -> list[pystac.Item]:
    return speckle(bursts, "03", "15", "27")


@pytest.fixture
def cube(items: list[pystac.Item]) -> xr.Dataset:
    return sarcube.open_cube(items, chunks=64)


def _products(cube: xr.Dataset) -> dict[str, xr.Dataset]:
    """Everything that is exported: the cube, cut, and what is made of it."""
    return {
        "cube": cube,
        "cut": cube.isel(x=slice(7, 90), y=slice(11, None)),
        "mosaic": sarcube.mosaic(cube, "mean", "all"),
        "timescan": timescan(cube, TimescanOptions(metrics=("mean", "count", "p95"))),
        "change": cube.sar.change("2022-01-03", "2022-01-27", enl=4),
        "speckle": cube.sar.speckle("lee"),
        "decibel": cube.sar.db(),
        "masked": cube.sar.mask(),
    }


def _nodata(variable: xr.DataArray) -> float:
    return {"u": 255.0, "i": -128.0, "f": np.nan}[variable.dtype.kind]


def _seen_by_gdal(address: str, variable: xr.DataArray, first: xr.DataArray) -> None:
    with rasterio.open(address) as there:
        assert there.crs == rasterio.crs.CRS.from_epsg(32629), address
        left, top = float(first["x"][0]) - 10, float(first["y"][0]) + 10
        assert there.transform == rasterio.Affine(20, 0, left, 0, -20, top), address
        np.testing.assert_equal(there.nodata, _nodata(variable))
        np.testing.assert_array_equal(there.read(1), first.values)


NAMES = ("cube", "cut", "mosaic", "timescan", "change", "speckle", "decibel", "masked")


@pytest.mark.parametrize("name", NAMES)
def test_gdal_sees_netcdf(cube: xr.Dataset, tmp_path: Path, name: str) -> None:
    made = _products(cube)[name].compute(scheduler="sync")
    write_netcdf(made, tmp_path / "x.nc")
    for layer, variable in made.data_vars.items():
        first = variable.isel(time=0) if "time" in variable.dims else variable
        _seen_by_gdal(f"NETCDF:{tmp_path}/x.nc:{layer}", variable, first)
    # As xarray writes it by itself, too.
    made.to_netcdf(tmp_path / "plain.nc")
    for layer in made.data_vars:
        with rasterio.open(f"NETCDF:{tmp_path}/plain.nc:{layer}") as there:
            assert there.crs == rasterio.crs.CRS.from_epsg(32629)


def _as_zarr_2(source: Path, target: Path, layers: list[str]) -> None:
    """Arrays and attributes as they are, in the version of Zarr that GDAL 3.10 reads."""
    old, new = zarr.open_group(source, mode="r"), zarr.open_group(target, mode="w", zarr_format=2)
    new.attrs.update(dict(old.attrs))
    for name in [*layers, "x", "y", "spatial_ref", *(["time"] if "time" in old else [])]:
        array: Any = old[name]
        copy = new.create_array(name, data=array[...], fill_value=array.fill_value)
        copy.attrs.update(dict(array.attrs) | {"_ARRAY_DIMENSIONS": list(array.metadata.dimension_names or ())})


@pytest.mark.parametrize("name", NAMES)
def test_gdal_sees_zarr(cube: xr.Dataset, tmp_path: Path, name: str) -> None:
    made = _products(cube)[name].compute(scheduler="sync")
    write_cube(made, tmp_path / "x.zarr")
    layers = [str(n) for n in made.data_vars]
    with xr.open_zarr(tmp_path / "x.zarr", decode_coords="all", mask_and_scale=False) as again:
        for layer in layers:
            assert again[layer].rio.crs.to_epsg() == 32629
            assert again[layer].attrs["_FillValue"] == _nodata(made[layer]) or made[layer].dtype.kind == "f"
        reference = again["spatial_ref"].attrs
        assert CRS.from_cf(reference).to_epsg() == 32629
        assert again["x"].attrs["standard_name"] == "projection_x_coordinate"
        assert again["y"].attrs["units"] == "metre"
    _as_zarr_2(tmp_path / "x.zarr", tmp_path / "old.zarr", layers)
    for layer in layers:
        variable = made[layer]
        first = variable.isel(time=0) if "time" in variable.dims else variable
        band = ":0" if "time" in variable.dims else ""
        _seen_by_gdal(f'ZARR:"{tmp_path}/old.zarr":/{layer}{band}', variable, first)


@pytest.mark.parametrize("name", NAMES)
def test_gdal_sees_cogs(cube: xr.Dataset, tmp_path: Path, name: str) -> None:
    made = _products(cube)[name].compute(scheduler="sync")
    item = write_cogs(made, tmp_path)[0]
    for layer, variable in made.data_vars.items():
        first = variable.isel(time=0) if "time" in variable.dims else variable
        _seen_by_gdal(item.assets[str(layer)].href, variable, first)


def test_what_is_read_again_is_a_cube(cube: xr.Dataset, tmp_path: Path) -> None:
    """xarray makes floats of a mask with a fill value; mosaics, masks and exports know it for what it is."""
    write_cube(cube, tmp_path / "x.zarr")
    again = xr.open_zarr(tmp_path / "x.zarr", decode_coords="all")
    for made in (lambda c: c.sar.mask(), lambda c: sarcube.mosaic(c, "mean", "all")):
        one, other = (made(c).compute(scheduler="sync") for c in (cube, again))
        np.testing.assert_array_equal(one["VV"], other["VV"])
    merged = sarcube.mosaic(again, "mean", "all").compute(scheduler="sync")
    np.testing.assert_array_equal(merged["mask"], sarcube.mosaic(cube, "mean", "all")["mask"].values)
    (item, *_) = write_cogs(again, tmp_path / "cogs")
    with rasterio.open(item.assets["mask"].href) as there:
        assert (there.dtypes[0], there.nodata) == ("uint8", 255)


def _shape(item: pystac.Item) -> Any:
    from shapely.geometry import shape

    return shape(item.geometry)


def test_across_the_antimeridian_no_ring_round_the_globe(bursts: Any, tmp_path: Path) -> None:
    grid = GeoGrid(32660, 812000, 1824000, 20, 800, 60)
    made = bursts.burst(grid, "t052_001000_iw1", layers={"VV": np.full(grid.shape, 0.1)})
    (item,) = write_cogs(sarcube.open_cube([made])[["VV"]], tmp_path)
    west, south, east, north = item.bbox or ()
    assert west > 179 and east < -179 and south < north
    shape = _shape(item)
    assert shape.geom_type == "MultiPolygon"
    assert shape.area < 0.01  # 16 x 1.2 km; a ring around the globe has 4 square degrees
    again = sarcube.open_cube([item], bbox=(179.99, south, -179.99, north))
    assert 0 < again.sizes["x"] < 800


def test_gsd_is_metres(bursts: Any, tmp_path: Path) -> None:
    for grid, expected in ((GRID, 20.0), (GeoGrid(4326, 8.0, 48.0, 0.0002, 60, 50), 22.26)):
        made = bursts.burst(grid, "t052_001000_iw1", layers={"VV": np.full(grid.shape, 0.1)})
        (item,) = write_cogs(sarcube.open_cube([made]), tmp_path / str(grid.epsg))
        assert item.properties["gsd"] == pytest.approx(expected, rel=0.01)


FORMATS = ("x.zarr", "x.nc", "cogs")


@pytest.mark.parametrize("to", FORMATS)
def test_the_same_is_kept_and_said(cube: xr.Dataset, tmp_path: Path, to: str) -> None:
    first = write_cube(cube, tmp_path / to)
    assert "existed" not in first
    second = write_cube(cube, tmp_path / to)
    assert "existed" in second
    assert ("3 existed" in second) == (to == "cogs")


@pytest.mark.parametrize("to", FORMATS)
def test_other_options_never_keep_old_pixels(items: list[pystac.Item], tmp_path: Path, to: str) -> None:
    out = tmp_path / to

    def refuses(made: xr.Dataset, match: str) -> None:
        with pytest.raises(CubeError, match=rf"(?s){match}.*overwrite"):
            write_cube(made, out)

    def opened(**options: Any) -> xr.Dataset:
        return sarcube.open_cube(items, chunks=64, **options)

    write_cube(opened(), out)
    refuses(opened(merge="mean"), "merge first, now mean")
    refuses(opened().sar.mask(), "left_out none, now shadow layover")
    refuses(opened().sar.speckle("lee"), "VV:speckle_filter none, now lee")
    refuses(opened().sar.db(), "VV:units 1, now dB")
    written = write_cube(opened().sar.db(), out, overwrite=True)
    assert "existed" not in written
    assert "existed" in write_cube(opened().sar.db(), out)


@pytest.mark.parametrize("to", FORMATS)
def test_mosaics_and_timescans_too(cube: xr.Dataset, items: list[pystac.Item], tmp_path: Path, to: str) -> None:
    def made(kind: str, option: Any) -> xr.Dataset:
        if kind == "mosaic":
            return sarcube.mosaic(cube, option, "all")
        return timescan(cube, option)

    pairs = (
        ("mosaic", "first", "mean", "mosaic first, now mean"),
        ("timescan", TimescanOptions(), TimescanOptions(scale="db"), "scale power, now db"),
        ("timescan", TimescanOptions(), TimescanOptions(remove_outliers=True), "outliers_removed 0, now 1"),
    )
    for i, (kind, one, other, match) in enumerate(pairs):
        out = tmp_path / str(i) / to
        write_cube(made(kind, one), out)
        assert "existed" in write_cube(made(kind, one), out)
        with pytest.raises(CubeError, match=match):
            write_cube(made(kind, other), out)
    # A picture of the same dates, of which one was made anew meanwhile.
    newer = items[1].clone()
    newer.id = newer.id.replace("20230101T000000Z", "20240101T000000Z")
    with pytest.raises(CubeError, match="its products"):
        write_cube(timescan(sarcube.open_cube([items[0], newer, items[2]])), tmp_path / "1" / to)


def test_item_says_how_it_was_made(cube: xr.Dataset, tmp_path: Path) -> None:
    (item, *_) = write_cogs(sarcube.mosaic(cube, "mean", "all"), tmp_path / "a")
    stored = json.loads((tmp_path / "a" / f"{item.id}.json").read_text())
    assert stored["properties"]["sarcube:made_by"]["mosaic"] == "mean"
    # An item of version 0.1 says nothing of it: nothing can be vouched for.
    del stored["properties"]["sarcube:made_by"]
    (tmp_path / "a" / f"{item.id}.json").write_text(json.dumps(stored))
    with pytest.raises(CubeError, match="does not say how it was made"):
        write_cogs(sarcube.mosaic(cube, "mean", "all"), tmp_path / "a")


def test_files_without_items_are_compared_as_well(cube: xr.Dataset, tmp_path: Path) -> None:
    plain = CogOptions(stac=False)
    write_cogs(sarcube.mosaic(cube, "first", "all"), tmp_path, plain)
    write_cogs(sarcube.mosaic(cube, "first", "all"), tmp_path, plain)
    with pytest.raises(CubeError, match="mosaic first, now mean"):
        write_cogs(sarcube.mosaic(cube, "mean", "all"), tmp_path, plain)


@pytest.mark.parametrize("to", FORMATS)
def test_where_nothing_can_be_written(cube: xr.Dataset, tmp_path: Path, to: str) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(CubeError, match=r"cannot be (written|made|looked into).*choose another"):
        write_cube(cube, tmp_path / "file" / to)


def test_netcdf_that_is_something_else_is_not_lost(cube: xr.Dataset, tmp_path: Path) -> None:
    (tmp_path / "x.nc").write_text("a letter")
    with pytest.raises(CubeError, match="no NetCDF that can be read"):
        write_cube(cube, tmp_path / "x.nc")
    assert (tmp_path / "x.nc").read_text() == "a letter"
    shutil.rmtree(tmp_path / "cut.nc", ignore_errors=True)
    write_cube(cube.isel(x=slice(5, None)), tmp_path / "cut.nc")
    with pytest.raises(CubeError, match=r"another cube .*differs in x"):
        write_cube(cube, tmp_path / "cut.nc")
