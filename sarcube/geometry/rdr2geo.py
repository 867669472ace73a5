"""From zero-Doppler azimuth time and slant range to the ground.

In the zero-Doppler plane the target lies on a circle of radius `range` around the platform; the one unknown is
the angle on it (Cumming and Wong 2005, section 4.3). The height above the ellipsoid grows with that angle, so
Newton's method finds the point at a given height, and bisection the one on a DEM.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from sarcube.geometry.ellipsoid import ecef_to_geodetic_point
from sarcube.geometry.orbit import Orbit, OrbitModel, find_interval, state_at

Look = Literal["right", "left"]

_HEIGHT_TOLERANCE = 1e-5  # m
_MAX_STEPS = 30


@njit(cache=True, nogil=True)
def _plane(
    model: OrbitModel, i: int, t: float, side: float
) -> tuple[float, float, float, float, float, float, float, float, float]:
    """Platform position, unit vector down and unit vector sideways, both at right angles to the velocity."""
    px, py, pz, vx, vy, vz, _, _, _ = state_at(model, i, t)
    v = math.sqrt(vx * vx + vy * vy + vz * vz)
    vx, vy, vz = vx / v, vy / v, vz / v
    along = px * vx + py * vy + pz * vz
    nx, ny, nz = -(px - along * vx), -(py - along * vy), -(pz - along * vz)
    n = math.sqrt(nx * nx + ny * ny + nz * nz)
    nx, ny, nz = nx / n, ny / n, nz / n
    # v x up points right of the track; up is -n.
    cx, cy, cz = -(vy * nz - vz * ny) * side, -(vz * nx - vx * nz) * side, -(vx * ny - vy * nx) * side
    return px, py, pz, nx, ny, nz, cx, cy, cz


@njit(cache=True, nogil=True)
def rdr2geo_point(
    model: OrbitModel, t: float, slant_range: float, height: float, side: float
) -> tuple[float, float, float]:
    """ECEF point at `height` (m above the ellipsoid); side +1 right, -1 left; NaN where there is none."""
    i = find_interval(model.knots, t, int((t - model.knots[0]) / (model.knots[1] - model.knots[0])))
    if i < 0:
        return math.nan, math.nan, math.nan
    px, py, pz, nx, ny, nz, cx, cy, cz = _plane(model, i, t, side)
    # Law of cosines on a sphere whose radius is that of the ellipsoid below the platform gives the start.
    p = math.sqrt(px * px + py * py + pz * pz)
    _, _, platform_height = ecef_to_geodetic_point(px, py, pz)
    ground = p - platform_height + height
    cosine = (slant_range * slant_range + p * p - ground * ground) / (2.0 * slant_range * p)
    if not abs(cosine) < 1.0:
        return math.nan, math.nan, math.nan
    angle = math.acos(cosine)
    for _ in range(_MAX_STEPS):
        s, c = math.sin(angle), math.cos(angle)
        x = px + slant_range * (c * nx + s * cx)
        y = py + slant_range * (c * ny + s * cy)
        z = pz + slant_range * (c * nz + s * cz)
        lon, lat, h = ecef_to_geodetic_point(x, y, z)
        missing = height - h
        if abs(missing) < _HEIGHT_TOLERANCE:
            return x, y, z
        ux, uy, uz = math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)
        slope = slant_range * ((c * cx - s * nx) * ux + (c * cy - s * ny) * uy + (c * cz - s * nz) * uz)
        angle += missing / slope
        if not 0.0 < angle < math.pi / 2.0:
            break
    return math.nan, math.nan, math.nan


@njit(cache=True, nogil=True)
def _points(
    model: OrbitModel,
    time: NDArray[np.float64],
    slant_range: NDArray[np.float64],
    height: NDArray[np.float64],
    side: float,
) -> NDArray[np.float64]:
    out = np.empty((3, time.size))
    for k in range(time.size):
        x, y, z = rdr2geo_point(model, time[k], slant_range[k], height[k], side)
        if math.isnan(x):
            out[0, k] = out[1, k] = out[2, k] = math.nan
            continue
        lon, lat, h = ecef_to_geodetic_point(x, y, z)
        out[0, k], out[1, k], out[2, k] = math.degrees(lon), math.degrees(lat), h
    return out


def rdr2geo(
    orbit: Orbit, time: ArrayLike, slant_range: ArrayLike, height: ArrayLike = 0.0, *, look: Look = "right"
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Ground points at given heights.

    Parameters
    ----------
    orbit : Orbit
    time, slant_range, height : array_like
        Zero-Doppler time (seconds since the orbit's epoch), slant range (m) and height above the ellipsoid (m);
        they broadcast against each other.
    look : "right" or "left"
        Side of the track; Sentinel-1 looks right.

    Returns
    -------
    lon, lat, h : float64
        Degrees and metres, of the broadcast shape; NaN outside the orbit or where the range does not reach.
    """
    t, r, h = np.broadcast_arrays(
        np.asarray(time, np.float64), np.asarray(slant_range, np.float64), np.asarray(height, np.float64)
    )
    side = 1.0 if look == "right" else -1.0
    out = np.asarray(_points(orbit.model, t.ravel(), r.ravel(), h.ravel(), side)).reshape(3, *t.shape)
    return out[0], out[1], out[2]
