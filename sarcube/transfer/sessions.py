"""Signed-in sessions: NASA Earthdata for ASF, tokens for the Copernicus Data Space.

A login is sent to its own identity server only; redirects to any other host lose it. Hosts can be changed
in the environment (`SARCUBE_EARTHDATA_URL`, `SARCUBE_CDSE_TOKEN_URL`) for a proxy or a test.
"""

from __future__ import annotations

import os
import threading
import time
import urllib.parse
from typing import TYPE_CHECKING

from sarcube.config import RunConfig
from sarcube.errors import CredentialError, SourceError
from sarcube.transfer.credentials import Login, find_login
from sarcube.transfer.http import new_session, request
from sarcube.transfer.redact import remember

if TYPE_CHECKING:
    import requests
    from requests.auth import HTTPBasicAuth

_ASF_HOSTS = (".asf.alaska.edu", ".earthdatacloud.nasa.gov")
_CDSE_HOSTS = (".dataspace.copernicus.eu",)
_EARLY = 60.0  # s before its end that a token is renewed
_lock = threading.RLock()
_tokens: dict[tuple[int, str], tuple[str, float]] = {}
_per_thread = threading.local()


def earthdata_address() -> str:
    """The identity server of NASA Earthdata."""
    return os.environ.get("SARCUBE_EARTHDATA_URL", "https://urs.earthdata.nasa.gov").rstrip("/")


def cdse_token_address() -> str:
    """Where CDSE hands out tokens."""
    default = "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token"
    return os.environ.get("SARCUBE_CDSE_TOKEN_URL", default)


def provider_of(address: str) -> str | None:
    """ "earthdata" or "cdse" where an address belongs to one of them, else None: no login is sent there."""
    host = _host(address)
    for provider, hosts, names in (
        ("earthdata", _ASF_HOSTS, ("SARCUBE_ASF_DOWNLOAD_URL",)),
        ("cdse", _CDSE_HOSTS, ("SARCUBE_CDSE_DOWNLOAD_URL",)),
    ):
        if ("." + host.partition(":")[0]).endswith(hosts):
            return provider
        if any(host == _host(os.environ[name]) for name in names if os.environ.get(name)):
            return provider
    return None


def session_for(address: str) -> requests.Session | None:
    """The session that an address needs; None for one that needs no login.

    Raises
    ------
    CredentialError
        The provider wants a login and there is none.
    """
    provider = provider_of(address)
    return None if provider is None else provider_session(provider)


def provider_session(provider: str) -> requests.Session:
    """A session signed in with "earthdata" or "cdse", one for each thread."""
    kept: dict[str, requests.Session] = getattr(_per_thread, "sessions", {})
    login = find_login(provider)
    known = kept.get(provider)
    if known is None or getattr(known, "sarcube_login", None) != login:
        known = _earthdata(login) if provider == "earthdata" else _cdse(login)
        known.sarcube_login = login  # type: ignore[attr-defined]
        kept[provider] = known
        _per_thread.sessions = kept
    return known


def check_credentials(config: RunConfig, *, online: bool = True) -> None:
    """Make sure, before any work starts, that what the run will download can be downloaded.

    Parameters
    ----------
    config : RunConfig
    online : bool
        Also ask the identity server whether it knows the login.

    Raises
    ------
    CredentialError
        A provider that the run uses wants a login that is missing, incomplete or refused.
    """
    wanted = []
    if config.source.kind == "asf":
        wanted.append("earthdata")
    if "cdse" in (config.source.kind, config.orbits.kind):
        wanted.append("cdse")
    for provider in wanted:
        login = find_login(provider)
        if not online or login.token:
            continue
        if provider == "cdse":
            _cdse_token(login)
        else:
            _check_earthdata(login)


def _check_earthdata(login: Login) -> None:
    session = new_session()
    session.auth = _basic(login)
    try:
        request("GET", f"{earthdata_address()}/api/users/tokens", session=session).close()
    except CredentialError:
        raise CredentialError(
            f"NASA Earthdata refuses the login from {login.origin}; check the name and the password"
        ) from None


def _earthdata(login: Login) -> requests.Session:
    import requests

    class Session(requests.Session):
        """Signs in where it is redirected to the identity server; carries nothing to other hosts."""

        def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
            address = prepared_request.url or ""
            prepared_request.headers.pop("Authorization", None)
            if _host(address) == _host(earthdata_address()) and login.username:
                prepared_request.prepare_auth(_basic(login), address)

    session = Session()
    plain = new_session()
    session.auth, session.headers = plain.auth, plain.headers
    if login.token:
        token = login.token.reveal()

        def bearer(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
            prepared.headers["Authorization"] = f"Bearer {token}"
            return prepared

        session.auth = bearer
    return session


def _cdse(login: Login) -> requests.Session:
    import requests

    def home(host: str) -> bool:
        return provider_of(f"https://{host}") == "cdse"

    class Session(requests.Session):
        """Sends a valid token to CDSE's hosts, also when one of them redirects to another."""

        def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
            prepared_request.headers.pop("Authorization", None)
            if home(_host(prepared_request.url or "")):
                prepared_request.headers["Authorization"] = f"Bearer {_cdse_token(login)}"

    session = Session()
    session.headers = new_session().headers

    def bearer(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        prepared.headers["Authorization"] = f"Bearer {_cdse_token(login)}"
        return prepared

    session.auth = bearer
    return session


def _cdse_token(login: Login) -> str:
    """A token that is valid for another minute at least."""
    if login.token:
        return login.token.reveal()
    assert login.username and login.password  # find_login gives a token or both
    key = (os.getpid(), cdse_token_address() + login.username.reveal())
    with _lock:
        token, until = _tokens.get(key, ("", 0.0))
        if time.monotonic() < until:
            return token
        form = {
            "client_id": "cdse-public",
            "grant_type": "password",
            "username": login.username.reveal(),
            "password": login.password.reveal(),
        }
        if login.one_time_code:
            form["totp"] = login.one_time_code.reveal()
        refused = f"CDSE refuses the login from {login.origin}; check the name and the password (and CDSE_TOTP)"
        try:
            answer = request("POST", cdse_token_address(), session=new_session(), data=form)
        except CredentialError:
            raise CredentialError(refused) from None
        except SourceError as error:
            if error.transient:
                raise
            raise CredentialError(refused) from None
        try:
            raw = answer.json()
            token, seconds = str(raw["access_token"]), float(raw.get("expires_in", 600))
        except (ValueError, KeyError, TypeError):
            raise SourceError("CDSE's identity server answered without a token; try again later") from None
        remember(token)
        _tokens[key] = (token, time.monotonic() + max(seconds - _EARLY, 5.0))
        return token


def _basic(login: Login) -> HTTPBasicAuth:
    from requests.auth import HTTPBasicAuth

    assert login.username and login.password
    return HTTPBasicAuth(login.username.reveal(), login.password.reveal())


def _host(address: str) -> str:
    return urllib.parse.urlsplit(address).netloc.rpartition("@")[2].lower()
