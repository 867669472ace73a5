"""Inner loops of the temporal statistics that need all dates of a pixel.

The pixels of a row are taken together, some hundred at a time, with the dates outermost: so the compiler makes vector
instructions of every loop over them. What is left out becomes NaN in place, and its absence costs nothing.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sarcube.cube.order_kernels import lanes_of, sort_columns

# Rows of scan_pixels' result, in the order of temporal.METRICS.
_COUNT, _MEAN, _MIN, _MAX, _STD, _COV, _MEDIAN, _TREND, _AMPLITUDE, _PHASE, _LEVEL, _RESIDUAL = range(12)
_ROWS = 12
_MIN_OUTLIER_DATES = 5
# Years that dates must span for an annual harmonic: those of one calendar year, the first and the last of them some
# repeat cycles within it. Over less, a season cannot be told from a trend.
LEAST_SPAN = 0.9


@njit(nogil=True, cache=True)
def _quantile(ordered: NDArray[np.float32], first: int, n: int, percent: float) -> float:
    # Linear between order statistics, as numpy.
    place = percent / 100.0 * (n - 1)
    low = math.floor(place)
    high = min(low + 1, n - 1)
    below, above = np.float64(ordered[first + low]), np.float64(ordered[first + high])
    value: float = below + (above - below) * (place - low)
    return value


@njit(nogil=True, cache=True)
def _load(
    stack: NDArray[np.float32],
    row: int,
    start: int,
    size: int,
    values: NDArray[np.float32],
    ordered: NDArray[np.float32],
    seen: NDArray[np.int64],
) -> None:
    # Dates of some pixels of a row: in time, and sorted with what is missing at the end.
    seen[:] = 0
    for t in range(stack.shape[0]):
        for j in range(size):
            value = stack[t, row, start + j]
            there = not np.isnan(value)
            values[t, j] = value
            ordered[t, j] = value if there else np.float32(np.inf)
            seen[j] += 1 if there else 0
    sort_columns(ordered, size)


@njit(nogil=True, cache=True, error_model="numpy")
def _spread(
    values: NDArray[np.float32],
    size: int,
    seen: NDArray[np.int64],
    mean: NDArray[np.float64],
    std: NDArray[np.float64],
) -> None:
    steps = values.shape[0]
    mean[:] = 0.0
    for t in range(steps):
        for j in range(size):
            value = np.float64(values[t, j])
            mean[j] += value if not np.isnan(value) else 0.0
    for j in range(size):
        mean[j] /= seen[j]
    std[:] = 0.0
    for t in range(steps):
        for j in range(size):
            value = np.float64(values[t, j])
            off = value - mean[j]
            std[j] += off * off if not np.isnan(value) else 0.0
    for j in range(size):
        std[j] = math.sqrt(std[j] / seen[j])


@njit(nogil=True, cache=True)
def _keep(
    values: NDArray[np.float32],
    ordered: NDArray[np.float32],
    size: int,
    first: NDArray[np.int64],
    seen: NDArray[np.int64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> None:
    # What is kept of sorted values are neighbours.
    for t in range(values.shape[0]):
        for j in range(size):
            value = np.float64(values[t, j])
            values[t, j] = values[t, j] if (value >= low[j]) & (value <= high[j]) else np.float32(np.nan)
    for j in range(size):
        while seen[j] > 0 and ordered[first[j], j] < low[j]:
            first[j] += 1
            seen[j] -= 1
        while seen[j] > 0 and ordered[first[j] + seen[j] - 1, j] > high[j]:
            seen[j] -= 1


@njit(nogil=True, cache=True)
def _solve(a: NDArray[np.float64], b: NDArray[np.float64], n: int, smallest: float) -> bool:
    # Cholesky: solves a x = b into b; False where a is singular. a is changed, its lower half counts.
    for p in range(n):
        for q in range(p + 1):
            total = a[p, q]
            for r in range(q):
                total -= a[p, r] * a[q, r]
            if q < p:
                a[p, q] = total / a[q, q]
            elif total <= smallest:
                return False
            else:
                a[p, p] = math.sqrt(total)
    for p in range(n):
        for r in range(p):
            b[p] -= a[p, r] * b[r]
        b[p] /= a[p, p]
    for p in range(n - 1, -1, -1):
        for r in range(p + 1, n):
            b[p] -= a[r, p] * b[r]
        b[p] /= a[p, p]
    return True


@njit(nogil=True, cache=True)
def _to_decibel(values: NDArray[np.float32], size: int, levels: NDArray[np.float64]) -> None:
    for t in range(values.shape[0]):
        for j in range(size):
            value = np.float64(values[t, j])
            levels[t, j] = 10.0 * math.log10(value) if value > 0.0 else np.nan


@njit(nogil=True, cache=True)
def _model(years: NDArray[np.float64], middle: float) -> NDArray[np.float64]:
    # A row per date: 1, t, cos 2 pi t, sin 2 pi t; t from the middle of the series, so that level and slope do not
    # depend on each other through 50 years of offset.
    model = np.ones((len(years), 4))
    for t in range(len(years)):
        angle = 2.0 * math.pi * years[t]
        model[t, 1], model[t, 2], model[t, 3] = years[t] - middle, math.cos(angle), math.sin(angle)
    return model


@njit(nogil=True, cache=True)
def _normal_equations(
    levels: NDArray[np.float64],
    years: NDArray[np.float64],
    model: NDArray[np.float64],
    dates: NDArray[np.float64],
    normal: NDArray[np.float64],
    right: NDArray[np.float64],
) -> None:
    # Sums over the dates that are there; dates: how many, the first and the last.
    size = right.shape[1]
    dates[0], dates[1], dates[2] = 0.0, np.inf, -np.inf
    normal[:] = 0.0
    right[:] = 0.0
    for t in range(levels.shape[0]):
        year = years[t]
        for j in range(size):
            there = not np.isnan(levels[t, j])
            dates[0, j] += 1.0 if there else 0.0
            dates[1, j] = year if there and year < dates[1, j] else dates[1, j]
            dates[2, j] = year if there and year > dates[2, j] else dates[2, j]
        for p in range(len(right)):
            factor = model[t, p]
            for j in range(size):
                value = levels[t, j]
                right[p, j] += factor * value if not np.isnan(value) else 0.0
            for q in range(p + 1):
                product = factor * model[t, q]
                for j in range(size):
                    normal[p, q, j] += product if not np.isnan(levels[t, j]) else 0.0


@njit(nogil=True, cache=True)
def _squares(
    levels: NDArray[np.float64], model: NDArray[np.float64], fitted: NDArray[np.float64], squares: NDArray[np.float64]
) -> None:
    squares[:] = 0.0
    for t in range(levels.shape[0]):
        slope, cosine, sine = model[t, 1], model[t, 2], model[t, 3]
        for j in range(len(squares)):
            value = levels[t, j]
            off = value - (fitted[0, j] + fitted[1, j] * slope + fitted[2, j] * cosine + fitted[3, j] * sine)
            squares[j] += off * off if not np.isnan(value) else 0.0


@njit(nogil=True, cache=True, error_model="numpy")
def _fit(
    levels: NDArray[np.float64],
    size: int,
    years: NDArray[np.float64],
    model: NDArray[np.float64],
    terms: int,
    out: NDArray[np.float32],
) -> None:
    # Least squares; out: rows from _TREND on, NaN where the dates do not determine the model.
    dates, normal, fitted = np.empty((3, size)), np.empty((terms, terms, size)), np.empty((terms, size))
    _normal_equations(levels, years, model, dates, normal, fitted)
    a, b = np.empty((terms, terms)), np.empty(terms)
    for j in range(size):
        n, span = dates[0, j], dates[2, j] - dates[1, j]
        fits = n >= terms and span > 0.0 and (terms == 2 or span >= LEAST_SPAN)
        if fits:
            # Scaled by the span, so that a slope over a month is as well determined as one over ten years.
            for p in range(terms):
                b[p] = fitted[p, j] / (span if p == 1 else 1.0)
                for q in range(p + 1):
                    a[p, q] = normal[p, q, j] / ((span if p == 1 else 1.0) * (span if q == 1 else 1.0))
            fits = _solve(a, b, terms, 1e-9 * n)
            b[1] /= span
        for p in range(terms):
            fitted[p, j] = b[p] if fits else np.nan
    out[_TREND] = fitted[1]
    if terms == 4:
        squares = dates[1]
        _squares(levels, model, fitted, squares)
        for j in range(size):
            out[_AMPLITUDE, j] = math.hypot(fitted[2, j], fitted[3, j])
            out[_PHASE, j] = math.atan2(fitted[3, j], fitted[2, j])
            out[_LEVEL, j] = fitted[0, j]
            out[_RESIDUAL, j] = math.sqrt(squares[j] / dates[0, j])


@njit(nogil=True, cache=True, error_model="numpy")
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
    lanes = lanes_of(steps, width)
    values, ordered = np.empty((steps, lanes), np.float32), np.empty((steps, lanes), np.float32)
    levels = np.empty((steps, lanes))
    first, seen = np.empty(lanes, np.int64), np.empty(lanes, np.int64)
    mean, std, low, high = np.empty(lanes), np.empty(lanes), np.empty(lanes), np.empty(lanes)
    model = _model(years, 0.5 * (years.min() + years.max()))
    for i in range(height):
        for start in range(0, width, lanes):
            size = min(lanes, width - start)
            _load(stack, i, start, size, values, ordered, seen)
            first[:] = 0
            if remove_outliers:
                _limits(ordered, size, seen, low, high)
                _keep(values, ordered, size, first, seen, low, high)
                _spread(values, size, seen, mean, std)
                for j in range(size):
                    # Where nothing was left out before, there are too few dates to leave out any.
                    few = low[j] == -np.inf
                    low[j] = -np.inf if few else mean[j] - 2.0 * std[j]
                    high[j] = np.inf if few else mean[j] + 2.0 * std[j]
                _keep(values, ordered, size, first, seen, low, high)
            _spread(values, size, seen, mean, std)
            for j in range(size):
                n, k, x = seen[j], first[j], start + j
                out[_COUNT, i, x] = n
                if n == 0:
                    continue
                out[_MEAN, i, x] = mean[j]
                out[_MIN, i, x] = ordered[k, j]
                out[_MAX, i, x] = ordered[k + n - 1, j]
                out[_STD, i, x] = std[j]
                out[_COV, i, x] = std[j] / mean[j] if mean[j] != 0.0 else np.nan
                out[_MEDIAN, i, x] = _quantile(ordered[:, j], k, n, 50.0)
                for q in range(len(percentiles)):
                    out[_ROWS + q, i, x] = _quantile(ordered[:, j], k, n, percentiles[q])
            if terms:
                if decibel:
                    _to_decibel(values, size, levels)
                else:
                    levels[:, :size] = values[:, :size]
                _fit(levels, size, years, model, terms, out[:, i, start : start + size])
    return out


@njit(nogil=True, cache=True)
def _limits(
    ordered: NDArray[np.float32],
    size: int,
    seen: NDArray[np.int64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> None:
    # Beyond the 5th and the 95th percentile values are left out, where there are dates enough.
    for j in range(size):
        enough = seen[j] >= _MIN_OUTLIER_DATES
        low[j] = _quantile(ordered[:, j], 0, seen[j], 5.0) if enough else -np.inf
        high[j] = _quantile(ordered[:, j], 0, seen[j], 95.0) if enough else np.inf
