"""How S3 is reached: endpoint, region and credentials as the `AWS_*` variables have them, unsigned without keys."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from sarcube.errors import CredentialError, DownloadTimeoutError, TransferError
from sarcube.transfer.http import OFFLINE, AbsentError
from sarcube.transfer.redact import redact

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Store

# Public buckets outside the region that clients assume.
_REGIONS = {"copernicus-dem-30m": "eu-central-1", "copernicus-dem-90m": "eu-central-1", "s1-orbits": "us-west-2"}
_T = TypeVar("_T")
_YES = {"1", "yes", "true", "on"}
# What decides how a bucket is reached, and as whom.
_DECISIVE = (
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
)


def endpoint() -> str | None:
    """Address of an S3 server that is not AWS."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def region(bucket: str) -> str:
    """Region of a bucket; public buckets of data providers are known."""
    if bucket in _REGIONS and not endpoint():
        return _REGIONS[bucket]
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


def asked_unsigned() -> bool:
    """Whether AWS_NO_SIGN_REQUEST asks for requests without a signature."""
    return os.environ.get("AWS_NO_SIGN_REQUEST", "").lower() in _YES


def unsigned() -> bool:
    """Whether requests go without a signature: asked for, or no credentials anywhere."""
    if asked_unsigned():
        return True
    variables = ("AWS_ACCESS_KEY_ID", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_WEB_IDENTITY_TOKEN_FILE")
    return not any(os.environ.get(name) for name in variables) and boto3_session(os.environ.get("AWS_PROFILE")) is None


@functools.lru_cache(maxsize=4)
def boto3_session(profile: str | None) -> Any:
    """A boto3 session that has credentials (profile, SSO, role of the machine), where boto3 is installed."""
    try:
        import boto3  # type: ignore[import-untyped]
        from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]
    except ImportError:
        return None
    try:
        session = boto3.Session()
        return session if session.get_credentials() else None
    except BotoCoreError as error:
        raise CredentialError(f"AWS credentials cannot be read ({type(error).__name__}); check AWS_PROFILE") from None


def s3_store(bucket: str) -> S3Store:
    """obstore's client of a bucket that is read from, unsigned where there are no credentials."""
    return s3_client(bucket, anonymous=unsigned())


def s3_client(bucket: str, prefix: str | None = None, *, anonymous: bool, retries: int = 8) -> S3Store:
    """obstore's client of a bucket or of a prefix in it, with back-off over what may pass.

    One for all tasks of a process: connections and the chain of credentials are kept, until the environment names
    another server or other keys.

    Parameters
    ----------
    bucket : str
    prefix : str, optional
        Where keys begin.
    anonymous : bool
        Send unsigned requests.
    retries : int
        Of each request, with growing pauses.
    """
    surroundings = tuple(os.environ.get(name) for name in _DECISIVE)
    return _client(bucket, prefix, anonymous, retries, surroundings)


@functools.lru_cache(maxsize=64)
def _client(
    bucket: str, prefix: str | None, anonymous: bool, retries: int, _surroundings: tuple[str | None, ...]
) -> S3Store:
    from obstore.store import S3Store

    address = endpoint()
    options: S3Config = {"region": region(bucket)}
    client: ClientConfig = {
        "timeout": "120s",
        "connect_timeout": "15s",
        "allow_http": bool(address and address.startswith("http://")),
    }
    # Exponential back-off over 5xx, SlowDown and torn connections.
    retry: RetryConfig = {
        "max_retries": retries,
        "retry_timeout": timedelta(seconds=180),
        "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=15), "base": 2.0},
    }
    credentials = None
    if address:
        options["endpoint"] = address
    if anonymous:
        options["skip_signature"] = True
    elif not os.environ.get("AWS_ACCESS_KEY_ID") and (session := boto3_session(os.environ.get("AWS_PROFILE"))):
        from obstore.auth.boto3 import Boto3CredentialProvider

        credentials = Boto3CredentialProvider(session)
    return S3Store(
        bucket,
        prefix=prefix,
        config=options,
        client_options=client,
        retry_config=retry,
        credential_provider=credentials,
    )


def gdal_options(bucket: str) -> dict[str, str]:
    """The same for GDAL's /vsis3; keys themselves it takes from the environment."""
    options = {"AWS_REGION": region(bucket)} | gdal_server()
    if unsigned():
        options["AWS_NO_SIGN_REQUEST"] = "YES"
    return unsaid(options)


def gdal_server() -> dict[str, str]:
    """Where GDAL's /vsis3 finds an S3 server that is not AWS; nothing where it is AWS."""
    address = endpoint()
    if not address:
        return {}
    scheme, _, host = address.rpartition("://")
    return {
        "AWS_S3_ENDPOINT": host.rstrip("/"),
        "AWS_HTTPS": "NO" if scheme == "http" else "YES",
        "AWS_VIRTUAL_HOSTING": "FALSE",
    }


def unsaid(options: Mapping[str, _T]) -> dict[str, _T]:
    """Options for `rasterio.Env` without those that the environment says already.

    When it ends, rasterio sets what it found in the environment for the whole process, so that a later change of the
    environment (another server, other keys) would not be heeded.
    """
    return {name: value for name, value in options.items() if os.environ.get(name) != value}


def s3_call(address: str, call: Callable[[], _T]) -> _T:
    """Make one request; the client's errors become those of sarcube.

    Raises
    ------
    AbsentError, CredentialError, TransferError
    """
    from obstore import exceptions

    shown = redact(address)
    # Without their cause: the client's words may hold signed headers.
    try:
        return call()
    except (exceptions.NotFoundError, FileNotFoundError):
        raise AbsentError(f"{shown}: there is no such object; check the address") from None
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError, PermissionError):
        raise CredentialError(
            f"{shown}: access is refused; check the AWS credentials, or set AWS_NO_SIGN_REQUEST=YES for public data"
        ) from None
    except (exceptions.BaseError, OSError) as error:
        if re.search(r"timed out|timeout", str(error), re.IGNORECASE):
            raise DownloadTimeoutError(f"{shown}: timed out") from None
        raise TransferError(f"{shown} cannot be read: {type(error).__name__}; try again later{OFFLINE}") from None
