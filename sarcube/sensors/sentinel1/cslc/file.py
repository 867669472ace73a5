"""An HDF5 file whose groups and datasets are asked for by name: what is missing or of another form is a `SceneError`.

A file may be damaged, or made to harm: texts, vectors and layers are bounded before they are read, and nothing is
followed that leads out of the file.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import SarcubeError, SceneError
from sarcube.extras import need
from sarcube.sensors.sentinel1.bytes_source import ByteOpener, ByteSource, is_remote
from sarcube.transfer.redact import redact

if TYPE_CHECKING:
    import h5py
    from _typeshed import WriteableBuffer

_MOST_TEXT = 1 << 20  # bytes
_MOST_VECTOR = 1_000_000
_MOST_SIDE = 400_000  # rows or columns of a layer
_SIGNATURE, _HEAD = b"\x89HDF\r\n\x1a\n", 4096
# What h5py raises of files that are not as they should be.
_DAMAGE = (
    OSError,
    KeyError,
    ValueError,
    TypeError,
    RuntimeError,
    LookupError,
    AttributeError,
    OverflowError,
    MemoryError,
)


class _Stream(io.RawIOBase):
    """A byte source as a file that h5py reads.

    Nothing is raised to HDF5, which an error within its callbacks can leave in a state that ends the process: what went
    wrong is kept, nothing more is read, and who has called HDF5 asks (`checked`).
    """

    def __init__(self, source: ByteSource) -> None:
        self._source, self._at, self._size = source, 0, source.size
        self._failure: SarcubeError | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence] + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        # The buffer is HDF5's and is gone soon: no frame that an error might remember may hold it.
        with memoryview(buffer) as view, view.cast("B") as wanted:
            length = len(wanted)
            wanted[:] = self._bytes(length)
        self._at += length
        return length

    def _bytes(self, length: int) -> bytes:
        data = b""
        if self._failure is None:
            try:
                data = self._source.read(self._at, length)
            except SarcubeError as error:
                self._failure = error
        return data.ljust(length, b"\0")

    def checked(self) -> None:
        """Raise what went wrong with the transport."""
        if self._failure is not None:
            raise self._failure


def _prepared(path: str, source: ByteSource) -> _Stream:
    """A stream that HDF5 opens without a failure, which would leave it with a driver that ends the process at its end.

    The superblock (HDF5 File Format Specification 3.0, section II.A) is looked at here, and what opening reads of the
    root group is fetched before, so that it lies in the source's cache.
    """
    head = source.read(0, _HEAD)
    fields = {0: (13, 24, 5), 1: (13, 28, 5), 2: (9, 12, 3), 3: (9, 12, 3)}.get(head[8] if len(head) > 8 else -1)
    if head[:8] != _SIGNATURE or fields is None or len(head) < 96 or head[fields[0]] != 8:
        raise SceneError(f"{redact(path)}: is no HDF5 file; is it an OPERA CSLC-S1 product?")
    _, begin, root_at = fields
    addresses = np.frombuffer(head, "<u8", root_at + 1, begin)
    base, end, root = (int(addresses[k]) for k in (0, 2, root_at))
    if base != 0 or end > source.size or root + 16 > end:
        raise SceneError(
            f"{redact(path)}: is not whole, or damaged: {source.size} of {end} bytes are there; fetch it again"
        )
    source.read(root, _HEAD)
    return _Stream(source)


class HdfFile:
    """An open file; errors name it and the dataset."""

    def __init__(self, path: str, root: h5py.File, stream: _Stream | None = None) -> None:
        self.path, self._root, self._stream = redact(path), root, stream

    def text(self, name: str, default: str | None = None) -> str:
        """A text; of several the first."""
        data = self._dataset(name, default is not None)
        if data is None:
            return default or ""
        if data.size < 1 or data.size > _MOST_VECTOR or data.dtype.itemsize > _MOST_TEXT:
            raise self._other(name, "is no text")
        value = np.asarray(self._read(name, data)).ravel()[0]
        if not isinstance(value, bytes | str):
            raise self._other(name, "is no text")
        if len(value) > _MOST_TEXT:
            raise self._other(name, "is no text of reasonable length")
        return (value.decode("utf-8", "replace") if isinstance(value, bytes) else value).strip("\0 ")

    def number(self, name: str, default: float | None = None) -> float:
        """A finite number."""
        data = self._dataset(name, default is not None)
        if data is None:
            return float(default or 0.0)
        if data.size != 1 or data.dtype.kind not in "fiu":
            raise self._other(name, "is no number")
        value = float(np.asarray(self._read(name, data)).ravel()[0])
        if not np.isfinite(value):
            raise self._other(name, "is not finite")
        return value

    def whole(self, name: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self.number(name)
        if value != round(value) or not low <= value <= high:
            raise self._other(name, f"is {value:g}, no whole number from {low} to {high}")
        return round(value)

    def flag(self, name: str) -> bool | None:
        """Whether something is so; None where the file does not say."""
        data = self._dataset(name, optional=True)
        if data is None or data.size != 1:
            return None
        value = np.asarray(self._read(name, data)).ravel()[0]
        if isinstance(value, bytes):
            return value.strip(b"\0 ").lower() == b"true"
        return bool(value) if isinstance(value, bool | np.bool_ | int | np.integer) else None

    def vector(self, name: str) -> NDArray[np.float64]:
        """Finite numbers in a row."""
        data = self._dataset(name)
        if data.ndim != 1 or not 1 <= data.size <= _MOST_VECTOR or data.dtype.kind not in "fiu":
            raise self._other(name, "is no row of numbers")
        values = np.asarray(self._read(name, data), np.float64)
        if not np.isfinite(values).all():
            raise self._other(name, "has numbers that are not finite")
        return values

    def names(self, group: str) -> tuple[str, ...]:
        """What a group holds."""
        try:
            there = self._root.get(group)
            names = tuple(there) if hasattr(there, "keys") else ()
            self._checked()
            return names
        except SarcubeError:
            raise
        except _DAMAGE as error:
            raise self._damaged(group, error) from error

    def layer(self, name: str) -> h5py.Dataset:
        """A dataset of complex numbers in rows and columns, not read yet."""
        data = self._dataset(name)
        if data.ndim != 2 or max(data.shape) > _MOST_SIDE or min(data.shape) < 1 or data.dtype.kind != "c":
            raise self._other(name, f"is {data.dtype} of {data.shape}, and no raster of complex numbers")
        return data

    def stored(self, name: str) -> int:
        """Bytes that the samples of such a layer take in the file."""
        data = self.layer(name)
        try:
            return int(data.id.get_storage_size())
        except _DAMAGE as error:
            raise self._damaged(name, error) from error

    def window(self, name: str, rows: slice, columns: slice) -> NDArray[np.complex64]:
        """Part of such a layer."""
        data = self.layer(name)
        try:
            values = np.asarray(data[rows, columns], np.complex64)
        except _DAMAGE as error:
            raise self._damaged(name, error) from error
        self._checked()
        return values

    def _dataset(self, name: str, optional: bool = False) -> h5py.Dataset:
        try:
            found = self._root.get(name)
            self._checked()
            if found is None:
                if optional:
                    return None
                raise SceneError(f"{self.path}: has no {name}; is it an OPERA CSLC-S1 product, and whole?")
            if not hasattr(found, "dtype"):
                raise self._other(name, "is no dataset")
            # HDF5 can point to other files of this machine.
            if found.file.filename != self._root.filename or found.external or found.is_virtual:
                raise self._other(name, "lies in another file, which is not followed")
            return found
        except SarcubeError:
            raise
        except _DAMAGE as error:
            raise self._damaged(name, error) from error

    def _read(self, name: str, data: h5py.Dataset) -> object:
        try:
            values = data[()]
        except _DAMAGE as error:
            raise self._damaged(name, error) from error
        self._checked()
        return values

    def _checked(self) -> None:
        if self._stream is not None:
            self._stream.checked()

    def _other(self, name: str, what: str) -> SceneError:
        return SceneError(f"{self.path}: {name} {what}; is it an OPERA CSLC-S1 product?")

    def _damaged(self, name: str, error: BaseException) -> SarcubeError:
        self._checked()
        return SceneError(f"{self.path}: {name} cannot be read ({str(error)[:200]}); fetch the file again")


@contextmanager
def open_hdf(path: str, opener: ByteOpener | None = None) -> Iterator[HdfFile]:
    """An HDF5 file on this machine or, with an opener, behind an address.

    Raises
    ------
    SceneError
        It is not there or no HDF5 file.
    SourceError, CredentialError
        Of whoever provides the bytes.
    MissingExtraError
        h5py is not installed.
    """
    h5py = need("h5py", "hdf5")
    stream = None
    if is_remote(path):
        if opener is None:
            raise SceneError(f"{redact(path)}: a remote file needs a byte source (sarcube.transfer.remote)")
        stream = _prepared(path, opener(path))
    try:
        root = h5py.File(stream or path, "r")
    except FileNotFoundError as error:
        raise SceneError(f"{path} is not there; has it been moved since it was found?") from error
    except _DAMAGE as error:
        if stream is not None:
            stream.checked()
        raise SceneError(
            f"{redact(path)}: is no HDF5 file, or not whole ({str(error)[:200]}); fetch it again"
        ) from error
    try:
        yield HdfFile(path, root, stream)
    finally:
        root.close()
