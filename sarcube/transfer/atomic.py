"""Files that appear whole or not at all, for all that is no store (which commits in its own way)."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; at the end of the block it takes the place of `path`.

    Also while others write the same file, and after an interrupt: then nothing stays, and `path` is as it was.
    """
    part = path.with_name(f".{path.name[:120]}.{secrets.token_hex(6)}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
