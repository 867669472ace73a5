"""Samples of a CSLC-S1 file on the grid that someone asks for, row by row."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import GridError, SceneError
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel1.bytes_source import ByteOpener
from sarcube.sensors.sentinel1.cslc.file import HdfFile, open_hdf
from sarcube.sensors.sentinel1.cslc.product import Cslc

_KEPT = 4  # bands of chunks held back: a band of rows seldom ends with a chunk
_MOST_CHUNK = 64 << 20  # bytes of a band of chunks beyond which rows are read as they are asked for


class CslcRows:
    """Samples as an array that is read by rows, from any thread; NaN beyond the file's own grid."""

    dtype = np.dtype(np.complex64)

    def __init__(self, file: HdfFile, name: str, own: GeoGrid, wanted: GeoGrid, scale: float) -> None:
        self._file, self._name, self._scale = file, name, np.float32(scale)
        # Where the file's first row and column lie among those that are wanted.
        self._first_row = round((wanted.top - own.top) / own.step)
        self._first_column = round((own.left - wanted.left) / own.resolution)
        self.shape = wanted.shape
        layer = file.layer(name)
        if layer.shape != own.shape:
            raise SceneError(
                f"{file.path}: {name} is {layer.shape}, other rasters of the file {own.shape}; fetch it again"
            )
        self._rows = int(layer.shape[0])
        self._columns = max(0, -self._first_column), min(own.width, wanted.width - self._first_column)
        height = int(layer.chunks[0]) if layer.chunks else 0
        wide = max(self._columns[1] - self._columns[0], 0) * 8
        self._band = height if 0 < height * wide <= _MOST_CHUNK else 0
        self._bands: dict[int, NDArray[np.complex64]] = {}
        self._lock = threading.Lock()

    def __getitem__(self, rows: slice) -> NDArray[np.complex64]:
        first, last, _ = rows.indices(self.shape[0])
        out = np.full((max(last - first, 0), self.shape[1]), np.complex64(complex(np.nan, np.nan)))
        begin, end = max(first - self._first_row, 0), min(last - self._first_row, self._rows)
        left, right = self._columns
        if begin >= end or left >= right:
            return out
        at = self._first_column + left
        with self._lock:
            for low, part in self._read(begin, end):
                target = low + self._first_row - first
                out[target : target + len(part), at : at + part.shape[1]] = part
        out *= self._scale
        return out

    def _read(self, begin: int, end: int) -> Iterator[tuple[int, NDArray[np.complex64]]]:
        """Rows [begin, end) of the file in parts, with the row that each begins with."""
        columns = slice(*self._columns)
        if not self._band:
            yield begin, self._file.window(self._name, slice(begin, end), columns)
            return
        for number in range(begin // self._band, (end - 1) // self._band + 1):
            top = number * self._band
            if number not in self._bands:
                rows = slice(top, min(top + self._band, self._rows))
                self._bands[number] = self._file.window(self._name, rows, columns)
                while len(self._bands) > _KEPT:
                    self._bands.pop(next(iter(self._bands)))
            low, high = max(begin, top), min(end, top + self._band)
            yield low, self._bands[number][low - top : high - top]


@contextmanager
def open_rows(cslc: Cslc, polarization: str, grid: GeoGrid, opener: ByteOpener | None = None) -> Iterator[CslcRows]:
    """The samples on `grid`, calibrated to the root of beta nought where the file tells how.

    Parameters
    ----------
    cslc : Cslc
    polarization : str
    grid : GeoGrid
        Of samples that fall together with the file's own; it may reach beyond them or hold a part.
    opener : callable, optional
        As for `read_cslc`.

    Raises
    ------
    GridError
        The grid's samples lie between the file's.
    SceneError
        The file cannot be read.
    """
    check_alike(cslc, grid)
    samples = cslc.burst.channels[polarization].samples
    beta = float(cslc.burst.channels[polarization].calibration.beta_nought[0, 0])
    with open_hdf(samples.path, opener) as file:
        yield CslcRows(file, samples.member, cslc.grid, grid, 1.0 / beta)


def check_alike(cslc: Cslc, grid: GeoGrid) -> None:
    """Raise GridError unless the samples of a grid are samples of the file, as far as it reaches."""
    own = cslc.grid
    where = f"{cslc.burst.scene}: samples of {own.crs}, {own.resolution:g} m by {own.step:g} m"
    if own.epsg != grid.epsg:
        raise GridError(
            f"{where}, make no product on {grid.crs}, where others of {cslc.burst.burst_id} lie; use another store"
        )
    across, down = (own.left - grid.left) / own.resolution, (grid.top - own.top) / own.step
    if (
        abs(own.resolution - grid.resolution) > 1e-6
        or abs(own.step - grid.step) > 1e-6
        or max(abs(v - round(v)) for v in (across, down)) > 1e-3
    ):
        raise GridError(
            f"{where} from {own.left:g} east and {own.top:g} north, do not nest in pixels at multiples of the posting: "
            "choose an insar.posting that is a multiple of both spacings and of the edges"
        )
