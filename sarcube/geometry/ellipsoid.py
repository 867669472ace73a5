"""The WGS 84 ellipsoid: geodetic and Earth-centred Earth-fixed coordinates.

Defining parameters: NIMA TR8350.2, third edition (2000), table 3.1. The kernels are scalar so that other
kernels can call them; the functions below them take arrays.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

SEMI_MAJOR = 6_378_137.0  # m
FLATTENING = 1.0 / 298.257_223_563
SEMI_MINOR = SEMI_MAJOR * (1.0 - FLATTENING)
E2 = FLATTENING * (2.0 - FLATTENING)  # first eccentricity squared
EP2 = E2 / (1.0 - E2)  # second eccentricity squared


@njit(cache=True, nogil=True)
def geodetic_to_ecef_point(lon: float, lat: float, h: float) -> tuple[float, float, float]:
    """One point, angles in radians, metres (TR8350.2, equation 4-14)."""
    s, c = math.sin(lat), math.cos(lat)
    n = SEMI_MAJOR / math.sqrt(1.0 - E2 * s * s)
    return (n + h) * c * math.cos(lon), (n + h) * c * math.sin(lon), (n * (1.0 - E2) + h) * s


@njit(cache=True, nogil=True)
def ecef_to_geodetic_point(x: float, y: float, z: float) -> tuple[float, float, float]:
    """One point to (lon, lat, h), radians and metres.

    Bowring, "Transformation from spatial to geographical coordinates", Survey Review 23 (1976): the reduced
    latitude is iterated; three rounds are exact to rounding from the sea floor to any orbit.
    """
    p = math.hypot(x, y)
    tan_beta_num, tan_beta_den = z * SEMI_MAJOR, p * SEMI_MINOR
    num, den = z, p
    for _ in range(3):
        norm = math.hypot(tan_beta_num, tan_beta_den)
        sb, cb = tan_beta_num / norm, tan_beta_den / norm
        num = z + EP2 * SEMI_MINOR * sb * sb * sb
        den = p - E2 * SEMI_MAJOR * cb * cb * cb
        tan_beta_num, tan_beta_den = SEMI_MINOR * num, SEMI_MAJOR * den
    norm = math.hypot(num, den)
    s, c = num / norm, den / norm
    # This form of the height is well conditioned at the poles as at the equator.
    h = p * c + z * s - SEMI_MAJOR * math.sqrt(1.0 - E2 * s * s)
    return math.atan2(y, x), math.atan2(num, den), h


@njit(cache=True, nogil=True)
def _to_ecef(lon: NDArray[np.float64], lat: NDArray[np.float64], h: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.empty((lon.size, 3))
    for i in range(lon.size):
        x, y, z = geodetic_to_ecef_point(math.radians(lon[i]), math.radians(lat[i]), h[i])
        out[i, 0], out[i, 1], out[i, 2] = x, y, z
    return out


@njit(cache=True, nogil=True)
def _to_geodetic(xyz: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.empty((3, xyz.shape[0]))
    for i in range(xyz.shape[0]):
        lon, lat, h = ecef_to_geodetic_point(xyz[i, 0], xyz[i, 1], xyz[i, 2])
        out[0, i], out[1, i], out[2, i] = math.degrees(lon), math.degrees(lat), h
    return out


def geodetic_to_ecef(lon_deg: ArrayLike, lat_deg: ArrayLike, h: ArrayLike) -> NDArray[np.float64]:
    """Longitude and latitude in degrees and ellipsoidal height in metres to ECEF.

    The three broadcast against each other; the result has their shape plus a last axis of 3 (metres).
    """
    lon, lat, height = np.broadcast_arrays(
        np.asarray(lon_deg, np.float64), np.asarray(lat_deg, np.float64), np.asarray(h, np.float64)
    )
    return np.asarray(_to_ecef(lon.ravel(), lat.ravel(), height.ravel())).reshape(*lon.shape, 3)


def ecef_to_geodetic(
    xyz: ArrayLike,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """ECEF metres, shape (..., 3), to longitude and latitude in degrees and ellipsoidal height in metres."""
    points = np.ascontiguousarray(xyz, np.float64)
    out = np.asarray(_to_geodetic(points.reshape(-1, 3))).reshape(3, *points.shape[:-1])
    return out[0], out[1], out[2]
