"""What the processor's windows leave of a burst's spectrum, and what follows from it: interpolator and looks.

IPF weighs the range and azimuth spectra of an SLC with generalized Hamming windows (annotation `swathProcParams`).
Speckle then has a known autocorrelation: it says how samples between samples are best told from their neighbours,
and how many independent looks an average holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sarcube.sensors.sentinel1.model import Burst

TAPS = 8
BEFORE = 3  # taps before the sample left of the position
STEPS = 2048  # positions between two samples that the table holds
FARTHEST = 32  # lag in samples beyond which speckle is not correlated
LAG_STEPS = 32  # lags per sample in `squared_correlation`
_NOISE = 3e-5  # of the signal's power: what rounding to int16 leaves where the spectrum is empty


@dataclass(frozen=True)
class Band:
    """The spectrum along one axis: its share of the sampling rate and the coefficient of its Hamming window."""

    share: float
    window: float

    def correlation(self, lag: ArrayLike) -> NDArray[np.float64]:
        """Correlation of speckle `lag` samples apart: the transform of the window's square."""
        f, step = np.linspace(-0.5, 0.5, 513, retstep=True)
        power = (self.window + (1.0 - self.window) * np.cos(2.0 * np.pi * f)) ** 2
        power[[0, -1]] *= 0.5
        turns = np.multiply.outer(np.asarray(lag, np.float64) * self.share, f)
        return np.asarray((np.cos(2.0 * np.pi * turns) @ power) * step / (power.sum() * step))

    def equivalent(self) -> float:
        """Independent samples per sample of a long average."""
        lag = np.arange(-200, 201)
        return float(1.0 / np.sum(self.correlation(lag) ** 2))


def bands(burst: Burst) -> tuple[Band, Band]:
    """Azimuth and range spectrum of a deramped burst."""
    tops = burst.tops
    azimuth = Band(min(tops.azimuth_bandwidth * burst.radar.line_interval, 1.0), tops.azimuth_window)
    return azimuth, Band(min(tops.range_bandwidth / burst.range_sampling_rate, 1.0), tops.range_window)


def interpolator(band: Band) -> NDArray[np.float32]:
    """Weights of eight samples for positions between the fourth and the fifth, (STEPS + 1, 8).

    The linear estimate of least mean square error for this spectrum (Wiener; Papoulis, Probability, Random Variables
    and Stochastic Processes, section 13-1), where a windowed sinc would treat every frequency alike.
    """
    tap = np.arange(TAPS) - BEFORE
    fraction = np.arange(STEPS + 1) / STEPS
    between = band.correlation(tap[:, None] - tap[None, :]) + _NOISE * np.eye(TAPS)
    towards = band.correlation(fraction[:, None] - tap[None, :])
    return np.ascontiguousarray(np.linalg.solve(between, towards.T).T, np.float32)


def squared_correlation(band: Band) -> NDArray[np.float32]:
    """Squared correlation at lags 0, 1 / LAG_STEPS, ... FARTHEST."""
    lag = np.arange(FARTHEST * LAG_STEPS + 2) / LAG_STEPS
    return np.ascontiguousarray(band.correlation(lag) ** 2, np.float32)
