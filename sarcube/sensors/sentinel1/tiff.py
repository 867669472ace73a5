"""Where the samples of a measurement TIFF lie in the file (TIFF 6.0 and BigTIFF): directory, strips, sample type."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import SceneError
from sarcube.sensors.sentinel1.bytes_source import ByteSource

MAX_SIDE = 1_000_000
MAX_BLOCK = 160 << 20  # bytes of one unpacked strip or tile
MAX_TAGS = 4096
MAX_STRIPS = 2_000_000
HEAD = 256 << 10  # the first read: header, directory and strip tables of an ESA file (109 kB) at once
_TYPES = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}  # BYTE, SHORT, LONG, IFD, LONG8, IFD8


@dataclass(frozen=True, eq=False)
class TiffLayout:
    """The first directory of a TIFF with complex int16 samples (SLC) or uint16 amplitudes (GRD).

    Attributes
    ----------
    lines, samples : int
    byte_order : str
        "<" or ">".
    compression : int
        1: none; anything else needs GDAL.
    rows_per_strip : int
    strip_offsets, strip_sizes : (n,) int64
        Bytes. Both 0: the strip is not stored (sparse), all of it is 0.
    direct : bool
        True where the samples lie as they are, in plain strips.
    detected : bool
        A sample is one uint16, the amplitude; else two int16, real and imaginary part.
    """

    lines: int
    samples: int
    byte_order: str
    compression: int
    rows_per_strip: int
    strip_offsets: NDArray[np.int64]
    strip_sizes: NDArray[np.int64]
    direct: bool
    detected: bool = False

    @property
    def sample_bytes(self) -> int:
        return 2 if self.detected else 4

    def ordered(self) -> bool:
        """Whether strips or tiles lie in the file in their order, so that one pass reads them."""
        stored = self.strip_offsets[self.strip_offsets > 0]
        return bool(np.all(np.diff(stored) >= 0))


class _Head:
    """Bytes of the file, the first of them kept: directory and tables lie there."""

    def __init__(self, source: ByteSource, where: str) -> None:
        self.source, self.where = source, where
        self.head = source.read(0, min(HEAD, source.size))

    def read(self, offset: int, length: int) -> bytes:
        if offset + length > self.source.size:
            raise SceneError(
                f"{self.where}: its TIFF directory points to byte {offset + length} of {self.source.size}; "
                "the file is truncated or damaged, fetch it again"
            )
        if offset + length <= len(self.head):
            return self.head[offset : offset + length]
        return self.source.read(offset, length)


def read_layout(source: ByteSource, where: str) -> TiffLayout:
    """Read header and first directory.

    Raises
    ------
    SceneError
        Empty, not a TIFF, damaged, or not complex int16.
    """
    if source.size == 0:
        raise SceneError(f"{where}: is empty; the scene holds annotation only, fetch it with its measurement")
    head = _Head(source, where)
    start = head.head[:16]
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    magic = struct.unpack(order + "H", start[2:4])[0] if order and len(start) >= 8 else 0
    if order is None or magic not in (42, 43) or (magic == 43 and len(start) < 16):
        raise SceneError(f"{where}: is not a TIFF (starts with {start[:4]!r}); fetch it again")
    big = magic == 43
    directory = struct.unpack(order + "Q", start[8:16])[0] if big else struct.unpack(order + "L", start[4:8])[0]
    return _layout(_tags(head, order, directory, big), order, source, where)


def _tags(head: _Head, order: str, at: int, big: bool) -> dict[int, NDArray[np.int64]]:
    count_format, entry_size = ("Q", 20) if big else ("H", 12)
    count_size = struct.calcsize(count_format)
    count = struct.unpack(order + count_format, head.read(at, count_size))[0]
    if count > MAX_TAGS:
        raise SceneError(f"{head.where}: its TIFF directory claims {count} entries; the file is damaged")
    data = head.read(at + count_size, count * entry_size)
    inline = 8 if big else 4
    tags: dict[int, NDArray[np.int64]] = {}
    for i in range(count):
        entry = data[i * entry_size : (i + 1) * entry_size]
        tag, kind = struct.unpack_from(order + "2H", entry)
        number = struct.unpack_from(order + ("Q" if big else "L"), entry, 4)[0]
        if tag not in _WANTED or kind not in _TYPES:
            continue
        kind_code = _TYPES[kind]
        length = number * int(kind_code[1])
        if number > MAX_STRIPS:
            raise SceneError(f"{head.where}: TIFF tag {tag} claims {number} values; the file is damaged")
        if length <= inline:
            body = entry[entry_size - inline :][:length]
        else:
            body = head.read(struct.unpack(order + ("Q" if big else "L"), entry[entry_size - inline :])[0], length)
        values = np.frombuffer(body, dtype=np.dtype(order + kind_code))
        if values.size and kind_code == "u8" and int(values.max()) > 1 << 62:
            raise SceneError(f"{head.where}: TIFF tag {tag} points beyond any file; the file is damaged")
        tags[tag] = values.astype(np.int64)
    return tags


_WIDTH, _LENGTH, _BITS, _COMPRESSION, _OFFSETS, _PER_PIXEL = 256, 257, 258, 259, 273, 277
_ROWS, _SIZES, _PLANAR, _TILE, _TILE_LENGTH, _FORMAT = 278, 279, 284, 322, 323, 339
_WANTED = {256, 257, 258, 259, 273, 277, 278, 279, 284, 322, 323, 339}


def _layout(tags: dict[int, NDArray[np.int64]], order: str, source: ByteSource, where: str) -> TiffLayout:
    def first(tag: int, default: int) -> int:
        return int(tags[tag][0]) if tag in tags and tags[tag].size else default

    lines, samples = first(_LENGTH, 0), first(_WIDTH, 0)
    if not (0 < lines <= MAX_SIDE and 0 < samples <= MAX_SIDE):
        raise SceneError(f"{where}: its TIFF is {lines} x {samples}; the file is damaged or no measurement")
    bits, per_pixel, sample_format = first(_BITS, 1), first(_PER_PIXEL, 1), first(_FORMAT, 1)
    compression = first(_COMPRESSION, 1)
    # ESA: one complex integer (format 5) of 32 bits; also seen: two signed integers (format 2) of 16 bits.
    complex_int16 = (per_pixel, bits, sample_format) == (1, 32, 5)
    pair_int16 = (per_pixel, bits, sample_format) == (2, 16, 2) and first(_PLANAR, 1) == 1
    detected = (per_pixel, bits, sample_format) == (1, 16, 1)
    if not (complex_int16 or pair_int16 or detected):
        raise SceneError(
            f"{where}: its samples are {per_pixel} x {bits} bit of format {sample_format}, neither complex int16 "
            "(SLC) nor uint16 (GRD); no measurement"
        )
    size = 2 if detected else 4
    rows = min(max(1, first(_ROWS, lines)), lines)
    offsets, sizes = tags.get(_OFFSETS, np.empty(0, np.int64)), tags.get(_SIZES, np.empty(0, np.int64))
    plain = compression == 1 and _TILE not in tags
    block = first(_TILE, samples) * first(_TILE_LENGTH, rows) * size
    if not plain and not 0 < block <= MAX_BLOCK:
        raise SceneError(f"{where}: its strips or tiles take {block} bytes each once unpacked; the file is damaged")
    strips = -(-lines // rows)
    if plain:
        heights = np.minimum(rows, lines - np.arange(strips, dtype=np.int64) * rows)
        if offsets.size != strips or (sizes.size not in (0, strips)):
            raise SceneError(
                f"{where}: {offsets.size} strips where {lines} lines in strips of {rows} make {strips}; damaged"
            )
        sparse = (offsets == 0) & (sizes == 0) if sizes.size else np.zeros(strips, np.bool_)
        if sizes.size and np.any((sizes < heights * samples * size) & ~sparse):
            raise SceneError(f"{where}: a strip is shorter than its lines; the file is damaged, fetch it again")
        sizes = np.where(sparse, 0, heights * samples * size)
        in_file = np.argsort(offsets[~sparse], kind="stable")
        begin, length = offsets[~sparse][in_file], sizes[~sparse][in_file]
        if np.any(begin[1:] < begin[:-1] + length[:-1]):
            raise SceneError(f"{where}: its strips overlap; the file is damaged, fetch it again")
    return TiffLayout(lines, samples, order, compression, rows, offsets, sizes, plain, detected)
