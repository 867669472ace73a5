"""From a burst's samples to those of the fine grid: deramp, interpolate, reramp where it was sampled, flatten."""

# ruff: noqa: PLR0913, PLR0917, RUF046
# Kernels: numba takes scalars and arrays and wants integers said.

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sarcube.engines.insar.lattice import LINE, RANGE, SAMPLE, Lattice, positions
from sarcube.engines.insar.spectra import BEFORE, STEPS, TAPS

_FAST = {"contract", "reassoc", "nsz", "arcp"}
AFTER = TAPS - 1 - BEFORE


class View(NamedTuple):
    """One date as kernels take it.

    Attributes
    ----------
    place : (rows, columns, 3, 4) float64
        See `lattice.look_at`.
    middle, interval : float
        See `sarcube.sensors.sentinel1.deramp.Carrier`, as the next three.
    rate, centroid, reference : (samples,) float64
    gain : (samples,) float32
        Factor from digital numbers to amplitudes.
    first_valid, last_valid : (lines,) int32
        Samples of each line, -1 where none is valid.
    waves : float
        Turns of two-way phase in a metre of range, 2 / wavelength.
    along : (STEPS + 1, TAPS) float32
        Interpolator along azimuth.
    across : (STEPS + 1, 2 TAPS) float32
        The same along range, each weight twice: of the real and of the imaginary part.
    """

    place: NDArray[np.float64]
    middle: float
    interval: float
    rate: NDArray[np.float64]
    centroid: NDArray[np.float64]
    reference: NDArray[np.float64]
    gain: NDArray[np.float32]
    first_valid: NDArray[np.int32]
    last_valid: NDArray[np.int32]
    waves: float
    along: NDArray[np.float32]
    across: NDArray[np.float32]


def _circle() -> tuple[list[float], list[float]]:
    """Coefficients of cos(2 pi t) in t^2 and of sin(2 pi t) / t in t^2 for |t| <= 0.5, to 1e-9."""
    t = 0.5 * np.cos(np.pi * (np.arange(64) + 0.5) / 64)
    basis = (t * t)[:, None] ** np.arange(9)
    cosine = np.linalg.lstsq(basis, np.cos(2 * np.pi * t), rcond=None)[0]
    sine = np.linalg.lstsq(t[:, None] * basis, np.sin(2 * np.pi * t), rcond=None)[0]
    return [float(v) for v in cosine], [float(v) for v in sine]


_COS, _SIN = _circle()
_C0, _C1, _C2, _C3, _C4, _C5, _C6, _C7, _C8 = _COS
_S0, _S1, _S2, _S3, _S4, _S5, _S6, _S7, _S8 = _SIN


@njit(cache=True, nogil=True, fastmath=_FAST, inline="always")
def unit(turns: float) -> tuple[float, float]:
    """cos and sin of 2 pi `turns`: a polynomial, so that loops of it are vectors."""
    t = turns - np.rint(turns)
    x = t * t
    c = _C0 + x * (_C1 + x * (_C2 + x * (_C3 + x * (_C4 + x * (_C5 + x * (_C6 + x * (_C7 + x * _C8)))))))
    s = _S0 + x * (_S1 + x * (_S2 + x * (_S3 + x * (_S4 + x * (_S5 + x * (_S6 + x * (_S7 + x * _S8)))))))
    return c, t * s


@njit(cache=True, nogil=True, fastmath=_FAST)
def deramp(view: View, samples: NDArray[np.int16], first_line: int, out: NDArray[np.float32]) -> None:
    """Lines of a burst without their carrier, calibrated, into `out` (lines, 2 samples): real, imaginary, ..."""
    lines, width = samples.shape[0], samples.shape[1]
    for i in range(lines):
        eta = (first_line + i - view.middle) * view.interval
        for j in range(width):
            away = eta - view.reference[j]
            c, s = unit(away * (0.5 * view.rate[j] * away + view.centroid[j]))
            g = view.gain[j]
            a, b = g * samples[i, j, 0], g * samples[i, j, 1]
            out[i, 2 * j] = a * c + b * s
            out[i, 2 * j + 1] = b * c - a * s


@njit(cache=True, nogil=True, fastmath=_FAST)
def resample_row(
    lattice: Lattice,
    view: View,
    lines: NDArray[np.float32],
    first_line: int,
    row: int,
    first: int,
    heights: NDArray[np.float32],
    place: NDArray[np.float64],
    out: NDArray[np.float32],
) -> int:
    """Flattened samples of one fine row.

    Parameters
    ----------
    lattice, view
    lines : (n, 2 samples) float32
        Deramped lines of the burst from `first_line` on.
    row, first : int
        Fine row, and fine column of the first sample.
    heights : (n,) float32
        At the samples.
    place : (3, n) float64
        Line, sample and range of each, for the caller.
    out : (n, 2) float32
        0 where the burst has nothing.

    Returns
    -------
    int
        Samples within the burst whose lines are not in `lines`: there must be none.
    """
    positions(lattice, view.place, row + 0.5, first + 0.5, 1.0, heights, place)
    end = first_line + lines.shape[0]
    count = view.first_valid.size
    missed = 0
    part = np.empty(2 * TAPS, np.float32)
    for n in range(heights.size):
        y, x, distance = place[LINE, n], place[SAMPLE, n], place[RANGE, n]
        out[n, 0] = out[n, 1] = 0.0
        place[RANGE, n] = 0.0
        if not (y >= BEFORE and y < count - AFTER):
            continue
        i, j = int(y), int(x)
        if view.first_valid[i] < 0 or not (x >= view.first_valid[i] + BEFORE and x < view.last_valid[i] - AFTER + 1):
            continue
        if view.first_valid[i - BEFORE] < 0 or view.first_valid[i + AFTER] < 0:
            continue
        if i - BEFORE < first_line or i + AFTER >= end:
            missed += 1
            continue
        fx = x - j
        v = view.along[int((y - i) * STEPS + 0.5)]
        h = view.across[int(fx * STEPS + 0.5)]
        b = 2 * (j - BEFORE)
        i -= first_line + BEFORE
        # All lines at once, for each of the numbers beside each other (real and imaginary in turn): a loop of vectors.
        v0, v1, v2, v3, v4, v5, v6, v7 = v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]
        after = b + 2 * TAPS
        l0, l1, l2, l3 = lines[i, b:after], lines[i + 1, b:after], lines[i + 2, b:after], lines[i + 3, b:after]
        l4, l5, l6, l7 = lines[i + 4, b:after], lines[i + 5, b:after], lines[i + 6, b:after], lines[i + 7, b:after]
        for m in range(2 * TAPS):
            part[m] = h[m] * (
                v0 * l0[m] + v1 * l1[m] + v2 * l2[m] + v3 * l3[m] + v4 * l4[m] + v5 * l5[m] + v6 * l6[m] + v7 * l7[m]
            )
        re = (part[0] + part[2]) + (part[4] + part[6]) + ((part[8] + part[10]) + (part[12] + part[14]))
        im = (part[1] + part[3]) + (part[5] + part[7]) + ((part[9] + part[11]) + (part[13] + part[15]))
        out[n, 0], out[n, 1] = re, im
        g = 1.0 - fx
        away = (y - view.middle) * view.interval - (g * view.reference[j] + fx * view.reference[j + 1])
        rate = g * view.rate[j] + fx * view.rate[j + 1]
        carrier = away * (0.5 * rate * away + g * view.centroid[j] + fx * view.centroid[j + 1])
        place[RANGE, n] = carrier + view.waves * distance
    for n in range(heights.size):
        c, s = unit(place[RANGE, n])
        a, b = out[n, 0], out[n, 1]
        out[n, 0] = a * c - b * s
        out[n, 1] = a * s + b * c
    return missed


@njit(cache=True, nogil=True)
def doppler_at(view: View, line: float, sample: float) -> float:
    """Doppler frequency of the carrier (Hz) at a line and sample of the burst."""
    last = view.rate.size - 2
    j = min(max(int(math.floor(sample)), 0), last)
    f = min(max(sample - j, 0.0), 1.0)
    g = 1.0 - f
    away = (line - view.middle) * view.interval - (g * view.reference[j] + f * view.reference[j + 1])
    rate = g * view.rate[j] + f * view.rate[j + 1]
    return float(rate * away + g * view.centroid[j] + f * view.centroid[j + 1])
