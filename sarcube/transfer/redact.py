"""What is secret stays out of every text: items, tags, records, reports, logs, messages, screens.

Two ways, used together. By value: whatever the environment, the env file, .netrc and the logins in use hold that is
secret, as it is and as JSON, HTML and URLs would write it. By form: user parts and queries of addresses, headers, and
whatever stands behind a name like `password:` or `X-Goog-Credential=`.
"""

from __future__ import annotations

import functools
import logging
import netrc
import os
import re
import tempfile
import urllib.parse
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

MASK = "***"
_SHORTEST = 6  # shorter values ("1", "true") would blot out ordinary words
# Names of variables whose values are secret. Folders and programs that have such a name are not.
_SECRET_VARIABLE = re.compile(r"PASS|PW|KEY|SECRET|TOKEN|CREDENTIAL|SIGNATURE|_PAT$|_SAS$|_AUTH$", re.IGNORECASE)
_NO_SECRET = re.compile(r"^(OLD)?PWD$|ASKPASS|KEYBOARD|KEYMAP|_(FILE|URI|PATH|DIR|URL)$", re.IGNORECASE)

# Percent signs may have been encoded again: %253A.
_SCHEME = r"(?:(?<![a-z0-9+.-])[a-z0-9][a-z0-9+.-]*(?::/{1,3}|%(?:25)*3A%(?:25)*2F%(?:25)*2F|:(?:\\+/){1,3}))"
# All that an address may go on with, also inside of JSON (\u0026, \/) and HTML (&amp;).
_REST = r"(?:\\u[0-9a-f]{4}|\\+/|[^\s'\"<>\\])*"
# A colon and a port is no password; a password may hold slashes and at signs that should have been encoded.
_PASSWORD = r"[^\s/@:'\"<>]+(?::|%(?:25)*3A)(?!\d+(?:[/?\s\\]|$))[^\s'\"<>]*(?:@|%(?:25)*40)"
_USER = re.compile(rf"({_SCHEME})(?:{_PASSWORD}|[^\s/@'\"<>?#]+(?:@|%(?:25)*40))", re.I)
_QUERY = re.compile(rf"({_SCHEME}(?:\\+/|[^\s?'\"<>\\])*?)(?:\?|%(?:25)*3F|\\u003f){_REST}", re.I)
_GDAL_URL = re.compile(rf"(/vsi\w+(?:\?|%(?:25)*3F)){_REST}", re.I)
_LOGGED = re.compile(rf"(\"?[A-Z]+ /[^\s?]*)\?{_REST}")
# user:password@host without a scheme, as curl and git take it.
_BARE_USER = re.compile(
    r"(?<![\w/.:%+-])[\w.%+-]+(?::|%(?:25)*3A)[^\s/@:'\"<>]+(?:@|%(?:25)*40)(?=[\w-]+\.[\w.-]+)", re.I
)
_BLANK = r"(?:\s|%(?:25)*20|\+)"
_HEADER = re.compile(rf"\b(bearer|basic|token)({_BLANK}+)(?=[\w.~+/%-]*[\d=+/_-])[\w.~+/%-]{{8,}}=*", re.I)
_AUTHORIZATION = re.compile(
    rf"\b((?:proxy-)?authorization|(?:set-)?cookie)((?:\\*[\"']|&quot;)?{_BLANK}*(?:[:=]|%(?:25)*3A|%(?:25)*3D){_BLANK}*)[^\r\n<\"'\\]+",
    re.I,
)
_QUOTE = r"(?:\\*(?:[\"']|&quot;|&#x27;|&#39;)|%(?:25)*22|%(?:25)*27)"
_NAME = (
    r"(?:[\w.-]*(?:passw(?:or)?d|passphrase|passcode|secret|token|credentials?|signature|apikey)(?:[_-]?(?:id|\d+))?"
    r"|(?:[\w.-]*[_.-])?(?:pass|pwd|pw|sig|sas)\d*"
    r"|[\w.-]+key(?:[_-]?(?:id|\d+))?)"
)
# A quoted value ends with its quote and may hold blanks; others end with a blank, a quote or a tag.
_VALUE = (
    r"(?:\\*\"(?:\\.|[^\"\\])+|\\*'(?:\\.|[^'\\])+"
    r"|\\*&quot;.+?(?=\\*&quot;|[\r\n<]|$)|&#(?:x27|39);.+?(?=&#(?:x27|39);|[\r\n<]|$)"
    r"|[^\s\"'<,}\]&\\][^\s\"'<\\]*)"
)
_IS = rf"{_QUOTE}?{_BLANK}*(?:=|:(?!/)|%(?:25)*3D|%(?:25)*3A|\\u003d){_BLANK}*"
_SET = re.compile(rf"(?<![\w.-])({_NAME}{_IS})({_VALUE})", re.I)
# `key=` alone (a column of a table may be called `key:`), and whatever a variable of the shell says of itself.
_VARIABLE = r"(?:[Kk]ey|[A-Z0-9_]*(?:PASS|PW|KEY|SECRET|TOKEN)[A-Z0-9_]*)"
_KEY = re.compile(rf"(?<![\w.-])({_VARIABLE}{_QUOTE}?(?:=|%(?:25)*3D|\\u003d))({_VALUE})")

_used: set[str] = set()


def remember(value: str) -> None:
    """Have a secret that is in use (a login, a token that came) kept out of texts from now on."""
    if len(value) >= _SHORTEST:
        _used.add(value)


def secrets_of(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Secret values: of variables whose names say so, of the env file and .netrc, and those in use. Longest first."""
    environment = os.environ if environment is None else environment
    found = {value for name, value in environment.items() if is_secret_name(name)}
    if environment is os.environ:
        found |= _used | _of_files()
    return tuple(sorted((value for value in found if len(value) >= _SHORTEST), key=lambda v: (-len(v), v)))


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name holds something secret."""
    return bool(_SECRET_VARIABLE.search(name)) and not _NO_SECRET.search(name)


def env_file() -> Path:
    """The file that credentials may stand in: `SARCUBE_ENV_FILE`, else `.env` of the working folder."""
    return Path(os.environ.get("SARCUBE_ENV_FILE") or ".env")


def netrc_file() -> Path:
    """The user's .netrc, or what `NETRC` names."""
    return Path(os.environ["NETRC"]) if os.environ.get("NETRC") else Path.home() / ".netrc"


def read_env_file(text: str) -> dict[str, str]:
    """Names and values of an env file.

    A value may stand in one pair of equal quotes; what follows the closing quote is a comment. Without quotes a
    comment begins with a blank and `#`. A byte order mark is no part of the first name.
    """
    values = {}
    for line in text.removeprefix("\ufeff").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        quote = value[:1]
        end = value.find(quote, 1) if quote in ("'", '"') else -1
        rest = value[end + 1 :].lstrip()
        if end > 0 and (not rest or rest.startswith("#")):
            value = value[1:end]
        else:
            value = re.split(r"(?:^|\s)#", value, maxsplit=1)[0].rstrip()
        values[name.strip()] = value
    return values


def read_netrc(path: Path) -> dict[str, tuple[str, str | None, str | None]]:
    """Hosts of a .netrc with login, account and password; a byte order mark is no part of it.

    Raises
    ------
    netrc.NetrcParseError, OSError, UnicodeDecodeError
    """
    text = path.read_text(encoding="utf-8-sig")
    with tempfile.TemporaryFile() as file:  # without a name: the parser takes a file only, and stumbles over the mark
        file.write(text.encode())
        file.seek(0)
        return dict(netrc.netrc(os.dup(file.fileno())).hosts)  # type: ignore[arg-type]


def redact(text: str, secrets: tuple[str, ...] | None = None) -> str:
    """A text without secrets; whole addresses stay but for user and query, paths of this machine stay.

    Parameters
    ----------
    text : str
    secrets : tuple of str, optional
        Values to blot out; default: all that this process knows (`secrets_of`).
    """
    known = _pattern(tuple(value for value in (secrets_of() if secrets is None else secrets) if _core(value) in text))
    if known is not None:
        text = known.sub(MASK, text)
    text = _GDAL_URL.sub(r"\1...", text)
    text = _USER.sub(rf"\1{MASK}@", text)
    text = _QUERY.sub(r"\1?...", text)
    text = _BARE_USER.sub(f"{MASK}@", text)
    text = _AUTHORIZATION.sub(_masked_line, text)
    text = _HEADER.sub(rf"\1\2{MASK}", text)
    return _KEY.sub(_masked, _SET.sub(_masked, text))


def public_address(address: str) -> str:
    """What an address looks like to others: without user and query; a path of this machine by its name alone.

    For all that is published: links and properties of items, tags of files.
    """
    text = str(address)
    if text.startswith("file:"):
        text = urllib.parse.unquote(urllib.parse.urlsplit(text).path)
    if "://" in text or re.match(r"/vsi(curl|s3|gs|az|oss|swift|hdfs|webhdfs)", text):
        # What is no secret but comes with one (the user's name, an endpoint's query) is nobody's business either.
        return re.sub(rf"({_SCHEME}){re.escape(MASK)}@", r"\1", redact(text)).partition("#")[0].removesuffix("?...")
    name = (PureWindowsPath(text) if re.match(r"[A-Za-z]:[\\/]|\\\\", text) else PurePosixPath(text)).name
    return redact(name or text)


class RedactingFilter(logging.Filter):
    """Keeps secrets out of what is logged: messages, their arguments, and the traces of exceptions."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _LOGGED.sub(r"\1?...", redact(record.getMessage())), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        return True


def keep_out_of(place: logging.Filterer) -> None:
    """Have a logger or a handler keep secrets out; once, however often it is asked: each further filter looks again."""
    if not any(isinstance(known, RedactingFilter) for known in place.filters):
        place.addFilter(RedactingFilter())


def _masked(match: re.Match[str]) -> str:
    quote = re.match(r"\\*(?:[\"']|&quot;|&#x27;|&#39;)|", match[2])
    return f"{match[1]}{quote[0] if quote else ''}{MASK}"


def _masked_line(match: re.Match[str]) -> str:
    return f"{match[1]}{match[2]}{MASK}"


def _of_files() -> set[str]:
    """Secret values of the env file and .netrc; one that is absent or broken has none that could be used."""
    found: set[str] = set()
    for path, read in ((env_file(), _env_secrets), (netrc_file(), _netrc_secrets)):
        try:
            status = path.stat()
        except OSError:
            continue
        found |= read(str(path.absolute()), status.st_mtime_ns, status.st_size)
    return found


@functools.lru_cache(maxsize=8)
def _env_secrets(path: str, _time: int, _size: int) -> frozenset[str]:
    try:
        values = read_env_file(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return frozenset()
    return frozenset(value for name, value in values.items() if is_secret_name(name))


@functools.lru_cache(maxsize=8)
def _netrc_secrets(path: str, _time: int, _size: int) -> frozenset[str]:
    try:
        hosts = read_netrc(Path(path))
    except (netrc.NetrcParseError, OSError, UnicodeDecodeError):
        return frozenset()
    return frozenset(password for _, _, password in hosts.values() if password)


@functools.lru_cache(maxsize=65_536)
def _core(value: str) -> str:
    """The longest run of letters and digits: no encoding changes it, so that a text without it lacks the value too.

    A process that has used thousands of tokens would else try the pattern of each at every character of every text.
    """
    return max(re.findall(r"[A-Za-z0-9]+", value), key=len, default="")


@functools.lru_cache(maxsize=16)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(_written, secrets))) if secrets else None


def _written(value: str) -> str:
    """A pattern of the value as it is, and as JSON, HTML and URLs write it, also one within the other."""
    return "".join(re.escape(c) if c.isascii() and c.isalnum() else _character(c) for c in value)


def _character(c: str) -> str:
    ways = [r"\\*" + re.escape(c) if c != "\\" else r"\\+"]
    ways.append("(?i:" + "".join(rf"%(?:25)*{byte:02X}" for byte in c.encode("utf-8", "surrogatepass")) + ")")
    units = c.encode("utf-16-be", "surrogatepass").hex()
    ways.append("(?i:" + "".join(rf"\\+u{units[i : i + 4]}" for i in range(0, len(units), 4)) + ")")
    if c in _REFERENCES:
        ways.append(rf"\\*&(?:amp;)*{_REFERENCES[c]}")
    if c == " ":
        ways.append(r"\+")
    return f"(?:{'|'.join(ways)})"


_REFERENCES = {"&": "", "<": "lt;", ">": "gt;", '"': "(?:quot|#34);", "'": "(?:#x27|#39|apos);"}
