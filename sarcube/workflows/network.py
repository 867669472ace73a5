"""Units that connect two times, as a plan tells and draws them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Connection:
    """Two times that a workflow makes products of together.

    Attributes
    ----------
    group : str
        What it is a network of: a track.
    first, second : datetime
        UTC.
    days : float
    perpendicular : float, optional
        Baseline in metres, at the middle of what both times have; None where no orbit is known yet.
    units : int
        Products.
    """

    group: str
    first: dt.datetime
    second: dt.datetime
    days: float
    perpendicular: float | None
    units: int
