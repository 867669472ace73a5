"""Numbers as people say them: sizes, spans of time, how many of something."""

from __future__ import annotations

import shutil


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


def several(number: int, what: str, plural: str = "") -> str:
    """`1 item`, `2 items`; `plural` where it is more than an s."""
    return f"{number} {what if number == 1 else plural or f'{what}s'}"


def terminal_width(widest: int = 140) -> int:
    """Columns to write tables in: the terminal's ($COLUMNS), as wide as is of use where there is none."""
    return max(60, min(widest, shutil.get_terminal_size((widest, 24)).columns))
