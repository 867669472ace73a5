"""Inner loops of the temporal statistics."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Rows of scan_pixels' result, in the order of temporal.METRICS.
_COUNT, _MEAN, _MIN, _MAX, _STD, _COV, _MEDIAN, _TREND, _AMPLITUDE, _PHASE, _LEVEL, _RESIDUAL = range(12)
_ROWS = 12
_MIN_OUTLIER_DATES = 5
# Years that dates must span for an annual harmonic: those of one calendar year, the first and the last of them some
# repeat cycles within it. Over less, a season cannot be told from a trend.
LEAST_SPAN = 0.9


@njit(nogil=True, cache=True)
def update_moments(state: NDArray[np.float64], block: NDArray[np.float32]) -> None:
    """Add values to running moments (Welford 1962).

    Parameters
    ----------
    state : (2, 3 or 5, y, x)
        Count and mean; and sum of squared deviations; and minimum and maximum. Changed in place.
    block : (t, y, x)
        NaN is left out.
    """
    steps, height, width = block.shape
    rows = state.shape[0]
    for t in range(steps):
        for i in range(height):
            for j in range(width):
                value = np.float64(block[t, i, j])
                if np.isnan(value):
                    continue
                count = state[0, i, j] + 1.0
                delta = value - state[1, i, j]
                mean = state[1, i, j] + delta / count
                state[0, i, j] = count
                state[1, i, j] = mean
                if rows > 2:
                    state[2, i, j] += delta * (value - mean)
                if rows > 3:
                    state[3, i, j] = min(state[3, i, j], value)
                    state[4, i, j] = max(state[4, i, j], value)


@njit(nogil=True, cache=True)
def _quantile(ordered: NDArray[np.float64], n: int, percent: float) -> float:
    # Linear between order statistics, as numpy.
    place = percent / 100.0 * (n - 1)
    low = math.floor(place)
    high = min(low + 1, n - 1)
    value: float = ordered[low] + (ordered[high] - ordered[low]) * (place - low)
    return value


@njit(nogil=True, cache=True)
def _keep(values: NDArray[np.float64], when: NDArray[np.float64], n: int, low: float, high: float) -> int:
    kept = 0
    for k in range(n):
        if low <= values[k] <= high:
            values[kept] = values[k]
            when[kept] = when[k]
            kept += 1
    return kept


@njit(nogil=True, cache=True)
def _spread(values: NDArray[np.float64], n: int) -> tuple[float, float]:
    total = 0.0
    for k in range(n):
        total += values[k]
    mean = total / n
    squares = 0.0
    for k in range(n):
        squares += (values[k] - mean) ** 2
    return mean, math.sqrt(squares / n)


@njit(nogil=True, cache=True)
def _cholesky(a: NDArray[np.float64], b: NDArray[np.float64], smallest: float) -> bool:
    # Solves a x = b into b; False where a is singular. a is changed, its lower half counts.
    n = len(b)
    for p in range(n):
        for q in range(p + 1):
            total = a[p, q] - np.dot(a[p, :q], a[q, :q])
            if q < p:
                a[p, q] = total / a[q, q]
            elif total <= smallest:
                return False
            else:
                a[p, p] = math.sqrt(total)
    for p in range(n):
        b[p] = (b[p] - np.dot(a[p, :p], b[:p])) / a[p, p]
    for p in range(n - 1, -1, -1):
        for r in range(p + 1, n):
            b[p] -= a[r, p] * b[r]
        b[p] /= a[p, p]
    return True


@njit(nogil=True, cache=True)
def _fit(
    values: NDArray[np.float64], when: NDArray[np.float64], n: int, middle: float, terms: int, out: NDArray[np.float32]
) -> None:
    # Least squares on 1, t and, with four terms, cos 2 pi t, sin 2 pi t by normal equations; t from the middle of
    # the series, so that level and slope do not depend on each other through 50 years of offset.
    a = np.zeros((terms, terms))
    b = np.zeros(terms)
    row = np.empty(4)
    for k in range(n):
        angle = 2.0 * math.pi * when[k]
        row[0], row[1], row[2], row[3] = 1.0, when[k] - middle, math.cos(angle), math.sin(angle)
        for p in range(terms):
            b[p] += row[p] * values[k]
            for q in range(p + 1):
                a[p, q] += row[p] * row[q]
    # Scaled by the span, so that a slope over a month is as well determined as one over ten years.
    span = when[:n].max() - when[:n].min()
    if span <= 0.0:
        return
    for q in range(terms):
        a[1, q] /= span
        if q >= 1:
            a[q, 1] /= span
    b[1] /= span
    if not _cholesky(a, b, 1e-9 * n):
        return  # the dates do not determine the model
    b[1] /= span
    out[_TREND] = b[1]
    if terms == 2:
        return
    squares = 0.0
    for k in range(n):
        angle = 2.0 * math.pi * when[k]
        model = b[0] + b[1] * (when[k] - middle) + b[2] * math.cos(angle) + b[3] * math.sin(angle)
        squares += (values[k] - model) ** 2
    out[_AMPLITUDE] = math.hypot(b[2], b[3])
    out[_PHASE] = math.atan2(b[3], b[2])
    out[_LEVEL] = b[0]
    out[_RESIDUAL] = math.sqrt(squares / n)


@njit(nogil=True, cache=True)
def _to_decibel(values: NDArray[np.float64], when: NDArray[np.float64], n: int) -> int:
    kept = 0
    for k in range(n):
        if values[k] > 0.0:
            values[kept] = 10.0 * math.log10(values[k])
            when[kept] = when[k]
            kept += 1
    return kept


@njit(nogil=True, cache=True)
def scan_pixels(
    stack: NDArray[np.float32],
    years: NDArray[np.float64],
    percentiles: NDArray[np.float64],
    remove_outliers: bool,
    terms: int,
    decibel: bool,
) -> NDArray[np.float32]:
    """All metrics of every pixel.

    Parameters
    ----------
    stack : (t, y, x)
        Linear power, NaN where missing.
    years : (t,)
        Years since 1970.
    percentiles : (q,)
        0 to 100.
    remove_outliers : bool
    terms : int
        Fit nothing (0), a straight line (2), or a line with an annual harmonic (4), which is left out where a
        pixel's dates span less than `LEAST_SPAN`.
    decibel : bool
        Fit on decibel instead of power; values of zero or less are left out of the fit.

    Returns
    -------
    (12 + q, y, x) float32
        Rows as temporal.METRICS, then the percentiles; NaN where nothing was seen, count 0 there.
    """
    steps, height, width = stack.shape
    out = np.full((_ROWS + len(percentiles), height, width), np.nan, np.float32)
    values = np.empty(steps)
    when = np.empty(steps)
    row = np.empty(_ROWS, np.float32)
    middle = 0.5 * (years.min() + years.max())
    for i in range(height):
        for j in range(width):
            n = 0
            for t in range(steps):
                value = stack[t, i, j]
                if not np.isnan(value):
                    values[n] = value
                    when[n] = years[t]
                    n += 1
            if remove_outliers and n >= _MIN_OUTLIER_DATES:
                ordered = np.sort(values[:n])
                n = _keep(values, when, n, _quantile(ordered, n, 5.0), _quantile(ordered, n, 95.0))
                mean, std = _spread(values, n)
                n = _keep(values, when, n, mean - 2.0 * std, mean + 2.0 * std)
            out[_COUNT, i, j] = n
            if n == 0:
                continue
            ordered = np.sort(values[:n])
            mean, std = _spread(values, n)
            out[_MEAN, i, j] = mean
            out[_MIN, i, j] = ordered[0]
            out[_MAX, i, j] = ordered[n - 1]
            out[_STD, i, j] = std
            out[_COV, i, j] = std / mean if mean != 0.0 else np.nan
            out[_MEDIAN, i, j] = _quantile(ordered, n, 50.0)
            for q in range(len(percentiles)):
                out[_ROWS + q, i, j] = _quantile(ordered, n, percentiles[q])
            if terms:
                if decibel:
                    n = _to_decibel(values, when, n)
                row[:] = np.nan
                if n >= terms and (terms == 2 or when[:n].max() - when[:n].min() >= LEAST_SPAN):
                    _fit(values, when, n, middle, terms, row)
                for m in range(_TREND, _ROWS):
                    out[m, i, j] = row[m]
    return out
