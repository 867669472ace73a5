"""The echo's mean power: terrain facets laid into radar cells.

Each facet scatters gamma0 times its area projected perpendicular to the look, as gamma0 is defined (Ulander 1996,
Small 2011); facets that face away or lie behind higher ground scatter nothing; several facets in one cell
(layover) add up. Beta0 is that sum over the cell's own area in slant range and azimuth.

The facets lie on a grid that follows the radar (rows of constant zero-Doppler time on the ellipsoid, columns of
constant slant range), draped over the terrain: not the map grid that a processor uses.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba as nb
import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from sarcube.geometry.radar import SPEED_OF_LIGHT, RadarGrid
from sarcube.simulate.terrain import Terrain
from sarcube.simulate.viewing import Array, Track, ground_point, normal, to_geodetic

_NODE = 16  # vertices between two nodes of the geometry lattice (about 110 m: under a millimetre of curvature)
_ROW = 0.5  # lines between two rows of vertices
_COLUMN = 2.0  # samples between two columns of vertices
_CHUNK = 96  # lines that one call of the kernel covers


@dataclass(frozen=True)
class Delays:
    """What makes an echo late (zero everywhere: none).

    Attributes
    ----------
    zenith : float
        Tropospheric zenith delay at height 0, metres; falls with exp(-h / scale_height) and grows with
        1 / cos(incidence), as OPERA's static model has it (Breit et al. 2010).
    scale_height : float
        Metres.
    mid_range_time : float
        Two-way range time tau_mid that IPF's bulk bistatic correction refers to, s; 0: no bistatic effect.
    pulse_delay : float
        Rank times pulse repetition interval, s: how long before its line's time stamp a pulse was sent. An echo
        of range time tau is annotated (tau_mid + tau) / 2 - pulse_delay too early (Gisinger et al. 2021).
    """

    zenith: float = 0.0
    scale_height: float = 6000.0
    mid_range_time: float = 0.0
    pulse_delay: float = 0.0


@dataclass(frozen=True, eq=False)
class Scatterers:
    """What covers the terrain: a class per cell of the terrain's grid, gamma0 per class and polarization.

    Attributes
    ----------
    classes : (rows, columns) uint8
    gamma0 : (polarizations, classes) float32
    """

    classes: NDArray[np.uint8]
    gamma0: NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """Lines and samples [first, last], inclusive, of a burst."""

    first_line: int
    last_line: int
    first_sample: int
    last_sample: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.last_line - self.first_line + 1, self.last_sample - self.first_sample + 1


def mean_beta0(
    radar: RadarGrid,
    track: Track,
    window: Window,
    terrain: Terrain,
    scatterers: Scatterers,
    delays: Delays,
    threads: int = 2,
) -> NDArray[np.float32]:
    """Noise-free mean beta0 of the window's cells.

    Returns
    -------
    (polarizations, lines, samples) float32
    """
    low, high = float(terrain.heights.min()), float(terrain.heights.max())
    # Ground that foreshortens into the window, shadows it or is laid over it lies beyond its edges.
    margin_far = (high - min(low, 0.0)) + 100.0
    margin_near = (max(-low, 0.0) + (high - low)) + 100.0
    late = delays.zenith * 2 if delays.zenith else 0.0
    near = window.first_sample - (margin_near + late) / radar.sample_spacing
    far = window.last_sample + margin_far / radar.sample_spacing
    # Columns start at a multiple of their step, so that a facet is the same whatever the window.
    first_column = math.floor(near / _COLUMN)
    columns = math.ceil(far / _COLUMN) - first_column + 2
    step = _COLUMN * radar.sample_spacing
    first_range = radar.first_sample_range + first_column * step
    area = cell_azimuth(radar, track, window, (low + high) / 2) * radar.sample_spacing
    beta = np.zeros((scatterers.gamma0.shape[0], *window.shape), dtype=np.float32)
    drift = 6 + int((high - min(low, 0.0)) * 0.02 / 14)
    transformer = Transformer.from_crs(4326, terrain.grid.epsg, always_xy=True)

    def chunk(first: int) -> tuple[int, NDArray[np.float32]]:
        count = min(_CHUNK, window.last_line - first + 1)
        row_count = math.ceil((count + 2 * drift) / _ROW) + 1
        start = radar.first_line_time + (first - drift) * radar.line_interval
        rows = start + np.arange(row_count, dtype=np.float64) * (_ROW * radar.line_interval)
        lattice = _lattice(track, rows, first_range, step, columns, transformer)
        power = np.zeros((scatterers.gamma0.shape[0], count, window.shape[1]), dtype=np.float32)
        p, v, a = track.state(rows)
        _splat(
            power,
            lattice,
            np.stack([p, v, a], axis=1),
            rows,
            columns,
            (radar.first_line_time, radar.line_interval, radar.first_sample_range, radar.sample_spacing),
            (first, window.first_sample),
            (
                delays.zenith,
                delays.scale_height,
                delays.mid_range_time * SPEED_OF_LIGHT / 2,
                delays.pulse_delay,
            ),
            terrain.heights,
            (terrain.grid.left, terrain.grid.top, terrain.grid.resolution),
            scatterers.classes,
            scatterers.gamma0,
        )
        return first - window.first_line, power

    firsts = range(window.first_line, window.last_line + 1, _CHUNK)
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for offset, power in pool.map(chunk, firsts):
            beta[:, offset : offset + power.shape[1]] = power
    beta /= area.astype(np.float32)
    return beta


def cell_azimuth(radar: RadarGrid, track: Track, window: Window, height: float) -> Array:
    """Ground spacing of lines at each sample of the window, metres."""
    samples = np.linspace(window.first_sample, window.last_sample, 9)
    ranges = radar.first_sample_range + samples * radar.sample_spacing
    middle = radar.first_line_time + (window.first_line + window.last_line) / 2 * radar.line_interval
    points = []
    for time in (middle, middle + 8 * radar.line_interval):
        p, v, _ = track.state(np.full(ranges.shape, time))
        points.append(ground_point(p, v, ranges, height))
    spacing = np.linalg.norm(points[1] - points[0], axis=-1) / 8
    cells = np.arange(window.first_sample, window.last_sample + 1, dtype=np.float64)
    return np.asarray(np.interp(cells, samples, spacing), dtype=np.float64)


def _lattice(
    track: Track, rows: Array, first_range: float, step: float, columns: int, transformer: Transformer
) -> Array:
    """Ellipsoid points, normals and map coordinates at every 16th vertex: (m, n, 8) float64."""
    row_nodes = np.arange(0, len(rows) + _NODE, _NODE)
    column_nodes = np.arange(0, columns + _NODE, _NODE)
    times = rows[0] + row_nodes * (rows[1] - rows[0])
    ranges = first_range + column_nodes * step
    time, slant = np.meshgrid(times, ranges, indexing="ij")
    p, v, _ = track.state(time)
    points = ground_point(p, v, slant)
    lon, lat, _ = to_geodetic(points)
    x, y = transformer.transform(lon.ravel(), lat.ravel())
    return np.concatenate(
        [points, normal(lon, lat), np.reshape(x, (*lon.shape, 1)), np.reshape(y, (*lon.shape, 1))], axis=-1
    )


@nb.njit(nogil=True, cache=True, inline="always")
def surface_height(heights, left, top, posting, x, y):  # type: ignore[no-untyped-def]
    """Height at a place, bilinear between cell centres."""
    c = (x - left) / posting - 0.5
    r = (top - y) / posting - 0.5
    c = min(max(c, 0.0), heights.shape[1] - 1.000001)
    r = min(max(r, 0.0), heights.shape[0] - 1.000001)
    c0, r0 = int(c), int(r)
    fc, fr = c - c0, r - r0
    upper = heights[r0, c0] * (1 - fc) + heights[r0, c0 + 1] * fc
    lower = heights[r0 + 1, c0] * (1 - fc) + heights[r0 + 1, c0 + 1] * fc
    return upper * (1 - fr) + lower * fr


@nb.njit(nogil=True, cache=True, fastmath={"contract", "reassoc"})
def _row(  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917
    out, i, lattice, state, row_time, columns, radar, delays, heights, raster
):
    """One row of vertices: X, Y, Z, line, sample, x, y, and 1 where the radar sees it (columns, 8)."""
    first_time, interval, first_range, spacing = radar
    zenith, scale, mid_range, pulse_delay = delays
    left, top, posting = raster
    m, fm = i // _NODE, (i % _NODE) / _NODE
    px, py, pz = state[0, 0], state[0, 1], state[0, 2]
    vx, vy, vz = state[1, 0], state[1, 1], state[1, 2]
    ax, ay, az = state[2, 0], state[2, 1], state[2, 2]
    pn = math.sqrt(px * px + py * py + pz * pz)
    steepest = 2.0  # cosine of the largest off-nadir angle met so far
    value = np.empty(8)
    for j in range(columns):
        n, fn = j // _NODE, (j % _NODE) / _NODE
        for q in range(8):
            a = lattice[m, n, q] * (1 - fn) + lattice[m, n + 1, q] * fn
            b = lattice[m + 1, n, q] * (1 - fn) + lattice[m + 1, n + 1, q] * fn
            value[q] = a * (1 - fm) + b * fm
        h = surface_height(heights, left, top, posting, value[6], value[7])
        x, y, z = value[0] + h * value[3], value[1] + h * value[4], value[2] + h * value[5]
        # Zero Doppler: Newton's method on a platform moving with constant acceleration near the row's time.
        t = 0.0
        for _ in range(3):
            dx = x - (px + t * (vx + 0.5 * t * ax))
            dy = y - (py + t * (vy + 0.5 * t * ay))
            dz = z - (pz + t * (vz + 0.5 * t * az))
            ux, uy, uz = vx + t * ax, vy + t * ay, vz + t * az
            f = dx * ux + dy * uy + dz * uz
            t -= f / (dx * ax + dy * ay + dz * az - (ux * ux + uy * uy + uz * uz))
        dx = x - (px + t * (vx + 0.5 * t * ax))
        dy = y - (py + t * (vy + 0.5 * t * ay))
        dz = z - (pz + t * (vz + 0.5 * t * az))
        rho = math.sqrt(dx * dx + dy * dy + dz * dz)
        cosine = -(dx * px + dy * py + dz * pz) / (rho * pn)
        late_range, late_time = 0.0, 0.0
        if zenith != 0.0:
            up = -(dx * value[3] + dy * value[4] + dz * value[5]) / rho
            late_range = zenith * math.exp(-h / scale) / up
        if mid_range != 0.0:
            late_time = pulse_delay - (mid_range + rho) / 299792458.0
        out[j, 0], out[j, 1], out[j, 2] = x, y, z
        out[j, 3] = (row_time + t + late_time - first_time) / interval
        out[j, 4] = (rho + late_range - first_range) / spacing
        out[j, 5], out[j, 6] = value[6], value[7]
        if cosine < steepest:
            steepest = cosine
            out[j, 7] = 1.0
        else:
            out[j, 7] = 0.0


@nb.njit(nogil=True, cache=True, fastmath={"contract", "reassoc"})
def _splat(  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917
    power, lattice, states, rows, columns, radar, origin, delays, heights, raster, classes, gamma0
):
    """Add every facet's gamma0 times projected area to the radar cells that it covers."""
    pols, lines, samples = power.shape
    left, top, posting = raster
    height, width = classes.shape
    near = np.empty((columns, 8))
    far = np.empty((columns, 8))
    _row(near, 0, lattice, states[0], rows[0], columns, radar, delays, heights, raster)
    for i in range(1, len(rows)):
        _row(far, i, lattice, states[i], rows[i], columns, radar, delays, heights, raster)
        sx, sy, sz = states[i, 0, 0], states[i, 0, 1], states[i, 0, 2]
        for j in range(columns - 1):
            seen = near[j, 7] + near[j + 1, 7] + far[j, 7] + far[j + 1, 7]
            if seen == 0.0:
                continue
            l00, l01, l10, l11 = near[j, 3], near[j + 1, 3], far[j, 3], far[j + 1, 3]
            s00, s01, s10, s11 = near[j, 4], near[j + 1, 4], far[j, 4], far[j + 1, 4]
            line = 0.25 * (l00 + l01 + l10 + l11) - origin[0]
            sample = 0.25 * (s00 + s01 + s10 + s11) - origin[1]
            if line < -2 or line > lines + 1 or sample < -8 or sample > samples + 7:
                continue
            # Vector area of the facet: half the cross product of its diagonals, upward.
            ax, ay, az = far[j + 1, 0] - near[j, 0], far[j + 1, 1] - near[j, 1], far[j + 1, 2] - near[j, 2]
            bx, by, bz = far[j, 0] - near[j + 1, 0], far[j, 1] - near[j + 1, 1], far[j, 2] - near[j + 1, 2]
            nx = 0.5 * (ay * bz - az * by)
            ny = 0.5 * (az * bx - ax * bz)
            nz = 0.5 * (ax * by - ay * bx)
            cx, cy, cz = near[j, 0], near[j, 1], near[j, 2]
            if nx * cx + ny * cy + nz * cz < 0:
                nx, ny, nz = -nx, -ny, -nz
            lx = sx - 0.5 * (near[j, 0] + far[j + 1, 0])
            ly = sy - 0.5 * (near[j, 1] + far[j + 1, 1])
            lz = sz - 0.5 * (near[j, 2] + far[j + 1, 2])
            area = (nx * lx + ny * ly + nz * lz) / math.sqrt(lx * lx + ly * ly + lz * lz)
            if area <= 0:
                continue
            area *= 0.25 * seen
            c = int((0.5 * (near[j, 5] + far[j + 1, 5]) - left) / posting)
            r = int((top - 0.5 * (near[j, 6] + far[j + 1, 6])) / posting)
            c, r = min(max(c, 0), width - 1), min(max(r, 0), height - 1)
            kind = classes[r, c]
            # The facet's extent in radar cells: a box around its parallelogram, at least a sliver wide.
            wl = 0.5 * (abs(l10 + l11 - l00 - l01) + abs(l01 + l11 - l00 - l10))
            ws = 0.5 * (abs(s10 + s11 - s00 - s01) + abs(s01 + s11 - s00 - s10))
            wl, ws = max(wl, 1e-3), max(ws, 1e-3)
            la, lb = line - 0.5 * wl + 0.5, line + 0.5 * wl + 0.5
            sa, sb = sample - 0.5 * ws + 0.5, sample + 0.5 * ws + 0.5
            density = area / (wl * ws)
            for k in range(max(math.floor(la), 0), min(math.floor(lb), lines - 1) + 1):
                part = density * (min(lb, k + 1.0) - max(la, k))
                for q in range(max(math.floor(sa), 0), min(math.floor(sb), samples - 1) + 1):
                    share = part * (min(sb, q + 1.0) - max(sa, q))
                    for pol in range(pols):
                        power[pol, k, q] += gamma0[pol, kind] * share
        near, far = far, near
