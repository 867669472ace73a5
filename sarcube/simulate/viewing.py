"""Where the radar sees a point: the simulator's own geometry, apart from `sarcube.geometry`.

An echo that is made and processed with the same geometry code would hide that code's errors. What stands here is
therefore written independently: closed equations for right-looking zero Doppler, and a polynomial orbit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import OrbitError
from sarcube.geometry.orbit import Orbit

_A = 6_378_137.0  # WGS 84 (NIMA TR8350.2)
_F = 1 / 298.257223563
_B = _A * (1 - _F)
_E2 = _F * (2 - _F)

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Track:
    """A polynomial orbit around one burst: position, velocity and acceleration at any time near it.

    Attributes
    ----------
    middle, half : float
        Times are scaled by (t - middle) / half; seconds since the orbit's epoch.
    coefficients : (degree + 1, 3) float64
        Position in metres, ascending powers of the scaled time.
    """

    middle: float
    half: float
    coefficients: Array

    def state(self, time: Array) -> tuple[Array, Array, Array]:
        """Position, velocity, acceleration, each (..., 3)."""
        x = (np.asarray(time) - self.middle) / self.half
        out: list[Array] = []
        c: Array = self.coefficients
        for order in range(3):
            out.append(
                np.asarray(np.moveaxis(np.polynomial.polynomial.polyval(x, c), 0, -1) / self.half**order, np.float64)
            )
            c = np.asarray(np.polynomial.polynomial.polyder(c), np.float64)
        return out[0], out[1], out[2]


def fit_track(orbit: Orbit, first: float, last: float, vectors: int = 9) -> Track:
    """Fit the state vectors around [first, last] (seconds since the orbit's epoch), positions and velocities.

    Raises
    ------
    OrbitError
        The vectors do not enclose the burst.
    """
    if orbit.time.size < 4 or orbit.time[0] > first or orbit.time[-1] < last:
        raise OrbitError(
            f"the orbit's {orbit.time.size} state vectors do not cover the burst "
            f"({first:.1f} s to {last:.1f} s after {orbit.epoch}); give an orbit file that does"
        )
    near = np.sort(np.argsort(np.abs(orbit.time - (first + last) / 2), kind="stable")[:vectors])
    time = orbit.time[near]
    middle, half = float((time[0] + time[-1]) / 2), float((time[-1] - time[0]) / 2)
    x = (time - middle) / half
    degree = min(9, 2 * near.size - 3)
    powers = np.arange(degree + 1)
    values = x[:, None] ** powers
    slopes = np.where(powers > 0, powers * x[:, None] ** np.maximum(powers - 1, 0), 0.0) / half
    # Velocity weighted by a ten-second step, so that both kinds of rows count alike.
    design = np.concatenate([values, 10 * slopes])
    target = np.concatenate([orbit.position[near], 10 * orbit.velocity[near]])
    coefficients, *_ = np.linalg.lstsq(design, target, rcond=None)
    return Track(middle, half, coefficients)


def normal(lon: Array, lat: Array) -> Array:
    """Outward unit normal of the ellipsoid, (..., 3); degrees in."""
    lam, phi = np.radians(lon), np.radians(lat)
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)


def to_ecef(lon: Array, lat: Array, height: Array | float) -> Array:
    """Geodetic degrees and metres to Earth-fixed metres, (..., 3)."""
    n = normal(lon, lat)
    prime = _A / np.sqrt(1 - _E2 * n[..., 2] ** 2)
    scale = np.stack([prime + height, prime + height, prime * (1 - _E2) + height], axis=-1)
    return n * scale


def to_geodetic(xyz: Array) -> tuple[Array, Array, Array]:
    """Earth-fixed metres to longitude, latitude in degrees and height in metres (Bowring 1976, iterated)."""
    x, y, z = xyz[..., 0], xyz[..., 1], xyz[..., 2]
    p = np.hypot(x, y)
    beta = np.arctan2(z * _A, p * _B)
    ep2 = _E2 / (1 - _E2)
    phi = beta
    for _ in range(3):
        phi = np.arctan2(z + ep2 * _B * np.sin(beta) ** 3, p - _E2 * _A * np.cos(beta) ** 3)
        beta = np.arctan((1 - _F) * np.tan(phi))
    prime = _A / np.sqrt(1 - _E2 * np.sin(phi) ** 2)
    height = p * np.cos(phi) + z * np.sin(phi) - _A**2 / prime
    return np.degrees(np.arctan2(y, x)), np.degrees(phi), height


def ground_point(position: Array, velocity: Array, slant_range: Array, height: Array | float = 0.0) -> Array:
    """The point to the right at that slant range and ellipsoidal height, in the zero-Doppler plane.

    Newton's method on range, Doppler and height, from a spherical first guess.

    Parameters
    ----------
    position, velocity : (..., 3)
        Platform, Earth-fixed.
    slant_range : (...)
    height : (...) or float

    Returns
    -------
    (..., 3), NaN where the slant range does not reach the ground.
    """
    r = np.linalg.norm(position, axis=-1)
    down = -position / r[..., None]
    forward = velocity / np.linalg.norm(velocity, axis=-1)[..., None]
    right = np.cross(forward, -down)
    right /= np.linalg.norm(right, axis=-1)[..., None]
    nadir = np.cross(right, forward)
    nadir *= np.sign(np.sum(nadir * down, axis=-1))[..., None]
    height = np.broadcast_to(np.asarray(height, dtype=np.float64), slant_range.shape)
    sine = position[..., 2] / r
    radius = _A * (1 - _F * sine**2) + height
    cosine = (r**2 + slant_range**2 - radius**2) / (2 * r * slant_range)
    with np.errstate(invalid="ignore"):
        look = np.arccos(np.where(np.abs(cosine) < 1, cosine, np.nan))
    point: Array = position + slant_range[..., None] * (
        np.cos(look)[..., None] * nadir + np.sin(look)[..., None] * right
    )
    for _ in range(8):
        lon, lat, h = to_geodetic(point)
        d = point - position
        residual = np.stack(
            [np.sum(d * d, axis=-1) - slant_range**2, np.sum(d * velocity, axis=-1), h - height], axis=-1
        )
        jacobian = np.stack([2 * d, velocity, normal(lon, lat)], axis=-2)
        bad = ~np.isfinite(residual).all(axis=-1)
        jacobian[bad] = np.eye(3)
        step = np.linalg.solve(jacobian, np.where(bad[..., None], 0.0, residual)[..., None])[..., 0]
        point = point - step
        if not np.any(np.abs(step) > 1e-7):
            break
    return point


def radar_coordinates(track: Track, xyz: Array, first_guess: Array | float) -> tuple[Array, Array]:
    """Zero-Doppler time (seconds since the orbit's epoch) and slant range of points (..., 3)."""
    time = np.broadcast_to(np.asarray(first_guess, dtype=np.float64), xyz.shape[:-1]).copy()
    for _ in range(10):
        p, v, a = track.state(time)
        d = xyz - p
        step = np.sum(d * v, axis=-1) / (np.sum(d * a, axis=-1) - np.sum(v * v, axis=-1))
        time = time - step
        if not np.any(np.abs(step) > 1e-12):
            break
    return time, np.linalg.norm(xyz - track.state(time)[0], axis=-1)


def angles(track: Track, xyz: Array, time: Array) -> tuple[Array, Array]:
    """Incidence angle on the ellipsoid normal, and off-nadir angle at the platform, degrees."""
    position = track.state(time)[0]
    lon, lat, _ = to_geodetic(xyz)
    look = position - xyz
    look /= np.linalg.norm(look, axis=-1)[..., None]
    up = position / np.linalg.norm(position, axis=-1)[..., None]
    incidence = np.arccos(np.clip(np.sum(look * normal(lon, lat), axis=-1), -1, 1))
    off_nadir = np.arccos(np.clip(np.sum(look * up, axis=-1), -1, 1))
    return np.degrees(incidence), np.degrees(off_nadir)
