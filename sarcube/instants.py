"""Instants as texts: one way to read them all, with their offset from UTC where they state one."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np

_INSTANT = re.compile(
    r"(?:UTC=)?(?P<day>\d{4}-?\d\d-?\d\d)(?:[T ](?P<clock>\d\d:?\d\d(?::?\d\d)?)(?:[.,](?P<fraction>\d{1,12}))?)?"
    r"\s*(?P<offset>Z|UTC|[+-]\d\d(?::?\d\d)?)?",
    re.IGNORECASE,
)


def utc_time(text: str) -> dt.datetime:
    """A text as UTC, cut to whole microseconds; without an offset it is UTC already.

    >>> utc_time("2024-05-01T18:00:00+02:00").isoformat()
    '2024-05-01T16:00:00+00:00'

    Raises
    ------
    ValueError
        It is no instant.
    """
    whole, fraction = _parts(text)
    return whole + dt.timedelta(microseconds=fraction // 1000)


def utc_ns(text: str) -> np.datetime64:
    """The same to the nanosecond, as ESA's and NASA's files have it; ValueError where it is no instant."""
    whole, fraction = _parts(text)
    instant: np.datetime64 = np.datetime64(whole.replace(tzinfo=None), "ns") + np.timedelta64(fraction, "ns")
    return instant


def states_offset(text: str) -> bool:
    """Whether a text is an instant that names its offset from UTC, which no day, month or year does."""
    match = _INSTANT.fullmatch(text.strip())
    return bool(match and match["clock"] and match["offset"])


def _parts(text: str) -> tuple[dt.datetime, int]:
    """The whole second, UTC, and nanoseconds beyond it."""
    match = _INSTANT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text[:40]!r} is no instant like 2024-05-01T18:00:00Z")
    digits = match["day"].replace("-", "") + (match["clock"] or "").replace(":", "").ljust(6, "0")
    moment = dt.datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=dt.UTC)
    offset = (match["offset"] or "").replace(":", "")
    if offset[:1] in ("+", "-"):
        hours, minutes = int(offset[1:3]), int(offset[3:] or 0)
        if hours > 23 or minutes > 59:
            raise ValueError(f"{text[:40]!r} has no offset from UTC that a clock can have")
        try:
            moment -= dt.timedelta(hours=hours, minutes=minutes) * (-1 if offset[0] == "-" else 1)
        except OverflowError as error:
            raise ValueError(f"{text[:40]!r} is out of range") from error
    return moment, int((match["fraction"] or "").ljust(9, "0")[:9] or 0)
