"""Bursts of a pass put together: their overlaps brought to one phase, their sums added.

Two bursts see the ground of their overlap with looks of their own. What is constant between them (sub-swaths differ
by their antenna patterns, bursts by what is left of the azimuth timing) is found from the double differences of all
overlaps at once, by weighted least squares (as dolphin and sweets align bursts), and turned back. What then differs
still differs from place to place: ground that moved along the track, for one. So the sums of both are added with
weights that fall to nothing towards each burst's own edge, and no line is left at which the picture jumps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from sarcube.errors import EngineError

_LEAST_CELLS = 30
_EXPECTED = 0.1  # radians: what bursts are expected to differ by before their overlaps are looked at
_FLOOR = 0.005  # radians: what a mean over an overlap may be wrong by, however many cells it has
_ROUNDS = 12


@dataclass(frozen=True, eq=False)
class Piece:
    """A burst's part of a pair, on cells of the whole grid.

    Attributes
    ----------
    name : str
        Its burst ID.
    row, column : int
        Of its first cell on the whole grid.
    interferogram : (rows, columns) complex64
        Mean of the product of both dates; NaN where there is none.
    amplitude_first, amplitude_second : (rows, columns) float32
        Roots of the mean powers.
    looks : (rows, columns) float32
        Independent looks.
    mask : (rows, columns) uint8
        Classes of layover and shadow.
    """

    name: str
    row: int
    column: int
    interferogram: NDArray[np.complex64]
    amplitude_first: NDArray[np.float32]
    amplitude_second: NDArray[np.float32]
    looks: NDArray[np.float32]
    mask: NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = self.interferogram.shape
        return rows, columns

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Where it has samples of both dates."""
        with np.errstate(invalid="ignore"):
            return np.isfinite(self.interferogram) & (self.looks > 0)

    def shared(self, other: Piece) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
        """Windows of both on the box that they have in common, None where there is none."""
        mine, theirs = [], []
        for start, size, begin, length in zip(
            (self.row, self.column), self.shape, (other.row, other.column), other.shape, strict=True
        ):
            low, high = max(start, begin), min(start + size, begin + length)
            if low >= high:
                return None
            mine.append(slice(low - start, high - start))
            theirs.append(slice(low - begin, high - begin))
        return (mine[0], mine[1]), (theirs[0], theirs[1])


@dataclass(frozen=True)
class Seam:
    """What the overlap of two bursts says.

    Attributes
    ----------
    first, second : int
        Which pieces.
    difference : float
        Phase of the first less that of the second, radians.
    deviation : float
        Standard deviation of `difference`, radians.
    cells : int
    """

    first: int
    second: int
    difference: float
    deviation: float
    cells: int


@dataclass(frozen=True)
class Alignment:
    """Constants that bring bursts to one phase.

    Attributes
    ----------
    constants : tuple of float
        What is taken off the phase of each piece, radians.
    seams : tuple of Seam
        As seen before.
    left : float
        Root mean square of what overlaps differ by after, weighted by their cells; radians.
    """

    constants: tuple[float, ...]
    seams: tuple[Seam, ...]
    left: float


@dataclass(frozen=True, eq=False)
class Merged:
    """A pair over the whole grid; fields as those of `Piece`, and its sample coherence."""

    interferogram: NDArray[np.complex64]
    coherence: NDArray[np.float32]
    amplitude_first: NDArray[np.float32]
    amplitude_second: NDArray[np.float32]
    looks: NDArray[np.float32]
    mask: NDArray[np.uint8]


def align(pieces: Sequence[Piece]) -> Alignment:
    """Constants of the phase of each piece from all overlaps, along the track and between sub-swaths."""
    seams = tuple(seam for i, j in combinations(range(len(pieces)), 2) if (seam := _seam(pieces[i], pieces[j], (i, j))))
    constants = np.zeros(len(pieces))
    if seams:
        rows = np.zeros((len(seams), len(pieces)))
        for k, seam in enumerate(seams):
            rows[k, seam.first], rows[k, seam.second] = 1.0, -1.0
        seen = np.array([seam.difference for seam in seams])
        weight = 1.0 / np.array([seam.deviation**2 + _FLOOR**2 for seam in seams])
        normal = rows.T @ (weight[:, None] * rows) + np.eye(len(pieces)) / _EXPECTED**2
        for _ in range(_ROUNDS):  # differences are known but for whole turns
            left = _wrapped(seen - rows @ constants)
            step = np.linalg.solve(normal, rows.T @ (weight * left) - constants / _EXPECTED**2)
            constants += step
            if float(np.abs(step).max()) < 1e-9:
                break
    left_over = [_wrapped(s.difference - constants[s.first] + constants[s.second]) for s in seams]
    cells = [s.cells for s in seams]
    rms = float(np.sqrt(np.average(np.square(left_over), weights=cells))) if seams else 0.0
    return Alignment(tuple(float(c) for c in constants), seams, rms)


def merge(
    pieces: Iterable[Piece],
    constants: Sequence[float],
    shape: tuple[int, int],
    best_first: Sequence[int],
    outside: int,
) -> Merged:
    """The sums of all pieces, each turned back by its constant.

    Parameters
    ----------
    pieces : iterable of Piece
    constants : sequence of float
        Radians, one a piece.
    shape : (rows, columns)
        Of the whole grid; what lies beyond is left out.
    best_first : sequence of int
        Values of masks: where pieces differ the first of these counts.
    outside : int
        Value of the mask where there is no piece.
    """
    total = np.zeros(shape, np.complex64)
    power_first, power_second = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    weight, squared = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    rank = np.full(256, len(best_first), np.uint8)
    rank[list(best_first)] = np.arange(len(best_first))
    mask = np.full(shape, outside, np.uint8)
    for piece, constant in zip(pieces, constants, strict=True):
        window, part = _within(piece, shape)
        valid = piece.valid[part]
        # Cells to the edge of what the burst has: of a cell that one burst alone has it makes no difference.
        share = np.where(valid, distance_transform_edt(np.pad(piece.valid, 1))[1:-1, 1:-1][part], 0.0)
        n = np.where(valid, share * piece.looks[part], 0.0).astype(np.float32)
        turned = np.where(valid, piece.interferogram[part], 0) * np.complex64(np.exp(-1j * constant))
        total[window] += n * turned
        for power, amplitude in (
            (power_first, piece.amplitude_first), (power_second, piece.amplitude_second)
        ):  # fmt: skip
            power[window] += n * np.where(valid, amplitude[part], 0.0) ** 2
        weight[window] += n
        squared[window] += (n * share).astype(np.float32)
        better = rank[piece.mask[part]] < rank[mask[window]]
        mask[window][better] = piece.mask[part][better]
    there = weight > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.sqrt(power_first) * np.sqrt(power_second)
        coherence = np.minimum(np.abs(total) / np.where(scale > 0, scale, np.nan), 1.0)
        total /= np.where(there, weight, np.nan)
        first, second = (np.sqrt(p / np.where(there, weight, np.nan)) for p in (power_first, power_second))
        # Looks of a weighted mean of independent ones; of a plain sum their number.
        looks = weight**2 / np.where(squared > 0, squared, np.nan)
    mask[~there] = outside

    def real(values: NDArray[np.generic]) -> NDArray[np.float32]:
        return np.where(there, values, np.nan).astype(np.float32)

    complex_mean = np.where(there, total, np.complex64(np.nan))
    return Merged(complex_mean, real(coherence), real(first), real(second), real(looks), mask)


def _seam(a: Piece, b: Piece, which: tuple[int, int]) -> Seam | None:
    windows = a.shared(b)
    if windows is None:
        return None
    one, two = (_coherence(piece, window) for piece, window in zip((a, b), windows, strict=True))
    product = one * two.conj()
    seen = product[np.isfinite(product)]
    if seen.size < _LEAST_CELLS or not np.abs(seen).any():
        return None
    total, length = complex(seen.sum()), float(np.abs(seen).sum())
    share = min(max(abs(total) / length, 1e-3), 1 - 1e-6)
    # Variance of the mean direction of n directions with that resultant length (Mardia and Jupp 2000, 4.8).
    deviation = float(np.sqrt((1.0 - share**2) / (2.0 * seen.size * share**2)))
    return Seam(*which, float(np.angle(total)), deviation, int(seen.size))


def _coherence(piece: Piece, window: tuple[slice, slice]) -> NDArray[np.complex128]:
    """Complex coherence, NaN where there is none."""
    scale = piece.amplitude_first[window] * piece.amplitude_second[window]
    with np.errstate(invalid="ignore", divide="ignore"):
        value = piece.interferogram[window] / np.where(scale > 0, scale, np.nan)
    return np.where(piece.valid[window], value, np.nan).astype(np.complex128)


def _within(piece: Piece, shape: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """The piece's window of the whole grid, and the window of the piece that lies there."""
    whole, part = [], []
    for start, size, length in zip((piece.row, piece.column), piece.shape, shape, strict=True):
        low, high = max(start, 0), min(start + size, length)
        if low >= high:
            raise EngineError(f"{piece.name} lies wholly beyond the grid of its pass")
        whole.append(slice(low, high))
        part.append(slice(low - start, high - start))
    return (whole[0], whole[1]), (part[0], part[1])


def _wrapped(angle: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.asarray(np.angle(np.exp(1j * np.asarray(angle))), np.float64)
