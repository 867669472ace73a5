"""The adaptive phase filter of Goldstein and Werner (1998, Geophysical Research Letters 25)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft2, ifft2
from scipy.ndimage import uniform_filter

from sarcube.errors import EngineError

PATCH = 64  # cells: wide enough for the long fringes of 80 m cells, narrow enough for a spectrum of few of them
_STEPS = 4  # patches that begin within the length of one
_SMOOTHING = 3  # cells of the spectrum's magnitude: of single looks of it the power would filter noise by itself


def goldstein(
    interferogram: NDArray[np.complex64],
    alpha: float | None = 0.5,
    coherence: NDArray[np.float32] | None = None,
    *,
    patch: int = PATCH,
) -> NDArray[np.complex64]:
    """An interferogram whose phase is filtered: spectrum of each patch times its smoothed magnitude to the power alpha.

    Patches of unit phasors overlap by three quarters and are put together under triangular weights. The strongest
    frequency of a patch passes as it is, so fringes of neighbouring patches weigh the same.

    Parameters
    ----------
    interferogram : (rows, columns) complex64
        NaN and 0 are no data: they add nothing and stay as they are.
    alpha : float, optional
        0 (nothing) to 1. None: one minus the mean coherence of each patch (Baran et al. 2003, IEEE TGRS 41).
    coherence : (rows, columns) float32, optional
        Needed where `alpha` is None.
    patch : int
        Side of the patches in cells, a multiple of 4.

    Returns
    -------
    (rows, columns) complex64
        Magnitudes of the input with filtered phase.

    Raises
    ------
    EngineError
        `alpha` or `patch` out of range, or coherence that is missing or of another shape.
    """
    _check(interferogram, alpha, coherence, patch)
    step = patch // _STEPS
    rows, columns = interferogram.shape
    magnitude = np.abs(interferogram)
    seen = np.isfinite(magnitude) & (magnitude > 0)
    # A margin all around gives the cells at the border as many patches as the others have.
    before = patch - step
    shape = tuple(-(-(n + before) // step) * step + before for n in (rows, columns))
    inner = np.s_[before : before + rows, before : before + columns]
    phasors = np.zeros(shape, np.complex64)
    phasors[inner][seen] = interferogram[seen] / magnitude[seen]
    known = np.zeros(shape, np.float32)
    known[inner] = seen
    value = np.zeros(shape, np.float32)
    if coherence is not None:
        value[inner] = np.where(seen, np.nan_to_num(coherence), 0.0)

    ramp = 1.0 - np.abs((np.arange(patch) + 0.5) / (0.5 * patch) - 1.0)
    weight = np.outer(ramp, ramp).astype(np.float32)
    total = np.zeros(shape, np.complex64)
    starts = range(0, shape[1] - patch + 1, step)
    for top in range(0, shape[0] - patch + 1, step):
        row = np.s_[top : top + patch]
        if not known[row].any():
            continue
        powers = _powers(alpha, known[row], value[row], starts, patch)
        filtered = _filtered(np.stack([phasors[row, left : left + patch] for left in starts]), powers)
        for left, part in zip(starts, filtered, strict=True):
            total[row, left : left + patch] += weight * part
    size = np.abs(total[inner])
    out = interferogram.astype(np.complex64)
    there = seen & (size > 0)
    out[there] = magnitude[there] * (total[inner][there] / size[there])
    return out


def _filtered(patches: NDArray[np.complex64], powers: NDArray[np.float32]) -> NDArray[np.complex64]:
    spectrum = fft2(patches)
    strength = uniform_filter(np.abs(spectrum), size=(1, _SMOOTHING, _SMOOTHING), mode="wrap")
    most = strength.max(axis=(1, 2), keepdims=True)
    strength /= np.where(most > 0, most, 1.0)
    return np.asarray(ifft2(spectrum * strength ** powers[:, None, None]), np.complex64)


def _powers(
    alpha: float | None, known: NDArray[np.float32], value: NDArray[np.float32], starts: range, patch: int
) -> NDArray[np.float32]:
    if alpha is not None:
        return np.full(len(starts), alpha, np.float32)
    count, total = (
        np.array([part[:, s : s + patch].sum(dtype=np.float64) for s in starts], np.float32) for part in (known, value)
    )
    return np.clip(1.0 - total / np.maximum(count, 1.0), 0.0, 1.0)


def _check(
    interferogram: NDArray[np.complex64], alpha: float | None, coherence: NDArray[np.float32] | None, patch: int
) -> None:
    if alpha is not None and not 0.0 <= alpha <= 1.0:
        raise EngineError(f"the phase filter's alpha is {alpha:g}; give 0 (no filter) to 1, or none for Baran's")
    if patch < 8 or patch % _STEPS:
        raise EngineError(f"the phase filter's patches of {patch} cells: give a multiple of {_STEPS}, at least 8")
    if alpha is None and coherence is None:
        raise EngineError("the phase filter takes alpha from the coherence: give either")
    if coherence is not None and coherence.shape != interferogram.shape:
        raise EngineError(f"coherence {coherence.shape} and interferogram {interferogram.shape} are of different grids")
