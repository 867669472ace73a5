"""Versions of a scene: agencies process an acquisition again, and may then cut it differently."""

from __future__ import annotations

import datetime as dt

from sarcube.instants import utc_time

_NEVER = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
# Slices of one acquisition are processed within hours; a later processing of it comes weeks to years after.
_ONE_PROCESSING = dt.timedelta(days=1)

Version = tuple[dt.datetime, tuple[int, ...]]
"""What orders the versions of one scene: when it was processed (else published), then its IPF."""


def version_of(made: dt.datetime | str | None, ipf_version: str) -> Version:
    """The version of a scene.

    Parameters
    ----------
    made : datetime or str, optional
        When it was processed, or published; as a text that of a manifest, which may say nothing.
    ipf_version : str
        "003.61"; empty where unknown.
    """
    if isinstance(made, str):
        try:
            made = utc_time(made)
        except ValueError:
            made = None
    return made or _NEVER, tuple(int(part) for part in ipf_version.split(".") if part.isdecimal())


def is_later(version: Version, other: Version) -> bool:
    """Whether one version is of a later processing than another; a neighbouring slice of the same one is not."""
    if _NEVER in (version[0], other[0]):
        return bool(version[1] and other[1] and version[1] > other[1])
    apart = version[0] - other[0]
    return apart > _ONE_PROCESSING or (apart > dt.timedelta(0) and bool(other[1]) and version[1] > other[1])
