"""Band-limited speckle: after deramping its spectrum is what the annotation states, its statistics stay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sarcube.sensors.sentinel1.burst import read_bursts
from sarcube.sensors.sentinel1.deramp import deramp_phase
from sarcube.sensors.sentinel1.model import Burst
from sarcube.sensors.sentinel1.safe import open_safe
from sarcube.sensors.sentinel1.samples import read_samples
from sarcube.simulate.archive import simulate
from sarcube.simulate.options import SimulationOptions
from sarcube.simulate.spectrum import hamming

OPTIONS = SimulationOptions(
    dates=SimulationOptions().dates[:1], bursts=1, swaths=("IW2",), polarizations=("VV",), truth="constant", gamma0=0.3,
    relief=0, noise=False, band_limited=True,
)  # fmt: skip


def expected_width(share: float, coefficient: float) -> float:
    """Share of the spectrum above -10 dB of its peak."""
    weight = hamming(4096, share, coefficient) ** 2
    return float(np.mean(weight > 0.1 * weight.max()))


def azimuth_width(burst: Burst, deramp: bool) -> float:
    samples = read_samples(burst, burst.polarizations[0]).astype(np.float32)
    filled = samples.any(axis=-1)
    rows, cols = np.flatnonzero(filled.any(axis=1)), np.flatnonzero(filled.any(axis=0))
    lines, window = (rows[0], rows[-1] + 1), (cols[0], cols[-1] + 1)
    part = samples[slice(*lines), slice(*window)] @ np.array([1, 1j])
    if deramp:
        part = part * np.exp(1j * deramp_phase(burst, lines, window))
    power = (np.abs(np.fft.fft(part, axis=0)) ** 2).mean(axis=1)
    smooth = np.convolve(np.tile(power, 3), np.ones(9) / 9, "same")[power.size : 2 * power.size]
    return float(np.mean(smooth > 0.1 * smooth.max()))


@pytest.fixture(scope="module")
def burst(tmp_path_factory: pytest.TempPathFactory) -> Burst:
    options = replace(OPTIONS, burst_size=(1400, 400))
    archive = simulate(tmp_path_factory.mktemp("spectrum") / "a", options)
    return read_bursts(open_safe(archive.scenes[0]))[0]


def test_azimuth_spectrum_after_deramping_has_the_annotated_bandwidth(burst: Burst) -> None:
    share = burst.tops.azimuth_bandwidth * burst.radar.line_interval
    assert azimuth_width(burst, deramp=True) == pytest.approx(expected_width(share, 0.75), abs=0.03)
    assert azimuth_width(burst, deramp=False) > 0.9  # the ramp spreads it over all frequencies


def test_range_spectrum_has_the_swaths_bandwidth(burst: Burst) -> None:
    samples = read_samples(burst, "VV").astype(np.float32)
    part = samples[burst.first_valid_line : burst.last_valid_line + 1, 8:-8] @ np.array([1, 1j])
    power = (np.abs(np.fft.fft(part, axis=1)) ** 2).mean(axis=0)
    expected = expected_width(4.83e7 / burst.range_sampling_rate, 0.75)
    assert np.mean(power > 0.1 * power.max()) == pytest.approx(expected, abs=0.03)


def test_intensity_stays_exponential_with_the_same_mean(burst: Burst) -> None:
    samples = read_samples(burst, "VV").astype(np.float64)
    part = samples[burst.first_valid_line : burst.last_valid_line + 1, 8:-8]
    intensity = (part**2).sum(axis=-1)
    theta = np.radians(burst.geolocation.incidence_angle.mean())
    assert 10 * np.log10(intensity.mean() / (237.0**2 * 0.3 / np.tan(theta))) == pytest.approx(0, abs=0.05)
    assert intensity.mean() ** 2 / intensity.var() == pytest.approx(1, abs=0.03)
    # Oversampling makes neighbours alike: the looks of an average are fewer than its samples.
    blocks = intensity[: len(intensity) // 10 * 10, :380].reshape(-1, 10, 38, 10).mean(axis=(1, 3))
    looks = blocks.mean() ** 2 / blocks.var()
    assert 30 < looks < 75


def test_a_templates_doppler_is_followed(shared_data: Path, tmp_path: Path) -> None:
    options = replace(
        OPTIONS, template=next((shared_data / "data/safe").glob("*_20250406T*.zip")), swaths=("IW2",), bursts=(3,),
        aoi=(-127.80, 51.85, -127.78, 52.10), posting=40.0, burst_size=None,
    )  # fmt: skip
    archive = simulate(tmp_path / "a", options)
    chosen = next(b for b in read_bursts(open_safe(archive.scenes[0])) if b.index == 3)
    share = chosen.tops.azimuth_bandwidth * chosen.radar.line_interval
    assert azimuth_width(chosen, deramp=True) == pytest.approx(expected_width(share, 0.75), abs=0.04)
