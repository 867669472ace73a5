"""HTTP with retries and back-off, typed errors and no secret in any of them."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from sarcube.errors import CredentialError, DownloadTimeoutError, SourceError, TransferError
from sarcube.transfer.redact import keep_out_of, redact

if TYPE_CHECKING:
    import requests


class AbsentError(SourceError, FileNotFoundError):
    """The server was reached and has no such thing."""


_CONNECT_S = 15.0
OFFLINE = (
    "; is there a network? Behind a proxy set HTTPS_PROXY; without a network use files of your own "
    "(source: {kind: local}, orbits.path, dem.path)"
)
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_local = threading.local()


def attempts() -> int:
    """How often a request is tried; `SARCUBE_HTTP_ATTEMPTS` changes it."""
    return max(1, int(os.environ.get("SARCUBE_HTTP_ATTEMPTS", "5")))


def patience() -> float:
    """Seconds without a byte after which a transfer has timed out; `SARCUBE_HTTP_TIMEOUT` changes it."""
    return float(os.environ.get("SARCUBE_HTTP_TIMEOUT", "120"))


def torn(address: str, error: Exception, what: str, advice: str = "") -> TransferError:
    """What a broken transfer means: a time-out is told apart. Without the cause, which may quote a signed address."""
    import requests
    import urllib3

    kinds = (TimeoutError, requests.exceptions.Timeout, urllib3.exceptions.TimeoutError)
    # requests wraps a time-out between bytes in a ConnectionError.
    if any(isinstance(inner, kinds) for inner in (error, *error.args, error.__context__)):
        return DownloadTimeoutError(f"{redact(address)}: timed out")
    return TransferError(f"{redact(address)}{what.format(type(error).__name__)}{advice}")


def request(method: str, address: str, *, session: requests.Session | None = None, **options: Any) -> requests.Response:
    """Make one request, again and with growing pauses where the failure may pass.

    Raises
    ------
    SourceError
        The server says that it has not what was asked (404, 400, ...).
    CredentialError
        401 or 403.
    TransferError
        It kept failing in a way that may pass.
    """
    import stamina

    _quiet()

    @stamina.retry(
        on=TransferError, attempts=attempts(), timeout=300.0, wait_initial=pause(), wait_max=30.0, wait_jitter=pause()
    )
    def once() -> requests.Response:
        return _once(method, address, session or _session(), options)

    return once()


def _quiet() -> None:
    """Keep the retry library's lines on our own requests to those who ask for them: what failed is said at the end."""
    retries = logging.getLogger("stamina")
    if not any(isinstance(known, _OwnRetries) for known in retries.filters):
        retries.addFilter(_OwnRetries())


@contextlib.contextmanager
def without_retry_lines() -> Iterator[None]:
    """Keep urllib3's lines on attempts that it repeats from people: what failed for good is said at the end."""
    connections = logging.getLogger("urllib3.connectionpool")
    show = logging.getLogger(__name__).isEnabledFor(logging.INFO)

    def worth(record: logging.LogRecord) -> bool:
        return show or not str(record.msg).startswith("Retrying (")

    connections.addFilter(worth)
    try:
        yield
    finally:
        connections.removeFilter(worth)


class _OwnRetries(logging.Filter):
    """Lets a line on a request of sarcube's pass where INFO is shown."""

    def filter(self, record: logging.LogRecord) -> bool:
        ours = str(getattr(record, "stamina.callable", "")).startswith(__name__)
        return not ours or logging.getLogger(__name__).isEnabledFor(logging.INFO)


def read_small(address: str, limit: int, session: requests.Session | None = None) -> bytes:
    """The whole of a small file.

    Raises
    ------
    SourceError
        It is larger than `limit` bytes, or cannot be read (see `request`).
    """
    with request("GET", address, session=session, stream=True) as answer:
        data = bytearray()
        for part in answer.iter_content(1 << 16):
            data += part
            if len(data) > limit:
                raise SourceError(f"{redact(address)} is larger than {limit} bytes")
        return bytes(data)


def server_time(address: str) -> float:
    """What the clock of a server says, in seconds since 1970; whatever it answers carries the time.

    Raises
    ------
    TransferError
        It cannot be reached, or says no time.
    """
    import stamina

    @stamina.retry(on=TransferError, attempts=attempts(), timeout=60.0, wait_initial=pause(), wait_max=5.0)
    def once() -> float:
        import requests

        try:
            answer = _session().head(address, timeout=min(_CONNECT_S, patience()))
            return parsedate_to_datetime(answer.headers["Date"]).timestamp()
        except (requests.exceptions.RequestException, OSError) as error:
            raise torn(address, error, " cannot be reached: {}") from None
        except (KeyError, ValueError):
            raise TransferError(f"{redact(address)}: the server does not say what time it is") from None

    return once()


def pause() -> float:
    """Seconds before the first repetition; `SARCUBE_HTTP_PAUSE` changes it."""
    return float(os.environ.get("SARCUBE_HTTP_PAUSE", "0.5"))


def _once(method: str, address: str, session: requests.Session, options: dict[str, Any]) -> requests.Response:
    import requests

    shown = redact(address)
    try:
        limits = (min(_CONNECT_S, patience()), patience())  # to connect, between bytes
        answer: requests.Response = session.request(method, address, timeout=limits, **options)
    except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema) as error:
        raise SourceError(f"{shown} is not an address: {redact(str(error))}") from None
    except (requests.exceptions.RequestException, OSError) as error:
        raise torn(address, error, " cannot be reached: {}", OFFLINE) from None
    if answer.status_code < 400:
        return answer
    code = answer.status_code
    answer.close()
    if code in _PASSING:
        raise TransferError(f"{shown}: the server answered {code}; try again later")
    if code in (401, 403):
        raise CredentialError(f"{shown}: the server refuses access ({code}); check the credentials")
    if code in (404, 410):
        raise AbsentError(f"{shown}: there is no such thing ({code}); check the address")
    raise SourceError(f"{shown}: the server answered ({code})")


def _session() -> requests.Session:
    """One session for each thread: connections are kept, and .netrc is not sent to hosts of its own accord."""
    session: requests.Session | None = getattr(_local, "session", None)
    if session is None:
        session = _local.session = new_session()
    return session


def new_session() -> requests.Session:
    """A session that says who asks and takes proxies, but no credentials, from the environment."""
    import requests

    keep_out_of(logging.getLogger("urllib3.connectionpool"))
    session = requests.Session()
    session.auth = _nobody
    session.headers["User-Agent"] = "sarcube"
    return session


def _nobody(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    """An authentication that does nothing: with one set, requests does not look into .netrc."""
    return prepared
