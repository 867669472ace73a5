"""Credentials of providers: found in the environment, an env file or .netrc, checked early, never shown.

A `Secret` prints as asterisks wherever it is put; what is logged or raised passes through `redact`, too.
"""

from __future__ import annotations

import logging
import netrc
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from sarcube.errors import CredentialError

_QUERY = re.compile(r"(https?://[^\s?#'\"]+)\?[^\s'\"]*")
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")
_BEARER = re.compile(r"(?i)(bearer|basic)\s+[\w.~+/=-]+")
_NAMED = re.compile(r"(?i)(password|passwd|token|secret|access_key|secret_key)([\"']?\s*[=:]\s*[\"']?)[^\s\"'&,}]+")
_LOGGED = re.compile(r"(\"[A-Z]+ /[^\s?]*)\?\S*")


class Secret:
    """A text that is not shown by print, repr, logging or an exception."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True)
class Login:
    """How to sign in with a provider: a token, or a name and a password."""

    provider: str
    origin: str  # where it was found, for messages
    username: Secret | None = None
    password: Secret | None = None
    token: Secret | None = None
    one_time_code: Secret | None = field(default=None)


@dataclass(frozen=True)
class _Provider:
    name: str
    machine: str  # in .netrc
    users: tuple[str, ...]
    passwords: tuple[str, ...]
    tokens: tuple[str, ...]
    sign_up: str


_PROVIDERS = {
    "earthdata": _Provider(
        "NASA Earthdata (ASF)",
        "urs.earthdata.nasa.gov",
        ("EARTHDATA_USERNAME", "EARTHDATA_LOGIN"),
        ("EARTHDATA_PASSWORD",),
        ("EARTHDATA_TOKEN",),
        "https://urs.earthdata.nasa.gov",
    ),
    "cdse": _Provider(
        "Copernicus Data Space (CDSE)",
        "dataspace.copernicus.eu",
        ("CDSE_USERNAME", "CDSE_LOGIN"),
        ("CDSE_PASSWORD",),
        ("CDSE_TOKEN", "CDSE_ACCESS_TOKEN"),
        "https://dataspace.copernicus.eu",
    ),
}


def find_login(provider: str) -> Login:
    """Credentials of "earthdata" or "cdse".

    Looked for in the environment, then in the env file (`SARCUBE_ENV_FILE`, else `.env` in the working
    folder), then in `.netrc` (`NETRC` names another).

    Raises
    ------
    CredentialError
        None are found, or only half of them; the message names the variables.
    """
    known = _PROVIDERS[provider]
    for origin, values in (("environment", dict(os.environ)), _env_file()):
        token, user, password = (_first(values, names) for names in (known.tokens, known.users, known.passwords))
        if token:
            return Login(provider, origin, token=Secret(token))
        if user and password:
            code = values.get("CDSE_TOTP")
            return Login(provider, origin, Secret(user), Secret(password), None, Secret(code) if code else None)
        if user or password:
            missing = known.passwords[0] if user else known.users[0]
            raise CredentialError(f"{known.name}: {origin} has only half of the credentials; set {missing}, too")
    entry = _netrc(known.machine)
    if entry:
        return Login(provider, ".netrc", Secret(entry[0]), Secret(entry[1]))
    raise CredentialError(
        f"{known.name}: no credentials. Set {known.users[0]} and {known.passwords[0]} (or {known.tokens[0]}), put "
        f"them in an env file, or add `machine {known.machine}` to .netrc; sign up at {known.sign_up}"
    )


def _first(values: dict[str, str], names: tuple[str, ...]) -> str | None:
    return next((values[name] for name in names if values.get(name)), None)


def _env_file() -> tuple[str, dict[str, str]]:
    named = os.environ.get("SARCUBE_ENV_FILE")
    path = Path(named) if named else Path(".env")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        if named:
            raise CredentialError(f"SARCUBE_ENV_FILE names {path}, which does not exist") from None
        return str(path), {}
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialError(f"env file {path} cannot be read ({type(error).__name__})") from None
    values = {}
    for line in lines:
        key, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not key.startswith("#"):
            values[key.strip()] = value.strip().strip("'\"")
    return str(path), values


def _netrc(machine: str) -> tuple[str, str] | None:
    path = Path(os.environ["NETRC"]) if os.environ.get("NETRC") else Path.home() / ".netrc"
    if not path.is_file():
        return None
    try:
        found = netrc.netrc(str(path)).authenticators(machine)
    except (netrc.NetrcParseError, OSError) as error:
        # The parser's message may quote the line, and with it a password.
        line = f", line {error.lineno}" if isinstance(error, netrc.NetrcParseError) else ""
        raise CredentialError(f"{path} cannot be read as .netrc{line}; correct it") from None
    return (found[0], found[2] or "") if found and found[0] else None


def redact(text: str) -> str:
    """A text without what may be secret: queries of addresses, user parts, tokens."""
    text = _QUERY.sub(r"\1?...", text)
    text = _USERINFO.sub("***@", text)
    text = _BEARER.sub(r"\1 ***", text)
    return _NAMED.sub(r"\1\2***", text)


class RedactingFilter(logging.Filter):
    """Keeps the queries of signed addresses out of what the HTTP library logs at its debug level."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _LOGGED.sub(r"\1?...", redact(record.getMessage())), ()
        return True
