"""What reports, plans and progress displays say numbers with; pages and maps come from `sarcube.html`."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from sarcube.html import COLOURS, STYLE, PlaceMap, Shape, card, html_table, page, place_map, wrap
from sarcube.production.said import Said

__all__ = [
    "COLOURS",
    "STYLE",
    "PlaceMap",
    "Shape",
    "card",
    "html_table",
    "page",
    "place_map",
    "said_html",
    "size_text",
    "terminal_width",
    "time_text",
    "wrap",
]


def terminal_width(widest: int = 140) -> int:
    """Columns to write tables in: the terminal's ($COLUMNS), as wide as is of use where there is none."""
    return max(60, min(widest, shutil.get_terminal_size((widest, 24)).columns))


def said_html(heading: str, entries: Sequence[Said]) -> str:
    """A heading and a table of what was said, how often and of whom; empty where nothing was."""
    if not entries:
        return ""
    rows = [
        (s.message, s.count, ", ".join(s.subjects) + (", ..." if s.count > len(s.subjects) else "")) for s in entries
    ]
    number = sum(s.count for s in entries)
    return f"<h2>{heading} ({number})</h2>" + html_table(("what", "times", "of"), rows, (1,))


def size_text(number: float) -> str:
    """Bytes in the unit that reads best."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000.0:
            return f"{number:.3g} {unit}" if number else "0 B"
        number /= 1000.0
    return f"{number:.3g} PB"


def time_text(seconds: float) -> str:
    """A span of time as people say it."""
    if seconds < 90.0:
        return f"{seconds:.0f} s"
    if seconds < 5400.0:
        return f"{seconds / 60.0:.0f} min"
    if seconds < 172_800.0:
        return f"{seconds / 3600.0:.1f} h"
    return f"{seconds / 86_400.0:.1f} days"
