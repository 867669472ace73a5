"""Composites: SNAC's bytes, its picture of two dates, and what is written beside it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from PIL import Image

from sarcube.cube.composite.make import composite, to_web_mercator
from sarcube.cube.composite.presets import get_preset
from sarcube.cube.composite.stretch import decibel, snac_bytes
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid


def test_bytes_are_those_of_the_formula_byte_for_byte() -> None:
    # In exact integers: 12.7 dB + 191.5 = (127 milli-dB + 1 915 000) / 10 000, dB in steps of a thousandth.
    milli = np.arange(-20_000, 10_001)
    cut = np.clip(milli, -15_000, 5_000)
    expected = (127 * cut + 1_915_000) // 10_000
    found = snac_bytes(milli / 1000.0)
    # A step that falls on a whole number exactly may come out on either side of it in binary: none is off otherwise.
    exact = (127 * cut + 1_915_000) % 10_000 == 0
    np.testing.assert_array_equal(found[~exact], expected[~exact])
    assert np.abs(found[exact].astype(int) - expected[exact]).max() <= 1
    assert (found[milli <= -15_000] == 1).all() and (found[milli >= 5_000] == 255).all()
    assert snac_bytes(np.array([np.nan]))[0] == 0


def test_from_sigma0_as_the_service_computes_it() -> None:
    sigma0 = np.random.default_rng(1).gamma(4.4, 0.05, 100_000)
    db = np.minimum(np.maximum(10 * np.log10(sigma0), -15.0), 5.0)
    np.testing.assert_array_equal(snac_bytes(decibel(sigma0)), np.floor(12.7 * db + 191.5).astype(np.uint8))
    assert np.isnan(decibel(np.array([0.0, -1.0, np.nan]))).all()


def cube_of(early: np.ndarray, late: np.ndarray) -> xr.Dataset:
    times = np.array(["2024-05-01T05:00:00", "2024-05-13T05:00:00"], "datetime64[ns]")
    return xr.Dataset({"VV": (("time", "y", "x"), np.stack([early, late]))}, {"time": times})


def test_red_is_the_later_date_and_what_one_lacks_both_lack() -> None:
    early = np.array([[0.1, 0.1, np.nan, 10**0.5]], np.float32)
    late = np.array([[10**0.5, 0.001, 0.1, 0.1]], np.float32)
    picture = get_preset("snac").make(cube_of(early, late), "fixed")["rgb"]
    red, green, blue = picture.rgb
    np.testing.assert_array_equal(green, blue)
    assert red[0].tolist() == [255, 1, 0, 64] and green[0].tolist() == [64, 64, 0, 255]
    names = list(picture.layers)
    assert names == ["VV_20240501_dB", "VV_20240513_dB", "VV_difference_dB"]
    difference = picture.layers["VV_difference_dB"][0]
    assert difference[0] == pytest.approx(15.0, abs=1e-3) and np.isnan(difference[2])
    assert picture.names[0] == "VV_20240513_dB"


def test_the_web_map_holds_the_same_bytes_and_alpha() -> None:
    rgb = np.zeros((3, 60, 80), np.uint8)
    rgb[:, 10:50, 20:70] = np.array([200, 30, 30])[:, None, None]
    rgba, target = to_web_mercator(rgb, GeoGrid(32632, 400_000.0, 5_300_000.0, 20.0, 80, 60))
    assert target.epsg == 3857 and rgba.shape[0] == 4
    inside = rgba[3] == 255
    assert set(np.unique(rgba[3])) == {0, 255} and (rgba[0][inside] == 200).all() and not rgba[:3, ~inside].any()


def test_the_web_map_goes_on_across_the_antimeridian() -> None:
    """GDAL lays both sides apart, with the Earth between them: a picture of no rows."""
    rgb = np.tile(np.arange(1, 221, dtype=np.uint8), (3, 300, 1))
    rgba, target = to_web_mercator(rgb, GeoGrid(32701, 170_000.0, 8_124_000.0, 80.0, 220, 300))
    half = np.pi * 6_378_137.0
    assert target.left < half < target.right and target.width == pytest.approx(220, rel=0.1)
    assert rgba[3].mean() > 0.9 * 255
    grown = rgba[0].astype(int)
    inside = (rgba[3][:, 1:] == 255) & (rgba[3][:, :-1] == 255)
    assert set(np.diff(grown, axis=1)[inside]) <= {0, 1, 2}, "no seam at 180 degrees"


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    early, late = rng.gamma(4.4, 0.05, (2, 64, 96)).astype(np.float32)
    late[20:40, 30:60] *= 8
    early[:, :5] = np.nan
    cube = cube_of(early, late).assign_coords(
        x=400_000.0 + 20 * (np.arange(96) + 0.5), y=5_300_000.0 - 20 * (np.arange(64) + 0.5)
    )
    cube = cube.assign_coords(spatial_ref=((), 0, {"crs_wkt": rasterio.CRS.from_epsg(32632).to_wkt()}))
    monkeypatch.setattr("sarcube.cube.composite.make.open_cube", lambda store, **_: cube)
    monkeypatch.setattr(
        "sarcube.cube.composite.make.grid_of", lambda _: GeoGrid(32632, 400_000.0, 5_300_000.0, 20.0, 96, 64)
    )
    made = composite("store", tmp_path / "out", "snac")
    assert [p.name for p in made.layers] == [
        f"S1_amplitude_change_20240501_20240513_VV_{name}_dB.tif" for name in ("20240501", "20240513", "difference")
    ]
    with rasterio.open(made.layers[2]) as source:
        np.testing.assert_allclose(source.read(1)[30, 40], 10 * np.log10(late[30, 40] / early[30, 40]), rtol=1e-5)
        assert source.tags()["PRESET"] == "snac" and source.crs.to_epsg() == 32632
    with rasterio.open(made.rgb) as source:
        assert source.crs.to_epsg() == 3857 and source.count == 4
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        values = source.read()
    np.testing.assert_array_equal(np.moveaxis(np.asarray(Image.open(made.png)), -1, 0), values)
    assert np.asarray(Image.open(made.legend)).shape[0] > 100
    record = json.loads(made.record.read_text())
    assert record["earlier"] == "2024-05-01" and record["later"] == "2024-05-13" and record["crs"] == "EPSG:32632"


def test_what_cannot_be_made_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CubeError, match="there are snac"):
        composite("store", tmp_path, "nonsense")
    with pytest.raises(CubeError, match="not coherence"):
        composite("store", tmp_path, "snac", layer="coherence")
    one = cube_of(np.ones((2, 2), np.float32), np.ones((2, 2), np.float32)).isel(time=[0])
    monkeypatch.setattr("sarcube.cube.composite.make.open_cube", lambda store, **_: one)
    with pytest.raises(CubeError, match="compares 2 dates"):
        composite("store", tmp_path, "snac")
    with pytest.raises(CubeError, match="no VH"):
        composite("store", tmp_path, "snac", layer="VH")
    assert not list(tmp_path.iterdir())
