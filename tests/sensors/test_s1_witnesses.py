"""Independent readers, xarray-sentinel and safe_s1, agree on every field that both read."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sarcube.sensors.sentinel1.burst import read_bursts
from sarcube.sensors.sentinel1.model import Burst
from sarcube.sensors.sentinel1.safe import open_safe

CASES = [("*20230904*.zip", "IW1", "VV"), ("*20200511*.zip", "IW3", "VH"), ("*20250406*.zip", "IW2", "VV")]


@pytest.fixture(scope="module", params=CASES, ids=lambda c: f"{c[0].strip('*.zip')}-{c[1]}-{c[2]}")
def case(request: pytest.FixtureRequest, real_folder: Callable[[str], Path]) -> tuple[Path, list[Burst], str, str]:
    pattern, swath, polarization = request.param
    folder = real_folder(pattern)
    bursts = read_bursts(open_safe(folder), swaths=[swath], polarizations=[polarization])
    return folder, bursts, swath, polarization


def files(folder: Path, swath: str, polarization: str) -> tuple[Path, Path, Path]:
    (annotation,) = folder.glob(f"annotation/s1a-{swath.lower()}-slc-{polarization.lower()}-*.xml")
    tables = folder / "annotation" / "calibration"
    return annotation, tables / f"calibration-{annotation.name}", tables / f"noise-{annotation.name}"


def utc(burst: Burst, seconds: Any) -> np.ndarray:
    return burst.orbit.epoch + np.round(np.asarray(seconds) * 1e9).astype("timedelta64[ns]")


def test_xarray_sentinel_agrees(case: tuple[Path, list[Burst], str, str]) -> None:
    witness = pytest.importorskip("xarray_sentinel.sentinel1")

    folder, bursts, swath, polarization = case
    burst = bursts[0]
    annotation, calibration_file, noise_file = map(str, files(folder, swath, polarization))
    channel = burst.channels[polarization]

    orbit = witness.open_orbit_dataset(annotation)
    times = orbit.azimuth_time.values
    mine = utc(burst, burst.orbit.time)
    common = np.isin(times, mine)
    assert np.array_equal(times[common], mine)
    assert np.array_equal(orbit.position.values.T[common], burst.orbit.position)
    assert np.array_equal(orbit.velocity.values.T[common], burst.orbit.velocity)

    grid = witness.open_gcp_dataset(annotation)
    shape = grid.latitude.shape
    for theirs, ours in (
        (grid.latitude.values, burst.geolocation.latitude),
        (grid.longitude.values, burst.geolocation.longitude),
        (grid.height.values, burst.geolocation.height),
        (grid.incidenceAngle.values, burst.geolocation.incidence_angle),
        (np.broadcast_to(grid.pixel.values, shape), burst.geolocation.sample),
        (np.broadcast_to(grid.line.values[:, None], shape), burst.geolocation.line),
    ):
        assert np.array_equal(theirs, ours.reshape(shape))
    # The witness keeps one row of range times and one column of azimuth times for all.
    ranges, times = burst.geolocation.range_time.reshape(shape), burst.geolocation.azimuth_time.reshape(shape)
    assert np.array_equal(grid.slant_range_time.values, ranges[0])
    assert np.array_equal(grid.azimuth_time.values, utc(burst, times[:, 0]))

    calibration = witness.open_calibration_dataset(calibration_file)
    assert np.array_equal(calibration.line.values, channel.calibration.line)
    assert np.array_equal(calibration.pixel.values, channel.calibration.sample)
    assert np.array_equal(calibration.azimuth_time.values, utc(burst, channel.calibration.line_time))
    for key, ours in (
        ("sigmaNought", channel.calibration.sigma_nought),
        ("betaNought", channel.calibration.beta_nought),
        ("gamma", channel.calibration.gamma),
        ("dn", channel.calibration.dn),
    ):
        assert np.array_equal(calibration[key].values, ours)
    assert calibration.attrs["absoluteCalibrationConstant"] == channel.calibration.absolute_constant

    assert channel.noise is not None
    noise = witness.open_noise_range_dataset(noise_file)
    assert np.array_equal(noise.line.values, [v.line for v in channel.noise.range])
    assert np.array_equal(noise.azimuth_time.values, utc(burst, [v.line_time for v in channel.noise.range]))
    for theirs, vector in zip(noise.noiseRangeLut.values, channel.noise.range, strict=True):
        assert np.array_equal(noise.pixel.values, vector.sample)
        assert np.array_equal(theirs, vector.power.astype(np.float32))
    azimuth = witness.open_noise_azimuth_dataset(noise_file)
    (block,) = channel.noise.azimuth
    assert np.array_equal(azimuth.line.values, block.line)
    assert np.array_equal(azimuth.noiseAzimuthLut.values, block.factor.astype(np.float32))

    for theirs, key, ours in (
        (witness.open_dc_estimate_dataset(annotation), "data_dc_polynomial", burst.tops.doppler_centroids),
        (witness.open_azimuth_fm_rate_dataset(annotation), "azimuth_fm_rate_polynomial", burst.tops.fm_rates),
    ):
        assert np.array_equal(theirs.azimuth_time.values, utc(burst, [p.azimuth_time for p in ours]))
        assert np.array_equal(theirs.t0.values, [p.tau0 for p in ours])
        assert np.array_equal(theirs[key].values, [p.coefficients for p in ours])


def test_safe_s1_agrees(case: tuple[Path, list[Burst], str, str]) -> None:
    reader = pytest.importorskip("safe_s1").Sentinel1Reader

    folder, bursts, swath, polarization = case
    burst = bursts[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        witness = reader(f"SENTINEL1_DS:{folder}:{swath}")
        theirs, image, orbit = witness.bursts, witness.image, witness.orbit
        fm_rates, centroids = witness.azimuth_fmrate, witness.doppler_estimate
        luts, noise = witness.get_calibration_luts, witness.get_noise_range_raw

    assert len(bursts) == theirs.sizes["burst"]
    assert np.array_equal(theirs.azimuthTime.values, [b.start_time for b in bursts])
    assert int(theirs.linesPerBurst) == burst.radar.lines
    assert int(theirs.samplesPerBurst) == burst.radar.samples
    for i, mine in enumerate(bursts):
        first, last = theirs.firstValidSample.values[i], theirs.lastValidSample.values[i]
        valid = mine.first_valid_sample >= 0
        assert np.array_equal(valid, np.nan_to_num(first, nan=-1) >= 0)
        assert np.array_equal(first[valid], mine.first_valid_sample[valid])
        assert np.array_equal(last[valid], mine.last_valid_sample[valid])
        assert (mine.first_valid_line, mine.last_valid_line) == tuple(np.flatnonzero(valid)[[0, -1]])

    assert float(image.azimuthTimeInterval) == burst.radar.line_interval
    assert float(image.radarFrequency) == burst.radar_frequency
    assert float(image.rangeSamplingRate) == burst.range_sampling_rate
    assert float(image.azimuthSteeringRate) == burst.tops.azimuth_steering_rate
    assert float(image.slantRangeTime) * 299792458 / 2 == pytest.approx(burst.radar.first_sample_range, abs=1e-9)
    assert float(image.slantRangePixelSpacing) == pytest.approx(burst.radar.sample_spacing, rel=1e-6)

    mine_times = utc(burst, burst.orbit.time)
    common = np.isin(orbit.time.values, mine_times)
    assert common.sum() == len(mine_times)
    for i, axis in enumerate("xyz"):
        assert np.array_equal(orbit[f"position_{axis}"].values[common], burst.orbit.position[:, i])
        assert np.array_equal(orbit[f"velocity_{axis}"].values[common], burst.orbit.velocity[:, i])

    for table, key, ours in (
        (fm_rates, "azimuthFmRatePolynomial", burst.tops.fm_rates),
        (centroids, "dataDcPolynomial", burst.tops.doppler_centroids),
    ):
        assert np.array_equal(table.azimuthTime.values, utc(burst, [p.azimuth_time for p in ours]))
        assert np.array_equal(table.t0.values, [p.tau0 for p in ours])
        for polynomial, mine_polynomial in zip(table[key].values, ours, strict=True):
            assert tuple(polynomial.coef) == mine_polynomial.coefficients

    channel = burst.channels[polarization]
    tables, powers = luts.sel(pol=polarization), noise.sel(pol=polarization)
    assert np.array_equal(tables.line.values, channel.calibration.line)
    assert np.array_equal(tables.sample.values, channel.calibration.sample)
    assert np.array_equal(tables.azimuthTime.values, utc(burst, channel.calibration.line_time))
    assert np.array_equal(tables.sigma0_lut.values.astype(np.float32), channel.calibration.sigma_nought)
    assert np.array_equal(tables.gamma0_lut.values.astype(np.float32), channel.calibration.gamma)
    assert channel.noise is not None
    assert np.array_equal(powers.line.values, [v.line for v in channel.noise.range])
    assert np.array_equal(powers.noise_lut.values, [v.power for v in channel.noise.range])
