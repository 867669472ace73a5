"""Ranges of days as people write them: a year, a month, a day, or two of these."""

from __future__ import annotations

import datetime as dt
import re

from sarcube.errors import ConfigError

_INTERVAL = re.compile(r"(\d{4}(?:-\d\d){0,2}|\d{8})/(\d{4}(?:-\d\d){0,2}|\d{8})")
_COMPACT = re.compile(r"\d{8}")


def parse_days(text: str) -> tuple[str, str] | None:
    """First and last day from `2024`, `2024-05`, `2024-05-01` or two of them; None for an empty text.

    Two are parted by a comma, a blank, or a slash as ISO 8601 has it.

    Raises
    ------
    ConfigError
        Not a year, month or day.
    """
    interval = _INTERVAL.fullmatch(text.strip())
    parts = list(interval.groups()) if interval else text.replace(",", " ").split()
    if not parts:
        return None
    if len(parts) > 2:
        raise ConfigError(f"{text!r} are no dates: give one (2024, 2024-05, 2024-05-01), or the first and the last")
    first, last = span(parts[0])[0], span(parts[-1])[1]
    if first > last:
        raise ConfigError(f"the first date {first} is after the last {last}")
    return first.isoformat(), last.isoformat()


def span(text: str) -> tuple[dt.date, dt.date]:
    """First and last day of a year, a month or a day; ConfigError names what is none of them."""
    whole = text.strip()
    pieces = [whole[:4], whole[4:6], whole[6:]] if _COMPACT.fullmatch(whole) else whole.split("-")
    try:
        numbers = [int(piece) for piece in pieces]
        if len(numbers) == 1:
            return dt.date(numbers[0], 1, 1), dt.date(numbers[0], 12, 31)
        if len(numbers) == 2:
            year, month = numbers
            following = dt.date(year + month // 12, month % 12 + 1, 1)
            return dt.date(year, month, 1), following - dt.timedelta(days=1)
        return (dt.date(*numbers),) * 2
    except (ValueError, TypeError, OverflowError) as error:
        raise ConfigError(f"{text[:40]!r} is no date: write 2024, 2024-05 or 2024-05-01") from error
