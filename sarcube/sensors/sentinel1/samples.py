"""The samples of a burst: complex int16 as ESA wrote them, reading only the bytes of the burst."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import BurstNotFoundError, SarcubeError, SceneError
from sarcube.sensors.sentinel1.bytes_source import ByteSource, is_remote, read_into
from sarcube.sensors.sentinel1.files import SafeFiles
from sarcube.sensors.sentinel1.model import Burst, Samples
from sarcube.sensors.sentinel1.safe import open_files
from sarcube.sensors.sentinel1.tiff import TiffLayout, read_layout


def read_samples(burst: Burst, polarization: str, lines: tuple[int, int] | None = None) -> NDArray[np.int16]:
    """Digital numbers of one polarization of a burst.

    Parameters
    ----------
    burst : Burst
    polarization : str
        "VV", "VH", "HH" or "HV".
    lines : (first, stop), optional
        Half-open range of lines of the burst; all without it.

    Returns
    -------
    (lines, samples, 2) int16
        Real and imaginary part.

    Raises
    ------
    BurstNotFoundError
        The burst has no such polarization.
    SceneError
        The measurement is missing, empty, truncated, damaged or too small for the burst.
    """
    channel = burst.channels.get(polarization.upper())
    if channel is None:
        raise BurstNotFoundError(
            f"{burst.scene}: {burst.burst_id} has no {polarization}; it has {', '.join(burst.channels)}"
        )
    return read_stored(channel.samples, lines)


def reads_in_place(burst: Burst, polarization: str) -> bool:
    """Whether a few lines of a polarization cost no more than their share: they lie as they are in a local folder."""
    stored = burst.channels[polarization.upper()].samples
    if is_remote(stored.path) or not Path(stored.path).is_dir():
        return False
    files = open_files(stored.path)
    source = files.open(files.root + stored.member)
    return read_layout(source, f"{stored.path}: {stored.member}").direct


def line_readers(
    burst: Burst, polarizations: tuple[str, ...], lines: tuple[int, int]
) -> list[Callable[[int, int], NDArray[np.int16]]]:
    """For each polarization, a function that gives lines (first, stop) of the burst, within `lines`.

    What lies in a local file is read when it is asked for; what has to be fetched or unpacked, once and in advance.
    """
    if all(reads_in_place(burst, name) for name in polarizations):
        return [partial(_lines_of, burst, name) for name in polarizations]
    with ThreadPoolExecutor(len(polarizations)) as pool:
        whole = list(pool.map(lambda name: read_samples(burst, name, lines), polarizations))
    return [partial(_lines_from, samples, lines[0]) for samples in whole]


def _lines_of(burst: Burst, name: str, first: int, stop: int) -> NDArray[np.int16]:
    return read_samples(burst, name, (first, stop))


def _lines_from(samples: NDArray[np.int16], begin: int, first: int, stop: int) -> NDArray[np.int16]:
    return samples[first - begin : stop - begin]


def read_stored(stored: Samples, lines: tuple[int, int] | None = None) -> NDArray[np.int16]:
    """Samples of a stretch of a measurement TIFF; see `read_samples`."""
    first, stop = lines or (0, stored.lines)
    if not 0 <= first < stop <= stored.lines:
        raise BurstNotFoundError(f"{stored.path}: lines {first} to {stop} are not within the burst's {stored.lines}")
    files = open_files(stored.path, stored.opener)
    name = files.root + stored.member
    where = f"{stored.path}: {stored.member}"
    source = files.open(name)
    layout = read_layout(source, where)
    first, stop = first + stored.first_line, stop + stored.first_line
    if stop > layout.lines or stored.samples > layout.samples:
        raise SceneError(
            f"{where}: is {layout.lines} x {layout.samples}, but the annotation places lines {first} to {stop} of "
            f"{stored.samples} samples there; annotation and measurement do not belong together"
        )
    if layout.direct:
        values = _read_strips(source, layout, first, stop, where)
    else:
        values = _read_with_gdal(files, name, source, (first, stop, stored.samples), where)
    return values[:, : stored.samples]


def _read_strips(source: ByteSource, layout: TiffLayout, first: int, stop: int, where: str) -> NDArray[np.int16]:
    width = layout.samples * 4  # bytes of a line
    rows = layout.rows_per_strip
    line = np.arange(first, stop)
    offset = layout.strip_offsets[line // rows] + (line % rows) * width
    if int(offset.min()) < 8 or int(offset.max()) + width > source.size:
        raise SceneError(
            f"{where}: lines {first} to {stop} end at byte {int(offset.max()) + width} of {source.size}; "
            "the file is truncated, fetch it again"
        )
    values = np.empty((stop - first, layout.samples, 2), dtype=np.dtype(layout.byte_order + "i2"))
    view = values.reshape(-1).view(np.uint8).data
    # Lines that follow each other in the file are one read: in ESA's files all of a burst.
    breaks = np.flatnonzero(np.diff(offset) != width) + 1
    for begin, end in pairwise([0, *breaks.tolist(), len(line)]):
        stretch = view[begin * width : end * width]
        count = read_into(source, int(offset[begin]), stretch)
        if count != len(stretch):
            raise SceneError(
                f"{where}: ends after {count} of {len(stretch)} bytes of lines {first} to {stop}; fetch it again"
            )
    return values.astype(np.int16, copy=False)


def _read_with_gdal(
    files: SafeFiles, name: str, source: ByteSource, window: tuple[int, int, int], where: str
) -> NDArray[np.int16]:
    """Compressed or tiled TIFF: GDAL decodes it."""
    import rasterio
    from rasterio.windows import Window

    first, stop, samples = window
    opened: Any = _FileLike(source) if is_remote(files.path) else files.gdal_path(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            with rasterio.open(opened) as dataset:
                block = Window(0, first, samples, stop - first)
                if dataset.count == 2:
                    return np.ascontiguousarray(np.moveaxis(dataset.read(window=block), 0, -1), dtype=np.int16)
                values = dataset.read(1, window=block)
    except SarcubeError:
        raise
    except (rasterio.errors.RasterioError, OSError, ValueError) as error:
        raise SceneError(f"{where}: cannot be decoded ({error}); the file is damaged, fetch it again") from error
    # rasterio gives complex int16 as complex64, in which every int16 is exact.
    pairs = np.ascontiguousarray(values, dtype=np.complex64).view(np.float32).reshape(*values.shape, 2)
    return pairs.astype(np.int16)


class _FileLike:
    """A byte source as a file, for GDAL."""

    def __init__(self, source: ByteSource) -> None:
        self._source, self._at = source, 0

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(self._at, self._source.size if size < 0 else size)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._source.size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        self._at = 0
