"""The sample coherence's bias and how it is taken off (Touzi, Lopes, Bruniquel and Vachon 1999, IEEE TGRS 37)."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

_LOOKS = np.geomspace(1.0, 4096.0, 97)
_TRUE = np.linspace(0.0, 1.0, 201)


def expected_coherence(true: ArrayLike, looks: float) -> NDArray[np.float64]:
    """Expected magnitude of the sample coherence of `looks` independent samples (equation 19).

    The hypergeometric series is written as a mean over a negative binomial distribution, whose terms are all
    positive and below one: E = sum_k C(L + k - 1, k) g^2k (1 - g^2)^L B_k, with
    B_k = Gamma(k + 3/2) Gamma(L + k) / (Gamma(k + 1) Gamma(L + k + 1/2)).

    Parameters
    ----------
    true : array_like
        Coherence in [0, 1].
    looks : float
        At least 1.
    """
    g2 = np.clip(np.asarray(true, np.float64), 0.0, 1.0) ** 2
    out = np.ones(g2.shape)
    for at in np.ndindex(g2.shape):
        p = float(g2[at])
        if p >= 1.0:
            continue
        mean = looks * p / (1.0 - p)
        spread = np.sqrt(mean / (1.0 - p)) + 1.0
        # The last terms matter less than 1e-9; where there are very many, every one would be the same.
        k = np.unique(np.round(np.linspace(max(0.0, mean - 12 * spread), mean + 12 * spread + 40, 4001)))
        log_weight = gammaln(looks + k) - gammaln(looks) - gammaln(k + 1) + looks * np.log1p(-p)
        log_weight += k * np.log(p) if p > 0 else np.where(k == 0, 0.0, -np.inf)
        weight = np.exp(log_weight)
        value = np.exp(gammaln(k + 1.5) + gammaln(looks + k) - gammaln(k + 1) - gammaln(looks + k + 0.5))
        out[at] = float(np.sum(weight * value) / np.sum(weight))
    return out


@cache
def _table() -> NDArray[np.float64]:
    return np.stack([expected_coherence(_TRUE, float(looks)) for looks in _LOOKS])


def debiased_coherence(coherence: NDArray[np.float32], looks: NDArray[np.float32]) -> NDArray[np.float32]:
    """The coherence whose expected sample magnitude is the one seen; 0 where less is seen than 0 would give.

    Parameters
    ----------
    coherence : float32
        Sample coherence; NaN stays NaN.
    looks : float32, same shape
        Independent looks.
    """
    table = _table()
    grid = np.log(np.clip(np.nan_to_num(looks, nan=1.0), 1.0, _LOOKS[-1]) / _LOOKS[0])
    position = grid / np.log(_LOOKS[1] / _LOOKS[0])
    lower = np.minimum(position.astype(np.int64), len(_LOOKS) - 2)
    share = position - lower
    out = np.full(coherence.shape, np.nan, np.float32)
    for row in np.unique(lower):
        here = (lower == row) & np.isfinite(coherence)
        low = np.interp(coherence[here], table[row], _TRUE)
        high = np.interp(coherence[here], table[row + 1], _TRUE)
        out[here] = (1.0 - share[here]) * low + share[here] * high
    return out
