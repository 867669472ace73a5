"""Bursts put together against one picture cut into pieces, and what is made of the whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sarcube.engines.insar.merge import Merged, Piece, align, merge
from sarcube.engines.insar.whole import WholeOptions, finish, parted
from sarcube.errors import EngineError
from tests.engines.test_insar_unwrap import seen, truth, wrong

LOOKS = 20
BEST, OUTSIDE = (0, 2, 1, 3, 255), 255
SHAPE = truth().shape


def piece(name: str, rows: slice, columns: slice, phase: np.ndarray, offset: float = 0.0, seed: int = 0) -> Piece:
    """A part of a picture with looks of its own, turned by a phase of its own."""
    value, coherence = seen(phase, np.full(SHAPE, 0.7), LOOKS)
    random = np.random.default_rng(seed)
    value = value * np.exp(1j * (offset + random.normal(0, 0.1, SHAPE)))  # no two pieces alike
    inside = np.zeros(SHAPE, bool)
    inside[rows, columns] = True
    inside[:6] &= np.arange(SHAPE[1]) > 3  # a corner that no burst sees
    value = np.where(inside, value, np.nan)[rows, columns].astype(np.complex64)
    amplitude = np.sqrt(np.abs(value) / coherence[rows, columns]).astype(np.float32)
    looks = np.where(np.isfinite(value), np.float32(LOOKS), np.nan).astype(np.float32)
    mask = np.where(np.isfinite(value), 0, 255).astype(np.uint8)
    return Piece(name, rows.start, columns.start, value, amplitude, amplitude, looks, mask)


OFFSETS = (0.3, -0.2, 0.15, -0.25)


@pytest.fixture(scope="module")
def pieces() -> list[Piece]:
    """Two sub-swaths of two bursts each, which overlap by 20 rows and 16 columns."""
    phase = truth()
    rows, columns = (slice(0, 110), slice(90, 200)), (slice(0, 138), slice(122, 260))
    return [piece(f"{r}{c}", rows[r], columns[c], phase, OFFSETS[2 * r + c], 2 * r + c) for r in (0, 1) for c in (0, 1)]


def test_overlaps_tell_what_bursts_differ_by(pieces: list[Piece]) -> None:
    found = align(pieces)
    assert len(found.seams) == 6  # corners overlap too
    np.testing.assert_allclose(found.constants, OFFSETS, atol=0.003)
    assert found.left < 0.003
    assert all(seam.deviation < 0.01 for seam in found.seams)


def test_what_lies_apart_or_has_no_coherence_stays_as_it_is(pieces: list[Piece]) -> None:
    assert align([pieces[0]]).constants == (0.0,)
    apart = align([pieces[0], replace(pieces[3], row=150)])
    assert apart.constants == (0.0, 0.0) and apart.seams == ()
    random = np.random.default_rng(5)
    noise = np.exp(2j * np.pi * random.random(pieces[1].shape)).astype(np.complex64)
    one, other = align([pieces[0], replace(pieces[1], interferogram=noise)]).constants
    assert abs(one - other) < 0.1


def test_sums_of_all_pieces_without_a_seam(pieces: list[Piece]) -> None:
    made = merge(pieces, align(pieces).constants, SHAPE, BEST, OUTSIDE)
    left = made.interferogram * np.exp(-1j * truth())
    assert np.isfinite(left[6:]).all() and np.isnan(left[:6, :4]).all()
    # Twice the looks in the middle of an overlap, none too many at its ends.
    assert made.looks[50, 50] == LOOKS and made.looks[100, 50] == pytest.approx(2 * LOOKS, rel=0.01)
    assert made.looks[90, 50] == pytest.approx(LOOKS, rel=0.2)
    for upper, lower in ((slice(88, 90), slice(90, 92)), (slice(108, 110), slice(110, 112))):
        jump = np.angle(left[lower].sum() * left[upper].sum().conj())
        assert abs(jump) < 0.015
    assert made.coherence[50, 50] == pytest.approx(0.7, abs=0.15) and np.nanmax(made.coherence) <= 1
    assert (made.mask[:6, :4] == OUTSIDE).all() and (made.mask[6:] == 0).all()


def test_a_plain_sum_is_what_two_bursts_of_one_place_give(pieces: list[Piece]) -> None:
    one = pieces[0]
    two = replace(one, interferogram=one.interferogram * np.complex64(0.5), looks=one.looks * np.float32(3))
    made = merge([one, two], (0.0, 0.0), one.shape, BEST, OUTSIDE)
    there = np.isfinite(one.interferogram)
    np.testing.assert_allclose(made.interferogram[there], one.interferogram[there] * 0.625, rtol=1e-5)
    np.testing.assert_allclose(made.looks[there], 4 * LOOKS, rtol=1e-5)


def test_the_better_class_counts_and_what_lies_beyond_is_left_out(pieces: list[Piece]) -> None:
    shadow = replace(pieces[0], mask=np.where(pieces[0].mask == 0, 1, 255).astype(np.uint8), row=-5)
    made = merge([shadow, pieces[1]], (0.0, 0.0), SHAPE, BEST, OUTSIDE)
    assert made.mask[50, 50] == 1 and made.mask[50, 130] == 0
    with pytest.raises(EngineError, match="wholly beyond"):
        merge([replace(pieces[0], row=500)], (0.0,), SHAPE, BEST, OUTSIDE)


@pytest.fixture(scope="module")
def parted_by_water() -> tuple[np.ndarray, Merged, np.ndarray]:
    """A river without coherence from top to bottom, with a bridge of chance coherence."""
    phase, water = truth(), np.zeros(SHAPE, bool)
    water[:, 150:156] = True
    value, coherence = seen(phase, np.where(water, 0.0, 0.7))
    value[100:112, 150:156], coherence[100:112, 150:156] = np.exp(1j * phase[100:112, 150:156]), 0.7
    real = np.ones(SHAPE, np.float32)
    looks = np.full(SHAPE, 45, np.float32)
    return phase, Merged(value, coherence, real, real, looks, np.zeros(SHAPE, np.uint8)), water


@pytest.mark.parametrize("left_out", [True, False])
def test_components_do_not_join_across_water(parted_by_water, left_out: bool) -> None:
    pytest.importorskip("whirlwind")
    phase, merged, water = parted_by_water
    made = finish(merged.interferogram, merged.coherence, merged.looks, water, WholeOptions(leave_out_water=left_out))
    assert made.components is not None and made.unwrapped_phase is not None
    west, east = made.components[:, :150], made.components[:, 156:]
    assert not set(np.unique(west[west > 0])) & set(np.unique(east[east > 0]))
    assert not made.components[water].any()
    assert np.isnan(made.filtered_phase[water]).all() == left_out
    for side in (np.s_[:, :150], np.s_[:, 156:]):
        there = np.zeros(SHAPE, bool)
        there[side] = True
        assert wrong(made.unwrapped_phase, phase, there & (made.components > 0)) < 0.001
    own = np.angle(np.exp(1j * made.unwrapped_phase) * merged.interferogram.conj())
    assert np.nanmax(np.abs(own)) < 1e-3  # whole cycles on the unfiltered phase, and nothing else


def test_small_scraps_beyond_water_are_of_no_component() -> None:
    components = np.ones((40, 40), np.uint16)
    water = np.zeros((40, 40), bool)
    water[:, 30] = water[:4, :] = True
    water[:, 31:36] = False
    out = parted(components, water)
    assert set(np.unique(out)) == {0, 1, 2}
    water[10, 30:] = True
    assert set(np.unique(parted(components, water))) == {0, 1, 2}  # 6 x 9 cells are cut off


def test_not_unwrapped_where_nobody_asked_for_it(parted_by_water) -> None:
    _, merged, water = parted_by_water
    made = finish(merged.interferogram, merged.coherence, merged.looks, water, WholeOptions(alpha=None, method=None))
    assert made.unwrapped_phase is None and made.components is None and made.looks == 45.0
