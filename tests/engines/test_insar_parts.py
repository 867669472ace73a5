"""Parts of the interferometric engine against closed forms, statistics and real samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from scipy.ndimage import uniform_filter

from sarcube.engines.insar.coherence import debiased_coherence, expected_coherence
from sarcube.engines.insar.fine import fine_grid
from sarcube.engines.insar.resample import View, deramp, unit
from sarcube.engines.insar.spectra import BEFORE, STEPS, TAPS, Band, bands, interpolator
from sarcube.engines.insar.sums import PairSums
from sarcube.engines.insar.timing import Overlap, bin_overlap, overlap_grid, solve_timing
from sarcube.errors import EngineError
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel1.burst import read_bursts
from sarcube.sensors.sentinel1.deramp import azimuth_carrier
from sarcube.sensors.sentinel1.model import Burst
from sarcube.sensors.sentinel1.orbit_file import read_orbit
from sarcube.sensors.sentinel1.safe import open_safe
from sarcube.sensors.sentinel1.samples import read_samples
from tests.engines.simulated_pairs import phase_deviation

RANGE = Band(0.878, 0.70)
AZIMUTH = Band(0.645, 0.75)


def speckle(band: Band, samples: int, factor: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of that spectrum, sampled `factor` times as densely as a burst is."""
    n = samples * factor
    f = np.fft.fftfreq(n) * factor
    window = np.where(
        np.abs(f) <= band.share / 2, band.window + (1 - band.window) * np.cos(2 * np.pi * f / band.share), 0
    )
    white = rng.standard_normal(n) + 1j * rng.standard_normal(n)
    return np.fft.ifft(np.fft.fft(white) * window)


@pytest.mark.parametrize(("band", "most"), [(RANGE, 2e-3), (AZIMUTH, 1e-5)])
def test_samples_between_samples_are_told_from_eight(band: Band, most: float) -> None:
    """Power of the error as a share of the signal's: coherence with the true sample is lost by half of it."""
    dense = speckle(band, 4096, 16, np.random.default_rng(1))
    table = interpolator(band)
    given = dense[::16]
    for k in (0, 1, 5, 8, 13):
        weights = table[k * STEPS // 16]
        told = sum(weights[m] * np.roll(given, BEFORE - m) for m in range(TAPS))
        error = np.mean(np.abs(told - dense[k::16]) ** 2) / np.mean(np.abs(dense) ** 2)
        assert error < most


def test_correlation_is_that_of_the_spectrum() -> None:
    long = speckle(RANGE, 1 << 16, 1, np.random.default_rng(2))
    power = np.mean(np.abs(long) ** 2)
    for lag in (1, 2, 3):
        assert np.mean(long[lag:] * long[:-lag].conj()).real / power == pytest.approx(
            float(RANGE.correlation(lag)), abs=0.015
        )
    intensity = np.abs(long) ** 2
    means = intensity.reshape(-1, 64).mean(axis=1)
    assert means.mean() ** 2 / means.var() / 64 == pytest.approx(RANGE.equivalent(), rel=0.1)


def test_the_polynomial_is_a_circle() -> None:
    for turns in np.linspace(-3e7, 3e7, 2001):
        cosine, sine = unit(float(turns))
        assert abs(cosine - np.cos(2 * np.pi * (turns % 1))) < 1e-7
        assert abs(sine - np.sin(2 * np.pi * (turns % 1))) < 1e-7


@pytest.mark.parametrize(
    ("looks", "true", "expected"),
    [(3, 0, 0.533), (5, 0, 0.406), (10, 0, 0.284), (46, 0, 0.131), (100, 0, 0.089), (10, 0.3, 0.385), (80, 0.3, 0.309)],
)
def test_bias_of_coherence_is_touzis(looks: int, true: float, expected: float) -> None:
    assert float(expected_coherence(true, looks)) == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize("looks", [5, 20, 100])
@pytest.mark.parametrize("true", [0.0, 0.3, 0.6, 0.9])
def test_sample_coherence_follows_touzis_curve(looks: int, true: float) -> None:
    rng = np.random.default_rng(looks)
    shape = (looks, 6000)

    def circular() -> np.ndarray:
        return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)

    first, other = circular(), circular()
    second = true * first + np.sqrt(1 - true**2) * other
    sums = PairSums(
        (first * second.conj()).sum(axis=0).astype(np.complex64),
        (np.abs(first) ** 2).sum(axis=0).astype(np.float32),
        (np.abs(second) ** 2).sum(axis=0).astype(np.float32),
        np.full(6000, looks, np.int32),
        np.full(6000, looks, np.float32),
    )
    seen = sums.coherence()
    assert seen.mean() == pytest.approx(float(expected_coherence(true, looks)), abs=0.01)
    debiased = debiased_coherence(np.array([seen.mean()], np.float32), np.array([looks], np.float32))
    assert float(debiased[0]) == pytest.approx(true, abs=0.06 if true == 0 else 0.015)


@pytest.mark.parametrize("looks", [5, 12, 45, 100])
@pytest.mark.parametrize("true", [0.1, 0.3, 0.6, 0.9])
def test_phase_of_sums_has_the_exact_distribution(looks: int, true: float) -> None:
    """Lee's, which is another than the Cramer-Rao bound's where looks and coherence are low; else both hold."""
    rng = np.random.default_rng(7)
    shape = (looks, 20_000)
    first, other = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape) for _ in range(2))
    second = true * first + np.sqrt(1 - true**2) * other
    ones = np.ones(shape[1], np.float32)
    total = (first * second.conj()).sum(axis=0).astype(np.complex64)
    sums = PairSums(total, ones, ones, np.full(shape[1], looks, np.int32), ones * looks)
    phase = np.angle(sums.mean_interferogram())
    exact, bound = phase_deviation(true, looks), np.sqrt(1 - true**2) / (true * np.sqrt(2 * looks))
    assert np.sqrt(np.mean(phase**2)) == pytest.approx(exact, rel=0.03)
    if (true, looks) in ((0.3, 12), (0.6, 5)):
        assert exact > 1.25 * bound
    if abs(exact / bound - 1) < 0.05:
        assert np.sqrt(np.mean(phase**2)) == pytest.approx(bound, rel=0.10)


def test_real_pair_has_its_known_coherence(shared_data: Path) -> None:
    """Sentinel-1 over Amsterdam, coregistered by SNAP: the mean and median that its distributor gives."""
    folder = shared_data / "data" / "insar" / "amsterdam"

    def read(date: str, day: str) -> np.ndarray:
        parts = [
            zarr.open_array(folder / f"{date}-coreg.znap" / f"{k}_VV_{day}", mode="r", zarr_format=2)[:] for k in "iq"
        ]
        return np.asarray(parts[0], np.float64) + 1j * np.asarray(parts[1], np.float64)

    mother, daughter = read("20230331", "31Mar2023"), read("20230319", "19Mar2023")
    assert mother.shape == (84, 338)

    def window(values: np.ndarray) -> np.ndarray:
        return uniform_filter(values, (3, 9), mode="constant")[1:-1, 4:-4] * 27

    product = mother * daughter.conj()
    total = (window(product.real) + 1j * window(product.imag)).astype(np.complex64)
    powers = [window(np.abs(s) ** 2).astype(np.float32) for s in (mother, daughter)]
    count = np.full(total.shape, 27, np.int32)
    coherence = PairSums(total, powers[0], powers[1], count, count.astype(np.float32)).coherence()
    assert coherence.mean() == pytest.approx(0.753, abs=0.005)
    assert np.median(coherence) == pytest.approx(0.821, abs=0.005)
    assert np.percentile(coherence, 90) == pytest.approx(0.947, abs=0.005)


def test_real_samples_are_deramped(shared_data: Path) -> None:
    """Terceira: after the kernel's deramping the azimuth spectrum is centred and as wide as it was processed."""
    (path,) = (shared_data / "data" / "azores").glob("*.zip")
    (eof,) = (shared_data / "data" / "azores").glob("*.EOF")
    burst = read_bursts(open_safe(path), orbit=read_orbit(eof))[6]
    first = 9799 - burst.first_line_of_swath
    samples = read_samples(burst, "VV", (first, first + 601))
    carrier = azimuth_carrier(burst)
    azimuth, across = bands(burst)
    empty = np.empty((0, 0, 0, 0))
    valid = np.zeros(burst.radar.lines, np.int32)
    view = View(
        empty, carrier.middle, carrier.interval, carrier.rate, carrier.centroid, carrier.reference,
        np.ones(burst.radar.samples, np.float32), valid, valid, 1.0, interpolator(azimuth), interpolator(across),
    )  # fmt: skip
    out = np.empty((601, 2 * burst.radar.samples), np.float32)
    deramp(view, samples, first, out)
    window = out.reshape(601, -1, 2)[:, 10999:12400]
    power = (np.abs(np.fft.fft(window[..., 0] + 1j * window[..., 1], axis=0)) ** 2).mean(axis=1)
    power = np.fft.fftshift(sum(np.roll(power, s) for s in range(-4, 5)))
    filled = np.flatnonzero(power > power.max() / 10)
    assert filled.size / 601 == pytest.approx(azimuth.share, abs=0.006)
    assert abs(filled[0] + filled[-1] - 600) / 2 / 601 < 0.01


@pytest.mark.parametrize("resolution", [20.0, 40.0, 80.0, 60.0])
def test_fine_grids_nest(resolution: float) -> None:
    grid = GeoGrid(32629, 480_000.0, 3_360_000.0, resolution, 24, 12)
    fine = fine_grid(grid)
    assert fine.spacing == (10.0, 5.0)
    finest = fine_grid(GeoGrid(32629, 480_000.0, 3_360_000.0, 20.0, 999, 9))
    assert np.array_equal(fine.x(), finest.x()[: fine.shape[1]])


def test_fine_grids_are_square_in_the_north() -> None:
    assert fine_grid(GeoGrid(32633, 480_000.0, 7_200_000.0, 80.0, 4, 4)).spacing == (5.0, 5.0)
    assert fine_grid(GeoGrid(3413, 0.0, -1_200_000.0, 40.0, 4, 4)).spacing == (5.0, 5.0)
    degrees = fine_grid(GeoGrid(4326, 8.0, 48.0, 80 / 111_320, 4, 4))
    assert (degrees.rows, degrees.columns) == (8, 11)


def overlaps(shift: float, step: float, noise: float) -> list:
    """Double differences of a pass of two sub-swaths with three bursts each, of that shift and that phase step."""
    rng = np.random.default_rng(5)
    out = []
    for a, b, low, high, constant in (
        ("b1_iw1", "b2_iw1", 4700.0, 4900.0, 0.0),
        ("b2_iw1", "b3_iw1", 4700.0, 4900.0, 0.0),
        ("b1_iw2", "b2_iw2", 3950.0, 4100.0, 0.0),
        ("b1_iw1", "b1_iw2", -1900.0, 600.0, step),
        ("b2_iw1", "b2_iw2", -1900.0, 600.0, step),
    ):
        f = rng.uniform(low, high, 3000)
        phase = 2 * np.pi * f * shift + constant + noise * rng.standard_normal(f.size)
        out.append(bin_overlap((a, b), 0.4 * np.exp(1j * phase), f))
    return out


@pytest.mark.parametrize("shift", [0.0, 10e-6, -80e-6, 90e-6])
def test_one_shift_of_a_pass_is_solved_for_with_steps_between_sub_swaths(shift: float) -> None:
    timing = solve_timing(overlaps(shift, 0.7, 0.6), 2.0555563e-3)
    assert timing.shift == pytest.approx(shift, abs=5 * timing.deviation) and timing.deviation < 1e-6
    ((one, two, step),) = timing.constants
    assert (one, two) == ("IW1", "IW2") and step == pytest.approx(0.7, abs=0.05)
    assert timing.overlaps == 5 and timing.residual < 0.1


def test_a_shift_beyond_half_a_period_comes_back_as_another() -> None:
    along = [o for o in overlaps(150e-6, 0.0, 0.3) if not o.across_swaths and "iw1" in o.bursts[0]]
    timing = solve_timing(along, 2.0555563e-3)
    assert timing.shift == pytest.approx(150e-6 - timing.ambiguity, abs=3e-6)


@pytest.mark.parametrize("count", [1, 9])
def test_overlaps_without_coherence_tell_no_shift(count: int) -> None:
    """Noise was taken for a shift of 0.03 lines rms, two radians between bursts, and said to be good to 0.003."""
    rng = np.random.default_rng(11)

    def overlap(k: int, coherence: float) -> Overlap:
        f = rng.uniform(4300.0, 4900.0, 3000)
        seen = rng.rayleigh(0.1, (2, f.size)) * np.exp(2j * np.pi * rng.random((2, f.size)))
        one, two = coherence + seen
        return bin_overlap((f"b{k}_iw1", f"b{k + 1}_iw1"), one * two.conj() * np.exp(2j * np.pi * f * 20e-6), f)

    for _ in range(20):
        with pytest.raises(EngineError, match="no better than those of noise"):
            solve_timing([overlap(k, 0.0) for k in range(count)], 2.0555563e-3)
    timing = solve_timing([overlap(k, 0.1) for k in range(count)], 2.0555563e-3)
    assert timing.shift == pytest.approx(20e-6, abs=4e-6)


def test_across_swaths_alone_is_not_enough() -> None:
    with pytest.raises(EngineError, match="follow each other"):
        solve_timing([o for o in overlaps(0.0, 0.0, 0.1) if o.across_swaths], 2.0555563e-3)


def test_overlaps_are_boxed_across_the_antimeridian(shared_data: Path) -> None:
    folder = shared_data / "reference" / "insar" / "overlap"
    bursts = read_bursts(open_safe(sorted(folder.glob("*.zip"))[0]), swaths=["IW1"], polarizations=["VV"])
    usual = overlap_grid(bursts[0], bursts[1], 32629, 80.0)
    assert usual is not None and 15 < usual.height * 0.08 < 22 and 80 < usual.width * 0.08 < 90

    def moved(burst: Burst, turn: float) -> Burst:
        ring = tuple((lon + 188.5 + turn, lat) for lon, lat in burst.footprint)
        return replace(burst, footprint=ring)

    for turn in (0.0, -360.0):
        there = overlap_grid(moved(bursts[0], 0.0), moved(bursts[1], turn), 32601, 80.0)
        # The other zone's axes are turned by a degree or two.
        assert there is not None and abs(there.width - usual.width) < 60 and abs(there.height - usual.height) < 60
    assert overlap_grid(bursts[0], bursts[3], 32629, 80.0) is None
