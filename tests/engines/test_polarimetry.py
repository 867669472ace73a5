"""Covariance and its decomposition against numpy's eigenvectors, and on scenes with a known covariance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sarcube.engines.polarimetry import decompose, dprvi
from sarcube.engines.polarimetry.lee import refined_lee


def by_eigenvectors(c11: float, c12: complex, c22: float) -> tuple[float, float, float]:
    """Entropy, anisotropy, alpha as they are defined, by numpy's solver."""
    values, vectors = np.linalg.eigh(np.array([[c11, c12], [np.conj(c12), c22]]))
    p = np.clip(values, 0, None) / np.clip(values, 0, None).sum()
    entropy = -sum(x * np.log2(x) for x in p if x > 0)
    alpha = np.degrees(sum(x * np.arccos(min(abs(vectors[0, i]), 1.0)) for i, x in enumerate(p)))
    return float(entropy), float(p.max() - p.min()), float(alpha)


def speckle(rng: np.random.Generator, matrix: np.ndarray, *shape: int) -> np.ndarray:
    """Scattering vectors (2, ...) of that covariance."""
    noise = rng.normal(size=(2, *shape)) + 1j * rng.normal(size=(2, *shape))
    return np.einsum("ij,j...->i...", np.linalg.cholesky(matrix), noise / 2**0.5)


def test_closed_form_is_the_eigen_decomposition() -> None:
    rng = np.random.default_rng(1)
    k = rng.normal(size=(2000, 2, 3)) + 1j * rng.normal(size=(2000, 2, 3))
    k *= 10.0 ** rng.uniform(-3, 0, (2000, 2, 1))
    c = np.einsum("nil,njl->nij", k, k.conj())
    singular = np.einsum("nil,njl->nij", k[:500, :, :1], k[:500, :, :1].conj())
    special = np.array(
        [[[1, 0], [0, 0]], [[0, 0], [0, 1]], [[1, 0], [0, 1]], [[1, 1j], [-1j, 1]], [[1, 1e-9], [1e-9, 1]]]
    )
    matrices = np.concatenate([c, singular, special.astype(complex)])
    got = decompose(matrices[:, 0, 0].real, matrices[:, 0, 1], matrices[:, 1, 1].real)
    wanted = np.array([by_eigenvectors(m[0, 0].real, m[0, 1], m[1, 1].real) for m in matrices])
    np.testing.assert_allclose(got.entropy, wanted[:, 0], atol=1e-5)
    np.testing.assert_allclose(got.anisotropy, wanted[:, 1], atol=1e-5)
    equal = wanted[:, 1] < 1e-6  # any vector is an eigenvector: alpha is 45 degrees on the mean of all
    np.testing.assert_allclose(got.alpha[~equal], wanted[~equal, 2], atol=1e-3)
    np.testing.assert_allclose(got.alpha[equal], 45.0, atol=1e-3)


@settings(max_examples=200, deadline=None)
@given(
    st.floats(1e-4, 10), st.floats(1e-4, 10), st.floats(0, 1), st.floats(0, 2 * np.pi), st.floats(0, 2 * np.pi),
    st.floats(1e-3, 1e3),
)  # fmt: skip
def test_phase_and_scale_change_nothing(a: float, c: float, share: float, p: float, q: float, scale: float) -> None:
    b = share * np.sqrt(a * c)
    one = decompose(np.array([a]), np.array([b * np.exp(1j * p)]), np.array([c]))
    two = decompose(np.array([a * scale]), np.array([b * scale * np.exp(1j * q)]), np.array([c * scale]))
    for name in ("entropy", "anisotropy", "alpha"):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), atol=2e-4)


def test_noise_alone_and_pure_mechanisms() -> None:
    pure = decompose(np.array([1.0, 0.0, 0.5]), np.array([0, 0, 0.5 + 0j]), np.array([0.0, 1.0, 0.5]))
    np.testing.assert_allclose(pure.entropy, 0, atol=1e-6)
    np.testing.assert_allclose(pure.alpha, [0, 90, 45], atol=1e-5)
    noise = decompose(np.array([1.0]), np.array([0j]), np.array([1.0]))
    np.testing.assert_allclose(
        [noise.entropy[0], noise.alpha[0], dprvi(*map(np.array, ([1.0], [0j], [1.0])))[0]], [1, 45, 1]
    )
    empty = decompose(np.array([0.0, -1.0]), np.array([0j, 0j]), np.array([0.0, -2.0]))
    assert np.isnan(empty.entropy).all() and np.isnan(empty.alpha).all()


@pytest.mark.parametrize(
    ("name", "c11", "c12", "c22"),
    [("surface", 0.2, 0.002, 0.002), ("volume", 0.1, 0.01j, 0.04), ("dihedral", 0.05, 0.06, 0.1), ("noise", 1, 0, 1)],
)
def test_covers_at_100_looks(name: str, c11: float, c12: complex, c22: float) -> None:
    k = speckle(np.random.default_rng(len(name)), np.array([[c11, c12], [np.conj(c12), c22]]), 3000, 100)
    power, mixed = (abs(k) ** 2).mean(-1), (k[0] * k[1].conj()).mean(-1)
    got = decompose(power[0], mixed, power[1])
    entropy, _, alpha = by_eigenvectors(c11, c12, c22)
    assert abs(float(got.entropy.mean()) - entropy) < 0.02
    assert abs(float(got.alpha.mean()) - alpha) < 1.0


def test_refined_lee_smooths_and_keeps_an_edge_and_its_coherence() -> None:
    rng = np.random.default_rng(3)
    n = 64
    left = np.array([[0.2, 0.05], [0.05, 0.05]])
    right = np.array([[0.02, 0.0], [0.0, 0.01]])
    c11, c22, c12 = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n), complex)
    for part, matrix in ((slice(0, n // 2), left), (slice(n // 2, n), right)):
        k = speckle(rng, matrix, n, n // 2, 8)
        c11[:, part], c22[:, part] = (abs(k[0]) ** 2).mean(-1), (abs(k[1]) ** 2).mean(-1)
        c12[:, part] = (k[0] * k[1].conj()).mean(-1)
    looks, seen = np.full((n, n), 8.0), np.ones((n, n), bool)
    f11, f22, f12, after = refined_lee((c11, c22, c12), looks, seen)
    inner = (slice(4, -4), slice(4, n // 2 - 4))
    assert f11[inner].std() < 0.5 * c11[inner].std() and abs(f11[inner].mean() / 0.2 - 1) < 0.03
    assert abs(f11[4:-4, n // 2 - 1].mean() / 0.2 - 1) < 0.1  # the column before the edge
    assert (abs(f12) <= np.sqrt(f11 * f22) * (1 + 1e-9)).all() and (after[inner] > 8).all()
