"""The log of a run: what happened, line by line, and the warnings that belong to no task."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import warnings
from collections.abc import Iterator
from typing import TextIO

from sarcube.production.run.events import Event

_MOST = 20_000_000  # letters; then only what went wrong
_OURS = "sarcube"
_WRONG = ("failed", "blocked", "retry", "worker_lost")


class RunLog(logging.Handler):
    """Collects lines while a run goes on, in memory: a store may be one that cannot be appended to.

    Attributes
    ----------
    said : list of (str, str)
        Warnings of this process, as (where, text).
    size : int
        Letters so far.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.said: list[tuple[str, str]] = []
        self.size = 0
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """A line of Python's logging."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError):  # whoever wrote it miscounted its arguments
            text = str(record.msg)
        self.add(f"{record.levelname.lower()} {record.name}: {text}", wrong=record.levelno >= logging.WARNING)
        if record.levelno >= logging.WARNING and record.name.split(".")[0] == _OURS:
            self.said.append(("this run", text))

    def hear(self, event: Event) -> None:
        """An event of the run."""
        if event.kind in ("start", "done", "note", "end", *_WRONG):
            name = f" {event.task.key}" if event.task else ""
            took = f" in {event.result.seconds:.1f} s" if event.kind == "done" and event.result else ""
            said = f": {event.message}" if event.message else ""
            self.add(f"{event.kind}{name}{took}{said}", wrong=event.kind in _WRONG)

    def add(self, text: str, *, wrong: bool = False) -> None:
        """A line, with the time before it; further lines of the same text are indented."""
        if self.size > _MOST and not wrong:
            return
        line = f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ} " + text.replace("\n", "\n    ")
        self._lines.append(line)
        self.size += len(line) + 1

    def text(self) -> str:
        """All of it."""
        return "\n".join(self._lines) + "\n"


@contextlib.contextmanager
def listening(log: RunLog) -> Iterator[RunLog]:
    """Hear what is logged and warned of in this process; it is said elsewhere as it was before.

    The levels of loggers stay: what a program does not want logged is not in the run's log either.
    """
    before = warnings.showwarning

    def heard(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        log.add(f"warning: {message}", wrong=True)
        if category.__module__.split(".")[0] == _OURS:
            log.said.append(("this run", str(message)))
        before(message, category, filename, lineno, file, line)

    root = logging.getLogger()
    root.addHandler(log)
    warnings.showwarning = heard
    try:
        yield log
    finally:
        root.removeHandler(log)
        if warnings.showwarning is heard:
            warnings.showwarning = before
