"""Azimuth timing between two dates, found where bursts overlap (enhanced spectral diversity).

Where the second date's echoes lie `shift` seconds later than its orbit and annotation say, the carrier that is put
back on its samples turns the interferogram by 2 pi f shift, f the carrier's frequency: a ramp in every burst, a jump
between bursts, which see the ground of their overlap 4 to 5 kHz apart. The double difference of their interferograms
is therefore 2 pi (f_a - f_b) shift (Scheiber and Moreira 2000, IEEE TGRS 38; Prats-Iraola et al. 2012, IEEE TGRS 50;
weights over a pass after Fattahi, Agram and Simons 2017, IEEE TGRS 55). It is known but for whole turns: 0.2 ms.

Sub-swaths overlap too, and their bursts also see that ground at different frequencies. A constant between sub-swaths
(elevation antenna pattern, ionosphere) is estimated beside the shift.

What is found is taken off by a multiplication (`engine.shifted`), nothing is resampled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sarcube.engines.insar.date import make_date
from sarcube.engines.insar.engine import Ground, common_polarization, lay_ground, threads
from sarcube.engines.insar.fine import FineGrid
from sarcube.engines.insar.options import InsarOptions
from sarcube.engines.insar.pair import locate_cells, sum_pair
from sarcube.engines.insar.slc import SlcRows, sum_slcs
from sarcube.errors import EngineError
from sarcube.geometry.burst_grid import transformer
from sarcube.geometry.dem import Dem
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.longitudes import wrap_longitude
from sarcube.sensors.sentinel1.model import Burst

_BINS = 12
_LEAST_CELLS = 30
_LEAST_DIFFERENCE = 200.0  # Hz between two looks below which they say nothing about timing
_ROUNDS = 12
_CHANCE = 10.0  # what noise exceeds once in twenty thousand times

Pair = tuple[Burst, Burst]
Samples = tuple[SlcRows, SlcRows]


@dataclass(frozen=True, eq=False)
class Geocoded:
    """Samples of two bursts on both dates that lie geocoded on one fine grid.

    Attributes
    ----------
    fine : FineGrid
        Over their overlap.
    a, b : (first date, second date)
        Of each burst.
    """

    fine: FineGrid
    a: Samples
    b: Samples


@dataclass(frozen=True)
class Overlap:
    """What the overlap of two bursts says, in bins of the Doppler difference.

    Attributes
    ----------
    bursts : (str, str)
        Their burst IDs, a and b.
    difference : tuple of float
        Mean of f_a - f_b in each bin, Hz.
    product : tuple of complex
        Sum of the double difference over the cells of each bin, each cell's coherence its weight.
    weight, power : tuple of float
        Sum of the magnitudes of what was added, and of their squares.
    cells : tuple of int
    """

    bursts: tuple[str, str]
    difference: tuple[float, ...]
    product: tuple[complex, ...]
    weight: tuple[float, ...]
    power: tuple[float, ...]
    cells: tuple[int, ...]

    @property
    def across_swaths(self) -> bool:
        return self.bursts[0].rsplit("_", 1)[1] != self.bursts[1].rsplit("_", 1)[1]


@dataclass(frozen=True)
class Timing:
    """Azimuth timing of the second date of a pass against the first.

    Attributes
    ----------
    shift : float
        Seconds by which the second date's echoes lie later than its orbit says.
    deviation : float
        Standard deviation of `shift`, seconds.
    ambiguity : float
        Seconds: `shift` is known but for multiples of it.
    lines : float
        `shift` in lines.
    constants : tuple of (swath, swath, radians)
        Phase of the first swath's interferogram less the second's, the shift taken off.
    residual : float
        Root mean square of what the bins' phases keep, radians.
    overlaps : int
    """

    shift: float
    deviation: float
    ambiguity: float
    lines: float
    constants: tuple[tuple[str, str, float], ...]
    residual: float
    overlaps: int


def observe_overlap(
    a: Pair,
    b: Pair,
    epsg: int,
    resolution: float,
    dem: Dem,
    options: InsarOptions | None = None,
    geocoded: Geocoded | None = None,
) -> Overlap | None:
    """The double difference of two neighbouring bursts, computed where they overlap and nowhere else.

    Parameters
    ----------
    a, b : (first date, second date)
        Of two bursts that overlap along the track or across sub-swaths.
    epsg, resolution
        Cells in which coherence is averaged: the product's own grid.
    dem : Dem
    options : InsarOptions, optional
    geocoded : Geocoded, optional
        Samples on `overlap_grid(a[0], b[0], epsg, resolution)`, where bursts have none in radar geometry.

    Returns
    -------
    Overlap or None
        None where they share too little ground to say anything.
    """
    options = options or InsarOptions()
    grid = overlap_grid(a[0], b[0], epsg, resolution)
    if grid is None:
        return None
    with threads(options.threads):
        ground = lay_ground(geocoded.fine if geocoded else grid, dem)
        (one, f_one), (two, f_two) = (
            _coherence(pair, ground, options, slcs)
            for pair, slcs in ((a, geocoded.a if geocoded else None), (b, geocoded.b if geocoded else None))
        )
    product = one * two.conj()
    difference = f_one - f_two
    seen = np.isfinite(product) & np.isfinite(difference)
    if int(seen.sum()) < _LEAST_CELLS:
        return None
    return bin_overlap((a[0].burst_id, b[0].burst_id), product[seen], difference[seen])


def bin_overlap(bursts: tuple[str, str], product: NDArray[np.complex128], difference: NDArray[np.float64]) -> Overlap:
    """An overlap from the double difference and the Doppler difference (Hz) of its cells, both (n,)."""
    edges = np.linspace(difference.min(), difference.max(), _BINS + 1)
    number = np.clip(np.searchsorted(edges, difference, "right") - 1, 0, _BINS - 1)
    kept = [k for k in range(_BINS) if (number == k).any()]
    parts = [(product[number == k], difference[number == k]) for k in kept]
    return Overlap(
        bursts,
        tuple(float(f.mean()) for _, f in parts),
        tuple(complex(z.sum()) for z, _ in parts),
        tuple(float(np.abs(z).sum()) for z, _ in parts),
        tuple(float((np.abs(z) ** 2).sum()) for z, _ in parts),
        tuple(z.size for z, _ in parts),
    )


def overlap_grid(a: Burst, b: Burst, epsg: int, resolution: float) -> GeoGrid | None:
    """The box around the ground that both bursts' footprints hold; None where there is none."""
    from shapely import Polygon, convex_hull

    centre = a.footprint[0][0]
    shapes = []
    for burst in (a, b):
        lon, lat = np.array(burst.footprint).T
        x, y = transformer(4326, epsg).transform(wrap_longitude(lon, centre), lat)
        shapes.append(convex_hull(Polygon(np.column_stack([x, y]))))
    shared = shapes[0].intersection(shapes[1])
    return None if shared.is_empty or shared.area <= 0 else GeoGrid.snapped(epsg, shared.bounds, resolution)


def _coherence(
    pair: Pair, ground: Ground, options: InsarOptions, slcs: Samples | None
) -> tuple[NDArray[np.complex128], NDArray[np.float64]]:
    """Complex coherence of a pair and its carrier's frequency, NaN where there are too few samples."""
    name = common_polarization(*pair, None)
    lattice = ground.nodes.lattice
    one = make_date(pair[0], name, ground.nodes, options)
    cells = locate_cells(one, ground.fine, lattice, ground.height)
    if slcs is None:
        two = make_date(pair[1], name, ground.nodes, options)
        sums = sum_pair(one, two, ground.fine, lattice, ground.relief, cells)
    else:
        sums = sum_slcs(slcs, one, ground.fine, lattice, cells)
    least = options.minimum_share * ground.fine.rows * ground.fine.columns
    with np.errstate(invalid="ignore", divide="ignore"):
        value = sums.interferogram / (np.sqrt(sums.power_first) * np.sqrt(sums.power_second))
    return np.where(sums.count >= max(least, 1.0), value, np.nan).astype(np.complex128), cells.doppler.astype(
        np.float64
    )


def solve_timing(overlaps: list[Overlap], line_interval: float) -> Timing:
    """Weighted least squares for one shift over all overlaps of a pass, and a constant per pair of sub-swaths.

    Raises
    ------
    EngineError
        No overlap sees the ground at frequencies different enough, or their phases agree no better than noise does.
    """
    useful = [o for o in overlaps if max(abs(f) for f in o.difference) >= _LEAST_DIFFERENCE]
    along = [o for o in useful if not o.across_swaths]
    if not along:
        raise EngineError(
            "azimuth timing needs two bursts that follow each other along the track on both dates; none of "
            f"{len(overlaps)} overlaps is of that kind: set insar.timing to off, or add bursts"
        )
    mean = float(np.mean([np.average(np.abs(o.difference), weights=o.weight) for o in along]))
    ambiguity = 1.0 / mean
    pairs = sorted({_swaths(o) for o in useful if o.across_swaths})
    shift = _search(along, ambiguity)
    if (seen := _agreement(along, shift)) < _CHANCE:
        raise EngineError(
            f"the phases of {len(along)} overlaps agree no better than those of noise would ({seen:.1f} of the "
            f"{_CHANCE:g} at least that tell a shift): their ground has no coherence"
        )
    constants = {}
    for pair in pairs:
        total = sum(
            (np.sum(np.array(o.product) * np.exp(-2j * np.pi * np.array(o.difference) * shift)))
            for o in useful if o.across_swaths and _swaths(o) == pair
        )  # fmt: skip
        constants[pair] = float(np.angle(total))
    design, phases, weights = [], [], []
    for o in useful:
        product, difference, weight = np.array(o.product), np.array(o.difference), np.array(o.weight)
        length = np.clip(np.abs(product) / np.where(weight > 0, weight, 1.0), 1e-3, 1 - 1e-3)
        known = constants[_swaths(o)] if o.across_swaths else 0.0
        phases.append(np.angle(product * np.exp(-1j * (2 * np.pi * difference * shift + known))))
        # Variance of the mean direction of n directions with that resultant length (Mardia and Jupp 2000, 4.8).
        weights.append(2.0 * np.array(o.cells) * length**2 / (1.0 - length**2))
        rows = np.zeros((difference.size, 1 + len(pairs)))
        rows[:, 0] = 2 * np.pi * difference * ambiguity  # in periods, so that all columns are of one size
        if o.across_swaths:
            rows[:, 1 + pairs.index(_swaths(o))] = 1.0
        design.append(rows)
    matrix, phase, weight = np.concatenate(design), np.concatenate(phases), np.concatenate(weights)
    solution = np.zeros(matrix.shape[1])
    for _ in range(_ROUNDS):
        left = np.angle(np.exp(1j * (phase - matrix @ solution)))
        normal = matrix.T @ (weight[:, None] * matrix)
        step = np.linalg.solve(normal, matrix.T @ (weight * left))
        solution += step
        if float(np.abs(step).max()) < 1e-9:
            break
    left = np.angle(np.exp(1j * (phase - matrix @ solution)))
    spread = float(np.sum(weight * left**2) / max(left.size - solution.size, 1))
    covariance = np.linalg.inv(matrix.T @ (weight[:, None] * matrix)) * max(spread, 1.0)
    shift += float(solution[0]) * ambiguity
    found = tuple((*p, float(np.angle(np.exp(1j * (constants[p] + solution[1 + k]))))) for k, p in enumerate(pairs))
    residual = float(np.sqrt(np.sum(weight * left**2) / np.sum(weight)))
    deviation = float(np.sqrt(covariance[0, 0])) * ambiguity
    return Timing(shift, deviation, ambiguity, shift / line_interval, found, residual, len(useful))


def _search(along: list[Overlap], ambiguity: float) -> float:
    """The shift within half a period either way that brings all double differences nearest to zero phase."""
    candidates = np.linspace(-0.5, 0.5, 401) * ambiguity
    score = np.zeros(candidates.size)
    for o in along:
        turns = np.multiply.outer(candidates, np.array(o.difference))
        score += np.real(np.exp(-2j * np.pi * turns) @ np.array(o.product))
    return float(candidates[int(np.argmax(score))])


def _agreement(along: list[Overlap], shift: float) -> float:
    """How well double differences agree once a shift is taken off: of noise exponentially distributed around one.

    Rayleigh's test of uniform directions with weights (Mardia and Jupp 2000, section 6.3.1): the squared magnitude of
    their sum over the sum of their squared magnitudes.
    """
    total = sum(np.sum(np.array(o.product) * np.exp(-2j * np.pi * np.array(o.difference) * shift)) for o in along)
    power = sum(sum(o.power) for o in along)
    return float(abs(total) ** 2 / power) if power > 0 else 0.0


def _swaths(overlap: Overlap) -> tuple[str, str]:
    a, b = (name.rsplit("_", 1)[1].upper() for name in overlap.bursts)
    return a, b
