"""The delays in the echo are those that the engine takes out: a check of both signs by independent code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from sarcube.engines.rtc.engine import RtcOptions, get_engine
from sarcube.geometry.burst_grid import footprint_grid
from sarcube.geometry.dem import Dem
from sarcube.sensors.sentinel1.burst import read_bursts
from sarcube.sensors.sentinel1.safe import open_safe
from sarcube.simulate.archive import simulate
from sarcube.simulate.options import SimulationOptions


def offset(values: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Metres east and north by which a speckled checkerboard is shifted (maximum likelihood, exponential)."""
    valid = np.isfinite(values) & (values > 0)
    values, x, y = values[valid], x[valid], y[valid]
    sub = (-7.5, -2.5, 2.5, 7.5)

    def misfit(east: float, north: float) -> float:
        squares = [np.floor((x - east + i) / 2000) + np.floor((y - north + j) / 2000) for i in sub for j in sub]
        expected = 0.05 + 0.15 * np.mean([s % 2 == 0 for s in squares], axis=0)
        return float(np.mean(values / expected + np.log(expected)))

    steps = np.arange(-15.0, 16.0, 5.0)
    a = np.polyfit(steps, [misfit(s, 0) for s in steps], 2)
    b = np.polyfit(steps, [misfit(0, s) for s in steps], 2)
    return float(-a[1] / a[0] / 2), float(-b[1] / b[0] / 2)


def test_corrections_bring_the_echo_back(tmp_path: Path) -> None:
    archive = simulate(
        tmp_path / "a",
        SimulationOptions(
            dates=SimulationOptions().dates[:1], swaths=("IW1",), bursts=1, polarizations=("VV",), crop=True,
            aoi=(8.13, 47.95, 8.27, 48.05), truth="checkerboard", relief=0, noise=False,
        ),
    )  # fmt: skip
    with rasterio.open(archive.dem) as file:
        t = file.transform
        dem = Dem(file.read(1), archive.epsg, t.c, t.f, t.a, -t.e)
    burst = read_bursts(open_safe(archive.scenes[0]))[0]
    grid = footprint_grid(burst.footprint)
    x, y = np.meshgrid(grid.x(), grid.y())
    shifts = {}
    for on in (True, False):
        options = RtcOptions(bistatic_delay=on, static_troposphere=on, threads=2)
        layers = get_engine("native").backscatter(burst, grid, dem, options, None)
        shifts[on] = offset(layers["VV"].values.astype(np.float64), x, y)
    assert np.hypot(*shifts[True]) < 0.8
    assert np.hypot(*shifts[False]) == pytest.approx(5.5, abs=1.2)
