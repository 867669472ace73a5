"""Bytes behind an address: https:// by range requests, s3:// by the object store's client.

Small reads go through a cache of blocks (a zip's directory and annotations are hundreds of small reads),
large ones go straight through in pieces that are fetched side by side, so that a burst costs little more
than its own bytes.
"""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from sarcube.errors import SourceError, TransferError
from sarcube.transfer.aws import s3_call, s3_store
from sarcube.transfer.http import read_small, request
from sarcube.transfer.redact import redact

if TYPE_CHECKING:
    import requests

BLOCK = 256 << 10  # bytes: a zip's directory is about 20 kB, an annotation 1 MB
LARGE = 1 << 20  # reads from here on bypass the cache
PIECE = 8 << 20  # bytes of one request of a large read
PARALLEL = 4
_CACHED_BLOCKS = 256  # 64 MB for each address


class _Transport(Protocol):
    """What fetching ranges needs; one for each scheme."""

    def size(self) -> int: ...

    def fetch(self, offset: int, length: int) -> bytes: ...


class RemoteBytes:
    """A remote object as a byte source (`sarcube.sensors.sentinel1.bytes_source.ByteSource`).

    Thread-safe. It pickles as its address: cache and connections stay where they are.

    Attributes
    ----------
    requests, transferred : int
        Requests made and bytes received so far, for reports.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.requests = 0
        self.transferred = 0
        self._lock = threading.Lock()
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._transport: _Transport = _transport(address)
        self._size: int | None = None

    def __reduce__(self) -> tuple[Callable[[str], RemoteBytes], tuple[str]]:
        return open_remote, (self.address,)

    def __repr__(self) -> str:
        return f"RemoteBytes({redact(self.address)})"

    @property
    def size(self) -> int:
        if self._size is None:
            self._size = self._transport.size()
            self.requests += 1
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Bytes from `offset` on; fewer than `length` only where the object ends before."""
        length = max(0, min(length, self.size - offset))
        if length >= LARGE:
            buffer = bytearray(length)
            self.read_into(offset, memoryview(buffer))
            return bytes(buffer)
        parts = []
        while length > 0:
            block = self._block(offset // BLOCK)
            part = block[offset % BLOCK : offset % BLOCK + length]
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return b"".join(parts)

    def read_into(self, offset: int, view: memoryview) -> int:
        """Fill `view` from `offset` on; returns the number of bytes read."""
        view = view[: max(0, self.size - offset)]
        if len(view) < LARGE:
            view[:] = self.read(offset, len(view))
            return len(view)
        starts = range(0, len(view), PIECE)

        def piece(start: int) -> None:
            part = view[start : start + PIECE]
            part[:] = self._fetch(offset + start, len(part))

        with ThreadPoolExecutor(min(PARALLEL, len(starts))) as pool:
            list(pool.map(piece, starts))
        return len(view)

    def _block(self, number: int) -> bytes:
        with self._lock:
            if number in self._blocks:
                self._blocks.move_to_end(number)
                return self._blocks[number]
        start = number * BLOCK
        block = self._fetch(start, min(BLOCK, self.size - start))
        with self._lock:
            self._blocks[number] = block
            while len(self._blocks) > _CACHED_BLOCKS:
                self._blocks.popitem(last=False)
        return block

    def _fetch(self, offset: int, length: int) -> bytes:
        data = self._transport.fetch(offset, length)
        with self._lock:
            self.requests += 1
            self.transferred += len(data)
        if len(data) != length:
            raise TransferError(
                f"{redact(self.address)}: {len(data)} of {length} bytes came at offset {offset}; try again"
            )
        return data


@functools.lru_cache(maxsize=64)
def open_remote(address: str) -> RemoteBytes:
    """The byte source of an address, one for each address and process: bursts of a scene share its cache.

    Raises
    ------
    SourceError
        The scheme is not known or there is no such object.
    """
    return RemoteBytes(address)


def read_all(address: str, limit: int) -> bytes:
    """The whole of a small remote object.

    Raises
    ------
    SourceError
        It is larger than `limit` bytes or cannot be read.
    """
    if address.startswith("s3://"):
        source = open_remote(address)
        if source.size > limit:
            raise SourceError(f"{redact(address)} is larger than {limit} bytes")
        return source.read(0, source.size)
    return read_small(address, limit)


def _transport(address: str) -> _Transport:
    if address.startswith(("https://", "http://")):
        return _Http(address)
    if address.startswith("s3://"):
        return _S3(address)
    raise SourceError(f"{redact(address)}: only s3:// and https:// addresses can be read remotely")


class _Http:
    """Range requests; credentials and retries are those of the session."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._of = 0  # bytes, once they were told

    def _session(self) -> requests.Session | None:
        from sarcube.transfer.sessions import session_for

        return session_for(self.address)

    def size(self) -> int:
        # One byte instead of HEAD: signed addresses are often signed for GET alone.
        answer = request("GET", self.address, session=self._session(), headers={"Range": "bytes=0-0"}, stream=True)
        with answer:
            total = answer.headers.get("Content-Range", "").rpartition("/")[2]
            if answer.status_code == 206 and total.isdigit():
                self._of = int(total)
                return self._of
        raise SourceError(
            f"{redact(self.address)}: the server does not answer range requests; download the file and name it locally"
        )

    def fetch(self, offset: int, length: int) -> bytes:
        span = {"Range": f"bytes={offset}-{offset + length - 1}", "Accept-Encoding": "identity"}
        answer = request("GET", self.address, session=self._session(), headers=span)
        if answer.status_code != 206:
            raise SourceError(f"{redact(self.address)}: the server stopped answering range requests")
        total = answer.headers.get("Content-Range", "").rpartition("/")[2]
        if total.isdigit() and self._of not in (0, int(total)):
            open_remote.cache_clear()  # what was read of it is of the file before
            raise SourceError(f"{redact(self.address)}: changed on the server while it was read; run again")
        return bytes(answer.content)


class _S3:
    """Object store client with its own retries; anonymous where no credentials are configured."""

    def __init__(self, address: str) -> None:
        self.address = address
        bucket, _, self.key = address[5:].partition("/")
        self.store = s3_store(bucket)

    def size(self) -> int:
        import obstore

        return s3_call(self.address, lambda: obstore.head(self.store, self.key))["size"]

    def fetch(self, offset: int, length: int) -> bytes:
        import obstore

        return bytes(
            s3_call(self.address, lambda: obstore.get_range(self.store, self.key, start=offset, length=length))
        )
