"""An interferogram filtered and unwrapped, once for all of it; components end at water."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

from sarcube.engines.insar.goldstein import goldstein
from sarcube.engines.insar.unwrap import Method, numbered, unwrap

_LEAST = 100  # cells of a component that water has cut off


@dataclass(frozen=True)
class WholeOptions:
    """Choices that change the result.

    Attributes
    ----------
    alpha : float, optional
        Of Goldstein's filter, 0 (none) to 1; None: one minus the mean coherence around (Baran et al. 2003).
    method : str, optional
        "whirlwind" (extra `unwrap`) or "snaphu" (extra `snaphu`); None: not unwrapped.
    leave_out_water : bool
        Water is taken out before the phase is filtered and unwrapped; else components end at it all the same.
    """

    alpha: float | None = 0.5
    method: Method | None = "whirlwind"
    leave_out_water: bool = True


@dataclass(frozen=True, eq=False)
class Whole:
    """What is made of an interferogram.

    Attributes
    ----------
    filtered_phase : (rows, columns) float32
        Radians; NaN where there is none, and of water that was left out.
    unwrapped_phase : (rows, columns) float32, optional
        The unfiltered phase with the cycles of the filtered one, radians.
    components : (rows, columns) uint16, optional
        From 1 on, the largest first; 0: of none.
    looks : float
        Independent looks of a cell that unwrapping reckoned with.
    """

    filtered_phase: NDArray[np.float32]
    unwrapped_phase: NDArray[np.float32] | None
    components: NDArray[np.uint16] | None
    looks: float


def finish(
    interferogram: NDArray[np.complex64],
    coherence: NDArray[np.float32],
    counted: NDArray[np.float32],
    water: NDArray[np.bool_],
    options: WholeOptions,
) -> Whole:
    """Take water out, filter, unwrap.

    Parameters
    ----------
    interferogram : (rows, columns) complex64
        NaN where there is none.
    coherence : (rows, columns) float32
        Of its samples.
    counted : (rows, columns) float32
        Independent looks.
    water : (rows, columns) bool
        Where water is known to be.
    options : WholeOptions

    Raises
    ------
    EngineError
        The library to unwrap with is not installed or failed, or there is nothing to unwrap.
    """
    seen = np.where(water, np.complex64(np.nan), interferogram) if options.leave_out_water else interferogram
    filtered = goldstein(seen, options.alpha, coherence)
    with np.errstate(invalid="ignore"):
        phase = np.where(np.isfinite(filtered), np.angle(filtered), np.nan).astype(np.float32)
        there = np.isfinite(seen) & (counted > 0)
    looks = max(float(np.median(counted[there])), 1.0) if there.any() else 1.0
    if options.method is None:
        return Whole(phase, None, None, looks)
    mask = water if options.leave_out_water else None
    made = unwrap(seen, filtered, coherence, looks, mask=mask, method=options.method)
    return Whole(phase, made.phase, parted(made.components, water), made.looks)


def parted(components: NDArray[np.uint16], water: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Components without water, each in one piece: what water parts is right on either side, not between them."""
    out = np.where(water, 0, components).astype(np.int32)
    pieces: NDArray[np.int32] = np.zeros(out.shape, np.int32)
    count = 0
    for number, box in enumerate(find_objects(out), start=1):
        if box is not None:
            own, found = label(out[box] == number)
            pieces[box][own > 0] = own[own > 0] + count
            count += found
    sizes = np.bincount(pieces.ravel())
    pieces[sizes[pieces] < _LEAST] = 0
    return numbered(pieces)
