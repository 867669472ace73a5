"""Inner loops of the inversion of a network of pairs."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Rows of the result after those of the dates.
VELOCITY, ERROR, TEMPORAL_COHERENCE, COUNT = range(4)
_SINGULAR = (
    1e-9  # of the largest diagonal: weights differ by some 1e5, and a chain of a hundred dates divides by as much
)


@njit(nogil=True, cache=True)
def _factor(a: NDArray[np.float64], limit: float) -> bool:
    # Cholesky's factor in the lower half of a; False where a is singular: some date hangs on no other.
    n = a.shape[0]
    for p in range(n):
        for q in range(p + 1):
            total = a[p, q]
            for k in range(q):
                total -= a[p, k] * a[q, k]
            if q < p:
                a[p, q] = total / a[q, q]
            elif total <= limit:
                return False
            else:
                a[p, p] = math.sqrt(total)
    return True


@njit(nogil=True, cache=True)
def _solve(a: NDArray[np.float64], b: NDArray[np.float64]) -> None:
    n = b.shape[0]
    for p in range(n):
        for k in range(p):
            b[p] -= a[p, k] * b[k]
        b[p] /= a[p, p]
    for p in range(n - 1, -1, -1):
        for k in range(p + 1, n):
            b[p] -= a[k, p] * b[k]
        b[p] /= a[p, p]


@njit(nogil=True, cache=True)
def _normal(
    weights: NDArray[np.float64], first: NDArray[np.int64], second: NDArray[np.int64], a: NDArray[np.float64]
) -> float:
    # Normal matrix of the dates after the first, whose phase is 0; returns its largest diagonal.
    a[:] = 0.0
    for k in range(weights.shape[0]):
        w = weights[k]
        if w > 0.0:
            i, j = first[k] - 1, second[k] - 1
            a[j, j] += w
            if i >= 0:
                a[i, i] += w
                a[max(i, j), min(i, j)] -= w
    largest = 0.0
    for p in range(a.shape[0]):
        largest = max(largest, a[p, p])
    return largest


@njit(nogil=True, cache=True)
def _line(values: NDArray[np.float64], years: NDArray[np.float64]) -> tuple[float, float]:
    # Slope of the least-squares line and its standard error from the residuals; NaN of two dates, which have none.
    n = values.shape[0]
    middle, level = years.mean(), values.mean()
    spread, slope = 0.0, 0.0
    for k in range(n):
        spread += (years[k] - middle) ** 2
        slope += (years[k] - middle) * (values[k] - level)
    slope /= spread
    if n < 3:
        return slope, math.nan
    squares = 0.0
    for k in range(n):
        squares += (values[k] - level - slope * (years[k] - middle)) ** 2
    return slope, math.sqrt(squares / (n - 2) / spread)


@njit(nogil=True, cache=True)
def invert(
    phase: NDArray[np.float32],
    weight: NDArray[np.float32],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    years: NDArray[np.float64],
    scale: float,
) -> NDArray[np.float32]:
    """Phases of dates from phases of pairs by least squares, and the line through them.

    Parameters
    ----------
    phase : (pairs, y, x)
        Radians; NaN is left out.
    weight : (pairs, y, x), or (0, 0, 0) where all pairs count alike
        What is not above 0 is left out.
    first, second : (pairs,)
        Places of both dates.
    years : (dates,)
    scale : float
        Metres per radian.

    Returns
    -------
    (dates + 4, y, x) float32
        Displacement of each date against the first, velocity, its standard error, temporal coherence (Pepe and Lanari
        2006), and the number of pairs. NaN where the pairs of a pixel do not connect all dates.
    """
    pairs, height, width = phase.shape
    dates = years.shape[0]
    weighted = weight.shape[0] > 0
    out = np.full((dates + 4, height, width), np.nan, np.float32)
    whole = np.zeros((dates - 1, dates - 1))
    known = _factor(whole, _SINGULAR * _normal(np.ones(pairs), first, second, whole))
    own = np.zeros((dates - 1, dates - 1))
    weights, series, b = np.zeros(pairs), np.zeros(dates), np.zeros(dates - 1)
    for y in range(height):
        for x in range(width):
            count = 0
            for k in range(pairs):
                w = np.float64(weight[k, y, x]) if weighted else 1.0
                good = math.isfinite(phase[k, y, x]) and w > 0.0 and math.isfinite(w)
                weights[k] = w if good else 0.0
                count += good
            out[dates + COUNT, y, x] = count
            if count < dates - 1:
                continue
            factor = whole
            if weighted or count < pairs or not known:
                if not _factor(own, _SINGULAR * _normal(weights, first, second, own)):
                    continue
                factor = own
            b[:] = 0.0
            for k in range(pairs):
                if weights[k] > 0.0:
                    value = weights[k] * np.float64(phase[k, y, x])
                    b[second[k] - 1] += value
                    if first[k] > 0:
                        b[first[k] - 1] -= value
            _solve(factor, b)
            series[0] = 0.0
            series[1:] = b
            real, imaginary = 0.0, 0.0
            for k in range(pairs):
                if weights[k] > 0.0:
                    left = np.float64(phase[k, y, x]) - (series[second[k]] - series[first[k]])
                    real += math.cos(left)
                    imaginary += math.sin(left)
            series *= scale
            out[:dates, y, x] = series
            slope, error = _line(series, years)
            out[dates + VELOCITY, y, x] = slope
            out[dates + ERROR, y, x] = error
            out[dates + TEMPORAL_COHERENCE, y, x] = math.hypot(real, imaginary) / count
    return out
