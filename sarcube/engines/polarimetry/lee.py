"""Refined Lee filter of a covariance matrix: one window and one weight, from the span, for all of its elements.

Lee, Grunes and de Grandi 1999 (IEEE TGRS 37(5), 2363-2373): filtering each element by its own statistics would mix
the channels and make up coherence; weights of the span keep the matrix a covariance.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sarcube.engines.speckle_kernels import _side

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]


def refined_lee(
    covariance: tuple[Real, Real, Complex], looks: Real, seen: NDArray[np.bool_]
) -> tuple[Real, Real, Complex, Real]:
    """C11, C22, C12 and the looks that stand behind each cell after filtering.

    Parameters
    ----------
    covariance : ((y, x), (y, x), (y, x))
        C11, C22, C12 of each cell.
    looks : (y, x)
        Independent looks of each cell.
    seen : (y, x) bool
        Cells that take part.
    """
    c11, c22, c12 = covariance
    span = np.where(seen, c11 + c22, np.nan).astype(np.float32)
    there = looks[seen & (looks > 0)]
    noise = 1.0 / float(np.median(there)) if there.size else 1.0
    out = tuple(np.zeros_like(c11) for _ in range(5))
    _filter(span, c11, c22, c12.real.copy(), c12.imag.copy(), looks, noise, *out)
    return out[0], out[1], out[2] + 1j * out[3], out[4]


@njit(cache=True, nogil=True)
def _filter(  # noqa: PLR0913, PLR0917
    span: NDArray[np.float32], c11: Real, c22: Real, re: Real, im: Real, looks: Real, noise: float,
    out11: Real, out22: Real, out_re: Real, out_im: Real, out_looks: Real,
) -> None:  # fmt: skip
    height, width = span.shape
    for r in range(height):
        for c in range(width):
            if np.isnan(span[r, c]):
                continue
            normal_row, normal_col = _side(span, r, c)
            n, total, square = 0, 0.0, 0.0
            a, b, x, y, behind = 0.0, 0.0, 0.0, 0.0, 0.0
            for i in range(max(r - 3, 0), min(r + 4, height)):
                for j in range(max(c - 3, 0), min(c + 4, width)):
                    if (i - r) * normal_row + (j - c) * normal_col < 0 or np.isnan(span[i, j]):
                        continue
                    value = float(span[i, j])
                    n += 1
                    total += value
                    square += value * value
                    a += c11[i, j]
                    b += c22[i, j]
                    x += re[i, j]
                    y += im[i, j]
                    behind += looks[i, j]
            mean = total / n
            variance = square / n - mean * mean
            weight = 0.0
            if variance > 0.0:
                # Variance of the ground itself over that of the image (Lee 1981).
                weight = max(0.0, (variance - mean * mean * noise) / ((1.0 + noise) * variance))
            keep = 1.0 - weight
            out11[r, c] = keep * a / n + weight * c11[r, c]
            out22[r, c] = keep * b / n + weight * c22[r, c]
            out_re[r, c] = keep * x / n + weight * re[r, c]
            out_im[r, c] = keep * y / n + weight * im[r, c]
            out_looks[r, c] = keep * behind + weight * looks[r, c]
