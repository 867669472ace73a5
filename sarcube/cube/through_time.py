"""Pixels read and reduced along time in one go: what stands behind a chunk of a mean, a median, a deviation.

Dates are read one after the other into a few buffers and added to what is known of the dates before, so that memory
holds a chunk of some dates however many there are, and no date is handed from task to task.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise, repeat

import numpy as np
import rasterio
from dask.system import CPU_COUNT
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.windows import Window

from sarcube.cube.handles import gdal_env
from sarcube.cube.reader import Merge, MergeReader, aligned
from sarcube.geometry.grid import GeoGrid

# What moments hold, in this order.
COUNT, MEAN, SQUARES, LEAST, GREATEST = range(5)
# Dates that are read before they are added to the moments, and their bytes at most. Up to 2 million pixels it is the
# same number, so that sums do not depend on how pixels were cut into tasks.
_TOGETHER = 8
_BUFFER = 64 * 2**20
# Files of a network that are read at once.
_READS_PER_CORE = 2
# Bytes of all dates of the pixels whose order is wanted. Less would read the tiles of a COG again and again.
_STACK = 256 * 2**20
TILE = 512


@dataclass(frozen=True)
class Origin:
    """The files behind an array (time, y, x) of float32, and where it lies on their grid.

    Attributes
    ----------
    merges : tuple of Merge or None
        Of each time step.
    grid : GeoGrid
    resampling : Resampling
    fill : float
    row, col : int
        The array's first pixel on the grid.
    """

    merges: tuple[Merge | None, ...]
    grid: GeoGrid
    resampling: Resampling
    fill: float
    row: int = 0
    col: int = 0

    def part(self, steps: NDArray[np.intp], rows: slice, cols: slice) -> Origin:
        """What is behind some time steps, rows and columns of the array."""
        merges = tuple(self.merges[i] for i in steps)
        return replace(self, merges=merges, row=self.row + rows.start, col=self.col + cols.start)

    def offset(self) -> tuple[int, int]:
        """Row and column of the array's first pixel in the first file, if they are on one lattice."""
        first, grid = next((m.sources[0].grid for m in self.merges if m is not None), self.grid), self.grid
        return (
            self.row - round((grid.top - first.top) / grid.resolution),
            self.col - round((first.left - grid.left) / grid.resolution),
        )

    def exact(self) -> bool:
        """Whether pixels are read as they are; how GDAL resamples them depends a little on the window."""
        grids = {s.grid for m in self.merges if m is not None for s in m.sources}
        return all(aligned(self.grid, grid) for grid in grids)

    def readers(self) -> list[MergeReader | None]:
        """A reader for each time step; None where there is nothing to read."""
        dtype = np.dtype(np.float32)
        return [
            MergeReader.on(m, self.grid, self.resampling, dtype, self.fill) if m is not None else None
            for m in self.merges
        ]

    def remote(self) -> bool:
        """Whether any of its files is read over a network."""
        return any("://" in s.href for m in self.merges if m is not None for s in m.sources)

    def env(self) -> rasterio.Env:
        """What all its files are read in."""
        return gdal_env(self.remote())


def read_moments(origin: Origin, slices: tuple[slice, slice], rows: int) -> NDArray[np.float64]:
    """Moments of all dates of a window, the first `rows` of them; see `moment_kernels`."""
    from sarcube.cube.moment_kernels import no_moments, update_moments

    window, height, width = _window(origin, slices)
    state = no_moments(rows, height, width)
    readers = [r for r in origin.readers() if r is not None and r.touches(window)]
    together = max(1, min(len(readers), _TOGETHER, _BUFFER // (4 * height * width)))
    buffer = np.empty((together, height, width), np.float32)
    with origin.env():
        for first in range(0, len(readers), together):
            some = readers[first : first + together]
            _read_dates(origin, some, window, buffer)
            update_moments(state, buffer[: len(some)])
    return state


def _read_dates(
    origin: Origin, readers: Sequence[MergeReader], window: Window, out: Iterable[NDArray[np.float32]]
) -> None:
    """Pixels of each reader's date, where they touch the window; over a network of several at once, as most is waiting.

    Raises
    ------
    CubeError
        A file cannot be read; reads that have not begun are left.
    """
    reading = _threads().map if origin.remote() and len(readers) > 1 else map
    for _ in reading(MergeReader.read, readers, repeat(window), out):
        pass


@cache
def _threads() -> ThreadPoolExecutor:
    # One for all tasks of the process; GDAL keeps connections for each of its threads.
    return ThreadPoolExecutor(_READS_PER_CORE * CPU_COUNT, "sarcube-read")


def read_medians(origin: Origin, slices: tuple[slice, slice]) -> NDArray[np.float32]:
    """Median of all dates of a window, NaN where nothing was seen."""
    from sarcube.cube.order_kernels import medians

    window, height, width = _window(origin, slices)
    out = np.full((height, width), np.nan, np.float32)
    readers = [r for r in origin.readers() if r is not None and r.touches(window)]
    if not readers:
        return out
    buffer: NDArray[np.float32] | None = None
    with origin.env():
        for rows, cols in _tiles(origin, window, len(readers)):
            shape = (len(readers), rows.stop - rows.start, cols.stop - cols.start)
            size = shape[0] * shape[1] * shape[2]
            if buffer is None or buffer.size < size:
                buffer = np.empty(size, np.float32)
            stack = buffer[:size].reshape(shape)
            part = Window(window.col_off + cols.start, window.row_off + rows.start, shape[2], shape[1])
            seen = [r for r in readers if r.touches(part)]
            if seen:
                _read_dates(origin, seen, part, stack)
                medians(stack[: len(seen)], out[rows, cols])
    return out


def read_part(table: NDArray[np.object_], shape: tuple[int, int], gone: tuple[int, ...]) -> NDArray[np.float32]:
    """The dates of a small window, without the axes that are gone; `table` holds one Origin."""
    origin: Origin = table.item()
    out = np.full((len(origin.merges), *shape), origin.fill, np.float32)
    window = Window(origin.col, origin.row, shape[1], shape[0])
    there = [(r, target) for r, target in zip(origin.readers(), out, strict=True) if r is not None]
    with origin.env():
        _read_dates(origin, [r for r, _ in there], window, [target for _, target in there])
    picked: NDArray[np.float32] = out[tuple(0 if axis in gone else slice(None) for axis in range(3))]
    return picked


def _window(origin: Origin, slices: tuple[slice, slice]) -> tuple[Window, int, int]:
    rows, cols = slices
    height, width = int(rows.stop - rows.start), int(cols.stop - cols.start)
    return Window(origin.col + cols.start, origin.row + rows.start, width, height), height, width


def _tiles(origin: Origin, window: Window, dates: int) -> Iterator[tuple[slice, slice]]:
    """Parts of a window whose dates fit into memory, cut where the tiles of the first file are cut."""
    height, width = int(window.height), int(window.width)
    top, left = origin.offset()
    top, left = top + int(window.row_off) - origin.row, left + int(window.col_off) - origin.col
    high, wide = height, width
    if 4 * dates * high * wide > _STACK:
        high = TILE
    if 4 * dates * high * wide > _STACK:
        wide = TILE
    while 4 * dates * high * wide > _STACK and high > 32:
        high //= 2
    for rows in cuts(height, high, top):
        for cols in cuts(width, wide, left):
            yield rows, cols


def cuts(size: int, step: int, offset: int) -> list[slice]:
    """Parts of an axis of some length that starts at an offset, cut at the multiples of a step."""
    return [slice(a, b) for a, b in pairwise((0, *range(step - offset % step, size, step), size))]
