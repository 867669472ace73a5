"""Burst IDs: ESA's definition (DI-MPC-IPFDPM / S1-TN-MDA-52-7445, section 9.25) and the way they are written."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import ConfigError, SceneError

ORBITS_PER_CYCLE = 175
CYCLE = 12 * 86400.0  # s in which the ground track repeats
ORBIT_PERIOD = CYCLE / ORBITS_PER_CYCLE  # T_orb, nominal
BEAM_INTERVAL = {"IW": 2.758273, "EW": 3.038376}  # T_beam, s: one round of all swaths
PREAMBLE = {"IW": 2.299849, "EW": 2.299970}  # T_pre, s
# ESA's burst time is the middle of the round, in IW2 (EW3). Seconds from a burst's first sensing time to there, from
# the constant order and length of the beams; the 261 annotated IW bursts at hand lie within 0.02 of a round's middle.
TO_MID_ROUND = {
    "IW1": 1.371, "IW2": 0.539, "IW3": -0.539,
    "EW1": 1.548, "EW2": 0.865, "EW3": 0.306, "EW4": -0.306, "EW5": -0.871,
}  # fmt: skip
# Relative orbit = (absolute orbit - offset) mod 175 + 1, as manifests have it. Sentinel-1C moved in June 2026; its
# last acquisition before that has orbit 8018.
ORBIT_OFFSET = {"S1A": 73, "S1B": 27, "S1C": 172, "S1D": 42}
S1C_LAST_BEFORE_MOVE, S1C_OFFSET_AFTER_MOVE = 8018, 99
# Longitude, fixed to the Earth, of the ascending node that begins relative orbit 1: 0.146 +- 0.007 degrees over ten
# scenes of eight tracks; neighbouring tracks are 2.06 degrees apart.
FIRST_NODE_LONGITUDE = 0.146
EARTH_RATE = 7.2921151467e-5  # rad/s (WGS 84)
# s: eccentricity (2 e T / 2 pi = 2.2 s, perigee over the north) and the Earth's flattening, fitted to orbit files and
# annotated node times of 2014 to 2025.
FROZEN_ORBIT = (2.237, -2.222, 0.092)
# m: its distance from the Earth's centre by argument of latitude u: constant, sin u, cos 2u; orbit files of 2014 to
# 2023 keep within 270 m.
FROZEN_RADIUS = (7_075_361.0, -8_325.0, 1_524.0)
OFF_RADIUS = 700.0
ANX_TOLERANCE = 0.5  # s; annotated node times are good to 0.1 s, but for some of before 2022 that are seconds off
OFF_TRACK = 60.0  # s: further from the reference ground track than this, the geometry says nothing about the orbit
FEW_ORBITS, ON_TRACK = 2, 6.0  # orbits that an annotation may be off; s: on the reference track, with 5 of the time
SEAM = 120.0  # s for which an acquisition that began in orbit 175 keeps its own count into orbit 1

_BURST_ID = re.compile(r"t(\d{1,3})[-_](\d{1,6})[-_](iw[1-3]|ew[1-5])", re.IGNORECASE)


@dataclass(frozen=True, order=True)
class BurstId:
    """A burst's fixed place on the Earth: track (relative orbit), ESA's number, swath ("IW1")."""

    track: int
    number: int
    swath: str

    def __str__(self) -> str:
        return f"t{self.track:03d}_{self.number:06d}_{self.swath.lower()}"

    @classmethod
    def parse(cls, text: str) -> BurstId:
        """From `t070_149815_iw3`, or `T070-149815-IW3` as file names have it, zeros in front left out or not.

        Raises
        ------
        ConfigError
            The text is no burst ID.
        """
        match = _BURST_ID.fullmatch(text.strip())
        if not match:
            raise ConfigError(f"`{text}` is not a burst ID; one looks like t070_149815_iw3")
        return cls(int(match[1]), int(match[2]), match[3].upper())


def relative_orbit(platform: str, absolute_orbit: int) -> int | None:
    """Relative orbit (1 to 175) of an absolute one; None for a platform that is not known here."""
    offset = ORBIT_OFFSET.get(platform)
    if platform == "S1C" and absolute_orbit > S1C_LAST_BEFORE_MOVE:
        offset = S1C_OFFSET_AFTER_MOVE
    return None if offset is None else (absolute_orbit - offset) % ORBITS_PER_CYCLE + 1


def rounds_per_cycle(mode: str) -> int:
    """Burst numbers run from 1 to this: 375887 for IW."""
    return 1 + math.floor((CYCLE - PREAMBLE[mode]) / BEAM_INTERVAL[mode])


def track_of(number: int, mode: str = "IW") -> int:
    """Relative orbit in which a burst's round begins, so that one burst number has one track for ever.

    It agrees with the first and last burst number of every track in ESA's burst ID map.
    """
    start = PREAMBLE[mode] + (number - 1) * BEAM_INTERVAL[mode]
    return min(ORBITS_PER_CYCLE, 1 + math.floor(start / ORBIT_PERIOD))


def esa_burst_id(swath: str, relative_orbit: int, time_since_anx: float) -> BurstId:
    """Burst ID by ESA's definition.

    Parameters
    ----------
    swath : str
        "IW1" ... "EW5".
    relative_orbit : int
        Of the ascending node that time is counted from.
    time_since_anx : float
        Sensing time of the burst's first line (`sensingTime`), seconds since that node; longer than an orbit
        where the node was passed on the way.
    """
    mode = swath[:2]
    elapsed = time_since_anx + TO_MID_ROUND[swath] + (relative_orbit - 1) * ORBIT_PERIOD
    if elapsed > CYCLE + SEAM:
        elapsed -= CYCLE  # counted from a node of the cycle before
    number = 1 + math.floor((elapsed - PREAMBLE[mode]) / BEAM_INTERVAL[mode])
    number = (number - 1) % rounds_per_cycle(mode) + 1
    return BurstId(track_of(number, mode), number, swath)


class CycleTime(NamedTuple):
    """Where in the 12-day cycle an instant lies.

    Attributes
    ----------
    relative_orbit : int
    time : float
        Seconds since that orbit's ascending node.
    exact : bool
        `time` is good to 0.12 s: the platform flies Sentinel-1's frozen orbit. Else to 5 s.
    off : float
        Seconds between the reference ground track's passing there and the platform's: how sure the orbit is.
    """

    relative_orbit: int
    time: float
    exact: bool
    off: float = 0.0


def cycle_time(position: NDArray[np.float64], velocity: NDArray[np.float64]) -> CycleTime:
    """Relative orbit and time since its ascending node, told by a state vector alone.

    The platform is kept within 120 m of a ground track that repeats every 175 orbits, so that where it is tells
    when in the cycle it is. Sun-synchronous: the node moves west by exactly 360 degrees a day. Its orbit is frozen, so
    that the time by the argument of latitude departs from a circular orbit's by the same harmonics in every revolution.

    Parameters
    ----------
    position, velocity : (3,) float64
        Earth-fixed, metres and metres per second.

    Raises
    ------
    SceneError
        The state vector lies between the tracks: the platform was not on its reference orbit.
    """
    inertial = velocity + np.cross([0.0, 0.0, EARTH_RATE], position)
    normal = np.cross(position, inertial)
    node = np.array([-normal[1], normal[0], 0.0]) / np.hypot(normal[0], normal[1])
    across = np.cross(normal / np.linalg.norm(normal), node)
    phase = math.atan2(float(position @ across), float(position @ node)) % (2 * math.pi)
    time = phase / (2 * math.pi) * ORBIT_PERIOD
    radius = float(np.dot(FROZEN_RADIUS, [1.0, math.sin(phase), math.cos(2 * phase)]))
    exact = abs(float(np.linalg.norm(position)) - radius) < OFF_RADIUS
    if exact:
        time -= float(np.dot(FROZEN_ORBIT, [1.0, math.cos(phase), math.sin(2 * phase)]))
    longitude = math.degrees(math.atan2(node[1], node[0]))
    of_day = (FIRST_NODE_LONGITUDE - longitude) % 360.0 * 240.0  # cycle time modulo one day
    orbits = np.arange(ORBITS_PER_CYCLE)
    off = (time + orbits * ORBIT_PERIOD - of_day + 43200.0) % 86400.0 - 43200.0
    best = int(np.argmin(np.abs(off)))
    if abs(off[best]) > OFF_TRACK:
        raise SceneError(f"the platform is {off[best]:.0f} s off its reference ground track")
    return CycleTime(best + 1, time, exact, float(off[best]))


def corrected_elapsed(elapsed: float, seen: CycleTime) -> float:
    """Time since the node as annotated, or as the state vector tells where the two are more than 0.5 s apart.

    A burst lasts 2.76 s: an annotated node time that is seconds off would name a neighbour.

    Parameters
    ----------
    elapsed : float
        Seconds since the annotated ascending node, at any instant.
    seen : CycleTime
        Of the same instant.
    """
    apart = (seen.time - elapsed + ORBIT_PERIOD / 2) % ORBIT_PERIOD - ORBIT_PERIOD / 2  # nodes may be orbits apart
    return elapsed if abs(apart) <= ANX_TOLERANCE or not seen.exact else elapsed + apart


def settle_orbit(relative_orbit: int, time_since_anx: float, seen: CycleTime) -> int:
    """Relative orbit of the node that time is counted from, where annotation and geometry may be orbits apart.

    Some annotations count from a node more than an orbit ago, some carry the next orbit's number: the two together
    are ambiguous by whole orbits, which `seen`, the answer of `cycle_time` for the same instant, settles. A platform on
    its way to the reference track passes near one of the 175 by chance: what is told is not moved far for that.
    """
    told = (relative_orbit - 1) * ORBIT_PERIOD + time_since_anx
    true = (seen.relative_orbit - 1) * ORBIT_PERIOD + seen.time
    apart = (true - told + CYCLE / 2) % CYCLE - CYCLE / 2
    orbits = round(apart / ORBIT_PERIOD)
    if abs(orbits) > FEW_ORBITS and abs(seen.off) > ON_TRACK:
        return relative_orbit
    return (relative_orbit - 1 + orbits) % ORBITS_PER_CYCLE + 1
