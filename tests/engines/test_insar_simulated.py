"""The interferometric engine on coherent archives: what statistics and geometry demand."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
from scipy.ndimage import binary_erosion

from sarcube.engines.insar import InsarOptions, interferogram
from sarcube.engines.insar.coherence import expected_coherence
from sarcube.engines.insar.timing import observe_overlap, solve_timing
from sarcube.simulate.archive import Archive, simulate
from sarcube.simulate.options import SimulationOptions
from tests.engines.simulated_pairs import bursts_of, dem_of, grid_of, phase_deviation, truth_of

UNDELAYED = InsarOptions(bistatic_delay=False, static_troposphere=False, fm_rate_mismatch=False, threads=2)


def options(**changes: object) -> SimulationOptions:
    usual: dict[str, object] = {
        "dates": (dt.date(2024, 5, 1), dt.date(2024, 5, 13)), "swaths": ("IW1",), "bursts": 1,
        "polarizations": ("VV",), "aoi": (8.17, 47.98, 8.23, 48.02), "crop": True, "coherent": True, "noise": False,
        "truth": "constant", "baselines": (0.0, 0.0), "relief": 0.0,
    }  # fmt: skip
    return SimulationOptions(**{**usual, **changes})  # type: ignore[arg-type]


def test_identical_dates_have_no_phase_and_full_coherence(tmp_path: Path) -> None:
    """Same orbit, same scatterers; the bursts start up to a millisecond apart, so that both are resampled."""
    archive = simulate(tmp_path / "archive", options(coherence=(1.0,), relief=80.0))
    first, second = bursts_of(archive)
    late = (second.radar.first_line_time - first.radar.first_line_time) / first.radar.line_interval
    assert abs(late - round(late)) > 0.02, "nothing would be interpolated"
    grid = grid_of(archive, 80.0)
    pair = interferogram(first, second, grid, dem_of(archive), InsarOptions(threads=2))
    phase = np.angle(pair["interferogram"].values)
    assert np.isfinite(phase).sum() > 1500
    assert abs(np.nanmean(phase)) < 5e-4 and np.nanstd(phase) < 0.01
    assert np.nanmedian(pair["coherence"].values) > 0.999
    # gamma0 is 0.1 everywhere: beta0 = gamma0 / tan(incidence), about 34 degrees here.
    assert np.nanmean(pair["amplitude_first"].values ** 2) == pytest.approx(0.1 / np.tan(np.radians(33.5)), rel=0.1)


@pytest.mark.parametrize("levels", [(0.9, 0.5), (0.3, 0.0)])
def test_phase_and_coherence_are_as_the_looks_say(tmp_path: Path, levels: tuple[float, float]) -> None:
    archive = simulate(tmp_path / "archive", options(coherence=levels, aoi=(8.15, 47.97, 8.25, 48.03)))
    first, second = bursts_of(archive)
    dem = dem_of(archive)
    (path,) = archive.truth.glob("*_coherence.tif")
    for resolution in (30.0, 40.0, 80.0, 120.0):
        grid = grid_of(archive, resolution)
        pair = interferogram(first, second, grid, dem, InsarOptions(threads=2))
        true = truth_of(path, grid)
        whole = (pair["samples"].values == pair.attrs["samples_per_cell"]) & np.isfinite(pair["coherence"].values)
        # An echo reaches 20 m beyond its ground: beside a border of coherence a cell holds some of the other one.
        away = math.ceil(40.0 / resolution)
        for level in levels:
            here = binary_erosion(whole & (np.abs(true - level) < 1e-4), np.ones((3, 3)), away)
            looks = float(np.median(pair["number_of_looks"].values[here]))
            phase = np.angle(pair["interferogram"].values[here])
            assert here.sum() > 500 and 5 < looks < 110
            seen = float(pair["coherence"].values[here].mean())
            assert seen == pytest.approx(float(expected_coherence(level, looks)), abs=0.01)
            if level == 0.0:
                continue
            assert phase.std() == pytest.approx(phase_deviation(level, looks), rel=0.06)
            bound = np.sqrt(1 - level**2) / (level * np.sqrt(2 * looks))
            if phase_deviation(level, looks) < 1.05 * bound:
                assert phase.std() == pytest.approx(bound, rel=0.10)


def test_flattening_leaves_nothing_of_three_kilometres_of_relief(tmp_path: Path) -> None:
    """At a baseline of 150 m a metre of height is worth 0.073 rad. Noise of the lost band is averaged away."""
    x, y = np.arange(7.9, 8.5, 0.001), np.arange(48.2, 47.8, -0.001)
    xx, yy = np.meshgrid(x, y)
    heights = 1700 + 1500 * np.cos((xx - 8.2) * 2 * np.pi / 0.2) * np.cos((yy - 48.0) * 2 * np.pi / 0.14)
    path = tmp_path / "relief.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=x.size, height=y.size, count=1, dtype="float32", crs="EPSG:4326",
        transform=rasterio.Affine(0.001, 0, x[0] - 0.0005, 0, -0.001, y[0] + 0.0005),
    ) as file:  # fmt: skip
        file.write(heights.astype(np.float32), 1)
    # From the summit half way down the slopes, and 3 km of relief in the DEM around.
    archive = simulate(
        tmp_path / "archive",
        options(dem=path, baselines=(0.0, 150.0), coherence=(1.0,), delays=False, aoi=(8.17, 47.975, 8.23, 48.025)),
    )
    dem = dem_of(archive)
    assert np.ptp(dem.heights) > 2900
    grid = grid_of(archive, 80.0)
    pair = interferogram(*bursts_of(archive), grid, dem, UNDELAYED)
    assert pair.attrs["perpendicular_baseline"] == pytest.approx(150, abs=0.5)
    assert abs(pair.attrs["parallel_baseline"]) < 2
    z = np.where(pair["mask"].values == 0, pair["interferogram"].values, 0)
    rows, columns = (n // 8 * 8 for n in z.shape)
    blocks = np.nan_to_num(z[:rows, :columns]).reshape(rows // 8, 8, columns // 8, 8)
    kept = (blocks != 0).sum(axis=(1, 3)) > 32
    residual = np.angle(blocks.sum(axis=(1, 3))[kept])
    assert kept.sum() >= 16
    assert np.sqrt(np.mean(residual**2)) < 0.01


def test_three_dates_two_polarizations(tmp_path: Path) -> None:
    """Coherence falls with time, phase is that of ramp and air, polarizations have their covariance."""
    dates = (dt.date(2024, 5, 1), dt.date(2024, 5, 13), dt.date(2024, 5, 25))
    archive = simulate(
        tmp_path / "archive",
        options(
            dates=dates, polarizations=("VV", "VH"), coherence=(0.8,), correlation=0.4 + 0.3j, delays=False,
            displacement="ramp", displacement_metres=0.05, screen=0.004, baselines=(0.0, 40.0, -60.0),
        ),
    )  # fmt: skip
    bursts, dem, grid = bursts_of(archive), dem_of(archive), grid_of(archive, 80.0)
    phases = [truth_of(p, grid) for p in sorted(archive.truth.glob("*_phase.tif"))]
    for one, two, true, coherence in ((0, 1, phases[0], 0.8), (0, 2, phases[0] + phases[1], 0.64)):
        pair = interferogram(bursts[one], bursts[two], grid, dem, UNDELAYED)
        error = np.angle(pair["interferogram"].values * np.exp(-1j * true))
        assert np.nanstd(true) > 0.2 and np.isfinite(error).sum() > 1500
        assert abs(np.nanmean(error)) < 0.01
        assert np.nanmean(pair["coherence"].values) == pytest.approx(coherence, abs=0.02)
    cross = interferogram(bursts[0], bursts[1], grid, dem, UNDELAYED, polarization="VH")
    ratio = np.nanmean(cross["amplitude_first"].values ** 2) / np.nanmean(pair["amplitude_first"].values ** 2)
    assert ratio == pytest.approx(0.2, rel=0.05)
    _covariance_is_as_chosen(archive, 0.4 + 0.3j)


def _covariance_is_as_chosen(archive: Archive, correlation: complex) -> None:
    """Of the first with the second polarization, in the samples themselves and in the truth."""
    from sarcube.sensors.sentinel1.samples import read_samples

    burst = bursts_of(archive)[0]
    one, two = (read_samples(burst, name).astype(float) @ [1, 1j] for name in ("VV", "VH"))
    seen = (one * two.conj()).sum() / np.sqrt((np.abs(one) ** 2).sum() * (np.abs(two) ** 2).sum())
    assert abs(seen - correlation) < 0.01
    with rasterio.open(archive.truth / "2024-05-01_covariance_VVVH.tif") as source:
        assert source.read(1)[5, 5] == pytest.approx(correlation * np.sqrt(0.1 * 0.02), rel=1e-5)


def test_an_orbit_told_ahead_is_found_in_the_overlap(tmp_path: Path) -> None:
    archive = simulate(
        tmp_path / "archive",
        options(bursts=2, coherence=(0.7,), along_track_error=0.08, baselines=(0.0, 60.0),
                aoi=(8.18, 47.93, 8.24, 48.07), relief=50.0),
    )  # fmt: skip
    one, two = bursts_of(archive, 0), bursts_of(archive, 1)
    overlap = observe_overlap((one[0], one[1]), (two[0], two[1]), archive.epsg, 80.0, dem_of(archive))
    assert overlap is not None
    timing = solve_timing([overlap], one[0].radar.line_interval)
    speed = np.linalg.norm(one[1].orbit.velocity[len(one[1].orbit.time) // 2])
    assert timing.lines == pytest.approx(0.08 / speed / one[0].radar.line_interval, abs=0.0005)
