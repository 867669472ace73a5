"""Interferograms against the truth of simulated pairs, and against themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sarcube.engines.insar import geocoded_slc, interferogram, pair, pair_of_slcs, static_layers
from sarcube.engines.insar.engine import shifted
from sarcube.engines.insar.timing import observe_overlap, solve_timing
from sarcube.errors import BurstNotFoundError, EngineError, GridError
from sarcube.geometry.grid import GeoGrid
from tests.engines.insar_cases import EPSG, EXACT, PairCase


@pytest.fixture(scope="module")
def mogi(shared_data: Path) -> PairCase:
    return PairCase(shared_data / "reference" / "insar" / "mogi")


@pytest.fixture(scope="module")
def overlap(shared_data: Path) -> PairCase:
    return PairCase(shared_data / "reference" / "insar" / "overlap")


@pytest.fixture(scope="module")
def product(mogi: PairCase) -> xr.Dataset:
    return interferogram(*mogi.pair(), mogi.grid(), mogi.dem(), EXACT)


@pytest.fixture(scope="module")
def small(mogi: PairCase) -> GeoGrid:
    """A part of the case that lies on several blocks of lines."""
    grid = mogi.grid()
    return GeoGrid(grid.epsg, grid.left + 80 * 80, grid.top - 50 * 80, 80.0, 90, 80)


def test_phase_and_coherence_are_as_good_as_the_looks_allow(
    mogi: PairCase, product: xr.Dataset, tmp_path: Path
) -> None:
    """ISCE3 reaches deviations of 0.0530 and 0.1905 rad and coherences of 0.894 and 0.506 on a pair made this way."""
    seen = mogi.measure(product, mogi.grid(), tmp_path)
    high, low = seen["coherence 0.90"], seen["coherence 0.50"]
    assert high["cells"] > 10_000 and low["cells"] > 10_000
    assert abs(high["phase_bias_rad"]) <= 0.005 and abs(low["phase_bias_rad"]) <= 0.005
    assert high["phase_std_rad"] <= 0.054 and low["phase_std_rad"] <= 0.193
    assert high["coherence_mean"] >= 0.893 and low["coherence_mean"] == pytest.approx(0.507, abs=0.01)


def test_the_stated_looks_tell_the_deviation(mogi: PairCase, product: xr.Dataset, tmp_path: Path) -> None:
    looks = float(np.nanmedian(product["number_of_looks"]))
    seen = mogi.measure(product, mogi.grid(), tmp_path)
    for true in (0.5, 0.9):
        bound = np.sqrt(1 - true**2) / (true * np.sqrt(2 * looks))
        assert seen[f"coherence {true:.2f}"]["phase_std_rad"] == pytest.approx(bound, rel=0.10)


def test_debiased_coherence_has_the_true_mean(mogi: PairCase, product: xr.Dataset, tmp_path: Path) -> None:
    options = replace(EXACT, debias=True)
    debiased = interferogram(*mogi.pair(), mogi.grid(), mogi.dem(), options)
    seen = mogi.measure(debiased, mogi.grid(), tmp_path)
    assert seen["coherence 0.50"]["coherence_mean"] == pytest.approx(0.5, abs=0.01)
    assert float(debiased["coherence"].mean()) < float(product["coherence"].mean())


def test_facts_tell_how_the_dates_see_the_ground(product: xr.Dataset) -> None:
    facts = product.attrs
    assert facts["perpendicular_baseline"] == pytest.approx(-28.94, abs=0.3)
    assert facts["temporal_baseline_days"] == pytest.approx(12.0, abs=1e-3)
    assert 0.99 < facts["range_common_band"] < 1 and 0.98 < facts["azimuth_common_band"] < 1


def test_line_of_sight_is_that_of_the_truth(mogi: PairCase, small: GeoGrid) -> None:
    static = static_layers(mogi.pair()[0], small, mogi.dem())
    for band, name in ((4, "los_east"), (5, "los_north"), (6, "los_up")):
        assert np.nanmax(np.abs(static[name].values - mogi.truth(band, small))) < 2e-4
    length = sum(static[n].values.astype(float) ** 2 for n in ("los_east", "los_north", "los_up"))
    assert np.allclose(length, 1.0, atol=1e-6)


def test_swapped_dates_give_the_conjugate(mogi: PairCase, small: GeoGrid) -> None:
    first, second = mogi.pair()
    one = interferogram(first, second, small, mogi.dem(), EXACT, static=_flat(small))
    two = interferogram(second, first, small, mogi.dem(), EXACT, static=_flat(small))
    a, b = one["interferogram"].values, two["interferogram"].values
    assert np.isfinite(a).sum() > 2000
    assert np.nanmax(np.abs(a - b.conj())) < 1e-6 * np.nanmax(np.abs(a))
    assert np.array_equal(one["coherence"], two["coherence"], equal_nan=True)
    assert np.array_equal(one["amplitude_first"], two["amplitude_second"], equal_nan=True)


def test_a_date_with_itself_has_no_phase_and_full_coherence(mogi: PairCase, small: GeoGrid) -> None:
    first, _ = mogi.pair()
    same = interferogram(first, replace(first, scene="copy"), small, mogi.dem(), EXACT, static=_flat(small))
    assert np.nanmax(np.abs(np.angle(same["interferogram"].values))) < 1e-6
    assert np.nanmin(same["coherence"].values) > 1 - 1e-6


def test_cells_are_sums_of_finer_ones(mogi: PairCase, small: GeoGrid) -> None:
    fine = GeoGrid(EPSG, small.left, small.top, 20.0, small.width * 4, small.height * 4)
    coarse = interferogram(*mogi.pair(), small, mogi.dem(), EXACT, static=_flat(small))
    parts = interferogram(*mogi.pair(), fine, mogi.dem(), replace(EXACT, minimum_share=0.0), static=_flat(fine))
    count = parts["samples"].values.reshape(small.height, 4, small.width, 4)
    summed = np.nan_to_num(parts["interferogram"].values).reshape(count.shape) * count
    with np.errstate(invalid="ignore"):
        mean = summed.sum(axis=(1, 3)) / count.sum(axis=(1, 3))
    whole = coarse["interferogram"].values
    assert np.array_equal(count.sum(axis=(1, 3)), coarse["samples"].values)
    seen = np.isfinite(whole)
    # Terrain is the same but for the height lattice of the coarser grid.
    assert np.abs(mean - whole)[seen].max() < 2e-4 * np.abs(whole[seen]).max()


def test_neither_blocks_nor_threads_are_seen(mogi: PairCase, small: GeoGrid, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = interferogram(*mogi.pair(), small, mogi.dem(), EXACT, static=_flat(small))
    monkeypatch.setattr(pair, "BLOCK_LINES", 37)
    cut = interferogram(*mogi.pair(), small, mogi.dem(), replace(EXACT, threads=1), static=_flat(small))
    for name in whole:
        assert np.array_equal(whole[name].values, cut[name].values, equal_nan=True)


def test_kept_slcs_give_the_same_pair(mogi: PairCase, small: GeoGrid) -> None:
    first, second = mogi.pair()
    direct = interferogram(first, second, small, mogi.dem(), EXACT, static=_flat(small))
    kept = [geocoded_slc(burst, small, mogi.dem(), EXACT) for burst in (first, second)]
    assert kept[0]["VV"].dtype == np.complex64 and kept[0]["VV"].shape == (small.height * 8, small.width * 16)
    slcs = kept[0]["VV"].values, kept[1]["VV"].values
    later = pair_of_slcs(first, second, slcs, small, mogi.dem(), EXACT, static=_flat(small))
    a, b = direct["interferogram"].values, later["interferogram"].values
    assert np.nanmax(np.abs(a - b)) < 1e-6 * np.nanmax(np.abs(a))
    assert np.nanmax(np.abs(direct["coherence"].values - later["coherence"].values)) < 1e-6
    looks = direct["number_of_looks"].values, later["number_of_looks"].values
    assert np.nanpercentile(np.abs(looks[0] / looks[1] - 1), 95) < 0.05
    with pytest.raises(GridError, match="geocoded SLC"):
        pair_of_slcs(first, second, (slcs[0][1:], slcs[1][1:]), small, mogi.dem(), EXACT, static=_flat(small))


def test_single_look_closure_is_zero(mogi: PairCase, small: GeoGrid) -> None:
    """Of three dates; the third is the first one seen from the second's orbit position in time, shifted by a line."""
    first, second = mogi.pair()
    third = replace(
        second, scene="third", radar=replace(second.radar, first_line_time=second.radar.first_line_time + 1e-3)
    )
    a, b, c = (geocoded_slc(burst, small, mogi.dem(), EXACT)["VV"].values for burst in (first, second, third))
    closure = np.angle((a * b.conj()) * (b * c.conj()) * (c * a.conj()))
    assert np.isfinite(closure).sum() > 100_000
    assert np.nanmax(np.abs(closure)) < 1e-5


def test_azimuth_timing_is_found_and_taken_off(overlap: PairCase, tmp_path: Path) -> None:
    """The second orbit file was moved by 0.06 m along the track: 7.9 us, a jump of 0.24 rad between the bursts."""
    a, b = overlap.pair(0), overlap.pair(1)
    seen = observe_overlap(a, b, EPSG, 80.0, overlap.dem(), EXACT)
    assert seen is not None and not seen.across_swaths
    timing = solve_timing([seen], a[0].radar.line_interval)
    velocity = np.linalg.norm(a[1].orbit.velocity[len(a[1].orbit.time) // 2])
    assert timing.lines == pytest.approx(0.06 / velocity / a[1].radar.line_interval, abs=0.0005)
    assert timing.deviation < 0.2e-6 and timing.ambiguity == pytest.approx(2.08e-4, rel=0.01)
    grid, dem = overlap.grid(), overlap.dem()
    one, two = (interferogram(*p, grid, dem, EXACT, static=_flat(grid)) for p in (a, b))
    assert _jump(one, two, 0.0) == pytest.approx(0.24, abs=0.02)
    assert abs(_jump(one, two, timing.shift)) <= 0.03
    right = one.assign(interferogram=(("y", "x"), _shifted(one, timing.shift)))
    assert abs(overlap.measure(right, grid, tmp_path)["coherence 0.90"]["phase_bias_rad"]) < 0.005
    assert overlap.measure(one, grid, tmp_path)["coherence 0.90"]["phase_bias_rad"] > 0.05


def _shifted(product: xr.Dataset, shift: float) -> np.ndarray:
    return shifted(product["interferogram"].values, product["doppler"].values, shift)


def _jump(one: xr.Dataset, two: xr.Dataset, shift: float) -> float:
    product = _shifted(one, shift) * _shifted(two, shift).conj()
    return float(np.angle(product[np.isfinite(product)].sum()))


def test_a_shift_that_is_given_is_taken_off(mogi: PairCase, small: GeoGrid) -> None:
    plain, moved = (
        interferogram(*mogi.pair(), small, mogi.dem(), EXACT, static=_flat(small), shift=s) for s in (0.0, 20e-6)
    )
    phase = np.angle(plain["interferogram"].values * moved["interferogram"].values.conj())
    expected = 2 * np.pi * 20e-6 * plain["doppler"].values
    assert np.nanmax(np.abs(phase - expected)) < 1e-5 and np.nanmax(np.abs(expected)) > 0.02
    assert moved.attrs["azimuth_shift_removed"] == 20e-6


def test_pairs_that_cannot_be_are_refused(mogi: PairCase, overlap: PairCase, small: GeoGrid) -> None:
    first, second = mogi.pair()
    dem = mogi.dem()
    with pytest.raises(EngineError, match="different bursts"):
        interferogram(first, overlap.pair(1)[1], small, dem, EXACT)
    with pytest.raises(EngineError, match="same acquisition"):
        interferogram(first, first, small, dem, EXACT)
    with pytest.raises(EngineError, match="VH is not on both dates"):
        interferogram(first, second, small, dem, EXACT, polarization="VH")
    with pytest.raises(BurstNotFoundError, match="has no VH"):
        geocoded_slc(first, small, dem, EXACT, polarizations=("VH",))
    with pytest.raises(EngineError, match="follow each other"):
        solve_timing([], 2e-3)


def _flat(grid: GeoGrid) -> xr.Dataset:
    """Static layers without layover and shadow."""
    return xr.Dataset({"mask": (("y", "x"), np.zeros(grid.shape, np.uint8))})
