"""Where products live: one small protocol over a local folder and an S3 prefix.

A key is a relative path with forward slashes. Every write is atomic: a reader meets the whole object or none.
A second writer loses two operations: `create_bytes`, of what must not be there yet, and `replace_bytes`, of what
must still be as it was read. The catalog commits products, indexes and collections with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol, runtime_checkable

from sarcube.errors import StoreError


@dataclass(frozen=True)
class ObjectInfo:
    """What a store knows of an object without reading it."""

    key: str
    size: int
    modified: float = 0.0  # seconds since 1970 by the store's clock


@runtime_checkable
class Store(Protocol):
    """A place for products.

    Pickles by its `url` (and whether it is anonymous), never by credentials. Safe to use from many threads.
    Errors are StoreError (not to be retried), TransferError and CredentialError.
    """

    @property
    def url(self) -> str:
        """Absolute path of the folder, or s3://bucket/prefix; without a trailing slash."""
        ...

    def read_bytes(self, key: str) -> bytes:
        """The whole object; StoreError where it is absent."""
        ...

    def write_bytes(self, key: str, data: bytes | memoryview) -> None:
        """Write or replace the object, atomically."""
        ...

    def create_bytes(self, key: str, data: bytes | memoryview) -> None:
        """Write the object unless it exists; StoreConflictError where it does. Of many at once, one wins."""
        ...

    def read_version(self, key: str) -> tuple[bytes, str] | None:
        """The whole object and its version, None where it is absent. Different content has different versions."""
        ...

    def replace_bytes(self, key: str, data: bytes | memoryview, version: str) -> None:
        """Replace the object if it still has that version; StoreConflictError where it has not, or is gone.

        Of many at once that have read the same version, one wins.
        """
        ...

    def now(self) -> float:
        """What the store's clock says, in seconds since 1970: the clock of `ObjectInfo.modified`."""
        ...

    def upload(self, path: str | Path, key: str) -> None:
        """Copy a local file to the object, atomically."""
        ...

    def stat(self, key: str) -> ObjectInfo | None:
        """Size of the object, None where it is absent. One request, no listing."""
        ...

    def exists(self, key: str) -> bool:
        """Whether the object is there. One request, no listing."""
        ...

    def list(self, prefix: str = "") -> Iterator[str]:
        """Keys of all objects below the folder `prefix`, in order."""
        ...

    def folders(self, prefix: str = "") -> tuple[str, ...]:
        """Names of the folders directly in the folder `prefix`, in order."""
        ...

    def files(self, prefix: str = "") -> tuple[str, ...]:
        """Names of the objects directly in the folder `prefix`, in order."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object; no error where it is absent."""
        ...

    def href(self, key: str) -> str:
        """Address of the object for people and other programs: absolute path or s3:// address."""
        ...

    def gdal_path(self, key: str) -> str:
        """What GDAL opens: absolute path or /vsis3/ path."""
        ...

    def gdal_options(self) -> Mapping[str, str]:
        """Options for `rasterio.Env` under which GDAL reads this store. No secrets."""
        ...


def open_store(url: str | Path | Store, *, anonymous: bool | None = None) -> Store:
    """The store at a local folder or s3://bucket/prefix.

    Parameters
    ----------
    url : str or Path
        A store that is open already is given back.
    anonymous : bool, optional
        S3 only: send unsigned requests. Default: as the variable AWS_NO_SIGN_REQUEST says.

    Raises
    ------
    StoreError
        The address is of a kind that sarcube does not know.
    """
    if not isinstance(url, str | Path):
        return url
    text = str(url)
    if text.startswith("s3://"):
        from sarcube.store.s3_store import S3Store

        return S3Store(text, anonymous=anonymous)
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    elif "://" in text:
        raise StoreError(f"store {text!r}: only local folders and s3://bucket/prefix are known")
    from sarcube.store.local_store import LocalStore

    return LocalStore(text)


def checked_key(key: str) -> str:
    """The key itself, refused where it would leave the store."""
    path = PurePosixPath(key)
    if not key or path.is_absolute() or ".." in path.parts or "\\" in key or path.as_posix() != key:
        raise StoreError(f"{key!r} is not a key inside a store; use a relative path like a/b/c.tif")
    return key


def checked_prefix(prefix: str) -> str:
    """A folder inside the store, without slashes at its ends; empty for the store itself."""
    prefix = prefix.strip("/")
    return checked_key(prefix) if prefix else ""
