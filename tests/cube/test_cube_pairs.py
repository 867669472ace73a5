"""Pairs in a cube: their axis and names, network, closures, coherence through time, and what exports keep of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import xarray as xr

import sarcube
from sarcube.cube.cog_export import write_cogs
from sarcube.cube.pairs.axis import by_time, network_of, pair_names
from sarcube.cube.pairs.closure import triangles
from sarcube.errors import CubeError
from tests.catalog.verdicts import judge_alike
from tests.cube.pairs import GRID, item

DAYS = ("2024-05-01", "2024-05-13", "2024-05-25", "2024-06-06")


def phases(seed: int = 1) -> dict[str, np.ndarray]:
    """A phase history of each date; pairs are their differences."""
    rng = np.random.default_rng(seed)
    return {day: rng.normal(0, 2, GRID.shape) for day in DAYS}


def pair(folder: Path, first: str, second: str, gamma: float = 0.7, extra: float = 0.0, **more: Any) -> pystac.Item:
    history = phases()
    ifg = np.exp(1j * (history[second] - history[first] + extra))
    ifg[:5] = np.nan
    layers = {"interferogram": ifg, "coherence": np.where(np.isfinite(ifg), gamma, np.nan)}
    return item(folder, layers, first, second, **more)


@pytest.fixture
def items(tmp_path: Path) -> list[pystac.Item]:
    """Every date with the next two: five pairs, two triangles."""
    links = ((0, 1), (1, 2), (2, 3), (0, 2), (1, 3))
    return [pair(tmp_path, DAYS[a], DAYS[b], 0.8 if b - a == 1 else 0.5) for a, b in links]


def test_an_axis_of_pairs(items: list[pystac.Item]) -> None:
    cube = sarcube.open_cube(items)
    assert cube["interferogram"].dims == ("time", "y", "x")
    assert list(cube["pair"].values)[:2] == ["20240501_20240513", "20240501_20240525"]
    assert float(cube["wavelength"][0]) == pytest.approx(0.05546576, abs=1e-7)
    turned = cube.insar.pairs
    one = turned.sel(pair="20240513_20240606")
    assert str(one["reference"].values)[:10] == "2024-05-13" and str(one["secondary"].values)[:10] == "2024-06-06"
    assert float(one["temporal_baseline"]) == 24.0 and float(one["perpendicular_baseline"]) == 50.0
    assert turned.rio.crs.to_epsg() == 32632
    assert by_time(turned).identical(cube) and turned.insar.pairs is turned
    phase = turned.insar.phase().sel(pair="20240501_20240513").values
    expected = np.angle(np.exp(1j * (phases()[DAYS[1]] - phases()[DAYS[0]])))
    np.testing.assert_allclose(phase[5:], expected[5:], atol=1e-5)
    assert np.isnan(phase[:5]).all()


def test_names_tell_pairs_apart() -> None:
    first = np.array(["2024-05-01T05:00"] * 4, "datetime64[ns]")
    second = np.array(["2024-05-13T05:00"] * 4, "datetime64[ns]")
    names = pair_names(first, second, ["VV", "VH", "VV", "VV"], [66, 66, 139, 66])
    ends = [name.removeprefix("20240501_20240513_") for name in names]
    assert ends == ["T066_VV", "T066_VH", "T139", "T066_VV_2"]


def test_the_network_is_a_table(items: list[pystac.Item]) -> None:
    cube = sarcube.open_cube(items)
    table = cube.insar.network(coherence=True)
    assert list(table.columns) == ["reference", "secondary", "days", "perpendicular", "channel", "track", "coherence"]
    assert table.loc["20240501_20240513", "coherence"] == pytest.approx(0.8) and (table["track"] == 66).all()
    assert [str(day)[:10] for day in cube.insar.dates] == list(DAYS)
    net = network_of(cube)
    assert net.first.tolist() == [0, 0, 1, 1, 2] and net.second.tolist() == [1, 2, 2, 3, 3]
    net.check_connected()
    apart = network_of(cube.isel(time=[0, 4]))
    with pytest.raises(CubeError, match=r"2 parts.*2024-05-01, 2024-05-13; 2024-05-25, 2024-06-06"):
        apart.check_connected()


def test_closures_of_single_looks_are_nothing_and_a_bias_shows(items: list[pystac.Item], tmp_path: Path) -> None:
    closed = sarcube.open_cube(items).insar.closure()
    assert closed.sizes["triangle"] == 2 and str(closed["middle"].values[0])[:10] == "2024-05-13"
    values = closed.values
    assert np.nanmax(np.abs(values)) < 1e-5 and np.isnan(values[:, :5]).all()
    items[3] = pair(tmp_path, DAYS[0], DAYS[2], extra=0.4)
    biased = sarcube.open_cube(items).insar.closure().values[0]
    assert np.nanmedian(biased) == pytest.approx(-0.4, abs=1e-5)
    with pytest.raises(CubeError, match="next: 2"):
        sarcube.open_cube(items[:3]).insar.closure()


def test_triangles_are_of_one_place_where_steps_are_of_single_bursts(items: list[pystac.Item]) -> None:
    """Two bursts, the second without one of its pairs: its sides close no triangle with those of the first."""
    cube = sarcube.open_cube(items)
    other = cube.isel(time=[0, 2, 3, 4])
    both = xr.concat([cube, other], "time").assign_coords(place=("time", ["t066_1_iw1"] * 5 + ["t066_2_iw1"] * 4))
    assert len(triangles(cube)) == 2
    found = triangles(both)
    assert sorted(tuple(k < 5 for k in sides) for sides in found) == [(False,) * 3, (True,) * 3, (True,) * 3]
    merged = cube.assign_coords(place=("time", ["", "t066_1_iw1", "", "", ""]))  # one burst alone in one pair
    assert triangles(merged) == triangles(cube)


def test_coherence_through_time(items: list[pystac.Item]) -> None:
    mean = sarcube.open_cube(items).insar.mean_coherence()
    assert mean.dims == ("y", "x") and mean.rio.crs.to_epsg() == 32632
    assert np.nanmedian(mean.values) == pytest.approx((3 * 0.8 + 2 * 0.5) / 5)
    turned = sarcube.open_cube(items).insar.pairs.insar.mean_coherence()
    np.testing.assert_array_equal(turned.values, mean.values)


def test_exports_keep_pairs_apart_and_what_they_are(
    items: list[pystac.Item], official: Path | None, tmp_path: Path
) -> None:
    """Two pairs of one first date have names of their own, and the folder opens as the pairs that it was."""
    cube = sarcube.open_cube(items)
    write_cogs(cube, tmp_path / "out")
    again = sarcube.open_cube(tmp_path / "out")
    assert again.sizes["time"] == 5
    for name in ("pair", "secondary", "temporal_baseline", "perpendicular_baseline", "channel"):
        np.testing.assert_array_equal(again[name], cube[name])
    np.testing.assert_allclose(again["wavelength"], cube["wavelength"], rtol=1e-8)
    np.testing.assert_array_equal(again["interferogram"].values, cube["interferogram"].values)
    for step in range(2):
        write_cogs(cube.isel(time=[step]), tmp_path / "nested" / str(cube["pair"].values[step]))
    assert sarcube.open_cube(tmp_path / "nested").sizes["time"] == 2
    judge_alike(tmp_path / "out", official)


def test_a_cube_without_pairs_says_so(tmp_path: Path) -> None:
    alone = sarcube.open_cube([item(tmp_path, {"VV": np.ones(GRID.shape)}, DAYS[0], kind="RTC_S1")])
    for ask in (lambda: alone.insar.pairs, alone.insar.network, alone.insar.closure):
        with pytest.raises(CubeError, match="no pairs of dates"):
            ask()
    with pytest.raises(CubeError, match="open it with layers"):
        alone.insar.mean_coherence()
