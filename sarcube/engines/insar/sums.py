"""The sums that a pair of dates is made of, cell by cell: they add up exactly over blocks and bursts."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import GridError


@dataclass(frozen=True, eq=False)
class PairSums:
    """Sums over the fine samples of each cell that both dates have.

    Attributes
    ----------
    interferogram : (rows, columns) complex64
        First date times conjugate of second, flattened.
    power_first, power_second : (rows, columns) float32
    count : (rows, columns) int32
        Samples.
    looks : (rows, columns) float32
        Independent ones among them.
    """

    interferogram: NDArray[np.complex64]
    power_first: NDArray[np.float32]
    power_second: NDArray[np.float32]
    count: NDArray[np.int32]
    looks: NDArray[np.float32]

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> PairSums:
        """No sample in any cell."""
        return cls(
            np.zeros(shape, np.complex64), np.zeros(shape, np.float32), np.zeros(shape, np.float32),
            np.zeros(shape, np.int32), np.zeros(shape, np.float32),
        )  # fmt: skip

    def __add__(self, other: PairSums) -> PairSums:
        """Sums over the samples of both: two bursts on one grid."""
        if self.count.shape != other.count.shape:
            raise GridError(f"sums of {self.count.shape} and {other.count.shape} cells are not of one grid")
        return PairSums(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def mean_interferogram(self) -> NDArray[np.complex64]:
        """Mean of the product of both dates; NaN where there is no sample."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(
                np.where(self.count > 0, self.interferogram / self.count.astype(np.float32), np.nan), np.complex64
            )

    def amplitudes(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Square roots of the mean powers; NaN where there is no sample."""
        with np.errstate(invalid="ignore", divide="ignore"):
            n = np.where(self.count > 0, self.count, np.nan).astype(np.float32)
            return np.sqrt(self.power_first / n), np.sqrt(self.power_second / n)

    def coherence(self) -> NDArray[np.float32]:
        """Magnitude of the sample coherence; NaN where a power is zero."""
        with np.errstate(invalid="ignore", divide="ignore"):
            # A square root each: the product of two sums of small powers would leave float32's range.
            scale = np.sqrt(self.power_first) * np.sqrt(self.power_second)
            value = np.abs(self.interferogram) / np.where(scale > 0, scale, np.nan)
        return np.asarray(np.minimum(value, 1.0), np.float32)
