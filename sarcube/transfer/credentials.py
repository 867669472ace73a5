"""Credentials of providers: found in the environment, an env file or .netrc, checked early, never shown.

A `Secret` prints as asterisks wherever it is put; what is logged or raised passes through `redact.redact`, too.
"""

from __future__ import annotations

import netrc
import os
from dataclasses import dataclass, field

from sarcube.errors import CredentialError
from sarcube.transfer.redact import env_file, netrc_file, read_env_file, read_netrc, remember


class Secret:
    """A text that is not shown by print, repr, logging or an exception."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        remember(value)

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
    # A line's end of Windows gets into variables by env files that others read (`docker --env-file`).
    return next((value for name in names if (value := values.get(name, "").strip("\r\n"))), None)


def _env_file() -> tuple[str, dict[str, str]]:
    path = env_file()
    try:
        return str(path), read_env_file(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if os.environ.get("SARCUBE_ENV_FILE"):
            raise CredentialError(f"SARCUBE_ENV_FILE names {path}, which does not exist") from None
        return str(path), {}
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialError(f"env file {path} cannot be read ({type(error).__name__})") from None


def _netrc(machine: str) -> tuple[str, str] | None:
    path = netrc_file()
    if not path.is_file():
        return None
    try:
        # Not `authenticators`, which answers with the entry `default` (often of anonymous FTP) for every host.
        found = read_netrc(path).get(machine)
    except (netrc.NetrcParseError, OSError, UnicodeDecodeError) as error:
        # The parser's message may quote the line, and with it a password.
        line = f", line {error.lineno}" if isinstance(error, netrc.NetrcParseError) else ""
        raise CredentialError(f"{path} cannot be read as .netrc{line}; correct it") from None
    return (found[0], found[2] or "") if found and found[0] else None
