"""Downloads that survive: resumed where they stopped, checked, whole or absent, few at a time.

A download goes into `<name>.part` and gets its name only when size and checksum are right. A lock file lets
one process fetch a scene while others that need it wait, so that ten bursts of a scene cost one download.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sarcube.errors import SourceError, TransferError
from sarcube.transfer.http import attempts, pause, request, torn
from sarcube.transfer.redact import redact
from sarcube.transfer.sessions import session_for

log = logging.getLogger(__name__)

_CHUNK = 128 << 10  # bytes: what is lost of a chunk that is torn
_AT_ONCE = 4  # CDSE answers 429 to a fifth connection


@dataclass(frozen=True)
class Expected:
    """What a download must be.

    Attributes
    ----------
    size : int
        Bytes; 0 where unknown.
    checksum : str
        "md5:..." or "sha256:..."; empty where unknown.
    """

    size: int = 0
    checksum: str = ""


def download(
    address: str, target: Path, expected: Expected = Expected(), came: Callable[[int], None] | None = None
) -> Path:
    """Fetch one file, going on where an earlier try stopped.

    Parameters
    ----------
    address : str
    target : Path
    expected : Expected
    came : callable, optional
        Told how many bytes came, what an earlier try left first; a negative number where it was of no use.

    Raises
    ------
    SourceError
        The server has not what was asked, or keeps sending something else than announced.
    TransferError
        It kept breaking off without getting further.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.with_name(f".{target.name}.lock")):
        if target.exists():  # another process was quicker
            return target
        part = target.with_name(f"{target.name}.part")
        came = came or _nobody
        came(part.stat().st_size if part.exists() else 0)
        _fill(address, part, expected, came)
        wrong = _difference(part, expected)
        if wrong:
            # What was resumed may be of another version: once more from the start, then give up.
            log.warning("%s: %s; fetched again", redact(address), wrong)
            came(-part.stat().st_size)
            part.unlink()
            _fill(address, part, expected, came)
            wrong = _difference(part, expected)
        if wrong:
            part.unlink()
            raise TransferError(f"{redact(address)}: {wrong}; what comes is damaged on the way, try again later")
        part.replace(target)
        _note(part).unlink(missing_ok=True)
    return target


def _nobody(number: int) -> None:
    """Nobody watches."""


def _fill(address: str, part: Path, expected: Expected, came: Callable[[int], None]) -> None:
    """Append to the part file until the server has no more; failures count only while nothing comes."""
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _append(address, part, expected, came):
                return
            raise TransferError(f"{redact(address)}: the connection ended early")
        except TransferError as error:
            after = part.stat().st_size if part.exists() else 0
            failures = 1 if after > before else failures + 1
            if failures >= attempts():
                raise
            log.info("%s; going on at byte %d", error, after)
            time.sleep(min(pause() * 2**failures, 30.0))


def _append(address: str, part: Path, expected: Expected, came: Callable[[int], None]) -> bool:
    """One request; True when the file is complete."""
    import requests
    import urllib3

    have = part.stat().st_size if part.exists() else 0
    if expected.size and have == expected.size:
        return True
    headers = {"Accept-Encoding": "identity"}
    tag = _read_note(part)
    if have and not (tag or expected.checksum):
        have = 0  # nothing would tell whether the rest is of the same version
    if have:
        headers |= {"Range": f"bytes={have}-"} | ({"If-Range": tag} if tag else {})
    try:
        answer = request("GET", address, session=session_for(address), headers=headers, stream=True)
    except SourceError as error:
        if have and "(416)" in str(error):  # longer than what the server has: not the same file
            came(-have)
            part.unlink()
            raise TransferError(f"{redact(address)}: changed on the server") from None
        raise
    with answer:
        resumed = answer.status_code == 206
        start = _range_start(answer.headers.get("Content-Range", "")) if resumed else 0
        if start != (have if resumed else 0):
            raise SourceError(f"{redact(address)}: the server answered with another range than asked")
        total = start + int(answer.headers.get("Content-Length") or 0)
        _check_room(part, total - start)
        now = answer.headers.get("ETag" if tag.startswith('"') else "Last-Modified") or tag
        if resumed and tag and now != tag:  # some servers send the rest all the same
            came(-have)
            part.unlink()
            raise TransferError(f"{redact(address)}: changed on the server")
        _write_note(part, answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")
        if not resumed and part.exists():
            came(-part.stat().st_size)
        with part.open("ab" if resumed else "wb") as file:
            try:
                for chunk in answer.iter_content(_CHUNK):
                    file.write(chunk)
                    came(len(chunk))
            except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
                    raise SourceError(f"{part} cannot be written: {error.strerror}; free some room") from error
                raise torn(address, error, ": {} while reading") from None
        size = part.stat().st_size
        return size >= total if answer.headers.get("Content-Length") else True


def _range_start(text: str) -> int:
    first = text.removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdigit() else -1


def _check_room(part: Path, wanted: int) -> None:
    status = os.statvfs(part.parent)
    free = status.f_bavail * status.f_frsize
    if wanted > free:
        raise SourceError(
            f"{part.parent} has {free / 1e9:.1f} GB free and {wanted / 1e9:.1f} GB are to come; free some room or "
            "set source.cache to another folder"
        )


def _difference(part: Path, expected: Expected) -> str:
    """What is wrong with a complete download; empty if nothing is."""
    size = part.stat().st_size
    if expected.size and size != expected.size:
        return f"{size} bytes came instead of {expected.size}"
    kind, _, digest = expected.checksum.partition(":")
    if digest:
        with part.open("rb") as file:
            got = hashlib.file_digest(file, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()
        if got != digest.lower():
            return f"its {kind} is {got} instead of {digest.lower()}"
    return ""


def _note(part: Path) -> Path:
    return part.with_name(f".{part.name}.json")


def _read_note(part: Path) -> str:
    try:
        return str(json.loads(_note(part).read_text())["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _write_note(part: Path, version: str) -> None:
    # A weak tag promises meaning, not bytes: it must not be used for resuming (RFC 9110, 13.1.5).
    _note(part).write_text(json.dumps({"version": "" if version.startswith("W/") else version}))


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def download_once(
    address: str, target: Path, expected: Expected = Expected(), came: Callable[[int], None] | None = None
) -> Path:
    """A file that is kept: what is there is taken, and of many processes few fetch at a time. Else as `download`."""
    if not target.exists():
        with download_slot(target.parent):
            download(address, target, expected, came)
    return target


@contextlib.contextmanager
def download_slot(folder: Path) -> Iterator[None]:
    """Hold one of the few places for downloads into a folder, across the processes of a machine."""
    places = max(1, int(os.environ.get("SARCUBE_DOWNLOADS", str(_AT_ONCE))))
    while True:
        for place in range(places):
            file = (folder / f".place-{place}.lock").open("w")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                continue
            with file:
                yield
            return
        time.sleep(0.2)
