"""HTTP with retries and back-off, typed errors and no secret in any of them."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Any

from sarcube.errors import CredentialError, SourceError, TransferError
from sarcube.sources.credentials import RedactingFilter, redact

if TYPE_CHECKING:
    import requests


class AbsentError(SourceError, FileNotFoundError):
    """The server was reached and has no such thing."""


_TIMEOUT = (15.0, 120.0)  # s to connect, s between bytes
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_local = threading.local()


def attempts() -> int:
    """How often a request is tried; `SARCUBE_HTTP_ATTEMPTS` changes it."""
    return max(1, int(os.environ.get("SARCUBE_HTTP_ATTEMPTS", "5")))


def request(method: str, address: str, *, session: Any = None, **options: Any) -> requests.Response:
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

    @stamina.retry(
        on=TransferError, attempts=attempts(), timeout=300.0, wait_initial=pause(), wait_max=30.0, wait_jitter=pause()
    )
    def once() -> requests.Response:
        return _once(method, address, session or _session(), options)

    return once()


def pause() -> float:
    """Seconds before the first repetition; `SARCUBE_HTTP_PAUSE` changes it."""
    return float(os.environ.get("SARCUBE_HTTP_PAUSE", "0.5"))


def _once(method: str, address: str, session: Any, options: dict[str, Any]) -> requests.Response:
    import requests

    shown = redact(address)
    try:
        answer: requests.Response = session.request(method, address, timeout=_TIMEOUT, **options)
    except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema) as error:
        raise SourceError(f"{shown} is not an address: {redact(str(error))}") from None
    except (requests.exceptions.RequestException, OSError) as error:
        # Without the cause: it quotes the full address, and that may be signed.
        raise TransferError(f"{shown} cannot be reached: {type(error).__name__}") from None
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

    connections = logging.getLogger("urllib3.connectionpool")
    if not any(isinstance(known, RedactingFilter) for known in connections.filters):
        connections.addFilter(RedactingFilter())
    session = requests.Session()
    session.auth = _nobody
    session.headers["User-Agent"] = "sarcube"
    return session


def _nobody(prepared: Any) -> Any:
    """An authentication that does nothing: with one set, requests does not look into .netrc."""
    return prepared
