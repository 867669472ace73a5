"""Where sources keep what they may need again: indexes, orbit files, downloads. Never the user's data folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from sarcube.transfer.atomic import written_whole


def cache_folder(kind: str, configured: Path | None = None) -> Path:
    """The folder for one kind of cached files, made if absent.

    `configured` wins; then `$SARCUBE_CACHE/<kind>`, `$XDG_CACHE_HOME/sarcube/<kind>`, `~/.cache/sarcube/<kind>`.
    Where that cannot be written (a read-only container), a folder of the system's temporary place is used.
    """
    if configured is not None:
        configured.mkdir(parents=True, exist_ok=True)
        return configured
    if os.environ.get("SARCUBE_CACHE"):
        base = Path(os.environ["SARCUBE_CACHE"])
    elif os.environ.get("XDG_CACHE_HOME"):
        base = Path(os.environ["XDG_CACHE_HOME"]) / "sarcube"
    else:
        base = Path.home() / ".cache" / "sarcube"
    try:
        (base / kind).mkdir(parents=True, exist_ok=True)
        if os.access(base / kind, os.W_OK):
            return base / kind
    except OSError:
        pass  # handled by the way out below: a cache is a convenience
    fallback = Path(tempfile.gettempdir()) / f"sarcube-{os.getuid()}" / kind
    fallback.mkdir(parents=True, exist_ok=True)
    return fallback


def write_atomically(path: Path, data: bytes) -> None:
    """Write a small file whole or not at all, also while others write the same one; for this user alone."""
    with written_whole(path) as part:
        part.touch(mode=0o600)
        part.write_bytes(data)
