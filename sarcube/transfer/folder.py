"""What was made of a folder's listing, remembered until something in the folder changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
_State = tuple[tuple[str, int, int], ...]
_SETTLED_NS = 2_000_000_000  # a folder that changed since is listed anew: its clock may be too coarse to tell


class Remembered(Generic[T]):
    """One value for each folder. To ask again costs a look at every folder in it, not at every file.

    A folder's time tells of files that come and go. What a file holds only its own time tells: `watched` names those
    files whose content the value depends on.
    """

    def __init__(self, make: Callable[[Path], T], watched: Callable[[Path], bool] = lambda _path: False) -> None:
        self._make, self._watched = make, watched
        self._known: dict[str, tuple[_State, T]] = {}

    def get(self, root: Path) -> T:
        """The value of a folder (or file) as it is now."""
        known = self._known.get(str(root))
        if known is not None and all(_stamp(entry[0]) == entry for entry in known[0]):
            return known[1]
        begun = time.time_ns()
        paths = [root, *(p for p in root.rglob("*") if self._watched(p) or p.is_dir())]
        state = tuple(_stamp(str(path)) for path in paths)
        value = self._make(root)
        if all(modified < begun - _SETTLED_NS for _, modified, _ in state):
            self._known[str(root)] = (state, value)
        else:
            self._known.pop(str(root), None)
        return value


def _stamp(path: str) -> tuple[str, int, int]:
    try:
        status = Path(path).stat()
    except OSError:
        return path, -1, -1
    return path, status.st_mtime_ns, status.st_size
