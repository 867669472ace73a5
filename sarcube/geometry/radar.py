"""The radar grid of one burst: where a line and a sample lie in zero-Doppler time and slant range."""

from __future__ import annotations

from dataclasses import dataclass

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
        Metres of slant range between samples (c / 2 / `rangeSamplingRate`).
    lines, samples : int
        Size of the burst.
    wavelength : float
        Radar wavelength, metres.
    """

    first_line_time: float
    line_interval: float
    first_sample_range: float
    sample_spacing: float
    lines: int
    samples: int
    wavelength: float

    @property
    def last_line_time(self) -> float:
        return self.first_line_time + (self.lines - 1) * self.line_interval

    @property
    def last_sample_range(self) -> float:
        return self.first_sample_range + (self.samples - 1) * self.sample_spacing
