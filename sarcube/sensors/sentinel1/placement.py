"""Where calibration and noise vectors lie on a burst.

Their `azimuthTime` is right in every product at hand: noise vectors carry the times of the bursts' first lines, to
0.1 ms. Their `line` is not: noise annotations of IPF 3.20 to 3.61 state one or two bursts too little in most swaths,
those of 3.91 are right. So time places a vector, and `line` only one that carries no time.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sarcube.geometry.radar import RadarGrid
from sarcube.sensors.sentinel1.model import AzimuthNoise, Noise


class PlacedBurst(Protocol):
    """What places vectors: a burst's radar coordinates and where it begins in its swath's image."""

    @property
    def radar(self) -> RadarGrid: ...

    @property
    def first_line_of_swath(self) -> int: ...


def lines_of_vectors(burst: PlacedBurst, line_time: ArrayLike, line: ArrayLike) -> NDArray[np.float64]:
    """Lines of a burst, 0 for its first, at which vectors of its swath lie.

    Parameters
    ----------
    burst : Burst
    line_time : (v,) float
        Zero-Doppler times, seconds since the burst orbit's epoch; NaN where a vector carries none.
    line : (v,) int
        Lines of the swath's image, for vectors without a time.

    Returns
    -------
    (v,) float64
        May lie outside of the burst.
    """
    time = np.asarray(line_time, np.float64)
    by_time = (time - burst.radar.first_line_time) / burst.radar.line_interval
    return np.where(np.isnan(time), np.asarray(line, np.float64) - burst.first_line_of_swath, by_time)


def lines_of_noise(burst: PlacedBurst, noise: Noise) -> NDArray[np.float64]:
    """Lines of a burst at which the range noise vectors of its swath lie, see `lines_of_vectors`."""
    return lines_of_vectors(burst, [v.line_time for v in noise.range], [v.line for v in noise.range])


def azimuth_factors(
    noise: Noise, lines: NDArray[np.float64], samples: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Azimuth noise factors: one row for each set of samples that the same blocks cover.

    A line beyond all blocks takes the nearest block's last factor, a sample beyond all blocks the nearest one's.

    Parameters
    ----------
    noise : Noise
    lines : (n,) float64
        Lines of the swath's image.
    samples : (m,) float64

    Returns
    -------
    factors : (rows, n) float64
    row : (m,) int32
        Of `factors`, for each sample.
    """
    if not noise.azimuth:
        return np.ones((1, lines.size)), np.zeros(samples.size, np.int32)
    edges = np.array([(block.first_sample, block.last_sample) for block in noise.azimuth], np.float64)
    off = np.maximum(np.maximum(edges[:, :1] - samples, samples - edges[:, 1:]), 0.0)  # (blocks, m)
    near = off == off.min(axis=0)
    sets, row = np.unique(near, axis=1, return_inverse=True)
    rows = [
        _along([block for block, inside in zip(noise.azimuth, column, strict=True) if inside], lines)
        for column in sets.T
    ]
    return np.array(rows), row.reshape(-1).astype(np.int32)


def _along(blocks: list[AzimuthNoise], lines: NDArray[np.float64]) -> NDArray[np.float64]:
    off = np.array([np.maximum(np.maximum(b.first_line - lines, lines - b.last_line), 0.0) for b in blocks])
    nearest = off.argmin(axis=0)
    # Beyond a block's nodes `interp` goes on with the last.
    values = np.array([np.interp(lines, b.line, b.factor) for b in blocks])
    return np.asarray(values[nearest, np.arange(lines.size)])
