"""Geocoded SLCs on the fine grid, and pairs of them."""

# ruff: noqa: PLR0913, PLR0917

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numba
import numpy as np
from numba import njit
from numpy.typing import NDArray

from sarcube.engines.insar.date import Date, reach_of
from sarcube.engines.insar.fine import FineGrid
from sarcube.engines.insar.lattice import Lattice, positions
from sarcube.engines.insar.pair import Cells, add_samples, blocks_of, each_block, independent_share
from sarcube.engines.insar.resample import AFTER, View, resample_row
from sarcube.engines.insar.spectra import BEFORE, squared_correlation
from sarcube.engines.insar.sums import PairSums
from sarcube.engines.insar.terrain import Relief, heights_along
from sarcube.errors import GridError


def geocode_slc(
    date: Date,
    fine: FineGrid,
    lattice: Lattice,
    relief: Relief,
    cells: Cells,
    out: NDArray[np.complex64] | None = None,
) -> NDArray[np.complex64]:
    """Flattened samples on the fine grid, NaN where the burst has none; `out` may be a memory-mapped array."""
    if out is None:
        out = np.empty(fine.shape, np.complex64)
    elif out.shape != fine.shape or out.dtype != np.complex64:
        raise GridError(f"out is {out.dtype} of {out.shape}; the fine grid needs complex64 of {fine.shape}")
    reach = reach_of(date.view, (fine.rows / lattice.step_row, fine.columns / lattice.step_column))
    target = out
    for first in range(0, fine.shape[0], 1024):
        target[first : first + 1024] = np.nan

    todo = blocks_of(cells.line)
    if not todo:
        return out

    def reached(low: int, high: int) -> tuple[int, int]:
        return low - reach - BEFORE, high + reach + AFTER + 1

    reader = date.open_lines(*reached(todo[0][0], todo[-1][1]))

    def work(low: int, high: int) -> int:
        lines, at = reader.deramped(*reached(low, high))
        return int(_slc_block(lattice, relief, cells.line, (low, high), date.view, lines, at, target))

    each_block(todo, work)
    return out


@njit(cache=True, nogil=True)
def _slc_block(
    lattice: Lattice,
    relief: Relief,
    centre: NDArray[np.float32],
    block: tuple[int, int],
    view: View,
    lines: NDArray[np.float32],
    at: int,
    out: NDArray[np.complex64],
) -> int:
    rows, columns = centre.shape
    fr, fc = relief.rows, relief.columns
    wide = columns * fc
    nodes, height = np.empty(wide // relief.skip + 3, np.float32), np.empty(wide, np.float32)
    place, slc = np.empty((3, wide)), np.empty((wide, 2), np.float32)
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
            for q in range(fr):
                row = r * fr + q
                heights_along(relief, row, c * fc, stop * fc, nodes, height)
                missed += resample_row(lattice, view, lines, at, row, c * fc, height[:n], place[:, :n], slc)
                for m in range(n):
                    if slc[m, 0] != 0.0 or slc[m, 1] != 0.0:
                        out[row, c * fc + m] = complex(slc[m, 0], slc[m, 1])
            c = stop
    return missed


class SlcRows(Protocol):
    """Samples of a geocoded SLC that are read by rows: of an array, or of a file."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: slice, /) -> NDArray[np.complex64]: ...


def sum_slcs(
    slcs: tuple[SlcRows, SlcRows],
    first: Date,
    fine: FineGrid,
    lattice: Lattice,
    cells: Cells,
) -> PairSums:
    """The sums of a pair from two geocoded SLCs, by bands of rows."""
    out = PairSums.empty(fine.grid.shape)
    along, across = (squared_correlation(band) for band in first.bands)

    def work(rows: range) -> None:
        one, two = (
            np.nan_to_num(np.ascontiguousarray(slc[rows.start * fine.rows : rows.stop * fine.rows])) for slc in slcs
        )
        part = slice(rows.start, rows.stop)
        _sum_rows(
            lattice, first.view.place, cells.height, rows.start, (fine.rows, fine.columns),
            one.view(np.float32).reshape(*one.shape, 2), two.view(np.float32).reshape(*two.shape, 2), along, across,
            out.interferogram[part], out.power_first[part], out.power_second[part], out.count[part], out.looks[part],
        )  # fmt: skip

    bands = [range(r, min(r + 16, fine.grid.height)) for r in range(0, fine.grid.height, 16)]
    with ThreadPoolExecutor(numba.get_num_threads()) as pool:
        list(pool.map(work, bands))
    return out


@njit(cache=True, nogil=True)
def _sum_rows(
    lattice: Lattice,
    place: NDArray[np.float64],
    height: NDArray[np.float32],
    first_row: int,
    cell: tuple[int, int],
    one: NDArray[np.float32],
    two: NDArray[np.float32],
    along: NDArray[np.float32],
    across: NDArray[np.float32],
    interferogram: NDArray[np.complex64],
    power_first: NDArray[np.float32],
    power_second: NDArray[np.float32],
    count: NDArray[np.int32],
    looks: NDArray[np.float32],
) -> None:
    rows, columns = height.shape
    fr, fc = cell
    near = np.empty((3, 3, columns))  # line, sample, range of the row before, this one and the next
    number = np.empty(1, np.int32)
    sums = np.empty(4)
    for r in range(count.shape[0]):
        above, below = max(first_row + r - 1, 0), min(first_row + r + 1, rows - 1)
        for k in range(3):
            row = above if k == 0 else (below if k == 2 else first_row + r)
            positions(lattice, place, (row + 0.5) * fr, 0.5 * fc, float(fc), height[row], near[k])
        for c in range(columns):
            number[0] = 0
            sums[:] = 0.0
            for q in range(fr):
                row = r * fr + q
                add_samples(one[row, c * fc : (c + 1) * fc], two[row, c * fc : (c + 1) * fc], sums, number, 0)
            interferogram[r, c] = complex(sums[0], sums[1])
            power_first[r, c], power_second[r, c] = sums[2], sums[3]
            count[r, c] = number[0]
            if number[0] > 0:
                left, right = max(c - 1, 0), min(c + 1, columns - 1)
                x, y = max((right - left) * fc, 1), max((below - above) * fr, 1)
                share = independent_share(
                    (near[1, 0, right] - near[1, 0, left]) / x,
                    (near[1, 1, right] - near[1, 1, left]) / x,
                    (near[2, 0, c] - near[0, 0, c]) / y,
                    (near[2, 1, c] - near[0, 1, c]) / y,
                    cell, along, across,
                )  # fmt: skip
                looks[r, c] = number[0] * share
