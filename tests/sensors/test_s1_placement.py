"""Calibration and noise lie on the burst that their times name, whatever their lines say."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sarcube.engines.rtc.native.radiometry import power_tables
from sarcube.sensors.sentinel1.burst import read_bursts
from sarcube.sensors.sentinel1.model import AzimuthNoise, Burst, Noise, RangeNoise
from sarcube.sensors.sentinel1.placement import azimuth_factors, lines_of_noise, lines_of_vectors
from sarcube.sensors.sentinel1.safe import open_safe
from sarcube.simulate.archive import simulate
from sarcube.simulate.calibration_xml import noise_tables
from sarcube.simulate.image import ImageId
from sarcube.simulate.options import SimulationOptions
from sarcube.simulate.timeline import plan_scenes

# Scene, swath, polarization, and by how many bursts its noise lines are too small: IPF 3.20, 3.61, 3.61, 3.91.
CASES = [
    ("*20200511*.zip", "IW1", "VH", 2),
    ("*20200511*.zip", "IW3", "VV", 1),
    ("*20230904*.zip", "IW2", "VH", 1),
    ("*20250406*.zip", "IW1", "VH", 0),
]


@pytest.mark.parametrize(("pattern", "swath", "polarization", "behind"), CASES)
def test_noise_of_real_scenes_is_that_of_the_burst(
    pattern: str, swath: str, polarization: str, behind: int, real_folder: Callable[[str], Path]
) -> None:
    """The witness, xarray-sentinel, reads times of bursts and of noise vectors from two of ESA's files."""
    witness = pytest.importorskip("xarray_sentinel.sentinel1")
    folder = real_folder(pattern)
    (annotation,) = folder.glob(f"annotation/s1a-{swath.lower()}-slc-{polarization.lower()}-*.xml")
    theirs = witness.open_noise_range_dataset(folder / "annotation/calibration" / f"noise-{annotation.name}")
    bursts = read_bursts(open_safe(folder), swaths=[swath], polarizations=[polarization])
    apart = []
    for index, burst in enumerate(bursts):
        gap = np.abs(theirs.azimuth_time.values - burst.start_time)
        vector = int(gap.argmin())
        assert gap[vector] < np.timedelta64(100, "us")
        samples = np.arange(burst.radar.samples)
        right = np.interp(samples, theirs.pixel.values, theirs.noiseRangeLut.values[vector])
        ours = power_tables(burst, polarization, calibrate=True, denoise=True).noise[0]
        assert ours == pytest.approx(right, rel=1e-4)
        # What `line` states is another burst's.
        assert int(theirs.line.values[vector]) == (index - behind) * burst.radar.lines
        late = theirs.noiseRangeLut.values[min(vector + behind, len(gap) - 1)]
        apart.append(np.abs(10 * np.log10(np.interp(samples, theirs.pixel.values, late) / right)).max())
    assert (max(apart) > 0.01) == (behind > 0)  # dB


def test_where_lines_are_right_time_says_the_same(real_folder: Callable[[str], Path]) -> None:
    """IPF 3.91: a second witness, ESA's own repaired lines. Calibration lines were right all along."""
    for burst in read_bursts(open_safe(real_folder("*20250406*.zip")), swaths=["IW2"]):
        noise = burst.channels["VH"].noise
        assert noise is not None
        stated = np.array([v.line for v in noise.range]) - burst.first_line_of_swath
        own = (stated >= 0) & (stated < burst.radar.lines)
        assert own.any()
        assert lines_of_noise(burst, noise)[own] == pytest.approx(stated[own], abs=0.51)
    for burst in read_bursts(open_safe(real_folder("*20200511*.zip")), swaths=["IW1"]):
        calibration = burst.channels["VH"].calibration
        stated = calibration.line - burst.first_line_of_swath
        placed = lines_of_vectors(burst, calibration.line_time, calibration.line)
        # A line that two bursts share is stated for the earlier one; the later begins with it.
        own = (stated >= 0) & (stated < 1300)
        assert own.any()
        assert placed[own] == pytest.approx(stated[own], abs=0.51)


@pytest.mark.parametrize("noise_format", ["new", "shifted", "old"])
def test_simulated_noise_is_found_again(tmp_path: Path, noise_format: str) -> None:
    options = SimulationOptions(
        swaths=("IW1",), bursts=3, dates=(dt.date(2024, 5, 1),), burst_size=(300, 64), truth="constant", relief=0,
        polarizations=("VV",), noise_format=noise_format,
    )  # fmt: skip
    archive = simulate(tmp_path / "a", options)
    text = next(archive.scenes[0].glob("annotation/calibration/noise-*.xml")).read_text()
    lines = [int(v) for v in re.findall(r"<line>(-?\d+)</line>", text)]
    assert lines[0] == (-600 if noise_format == "shifted" else 0)
    plan = plan_scenes(options)[0]
    truth = noise_tables(ImageId("VV", 1, plan, plan.swaths[0]), noise_format == "old")
    for index, burst in enumerate(read_bursts(open_safe(archive.scenes[0]))):
        tables = power_tables(burst, "VV", calibrate=True, denoise=True)
        line = np.arange(300)
        along = [np.interp(line, tables.noise_line, column) for column in tables.noise.T]
        ours = np.transpose(along) * tables.azimuth[tables.block].T
        assert ours == pytest.approx(truth.at(index * 300 + line, np.arange(64)), rel=2e-5)
    assert np.ptp(truth.level) > 0.05


def _burst(burst: Burst, noise: Noise) -> Burst:
    channel = replace(burst.channels["VV"], noise=noise)
    return replace(burst, channels={"VV": channel})


def test_a_vector_without_time_goes_by_its_line(real_folder: Callable[[str], Path]) -> None:
    burst = read_bursts(open_safe(real_folder("*20250406*.zip")), swaths=["IW2"], polarizations=["VV"])[3]
    first, nan = burst.first_line_of_swath, float("nan")
    sample = np.array([0.0, 40_000.0])
    vectors = tuple(RangeNoise(nan, first + at, sample, np.full(2, power)) for at, power in ((0, 10.0), (1000, 30.0)))
    tables = power_tables(_burst(burst, Noise(vectors, ())), "VV", calibrate=True, denoise=True)
    assert tables.noise[0] == pytest.approx(10.0)
    assert tables.noise_line[1] == 1000
    assert tables.noise[1:] == pytest.approx(30.0)
    assert lines_of_vectors(burst, [nan, burst.radar.first_line_time], [first + 7, 0]) == pytest.approx([7, 0])


def test_beyond_the_last_azimuth_block_its_last_factor_holds() -> None:
    def block(lines: tuple[int, int], samples: tuple[int, int], factor: tuple[float, float]) -> AzimuthNoise:
        return AzimuthNoise(*lines, *samples, np.array(lines, float), np.array(factor))

    noise = Noise((), (block((0, 99), (0, 49), (1.2, 1.4)), block((100, 199), (0, 49), (2.0, 3.0))))
    lines, samples = np.array([0.0, 99.0, 100.0, 199.0, 200.0, 260.0]), np.arange(60.0)
    factors, row = azimuth_factors(noise, lines, samples)
    assert factors[row].shape == (60, 6)
    assert factors[row] == pytest.approx(np.tile([1.2, 1.4, 2.0, 3.0, 3.0, 3.0], (60, 1)))
    side = Noise((), (*noise.azimuth, block((0, 199), (50, 59), (1.5, 1.5))))
    factors, row = azimuth_factors(side, lines, samples)
    assert factors[row[49]][-1] == 3.0
    assert factors[row[50]] == pytest.approx(1.5)
    factors, row = azimuth_factors(Noise((), ()), lines, samples)
    assert (factors[row] == 1).all()
