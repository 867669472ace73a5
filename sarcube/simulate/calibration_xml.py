"""Calibration and noise annotation of one image (S1-RS-MDA-52-7441), and the noise that they state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sarcube.simulate.annotation_xml import GridPoints
from sarcube.simulate.image import ImageId, header
from sarcube.simulate.options import NoiseFormat
from sarcube.simulate.swaths import BURST_CYCLE, LINE_INTERVAL

CALIBRATION_CONSTANT = 237.0  # betaNought of every real IW SLC: beta0 = |DN|^2 / 237^2
_PIXEL_STEP, _LINE_STEP = 40, 10

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NoiseTables:
    """Noise power in units of |DN|^2: range table times level times azimuth factor, each linear between its nodes.

    Attributes
    ----------
    sample, power : (p,)
    line, factor : (q,)
        Lines of the swath's image; factor is 1 throughout in the old format.
    level : (bursts + 1,)
        Of the range vectors, one each burst cycle from the first burst's first line on: a real instrument's noise
        changes from burst to burst, and so tells whether a vector is put to the burst that it belongs to.
    lines : int
        Of a burst in the swath's image.
    """

    sample: NDArray[np.int64]
    power: Array
    line: NDArray[np.int64]
    factor: Array
    level: Array
    lines: int

    def at(self, lines: NDArray[np.int64], samples: NDArray[np.int64]) -> NDArray[np.float32]:
        """Power at the image's lines x samples."""
        across = np.interp(samples, self.sample, self.power)
        cycles = lines // self.lines + lines % self.lines * (LINE_INTERVAL / BURST_CYCLE)
        along = np.interp(lines, self.line, self.factor) * np.interp(cycles, np.arange(self.level.size), self.level)
        return np.outer(along, across).astype(np.float32)


def noise_tables(image: ImageId, old_format: bool) -> NoiseTables:
    """The simulated instrument's noise: a bowl over range, descalloping over azimuth, as written (6 digits)."""
    swath, window = image.swath.swath, image.swath.window
    sample = _nodes(window.samples, _PIXEL_STEP)
    near, middle, far = swath.noise
    x = 2 * (sample + window.first_sample) / (swath.samples - 1) - 1
    power = middle + (np.where(x < 0, near, far) - middle) * x**2
    power *= 1.1 if image.polarization in ("VH", "HV") else 1.0
    line = _nodes(image.lines, _LINE_STEP)
    inside = line % window.lines + window.first_line
    factor = 1 + (swath.noise_azimuth_peak - 1) * (2 * inside / (swath.lines - 1) - 1) ** 2
    if old_format:
        factor = np.ones_like(factor)
    level = 1 + 0.08 * np.sin(0.9 * np.arange(len(image.swath.bursts) + 1) - 0.4)
    return NoiseTables(sample, _as_written(power), line, _as_written(factor), level, window.lines)


def _nodes(size: int, step: int) -> NDArray[np.int64]:
    return np.unique(np.append(np.arange(0, size, step), size - 1)).astype(np.int64)


def _as_written(values: Array) -> Array:
    return np.array([float(f"{v:.6e}") for v in values])


def _integers(values: NDArray[np.int64]) -> str:
    return " ".join(map(str, values.tolist()))


def _numbers(values: Array) -> str:
    return " ".join(f"{v:.6e}" for v in values.tolist())


def noise_xml(image: ImageId, tables: NoiseTables, noise_format: NoiseFormat) -> str:
    """The noise annotation.

    "old" as before IPF 2.90: one list of range vectors named noiseVector. "shifted" as of IPF 3.20 to 3.61: the
    vectors' times are right, their lines a burst too small, in IW1 two.
    """
    old_format = noise_format == "old"
    start = '<?xml version="1.0" encoding="UTF-8"?>\n<noise>\n' + header(image)
    kind, lut = ("noise", "noiseLut") if old_format else ("noiseRange", "noiseRangeLut")
    n, bursts, lines = len(tables.sample), image.swath.bursts, image.swath.window.lines
    pixel = _integers(tables.sample)
    # The last vector lies in the last burst, where a next one would begin.
    times = [*(burst.first_line_time for burst in bursts), bursts[-1].first_line_time + BURST_CYCLE]
    stated = [*(i * lines for i in range(len(bursts))), (len(bursts) - 1) * lines + round(BURST_CYCLE / LINE_INTERVAL)]
    behind = {"shifted": lines * (2 if image.swath.swath.name == "IW1" else 1)}.get(noise_format, 0)
    vectors = []
    for time, line, level in zip(times, stated, tables.level, strict=True):
        vectors.append(f"""    <{kind}Vector>
      <azimuthTime>{image.scene.utc(time)}</azimuthTime>
      <line>{line - behind}</line>
      <pixel count="{n}">{pixel}</pixel>
      <{lut} count="{n}">{_numbers(tables.power * level)}</{lut}>
    </{kind}Vector>
""")
    body = f'  <{kind}VectorList count="{len(vectors)}">\n{"".join(vectors)}  </{kind}VectorList>\n'
    if not old_format:
        m = len(tables.line)
        body += f"""  <noiseAzimuthVectorList count="1">
    <noiseAzimuthVector>
      <swath>{image.swath.swath.name}</swath>
      <firstAzimuthLine>0</firstAzimuthLine>
      <firstRangeSample>0</firstRangeSample>
      <lastAzimuthLine>{image.lines - 1}</lastAzimuthLine>
      <lastRangeSample>{image.swath.window.samples - 1}</lastRangeSample>
      <line count="{m}">{_integers(tables.line)}</line>
      <noiseAzimuthLut count="{m}">{_numbers(tables.factor)}</noiseAzimuthLut>
    </noiseAzimuthVector>
  </noiseAzimuthVectorList>
"""
    return start + body + "</noise>\n"


def calibration_xml(image: ImageId, grid: GridPoints) -> str:
    """The calibration annotation: a vector a second, betaNought constant as in real products."""
    window, bursts = image.swath.window, image.swath.bursts
    sample = _nodes(window.samples, _PIXEL_STEP)
    n = len(sample)
    pixel = _integers(sample)
    first = bursts[0].first_line_time
    rows = grid.time[:, 0] - grid.time[0, 0]
    beta = _numbers(np.full(n, CALIBRATION_CONSTANT))
    vectors = []
    for second in np.arange(-1.0, rows[-1] + 1.5, 1.0):
        weight = np.clip(second, rows[0], rows[-1])
        column = [np.interp(weight, rows, grid.incidence[:, j]) for j in range(grid.incidence.shape[1])]
        theta = np.radians(np.interp(sample, grid.sample[0], column))
        sigma = CALIBRATION_CONSTANT / np.sqrt(np.sin(theta))
        gamma = CALIBRATION_CONSTANT / np.sqrt(np.tan(theta))
        vectors.append(f"""    <calibrationVector>
      <azimuthTime>{image.scene.utc(first + second)}</azimuthTime>
      <line>{round(second / BURST_CYCLE * window.lines)}</line>
      <pixel count="{n}">{pixel}</pixel>
      <sigmaNought count="{n}">{_numbers(sigma)}</sigmaNought>
      <betaNought count="{n}">{beta}</betaNought>
      <gamma count="{n}">{_numbers(gamma)}</gamma>
      <dn count="{n}">{beta}</dn>
    </calibrationVector>
""")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<calibration>\n'
        + header(image)
        + "  <calibrationInformation>\n    <absoluteCalibrationConstant>1.000000e+00</absoluteCalibrationConstant>\n"
        + f'  </calibrationInformation>\n  <calibrationVectorList count="{len(vectors)}">\n'
        + "".join(vectors)
        + "  </calibrationVectorList>\n</calibration>\n"
    )
