"""Shadow and layover: which radar cells see no ground, and which see more than one piece of it.

Along every radar line the terrain is followed from near to far. Where the line of sight of an earlier point
passes above a point, the point lies in (cast or self) shadow; where the slant range of a farther point is
not beyond that of all nearer ones, and the other way round, cells are shared: layover, active and passive. (Kropatsch
and Strobl, "The generation of SAR layover and shadow maps from digital elevation models", IEEE TGRS 28, 1990.)
"""

# ruff: noqa: PLR0912, PLR0913, PLR0915, PLR0917, RUF046
# Kernels: numba takes scalars and arrays, wants integers said, and is quicker with min and max of two.

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sarcube.engines.rtc.native.blocks import Window
from sarcube.engines.rtc.native.mapping import RadarMap, column_bounds, map_row
from sarcube.engines.rtc.native.mesh import Mesh
from sarcube.geometry.burst_grid import transformer
from sarcube.geometry.ellipsoid import geodetic_to_ecef
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.orbit import Orbit, state
from sarcube.geometry.radar import RadarGrid
from sarcube.geometry.rdr2geo import rdr2geo

SHADOW, LAYOVER, OUTSIDE = 1, 2, 255
LOOKS = 3  # radar cells per mask cell and axis, as OPERA RTC-S1 makes its static mask
_COARSE_RANGE = 1000.0  # m of slant range between exactly placed points of a profile
_COARSE_LINES = 24  # radar lines between exactly placed profiles
_GAP = 8  # mask cells between neighbouring points of one slope that are filled


def mask_window(radar: RadarGrid, window: Window, looks: int = LOOKS) -> Window:
    """The window, widened so that its mask cells do not depend on where it begins.

    Cells are counted from where OPERA RTC-S1 lets its static radar grid begin: 1.2 bursts early, 0.2 swaths near.
    """
    line = window.first_line - (window.first_line + int(1.2 * radar.lines)) % looks
    sample = window.first_sample - (window.first_sample + int(0.2 * radar.samples)) % looks
    lines = window.first_line + window.lines - line
    samples = window.first_sample + window.samples - sample
    return Window(line, sample, -(-lines // looks) * looks, -(-samples // looks) * looks)


def shadow_layover(
    orbit: Orbit, radar: RadarGrid, rmap: RadarMap, mesh: Mesh, window: Window, looks: int = LOOKS
) -> NDArray[np.uint8]:
    """Mask of a window in radar geometry.

    Parameters
    ----------
    orbit : Orbit
    radar : RadarGrid
    rmap : RadarMap
    mesh : Mesh
        Terrain; nothing outside it casts a shadow.
    window : Window
        Multiples of `looks` in size, see `mask_window`.
    looks : int
        Radar cells per mask cell and axis.

    Returns
    -------
    (lines / looks, samples / looks) uint8
        Bit 1 shadow, bit 2 layover.
    """
    lines, samples = window.lines // looks, window.samples // looks
    line = np.asarray(window.first_line + np.arange(lines) * looks + 0.5 * (looks - 1), np.float64)
    coarse = np.linspace(line[0], line[-1], max(2, math.ceil(window.lines / _COARSE_LINES) + 1))
    profiles, platform = _coarse_profiles(orbit, radar, rmap, mesh.epsg, window, coarse)
    out = np.zeros((lines, samples), np.uint8)
    place = (radar.first_sample_range, radar.sample_spacing)
    origin = (window.first_sample - 0.5, float(looks))
    _profiles(rmap, mesh.heights, mesh.x0, mesh.y0, mesh.spacing, coarse, profiles, platform, place, origin, line, out)
    return out


def _coarse_profiles(
    orbit: Orbit, radar: RadarGrid, rmap: RadarMap, epsg: int, window: Window, line: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ground tracks of some lines at the middle height, from near to far, and the platform's geocentric distance.

    Per point: x, y; |P|^2 and P . u at height 0, for |P(h)|^2 = |P|^2 + 2 h P . u + h^2; x and y per line; line and
    sample as polynomials of (h - middle) / dh.
    """
    time = radar.first_line_time + line * radar.line_interval
    time = np.clip(time, orbit.time[0], orbit.time[-1])
    middle = rmap.h0 + rmap.dh
    # Terrain beyond the window can cast shadow into it or share its ranges.
    reach = 2.0 * rmap.dh + 500.0
    near = radar.first_sample_range + window.first_sample * radar.sample_spacing - reach
    far = near + window.samples * radar.sample_spacing + 2.0 * reach
    ranges = np.linspace(near, far, max(3, math.ceil((far - near) / _COARSE_RANGE) + 1))
    lon, lat, _ = rdr2geo(orbit, time[:, None], ranges[None, :], middle)
    seen = np.isfinite(lon)
    x, y = transformer(4326, epsg).transform(np.where(seen, lon, 0.0), np.where(seen, lat, 0.0))
    x, y = np.where(seen, x, np.nan), np.where(seen, y, np.nan)
    ground, above = geodetic_to_ecef(lon, lat, 0.0), geodetic_to_ecef(lon, lat, 1.0)
    square = np.einsum("...i,...i", ground, ground)
    rise = np.einsum("...i,...i", ground, above - ground)
    along = [np.gradient(v, line, axis=0) for v in (x, y)]
    place = np.empty((2, 3, *x.shape))
    for k in range(3):
        place[:, k] = _place_grid(rmap, x, y, middle + (k - 1) * rmap.dh)
    low, mid, high = place[:, 0], place[:, 1], place[:, 2]
    first, second = 0.5 * (high - low), 0.5 * (high + low) - mid
    columns = [x, y, square, rise, *along, mid[0], first[0], second[0], mid[1], first[1], second[1]]
    position, _ = state(orbit, time)
    return np.stack(columns, axis=-1), np.linalg.norm(position, axis=-1)


def _place_grid(rmap: RadarMap, x: NDArray[np.float64], y: NDArray[np.float64], height: float) -> NDArray[np.float64]:
    """Line and sample of points at one height, (2, *x.shape); NaN outside the lattice."""
    out = np.empty((2, x.size))
    _places(rmap, x.ravel(), y.ravel(), height, out)
    return out.reshape(2, *x.shape)


def geocode_mask(
    rmap: RadarMap,
    centres: NDArray[np.float32],
    grid: GeoGrid,
    window: Window,
    mask: NDArray[np.uint8],
    looks: int = LOOKS,
) -> NDArray[np.uint8]:
    """The mask cell in which each pixel's centre falls; OUTSIDE beyond the window and where the DEM is void."""
    out = np.full(grid.shape, OUTSIDE, np.uint8)
    half = 0.5 * grid.resolution
    offsets = (window.first_line - 0.5, window.first_sample - 0.5)
    x, y = grid.left + half, grid.top - half
    _nearest(rmap, centres, x, y, grid.resolution, offsets, window.limits, mask, looks, out)
    return out


@njit(cache=True, nogil=True)
def _places(
    rmap: RadarMap, x: NDArray[np.float64], y: NDArray[np.float64], height: float, out: NDArray[np.float64]
) -> None:
    h, line, sample = np.full(1, height, np.float32), np.empty(1), np.empty(1)
    rows, columns = rmap.place.shape[2], rmap.place.shape[3]
    for k in range(x.size):
        u, v = (x[k] - rmap.left) / rmap.step, (rmap.top - y[k]) / rmap.step
        # The polynomials hold a little beyond the lattice, not far.
        if u > -1.0 and v > -1.0 and u < columns and v < rows:
            map_row(rmap, y[k], x[k], rmap.step, 0, 1, h, line, sample)
            out[0, k], out[1, k] = line[0], sample[0]
        else:
            out[0, k], out[1, k] = math.nan, math.nan


@njit(cache=True, nogil=True, parallel=True)
def _profiles(
    rmap: RadarMap,
    heights: NDArray[np.float32],
    x0: float,
    y0: float,
    spacing: float,
    coarse: NDArray[np.float64],
    profiles: NDArray[np.float64],
    platform: NDArray[np.float64],
    place: tuple[float, float],
    origin: tuple[float, float],
    lines: NDArray[np.float64],
    out: NDArray[np.uint8],
) -> None:
    step = coarse[1] - coarse[0]
    middle, inverse = rmap.h0 + rmap.dh, 1.0 / rmap.dh
    for i in prange(out.shape[0]):
        f = (lines[i] - coarse[0]) / step if step > 0.0 else 0.0
        k = min(int(f), coarse.size - 2)
        f -= k
        profile = (1.0 - f) * profiles[k] + f * profiles[k + 1]
        distance = (1.0 - f) * platform[k] + f * platform[k + 1]
        _profile(heights, x0, y0, spacing, middle, inverse, profile, distance, place, origin, lines[i], out[i])


@njit(cache=True, nogil=True)
def _profile(
    heights: NDArray[np.float32],
    x0: float,
    y0: float,
    spacing: float,
    middle: float,
    inverse: float,
    profile: NDArray[np.float64],
    platform: float,
    place: tuple[float, float],
    origin: tuple[float, float],
    line: float,
    out: NDArray[np.uint8],
) -> None:
    """One radar line: points half a mesh spacing apart, then one sweep outward and one inward."""
    rows, columns = heights.shape
    points = profile.shape[0]
    total = 0
    counts = np.zeros(points, np.int64)
    for k in range(points - 1):
        length = math.hypot(profile[k + 1, 0] - profile[k, 0], profile[k + 1, 1] - profile[k, 1])
        if not math.isnan(length):
            counts[k] = max(1, int(math.ceil(2.0 * length / spacing)))
            total += counts[k]
    sample, elevation = np.empty(total), np.empty(total)
    n = 0
    # The zero-Doppler plane leans a little: where the ground is higher or lower than the profile's height, the
    # profile moves along the track. The last point's distance in lines serves the next.
    off = 0.0
    p, d = np.empty(12), np.empty(12)
    for k in range(points - 1):
        if counts[k] == 0:
            continue
        for q in range(12):
            p[q], d[q] = profile[k, q], (profile[k + 1, q] - profile[k, q]) / counts[k]
        if math.isnan(p[9] + d[9]):
            continue
        for m in range(counts[k]):
            u = (p[0] + m * d[0] + off * p[4] - x0) / spacing
            v = (y0 - p[1] - m * d[1] - off * p[5]) / spacing
            if not (u >= 0.0 and v >= 0.0 and u < columns - 1 and v < rows - 1):
                continue
            i, j = int(v), int(u)
            fv, fu = v - i, u - j
            h = (1.0 - fv) * ((1.0 - fu) * heights[i, j] + fu * heights[i, j + 1]) + fv * (
                (1.0 - fu) * heights[i + 1, j] + fu * heights[i + 1, j + 1]
            )
            if math.isnan(h):
                continue
            t = (h - middle) * inverse
            s = p[9] + m * d[9] + t * (p[10] + m * d[10] + t * p[11])
            off = min(max(line - (p[6] + m * d[6]) - t * (p[7] + t * p[8]), -20.0), 20.0)
            r = place[0] + s * place[1]
            p2 = p[2] + m * d[2] + 2.0 * h * (p[3] + m * d[3]) + h * h
            # The elevation angle grows as its cosine falls; the cosine is enough to compare.
            elevation[n] = (r * r - p2) / (2.0 * platform * r) + platform / (2.0 * r)
            sample[n] = s
            n += 1
    if n < 2:
        return
    flag = np.zeros(n, np.uint8)
    lowest, farthest = elevation[0], sample[0]
    for i in range(1, n):
        if elevation[i] >= lowest:
            flag[i] |= SHADOW
        else:
            lowest = elevation[i]
        if sample[i] <= farthest:
            flag[i] |= LAYOVER
        else:
            farthest = sample[i]
    nearest = sample[n - 1]
    for i in range(n - 2, -1, -1):
        if sample[i] >= nearest:
            flag[i] |= LAYOVER
        else:
            nearest = sample[i]
    before = 0
    for i in range(n):
        b = int(math.floor((sample[i] - origin[0]) / origin[1]))
        if flag[i]:
            if 0 <= b < out.size:
                out[b] |= flag[i]
            # Points of one slope may skip cells: fill between neighbours that share a flag.
            if i > 0 and flag[i] & flag[i - 1] and abs(b - before) < _GAP:
                for c in range(max(min(b, before) + 1, 0), min(max(b, before), out.size)):
                    out[c] |= flag[i] & flag[i - 1]
        before = b


@njit(cache=True, nogil=True, parallel=True)
def _nearest(
    rmap: RadarMap,
    heights: NDArray[np.float32],
    x0: float,
    y0: float,
    resolution: float,
    offsets: tuple[float, float],
    limits: tuple[float, float, float, float],
    mask: NDArray[np.uint8],
    looks: int,
    out: NDArray[np.uint8],
) -> None:
    columns = heights.shape[1]
    lines, samples = float(mask.shape[0] * looks), float(mask.shape[1] * looks)
    for r in prange(heights.shape[0]):
        line, sample = np.empty(columns), np.empty(columns)
        first, last = column_bounds(rmap, y0 - r * resolution, x0, resolution, columns, limits)
        if last <= first:
            continue
        map_row(rmap, y0 - r * resolution, x0, resolution, first, last, heights[r], line, sample)
        for c in range(first, last):
            y, x = line[c] - offsets[0], sample[c] - offsets[1]
            if y >= 0.0 and x >= 0.0 and y < lines and x < samples:
                out[r, c] = mask[int(y) // looks, int(x) // looks]
