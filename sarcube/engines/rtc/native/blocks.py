"""A window of radar cells, and the blocks of lines in which it is worked through.

What a block needs is a small part of what a burst would, stays near the processor, and belongs to one thread. How a
window is divided does not depend on the number of threads, and so neither does any result.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

BLOCK_LINES = 256  # fewer mean more nodes that two blocks place, more take memory (80 MB a thread)
TALL_BLOCK_LINES = 512  # where lines are short or many: of a block's rows more nodes lie within it


@dataclass(frozen=True)
class Window:
    """A rectangle of radar cells, in lines and samples of the burst (may reach beyond it)."""

    first_line: int
    first_sample: int
    lines: int
    samples: int

    @property
    def limits(self) -> tuple[float, float, float, float]:
        """First and last line, first and last sample that can touch a cell, for `mapping.column_bounds`."""
        line, sample = self.first_line, self.first_sample
        return line - 1.0, line + self.lines + 1.0, sample - 1.0, sample + self.samples + 1.0


class Place(NamedTuple):
    """Where a block's cells lie and which pixels are its own, in the form that kernels take.

    Attributes
    ----------
    line, sample : int
        Of the burst, where the cells begin.
    samples : int
    first, stop : float
        Lines of the block, counted from `line`, on which its pixels begin.
    limits : (float, float, float, float)
        See `Window.limits`.
    """

    line: int
    sample: int
    samples: int
    first: float
    stop: float
    limits: tuple[float, float, float, float]


@dataclass(frozen=True)
class Block:
    """Some lines of a window.

    Attributes
    ----------
    window : Window
        The block's cells, those included that its last pixels reach into.
    first, stop : float
        Pixels whose polygon begins on lines [first, stop) of the burst are the block's; the outer blocks' go on for
        ever.
    """

    window: Window
    first: float
    stop: float

    @property
    def place(self) -> Place:
        """The block as kernels take it."""
        window, line = self.window, self.window.first_line
        first, stop = float(self.first - line), float(self.stop - line)
        return Place(line, window.first_sample, window.samples, first, stop, window.limits)


def blocks(window: Window, reach: int, lines: int | None = None) -> list[Block]:
    """Blocks of so many lines of a window (by default `BLOCK_LINES`), with `reach` lines of the next one in each."""
    end = window.first_line + window.lines
    edges = [*range(window.first_line, end, lines or BLOCK_LINES), end]
    out = []
    for first, stop in pairwise(edges):
        cells = Window(first, window.first_sample, min(stop + reach, end) - first, window.samples)
        out.append(Block(cells, -math.inf if first == window.first_line else first, math.inf if stop == end else stop))
    return out


def each_block(todo: list[Block], work: Callable[[Block], None], threads: int) -> None:
    """Call `work` for every block, on some threads; the first error ends it."""
    if threads <= 1 or len(todo) == 1:
        for block in todo:
            work(block)
        return
    with ThreadPoolExecutor(min(threads, len(todo))) as pool:
        waiting = [pool.submit(work, block) for block in todo]
        try:
            for future in waiting:
                future.result()
        finally:
            for future in waiting:
                future.cancel()
