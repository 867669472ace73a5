"""Two dates summed up over the cells of a grid, block by block of the first date's lines."""

# ruff: noqa: PLR0913, PLR0917
# Kernels: numba takes scalars and arrays and wants integers said.

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numba
import numpy as np
from numba import njit
from numpy.typing import NDArray

from sarcube.engines.insar.date import Date, reach_of
from sarcube.engines.insar.fine import FineGrid
from sarcube.engines.insar.lattice import LINE, SAMPLE, Lattice, positions
from sarcube.engines.insar.resample import AFTER, View, doppler_at, resample_row
from sarcube.engines.insar.spectra import BEFORE, FARTHEST, LAG_STEPS, squared_correlation
from sarcube.engines.insar.sums import PairSums
from sarcube.engines.insar.terrain import Relief, heights_along
from sarcube.errors import EngineError

BLOCK_LINES = 128


class Cells(NamedTuple):
    """What is known of each cell's centre on the first date: (rows, columns) each, NaN where it is not seen.

    Attributes
    ----------
    height : float32
        Metres.
    line : float32
        Of the burst.
    doppler : float32
        Frequency of the carrier, Hz.
    """

    height: NDArray[np.float32]
    line: NDArray[np.float32]
    doppler: NDArray[np.float32]


def locate_cells(date: Date, fine: FineGrid, lattice: Lattice, height: NDArray[np.float32]) -> Cells:
    """Where the cells' centres, at those heights, lie in a burst."""
    line, doppler = np.full(height.shape, np.nan, np.float32), np.full(height.shape, np.nan, np.float32)
    radar = date.burst.radar
    _locate(lattice, date.view, (fine.rows, fine.columns), height, (radar.lines, radar.samples), line, doppler)
    return Cells(height, line, doppler)


@njit(cache=True, nogil=True)
def _locate(
    lattice: Lattice,
    view: View,
    cell: tuple[int, int],
    height: NDArray[np.float32],
    size: tuple[int, int],
    line: NDArray[np.float32],
    doppler: NDArray[np.float32],
) -> None:
    place = np.empty((3, height.shape[1]))
    for r in range(height.shape[0]):
        positions(lattice, view.place, (r + 0.5) * cell[0], 0.5 * cell[1], float(cell[1]), height[r], place)
        for c in range(height.shape[1]):
            y, x = place[LINE, c], place[SAMPLE, c]
            # Two lines and samples more than there are: the outermost cells are partly within.
            if y > -2.0 - cell[0] and y < size[0] + 2.0 + cell[0] and x > -64.0 and x < size[1] + 64.0:
                line[r, c] = y
                doppler[r, c] = doppler_at(view, y, x)


def sum_pair(first: Date, second: Date, fine: FineGrid, lattice: Lattice, relief: Relief, cells: Cells) -> PairSums:
    """Interferogram, powers, count and looks of every cell.

    Only blocks of lines of either date are held, whatever the size of the burst; how they are cut does not
    depend on the number of threads, and neither does any result.
    """
    out = PairSums.empty(fine.grid.shape)
    correlation = squared_correlation(first.bands[0]), squared_correlation(first.bands[1])
    cell = (fine.rows / lattice.step_row, fine.columns / lattice.step_column)
    reach = [reach_of(date.view, cell) for date in (first, second)]
    apart = second.view.place[:, :, LINE] - first.view.place[:, :, LINE]
    slack = np.abs(apart[..., 1:]).sum(axis=-1)
    early, late = float(np.nanmin(apart[..., 0] - slack)), float(np.nanmax(apart[..., 0] + slack))

    def reached(low: int, high: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Lines of both dates that cells centred on lines [low, high) of the first one need."""
        one = low - reach[0] - BEFORE, high + reach[0] + AFTER + 1
        return one, (
            math.floor(low + early) - reach[1] - BEFORE,
            math.ceil(high + late) + reach[1] + AFTER + 1,
        )

    todo = blocks_of(cells.line)
    if not todo:
        return out
    whole = reached(todo[0][0], todo[-1][1])
    readers = first.open_lines(*whole[0]), second.open_lines(*whole[1])

    def work(low: int, high: int) -> int:
        (one, at_one), (two, at_two) = (
            reader.deramped(*span) for reader, span in zip(readers, reached(low, high), strict=True)
        )
        return int(
            _sum_block(
                lattice, relief, cells.line, (low, high), (first.view, second.view), one, at_one, two, at_two,
                correlation, out.interferogram, out.power_first, out.power_second, out.count, out.looks,
            )
        )  # fmt: skip

    each_block(todo, work)
    return out


def blocks_of(line: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Blocks of lines [low, high) in which there are cells; they depend on the burst's lines alone."""
    seen = line[np.isfinite(line)]
    number = np.unique(np.floor(seen / BLOCK_LINES).astype(np.int64))
    return [(int(k) * BLOCK_LINES, (int(k) + 1) * BLOCK_LINES) for k in number]


def each_block(todo: list[tuple[int, int]], work: Callable[[int, int], int]) -> None:
    """Call `work(low, high)` for every block of lines on numba's number of threads.

    EngineError where it says that samples were missed: a block's lines did not reach as far as its cells.
    """
    with ThreadPoolExecutor(numba.get_num_threads()) as pool:
        waiting = [pool.submit(work, low, high) for low, high in todo]
        try:
            missed = sum(future.result() for future in waiting)
        finally:
            for future in waiting:
                future.cancel()
    if missed:
        raise EngineError(f"{missed} samples lie beyond the lines that their block holds; the terrain is too steep")


@njit(cache=True, nogil=True)
def _sum_block(
    lattice: Lattice,
    relief: Relief,
    centre: NDArray[np.float32],
    block: tuple[int, int],
    views: tuple[View, View],
    one: NDArray[np.float32],
    at_one: int,
    two: NDArray[np.float32],
    at_two: int,
    correlation: tuple[NDArray[np.float32], NDArray[np.float32]],
    interferogram: NDArray[np.complex64],
    power_first: NDArray[np.float32],
    power_second: NDArray[np.float32],
    count: NDArray[np.int32],
    looks: NDArray[np.float32],
) -> int:
    rows, columns = centre.shape
    fr, fc = relief.rows, relief.columns
    wide = columns * fc
    nodes, height = np.empty(wide // relief.skip + 3, np.float32), np.empty(wide, np.float32)
    place_one, place_two = np.empty((3, wide)), np.empty((3, wide))
    slc_one, slc_two = np.empty((wide, 2), np.float32), np.empty((wide, 2), np.float32)
    sums, edge = np.empty((columns, 4)), np.empty((columns, 8))
    number = np.empty(columns, np.int32)
    missed = 0
    for r in range(rows):
        c = 0
        while c < columns:
            if not (centre[r, c] >= block[0] and centre[r, c] < block[1]):
                c += 1
                continue
            stop = c + 1
            while stop < columns and centre[r, stop] >= block[0] and centre[r, stop] < block[1]:
                stop += 1
            n = (stop - c) * fc
            sums[: stop - c] = 0.0
            number[: stop - c] = 0
            for q in range(fr):
                row = r * fr + q
                heights_along(relief, row, c * fc, stop * fc, nodes, height)
                missed += resample_row(
                    lattice, views[0], one, at_one, row, c * fc, height[:n], place_one[:, :n], slc_one
                )
                missed += resample_row(
                    lattice, views[1], two, at_two, row, c * fc, height[:n], place_two[:, :n], slc_two
                )
                for k in range(stop - c):
                    add_samples(slc_one[k * fc : (k + 1) * fc], slc_two[k * fc : (k + 1) * fc], sums[k], number, k)
                    note_edges(place_one, k * fc, (k + 1) * fc - 1, q, fr, edge[k])
            for k in range(stop - c):
                interferogram[r, c + k] = complex(sums[k, 0], sums[k, 1])
                power_first[r, c + k] = sums[k, 2]
                power_second[r, c + k] = sums[k, 3]
                count[r, c + k] = number[k]
                if number[k] > 0:
                    e, x, y = edge[k], max(fc - 1, 1), max(fr - 1, 1)
                    share = independent_share(
                        (e[2] - e[0]) / x, (e[3] - e[1]) / x, (e[6] - e[4]) / y, (e[7] - e[5]) / y,
                        (fr, fc), correlation[0], correlation[1],
                    )  # fmt: skip
                    looks[r, c + k] = number[k] * share
            c = stop
    return missed


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"}, inline="always")
def add_samples(
    a: NDArray[np.float32], b: NDArray[np.float32], sums: NDArray[np.float64], number: NDArray[np.int32], k: int
) -> None:
    """Add the products and powers of samples that neither date lacks; one that is exactly 0 was never there."""
    re = im = p = q = 0.0
    n = 0
    for m in range(a.shape[0]):
        x, y, u, v = a[m, 0], a[m, 1], b[m, 0], b[m, 1]
        if (x != 0.0 or y != 0.0) and (u != 0.0 or v != 0.0):
            re += x * u + y * v
            im += y * u - x * v
            p += x * x + y * y
            q += u * u + v * v
            n += 1
    sums[0] += re
    sums[1] += im
    sums[2] += p
    sums[3] += q
    number[k] += n


@njit(cache=True, nogil=True, inline="always")
def note_edges(
    place: NDArray[np.float64], left: int, right: int, row: int, rows: int, edge: NDArray[np.float64]
) -> None:
    """Gather a cell's line and sample along its four edges: 0-1 left, 2-3 right, 4-5 top, 6-7 bottom."""
    if row == 0:
        edge[:4] = 0.0
        edge[4] = 0.5 * (place[LINE, left] + place[LINE, right])
        edge[5] = 0.5 * (place[SAMPLE, left] + place[SAMPLE, right])
    if row == rows - 1:
        edge[6] = 0.5 * (place[LINE, left] + place[LINE, right])
        edge[7] = 0.5 * (place[SAMPLE, left] + place[SAMPLE, right])
    edge[0] += place[LINE, left] / rows
    edge[1] += place[SAMPLE, left] / rows
    edge[2] += place[LINE, right] / rows
    edge[3] += place[SAMPLE, right] / rows


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def independent_share(
    line_x: float,
    sample_x: float,
    line_y: float,
    sample_y: float,
    cell: tuple[int, int],
    along: NDArray[np.float32],
    across: NDArray[np.float32],
) -> float:
    """Independent samples among those of a cell, as a share of their number.

    The variance of the mean of n samples of speckle is the mean of the squared correlation over all pairs of them
    (Goodman 2007, Speckle Phenomena in Optics, section 4.6); its inverse is the number of looks. The first four
    arguments are what a fine column and a fine row make in lines and samples of the burst.
    """
    rows, columns = cell
    total = 0.0
    for i in range(rows):
        for j in range(-columns + 1, columns):
            a = abs(i * line_y + j * line_x) * LAG_STEPS
            b = abs(i * sample_y + j * sample_x) * LAG_STEPS
            if not (a < FARTHEST * LAG_STEPS and b < FARTHEST * LAG_STEPS):
                continue
            ia, ib = int(a), int(b)
            fa, fb = a - ia, b - ib
            rho = ((1.0 - fa) * along[ia] + fa * along[ia + 1]) * ((1.0 - fb) * across[ib] + fb * across[ib + 1])
            pairs = (rows - i) * (columns - abs(j))
            total += rho * pairs * (1.0 if i == 0 else 2.0)
    # Positions are unknown where the cell holds voids.
    return rows * columns / total if total > 0.0 else 0.0
