"""Entropy, anisotropy and alpha of a two by two covariance matrix, in closed form.

Cloude and Pottier 1997 (IEEE TGRS 35(1), 68-78), for two polarizations Cloude, Goodenough and Chen 2012 (IEEE GRSL
9(1), 28-32): with the scattering vector k = [S_co, S_cross] and C = <k k^H> the eigenvalues are

    l1, l2 = (C11 + C22) / 2 +- sqrt((C11 - C22)^2 / 4 + |C12|^2),

p_i = l_i / (l1 + l2), entropy = -sum p_i log2 p_i, anisotropy = p1 - p2, and alpha = sum p_i alpha_i, where
cos(alpha_i) = |e_i1|. The first eigenvector is proportional to (C12, l1 - C11), so that alpha_1 = atan2(l1 - C11,
|C12|); the second is orthogonal to it, so that alpha_2 = 90 degrees - alpha_1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Decomposition:
    """What is read from covariance matrices; arrays of their shape, NaN where there is no power.

    Attributes
    ----------
    entropy : float32
        0 (one mechanism) to 1 (noise).
    anisotropy : float32
        0 to 1: (l1 - l2) / (l1 + l2), the degree of polarization.
    alpha : float32
        Degrees, 0 (co-polarized alone) to 90 (cross-polarized alone).
    """

    entropy: Real
    anisotropy: Real
    alpha: Real


def decompose(c11: NDArray[np.floating], c12: NDArray[np.complexfloating], c22: NDArray[np.floating]) -> Decomposition:
    """Entropy, anisotropy and alpha.

    Parameters
    ----------
    c11, c22 : real
        Powers of the co- and the cross-polarized channel, in the same unit. A negative power, as subtracted noise
        may leave it, counts as 0, and a |C12| beyond sqrt(C11 C22) as that: a covariance has no negative eigenvalue.
    c12 : complex
        Mean of S_co times conjugate of S_cross.
    """
    a, c = np.maximum(c11.astype(np.float64), 0.0), np.maximum(c22.astype(np.float64), 0.0)
    b = np.minimum(np.abs(c12.astype(np.complex128)), np.sqrt(a) * np.sqrt(c))
    span = a + c
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.hypot(a - c, 2.0 * b)  # l1 - l2
        degree = np.where(span > 0, np.minimum(apart / span, 1.0), np.nan)
        p1, p2 = 0.5 * (1.0 + degree), 0.5 * (1.0 - degree)
        # l1 - C11 by what is not a difference of nearly equal numbers, on either side.
        rest = np.where(a >= c, 2.0 * b**2 / np.where(apart + a - c > 0, apart + a - c, 1.0), 0.5 * (apart + c - a))
        first = np.where(apart > 0, np.arctan2(rest, b), np.pi / 4)
        entropy = -(_x_log2_x(p1) + _x_log2_x(p2))
        alpha = np.degrees(p1 * first + p2 * (0.5 * np.pi - first))
    return Decomposition(
        np.clip(entropy, 0.0, 1.0).astype(np.float32), degree.astype(np.float32), alpha.astype(np.float32)
    )


def dprvi(c11: NDArray[np.floating], c12: NDArray[np.complexfloating], c22: NDArray[np.floating]) -> Real:
    """Dual-pol radar vegetation index, 0 (bare) to 1 (canopy): 1 - m b, with the degree of polarization m and the
    share b of the first eigenvalue (Mandal et al. 2020, Remote Sensing of Environment 247, 111954)."""  # fmt: skip
    degree = decompose(c11, c12, c22).anisotropy.astype(np.float64)
    return np.asarray(1.0 - degree * 0.5 * (1.0 + degree), np.float32)


def _x_log2_x(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(p > 0, p * np.log2(np.where(p > 0, p, 1.0)), np.where(np.isnan(p), np.nan, 0.0))
