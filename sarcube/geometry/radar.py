"""The radar grid of one image: where a line and a sample lie in zero-Doppler time and slant range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sarcube.geometry.ground_range import GroundRange

SPEED_OF_LIGHT = 299_792_458.0  # m/s, exact by definition (BIPM SI brochure)


@dataclass(frozen=True)
class RadarGrid:
    """Zero-Doppler radar grid. Sample centres lie at integer line and sample numbers.

    Attributes
    ----------
    first_line_time : float
        Zero-Doppler azimuth time of line 0, seconds since the epoch of the burst's orbit.
    line_interval : float
        Seconds between lines (annotation `azimuthTimeInterval`).
    first_sample_range : float
        Slant range of sample 0, metres.
    sample_spacing : float
        Metres of slant range between samples (c / 2 / `rangeSamplingRate`); in ground range their mean.
    lines, samples : int
        Size of the image.
    wavelength : float
        Radar wavelength, metres.
    ground : GroundRange, optional
        How samples follow from slant range where the image lies in ground range; else they are even in slant range.
    """

    first_line_time: float
    line_interval: float
    first_sample_range: float
    sample_spacing: float
    lines: int
    samples: int
    wavelength: float
    ground: GroundRange | None = None

    @property
    def last_line_time(self) -> float:
        return self.first_line_time + (self.lines - 1) * self.line_interval

    @property
    def last_sample_range(self) -> float:
        return self.first_sample_range + (self.samples - 1) * self.sample_spacing

    def line_and_sample(
        self, azimuth_time: ArrayLike, slant_range: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where zero-Doppler times (s since the orbit's epoch) and slant ranges (m) lie in the image."""
        line = (np.asarray(azimuth_time, np.float64) - self.first_line_time) / self.line_interval
        if self.ground is None:
            sample = (np.asarray(slant_range, np.float64) - self.first_sample_range) / self.sample_spacing
            return line, np.asarray(sample)
        return line + self.ground.shift[self.ground.stretch(line)], self.ground.sample(line, slant_range)
