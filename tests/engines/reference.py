"""Reference cases (what OPERA RTC on ISCE3 computed, and the truth) and the measures taken against them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, uniform_filter

from sarcube.engines.rtc.engine import RtcOptions
from sarcube.geometry.dem import Dem
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel1.burst import read_bursts
from sarcube.sensors.sentinel1.model import Burst
from sarcube.sensors.sentinel1.safe import open_safe

UNCORRECTED = RtcOptions(thermal_noise=False, bistatic_delay=False, static_troposphere=False, threads=2)
BORDER = 10  # pixels beside missing data that are not compared
BURST_IDS = {"nevada": "t071_151202_iw2", "morocco": "t052_110431_iw1", "bc": "t108_230135_iw3"}


@dataclass(frozen=True, eq=False)
class Case:
    """One reference case on disk."""

    name: str
    folder: Path

    def layer(self, run: str, name: str) -> NDArray[np.float64]:
        """A layer that ISCE3 made; `run` is rtc, static or rtc_corrected."""
        with rasterio.open(self._path(run, name)) as source:
            return source.read(1).astype(np.float64)

    def _path(self, run: str, name: str) -> Path:
        (path,) = (self.folder / run).glob(f"*_v0.1_{name}.tif")
        return path

    @cached_property
    def grid(self) -> GeoGrid:
        with rasterio.open(self._path("rtc", "VV")) as source:
            t = source.transform
            return GeoGrid(source.crs.to_epsg(), t.c, t.f, t.a, source.width, source.height)

    @cached_property
    def dem(self) -> Dem:
        with rasterio.open(self.folder / "dem_ellipsoidal.tif") as source:
            t = source.transform
            return Dem(source.read(1).astype(np.float32), source.crs.to_epsg(), t.c, t.f, t.a, -t.e, "reference DEM")

    @cached_property
    def burst(self) -> Burst:
        (path,) = self.folder.glob("*.zip")
        (burst,) = read_bursts(open_safe(path), burst_ids=[BURST_IDS[self.name]])
        return burst

    @cached_property
    def truth(self) -> NDArray[np.float64]:
        """gamma0 of VV: squares of 2 km."""
        x, y = np.meshgrid(self.grid.x(), self.grid.y())
        return np.where((np.floor(x / 2000) + np.floor(y / 2000)) % 2 == 0, 0.2, 0.05)

    @cached_property
    def inner(self) -> NDArray[np.bool_]:
        """Pixels well within the truth's squares."""
        x, y = np.meshgrid(self.grid.x(), self.grid.y())
        edge = np.minimum(np.abs(x / 2000 - np.rint(x / 2000)), np.abs(y / 2000 - np.rint(y / 2000))) * 2000
        return np.asarray(edge > 40.0 + 2.5 * self.grid.resolution)


def decibel(power: NDArray[np.floating]) -> NDArray[np.float64]:
    return 10.0 * np.log10(np.asarray(power, np.float64))


def compared(case: Case, values: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Valid pixels away from borders, layover and shadow."""
    valid = np.isfinite(values) & (values > 0)
    away = binary_erosion(valid, iterations=BORDER)
    return np.asarray(away & (case.layer("static", "mask") == 0))


@dataclass(frozen=True)
class AgainstTruth:
    """Bias and deviation (after a mean of 5 x 5 pixels), dB; bias per class of local incidence angle."""

    bias: float
    deviation: float
    classes: dict[int, float]


def against_truth(
    case: Case, values: NDArray[np.floating], local: NDArray[np.floating], scale: float = 1.0
) -> AgainstTruth:
    used = compared(case, values) & case.inner
    ratio = np.where(used, values / (case.truth * scale), 0.0)
    count = uniform_filter(used.astype(float), 5)
    full = count > 0.99
    means = decibel(uniform_filter(ratio, 5)[full] / count[full])
    classes = {}
    for low in range(10, 70, 10):
        chosen = used & (local >= low) & (local < low + 10)
        if chosen.sum() > 500:
            classes[low] = float(decibel(ratio[chosen].mean()))
    return AgainstTruth(float(decibel(ratio[used].mean())), float(means.std()), classes)


@dataclass(frozen=True)
class AgainstOther:
    """Differences of two images, dB."""

    pixels: int
    median: float
    within: float  # part of pixels within 0.3 dB
    correlation: float


def against_other(case: Case, values: NDArray[np.floating], other: NDArray[np.floating]) -> AgainstOther:
    used = compared(case, values) & np.isfinite(other) & (other > 0)
    difference = decibel(values[used]) - decibel(other[used])
    return AgainstOther(
        int(used.sum()),
        float(np.median(difference)),
        float(np.mean(np.abs(difference) < 0.3)),
        float(np.corrcoef(values[used], other[used])[0, 1]),
    )


def part_within(
    case: Case, values: NDArray[np.floating], other: NDArray[np.floating], bound: float, *, relative: bool
) -> float:
    """Part of the pixels whose values differ by less than a bound, outside layover, shadow and borders."""
    used = compared(case, np.where(np.isfinite(other), values, np.nan))
    difference = np.abs(values[used] - other[used])
    if relative:
        difference = difference / np.abs(other[used])
    return float(np.mean(difference < bound))


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Intersection over union."""
    return float((one & other).sum() / max((one | other).sum(), 1))


def shift(one: NDArray[np.floating], other: NDArray[np.floating]) -> tuple[float, float]:
    """Rows and columns by which `one` lies further than `other`, by correlation of their logarithms."""
    used = np.isfinite(one) & np.isfinite(other) & (one > 0) & (other > 0)
    a = np.where(used, decibel(np.where(used, one, 1.0)), 0.0)
    b = np.where(used, decibel(np.where(used, other, 1.0)), 0.0)
    a, b = (np.where(used, v - v[used].mean(), 0.0) for v in (a, b))
    window = np.outer(np.hanning(a.shape[0]), np.hanning(a.shape[1]))
    spectrum = np.fft.fft2(a * window) * np.conj(np.fft.fft2(b * window))
    peak = np.fft.ifft2(spectrum).real
    row, column = np.unravel_index(int(np.argmax(peak)), peak.shape)

    def vertex(line: NDArray[np.float64], at: int) -> float:
        low, mid, high = line[at - 1], line[at], line[(at + 1) % line.size]
        whole = at if at <= line.size // 2 else at - line.size
        return float(whole + 0.5 * (low - high) / (low - 2.0 * mid + high))

    return vertex(peak[:, column], int(row)), vertex(peak[row], int(column))


def as_arrays(dataset: xr.Dataset) -> dict[str, NDArray[np.float64]]:
    return {str(name): np.asarray(dataset[name].values, np.float64) for name in dataset.data_vars}
