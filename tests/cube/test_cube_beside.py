"""Coherence of consecutive dates beside backscatter: one grid, one axis of time, and statistics of both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pystac
import pytest

import sarcube
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid
from tests.cube.pairs import GRID, PLACE, item

DAYS = ("2024-05-01", "2024-05-13", "2024-05-25", "2024-06-06")
FINE = GeoGrid(GRID.epsg, GRID.left, GRID.top, 20.0, 4 * GRID.width, 4 * GRID.height)
NEIGHBOUR = "t066_140001_iw3"


def level(k: int) -> float:
    return 0.1 * (k + 1)


@pytest.fixture
def items(tmp_path: Path) -> list[pystac.Item]:
    """Four dates of backscatter at 20 m; at 80 m pairs of VV to the next date and the one after, of VH to the next."""
    made = [
        item(
            tmp_path,
            {"VV": np.full(FINE.shape, level(k)), "VH": np.full(FINE.shape, 0.02)},
            day,
            kind="RTC_S1",
            grid=FINE,
        )
        for k, day in enumerate(DAYS)
    ]
    for a in range(4):
        for b in (a + 1, a + 2):
            if b < 4:
                gamma = np.full(GRID.shape, 0.8 - 0.1 * a if b == a + 1 else 0.11)
                gamma[:10] = np.nan
                made.append(item(tmp_path, {"coherence": gamma, "interferogram": gamma + 0j}, DAYS[a], DAYS[b]))
        if a < 3:
            gamma = np.full(GRID.shape, 0.3)
            layers = {"coherence": gamma, "interferogram": gamma + 0j}
            made.append(item(tmp_path, layers, DAYS[a], DAYS[a + 1], channel="VH"))
    return made


def test_coherence_to_the_next_date_stands_beside_backscatter(items: list[pystac.Item]) -> None:
    cube = sarcube.open_cube(items, layers=["VV", "coherence_VV", "coherence_VH"])
    assert cube["VV"].shape == (4, *FINE.shape) == cube["coherence_VV"].shape
    assert cube.rio.transform().a == 20.0
    gamma = cube["coherence_VV"].values
    for k in range(3):
        assert float(cube["VV"][k, 100, 100]) == pytest.approx(level(k))
        np.testing.assert_allclose(gamma[k, 45:], 0.8 - 0.1 * k, rtol=1e-6)
        assert np.isnan(gamma[k, :36]).all()
    assert np.isnan(gamma[3]).all(), "the last date has no next one"
    assert [str(t)[:10] for t in cube["next_date"].values] == [*DAYS[1:], "NaT"]
    assert np.nanmax(np.abs(cube["coherence_VH"].values - 0.3)) < 1e-6
    assert "pair" not in cube.coords and cube["merged"].values.tolist() == [1, 1, 1, 1]


def test_statistics_of_both(items: list[pystac.Item]) -> None:
    cube = sarcube.open_cube(items, layers=["VV", "coherence_VV"])
    scan = cube.sar.timescan(["mean", "min", "count"]).compute()
    assert float(scan["VV_mean"][200, 100]) == pytest.approx(0.25)
    assert float(scan["coherence_VV_mean"][200, 100]) == pytest.approx(0.7)
    assert float(scan["coherence_VV_min"][200, 100]) == pytest.approx(0.6)
    assert float(scan["coherence_VV_count"][200, 100]) == 3
    decibel = cube.sar.timescan(["mean"], scale="db").compute()
    assert float(decibel["VV_mean"][200, 100]) == pytest.approx(10 * np.log10(0.25))
    assert float(decibel["coherence_VV_mean"][200, 100]) == pytest.approx(0.7), "coherence has no decibel"
    assert decibel["coherence_VV_mean"].attrs["units"] == "1"
    shown = cube.sar.db()
    assert float(shown["VV"][0, 200, 100]) == pytest.approx(-10.0)
    assert float(shown["coherence_VV"][0, 200, 100]) == pytest.approx(0.8)


def test_a_pair_that_passes_over_a_date_is_not_to_the_next_one(items: list[pystac.Item]) -> None:
    """Without the pair of the first two dates there is no coherence at the first, though a longer pair begins there."""
    left = [i for i in items if i.properties.get("insar:secondary_datetime", "")[:10] != DAYS[1]]
    gamma = sarcube.open_cube(left, layers=["VV", "coherence_VV"])["coherence_VV"].values
    assert np.isnan(gamma[0]).all() and np.nanmedian(gamma[1]) == pytest.approx(0.7)


def test_layers_tell_the_kind(items: list[pystac.Item], tmp_path: Path) -> None:
    assert list(sarcube.open_cube(items, layers=["VV", "VH"])) == ["VV", "VH"]
    assert sarcube.open_cube(items, layers="interferogram", dates=DAYS[0]).sizes["time"] == 3
    alone = sarcube.open_cube(items, layers=["coherence_VV"])
    assert alone.sizes["time"] == 3 and alone.rio.transform().a == 80.0
    pairs = [i for i in items if i.properties["sarcube:kind"] == "INSAR_S1"]
    np.testing.assert_array_equal(
        sarcube.open_cube(pairs, layers="coherence_VV")["coherence_VV"], alone["coherence_VV"]
    )
    with pytest.raises(CubeError, match=r"several kinds of products: INSAR_S1 .*collection="):
        sarcube.open_cube(items)
    with pytest.raises(CubeError, match="several kinds"):
        sarcube.open_cube(items, layers=["VV", "coherence_HH"])
    rtc = [i for i in items if i.properties["sarcube:kind"] == "RTC_S1"]
    with pytest.raises(CubeError, match="no selected product has a layer 'coherence_VV'"):
        sarcube.open_cube(rtc, layers=["VV", "coherence_VV"])


def test_bursts_of_a_pass_and_dates_that_backscatter_lacks(items: list[pystac.Item], tmp_path: Path) -> None:
    """A neighbour of which only pairs were made is there with its coherence, on the steps and pixels of the others."""
    shifted = GeoGrid(GRID.epsg, GRID.left + 80 * 80.0, GRID.top, 80.0, 20, 70)
    values = {"coherence": np.full(shifted.shape, 0.9)}
    more = item(tmp_path, values, DAYS[0], DAYS[1], grid=shifted, place=NEIGHBOUR)
    cube = sarcube.open_cube([*items, more], layers=["VV", "coherence_VV"])
    assert cube["VV"].shape == (4, *FINE.shape) and cube["merged"].values.tolist() == [2, 1, 1, 1]
    first = cube["coherence_VV"].isel(time=0).values
    assert first[8, 340] == pytest.approx(0.9) and np.isnan(first[8, 300]) and first[200, 340] == pytest.approx(0.8)


def test_static_layers_of_both_kinds(items: list[pystac.Item], tmp_path: Path) -> None:
    """Of one name those on the pixels of the dates; the others from the kind that has them."""
    timed = {"sarcube:timed": False}
    fine = item(
        tmp_path,
        {"digital_elevation_model": np.full(FINE.shape, 20.0)},
        DAYS[0],
        kind="RTC_S1_STATIC",
        grid=FINE,
        **timed,
    )
    layers = {"digital_elevation_model": np.full(GRID.shape, 80.0), "los_up": np.full(GRID.shape, 0.8)}
    coarse = item(tmp_path, layers, DAYS[0], kind="INSAR_S1_STATIC", **timed)
    cube = sarcube.open_cube([*items, coarse, fine], layers=["VV"], static=["digital_elevation_model", "los_up"])
    assert float(cube["digital_elevation_model"][5, 5]) == 20.0 and float(cube["los_up"][5, 5]) == pytest.approx(0.8)
    pairs = sarcube.open_cube([*items, coarse, fine], layers=["interferogram"], static=["digital_elevation_model"])
    assert float(pairs["digital_elevation_model"][5, 5]) == 80.0
    assert PLACE in str(pairs["place"].values[0])
