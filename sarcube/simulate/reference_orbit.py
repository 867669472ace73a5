"""An orbit of the simulator's own: Sentinel-1's reference orbit, put where a place is seen.

In the Earth-fixed frame a sun-synchronous node runs west by exactly one turn a day. Radius and argument of
latitude are those of the frozen orbit; their coefficients were fitted to a real restituted orbit file
(AUX_RESORB of 2023-08-23: residuals 24 m in radius, 52 m along track).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from sarcube.errors import ConfigError
from sarcube.geometry.orbit import Orbit
from sarcube.simulate.swaths import ORBIT_PERIOD
from sarcube.simulate.viewing import ground_point, to_geodetic

INCLINATION = math.radians(98.1818)
_RADIUS = 7_075_396.0  # m
_RADIUS_SIN, _RADIUS_COS2 = -8_265.0, 1_512.5  # m: frozen eccentricity; J2 short period
_PHASE_COS, _PHASE_SIN2 = 2.33692e-3, 9.823e-5  # rad
_MOTION = 2 * math.pi / ORBIT_PERIOD
_NODE_RATE = -2 * math.pi / 86400  # rad/s: Earth rotation less the sun-synchronous node rate


@dataclass(frozen=True)
class ReferenceOrbit:
    """One pass over the Earth; times are seconds since its ascending node.

    Attributes
    ----------
    node_longitude : float
        Longitude of the ascending node, radians.
    radius_offset : float
        Metres added to the reference radius (the orbital tube is about 100 m wide).
    """

    node_longitude: float
    radius_offset: float = 0.0

    def state(self, time: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Earth-fixed position (n, 3) in metres and its exact time derivative in metres per second."""
        m = _MOTION * np.asarray(time, dtype=np.float64)
        u = m + _PHASE_COS * (1 - np.cos(m)) + _PHASE_SIN2 * np.sin(2 * m)
        du = _MOTION * (1 + _PHASE_COS * np.sin(m) + 2 * _PHASE_SIN2 * np.cos(2 * m))
        r = _RADIUS + self.radius_offset + _RADIUS_SIN * np.sin(u) + _RADIUS_COS2 * np.cos(2 * u)
        dr = du * (_RADIUS_SIN * np.cos(u) - 2 * _RADIUS_COS2 * np.sin(2 * u))
        node = self.node_longitude + _NODE_RATE * np.asarray(time, dtype=np.float64)
        ci, si = math.cos(INCLINATION), math.sin(INCLINATION)
        in_plane = np.stack([np.cos(u), ci * np.sin(u), si * np.sin(u)], axis=-1)
        along = np.stack([-np.sin(u), ci * np.cos(u), si * np.cos(u)], axis=-1)
        position = _rotate(r[..., None] * in_plane, node)
        velocity = _rotate(dr[..., None] * in_plane + (r * du)[..., None] * along, node)
        velocity[..., 0] -= _NODE_RATE * position[..., 1]
        velocity[..., 1] += _NODE_RATE * position[..., 0]
        return position, velocity

    def vectors(self, anx: np.datetime64, times: NDArray[np.float64], ahead: float = 0.0) -> Orbit:
        """State vectors at `times` (seconds since the node), rounded as files carry them.

        The orbit's epoch is the whole second before the node. `ahead`: seconds by which they are those of later.
        """
        epoch = anx.astype("datetime64[s]").astype("datetime64[ns]")
        offset = float((anx - epoch) / np.timedelta64(1, "ns")) * 1e-9
        written = np.round(times + offset, 6)
        position, velocity = self.state(written - offset + ahead)
        return Orbit(epoch, written, np.round(position, 6), np.round(velocity, 6))


def _rotate(vector: NDArray[np.float64], angle: NDArray[np.float64]) -> NDArray[np.float64]:
    c, s = np.cos(angle), np.sin(angle)
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    return np.stack([c * x - s * y, s * x + c * y, z], axis=-1)


def place(longitude: float, latitude: float, slant_range: float, direction: str) -> tuple[ReferenceOrbit, float]:
    """The orbit that sees a place to its right at that slant range.

    Parameters
    ----------
    longitude, latitude : float
        Degrees, on the ellipsoid.
    slant_range : float
        Metres.
    direction : str
        "ascending" or "descending".

    Returns
    -------
    orbit : ReferenceOrbit
    time : float
        Zero-Doppler time of the place, seconds since the ascending node, in [0, one period).

    Raises
    ------
    ConfigError
        No right-looking pass sees the place (Sentinel-1 ends near 85 N and 78 S).
    """
    orbit = ReferenceOrbit(0.0)
    quarter = ORBIT_PERIOD / 4
    span = (-quarter, quarter) if direction == "ascending" else (quarter, 3 * quarter)

    def seen(times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        position, velocity = orbit.state(times)
        lon, lat, _ = to_geodetic(ground_point(position, velocity, np.full(times.shape, slant_range)))
        return lon, lat

    times = np.linspace(*span, 721)
    difference = seen(times)[1] - latitude
    change = np.flatnonzero(np.diff(np.sign(difference)) != 0)
    if change.size == 0:
        raise ConfigError(
            f"no {direction} right-looking pass sees latitude {latitude:.2f}; Sentinel-1 images up to about "
            "85 N and 78 S: choose another center or direction"
        )
    i = int(change[0] if direction == "ascending" else change[-1])
    time = float(brentq(lambda t: float(seen(np.array([t]))[1][0]) - latitude, times[i], times[i + 1], xtol=1e-9))
    node = math.radians(longitude - float(seen(np.array([time]))[0][0]))
    placed = replace(orbit, node_longitude=math.remainder(node, 2 * math.pi))
    if time < 0:  # the pass belongs to the revolution that began one period earlier, further east
        time += ORBIT_PERIOD
        placed = replace(placed, node_longitude=placed.node_longitude - _NODE_RATE * ORBIT_PERIOD)
    return placed, time


def beside(orbit: ReferenceOrbit, time: float, slant_range: float, perpendicular: float) -> ReferenceOrbit:
    """The orbit that sees a place across a baseline of that length.

    Parameters
    ----------
    orbit : ReferenceOrbit
    time : float
        Seconds since the node at which `orbit` sees the place.
    slant_range : float
        Metres; the place lies to the right on the ellipsoid.
    perpendicular : float
        Metres along velocity x look (to the left and down); along the look the baseline is zero.
    """
    instant = np.array([time])
    position, velocity = orbit.state(instant)
    place_at = ground_point(position, velocity, np.array([slant_range]))
    look = (place_at - position)[0] / slant_range
    across = np.cross(velocity[0], look)
    across /= np.linalg.norm(across)

    def moved_by(shift: NDArray[np.float64]) -> ReferenceOrbit:
        east, up = float(shift[0]), float(shift[1])
        return replace(
            orbit, node_longitude=orbit.node_longitude + east / 6.378e6, radius_offset=orbit.radius_offset + up
        )

    def baseline(shift: NDArray[np.float64]) -> NDArray[np.float64]:
        moved = moved_by(shift)
        seen = float(time)
        for _ in range(4):
            p, v = moved.state(np.array([seen]))
            later, _ = moved.state(np.array([seen + 1.0]))
            away = float((place_at - p)[0] @ v[0])
            seen += away / float(v[0] @ (later - p)[0])
        p, _ = moved.state(np.array([seen]))
        between = (p - position)[0]
        return np.array([between @ across, between @ look])

    wanted, shift = np.array([perpendicular, 0.0]), np.zeros(2)
    for _ in range(4):
        here = baseline(shift)
        slope = np.stack([baseline(shift + step) - here for step in np.eye(2)], axis=1)
        shift = shift + np.linalg.solve(slope, wanted - here)
    return moved_by(shift)
