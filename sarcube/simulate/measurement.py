"""Measurement TIFFs as ESA lays them out: little-endian, one uncompressed strip per line, complex int16 or uint16.

The directory and the strip tables come first, the samples from `data_offset` on, the tie points after them. Parts
without an echo are left as holes of the file system.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_HEAD = 315  # bytes before the strip tables in ESA's files (109,683 for 13,671 lines)
TiePoint = tuple[float, float, float, float, float]  # sample, line, longitude, latitude, height


def data_offset(lines: int) -> int:
    """Byte of the first sample: the annotation's `byteOffset` of the first burst."""
    return _HEAD + 8 * lines


class MeasurementFile:
    """A measurement TIFF being written; samples are put in place window by window.

    Parameters
    ----------
    path : Path
    lines, samples : int
    tie_points : sequence of (sample, line, longitude, latitude, height)
        Written as ground control points in EPSG:4326.
    description : str
        TIFF tag ImageDescription.
    detected : bool
        Samples are amplitudes, uint16, not complex int16.
    """

    def __init__(
        self,
        path: Path,
        lines: int,
        samples: int,
        tie_points: Sequence[TiePoint],
        description: str = "",
        *,
        detected: bool = False,
    ) -> None:
        self.lines, self.samples = lines, samples
        self._bytes = 2 if detected else 4
        self._offset = data_offset(lines)
        self._file = path.open("w+b")
        self._file.write(self._head(len(tie_points), description))
        tail = b"".join(
            struct.pack("<6d", sample + 0.5, line + 0.5, 0.0, longitude, latitude, height)
            for sample, line, longitude, latitude, height in tie_points
        )
        self._file.seek(self._end)
        self._file.write(tail)
        # GeoKeys: geographic, pixel is area, WGS 84 (GeoTIFF 1.1)
        self._file.write(struct.pack("<16H", 1, 1, 0, 3, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, 4326))
        self._file.flush()

    @property
    def _end(self) -> int:
        return self._offset + self.lines * self.samples * self._bytes

    def _head(self, points: int, description: str) -> bytes:
        text = description.encode("ascii", "replace")[:56] + b"\0"
        text_at = 8 + 2 + 13 * 12 + 4
        entries = (
            (256, 4, 1, self.samples),
            (257, 4, 1, self.lines),
            (258, 3, 1, 8 * self._bytes),
            (259, 3, 1, 1),
            (262, 3, 1, 1),
            (270, 2, len(text), text_at),
            (273, 4, self.lines, _HEAD),
            (277, 3, 1, 1),
            (278, 4, 1, 1),
            (279, 4, self.lines, _HEAD + 4 * self.lines),
            (339, 3, 1, 5 if self._bytes == 4 else 1),
            (33922, 12, 6 * points, self._end),
            (34735, 3, 16, self._end + 48 * points),
        )
        head = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(entries))
        head += b"".join(struct.pack("<HHII", *entry) for entry in entries) + struct.pack("<I", 0)
        head = (head + text).ljust(_HEAD, b"\0")
        offsets = self._offset + np.arange(self.lines, dtype=np.int64) * self.samples * self._bytes
        sizes = np.full(self.lines, self.samples * self._bytes, dtype="<u4")
        return head + offsets.astype("<u4").tobytes() + sizes.tobytes()

    def write(self, first_line: int, first_sample: int, values: NDArray[np.generic]) -> None:
        """Put samples, (lines, samples, 2) int16 or (lines, samples) uint16, in their place."""
        data = np.ascontiguousarray(values, dtype="<i2" if self._bytes == 4 else "<u2")
        if values.shape[1] == self.samples:
            self._file.seek(self._offset + first_line * self.samples * self._bytes)
            self._file.write(data.tobytes())
            return
        for i, line in enumerate(data):
            self._file.seek(self._offset + ((first_line + i) * self.samples + first_sample) * self._bytes)
            self._file.write(line.tobytes())

    def close(self) -> None:
        self._file.close()
