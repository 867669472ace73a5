"""Phase without its cycles, by the solvers that there are: whirlwind, or SNAPHU (Chen and Zebker 2001, JOSA A 18)."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import EngineError

Method = Literal["whirlwind", "snaphu"]
Phasors = NDArray[np.complex64]
Weights = NDArray[np.float32]
Mask = NDArray[np.bool_]
Solved = tuple[NDArray[np.floating], NDArray[np.integer]]  # phase and labels of components
Solver = Callable[[Phasors, Weights, float, Mask], Solved]
EXTRAS = {"whirlwind": "unwrap", "snaphu": "snaphu"}
_SMALLEST = 100  # cells of a component
_BY_CHANCE = 0.05  # how often incoherent ground may look like a component's
_MOST_LOOKS = 300.0  # what the solvers' tables of costs know
NOT_COMMERCIAL = (
    "SNAPHU begins with the CS2 solver, whose licence is for non-commercial use only; whirlwind has no such limit"
)


@dataclass(frozen=True, eq=False)
class Unwrapped:
    """Unwrapped phase.

    Attributes
    ----------
    phase : (rows, columns) float32
        Radians; differs from the interferogram's phase by whole cycles. NaN where masked.
    components : (rows, columns) uint16
        Cells of one number are right relative to each other; 0: of none.
    looks : float
        Independent looks that the costs were found with.
    """

    phase: NDArray[np.float32]
    components: NDArray[np.uint16]
    looks: float


def unwrap(
    interferogram: NDArray[np.complex64],
    filtered: NDArray[np.complex64],
    coherence: NDArray[np.float32],
    looks: float,
    *,
    mask: NDArray[np.bool_] | None = None,
    method: Method = "whirlwind",
) -> Unwrapped:
    """Cycles of the filtered phase, put back on the unfiltered one.

    phase = p + 2 pi round((u - p) / 2 pi), with p the unfiltered and u the filtered, unwrapped phase: filtering decides
    on cycles and on nothing else.

    Parameters
    ----------
    interferogram, filtered : (rows, columns) complex64
        NaN and 0 are no data.
    coherence : (rows, columns) float32
        Of the unfiltered samples.
    looks : float
        Independent looks of the coherence, at least 1.
    mask : (rows, columns) bool, optional
        True: to be left out, such as water.
    method : str
        'whirlwind' (extra `unwrap`) or 'snaphu' (extra `snaphu`; see `NOT_COMMERCIAL`).

    Raises
    ------
    EngineError
        The solver is not installed or failed, arrays of different shapes, or no cell to unwrap.
    """
    given = (filtered, coherence) if mask is None else (filtered, coherence, mask)
    if any(values.shape != interferogram.shape for values in given):
        raise EngineError(
            f"unwrapping: arrays of {[v.shape for v in given]} and {interferogram.shape}, not of one grid"
        )
    solve = _solver(method)
    if not looks >= 1.0:
        raise EngineError(f"unwrapping needs the independent looks of the coherence, at least 1, not {looks}")
    with np.errstate(invalid="ignore"):
        valid = (np.abs(interferogram) > 0) & (np.abs(filtered) > 0) & (coherence > 0)
    if mask is not None:
        valid &= ~mask
    if not valid.any():
        raise EngineError("unwrapping: no cell has a phase that is not masked; nothing to unwrap")
    phasors = np.zeros(filtered.shape, np.complex64)
    phasors[valid] = filtered[valid] / np.abs(filtered[valid])
    weights = np.where(valid, np.minimum(coherence, 1.0), 0.0).astype(np.float32)
    try:
        found, components = solve(phasors, weights, min(float(looks), _MOST_LOOKS), valid)
    except (RuntimeError, ValueError, OSError) as error:
        raise EngineError(f"unwrapping with {method} failed: {error}") from error
    own = np.angle(interferogram).astype(np.float64)
    turns = np.rint((found - own) / (2 * np.pi))
    phase = np.where(valid, own + 2 * np.pi * turns, np.nan).astype(np.float32)
    labels = np.where(valid & np.isfinite(phase), components, 0)
    return Unwrapped(phase, numbered(labels), float(looks))


def chance_coherence(looks: float) -> float:
    """The sample coherence that ground without any exceeds in one of twenty cells (Touzi et al. 1999, equation 13
    without true coherence: P(g > t) = (1 - t^2)^(L - 1))."""  # fmt: skip
    return float(np.sqrt(1.0 - _BY_CHANCE ** (1.0 / max(looks - 1.0, 1.0))))


def _solver(method: str) -> Solver:
    if method not in get_args(Method):
        raise EngineError(f"no method {method!r} to unwrap with; there are {', '.join(get_args(Method))}")
    try:
        library = importlib.import_module(method)
    except ImportError as error:
        raise EngineError(
            f"unwrapping with {method} needs a library that is not installed ({error}): "
            f"pip install 'sarcube[{EXTRAS[method]}]'"
        ) from error
    return _whirlwind(library) if method == "whirlwind" else _snaphu(library)


def _whirlwind(library: ModuleType) -> Solver:
    def solve(phasors: Phasors, coherence: Weights, looks: float, valid: Mask) -> Solved:
        phase, components = library.unwrap(
            phasors, coherence, looks, valid, conncomp_min_coherence=chance_coherence(looks), min_size_px=_SMALLEST
        )
        return phase, components

    return solve


def _snaphu(library: ModuleType) -> Solver:
    def solve(phasors: Phasors, coherence: Weights, looks: float, valid: Mask) -> Solved:
        share = min(1.0, _SMALLEST / valid.size)
        phase, components = library.unwrap(
            phasors, coherence, looks, cost="smooth", init="mcf", mask=valid, min_conncomp_frac=share
        )
        return phase, components

    return solve


def numbered(labels: NDArray[np.integer]) -> NDArray[np.uint16]:
    """Components from 1 on, the largest first; what 16 bits cannot number has none."""
    values, where, counts = np.unique(labels, return_inverse=True, return_counts=True)
    numbers = np.zeros(len(values), np.uint16)
    order = [i for i in np.argsort(-counts, kind="stable") if values[i] > 0]
    for number, i in enumerate(order[: np.iinfo(np.uint16).max], start=1):
        numbers[i] = number
    return numbers[where].reshape(labels.shape)
