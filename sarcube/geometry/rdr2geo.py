"""From zero-Doppler azimuth time and slant range to the ground.

In the zero-Doppler plane the target lies on a circle of radius `range` around the platform; the one unknown is
the angle on it, from straight down (Cumming and Wong 2005, section 4.3). The height above the ellipsoid grows with
that angle, so Newton's method finds the point at a given height, and a bracketed search the one on a DEM.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from sarcube.errors import DemError
from sarcube.geometry.burst_grid import grid_lonlat_bounds, transformer
from sarcube.geometry.dem import Dem, Method, height_range
from sarcube.geometry.ellipsoid import ecef_to_geodetic_point
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.interpolation import height_at
from sarcube.geometry.lattice import cell_polynomials
from sarcube.geometry.orbit import Orbit, OrbitModel, find_interval, state_at

Look = Literal["right", "left"]
Vector = tuple[float, float, float]

_HEIGHT_TOLERANCE = 1e-5  # m
_MAX_STEPS = 30
_MAX_SEARCH_STEPS = 80
_CELL_DEGREES = 0.01  # of the lattice that takes longitude and latitude to a projected DEM


@njit(cache=True, nogil=True)
def _plane(model: OrbitModel, i: int, t: float, side: float) -> tuple[Vector, Vector, Vector]:
    """Platform position, unit vector down and unit vector sideways, both at right angles to the velocity."""
    px, py, pz, vx, vy, vz, _, _, _ = state_at(model, i, t)
    v = math.sqrt(vx * vx + vy * vy + vz * vz)
    vx, vy, vz = vx / v, vy / v, vz / v
    along = px * vx + py * vy + pz * vz
    nx, ny, nz = along * vx - px, along * vy - py, along * vz - pz
    n = math.sqrt(nx * nx + ny * ny + nz * nz)
    nx, ny, nz = nx / n, ny / n, nz / n
    # Down x velocity points right of the track.
    cx, cy, cz = (ny * vz - nz * vy) * side, (nz * vx - nx * vz) * side, (nx * vy - ny * vx) * side
    return (px, py, pz), (nx, ny, nz), (cx, cy, cz)


@njit(cache=True, nogil=True)
def _on_circle(p: Vector, n: Vector, c: Vector, slant_range: float, angle: float) -> Vector:
    down, across = slant_range * math.cos(angle), slant_range * math.sin(angle)
    return (
        p[0] + down * n[0] + across * c[0],
        p[1] + down * n[1] + across * c[1],
        p[2] + down * n[2] + across * c[2],
    )


@njit(cache=True, nogil=True)
def _angle_at_height(p: Vector, n: Vector, c: Vector, slant_range: float, height: float) -> float:
    """Angle at which the circle reaches `height` above the ellipsoid; NaN where it does not."""
    # Law of cosines on a sphere whose radius is that of the ellipsoid below the platform gives the start.
    platform = math.sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2])
    _, _, platform_height = ecef_to_geodetic_point(p[0], p[1], p[2])
    ground = platform - platform_height + height
    cosine = (slant_range * slant_range + platform * platform - ground * ground) / (2 * slant_range * platform)
    if not abs(cosine) < 1.0:
        return math.nan
    angle = math.acos(cosine)
    for _ in range(_MAX_STEPS):
        x, y, z = _on_circle(p, n, c, slant_range, angle)
        lon, lat, h = ecef_to_geodetic_point(x, y, z)
        missing = height - h
        if abs(missing) < _HEIGHT_TOLERANCE:
            return angle
        ux, uy, uz = math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)
        across = c[0] * ux + c[1] * uy + c[2] * uz
        down = n[0] * ux + n[1] * uy + n[2] * uz
        angle += missing / (slant_range * (math.cos(angle) * across - math.sin(angle) * down))
        if not 0.0 < angle < 0.5 * math.pi:
            break
    return math.nan


@njit(cache=True, nogil=True)
def rdr2geo_point(model: OrbitModel, t: float, slant_range: float, height: float, side: float) -> Vector:
    """ECEF point at `height` (m above the ellipsoid); side +1 right, -1 left; NaN where there is none."""
    i = find_interval(model.knots, t, int((t - model.knots[0]) / (model.knots[1] - model.knots[0])))
    if i < 0:
        return math.nan, math.nan, math.nan
    p, n, c = _plane(model, i, t, side)
    angle = _angle_at_height(p, n, c, slant_range, height)
    return _on_circle(p, n, c, slant_range, angle)


@njit(cache=True, nogil=True)
def _points(
    model: OrbitModel,
    time: NDArray[np.float64],
    slant_range: NDArray[np.float64],
    height: NDArray[np.float64],
    side: float,
) -> NDArray[np.float64]:
    out = np.full((3, time.size), np.nan)
    for k in range(time.size):
        x, y, z = rdr2geo_point(model, time[k], slant_range[k], height[k], side)
        if not math.isnan(x):
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
        Zero-Doppler time (seconds since the orbit's epoch), slant range (m) and height above the ellipsoid
        (m); they broadcast against each other.
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


@njit(cache=True, nogil=True)
def _height_below(
    z: NDArray[np.float32],
    coefficients: NDArray[np.float64],
    lattice: tuple[float, float, float],
    place: tuple[float, float],
    smooth: bool,
) -> float:
    """DEM height at (longitude, latitude) in degrees; NaN outside and in voids."""
    west, north, cell = lattice
    u = ((place[0] - west) % 360.0) / cell
    v = (north - place[1]) / cell
    if u * cell > 359.0:  # just west of the lattice
        u -= 360.0 / cell
    if not (-1.0 < u < coefficients.shape[1] + 1.0 and -1.0 < v < coefficients.shape[0] + 1.0):
        return math.nan
    i = min(max(int(v), 0), coefficients.shape[0] - 1)
    j = min(max(int(u), 0), coefficients.shape[1] - 1)
    u, v = 2.0 * (u - j) - 1.0, 2.0 * (v - i) - 1.0
    row = col = 0.0
    for p in range(2, -1, -1):
        d = coefficients[i, j, p]
        row = row * v + (d[2, 0] * u + d[1, 0]) * u + d[0, 0]
        col = col * v + (d[2, 1] * u + d[1, 1]) * u + d[0, 1]
    return float(height_at(z, row, col, smooth))


@njit(cache=True, nogil=True)
def _meet(
    model: OrbitModel,
    radar: tuple[float, float, float],
    z: NDArray[np.float32],
    coefficients: NDArray[np.float64],
    lattice: tuple[float, float, float],
    search: tuple[float, float, float, bool],
) -> Vector:
    """One point on the DEM as (lon, lat, h), degrees and metres."""
    nothing = (math.nan, math.nan, math.nan)
    t, slant_range, side = radar
    lowest, highest, tolerance, smooth = search
    i = find_interval(model.knots, t, int((t - model.knots[0]) / (model.knots[1] - model.knots[0])))
    if i < 0:
        return nothing
    p, n, c = _plane(model, i, t, side)
    low = _angle_at_height(p, n, c, slant_range, lowest)
    high = _angle_at_height(p, n, c, slant_range, highest)
    if math.isnan(low) or math.isnan(high):
        return nothing
    # Height above the surface at both ends, as the range of heights implies; they need not lie on the DEM.
    f_low, f_high = lowest - highest, highest - lowest
    kept = 0  # which end stayed last: staying twice halves its weight
    for step in range(_MAX_SEARCH_STEPS):
        angle = (low * f_high - high * f_low) / (f_high - f_low)
        if step % 8 == 7:  # a kinked surface must not stall the search
            angle = 0.5 * (low + high)
        x, y, zz = _on_circle(p, n, c, slant_range, angle)
        lon, lat, h = ecef_to_geodetic_point(x, y, zz)
        lon, lat = math.degrees(lon), math.degrees(lat)
        f = h - _height_below(z, coefficients, lattice, (lon, lat), smooth)
        if abs(f) < tolerance:
            return lon, lat, h
        if math.isnan(f) or high - low < 1e-14:
            break
        if f < 0.0:
            low, f_low = angle, f
            f_high *= 0.5 if kept == 1 else 1.0
            kept = 1
        else:
            high, f_high = angle, f
            f_low *= 0.5 if kept == -1 else 1.0
            kept = -1
    return nothing


@njit(cache=True, nogil=True)
def _meet_all(
    model: OrbitModel,
    radar: tuple[NDArray[np.float64], NDArray[np.float64], float],
    z: NDArray[np.float32],
    coefficients: NDArray[np.float64],
    lattice: tuple[float, float, float],
    search: tuple[float, float, float, bool],
) -> NDArray[np.float64]:
    time, slant_range, side = radar
    out = np.empty((3, time.size))
    for k in range(time.size):
        lon, lat, h = _meet(model, (time[k], slant_range[k], side), z, coefficients, lattice, search)
        out[0, k], out[1, k], out[2, k] = lon, lat, h
    return out


def _lonlat_lattice(dem: Dem) -> tuple[NDArray[np.float64], tuple[float, float, float]]:
    """Biquadratics from longitude and latitude to the DEM's row and column, and (west, north, cell) in degrees."""
    if dem.epsg == 4326:
        # One cell over the whole DEM: the map is affine, the polynomial exact.
        west, north = dem.left, dem.top
        cell = max(dem.right - dem.left, dem.top - dem.bottom)
        nodes = (3, 3)
    else:
        size = max(dem.right - dem.left, dem.top - dem.bottom)
        west, south, east, north = grid_lonlat_bounds(GeoGrid(dem.epsg, dem.left, dem.top, size, 1, 1))
        cell = _CELL_DEGREES
        nodes = (2 * math.ceil((north - south) / cell) + 1, 2 * math.ceil((east - west) / cell) + 1)
    lon = west + 0.5 * cell * np.arange(nodes[1])
    lat = north - 0.5 * cell * np.arange(nodes[0])
    x, y = np.meshgrid(lon, lat)
    if dem.epsg == 4326:
        row, col = (dem.top - y) / dem.dy - 0.5, (x - dem.left) / dem.dx - 0.5
    else:
        x, y = transformer(4326, dem.epsg).transform(x, y)
        row, col = dem.positions(x, y)
    return cell_polynomials(np.stack([row, col], axis=-1)), (west, north, cell)


def rdr2geo_dem(
    orbit: Orbit,
    time: ArrayLike,
    slant_range: ArrayLike,
    dem: Dem,
    *,
    look: Look = "right",
    method: Method = "biquintic",
    tolerance: float = 0.01,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Where the circle of equal range in the zero-Doppler plane meets the DEM.

    Along the circle the height above the surface changes sign between the DEM's lowest and highest height.
    Regula falsi in the Illinois form (Dowell and Jarratt, BIT 11, 1971) closes in on the root; in layover there
    are several and one of them is returned.

    Parameters
    ----------
    orbit, time, slant_range, look
        As for `rdr2geo`.
    dem : Dem
    method : "biquintic" or "bilinear"
    tolerance : float
        Metres of height at which a point has converged.

    Returns
    -------
    lon, lat, h : float64
        Degrees and metres; NaN where the search meets a void or leaves the DEM, and outside the orbit.
    """
    if not tolerance > 0:
        raise DemError(f"the height tolerance must be positive, not {tolerance}")
    t, r = np.broadcast_arrays(np.asarray(time, np.float64), np.asarray(slant_range, np.float64))
    lowest, highest = height_range(dem)
    coefficients, lattice = _lonlat_lattice(dem)
    side = 1.0 if look == "right" else -1.0
    # Ten metres beyond the range keep the change of sign where the spline overshoots.
    search = (lowest - 10.0, highest + 10.0, float(tolerance), method == "biquintic")
    out = _meet_all(orbit.model, (t.ravel(), r.ravel(), side), dem.heights, coefficients, lattice, search)
    shaped = np.asarray(out).reshape(3, *t.shape)
    return shaped[0], shaped[1], shaped[2]
