"""From a place on the ground to zero-Doppler azimuth time and slant range, exactly.

The zero-Doppler time is the root of (x - p(t)) . v(t), found with Newton's method (Cumming and Wong, Digital
Processing of Synthetic Aperture Radar Data, 2005, section 4.3; ISCE3 solves the same equation).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import ArrayLike, NDArray

from sarcube.geometry.ellipsoid import geodetic_to_ecef
from sarcube.geometry.orbit import Orbit, OrbitModel, find_interval, state_at

_CHUNK = 512  # points that share a starting time; fixed, so that results do not depend on threads
_STEP = 1e-7  # s; Newton converges quadratically, so the error after a step this small is far below 1e-12 s
_MAX_STEPS = 20


@njit(cache=True, nogil=True)
def geo2rdr_point(model: OrbitModel, x: float, y: float, z: float, guess: float) -> tuple[float, float]:
    """Azimuth time (s) and slant range (m) of one ECEF point; NaN, NaN where there is none on the orbit."""
    knots = model.knots
    first, last = knots[0], knots[knots.size - 1]
    t = min(max(guess, first), last)
    i = int((t - first) / (last - first) * (knots.size - 1))
    clamped = 0
    for _ in range(_MAX_STEPS):
        i = find_interval(knots, t, i)
        px, py, pz, vx, vy, vz, ax, ay, az = state_at(model, i, t)
        dx, dy, dz = x - px, y - py, z - pz
        f = dx * vx + dy * vy + dz * vz
        slope = dx * ax + dy * ay + dz * az - (vx * vx + vy * vy + vz * vz)
        step = -f / slope
        if not math.isfinite(step):
            break
        if abs(step) < _STEP:
            # The last step moves the platform along v, at right angles to the look: the range is final.
            t += step
            if t < first or t > last:
                break
            return t, math.sqrt(dx * dx + dy * dy + dz * dz)
        t += step
        if t < first or t > last:
            # A far guess may overshoot once; a root outside the orbit comes here again and again.
            clamped += 1
            if clamped > 2:
                break
            t = min(max(t, first), last)
    return math.nan, math.nan


@njit(cache=True, nogil=True)
def _start(model: OrbitModel) -> float:
    return float(0.5 * (model.knots[0] + model.knots[model.knots.size - 1]))


@njit(cache=True, nogil=True)
def _xyz_range(model: OrbitModel, xyz: NDArray[np.float64], out: NDArray[np.float64], begin: int, end: int) -> None:
    guess = _start(model)
    for k in range(begin, end):
        t, r = geo2rdr_point(model, xyz[k, 0], xyz[k, 1], xyz[k, 2], guess)
        out[0, k], out[1, k] = t, r
        if not math.isnan(t):
            guess = t


@njit(cache=True, nogil=True)
def _xyz_serial(model: OrbitModel, xyz: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    for c in range((xyz.shape[0] + _CHUNK - 1) // _CHUNK):
        _xyz_range(model, xyz, out, c * _CHUNK, min((c + 1) * _CHUNK, xyz.shape[0]))


@njit(cache=True, nogil=True, parallel=True)
def _xyz_parallel(model: OrbitModel, xyz: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    for c in prange((xyz.shape[0] + _CHUNK - 1) // _CHUNK):
        _xyz_range(model, xyz, out, c * _CHUNK, min((c + 1) * _CHUNK, xyz.shape[0]))


def geo2rdr(orbit: Orbit, xyz: ArrayLike, *, parallel: bool = False) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Zero-Doppler time and slant range of ECEF points.

    Parameters
    ----------
    orbit : Orbit
    xyz : (..., 3) float64
        ECEF metres.
    parallel : bool
        Use numba's threads.

    Returns
    -------
    azimuth_time, slant_range : (...,) float64
        Seconds since the orbit's epoch and metres; NaN where the zero-Doppler time is outside the orbit.
    """
    points = np.ascontiguousarray(xyz, np.float64)
    flat = points.reshape(-1, 3)
    out = np.empty((2, flat.shape[0]))
    (_xyz_parallel if parallel else _xyz_serial)(orbit.model, flat, out)
    shaped = out.reshape(2, *points.shape[:-1])
    return shaped[0], shaped[1]


def geo2rdr_lonlat(
    orbit: Orbit, lon_deg: ArrayLike, lat_deg: ArrayLike, h: ArrayLike, *, parallel: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """As `geo2rdr`, for longitude, latitude (degrees) and ellipsoidal height (metres) that broadcast."""
    return geo2rdr(orbit, geodetic_to_ecef(lon_deg, lat_deg, h), parallel=parallel)
