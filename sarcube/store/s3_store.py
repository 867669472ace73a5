"""A store under an S3 prefix, over obstore (the object_store crate), which retries what may pass.

Credentials come from the environment or from where boto3 finds them, never from arguments, and are in no
message, repr or pickle.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sarcube.errors import CredentialError, StoreConflictError, StoreError, TransferError
from sarcube.store.protocol import ObjectInfo, checked_key, checked_prefix
from sarcube.transfer import aws
from sarcube.transfer.http import server_time
from sarcube.transfer.raster import REMOTE_OPTIONS
from sarcube.transfer.redact import redact

if TYPE_CHECKING:
    import obstore

_MULTIPART = 64 * 1024 * 1024
_PART = 16 * 1024 * 1024
_REFUSED = re.compile(
    r"403 Forbidden|401 Unauthorized|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|[Cc]redential"
)
# A listing whose answer was cut short; obstore repeats everything else itself.
_TORN = re.compile(r"list response body", re.IGNORECASE)
_PAUSE_S = 0.2


class S3Store:
    """A store at s3://bucket/prefix.

    Reads AWS_ENDPOINT_URL (or AWS_ENDPOINT_URL_S3), AWS_REGION, AWS_NO_SIGN_REQUEST and the usual keys.

    Parameters
    ----------
    url : str
        s3://bucket or s3://bucket/prefix.
    anonymous : bool, optional
        Send unsigned requests; default as AWS_NO_SIGN_REQUEST says.
    """

    def __init__(self, url: str, *, anonymous: bool | None = None) -> None:
        match = re.fullmatch(r"s3://([^/@:?#]+)(?:/(.*))?", url)
        if not match:
            raise StoreError(f"{redact(url)!r} is not an address like s3://bucket/prefix")
        self.bucket = match[1]
        self.prefix = checked_prefix(match[2] or "")
        self._anonymous_argument = anonymous
        self.retries = 8  # of each request, with growing pauses

    def __repr__(self) -> str:
        return f"S3Store({self.url!r})"

    def __reduce__(self) -> tuple[Callable[[str, bool | None], S3Store], tuple[str, bool | None]]:
        return _open, (self.url, self._anonymous_argument)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, S3Store) and other.url == self.url

    def __hash__(self) -> int:
        return hash(self.url)

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def anonymous(self) -> bool:
        """Whether requests go unsigned."""
        if self._anonymous_argument is not None:
            return self._anonymous_argument
        return aws.asked_unsigned()

    @property
    def endpoint(self) -> str | None:
        """Address of an S3 server that is not AWS."""
        return aws.endpoint()

    @property
    def region(self) -> str:
        """Region of the bucket."""
        return aws.region(self.bucket)

    @cached_property
    def _client(self) -> obstore.store.S3Store:
        return self._connected(None)

    def client(self) -> obstore.store.S3Store:
        """obstore's own store at this address, for libraries that take one."""
        return self._connected(self.prefix or None)

    def _connected(self, prefix: str | None) -> obstore.store.S3Store:
        return aws.s3_client(self.bucket, prefix, anonymous=self.anonymous, retries=self.retries)

    def _path(self, key: str) -> str:
        key = checked_key(key)
        return f"{self.prefix}/{key}" if self.prefix else key

    def read_bytes(self, key: str) -> bytes:
        import obstore

        try:
            return bytes(obstore.get(self._client, self._path(key)).bytes())
        except (OSError, obstore.exceptions.BaseError) as error:
            self._fail("read", key, error)

    def write_bytes(self, key: str, data: bytes | memoryview) -> None:
        import obstore

        large = len(data) > _MULTIPART
        try:
            obstore.put(self._client, self._path(key), data, use_multipart=large, chunk_size=_PART)
        except (OSError, obstore.exceptions.BaseError) as error:
            self._fail("write", key, error)

    def create_bytes(self, key: str, data: bytes | memoryview) -> None:
        import obstore

        try:
            # One request with If-None-Match: *; parts could not be committed conditionally.
            obstore.put(self._client, self._path(key), data, mode="create", use_multipart=False)
        except (FileExistsError, obstore.exceptions.AlreadyExistsError):
            # A retry after a lost answer meets what this very call has written: then it was no conflict.
            if self._holds(key, data):
                return
            raise StoreConflictError(f"{self.href(key)} exists already") from None
        except (OSError, obstore.exceptions.BaseError) as error:
            self._fail("write", key, error)

    def read_version(self, key: str) -> tuple[bytes, str] | None:
        import obstore

        try:
            found = obstore.get(self._client, self._path(key))
            data, version = bytes(found.bytes()), found.meta.get("e_tag")
        except FileNotFoundError:
            return None
        except (OSError, obstore.exceptions.BaseError) as error:
            self._fail("read", key, error)
        if not version:
            raise StoreError(f"{self.href(key)}: the server gives no ETag, without which nothing is replaced safely")
        return data, str(version)

    def replace_bytes(self, key: str, data: bytes | memoryview, version: str) -> None:
        import obstore

        try:
            # One request with If-Match; parts could not be committed conditionally.
            obstore.put(self._client, self._path(key), data, mode={"e_tag": version}, use_multipart=False)
        except (obstore.exceptions.PreconditionError, FileNotFoundError):
            if self._holds(key, data):  # an answer was lost, as above
                return
            raise StoreConflictError(f"{self.href(key)} was changed meanwhile") from None
        except (OSError, obstore.exceptions.BaseError) as error:
            self._fail("write", key, error)

    def now(self) -> float:
        return server_time(f"{self.endpoint or f'https://s3.{self.region}.amazonaws.com'}/{self.bucket}")

    def _holds(self, key: str, data: bytes | memoryview) -> bool:
        info = self.stat(key)
        return info is not None and info.size == len(data) and self.read_bytes(key) == bytes(data)

    def upload(self, path: str | Path, key: str) -> None:
        import obstore

        path = Path(path)
        try:
            large = path.stat().st_size > _MULTIPART
            obstore.put(self._client, self._path(key), path, use_multipart=large, chunk_size=_PART)
        except (OSError, obstore.exceptions.BaseError) as error:
            self._fail("write", key, error)

    def stat(self, key: str) -> ObjectInfo | None:
        import obstore

        try:
            found = obstore.head(self._client, self._path(key))
            return ObjectInfo(key, int(found["size"]), found["last_modified"].timestamp())
        except FileNotFoundError:
            return None
        except (OSError, obstore.exceptions.BaseError) as error:
            self._fail("look at", key, error)

    def exists(self, key: str) -> bool:
        return self.stat(key) is not None

    def list(self, prefix: str = "") -> Iterator[str]:
        import obstore

        start = f"{self.prefix}/" if self.prefix else ""
        last: str | None = None
        torn = 0
        while True:
            try:
                for page in obstore.list(self._client, prefix=self._folder(prefix), offset=last):
                    for entry in page:
                        last = entry["path"]
                        yield last.removeprefix(start)
                    torn = 0
                return
            except (OSError, obstore.exceptions.BaseError) as error:
                torn += 1
                self._pause_or_fail(prefix, error, torn)

    def folders(self, prefix: str = "") -> tuple[str, ...]:
        found = self._children(prefix)["common_prefixes"]
        return tuple(sorted(path.rstrip("/").rsplit("/", 1)[-1] for path in found))

    def files(self, prefix: str = "") -> tuple[str, ...]:
        found = self._children(prefix)["objects"]
        return tuple(sorted(entry["path"].rsplit("/", 1)[-1] for entry in found))

    def _children(self, prefix: str) -> obstore.ListResult[Sequence[obstore.ObjectMeta]]:
        import obstore

        torn = 0
        while True:
            try:
                return obstore.list_with_delimiter(self._client, prefix=self._folder(prefix))
            except (OSError, obstore.exceptions.BaseError) as error:
                torn += 1
                self._pause_or_fail(prefix, error, torn)

    def _pause_or_fail(self, prefix: str, error: Exception, torn: int) -> None:
        """Wait before a listing is asked for again whose answer was torn, `torn` times so far."""
        if torn > self.retries or not _TORN.search(str(error)):
            self._fail("list", prefix, error)
        time.sleep(min(_PAUSE_S * 2.0 ** (torn - 1), 15.0))

    def _folder(self, prefix: str) -> str | None:
        folder = "/".join(part for part in (self.prefix, checked_prefix(prefix)) if part)
        return f"{folder}/" if folder else None

    def delete(self, key: str) -> None:
        import obstore

        try:
            obstore.delete(self._client, self._path(key))
        except FileNotFoundError:
            return
        except (OSError, obstore.exceptions.BaseError) as error:
            self._fail("delete", key, error)

    def href(self, key: str) -> str:
        return f"s3://{self.bucket}/{self._path(key)}"

    def gdal_path(self, key: str) -> str:
        return f"/vsis3/{self.bucket}/{self._path(key)}"

    def gdal_options(self) -> Mapping[str, str]:
        options = {
            **REMOTE_OPTIONS,
            "AWS_REGION": self.region,
            "VSI_CACHE": "TRUE",
            **aws.gdal_server(),
        }
        if self.anonymous:
            options["AWS_NO_SIGN_REQUEST"] = "YES"
        return aws.unsaid(options)

    def _fail(self, verb: str, key: str, error: Exception) -> NoReturn:
        """Raise what the failure means. The server's own words may hold signed headers: not quoted."""
        import obstore

        if isinstance(error, StoreError | TransferError):
            raise error
        where = f"s3://{self.bucket}/" + "/".join(part for part in (self.prefix, key) if part)
        text = str(error)
        if isinstance(error, FileNotFoundError | obstore.exceptions.NotFoundError):
            raise StoreError(f"cannot {verb} {where}: it does not exist") from None
        refused = obstore.exceptions.PermissionDeniedError | obstore.exceptions.UnauthenticatedError
        if isinstance(error, PermissionError | refused) or _REFUSED.search(text):
            raise CredentialError(
                f"cannot {verb} {where}: refused; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or "
                "AWS_PROFILE), or set AWS_NO_SIGN_REQUEST=YES for a public bucket"
            ) from None
        if "NoSuchBucket" in text:
            raise StoreError(f"cannot {verb} {where}: there is no bucket {self.bucket}") from None
        raise TransferError(f"cannot {verb} {where}: {_cause(text)}") from None


def _open(url: str, anonymous: bool | None) -> S3Store:
    return S3Store(url, anonymous=anonymous)


def _cause(text: str) -> str:
    status = re.search(r"\b(?:status(?: code)?:? ?|after )?([45]\d\d [A-Z][A-Za-z ]+)", text)
    if status:
        return f"the server answered {status[1].strip()}"
    if re.search(r"tcp connect|dns error|connection refused|ConnectError", text, re.IGNORECASE):
        return "no connection to the server; check AWS_ENDPOINT_URL and the network"
    if re.search(r"timed out|operation timeout|TimedOut", text):
        return "it timed out"
    return "the transfer failed"
