"""The three IW sub-swaths as Sentinel-1 acquires and IPF focuses them.

Numbers are those of real annotation (S1A, 2023, IPF 3.61): ranges, sizes, rates, valid borders and windows.
"""

from __future__ import annotations

from dataclasses import dataclass

from sarcube.geometry.radar import SPEED_OF_LIGHT

RANGE_SAMPLING_RATE = 6.434523812571428e07  # Hz, after IPF's resampling to a common grid
RADAR_FREQUENCY = 5.405000454334350e09  # Hz
LINE_INTERVAL = 2.055556299999998e-03  # s, `azimuthTimeInterval` of every IW SLC
WAVELENGTH = SPEED_OF_LIGHT / RADAR_FREQUENCY
SAMPLE_SPACING = SPEED_OF_LIGHT / 2 / RANGE_SAMPLING_RATE

# S1-TN-MDA-52-7445 (Level 1 Detailed Algorithm Definition), table 9-7
BURST_CYCLE = 2.758273  # s, T_beam
PREAMBLE = 2.299849  # s, T_pre
ORBIT_PERIOD = 12 * 86400 / 175  # s, nodal: 175 revolutions in 12 days


@dataclass(frozen=True)
class Swath:
    """Constants of one sub-swath.

    Attributes
    ----------
    slant_range_time : float
        Two-way time of sample 0, s.
    lines, samples : int
        Size of one focused burst.
    valid_lines, valid_samples : (first, last), inclusive
        What focusing leaves valid.
    sensing_offset : float
        Start of the raw burst relative to the middle of the IW2 raw burst of the same cycle, s.
    half_sensing : float
        Half the duration of the raw burst, s: its middle is the middle of the focused burst.
    fm_rate_range_time, dc_range_time : float
        Reference times `t0` of the FM rate and Doppler polynomials, s.
    noise : (near, middle, far)
        Thermal noise power of the simulated instrument in units of |DN|^2, before the azimuth factor.
    noise_azimuth_peak : float
        Azimuth noise factor at the burst's ends (TOPS descalloping); 1 in the middle.
    """

    name: str
    slant_range_time: float
    lines: int
    samples: int
    valid_lines: tuple[int, int]
    valid_samples: tuple[int, int]
    prf: float
    rank: int
    steering_rate: float
    azimuth_bandwidth: float
    range_bandwidth: float
    azimuth_window: float
    range_window: float
    sensing_offset: float
    half_sensing: float
    noise: tuple[float, float, float]
    noise_azimuth_peak: float
    swath_number: int

    @property
    def fm_rate_range_time(self) -> float:
        return self.slant_range_time

    @property
    def focus_offset(self) -> float:
        """Middle of the focused burst relative to the middle of the IW2 raw burst of the same cycle, s."""
        return self.sensing_offset + self.half_sensing


SWATHS = {
    "IW1": Swath(
        "IW1", 5.334431164884956e-03, 1507, 23055, (21, 1487), (171, 20635), 1.717128973878037e03, 9,
        1.590368784, 327.0, 5.65e07, 0.70, 0.70, -1.371, 0.399323, (150.0, 66.0, 130.0), 1.1728, 10,
    ),
    "IW2": Swath(
        "IW2", 5.644353088882477e-03, 1519, 26818, (26, 1493), (157, 24610), 1.451627112193990e03, 8,
        0.979863325, 313.0, 4.83e07, 0.75, 0.75, -0.539, 0.525010, (105.0, 45.0, 120.0), 1.1262, 11,
    ),
    "IW3": Swath(
        "IW3", 6.015320711278467e-03, 1524, 25769, (29, 1496), (140, 23825), 1.685817302492702e03, 10,
        1.397440818, 314.0, 4.278991840322842e07, 0.75, 0.75, 0.539, 0.405610, (60.0, 40.0, 115.0), 1.1450,
        12,
    ),
}  # fmt: skip
DC_RANGE_TIME = 5.338158824457998e-03  # s, reference of the Doppler polynomials, common to the swaths


@dataclass(frozen=True)
class BurstWindow:
    """The part of a focused burst that is written: all of it, or a cut that keeps the geometry.

    Attributes
    ----------
    first_line, first_sample : int
        Offset of the cut in the full burst.
    lines, samples : int
    valid_lines, valid_samples : (first, last), inclusive, counted in the cut
    """

    first_line: int
    first_sample: int
    lines: int
    samples: int
    valid_lines: tuple[int, int]
    valid_samples: tuple[int, int]

    @classmethod
    def full(cls, swath: Swath) -> BurstWindow:
        return cls(0, 0, swath.lines, swath.samples, swath.valid_lines, swath.valid_samples)

    def cut(self, line: tuple[int, int], sample: tuple[int, int], border: int = 4) -> BurstWindow:
        """Keep lines and samples [first, last] of this window as valid, with `border` invalid ones around."""
        l0 = max(line[0], self.valid_lines[0])
        l1 = min(line[1], self.valid_lines[1])
        s0 = max(sample[0], self.valid_samples[0])
        s1 = min(sample[1], self.valid_samples[1])
        first_line, first_sample = max(l0 - border, 0), max(s0 - border, 0)
        return BurstWindow(
            self.first_line + first_line,
            self.first_sample + first_sample,
            min(l1 + border + 1, self.lines) - first_line,
            min(s1 + border + 1, self.samples) - first_sample,
            (l0 - first_line, l1 - first_line),
            (s0 - first_sample, s1 - first_sample),
        )
