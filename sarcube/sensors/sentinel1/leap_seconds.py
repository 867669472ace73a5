"""Leap seconds of the Sentinel-1 missions: UTC counts them, differences of UTC texts do not.

An orbit moves 7.6 km in the second that a difference of UTC across one lacks. So state vectors are counted on a
uniform scale (UTC as it went at one instant, which differs from TAI by a constant), and what no TAI vouches for is
refused within a minute of a leap second.
"""

from __future__ import annotations

import numpy as np

# First UTC instant after each leap second, and TAI - UTC from then on, s (IERS Bulletin C 49 and 52; none since).
_STEPS = ((np.datetime64("2015-07-01", "ns"), 36), (np.datetime64("2017-01-01", "ns"), 37))
_BEFORE = 35
NEAR = 60.0  # s


def tai_minus_utc(time: np.datetime64) -> int:
    """Seconds by which TAI is ahead of UTC at a UTC instant since 2012-07-01."""
    return max((offset for step, offset in _STEPS if time >= step), default=_BEFORE)


def leap_second_near(start: np.datetime64, end: np.datetime64, margin: float = NEAR) -> np.datetime64 | None:
    """The first instant after a leap second within `margin` seconds of a span of UTC, or None."""
    reach = np.timedelta64(round(margin * 1e9), "ns")
    return next((step for step, _ in _STEPS if start - reach < step <= end + reach), None)
