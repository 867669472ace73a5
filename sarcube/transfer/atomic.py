"""Files that appear whole or not at all, for all that is no store (which commits in its own way)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

_SCRATCH = ".writing-"
_MINUTE, _DAY = 60.0, 86400.0


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A file to write to; at the end of the block it takes the place of `path`.

    Also while others write the same file, and after an interrupt: then nothing stays, and `path` is as it was.
    """
    with scratch_beside(path) as scratch:
        part = scratch / path.name
        yield part
        part.replace(path)


@contextlib.contextmanager
def scratch_beside(path: Path) -> Iterator[Path]:
    """A hidden folder beside `path`, gone at the end of the block, for what is written on the way to it.

    It may grow as large as the product, and a process that is killed leaves it: the next one to write there removes it.
    """
    for left in path.parent.glob(f"{_SCRATCH}*"):
        _remove_if_dead(left)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=_prefix(), ignore_cleanup_errors=True) as folder:
        handle = os.open(folder, os.O_RDONLY)
        try:
            # Held until the end: a lock says that its process lives. Where the file system has none, nobody can tell.
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield Path(folder)
        finally:
            os.close(handle)


def _prefix() -> str:
    """Of this machine: locks of another may not show here."""
    return f"{_SCRATCH}{zlib.crc32(socket.gethostname().encode()):08x}-"


def _remove_if_dead(left: Path) -> None:
    """Remove a folder whose writer holds no lock on it any more; of another machine, after a day without a change.

    In its first minute a folder is left alone: its lock may be about to be taken.
    """
    try:
        handle = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # gone by now, or another's
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        changed = max(entry.stat().st_mtime for entry in (left, *left.rglob("*")))
        if time.time() - changed > (_MINUTE if left.name.startswith(_prefix()) else _DAY):
            shutil.rmtree(left, ignore_errors=True)
    except OSError:  # locked, or the file system has no locks
        return
    finally:
        os.close(handle)
