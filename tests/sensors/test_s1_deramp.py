"""Deramping of genuine samples: it shows that lines, samples and times are where the annotation says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sarcube.sensors.sentinel1.burst import read_bursts
from sarcube.sensors.sentinel1.deramp import deramp_phase
from sarcube.sensors.sentinel1.model import Burst
from sarcube.sensors.sentinel1.orbit_file import read_orbit
from sarcube.sensors.sentinel1.safe import open_safe
from sarcube.sensors.sentinel1.samples import read_samples

FIRST_LINE, FIRST_SAMPLE = 9799, 10999
LINES, SAMPLES = 601, 1401


@pytest.fixture(scope="module")
def azores(shared_data: Path) -> Burst:
    (path,) = (shared_data / "data" / "azores").glob("*.zip")
    (eof,) = (shared_data / "data" / "azores").glob("*.EOF")
    return read_bursts(open_safe(path), orbit=read_orbit(eof))[6]


@pytest.fixture(scope="module")
def window(azores: Burst) -> np.ndarray:
    first = FIRST_LINE - azores.first_line_of_swath
    values = read_samples(azores, "VV", (first, first + LINES))[:, FIRST_SAMPLE : FIRST_SAMPLE + SAMPLES]
    return values[..., 0].astype(float) + 1j * values[..., 1]


def spectrum(samples: np.ndarray) -> np.ndarray:
    """Azimuth power spectrum, mean over range, smoothed over nine bins (circular)."""
    power = (np.abs(np.fft.fft(samples, axis=0)) ** 2).mean(axis=1)
    return sum(np.roll(power, shift) for shift in range(-4, 5)) / 9


def occupancy(samples: np.ndarray) -> float:
    power = spectrum(samples)
    return float((power > power.max() / 10).mean())


def phase(burst: Burst, late: int = 0, far: int = 0) -> np.ndarray:
    first = FIRST_LINE - burst.first_line_of_swath + late
    return deramp_phase(burst, (first, first + LINES), (FIRST_SAMPLE + far, FIRST_SAMPLE + far + SAMPLES))


def test_the_window_lies_where_it_belongs(azores: Burst) -> None:
    assert azores.burst_id == "t009_018029_iw3"
    values = read_samples(azores, "VV")
    rows = np.flatnonzero(values.any(axis=(1, 2))) + azores.first_line_of_swath
    columns = np.flatnonzero(values.any(axis=(0, 2)))
    assert (rows[0], rows[-1]) == (FIRST_LINE, FIRST_LINE + LINES - 1)
    assert (columns[0], columns[-1]) == (FIRST_SAMPLE, FIRST_SAMPLE + SAMPLES - 1)


def test_deramping_narrows_the_spectrum_to_the_processed_bandwidth(azores: Burst, window: np.ndarray) -> None:
    expected = azores.tops.azimuth_bandwidth / azores.tops.prf
    assert expected == pytest.approx(0.645, abs=0.001)
    assert occupancy(window) > 0.99
    assert occupancy(window * np.exp(1j * phase(azores))) == pytest.approx(expected, abs=0.006)


def test_the_spectrum_is_centred_at_zero(azores: Burst, window: np.ndarray) -> None:
    power = np.fft.fftshift(spectrum(window * np.exp(1j * phase(azores))))
    band = np.flatnonzero(power > power.max() / 10) - LINES // 2
    assert abs(band[0] + band[-1]) / 2 / LINES < 0.01


def test_the_wrong_sign_widens_it(azores: Burst, window: np.ndarray) -> None:
    assert occupancy(window * np.exp(-1j * phase(azores))) > 0.99


def test_a_line_or_range_shift_would_be_seen(azores: Burst, window: np.ndarray) -> None:
    """The band moves with every line that the samples are misplaced by: this is what proves the placement."""

    def centre(late: int) -> float:
        power = np.fft.fftshift(spectrum(window * np.exp(1j * phase(azores, late=late))))
        band = np.flatnonzero(power > power.max() / 10) - LINES // 2
        return (band[0] + band[-1]) / 2 / LINES

    # k_t of about 1700 Hz/s, 2 ms a line, 486 Hz: 60 lines are a little less than half of the band.
    assert abs(centre(20) - centre(0)) > 0.1


def test_a_window_is_a_part_of_the_whole(azores: Burst) -> None:
    part = deramp_phase(azores, (100, 104), (2000, 2003))
    wide = deramp_phase(azores, (98, 110), (1990, 2010))
    assert np.array_equal(part, wide[2:6, 10:13])
    assert deramp_phase(azores, (0, 1)).shape == (1, azores.radar.samples)
