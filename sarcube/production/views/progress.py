"""Showing a run while it goes on: a live table in a terminal, a bar in a notebook, plain lines in a log."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, TextIO

from sarcube.production.run.events import Counts, Event, OnEvent
from sarcube.words import size_text, time_text

if TYPE_CHECKING:
    from rich.console import Group

Style = Literal["auto", "live", "notebook", "lines", "none"]
_EVERY_S = 10.0
_RUNNING_SHOWN = 12
_NEWS_SHOWN = 6


@contextlib.contextmanager
def show_progress(style: Style = "auto", stream: TextIO | None = None, *, ending: bool = True) -> Iterator[OnEvent]:
    """A display to hand to `produce(..., on_event=...)`.

    Parameters
    ----------
    style : str
        "auto" chooses: a notebook's bar, a live table where the stream is a terminal, lines elsewhere.
    stream : text file, optional
        Default: standard error.
    ending : bool
        Whether to say at the end how the run went; not where the caller does.
    """
    stream = stream or sys.stderr
    if style == "auto":
        style = "notebook" if _in_notebook() else "live" if stream.isatty() else "lines"
    if style == "none":
        yield lambda _event: None
    elif style == "live":
        with _Live(stream, ending) as live:
            yield live
    elif style == "notebook":
        with _Bar() as bar:
            yield bar
    else:
        yield _Lines(stream, ending)


def counts_text(counts: Counts) -> str:
    """How far a run is, in one line."""
    parts = [f"{counts.finished} of {counts.total}"]
    for number, word in ((counts.failed, "failed"), (counts.blocked, "blocked"), (counts.waiting_retry, "to retry")):
        if number:
            parts.append(f"{number} {word}")
    parts.append(f"{counts.workers} worker{'' if counts.workers == 1 else 's'}")
    if not counts.finished and counts.seconds >= 1:
        parts.append(f"for {time_text(counts.seconds)} now")
    if counts.finished and counts.seconds > 0:
        parts.append(f"{3600.0 * counts.finished / counts.seconds:.0f} per hour")
    if counts.bytes_out:
        parts.append(f"{size_text(counts.bytes_out)} written")
    left = counts.seconds_left
    if left is not None and counts.finished < counts.total:
        parts.append(f"{time_text(left)} left")
    return ", ".join(parts)


def event_text(event: Event) -> str:
    """An event worth a line, empty for the others."""
    name = event.task.key if event.task else ""
    if event.kind == "done" and event.result is not None:
        if event.result.status == "exists":
            return f"{name}: made by another run meanwhile"
        return f"{name}: done in {event.result.seconds:.1f} s"
    if event.kind in ("failed", "blocked", "retry", "worker_lost"):
        return f"{name or event.kind}: {event.kind.replace('_', ' ')}: {event.message}"
    return event.message if event.kind == "note" else ""


class _Lines:
    """For logs: each failure, and now and then how far the run is."""

    def __init__(self, stream: TextIO, ending: bool) -> None:
        self._stream, self._ending, self._last = stream, ending, 0.0

    def __call__(self, event: Event) -> None:
        if event.kind in ("failed", "retry", "worker_lost", "note"):
            self._write(event_text(event))
        elif event.kind == "end":
            self._write(event.message if self._ending else counts_text(event.counts))
        elif time.monotonic() - self._last >= _EVERY_S:
            self._write(counts_text(event.counts))

    def _write(self, text: str) -> None:
        self._last = time.monotonic()
        print(text, file=self._stream, flush=True)


class _Live:
    """For terminals: what each worker does, what happened last, a bar."""

    def __init__(self, stream: TextIO, ending: bool) -> None:
        from rich.console import Console
        from rich.live import Live

        self._ending = ending
        self._running: dict[str, tuple[str, float]] = {}
        self._news: deque[str] = deque(maxlen=_NEWS_SHOWN)
        self._counts = Counts()
        self._live = Live(
            console=Console(file=stream, markup=False, emoji=False), refresh_per_second=4, get_renderable=self._table
        )

    def __enter__(self) -> _Live:
        self._live.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        self._counts = event.counts
        key = event.task.key if event.task else ""
        if event.kind == "start":
            self._running = {k: v for k, v in self._running.items() if v[0] != event.message}
            self._running[key] = (event.message, time.monotonic())
        elif event.kind in ("done", "failed", "retry", "worker_lost"):
            self._running.pop(key, None)
        elif event.kind == "end":
            self._running.clear()
            if self._ending:
                self._news.append(event.message)
        if text := event_text(event):
            self._news.append(text)

    def _table(self) -> Group:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        running = Table(box=None, pad_edge=False)
        for name in ("worker", "task", "since"):
            running.add_column(name, justify="right" if name == "since" else "left")
        now = time.monotonic()
        for key, (worker, since) in list(self._running.items())[:_RUNNING_SHOWN]:
            running.add_row(worker.rsplit("/", 1)[-1], key, time_text(now - since))
        return Group(
            running,
            *(Text(line, overflow="ellipsis", no_wrap=True) for line in self._news),
            ProgressBar(total=max(self._counts.total, 1), completed=self._counts.finished),
            Text(counts_text(self._counts)),
        )


class _Bar:
    """For notebooks: a widget where there are widgets, else a text bar."""

    def __enter__(self) -> _Bar:
        from tqdm.auto import tqdm

        self._bar = tqdm(total=0, unit="task")
        return self

    def __exit__(self, *_exception: object) -> None:
        self._bar.close()

    def __call__(self, event: Event) -> None:
        counts = event.counts
        if self._bar.total != counts.total:
            self._bar.reset(counts.total)
        self._bar.update(counts.finished - self._bar.n)
        self._bar.set_postfix_str(counts_text(counts).split(", ", 1)[1], refresh=event.kind != "tick")
        if event.kind in ("failed", "worker_lost", "note"):
            self._bar.write(event_text(event))


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    instance = shell.get_ipython() if shell else None
    return type(instance).__name__ == "ZMQInteractiveShell"
