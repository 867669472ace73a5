"""From the map to the radar: line, sample and look vectors of any mesh node, by a coarse exact lattice.

The zero-Doppler equation is solved exactly (`sarcube.geometry.geo2rdr`) at nodes about 1.3 km apart and at three
heights; in between, line and sample are biquadratic in the plane and quadratic in height. The third derivative
of slant range over a half cell of 1.3 km is worth 0.2 mm, so the lattice is exact for every purpose here.

Timing corrections are part of the lattice: they are smooth in place and height as well.

Of an image in ground range the lattice holds samples even in slant range, which are smooth; rows of nodes go on from
there to the image's own samples, which jump where one ground range polynomial takes over from another.
"""

# ruff: noqa: PLR0913, PLR0917, RUF046
# Kernels: numba takes scalars and arrays, wants integers said, and is quicker with min and max of two.

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sarcube.engines.rtc.native.blocks import Window
from sarcube.errors import DemError, OrbitError
from sarcube.geometry.burst_grid import transformer
from sarcube.geometry.ellipsoid import geodetic_to_ecef
from sarcube.geometry.geo2rdr import geo2rdr
from sarcube.geometry.ground_range import NO_TABLES, Tables, to_ground
from sarcube.geometry.orbit import Orbit, state
from sarcube.geometry.radar import RadarGrid

Correction = Callable[
    [NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    tuple[NDArray[np.float64], NDArray[np.float64]],
]
"""(slant_range m, height m, cosine of incidence) to what is added to azimuth time (s) and slant range (m)."""

_NODE_METRES = 1280.0
_FACET_TERMS = 19


class RadarMap(NamedTuple):
    """Lattice over a map region, in the form that kernels take.

    Attributes
    ----------
    left, top : float
        Position of lattice node (0, 0), CRS units.
    step : float
        Node spacing, CRS units; a cell is two steps wide.
    h0, dh : float
        Lowest of the three heights and their distance, metres.
    place : (2, 3, rows, columns) float64
        Line and sample (sample centres at integers, even in slant range) at the three heights.
    facet : (rows, columns, 19) float64
        With e_x, e_y, u the derivatives of the ECEF position by x, y and height, l the unit vector to the
        sensor and b the normal of the slant plane: 0-2 l . (e_y x u, u x e_x, e_x x e_y), 3-5 the same with b,
        at height `h0 + dh`; 6-11 their derivatives by height; 12-15 squared lengths of e_y x u, u x e_x,
        e_x x e_y and the product of the first two; 16, 17 the derivatives of line and sample by height; 18 the area of
        a radar cell in the slant plane, m2.
    extent : (rows - 1, columns - 1, 4) float64
        Lowest and highest line and sample within each lattice cell, at all heights of the lattice.
    ground : (stretches, terms) float64
        From samples even in slant range to those of the image; of no stretch where they are the same.
    """

    left: float
    top: float
    step: float
    h0: float
    dh: float
    place: NDArray[np.float64]
    facet: NDArray[np.float64]
    extent: NDArray[np.float64]
    ground: Tables = NO_TABLES


def radar_map(
    orbit: Orbit,
    radar: RadarGrid,
    epsg: int,
    bounds: tuple[float, float, float, float],
    heights: tuple[float, float],
    correction: Correction | None = None,
) -> RadarMap:
    """Build the lattice.

    Parameters
    ----------
    orbit : Orbit
    radar : RadarGrid
    epsg : int
        CRS of the map.
    bounds : (left, bottom, right, top)
        Region that must be covered, CRS units.
    heights : (lowest, highest)
        Metres above the ellipsoid; queries must lie between.
    correction : callable, optional
        Timing corrections to add.

    Raises
    ------
    OrbitError
        Where no node of the region is seen from the orbit.
    """
    left, bottom, right, top = bounds
    to_lonlat = transformer(epsg, 4326)
    metres = _metres_per_unit(to_lonlat, 0.5 * (left + right), 0.5 * (bottom + top))
    step = _NODE_METRES / metres
    columns = 2 * max(1, math.ceil((right - left) / (2.0 * step))) + 1
    rows = 2 * max(1, math.ceil((top - bottom) / (2.0 * step))) + 1
    low, high = heights
    if not (math.isfinite(low) and math.isfinite(high)):
        raise DemError("the DEM has no valid height in the burst's region; check dem.path")
    half = max(0.5 * (high - low), 50.0)
    mid = 0.5 * (low + high)
    x = left + np.arange(columns) * step
    y = top - np.arange(rows) * step
    xx, yy = np.meshgrid(x, y)
    eps = 0.05 * step
    place = np.empty((2, 3, rows, columns))
    look, normal = np.empty((3, rows, columns, 3)), np.empty((3, rows, columns, 3))
    lon, lat = to_lonlat.transform(xx, yy)
    up = np.stack(
        [
            np.cos(np.radians(lat)) * np.cos(np.radians(lon)),
            np.cos(np.radians(lat)) * np.sin(np.radians(lon)),
            np.sin(np.radians(lat)),
        ],
        axis=-1,
    )
    for k in range(3):
        h = mid + (k - 1) * half
        xyz = geodetic_to_ecef(lon, lat, h)
        time, slant_range = geo2rdr(orbit, xyz)
        look[k], normal[k] = _directions(orbit, time, xyz)
        if correction is not None:
            cosine = np.einsum("...i,...i", look[k], up)
            late, far = correction(slant_range, np.full_like(slant_range, h), cosine)
            time, slant_range = time + late, slant_range + far
        place[0, k] = (time - radar.first_line_time) / radar.line_interval
        place[1, k] = (slant_range - radar.first_sample_range) / radar.sample_spacing
    if not np.isfinite(place).any():
        raise OrbitError("no part of the grid is seen from the orbit; check the grid and the orbit file")
    e_x = (_ecef(to_lonlat, xx + eps, yy, mid) - _ecef(to_lonlat, xx - eps, yy, mid)) / (2.0 * eps)
    e_y = (_ecef(to_lonlat, xx, yy + eps, mid) - _ecef(to_lonlat, xx, yy - eps, mid)) / (2.0 * eps)
    basis = np.stack([np.cross(e_y, up), np.cross(up, e_x), np.cross(e_x, e_y)], axis=-2)
    facet = np.empty((rows, columns, _FACET_TERMS))
    for first, direction in ((0, look), (3, normal)):
        facet[..., first : first + 3] = np.einsum("...ij,...j->...i", basis, direction[1])
        slope = np.einsum("...ij,...j->...i", basis, direction[2] - direction[0]) / (2.0 * half)
        facet[..., 6 + first : 9 + first] = slope
    facet[..., 12:15] = np.einsum("...ij,...ij->...i", basis, basis)
    facet[..., 15] = np.einsum("...i,...i", basis[..., 0, :], basis[..., 1, :])
    ground, image, per_sample = _in_image(radar, place)
    facet[..., 16] = (place[0, 2] - place[0, 0]) / (2.0 * half)
    facet[..., 17] = (image[1, 2] - image[1, 0]) / (2.0 * half)
    facet[..., 18] = facet[..., 5] / np.abs(_cells_per_area(place[:, 1], step) * per_sample)
    return RadarMap(left, top, step, mid - half, half, place, facet, _extent(image), ground)


def _in_image(
    radar: RadarGrid, place: NDArray[np.float64]
) -> tuple[Tables, NDArray[np.float64], NDArray[np.float64] | float]:
    """Tables to ground range; `place` in samples of the image; at the middle height, samples per sample of `place`.

    A node takes all heights' samples by the polynomial of its middle height: differences by height must not jump.
    """
    if radar.ground is None:
        return NO_TABLES, place, 1.0
    tables = radar.ground.tables(radar.first_sample_range, radar.sample_spacing)
    slant = radar.first_sample_range + place[1] * radar.sample_spacing
    image = place.copy()
    image[1] = radar.ground.sample(np.broadcast_to(place[0, 1], slant.shape), slant)
    step = 4.0 * radar.sample_spacing
    ahead, behind = (radar.ground.sample(place[0, 1], slant[1] + s) for s in (step, -step))
    return tables, image, (ahead - behind) / 8.0


def _extent(place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bounds of line and sample per lattice cell, see `RadarMap`; nothing lies within those that are not seen."""
    corners = np.stack(
        [place[:, :, a : a + place.shape[2] - 1, b : b + place.shape[3] - 1] for a, b in np.ndindex(2, 2)]
    )
    low = np.where(np.isfinite(corners), corners, np.inf).min(axis=(0, 2))
    high = np.where(np.isfinite(corners), corners, -np.inf).max(axis=(0, 2))
    # Slack: within a cell the lattice bends by less than a line and eight samples, and ground range polynomials
    # jump by less than what remains.
    return np.stack([low[0] - 1.5, high[0] + 1.5, low[1] - 24.0, high[1] + 24.0], axis=-1)


def _cells_per_area(place: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Radar cells per CRS unit squared at constant height: the Jacobian of line and sample."""
    line_y, line_x = np.gradient(place[0], step, edge_order=2)
    sample_y, sample_x = np.gradient(place[1], step, edge_order=2)
    return np.asarray(line_x * sample_y - line_y * sample_x)


def _metres_per_unit(to_lonlat: object, x: float, y: float) -> float:
    a = _ecef(to_lonlat, np.array([x, x + 1e-3]), np.array([y, y]), 0.0)
    return float(np.linalg.norm(a[1] - a[0]) / 1e-3)


def _ecef(to_lonlat: object, x: NDArray[np.float64], y: NDArray[np.float64], h: float) -> NDArray[np.float64]:
    lon, lat = to_lonlat.transform(x, y)  # type: ignore[attr-defined]
    return geodetic_to_ecef(lon, lat, h)


def _directions(
    orbit: Orbit, time: NDArray[np.float64], xyz: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors to the sensor and normal to the slant plane (right-looking: up for flat ground)."""
    seen = np.isfinite(time)
    middle = 0.5 * (orbit.time[0] + orbit.time[-1])
    position, velocity = state(orbit, np.clip(np.where(seen, time, middle), orbit.time[0], orbit.time[-1]))
    look = position - xyz
    look /= np.linalg.norm(look, axis=-1, keepdims=True)
    normal = np.cross(velocity, look)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return look, normal


def in_slant_range(radar: RadarGrid, rmap: RadarMap, window: Window) -> tuple[RadarGrid, RadarMap, Window]:
    """Radar grid, lattice and window of an image with samples even in slant range; one that has them stays as it is."""
    if radar.ground is None:
        return radar, rmap, window
    ends = [window.first_sample - 0.5, window.first_sample + window.samples - 0.5]
    lines = np.linspace(window.first_line, window.first_line + window.lines, 64)
    ranges = radar.ground.slant_range(lines[:, None], np.array(ends))
    near, far = (ranges.min() - radar.first_sample_range, ranges.max() - radar.first_sample_range)
    first, stop = math.floor(near / radar.sample_spacing), math.ceil(far / radar.sample_spacing) + 1
    slant = Window(window.first_line, first, window.lines, stop - first)
    return replace(radar, ground=None), rmap._replace(ground=NO_TABLES, extent=_extent(rmap.place)), slant


@njit(cache=True, nogil=True)
def map_row(
    rmap: RadarMap,
    y: float,
    x0: float,
    dx: float,
    start: int,
    stop: int,
    heights: NDArray[np.float32],
    lines: NDArray[np.float64],
    samples: NDArray[np.float64],
) -> None:
    """Line and sample of mesh nodes `start` to `stop` (exclusive) of one row; NaN heights give NaN.

    Node i lies at x = x0 + i dx; `heights`, `lines`, `samples` are indexed by i.
    """
    place = rmap.place
    rows, columns = place.shape[2], place.shape[3]
    v = (rmap.top - y) / rmap.step
    jc = min(max(int(v * 0.5), 0), (rows - 3) // 2) * 2
    v -= jc
    w0, w1, w2 = 0.5 * (v - 1.0) * (v - 2.0), v * (2.0 - v), 0.5 * v * (v - 1.0)
    c = np.empty((2, 3, 3))
    scale = dx / rmap.step
    offset = (x0 - rmap.left) / rmap.step
    i = start
    while i < stop:
        u = offset + i * scale
        ic = min(max(int(u * 0.5), 0), (columns - 3) // 2) * 2
        end = stop
        if ic < columns - 3:
            end = min(stop, max(i + 1, int(math.ceil((ic + 2 - offset) / scale))))
        for q in range(2):
            for k in range(3):
                p = place[q, k]
                a = w0 * p[jc, ic] + w1 * p[jc + 1, ic] + w2 * p[jc + 2, ic]
                b = w0 * p[jc, ic + 1] + w1 * p[jc + 1, ic + 1] + w2 * p[jc + 2, ic + 1]
                d = w0 * p[jc, ic + 2] + w1 * p[jc + 1, ic + 2] + w2 * p[jc + 2, ic + 2]
                c[q, k, 0], c[q, k, 1], c[q, k, 2] = a, 0.5 * (-3.0 * a + 4.0 * b - d), 0.5 * (a - 2.0 * b + d)
            for n in range(3):
                a, b, d = c[q, 0, n], c[q, 1, n], c[q, 2, n]
                c[q, 0, n], c[q, 1, n], c[q, 2, n] = a, 0.5 * (-3.0 * a + 4.0 * b - d), 0.5 * (a - 2.0 * b + d)
        a00, a01, a02 = c[0, 0, 0], c[0, 0, 1], c[0, 0, 2]
        a10, a11, a12 = c[0, 1, 0], c[0, 1, 1], c[0, 1, 2]
        a20, a21, a22 = c[0, 2, 0], c[0, 2, 1], c[0, 2, 2]
        b00, b01, b02 = c[1, 0, 0], c[1, 0, 1], c[1, 0, 2]
        b10, b11, b12 = c[1, 1, 0], c[1, 1, 1], c[1, 1, 2]
        b20, b21, b22 = c[1, 2, 0], c[1, 2, 1], c[1, 2, 2]
        inverse = 1.0 / rmap.dh
        for n in range(i, end):
            s = offset + n * scale - ic
            t = (heights[n] - rmap.h0) * inverse
            lines[n] = a00 + s * (a01 + s * a02) + t * (a10 + s * (a11 + s * a12) + t * (a20 + s * (a21 + s * a22)))
            samples[n] = b00 + s * (b01 + s * b02) + t * (b10 + s * (b11 + s * b12) + t * (b20 + s * (b21 + s * b22)))
        if rmap.ground.shape[0] > 0:
            to_ground(rmap.ground, lines, samples, i, end)
        i = end


@njit(cache=True, nogil=True)
def facet_row(rmap: RadarMap, y: float, out: NDArray[np.float64]) -> None:
    """Facet terms at the lattice columns for one y, shape (columns, 19), linear between lattice rows."""
    facet = rmap.facet
    rows, columns = facet.shape[0], facet.shape[1]
    v = (rmap.top - y) / rmap.step
    j = min(max(int(v), 0), rows - 2)
    v -= j
    for i in range(columns):
        for q in range(facet.shape[2]):
            out[i, q] = (1.0 - v) * facet[j, i, q] + v * facet[j + 1, i, q]


@njit(cache=True, nogil=True)
def column_bounds(
    rmap: RadarMap, y: float, x0: float, dx: float, n: int, window: tuple[float, float, float, float]
) -> tuple[int, int]:
    """Mesh columns [first, last) of a row that can fall into `window` (line0, line1, sample0, sample1).

    Judged per lattice cell at all heights of the lattice, so that no node is missed.
    """
    extent = rmap.extent
    j = min(max(int((rmap.top - y) / rmap.step), 0), extent.shape[0] - 1)
    first, last = n, 0
    for i in range(extent.shape[1]):
        l0, l1, s0, s1 = extent[j, i]
        if l1 < window[0] or l0 > window[1] or s1 < window[2] or s0 > window[3]:
            continue
        a0 = int(math.floor((rmap.left + i * rmap.step - x0) / dx)) - 1
        b0 = int(math.ceil((rmap.left + (i + 1) * rmap.step - x0) / dx)) + 2
        first, last = min(first, a0), max(last, b0)
    return max(first, 0), min(last, n)
