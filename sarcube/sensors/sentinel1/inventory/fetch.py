"""Scenes of an inventory brought into a folder: few at a time, resumed, checked, and said how far it is."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sarcube.errors import CredentialError, SarcubeError
from sarcube.sensors.sentinel1.inventory.model import Found, Inventory, by_scene
from sarcube.transfer.problem import Problem
from sarcube.transfer.redact import redact
from sarcube.words import several

if TYPE_CHECKING:
    from tqdm import tqdm

_AT_ONCE = 4
_EVERY_S = 10.0  # between lines of progress where nobody watches


@dataclass(frozen=True)
class Fetched:
    """What a download came to.

    Attributes
    ----------
    paths : tuple of Path
        Of the scenes that are there now, in the order of their times.
    already : int
        How many of them were there before.
    problems : tuple of Problem
        Scenes that could not be fetched, and why; the rest is there.
    """

    paths: tuple[Path, ...]
    already: int = 0
    problems: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every scene is there."""
        return not self.problems

    def __str__(self) -> str:
        text = f"{several(len(self.paths), 'scene')} there, {self.already} of them from before"
        return text + (f"; {len(self.problems)} failed" if self.problems else "")


def fetch(inventory: Inventory, folder: Path, progress: bool) -> Fetched:
    """See `Inventory.download`."""
    from sarcube.sensors.sentinel1.search.ensure_scene import fetch_scene

    scenes = {name: found[0] for name, found in by_scene(inventory.found).items()}
    local = {name: Path(one.path) for name, one in scenes.items() if "://" not in one.path}
    before = {name for name in scenes if name in local or (folder / f"{name}.zip").exists()}
    folder.mkdir(parents=True, exist_ok=True)
    total = sum(one.file_size for name, one in scenes.items() if name not in before)
    with (
        _shown(total, len(scenes) - len(before)) if progress else _silent() as show,
        ThreadPoolExecutor(_AT_ONCE) as pool,
    ):

        def one_scene(name: str, found: Found) -> Path | Problem:
            if name in local:
                return local[name]
            try:
                path = fetch_scene(found, folder, inventory.config.source.kind, show.count)
            except CredentialError:
                pool.shutdown(wait=False, cancel_futures=True)  # no further scene would fare better
                raise
            except SarcubeError as error:
                show.say(f"{name}: {error}")
                return Problem(name, str(error), type(error).__name__)
            if name not in before:
                show.finished()
            return path

        running = [pool.submit(one_scene, name, found) for name, found in scenes.items()]
        results = [future.result() for future in running if not future.cancelled() or future.exception()]
    paths = tuple(result for result in results if isinstance(result, Path))
    return Fetched(paths, len(before), tuple(result for result in results if isinstance(result, Problem)))


class _Silent:
    def count(self, number: int) -> None:
        """So many bytes more."""

    def finished(self) -> None:
        """One scene more."""

    def say(self, text: str) -> None:
        """Something that failed."""


@contextmanager
def _silent() -> Iterator[_Silent]:
    yield _Silent()


class _Bar(_Silent):
    """A bar of bytes where somebody watches (also in a notebook), a line now and then in a log."""

    def __init__(self, bar: tqdm[NoReturn], scenes: int) -> None:
        self._bar, self._scenes, self._done, self._lock = bar, scenes, 0, threading.Lock()
        self._write()

    def count(self, number: int) -> None:
        with self._lock:
            self._bar.update(number)

    def finished(self) -> None:
        with self._lock:
            self._done += 1
            self._write()

    def say(self, text: str) -> None:
        self._bar.write(redact(text), file=sys.stderr)

    def _write(self) -> None:
        self._bar.set_description_str(f"{self._done} of {self._scenes} scenes", refresh=False)


@contextmanager
def _shown(total: int, scenes: int) -> Iterator[_Silent]:
    if not scenes:
        yield _Silent()
        return
    from tqdm.auto import tqdm

    rarely = 0.1 if sys.stderr.isatty() else _EVERY_S
    with tqdm(total=total or None, unit="B", unit_scale=True, mininterval=rarely, maxinterval=rarely) as bar:
        yield _Bar(bar, scenes)
