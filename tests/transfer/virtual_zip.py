"""A zip of several gigabytes that exists only as far as it is read: real annotation, computed samples."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def pattern(offset: int, length: int) -> bytes:
    """Bytes of a measurement from an offset on: 16-bit numbers that say where they are."""
    first, last = offset // 2, (offset + length + 1) // 2
    numbers = (np.arange(first, last, dtype=np.int64) % 32_749).astype("<i2").tobytes()
    return numbers[offset % 2 : offset % 2 + length]


@dataclass(frozen=True)
class Piece:
    """A stretch of the file: these bytes, or `length` computed ones from `base` of a measurement on."""

    start: int
    length: int
    data: bytes | None = None
    base: int = 0


class VirtualZip:
    """The SAFE of a real annotation-only zip, with whole measurements, stored, in zip64 where it needs that."""

    def __init__(self, source: Path) -> None:
        self.pieces: list[Piece] = []
        self.size = 0
        directory = []
        with zipfile.ZipFile(source) as archive:
            names = [i.filename for i in archive.infolist() if not i.is_dir()]
            metadata = {n: archive.read(n) for n in names if "/measurement/" not in n}
        for name, data in metadata.items():
            directory.append((name, self._member(name, len(data), zlib.crc32(data)), len(data), zlib.crc32(data)))
            self._add(data)
        self.headers: dict[str, int] = {}
        for name, data in metadata.items():
            if not re.search(r"/annotation/[^/]+\.xml$", name):
                continue
            tiff = name.replace("/annotation/", "/measurement/").replace(".xml", ".tiff")
            header, total = tiff_header(data)
            self.headers[tiff] = len(header)
            directory.append((tiff, self._member(tiff, total, 0), total, 0))
            self._add(header)
            self.pieces.append(Piece(self.size, total - len(header), None, len(header)))
            self.size += total - len(header)
        self._end(directory)

    def _add(self, data: bytes) -> None:
        self.pieces.append(Piece(self.size, len(data), data))
        self.size += len(data)

    def _member(self, name: str, size: int, crc: int) -> int:
        start = self.size
        raw = name.encode()
        self._add(struct.pack("<IHHHHHIIIHH", 0x04034B50, 45, 0, 0, 0, 0x21, crc, size, size, len(raw), 0) + raw)
        return start

    def _end(self, directory: list[tuple[str, int, int, int]]) -> None:
        start = self.size
        for name, offset, size, crc in directory:
            raw, extra, shown = name.encode(), b"", offset
            if offset >= 0xFFFFFFFF:
                extra, shown = struct.pack("<HHQ", 1, 8, offset), 0xFFFFFFFF
            fields = (0x02014B50, 45, 45, 0, 0, 0, 0x21, crc, size, size, len(raw), len(extra), 0, 0, 0, 0, shown)
            self._add(struct.pack("<IHHHHHHIIIHHHHHII", *fields) + raw + extra)
        length, count = self.size - start, len(directory)
        end = self.size
        self._add(struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, length, start))
        self._add(struct.pack("<IIQI", 0x07064B50, 0, end, 1))
        self._add(struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, length, 0xFFFFFFFF, 0))

    def read(self, offset: int, length: int) -> bytes:
        stop, parts = min(offset + length, self.size), []
        for piece in self.pieces:
            low, high = max(offset, piece.start), min(stop, piece.start + piece.length)
            if low >= high:
                continue
            at = low - piece.start
            parts.append(
                pattern(piece.base + at, high - low) if piece.data is None else piece.data[at : at + high - low]
            )
        return b"".join(parts)


def tiff_header(annotation: bytes) -> tuple[bytes, int]:
    """Directory of a measurement as ESA writes it (complex int16, a strip for each line), and the file's size."""
    text = annotation.decode()
    lines = int(re.search(r"<numberOfLines>(\d+)<", text)[1])  # type: ignore[index]
    samples = int(re.search(r"<numberOfSamples>(\d+)<", text)[1])  # type: ignore[index]
    tags = [
        (256, 4, 1, samples), (257, 4, 1, lines), (258, 3, 1, 32), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, lines, 0), (277, 3, 1, 1), (278, 4, 1, 1), (279, 4, lines, 0), (339, 3, 1, 5),
    ]  # fmt: skip
    after = 8 + 2 + 12 * len(tags) + 4
    first = after + 8 * lines
    offsets = (first + 4 * samples * np.arange(lines, dtype=np.int64)).astype("<u4").tobytes()
    counts = np.full(lines, 4 * samples, "<u4").tobytes()
    place = {273: after, 279: after + 4 * lines}
    entries = b"".join(struct.pack("<HHII", t, k, n, place.get(t, v)) for t, k, n, v in tags)
    header = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + bytes(4) + offsets + counts
    return header, first + 4 * samples * lines


def expected_samples(header: int, first_line: int, lines: int, samples: int) -> NDArray[np.int16]:
    """What a burst of the virtual measurement holds."""
    data = pattern(header + 4 * samples * first_line, 4 * samples * lines)
    return np.frombuffer(data, "<i2").reshape(lines, samples, 2)
