"""Random access to bytes: the one thing that a local file, an object store and a zip member have in common."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Protocol, runtime_checkable

from sarcube.errors import SceneError

INFLATE_CHUNK = 4 << 20  # compressed bytes taken at once


@runtime_checkable
class ByteSource(Protocol):
    """Bytes that can be read anywhere: a file, an object behind range requests, a member of an archive.

    `read` returns exactly `length` bytes, or fewer only where the source ends before.
    Failures of transport are `SourceError`s of whoever provides the source.
    """

    @property
    def size(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes: ...


# Opens an address (s3://..., https://...) as a byte source. Instances must pickle: they travel with a burst.
ByteOpener = Callable[[str], ByteSource]


class LocalBytes:
    """A local file as a byte source. It opens the file for each call, so it is picklable and thread-safe."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        try:
            self._size = Path(self.path).stat().st_size
        except OSError as error:
            raise SceneError(f"{path}: cannot be read ({error.strerror}); check the path") from error

    @property
    def size(self) -> int:
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        with self._open() as file:
            file.seek(offset)
            return bytes(file.read(max(0, min(length, self._size - offset))))

    def read_into(self, offset: int, view: memoryview) -> int:
        """Fill `view` from `offset` without a copy in between; returns the number of bytes read."""
        done = 0
        with self._open() as file:
            file.seek(offset)
            while done < len(view):
                count = file.readinto(view[done:])
                if not count:
                    break
                done += count
        return done

    def _open(self) -> FileIO:
        try:
            return FileIO(self.path)
        except OSError as error:
            raise SceneError(f"{self.path}: cannot be opened ({error.strerror})") from error


class SubSource:
    """A stretch of another source: a member that a zip stores uncompressed."""

    def __init__(self, parent: ByteSource, start: int, size: int) -> None:
        self._parent, self._start, self._size = parent, start, size

    @property
    def size(self) -> int:
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self._size - offset))
        return self._parent.read(self._start + offset, length) if length else b""

    def read_into(self, offset: int, view: memoryview) -> int:
        view = view[: max(0, self._size - offset)]
        return read_into(self._parent, self._start + offset, view)


class InflatingSource:
    """A deflated zip member: inflated forward from its start, kept at the place reached.

    ESA's TIFFs have their directory before the samples, so that header, directory and a burst are one pass.
    Going back starts over. Nothing but what was asked for is kept in memory.
    """

    def __init__(self, compressed: ByteSource, size: int, where: str) -> None:
        self._compressed, self._size, self._where = compressed, size, where
        self._restart()

    @property
    def size(self) -> int:
        return self._size

    def _restart(self) -> None:
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._taken = 0  # compressed bytes taken
        self._position = 0  # inflated bytes given

    def read(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self._size - offset))
        if offset < self._position:
            self._restart()
        while self._position < offset:
            if not self._inflate(min(INFLATE_CHUNK, offset - self._position)):
                return b""
        parts = []
        while length > 0:
            part = self._inflate(min(4 * INFLATE_CHUNK, length))
            if not part:
                break
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def _inflate(self, limit: int) -> bytes:
        while True:
            pending = self._inflater.unconsumed_tail
            if not pending:
                pending = self._compressed.read(self._taken, INFLATE_CHUNK)
                self._taken += len(pending)
            try:
                part = self._inflater.decompress(pending, limit)
            except zlib.error as error:
                raise SceneError(f"{self._where}: damaged deflate stream ({error}); fetch the scene again") from error
            if part:
                self._position += len(part)
                return part
            if self._inflater.eof or not pending:
                return b""


def read_into(source: ByteSource, offset: int, view: memoryview) -> int:
    """Fill `view` from any byte source; returns the number of bytes read."""
    direct = getattr(source, "read_into", None)
    if direct is not None:
        return int(direct(offset, view))
    data = source.read(offset, len(view))
    view[: len(data)] = data
    return len(data)


def is_remote(path: str) -> bool:
    """True for an address that only a byte opener can read."""
    return path.startswith(("s3://", "https://", "http://"))


def open_bytes(path: str | os.PathLike[str], opener: ByteOpener | None = None) -> ByteSource:
    """A local file or, with an opener, an address as a byte source."""
    text = os.fspath(path)
    if is_remote(text):
        if opener is None:
            raise SceneError(f"{text}: a remote scene needs a byte source (sarcube.transfer.remote)")
        return opener(text)
    return LocalBytes(text)
