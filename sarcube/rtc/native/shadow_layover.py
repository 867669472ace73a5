"""Shadow and layover: which radar cells see no ground, and which see more than one piece of it.

Along every radar line the terrain is followed from near to far. Where the line of sight of an earlier point
passes above a point, the point lies in (cast or self) shadow; where the slant range of a farther point is
not beyond that of all nearer ones, and the other way round, cells are shared: layover, active and passive. (Kropatsch
and Strobl, "The generation of SAR layover and shadow maps from digital elevation models", IEEE TGRS 28, 1990.)
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sarcube.geometry.burst_grid import transformer
from sarcube.geometry.ellipsoid import geodetic_to_ecef
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.orbit import Orbit, state
from sarcube.geometry.radar import RadarGrid
from sarcube.geometry.rdr2geo import rdr2geo
from sarcube.rtc.native.area_factor import Window
from sarcube.rtc.native.mapping import RadarMap, map_row
from sarcube.rtc.native.mesh import Mesh

SHADOW, LAYOVER, OUTSIDE = 1, 2, 255
LOOKS = 3  # radar cells per mask cell and axis, as OPERA RTC-S1 makes its static mask
_COARSE_METRES = 1500.0  # of slant range between exactly placed points of a profile


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
    looks : int
        Radar cells per mask cell and axis.

    Returns
    -------
    (ceil(lines / looks), ceil(samples / looks)) uint8
        Bit 1 shadow, bit 2 layover.
    """
    lines, samples = -(-window.lines // looks), -(-window.samples // looks)
    line = window.first_line + np.arange(lines) * looks + 0.5 * (looks - 1)
    time = radar.first_line_time + line * radar.line_interval
    low, high = rmap.h0, rmap.h0 + 2.0 * rmap.dh
    mid = 0.5 * (low + high)
    # Terrain beyond the window can cast shadow into it or share its ranges.
    reach = high - low + 500.0
    near = radar.first_sample_range + window.first_sample * radar.sample_spacing - reach
    far = near + window.samples * radar.sample_spacing + 2.0 * reach
    coarse = np.linspace(near, far, max(3, math.ceil((far - near) / _COARSE_METRES) + 1))
    time = np.clip(time, orbit.time[0], orbit.time[-1])
    lon, lat, _ = rdr2geo(orbit, time[:, None], coarse[None, :], mid)
    x, y = transformer(4326, mesh.epsg).transform(np.where(np.isfinite(lon), lon, 0.0), np.where(np.isfinite(lat), lat, 0.0))
    x, y = np.where(np.isfinite(lon), x, np.nan), np.where(np.isfinite(lat), y, np.nan)
    ground = geodetic_to_ecef(lon, lat, 0.0)
    above = geodetic_to_ecef(lon, lat, 1.0)
    # |P(h)|^2 = |P(0)|^2 + 2 h P(0) . u + h^2
    square = np.einsum("...i,...i", ground, ground)
    rise = np.einsum("...i,...i", ground, above - ground)
    position, _ = state(orbit, time)
    platform = np.linalg.norm(position, axis=-1)
    profile = np.stack([x, y, square, rise], axis=-1)
    out = np.zeros((lines, samples), np.uint8)
    place = (radar.first_sample_range, radar.sample_spacing)
    origin = (window.first_sample - 0.5, float(looks))
    _profiles(rmap, mesh.heights, mesh.x0, mesh.y0, mesh.spacing, profile, platform, place, origin, out)
    return out


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
    ends = (float(window.lines), float(window.samples))
    _nearest(rmap, centres, grid.left + half, grid.top - half, grid.resolution, offsets, ends, mask, looks, out)
    return out


@njit(cache=True, nogil=True, parallel=True)
def _profiles(
    rmap: RadarMap,
    heights: NDArray[np.float32],
    x0: float,
    y0: float,
    spacing: float,
    profile: NDArray[np.float64],
    platform: NDArray[np.float64],
    place: tuple[float, float],
    origin: tuple[float, float],
    out: NDArray[np.uint8],
) -> None:
    for i in prange(out.shape[0]):
        _profile(rmap, heights, x0, y0, spacing, profile[i], platform[i], place, origin, out[i])


@njit(cache=True, nogil=True)
def _profile(
    rmap: RadarMap,
    heights: NDArray[np.float32],
    x0: float,
    y0: float,
    spacing: float,
    profile: NDArray[np.float64],
    platform: float,
    place: tuple[float, float],
    origin: tuple[float, float],
    out: NDArray[np.uint8],
) -> None:
    """One radar line: points half a mesh spacing apart, then one sweep outward and one inward."""
    rows, columns = heights.shape
    points = profile.shape[0]
    total = 0
    counts = np.zeros(points, np.int64)
    for k in range(points - 1):
        ax = math.hypot(profile[k + 1, 0] - profile[k, 0], profile[k + 1, 1] - profile[k, 1])
        if not math.isnan(ax):
            counts[k] = max(1, int(math.ceil(2.0 * ax / spacing)))
            total += counts[k]
    sample = np.empty(total)
    elevation = np.empty(total)
    n = 0
    one_h, one_line, one_sample = np.empty(1, np.float32), np.empty(1), np.empty(1)
    for k in range(points - 1):
        for m in range(counts[k]):
            f = m / counts[k]
            x = profile[k, 0] + f * (profile[k + 1, 0] - profile[k, 0])
            y = profile[k, 1] + f * (profile[k + 1, 1] - profile[k, 1])
            u, v = (x - x0) / spacing, (y0 - y) / spacing
            if not (u >= 0.0 and v >= 0.0 and u < columns - 1 and v < rows - 1):
                continue
            i, j = int(v), int(u)
            fv, fu = v - i, u - j
            h = (1.0 - fv) * ((1.0 - fu) * heights[i, j] + fu * heights[i, j + 1]) + fv * (
                (1.0 - fu) * heights[i + 1, j] + fu * heights[i + 1, j + 1]
            )
            if math.isnan(h):
                continue
            one_h[0] = h
            map_row(rmap, y, x, spacing, 0, 1, one_h, one_line, one_sample)
            s = one_sample[0]
            if math.isnan(s):
                continue
            r = place[0] + s * place[1]
            p2 = profile[k, 2] + f * (profile[k + 1, 2] - profile[k, 2])
            rise = profile[k, 3] + f * (profile[k + 1, 3] - profile[k, 3])
            p2 += 2.0 * h * rise + h * h
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
            if i > 0 and flag[i] & flag[i - 1] and abs(b - before) < 8:
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
    ends: tuple[float, float],
    mask: NDArray[np.uint8],
    looks: int,
    out: NDArray[np.uint8],
) -> None:
    columns = heights.shape[1]
    for r in prange(heights.shape[0]):
        line, sample = np.empty(columns), np.empty(columns)
        map_row(rmap, y0 - r * resolution, x0, resolution, 0, columns, heights[r], line, sample)
        for c in range(columns):
            y, x = line[c] - offsets[0], sample[c] - offsets[1]
            if y >= 0.0 and x >= 0.0 and y < ends[0] and x < ends[1]:
                out[r, c] = mask[int(y) // looks, int(x) // looks]
