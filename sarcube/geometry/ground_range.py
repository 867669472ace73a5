"""Ground range: how the samples of a detected image follow from slant range, stretch of lines by stretch.

An image in ground range states polynomials from slant range to ground range at some azimuth times (Sentinel-1:
`coordinateConversion`, S1-RS-MDA-52-7441, section 6.1). The one nearest in time holds: between two of them the image
jumps, by up to ten samples where the terrain height that they assume changes. The annotated polynomials the other way
(`grsrCoefficients`) are fits of their own, some centimetres off; here the way back is the inverse of the way there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

_STEPS = 30
_CLOSE = 1e-6  # m of ground range at which the inverse is found
_MOST = 10  # coefficients that are taken in a loop of their own: Sentinel-1 has nine


Tables = NDArray[np.float64]
"""What turns slant range samples into ground range samples, (stretches, 8 + terms): the line at which the stretch
begins (the first -inf), lines to add, offset and scale from slant samples to metres beyond the polynomial's origin, the
metres between which the polynomial is asked and its slopes there (it goes on as straight lines), and its coefficients,
which give the ground sample by these metres. One array: kernels on several threads take no tuples of tuples."""
_LINE, _SHIFT, _OFFSET, _SCALE, _LOW, _HIGH, _NEAR, _FAR, _TERMS = range(9)
NO_TABLES: Tables = np.zeros((0, _TERMS + 1))


@dataclass(frozen=True, eq=False)
class GroundRange:
    """The stretches of an image in ground range.

    Attributes
    ----------
    first_line : (n,) float64
        Line at which each stretch begins, increasing; the first is -inf.
    shift : (n,) float64
        Lines by which a stretch lies later in the image than its time says: less than one, where slices of a pass
        that do not share their raster are put together; else 0.
    origin : (n,) float64
        Slant range that each polynomial counts from, metres.
    coefficients : (n, k) float64
        Ground range, metres, as a polynomial of slant range less `origin`.
    spacing : float
        Metres of ground range between samples.
    far : (n,) float64
        Slant range of the last sample, metres; polynomials hold between `origin` and this.
    """

    first_line: NDArray[np.float64]
    shift: NDArray[np.float64]
    origin: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    spacing: float
    far: NDArray[np.float64]

    def stretch(self, line: ArrayLike) -> NDArray[np.int64]:
        """Index of the stretch that each line lies in."""
        return np.maximum(np.searchsorted(self.first_line, np.asarray(line, np.float64), side="right") - 1, 0)

    def sample(self, line: ArrayLike, slant_range: ArrayLike) -> NDArray[np.float64]:
        """Samples (centres at integers) at slant ranges (m) on lines; all broadcast."""
        line, slant_range = np.broadcast_arrays(np.asarray(line, np.float64), np.asarray(slant_range, np.float64))
        k = self.stretch(np.where(np.isfinite(line), line, 0.0))
        tables = self.tables(0.0, 1.0)
        out = np.empty(line.size)
        _convert(tables, k.ravel(), np.ascontiguousarray(slant_range).ravel(), out)
        return np.where(np.isfinite(line), out.reshape(line.shape), np.nan)

    def slant_range(self, line: ArrayLike, sample: ArrayLike) -> NDArray[np.float64]:
        """Slant ranges (m) of samples on lines: the inverse of `sample`, by Newton's method."""
        line, sample = np.broadcast_arrays(np.asarray(line, np.float64), np.asarray(sample, np.float64))
        k = self.stretch(line)
        low, high = self.origin[k], self.far[k]
        at_low, at_high = self.sample(line, low), self.sample(line, high)
        slant = low + (sample - at_low) / (at_high - at_low) * (high - low)
        for _ in range(_STEPS):
            step = 0.01 * (high - low)
            slope = (self.sample(line, slant + step) - self.sample(line, slant - step)) / (2.0 * step)
            off = self.sample(line, slant) - sample
            slant = slant - off / slope
            if not off.size or float(np.nanmax(np.abs(off))) * self.spacing < _CLOSE:
                break
        return np.asarray(slant)

    def tables(self, first_range: float, step: float) -> Tables:
        """For a map whose slant samples lie at `first_range + i step`, metres."""
        n = self.origin.size
        scaled = self.coefficients / self.spacing
        powers = np.arange(1, scaled.shape[1])
        width = self.far - self.origin
        slope_far = (scaled[:, 1:] * powers * width[:, None] ** (powers - 1)).sum(axis=1)
        columns = [self.first_line, self.shift, first_range - self.origin, np.full(n, step)]
        columns += [np.zeros(n), width, scaled[:, 1], slope_far]
        return np.ascontiguousarray(np.column_stack([*columns, scaled]), np.float64)


@njit(cache=True, nogil=True, inline="always")
def ground_sample(tables: Tables, k: int, slant: float) -> float:
    """The ground sample of a slant sample in stretch k."""
    x = tables[k, _OFFSET] + slant * tables[k, _SCALE]
    low, high = tables[k, _LOW], tables[k, _HIGH]
    inside = min(max(x, low), high)
    value = 0.0
    for q in range(tables.shape[1] - 1, _TERMS - 1, -1):
        value = value * inside + tables[k, q]
    return float(value + min(x - low, 0.0) * tables[k, _NEAR] + max(x - high, 0.0) * tables[k, _FAR])


@njit(cache=True, nogil=True)
def _convert(tables: Tables, stretch: NDArray[np.int64], slant: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    for i in range(out.size):
        out[i] = ground_sample(tables, stretch[i], slant[i])


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _stretch_to_ground(table: NDArray[np.float64], samples: NDArray[np.float64]) -> None:
    """As `ground_sample`, of a whole stretch and in place: `table` is its row, of `_MOST` coefficients at most.

    With as many coefficients for all (0 beyond the last) the loop has no other within, and becomes vector instructions.
    """
    offset, scale, low, high = table[_OFFSET], table[_SCALE], table[_LOW], table[_HIGH]
    near, far = table[_NEAR], table[_FAR]
    c = np.zeros(_MOST)
    c[: table.size - _TERMS] = table[_TERMS:]
    c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 = c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8], c[9]
    for i in range(samples.size):
        x = offset + samples[i] * scale
        # In this order NaN stays NaN.
        t = min(max(x, low), high)
        value = c5 + t * (c6 + t * (c7 + t * (c8 + t * c9)))
        value = c0 + t * (c1 + t * (c2 + t * (c3 + t * (c4 + t * value))))
        samples[i] = value + min(x - low, 0.0) * near + max(x - high, 0.0) * far


@njit(cache=True, nogil=True)
def to_ground(tables: Tables, lines: NDArray[np.float64], samples: NDArray[np.float64], begin: int, end: int) -> None:
    """Slant samples [begin, end) of a row of nodes to ground samples, in place."""
    n = tables.shape[0]
    low, high = np.inf, -np.inf
    for i in range(begin, end):
        low, high = min(low, lines[i]), max(high, lines[i])
    if low > high:
        return
    k = 0
    while k < n - 1 and tables[k + 1, _LINE] <= low:
        k += 1
    if k == n - 1 or high < tables[k + 1, _LINE]:
        if tables.shape[1] <= _TERMS + _MOST:
            _stretch_to_ground(tables[k], samples[begin:end])
        else:
            for i in range(begin, end):
                samples[i] = ground_sample(tables, k, samples[i])
        shift = tables[k, _SHIFT]
        for i in range(begin, end):
            lines[i] += shift
        return
    for i in range(begin, end):
        if lines[i] == lines[i]:
            while k < n - 1 and tables[k + 1, _LINE] <= lines[i]:
                k += 1
            while k > 0 and tables[k, _LINE] > lines[i]:
                k -= 1
            samples[i] = ground_sample(tables, k, samples[i])
            lines[i] += tables[k, _SHIFT]
