"""What lies below a folder, and what was made of its listing, remembered until something in the folder changes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
_State = tuple[tuple[str, int, int], ...]
_SETTLED_NS = 2_000_000_000  # a folder that changed since is listed anew: its clock may be too coarse to tell


def walk(
    root: Path, unreadable: Callable[[OSError], None] | None = None
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Every folder at and below `root` with the names of its folders and of its files, both in order.

    Links to folders are followed, as archives are often put together of them; each folder comes once however many
    links lead there, and none that leads back up is taken. As with `os.walk`, what is taken out of the list of folders
    is not entered, and `unreadable` is told of folders that cannot be listed.
    """
    top, seen = root.resolve(), set[tuple[int, int]]()
    for base, folders, files in os.walk(root, onerror=unreadable, followlinks=True):
        folder = Path(base)
        try:
            status = folder.stat()
        except OSError:  # gone since it was listed
            folders.clear()
            continue
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not _leads_up(folder / name, top))
        yield folder, folders, sorted(files)


def files_below(root: Path) -> Iterator[Path]:
    """Every file below a folder, see `walk`."""
    for folder, _, names in walk(root):
        yield from (folder / name for name in names)


def _leads_up(folder: Path, top: Path) -> bool:
    return folder.is_symlink() and top.is_relative_to(folder.resolve())


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
        paths = [] if root.is_dir() else [root]
        for folder, _, names in walk(root):
            paths += [folder, *(path for name in names if self._watched(path := folder / name))]
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
