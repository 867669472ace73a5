"""Burst IDs: ESA's definition (S1-TN-MDA-52-7445 section 9.25) and the way they are written."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from sarcube.errors import SceneError

BEAM_INTERVAL = 2.758273  # s, one cycle of IW bursts (T_beam)
PREAMBLE = 2.299849  # s, T_pre
ORBIT_PERIOD = 12 * 86400 / 175  # s, nominal (T_orb)
BURSTS_PER_CYCLE = 375_887  # of 175 orbits: burst IDs run from 1 to this
# First absolute orbit of relative orbit 1, less one: (absolute - offset) mod 175 + 1. Known from the manifests.
ORBIT_OFFSET = {"S1A": 73, "S1B": 27, "S1C": 172}
# ESA counts the cycle by its middle, that of IW2. From a burst's first sensing time to there, in seconds.
TO_MID_CYCLE = {"IW1": 1.371, "IW2": 0.539, "IW3": -0.539}
_PATTERN = re.compile(r"t(\d{3})[_-](\d{6})[_-]((?:iw|ew)[1-5])", re.IGNORECASE)


@dataclass(frozen=True, order=True)
class BurstId:
    """A burst's fixed place on the Earth: track (relative orbit), ESA's number, swath ("IW1")."""

    track: int
    number: int
    swath: str

    def __str__(self) -> str:
        return f"t{self.track:03d}_{self.number:06d}_{self.swath.lower()}"

    @property
    def file_token(self) -> str:
        """As file names carry it: `T070-149815-IW3`."""
        return f"T{self.track:03d}-{self.number:06d}-{self.swath.upper()}"


def parse_burst_id(text: str) -> BurstId:
    """Read `t070_149815_iw3` or `T070-149815-IW3`."""
    match = _PATTERN.fullmatch(text.strip())
    if match is None:
        raise SceneError(f"{text!r} is not a burst ID; write it like t070_149815_iw3")
    return BurstId(int(match.group(1)), int(match.group(2)), match.group(3).upper())


def relative_orbit(platform: str, absolute_orbit: int) -> int | None:
    """Relative orbit (1 to 175); None for a platform whose offset is not known."""
    offset = ORBIT_OFFSET.get(platform)
    return None if offset is None else (absolute_orbit - offset) % 175 + 1


def esa_burst_number(swath: str, relative_orbit: int, time_since_anx: float) -> int:
    """ESA's burst number, 1 to 375887.

    Parameters
    ----------
    swath : str
        "IW1", "IW2" or "IW3".
    relative_orbit : int
        Of the ascending node that time is counted from.
    time_since_anx : float
        Sensing time of the burst's first line (`sensingTime`), seconds since the ascending node; it may be
        longer than an orbit where the node was crossed on the way.
    """
    elapsed = time_since_anx + TO_MID_CYCLE[swath] + (relative_orbit - 1) * ORBIT_PERIOD
    number = 1 + math.floor((elapsed - PREAMBLE) / BEAM_INTERVAL)
    return (number - 1) % BURSTS_PER_CYCLE + 1


def track_of(number: int) -> int:
    """Relative orbit on which the cycle of a burst number begins: one burst number has one track for ever."""
    start = PREAMBLE + (number - 1) * BEAM_INTERVAL
    return min(175, 1 + math.floor(start / ORBIT_PERIOD))


def esa_burst_id(swath: str, relative_orbit: int, time_since_anx: float) -> BurstId:
    """Burst ID by ESA's definition; see `esa_burst_number`."""
    number = esa_burst_number(swath, relative_orbit, time_since_anx)
    return BurstId(track_of(number), number, swath)
