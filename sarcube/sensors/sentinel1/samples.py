"""The samples of a burst or a detected image: as ESA wrote them, reading only the bytes of the lines asked for."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import BurstNotFoundError, SarcubeError, SceneError
from sarcube.sensors.sentinel1.bytes_source import ByteSource, InflatingSource, is_remote, read_into
from sarcube.sensors.sentinel1.files import SafeFiles
from sarcube.sensors.sentinel1.model import Channel, Samples
from sarcube.sensors.sentinel1.safe import open_files
from sarcube.sensors.sentinel1.tiff import TiffLayout, read_layout

_AT_ONCE = 4_000_000  # samples that GDAL decodes at a time
_CACHE = 128 << 20  # bytes of decoded blocks that GDAL keeps


class Stored(Protocol):
    """What has samples: a burst, or a slice of a detected image."""

    @property
    def scene(self) -> str: ...

    @property
    def label(self) -> str: ...

    @property
    def channels(self) -> Mapping[str, Channel]: ...


def read_samples(burst: Stored, polarization: str, lines: tuple[int, int] | None = None) -> NDArray[np.integer]:
    """Digital numbers of one polarization of a burst or of a slice of a detected image.

    Parameters
    ----------
    burst : Burst or GrdSlice
    polarization : str
        "VV", "VH", "HH" or "HV".
    lines : (first, stop), optional
        Half-open range of lines of the burst; all without it.

    Returns
    -------
    (lines, samples, 2) int16, or (lines, samples) uint16
        Real and imaginary part, or the amplitude of a detected image.

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
            f"{burst.scene}: {burst.label} has no {polarization}; it has {', '.join(burst.channels)}"
        )
    return read_stored(channel.samples, lines)


def reads_in_place(burst: Stored, polarization: str) -> bool:
    """Whether a few lines of a polarization cost no more than their share: they lie as they are in a local folder."""
    stored = burst.channels[polarization.upper()].samples
    if is_remote(stored.path) or not Path(stored.path).is_dir():
        return False
    files = open_files(stored.path)
    source = files.open(files.root + stored.member)
    return read_layout(source, f"{stored.path}: {stored.member}").direct


def line_readers(
    burst: Stored, polarizations: tuple[str, ...], lines: tuple[int, int]
) -> list[Callable[[int, int], NDArray[np.integer]]]:
    """For each polarization, a function that gives lines (first, stop) of the burst or slice, within `lines`.

    What lies in a local file is read when it is asked for; what has to be fetched or unpacked, once and in advance.
    """
    if all(reads_in_place(burst, name) for name in polarizations):
        return [partial(_lines_of, burst, name) for name in polarizations]
    with ThreadPoolExecutor(len(polarizations)) as pool:
        whole = list(pool.map(lambda name: read_samples(burst, name, lines), polarizations))
    return [partial(_lines_from, samples, lines[0]) for samples in whole]


def _lines_of(burst: Stored, name: str, first: int, stop: int) -> NDArray[np.integer]:
    return read_samples(burst, name, (first, stop))


def _lines_from(samples: NDArray[np.integer], begin: int, first: int, stop: int) -> NDArray[np.integer]:
    return samples[first - begin : stop - begin]


def read_stored(stored: Samples, lines: tuple[int, int] | None = None) -> NDArray[np.integer]:
    """Samples of a stretch of a measurement TIFF: (lines, samples, 2) int16 or, detected, (lines, samples) uint16.

    Errors are those of `read_samples`.
    """
    first, stop = lines or (0, stored.lines)
    if not 0 <= first < stop <= stored.lines:
        raise BurstNotFoundError(f"{stored.path}: lines {first} to {stop} are not within the burst's {stored.lines}")
    files = open_files(stored.path, stored.opener)
    name = files.root + stored.member
    where = f"{stored.path}: {stored.member}"
    source = files.open(name)
    layout = read_layout(source, where)
    if layout.detected != stored.detected:
        what = ("complex", "amplitudes")
        raise SceneError(
            f"{where}: holds {what[layout.detected]} where the annotation has {what[stored.detected]}; annotation and "
            "measurement do not belong together"
        )
    first, stop = first + stored.first_line, stop + stored.first_line
    if stop > layout.lines or stored.samples > layout.samples:
        raise SceneError(
            f"{where}: is {layout.lines} x {layout.samples}, but the annotation places lines {first} to {stop} of "
            f"{stored.samples} samples there; annotation and measurement do not belong together"
        )
    if layout.samples > 2 * stored.samples:
        # Before anything of that size is allocated. ESA's files are as wide as their annotation says.
        raise SceneError(
            f"{where}: has {layout.samples} samples a line, the annotation {stored.samples}; annotation and "
            "measurement do not belong together"
        )
    if layout.direct:
        values = _read_strips(source, layout, first, stop, where)
    else:
        if isinstance(source, InflatingSource) and not layout.ordered():
            raise SceneError(
                f"{where}: its strips do not follow each other, and a compressed zip takes a pass for each; unpack it"
            )
        values = _read_with_gdal(files, name, source, (first, stop, stored.samples), where, layout.detected)
    return values[:, : stored.samples]


def _read_strips(source: ByteSource, layout: TiffLayout, first: int, stop: int, where: str) -> NDArray[np.integer]:
    width = layout.samples * layout.sample_bytes  # bytes of a line
    rows = layout.rows_per_strip
    line = np.arange(first, stop)
    strip = line // rows
    there = layout.strip_sizes[strip] > 0
    offset = layout.strip_offsets[strip] + (line % rows) * width
    if there.any() and (int(offset[there].min()) < 8 or int(offset[there].max()) + width > source.size):
        raise SceneError(
            f"{where}: lines {first} to {stop} end at byte {int(offset.max()) + width} of {source.size}; "
            "the file is truncated, fetch it again"
        )
    shape: tuple[int, ...] = (stop - first, layout.samples) if layout.detected else (stop - first, layout.samples, 2)
    kind = np.dtype(layout.byte_order + ("u2" if layout.detected else "i2"))
    values = np.empty(shape, kind) if there.all() else np.zeros(shape, kind)
    view = values.reshape(-1).view(np.uint8).data
    # Lines that follow each other in the file are one read: in ESA's files all of a burst.
    breaks = np.flatnonzero((np.diff(offset) != width) | (np.diff(there) != 0)) + 1
    stretches = [(b, e) for b, e in pairwise([0, *breaks.tolist(), len(line)]) if there[b]]
    # In the order of the file: a compressed zip is inflated once, however strips lie in it.
    for begin, end in sorted(stretches, key=lambda s: int(offset[s[0]])):
        stretch = view[begin * width : end * width]
        count = read_into(source, int(offset[begin]), stretch)
        if count != len(stretch):
            raise SceneError(
                f"{where}: ends after {count} of {len(stretch)} bytes of lines {first} to {stop}; fetch it again"
            )
    return values.astype(kind.newbyteorder("="), copy=False)


def _read_with_gdal(
    files: SafeFiles, name: str, source: ByteSource, window: tuple[int, int, int], where: str, detected: bool
) -> NDArray[np.integer]:
    """Compressed or tiled TIFF: GDAL decodes it."""
    import rasterio
    from rasterio.windows import Window

    first, stop, samples = window
    opened = _FileLike(source) if is_remote(files.path) else files.gdal_path(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            shape = (stop - first, samples)
            values: NDArray[np.integer] = np.empty(shape, np.uint16) if detected else np.empty((*shape, 2), np.int16)
            with rasterio.Env(GDAL_CACHEMAX=_CACHE), rasterio.open(opened) as dataset:
                height = max(1, dataset.block_shapes[0][0])
                step = max(height, _AT_ONCE // samples // height * height)
                # Some blocks at a time: rasterio gives complex int16 as complex64, four times as much at once.
                for begin in range(first // height * height, stop, step):
                    top, end = max(begin, first), min(begin + step, stop)
                    part = values[top - first : end - first]
                    block = Window(0, top, samples, end - top)
                    if detected:
                        dataset.read(1, window=block, out=part)
                    elif dataset.count == 2:
                        part[:] = np.moveaxis(dataset.read(window=block), 0, -1)
                    else:  # every int16 is exact in float32
                        pairs = np.ascontiguousarray(dataset.read(1, window=block), dtype=np.complex64)
                        part[:] = pairs.view(np.float32).reshape(part.shape)
    except SarcubeError:
        raise
    except (rasterio.errors.RasterioError, OSError, ValueError) as error:
        raise SceneError(f"{where}: cannot be decoded ({error}); the file is damaged, fetch it again") from error
    return values


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
