"""Filter and unwrapping against fringes of a closed form with the noise of their coherence and looks."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from sarcube.engines.insar.goldstein import goldstein
from sarcube.engines.insar.unwrap import chance_coherence, unwrap
from sarcube.errors import EngineError

LOOKS = 45
SHAPE = (200, 260)


def truth() -> np.ndarray:
    """A ramp and a point source of pressure (Mogi 1958), radians."""
    y, x = np.meshgrid(*(np.arange(n) * 80.0 for n in SHAPE), indexing="ij")
    depth = 3000.0
    mogi = 60.0 / (1.0 + ((x - 9000.0) ** 2 + (y - 7000.0) ** 2) / depth**2) ** 1.5
    return mogi + 2 * np.pi * (x / 6000.0 + y / 9000.0)


def seen(phase: np.ndarray, gamma: np.ndarray, looks: int = LOOKS) -> tuple[np.ndarray, np.ndarray]:
    """Interferogram and sample coherence of two dates of circular Gaussian samples."""
    random = np.random.default_rng(7)
    total = np.zeros(phase.shape, complex)
    one, two = np.zeros(phase.shape), np.zeros(phase.shape)
    for _ in range(looks):
        a, b = (random.normal(size=(2, *phase.shape)) for _ in range(2))
        s1 = a[0] + 1j * a[1]
        s2 = gamma * s1 * np.exp(-1j * phase) + np.sqrt(1 - gamma**2) * (b[0] + 1j * b[1])
        total += s1 * s2.conj()
        one += np.abs(s1) ** 2
        two += np.abs(s2) ** 2
    return (total / looks).astype(np.complex64), (np.abs(total) / np.sqrt(one * two)).astype(np.float32)


@pytest.fixture(scope="module")
def fringes() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Truth, interferogram, coherence, and where water without coherence parts the land."""
    phase = truth()
    water = np.zeros(SHAPE, bool)
    water[:, 150:175] = True
    return phase, *seen(phase, np.where(water, 0.0, 0.7)), water


def wrong(phase: np.ndarray, expected: np.ndarray, where: np.ndarray) -> float:
    """Share of cells with another cycle than most."""
    turns = np.rint((phase - expected)[where] / (2 * np.pi))
    return float(np.mean(turns != np.median(turns)))


@pytest.mark.parametrize("alpha", [0.5, None])
def test_the_filter_takes_noise_off_and_keeps_fringes(fringes, alpha: float | None) -> None:
    phase, ifg, coherence, water = fringes
    ifg = ifg.copy()
    ifg[:30, :40] = np.nan
    out = goldstein(ifg, alpha, coherence)
    land = ~water
    land[:, 120:200] = False
    land[:60, :70] = False
    before, after = (np.angle(v * np.exp(-1j * phase))[land] for v in (ifg, out))
    assert np.std(after) < 0.6 * np.std(before) and abs(np.mean(after)) < 0.005
    assert np.isnan(out[:30, :40]).all() and np.isfinite(out[30:]).all()
    kept = np.isfinite(ifg)
    np.testing.assert_allclose(np.abs(out[kept]), np.abs(ifg[kept]), rtol=1e-5)


def test_without_power_nothing_is_filtered(fringes) -> None:
    ifg = fringes[1]
    np.testing.assert_allclose(goldstein(ifg, 0.0), ifg, atol=2e-5 * float(np.abs(ifg).max()))


@pytest.mark.parametrize("method", ["whirlwind", "snaphu"])
def test_cycles_are_right_and_components_end_at_water(fringes, method) -> None:
    pytest.importorskip(method)
    phase, ifg, coherence, water = fringes
    made = unwrap(ifg, goldstein(ifg), coherence, LOOKS, method=method)
    west, east = np.s_[:, :150], np.s_[:, 175:]
    good = (coherence > 0.3) & ~water
    for side in (west, east):
        assert wrong(made.phase[side], phase[side], good[side]) <= 0.001
        labels, counts = np.unique(made.components[side], return_counts=True)
        assert counts.max() > 0.97 * counts.sum() and labels[counts.argmax()] > 0
    left, right = (set(np.unique(made.components[s][good[s]])) - {0} for s in (west, east))
    assert left and right and not left & right
    np.testing.assert_allclose(np.exp(1j * made.phase), ifg / np.abs(ifg), atol=1e-4)


def test_masked_water_has_no_value_and_land_is_as_right(fringes) -> None:
    pytest.importorskip("whirlwind")
    phase, ifg, coherence, water = fringes
    made = unwrap(ifg, goldstein(np.where(water, np.nan, ifg)), coherence, LOOKS, mask=water)
    assert np.isnan(made.phase[water]).all() and not made.components[water].any()
    for side in (np.s_[:, :150], np.s_[:, 175:]):
        assert wrong(made.phase[side], phase[side], (coherence > 0.3)[side]) <= 0.001


def test_what_is_missing_or_wrong_is_said(fringes, monkeypatch: pytest.MonkeyPatch) -> None:
    _, ifg, coherence, _ = fringes
    for call, named in (
        (lambda: goldstein(ifg, 1.5), "0 .no filter. to 1"),
        (lambda: goldstein(ifg, None), "give either"),
        (lambda: goldstein(ifg, 0.5, patch=30), "multiple of 4"),
        (lambda: unwrap(ifg, ifg[1:], coherence, LOOKS), "not of one grid"),
        (lambda: unwrap(ifg, ifg, coherence, float("nan")), "at least 1"),
        (lambda: unwrap(ifg, ifg, coherence, LOOKS, mask=np.ones(SHAPE, bool)), "nothing to unwrap"),
        (lambda: unwrap(ifg, ifg, coherence, LOOKS, method="magic"), "whirlwind, snaphu"),
    ):
        with pytest.raises(EngineError, match=named):
            call()

    def absent(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", absent)
    for method, extra in (("whirlwind", "unwrap"), ("snaphu", "snaphu")):
        with pytest.raises(EngineError, match=rf"sarcube\[{extra}\]"):
            unwrap(ifg, ifg, coherence, LOOKS, method=method)


def test_coherence_by_chance() -> None:
    """Against samples: ground without coherence exceeds it in one of twenty cells."""
    _, coherence = seen(np.zeros((100, 200)), np.zeros((100, 200)), 10)
    assert np.mean(coherence > chance_coherence(10)) == pytest.approx(0.05, abs=0.008)
