"""Every switch of the native engine, on a simulated burst of constant gamma0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

import sarcube.sensors.sentinel1.samples as stored
from sarcube.engines.rtc.native import NativeEngine
from sarcube.engines.rtc.native.area_factor import area_factors
from sarcube.engines.rtc.native.blocks import Window
from sarcube.engines.rtc.native.mapping import radar_map
from sarcube.engines.rtc.native.mesh import make_mesh
from sarcube.geometry.dem import Dem
from sarcube.sensors.sentinel1.model import Burst
from sarcube.workflows.rtc.kinds import LAYERS, STATIC_LAYERS
from tests.engines.simulated import ONE, Scene, burst_grid, inner, make

ENGINE = NativeEngine()
GAMMA0 = {"VV": 0.1, "VH": 0.02}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return make(tmp_path_factory.mktemp("layers"))


@pytest.fixture(scope="module")
def static(scene: Scene) -> xr.Dataset:
    return ENGINE.static(scene.burst, scene.grid, scene.dem, ONE)


@pytest.fixture(scope="module")
def whole(scene: Scene) -> xr.Dataset:
    return ENGINE.backscatter(scene.burst, scene.grid, scene.dem, ONE, None)


def backscatter(scene: Scene, **switches: object) -> xr.Dataset:
    return ENGINE.backscatter(scene.burst, scene.grid, scene.dem, replace(ONE, **switches), None)


def bias(dataset: xr.Dataset, name: str, truth: float) -> float:
    values = dataset[name].values.astype(float)
    return float(10.0 * np.log10(values[inner(values)].mean() / truth))


def constant(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(burst: Burst, polarization: str, lines: tuple[int, int] | None = None) -> NDArray[np.int16]:
        first, stop = lines or (0, burst.radar.lines)
        return np.full((stop - first, burst.radar.samples, 2), 100, np.int16)

    monkeypatch.setattr(stored, "read_samples", read)


def test_names_types_and_records(scene: Scene, static: xr.Dataset, whole: xr.Dataset) -> None:
    assert tuple(static.data_vars) == STATIC_LAYERS
    assert set(whole.data_vars) == {"VV", "VH", "mask", "number_of_looks"}
    for dataset in (static, whole):
        for name, layer in dataset.data_vars.items():
            assert str(layer.dtype) == LAYERS[str(name)].dtype
            assert layer.shape == scene.grid.shape
        assert np.array_equal(dataset["x"], scene.grid.x()) and np.array_equal(dataset["y"], scene.grid.y())
    assert whole.attrs["noise_removed"] == ["VV", "VH"] and whole.attrs["thermal_noise"] is True
    assert static.attrs["thermal_noise"] is False  # of geometry alone
    assert whole.attrs["geometry"] == "exact" and whole.attrs["minimum_area_factor_db"] == -30.0


@pytest.mark.parametrize("name", ["VV", "VH"])
def test_truth_with_noise_and_delays_corrected(whole: xr.Dataset, name: str) -> None:
    assert abs(bias(whole, name, GAMMA0[name])) < 0.05


def test_bilinear_and_other_meanings(scene: Scene, static: xr.Dataset, whole: xr.Dataset) -> None:
    assert abs(bias(backscatter(scene, geocoding="bilinear"), "VV", 0.1)) < 0.1
    to_beta, to_sigma = static["rtc_anf_gamma0_to_beta0"].values, static["rtc_anf_gamma0_to_sigma0"].values
    for kind, factor in (("beta0", to_beta), ("sigma0", to_sigma)):
        other = backscatter(scene, backscatter=kind)["VV"].values
        both = np.isfinite(other) & np.isfinite(whole["VV"].values)
        ratio = 10.0 * np.log10(other[both] / (whole["VV"].values[both] * factor[both]))
        assert abs(np.median(ratio)) < 0.01
        assert np.mean(np.abs(ratio) < 0.3) > 0.9
    assert 0.5 < np.nanmedian(to_sigma) < 1.0 < np.nanmedian(to_beta) < 2.5


def test_noise_that_was_not_there_was_not_removed(scene: Scene) -> None:
    channels = {name: replace(channel, noise=None) for name, channel in scene.burst.channels.items()}
    without = ENGINE.backscatter(replace(scene.burst, channels=channels), scene.grid, scene.dem, ONE, None)
    assert without.attrs["thermal_noise"] is False and without.attrs["noise_removed"] == []


def test_noise_is_subtracted_without_lifting_dark_ground(tmp_path_factory: pytest.TempPathFactory) -> None:
    dark = make(tmp_path_factory.mktemp("dark"), gamma0=0.002)  # VH nearly 3 dB below the noise
    clean = backscatter(dark)
    raw = backscatter(dark, thermal_noise=False)
    assert raw.attrs["noise_removed"] == []
    assert abs(bias(clean, "VV", 0.002)) < 0.05
    # What averages of eight looks below 0 leave; cut sample by sample it would be 1.75 dB (and 0.16 dB in VV).
    assert -0.05 < bias(clean, "VH", 0.0004) < 0.25
    assert bias(raw, "VH", 0.0004) > 3.0
    for name in ("VV", "VH"):
        assert np.nanmin(clean[name].values) >= 0.0
        # A pixel at 0 is a valid one.
        assert np.array_equal(np.isfinite(clean[name].values), clean["mask"].values == 0)
    assert (clean["VH"].values == 0).any()


def test_calibration(scene: Scene, whole: xr.Dataset) -> None:
    raw = backscatter(scene, absolute_calibration=False)["VV"].values
    both = np.isfinite(raw) & (whole["VV"].values > 0)
    beta = float(scene.burst.channels["VV"].calibration.beta_nought.mean())
    assert np.allclose(raw[both] / whole["VV"].values[both], beta**2, rtol=1e-3)


def test_delays_move_the_image_by_what_they_are(scene: Scene) -> None:
    from sarcube.engines.rtc.native.corrections import bistatic_delay, static_troposphere, timing_correction

    radar = scene.burst.radar
    middle = np.array([0.5 * (radar.first_sample_range + radar.last_sample_range)])
    late, far = timing_correction(scene.burst, bistatic=True, troposphere=True)(  # type: ignore[misc]
        middle, np.array([400.0]), np.array([np.cos(np.radians(38.0))])
    )
    assert np.allclose(late, -bistatic_delay(scene.burst, middle))
    assert np.allclose(far, 2.3 / np.cos(np.radians(38.0)) * np.exp(-400.0 / 6000.0))
    assert np.allclose(far, static_troposphere(np.array([400.0]), np.cos(np.radians(38.0))))
    assert timing_correction(scene.burst, bistatic=False, troposphere=False) is None
    both, neither = backscatter(scene), backscatter(scene, bistatic_delay=False, static_troposphere=False)
    range_only = backscatter(scene, bistatic_delay=False)
    assert not np.array_equal(both["VV"], range_only["VV"], equal_nan=True)
    assert not np.array_equal(neither["VV"], range_only["VV"], equal_nan=True)


def test_valid_samples(scene: Scene, whole: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    constant(monkeypatch)
    masked, unmasked = backscatter(scene), backscatter(scene, valid_sample_masking=False)
    known, more = (np.isfinite(d["VV"].values) for d in (masked, unmasked))
    assert np.array_equal(known, np.isfinite(whole["VV"].values))
    assert not (known & ~more).any()
    lines = scene.burst.last_valid_line - scene.burst.first_valid_line + 1
    assert more.sum() / known.sum() == pytest.approx(scene.burst.radar.lines / lines, abs=0.02)


def test_shadows_and_layover(scene: Scene) -> None:
    heights = scene.dem.heights.copy()
    heights[:, ::20] += 500.0
    walls = replace(scene, dem=replace(scene.dem, heights=heights))
    masked, unmasked = backscatter(walls), backscatter(walls, shadow_masking=False)
    shadow = np.isin(masked["mask"].values, (1, 3))
    assert shadow.sum() > 500 and (masked["mask"].values == 2).sum() > 500
    assert np.isnan(masked["VV"].values[shadow]).all()
    assert np.isfinite(unmasked["VV"].values[shadow]).any()
    lit = ~shadow & np.isfinite(masked["VV"].values)
    assert np.array_equal(masked["VV"].values[lit], unmasked["VV"].values[lit])


@pytest.mark.parametrize("kind", ["gamma0", "sigma0"])
def test_minimum_area_factor(scene: Scene, whole: xr.Dataset, kind: str) -> None:
    # Flat ground at 38 degrees has a factor of 1 / tan(38) = 1.28 = 1.07 dB: the switch leaves out slopes turned away.
    cut = backscatter(scene, minimum_area_factor_db=0.9, backscatter=kind)
    known = np.isfinite(cut["VV"].values)
    assert 0.3 < known.sum() / np.isfinite(whole["VV"].values).sum() < 0.97
    assert np.isfinite(cut["VV"].values[known]).all()


def test_dem_upsampling(scene: Scene, whole: xr.Dataset) -> None:
    fine = backscatter(scene, dem_upsampling=4)
    both = np.isfinite(fine["VV"].values) & np.isfinite(whole["VV"].values)
    difference = np.abs(10.0 * np.log10(fine["VV"].values[both] / whole["VV"].values[both]))
    assert difference.max() > 0.0 and np.percentile(difference, 99) < 0.1
    assert abs(bias(fine, "VV", 0.1)) < 0.05


def test_a_constant_image_stays_smooth(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    constant(monkeypatch)
    left, top = scene.grid.left - 8000.0, scene.grid.top + 4000.0
    flat = Dem(np.full((500, 900), 300.0, np.float32), scene.dem.epsg, left, top, 30.0, 30.0)
    sea = replace(scene, dem=flat)
    beta = backscatter(sea, backscatter="beta0", thermal_noise=False)["VV"].values
    known = np.isfinite(beta)
    power = 2 * 100.0**2 / 237.0**2
    assert np.allclose(beta[known], power, rtol=1e-5)  # to the burst's very edge
    gamma = backscatter(sea, thermal_noise=False)["VV"].values
    angle = ENGINE.static(scene.burst, scene.grid, flat, ONE)["incidence_angle"].values
    # Flat ground: area seen from the sensor over area in the slant plane is 1 / tan(incidence).
    expected = power * np.tan(np.radians(angle))
    ratio = 10.0 * np.log10(gamma[known] / expected[known])
    assert np.abs(ratio).max() < 0.01
    away = inner(gamma)
    deviation = np.where(away, 10.0 * np.log10(np.where(away, gamma, 1.0) / np.where(away, expected, 1.0)), np.nan)
    # No stripes along rows or columns of the grid: their means do not scatter.
    assert np.nanstd(np.nanmean(deviation[20:-20], axis=1)) < 0.002
    assert np.nanstd(np.nanmean(deviation[:, 20:-20], axis=0)) < 0.002


def test_constant_gamma0_over_relief_stays_smooth(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """An echo without speckle whose power is the area itself comes out flat: no trace of DEM cells."""
    plain = replace(ONE, thermal_noise=False, bistatic_delay=False, static_troposphere=False)
    wide = replace(
        scene.grid, left=scene.grid.left - 1000.0, top=scene.grid.top + 1000.0, width=scene.grid.width + 100,
        height=scene.grid.height + 100,
    )  # fmt: skip
    orbit, radar = scene.burst.orbit, scene.burst.radar
    mesh = make_mesh(scene.dem, wide, 6, 0)
    rmap = radar_map(orbit, radar, wide.epsg, mesh.bounds, mesh.height_range())
    finer = area_factors(rmap, mesh, Window(0, 0, radar.lines, radar.samples))[:, : radar.samples, 0]

    def read(burst: Burst, polarization: str, lines: tuple[int, int] | None = None) -> NDArray[np.int16]:
        first, stop = lines or (0, burst.radar.lines)
        samples = np.zeros((burst.radar.lines, burst.radar.samples, 2), np.int16)
        samples[..., 0] = np.rint(1000.0 * np.sqrt(np.nan_to_num(finer)))
        return samples[first:stop]

    monkeypatch.setattr(stored, "read_samples", read)
    made = ENGINE.backscatter(scene.burst, scene.grid, scene.dem, plain, None)["VV"].values
    away = inner(made)
    level = 10.0 * np.log10(made[away] * 237.0**2 / 1e6)
    assert abs(level.mean()) < 0.01
    assert level.std() < 0.02


def test_a_further_date_with_the_static_layers(scene: Scene, static: xr.Dataset, whole: xr.Dataset) -> None:
    reused = ENGINE.backscatter(scene.burst, scene.grid, scene.dem, ONE, static)
    assert reused.attrs["geometry"] == "reuse"
    assert np.array_equal(reused["VV"], whole["VV"], equal_nan=True)
    exact = ENGINE.backscatter(scene.burst, scene.grid, scene.dem, replace(ONE, static_reuse=False), static)
    assert exact.attrs["geometry"] == "exact"
    assert np.array_equal(exact["VV"], whole["VV"], equal_nan=True)
    mask_only = ENGINE.backscatter(scene.burst, scene.grid, scene.dem, ONE, static[["mask"]])
    assert np.array_equal(mask_only["VV"], whole["VV"], equal_nan=True)
    without = ENGINE.backscatter(scene.burst, scene.grid, None, ONE, static)
    both = inner(without["VV"].values) & np.isfinite(whole["VV"].values)
    difference = np.abs(10.0 * np.log10(without["VV"].values[both] / whole["VV"].values[both]))
    assert np.percentile(difference, 95) < 0.1


def test_threads_do_not_change_the_result(scene: Scene, whole: xr.Dataset, static: xr.Dataset) -> None:
    one = backscatter(scene, threads=1)
    assert all(np.array_equal(one[name], whole[name], equal_nan=True) for name in whole.data_vars)
    again = ENGINE.static(scene.burst, scene.grid, scene.dem, replace(ONE, threads=1))
    assert all(np.array_equal(again[name], static[name], equal_nan=True) for name in static.data_vars)


@pytest.mark.parametrize("resolution", [10.0, 40.0])
def test_other_resolutions(scene: Scene, resolution: float) -> None:
    grid = burst_grid(scene.burst, scene.grid.epsg, resolution)
    made = ENGINE.backscatter(scene.burst, grid, scene.dem, ONE, None)
    assert abs(bias(made, "VV", 0.1)) < 0.05
    looks = (resolution / 20.0) ** 2
    assert np.nanmedian(made["number_of_looks"].values) == pytest.approx(7.6 * looks, rel=0.15)


def test_a_grid_in_degrees(scene: Scene) -> None:
    degrees = burst_grid(scene.burst, 4326, 0.0002)
    made = ENGINE.backscatter(scene.burst, degrees, scene.dem, ONE, None)
    assert abs(bias(made, "VV", 0.1)) < 0.05
    static = ENGINE.static(scene.burst, degrees, scene.dem, ONE)
    metric = ENGINE.static(scene.burst, scene.grid, scene.dem, ONE)
    for name in ("incidence_angle", "local_incidence_angle", "rtc_anf_gamma0_to_beta0"):
        assert np.nanmean(static[name].values) == pytest.approx(np.nanmean(metric[name].values), rel=2e-3)


@pytest.mark.parametrize(("centre", "epsg"), [((-45.0, 78.0), 3413), ((165.0, -77.5), 3031), ((179.99, -17.0), 32701)])
def test_poles_and_antimeridian(
    tmp_path_factory: pytest.TempPathFactory, centre: tuple[float, float], epsg: int
) -> None:
    there = make(tmp_path_factory.mktemp("far"), center=centre, burst_size=(120, 1200))
    grid = burst_grid(there.burst, epsg)
    made = ENGINE.backscatter(there.burst, grid, there.dem, ONE, None)
    assert np.isfinite(made["VV"].values).sum() > 10_000
    assert abs(bias(made, "VV", 0.1)) < 0.08
    assert made.attrs["void_dem_pixels"] == 0
