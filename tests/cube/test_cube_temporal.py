"""Temporal metrics against numpy on full arrays; change against its own significance."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from sarcube.cube import temporal
from sarcube.cube.change import ChangeOptions, detect_change
from sarcube.cube.temporal import TimescanOptions, timescan, years
from sarcube.errors import CubeError


def _cube(values: NDArray[np.float32], chunk: int = 20, days: int = 12) -> xr.Dataset:
    times = np.datetime64("2022-01-03T05:00", "ns") + np.arange(len(values)) * np.timedelta64(days, "D")
    array = xr.DataArray(values, dims=("time", "y", "x"), coords={"time": times})
    return xr.Dataset({"VV": array.chunk(time=1, y=chunk, x=chunk)})


@pytest.fixture(scope="module")
def values() -> NDArray[np.float32]:
    rng = np.random.default_rng(3)
    stack = rng.gamma(4, 0.05, (31, 50, 45)).astype(np.float32)
    stack[rng.random(stack.shape) < 0.2] = np.nan
    stack[:, 0, 0] = np.nan
    stack[3:, 0, 1] = np.nan
    return stack


def _numpy(stack: NDArray[np.float64], metric: str) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if metric == "count":
            return (~np.isnan(stack)).sum(axis=0).astype(np.float64)
        if metric == "cov":
            return np.nanstd(stack, axis=0) / np.nanmean(stack, axis=0)
        if metric.startswith("p"):
            return np.nanpercentile(stack, float(metric[1:]), axis=0)
        return getattr(np, f"nan{metric}")(stack, axis=0)


@pytest.mark.parametrize("scale", ["power", "db"])
@pytest.mark.parametrize("path", ["moments", "stack"])
def test_metrics_equal_numpy(values: NDArray[np.float32], scale: str, path: str) -> None:
    names = ("mean", "min", "max", "std", "cov", "count") + (("median", "p5", "p97.5") if path == "stack" else ())
    scanned = timescan(_cube(values), TimescanOptions(metrics=names, scale=scale)).compute(scheduler="sync")  # type: ignore[arg-type]
    for name in names:
        expected = _numpy(values.astype(np.float64), name)
        if scale == "db" and name not in ("std", "cov", "count"):
            expected = 10 * np.log10(expected)
        np.testing.assert_allclose(scanned[f"VV_{name}"], expected, rtol=1e-5, atol=1e-6, err_msg=name)


def test_outliers_follow_the_rule(values: NDArray[np.float32]) -> None:
    names = ("mean", "std", "median", "count")
    scanned = timescan(_cube(values), TimescanOptions(metrics=names, remove_outliers=True)).compute(scheduler="sync")
    kept = values.astype(np.float64).copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        enough = (~np.isnan(kept)).sum(axis=0) >= 5
        low, high = np.nanpercentile(kept, [5, 95], axis=0)
        kept[enough & ((kept < low) | (kept > high))] = np.nan
        mean, std = np.nanmean(kept, axis=0), np.nanstd(kept, axis=0)
        kept[enough & (np.abs(kept - mean) > 2 * std)] = np.nan
    assert not enough[0, 1]
    for name in names:
        np.testing.assert_allclose(scanned[f"VV_{name}"], _numpy(kept, name), rtol=1e-5, err_msg=name)


def test_trend_and_harmonic_are_found() -> None:
    count = 60
    cube = _cube(np.zeros((count, 4, 4), np.float32), days=12)
    t = years(cube["time"].values)
    middle = 0.5 * (t[0] + t[-1])
    truth = 0.2 + 0.03 * (t - middle) + 0.05 * np.cos(2 * np.pi * t - 1.1)
    stack = np.broadcast_to(truth[:, None, None], (count, 4, 4)).astype(np.float32).copy()
    stack[::7, 1, 1] = np.nan
    stack[3:, 2, 2] = np.nan
    cube = _cube(stack, days=12)
    found = timescan(cube, TimescanOptions(metrics=temporal.FITS)).compute(scheduler="sync")
    for pixel in ((0, 0), (1, 1)):
        assert float(found["VV_trend"][pixel]) == pytest.approx(0.03, rel=1e-4)
        assert float(found["VV_amplitude"][pixel]) == pytest.approx(0.05, rel=1e-4)
        assert float(found["VV_phase"][pixel]) == pytest.approx(1.1, abs=1e-4)
        assert float(found["VV_model_mean"][pixel]) == pytest.approx(0.2, rel=1e-4)
        assert float(found["VV_residual"][pixel]) < 1e-6
    assert np.isnan(found["VV_trend"][2, 2]), "three dates do not determine four unknowns"


@pytest.mark.parametrize(("dates", "days"), [(2, 12), (3, 12), (4, 10), (31, 12), (120, 12)])
@pytest.mark.parametrize("scale", ["power", "db"])
def test_trend_alone_is_the_least_squares_line(dates: int, days: int, scale: str) -> None:
    """Against numpy.polyfit, from two dates on: 0.33 per year over 30 days, and no season fitted along."""
    rng = np.random.default_rng(dates)
    stack = rng.gamma(4, 0.05, (dates, 4, 3)).astype(np.float32)
    stack[:, 3, 2] = np.nan
    if dates > 4:
        stack[::3, 1, 1] = np.nan
        stack[: dates - 2, 2, 2] = np.nan  # two dates, far from the middle of the series
    cube = _cube(stack, days=days)
    options = TimescanOptions(metrics=("mean", "trend"), scale=scale)  # type: ignore[arg-type]
    found = timescan(cube, options).compute(scheduler="sync")
    t = years(cube["time"].values)
    for i, j in np.ndindex(4, 3):
        seen = ~np.isnan(stack[:, i, j])
        if seen.sum() < 2:
            assert np.isnan(found["VV_trend"][i, j])
            continue
        values = stack[seen, i, j].astype(np.float64)
        slope = np.polyfit(t[seen] - t[0], 10 * np.log10(values) if scale == "db" else values, 1)[0]
        assert float(found["VV_trend"][i, j]) == pytest.approx(slope, rel=1e-4, abs=1e-6)


def test_fits_that_dates_cannot_carry_are_refused() -> None:
    def scan(dates: int, days: int, metric: str) -> xr.Dataset:
        cube = _cube(np.full((dates, 2, 2), 0.1, np.float32), days=days)
        return timescan(cube, TimescanOptions(metrics=("mean", metric)))

    with pytest.raises(CubeError, match=r"trend needs 2 dates or more, and the cube has 1"):
        scan(1, 12, "trend")
    with pytest.raises(CubeError, match=r"harmonic .* needs 4 dates or more, and the cube has 3"):
        scan(3, 200, "phase")
    with pytest.raises(CubeError, match=r"span a year .* these span 108 days; .* ask for the trend alone"):
        scan(10, 12, "amplitude")
    assert "VV_amplitude" in scan(30, 12, "amplitude")  # a calendar year of a 12-day repeat
    # A pixel that was seen for a part of the year only has a trend and no season.
    stack = np.full((40, 1, 1), 0.1, np.float32)
    stack[10:] = np.nan
    found = timescan(_cube(stack), TimescanOptions(metrics=("amplitude",))).compute(scheduler="sync")
    assert np.isnan(found["VV_amplitude"]).all()


def test_random_series_fit_as_lstsq_does() -> None:
    rng = np.random.default_rng(8)
    stack = rng.gamma(4, 0.05, (25, 3, 3)).astype(np.float32)
    stack[4, 1, 1] = np.nan
    cube = _cube(stack, days=16)
    found = timescan(cube, TimescanOptions(metrics=("trend", "amplitude"), scale="db")).compute(scheduler="sync")
    t = years(cube["time"].values)
    for i, j in ((0, 0), (1, 1)):
        seen = ~np.isnan(stack[:, i, j])
        angle = 2 * np.pi * t[seen]
        matrix = np.stack([np.ones(seen.sum()), t[seen], np.cos(angle), np.sin(angle)], axis=1)
        solution = np.linalg.lstsq(matrix, 10 * np.log10(stack[seen, i, j].astype(np.float64)), rcond=None)[0]
        assert float(found["VV_trend"][i, j]) == pytest.approx(solution[1], rel=1e-3)
        assert float(found["VV_amplitude"][i, j]) == pytest.approx(np.hypot(*solution[2:]), rel=1e-3)


def test_change_is_called_as_often_as_alpha_says() -> None:
    """Without change, the share of pixels called changed is alpha; with 3 dB, nearly all are found."""
    rng = np.random.default_rng(5)
    enl, alpha = 4.4, 0.05
    stack = (rng.gamma(enl, 1 / enl, (20, 150, 150)) * 0.1).astype(np.float32)
    stack[10:, :, 75:] *= 2
    cube = _cube(stack, chunk=75)
    change = detect_change(
        cube, ("2022-01-01", "2022-04-25"), ("2022-05-01", "2022-12-31"), ChangeOptions(enl, alpha=alpha)
    ).compute(scheduler="sync")
    stable, changed = change["VV_change"][:, :75], change["VV_change"][:, 75:]
    assert float((stable != 0).mean()) == pytest.approx(alpha, abs=0.006)
    # 44 looks each side: 3.01 dB is 3.25 standard deviations, found in 90 of 100.
    assert float((changed == 1).mean()) == pytest.approx(0.90, abs=0.02)
    assert float(change["VV_log_ratio"][:, 75:].mean()) == pytest.approx(3.01, abs=0.05)
    p = np.sort(change["VV_p_value"][:, :75].values.ravel())
    assert np.abs(p - np.linspace(0, 1, len(p))).max() < 0.02, "p-values are uniform without change"


def test_wrong_requests_say_what_is_possible(values: NDArray[np.float32]) -> None:
    with pytest.raises(CubeError, match=r"no metric 'average'.*median"):
        TimescanOptions(metrics=("average",))
    with pytest.raises(CubeError, match="no layer HH; it has VV"):
        timescan(_cube(values), TimescanOptions(layers=("HH",)))
    with pytest.raises(CubeError, match="no time step lies within 2030-01-01"):
        detect_change(_cube(values), "2022", "2030", ChangeOptions(enl=4))
    with pytest.raises(CubeError, match="enl must be positive"):
        ChangeOptions(enl=0)


def test_whole_numbers_and_other_nodata_are_left_out() -> None:
    """A count with a value for nothing, and floating point with another one than NaN: as numpy does without them."""
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 9, (5, 40, 30)).astype(np.uint16)
    levels = rng.normal(0, 1, (5, 40, 30)).astype(np.float32)
    gone = rng.random(counts.shape) < 0.4
    cube = _cube(levels)
    named = {"sarcube_role": "measure"}
    stored = np.where(gone, 65535, counts).astype(np.uint16)
    cube["seen"] = xr.DataArray(stored, dims=("time", "y", "x"), attrs={**named, "sarcube_nodata": 65535.0}).chunk(y=20)
    cube["level"] = (
        ("time", "y", "x"),
        np.where(gone, np.float32(-9999), levels),
        {**named, "sarcube_nodata": -9999.0},
    )
    cube["wave"] = cube["VV"].astype(np.complex64)
    scan = timescan(cube, TimescanOptions(("mean", "median", "max", "count"), layers=("seen", "level"))).compute()
    for name, values in (("seen", counts), ("level", levels)):
        kept = np.where(gone, np.nan, values.astype(np.float64))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            np.testing.assert_allclose(scan[f"{name}_mean"], np.nanmean(kept, axis=0), rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(scan[f"{name}_median"], np.nanmedian(kept, axis=0), rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(scan[f"{name}_max"], np.nanmax(kept, axis=0), rtol=1e-6)
        np.testing.assert_array_equal(scan[f"{name}_count"], (~gone).sum(axis=0))
    with pytest.raises(CubeError, match=r"wave is complex; take its magnitude"):
        timescan(cube, TimescanOptions(("mean",), layers=("wave",)))
