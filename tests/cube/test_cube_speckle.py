"""Speckle filters against what their papers promise, on simulated speckle."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from sarcube.cube.speckle import SpeckleOptions, equivalent_looks, filter_speckle
from sarcube.engines.speckle import local_mean
from sarcube.errors import CubeError

LOOKS = 4.4
SINGLE = ("lee", "refined_lee", "gamma_map")


def _cube(values: NDArray[np.float32], chunk: int = 64) -> xr.Dataset:
    times = np.datetime64("2022-01-03T05:00", "ns") + np.arange(len(values)) * np.timedelta64(12, "D")
    array = xr.DataArray(values, dims=("time", "y", "x"), coords={"time": times})
    return xr.Dataset({"VV": array.chunk(time=1, y=chunk, x=chunk)})


def _speckle(dates: int, size: int = 160, seed: int = 1) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    # Every date has its own level, as seasons do.
    level = np.linspace(0.05, 0.3, dates)[:, None, None]
    return (rng.gamma(LOOKS, 1 / LOOKS, (dates, size, size)) * level).astype(np.float32)


def _inner(cube: xr.Dataset) -> xr.DataArray:
    return cube["VV"].isel(y=slice(8, -8), x=slice(8, -8))


@pytest.mark.parametrize(("dates", "window"), [(10, 5), (10, 7), (25, 7)])
def test_quegan_yu_gains_the_published_looks(dates: int, window: int) -> None:
    filtered = filter_speckle(_cube(_speckle(dates)), SpeckleOptions("quegan_yu", window)).compute(scheduler="sync")
    gained = equivalent_looks(_inner(filtered)).mean()
    pixels = window * window  # Quegan and Yu 2001: M N L / (M + N - 1)
    assert float(gained) == pytest.approx(dates * pixels * LOOKS / (dates + pixels - 1), rel=0.06)


@pytest.mark.parametrize("window", [3, 7, 41])
def test_quegan_yu_is_its_paper_s_equation(window: int) -> None:
    """J_k = (m_k / M) sum of I_i / m_i, with the local means of scipy's filter."""
    values = _speckle(6, size=50)
    rng = np.random.default_rng(4)
    values[rng.random(values.shape) < 0.1] = np.nan
    values[:, :20, 30:] = np.nan
    values[3, 25:] = np.nan
    values[1, 40, 40] *= 1e6
    mean = np.stack([local_mean(image, window) for image in values])
    ratio = values / mean
    count = np.isfinite(ratio).sum(axis=0)
    texture = np.where(count > 0, np.nansum(ratio, axis=0) / np.maximum(count, 1), np.nan)
    expected = np.where(np.isnan(values), np.nan, mean * texture)
    filtered = filter_speckle(_cube(values, chunk=50), SpeckleOptions("quegan_yu", window)).compute(scheduler="sync")
    np.testing.assert_allclose(filtered["VV"], expected, rtol=1e-5)


def test_quegan_yu_keeps_each_dates_level_and_details() -> None:
    values = _speckle(12)
    values[:, 80:83, 80:83] *= 50
    filtered = filter_speckle(_cube(values), SpeckleOptions("quegan_yu")).compute(scheduler="sync")
    levels = np.linspace(0.05, 0.3, 12)
    np.testing.assert_allclose(_inner(filtered).mean(("y", "x")) / _inner(_cube(values)).mean(("y", "x")), 1, atol=0.02)
    assert abs(float(filtered["VV"][5, 80:83, 80:83].mean()) / (50 * levels[5]) - 1) < 0.25


@pytest.mark.parametrize("method", SINGLE)
def test_single_date_filters_keep_the_mean_and_gain_looks(method: str) -> None:
    values = _speckle(2, size=200)
    filtered = filter_speckle(_cube(values), SpeckleOptions(method, enl=LOOKS)).compute(scheduler="sync")  # type: ignore[arg-type]
    ratio = _inner(filtered).mean(("y", "x")) / _inner(_cube(values)).mean(("y", "x"))
    np.testing.assert_allclose(10 * np.log10(ratio), 0, atol=0.1)
    # A 7 x 7 mean would reach 49 times the looks; adaptive filters keep part of the speckle as texture.
    assert float(equivalent_looks(_inner(filtered)).min()) > 6 * LOOKS


@pytest.mark.parametrize("method", SINGLE)
def test_edges_stay_where_they_are(method: str) -> None:
    values = _speckle(1, size=120)
    values[:, :, 60:] *= 20
    filtered = filter_speckle(_cube(values), SpeckleOptions(method, enl=LOOKS)).compute(scheduler="sync")  # type: ignore[arg-type]
    profile = filtered["VV"][0].mean("y")
    dark, bright = float(profile[20:50].mean()), float(profile[70:100].mean())
    assert float(profile[58]) < dark + 0.25 * (bright - dark)
    assert float(profile[61]) > dark + 0.75 * (bright - dark)


@pytest.mark.parametrize("method", ("quegan_yu", *SINGLE))
def test_missing_values_stay_and_do_not_spread(method: str) -> None:
    values = _speckle(4, size=90)
    values[:, :30] = np.nan
    values[2, 50:60, 50:60] = np.nan
    filtered = filter_speckle(_cube(values, chunk=37), SpeckleOptions(method, enl=LOOKS)).compute(scheduler="sync")  # type: ignore[arg-type]
    np.testing.assert_array_equal(np.isnan(filtered["VV"]), np.isnan(values))
    whole = filter_speckle(_cube(values, chunk=90), SpeckleOptions(method, enl=LOOKS)).compute(scheduler="sync")  # type: ignore[arg-type]
    np.testing.assert_allclose(filtered["VV"], whole["VV"], rtol=1e-5)  # chunks leave no seams


def test_the_local_mean_is_over_valid_pixels() -> None:
    image = np.random.default_rng(0).random((20, 20))
    image[5:9, 3:15] = np.nan
    found = local_mean(image, 5)
    for row, col in ((0, 0), (4, 4), (7, 8), (12, 19)):
        window = image[max(row - 2, 0) : row + 3, max(col - 2, 0) : col + 3]
        assert found[row, col] == pytest.approx(np.nanmean(window))


def test_wrong_options_say_what_is_possible() -> None:
    with pytest.raises(CubeError, match="window is an odd number"):
        SpeckleOptions(window=6)
    with pytest.raises(CubeError, match="quegan_yu, lee, refined_lee, gamma_map, not 'frost'"):
        SpeckleOptions("frost")  # type: ignore[arg-type]
    with pytest.raises(CubeError, match="two dates or more"):
        filter_speckle(_cube(_speckle(1)))
