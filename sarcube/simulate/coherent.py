"""A coherent echo: the same point scatterers on every date, each at its exact time and range.

Nine scatterers stand in every cell of the terrain, at random places that are theirs for ever. Their complex
amplitudes are circular Gaussian numbers whose power is gamma0 times the cell's area projected on the plane at right
angles to the look (Small 2011), as in `sarcube.simulate.echo`; what faces away scatters nothing, what is laid over
adds up, and cast shadow is not modelled. From date to date amplitudes follow a Gauss-Markov process, so that the
coherence of two dates is the product of what lies between them.

A scatterer at zero-Doppler time t and slant range R answers with the phase -4 pi R / lambda, the impulse response of
the processor's Hamming windows, and the azimuth carrier of its place (Miranda 2015): deramped, its response is the
same everywhere. Nothing is interpolated from one grid to another: what a processor resamples was never resampled here.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba as nb
import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from sarcube.geometry.radar import SPEED_OF_LIGHT
from sarcube.simulate.echo import Delays, Scatterers, Window, cell_azimuth, surface_height
from sarcube.simulate.looks import Look
from sarcube.simulate.spectrum import Spectrum
from sarcube.simulate.terrain import Terrain
from sarcube.simulate.viewing import Array, normal, radar_coordinates, to_ecef

_NODE = 16  # terrain cells between two nodes of the ground lattice: half a millimetre of curvature, on all dates alike
_SIDE = 3  # scatterers per cell and axis
_CHUNK = 96  # lines that one call of the kernel covers
_TAPS = 16
_STEPS = 2048
_TAPER = 3.0  # of the Kaiser window that ends the impulse response
_SLACK = 20.0  # lines and samples: half a response, delays and a cell


@dataclass(frozen=True, eq=False)
class Change:
    """How the scatterers change from the first date on; rasters are on the terrain's grid.

    Attributes
    ----------
    seed : int
    days : tuple of float
        Of each date, since the first.
    coherence : (rows, columns) float32
        Of two dates 12 days apart.
    renewed : (rows, columns) int8
        Date from which on nothing of before is left; 0 where there is none.
    correlation : complex
        Mean of co- times conjugate of cross-polarized amplitudes, over the root of the product of their powers.
    moved : tuple of (3, rows, columns) float32 or None
        East, north, up displacement of each date against the first, metres; None: none.
    air : tuple of (rows, columns) float32 or None
        Zenith delay of each date beyond the standard one, metres; None: none.
    """

    seed: int
    days: tuple[float, ...]
    coherence: NDArray[np.float32]
    renewed: NDArray[np.int8]
    correlation: complex
    moved: tuple[NDArray[np.float32] | None, ...]
    air: tuple[NDArray[np.float32] | None, ...]


def impulse_response(share: float, window: float) -> NDArray[np.float32]:
    """Response of a Hamming-windowed spectrum at fractions of a sample, (_STEPS + 1, _TAPS), of unit energy.

    Row k holds its values at the 16 samples around a scatterer that stands k / _STEPS beyond the eighth.
    """
    offset = np.arange(_TAPS) - (_TAPS // 2 - 1) - np.arange(_STEPS + 1)[:, None] / _STEPS
    f = np.linspace(-0.5, 0.5, 1025) * share
    weight = window + (1 - window) * np.cos(2 * np.pi * f / share)
    response = np.trapezoid(weight * np.cos(2 * np.pi * offset[..., None] * f), f, axis=-1)
    inside = np.clip(1 - (2 * offset / _TAPS) ** 2, 0, 1)
    response *= np.i0(_TAPER * np.sqrt(inside)) / np.i0(_TAPER)
    energy = float((response[:-1] ** 2).sum(axis=1).mean())
    return np.ascontiguousarray(response / np.sqrt(energy), np.float32)


@dataclass(frozen=True, eq=False)
class Visit:
    """One date of an archive as one burst's window sees it.

    Attributes
    ----------
    date : int
        Index of the date.
    delays : Delays
    spectrum : Spectrum
        Of the window.
    """

    date: int
    delays: Delays
    spectrum: Spectrum


def coherent_echo(
    look: Look,
    window: Window,
    terrain: Terrain,
    scatterers: Scatterers,
    change: Change,
    visit: Visit,
    threads: int = 2,
) -> NDArray[np.complex64]:
    """Samples of the window, their power being beta0, without noise.

    Returns
    -------
    (polarizations, lines, samples) complex64
    """
    radar, track, grid, spectrum = look.radar, look.track, terrain.grid, visit.spectrum
    lattice = _ground(terrain)
    heights = float(terrain.heights.min()), float(terrain.heights.max())
    area = cell_azimuth(radar, track, window, sum(heights) / 2) * radar.sample_spacing
    near = _extent(look, lattice, heights)
    moved, air = change.moved[visit.date], change.air[visit.date]
    out = np.zeros((scatterers.gamma0.shape[0], *window.shape), np.complex64)
    d = visit.delays
    scene = (
        (radar.first_line_time, radar.line_interval, radar.first_sample_range, radar.sample_spacing),
        (track.middle, track.half, track.coefficients),
        (terrain.heights, grid.resolution, lattice, near),
        (d.zenith, d.scale_height, d.mid_range_time * SPEED_OF_LIGHT / 2, d.pulse_delay),
        np.zeros((3, 0, 0), np.float32) if moved is None else moved,
        np.zeros((0, 0), np.float32) if air is None else air,
    )
    # The second polarization follows the first; ESA's files begin with the cross-polarized one.
    follows = change.correlation if look.polarizations[0] in ("VH", "HV") else change.correlation.conjugate()
    steps = np.diff(np.array(change.days[: visit.date + 1]), prepend=change.days[0])
    growth = (
        scatterers.classes, scatterers.gamma0, change.coherence, change.renewed, steps,
        np.array([follows.real, follows.imag]), change.seed,
    )  # fmt: skip
    response = (
        (spectrum.rate, spectrum.centroid, spectrum.reference, (radar.lines - 1) / 2, 2.0 / radar.wavelength),
        impulse_response(spectrum.azimuth_share, spectrum.azimuth_window),
        impulse_response(spectrum.range_share, spectrum.range_window),
    )

    def chunk(first: int) -> None:
        lines = out[:, first - window.first_line : first - window.first_line + _CHUNK]
        parts = lines.view(np.float32).reshape(*lines.shape, 2)
        _splat(parts, (first, window.first_sample), 1.0 / area, scene, growth, response)

    with ThreadPoolExecutor(max(1, threads)) as pool:
        list(pool.map(chunk, range(window.first_line, window.last_line + 1, _CHUNK)))
    for i in range(0, window.shape[0], 64):
        away = spectrum.time[i : i + 64, None] - spectrum.reference[None, :]
        turns = away * (0.5 * spectrum.rate * away + spectrum.centroid)
        out[:, i : i + 64] *= np.exp(2j * np.pi * (turns - np.rint(turns))).astype(np.complex64)
    return out


def _ground(terrain: Terrain) -> Array:
    """Ellipsoid points and normals at every 16th cell centre, (m, n, 6) float64."""
    grid = terrain.grid
    rows = np.arange(0, grid.height + _NODE, _NODE)
    columns = np.arange(0, grid.width + _NODE, _NODE)
    x = grid.left + (columns + 0.5) * grid.resolution
    y = grid.top - (rows + 0.5) * grid.resolution
    xx, yy = np.meshgrid(x, y)
    lon, lat = Transformer.from_crs(grid.epsg, 4326, always_xy=True).transform(xx.ravel(), yy.ravel())
    lon, lat = np.reshape(lon, xx.shape), np.reshape(lat, xx.shape)
    return np.concatenate([to_ecef(lon, lat, 0.0), normal(lon, lat)], axis=-1)


def _extent(look: Look, lattice: Array, heights: tuple[float, float]) -> Array:
    """Lowest and highest line and sample of the lattice's nodes over all heights, (4, m, n)."""
    radar, track = look.radar, look.track
    centre = radar.first_line_time + radar.lines / 2 * radar.line_interval
    p, v, _ = track.state(np.array(centre))
    lines, samples = [], []
    for height in heights:
        points = lattice[..., :3] + height * lattice[..., 3:]
        # The polynomial orbit holds near the burst: what lies farther along is none of the window's anyway.
        guess = np.clip((points - p) @ v / (v @ v), -12.0, 12.0) + centre
        time, distance = radar_coordinates(track, points, guess)
        lines.append((time - radar.first_line_time) / radar.line_interval)
        samples.append((distance - radar.first_sample_range) / radar.sample_spacing)
    return np.stack([np.minimum(*lines), np.maximum(*lines), np.minimum(*samples), np.maximum(*samples)])


@nb.njit(nogil=True, cache=True, inline="always")
def _mixed(a, b):  # type: ignore[no-untyped-def]
    """A random 64 bits from two numbers (splitmix64; Steele, Lea and Flood 2014)."""
    z = np.uint64(a) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(b) * np.uint64(0xD1B54A32D192ED03)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@nb.njit(nogil=True, cache=True, inline="always")
def _uniform(bits):  # type: ignore[no-untyped-def]
    """Two uniform numbers, the first in (0, 1], the second in [0, 1)."""
    low, high = bits & np.uint64(0xFFFFFFFF), bits >> np.uint64(32)
    return (float(low) + 1.0) / 4294967296.0, float(high) / 4294967296.0


@nb.njit(nogil=True, cache=True)
def _circular(key, date):  # type: ignore[no-untyped-def]
    """A circular Gaussian number of unit power (Box and Muller 1958)."""
    u, v = _uniform(_mixed(_mixed(key, date + 17), 3))
    r = math.sqrt(-math.log(u))
    return r * math.cos(2 * math.pi * v), r * math.sin(2 * math.pi * v)


@nb.njit(nogil=True, cache=True)
def _amplitude(key, steps, coherence, renewed):  # type: ignore[no-untyped-def]
    """Amplitude of unit power on the last of the dates: a Gauss-Markov process from the first one on."""
    re, im = _circular(key, 0)
    for k in range(1, steps.size):
        if renewed == k or coherence <= 0.0:
            rho = 0.0
        elif coherence >= 1.0:
            continue
        else:
            rho = coherence ** (steps[k] / 12.0)
        fresh = math.sqrt(1.0 - rho * rho)
        a, b = _circular(key, k)
        re, im = rho * re + fresh * a, rho * im + fresh * b
    return re, im


@nb.njit(nogil=True, cache=True)
def _state(track, time, out):  # type: ignore[no-untyped-def]
    """Position, velocity and acceleration at a time into `out` (9)."""
    middle, half, coefficients = track
    x = (time - middle) / half
    for q in range(3):
        p = v = a = 0.0
        for k in range(coefficients.shape[0] - 1, -1, -1):
            a = a * x + v
            v = v * x + p
            p = p * x + coefficients[k, q]
        out[q], out[3 + q], out[6 + q] = p, v / half, 2.0 * a / (half * half)


@nb.njit(nogil=True, cache=True)
def _stand(base, east, south, lattice, r, c):  # type: ignore[no-untyped-def]
    """Ellipsoid point and normal at a cell's centre (6), and what a cell to the east and to the south adds to them."""
    m, fm = r // _NODE, (r % _NODE) / _NODE
    n, fn = c // _NODE, (c % _NODE) / _NODE
    for q in range(6):
        a = lattice[m, n, q] * (1 - fn) + lattice[m, n + 1, q] * fn
        b = lattice[m + 1, n, q] * (1 - fn) + lattice[m + 1, n + 1, q] * fn
        base[q] = a * (1 - fm) + b * fm
        upper, lower = lattice[m, n + 1, q] - lattice[m, n, q], lattice[m + 1, n + 1, q] - lattice[m + 1, n, q]
        east[q] = (upper * (1 - fm) + lower * fm) / _NODE
        south[q] = (b - a) / _NODE


@nb.njit(nogil=True, cache=True)
def _sensor(s, track, base, h, time):  # type: ignore[no-untyped-def]
    """Time at which the point at height `h` is at zero Doppler; the platform's state then in `s`."""
    for _ in range(2):
        _state(track, time, s)
        f = g = 0.0
        for q in range(3):
            d = base[q] + h * base[3 + q] - s[q]
            f += d * s[3 + q]
            g += d * s[6 + q] - s[3 + q] * s[3 + q]
        time -= f / g
    _state(track, time, s)
    return time


@nb.njit(nogil=True, cache=True)
def _facing(base, east, south, heights, r, c, look):  # type: ignore[no-untyped-def]
    """The cell's area on the terrain, projected on the plane at right angles to the look (m2, negative: away)."""
    rows, columns = heights.shape
    c0, c1, r0, r1 = max(c - 1, 0), min(c + 1, columns - 1), max(r - 1, 0), min(r + 1, rows - 1)
    e = (heights[r, c1] - heights[r, c0]) / (c1 - c0)
    s = (heights[r1, c] - heights[r0, c]) / (r1 - r0)
    ex, ey, ez = east[0] + e * base[3], east[1] + e * base[4], east[2] + e * base[5]
    sx, sy, sz = south[0] + s * base[3], south[1] + s * base[4], south[2] + s * base[5]
    return (sy * ez - sz * ey) * look[0] + (sz * ex - sx * ez) * look[1] + (sx * ey - sy * ex) * look[2]


@nb.njit(nogil=True, cache=True)
def _point(point, base, east, south, du, dv, z, moved, r, c):  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917
    """Where a scatterer stands, `du` and `dv` cells from the centre, with the displacement of the date."""
    for q in range(3):
        up = base[3 + q] + du * east[3 + q] + dv * south[3 + q]
        point[q] = base[q] + du * east[q] + dv * south[q] + z * up
    if moved.size > 0:
        # East and north are those of the map's axes, for the truth as well.
        le = math.sqrt(east[0] ** 2 + east[1] ** 2 + east[2] ** 2)
        ls = math.sqrt(south[0] ** 2 + south[1] ** 2 + south[2] ** 2)
        for q in range(3):
            point[q] += moved[0, r, c] * east[q] / le - moved[1, r, c] * south[q] / ls + moved[2, r, c] * base[3 + q]


@nb.njit(nogil=True, cache=True)
def _seen(point, s):  # type: ignore[no-untyped-def]
    """Seconds from the state `s` to zero Doppler, and slant range: exact for a platform of constant acceleration."""
    t = 0.0
    for _ in range(2):
        f = g = 0.0
        for q in range(3):
            d = point[q] - (s[q] + t * (s[3 + q] + 0.5 * t * s[6 + q]))
            w = s[3 + q] + t * s[6 + q]
            f += d * w
            g += d * s[6 + q] - w * w
        t -= f / g
    rho = 0.0
    for q in range(3):
        d = point[q] - (s[q] + t * (s[3 + q] + 0.5 * t * s[6 + q]))
        rho += d * d
    return t, math.sqrt(rho)


@nb.njit(nogil=True, cache=True)
def _carried(carrier, interval, y, x, j):  # type: ignore[no-untyped-def]
    """Turns of the carrier at line `y` and `x` samples into the window; `j` is the sample whose values are used."""
    rate, centroid, reference, middle, _ = carrier
    f = x - j
    away = (y - middle) * interval - (reference[j] + f * (reference[j + 1] - reference[j]))
    slope = rate[j] + f * (rate[j + 1] - rate[j])
    return away * (0.5 * slope * away + centroid[j] + f * (centroid[j + 1] - centroid[j]))


@nb.njit(nogil=True, cache=True)
def _add(lines, wy, wx, y0, x0, re, im):  # type: ignore[no-untyped-def]
    """Add one response, its first value at (y0, x0), as far as it lies within."""
    height, width, _ = lines.shape
    for a in range(max(0, -y0), min(_TAPS, height - y0)):
        fr, fi = np.float32(re * wy[a]), np.float32(im * wy[a])
        row = lines[y0 + a]
        for b in range(max(0, -x0), min(_TAPS, width - x0)):
            row[x0 + b, 0] += fr * wx[b]
            row[x0 + b, 1] += fi * wx[b]


@nb.njit(nogil=True, cache=True)
def _far_from(near, r, c, window):  # type: ignore[no-untyped-def]
    """Whether no response from a stretch of 16 cells reaches lines and samples (first, stop, first, stop)."""
    m, n = r // _NODE, c // _NODE
    for q in range(2):
        low = min(near[2 * q, m, n], near[2 * q, m, n + 1], near[2 * q, m + 1, n], near[2 * q, m + 1, n + 1])
        q1 = 2 * q + 1
        high = max(near[q1, m, n], near[q1, m, n + 1], near[q1, m + 1, n], near[q1, m + 1, n + 1])
        if high < window[q1 - 1] - _SLACK or low >= window[q1] + _SLACK:
            return True
    return False


@nb.njit(nogil=True, cache=True)
def _splat(out, origin, per_area, scene, growth, response):  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0915
    """Add the response of every scatterer that reaches these lines."""
    pols, lines, samples, _ = out.shape
    radar, track, ground, delays, moved, air = scene
    first_time, interval, first_range, spacing = radar
    heights, posting, lattice, near = ground
    zenith, scale, mid_range, pulse_delay = delays
    classes, gamma0, coherence, renewed, steps, correlation, seed = growth
    carrier, along, across = response
    rows, columns = classes.shape
    s, base, east, south, point = np.empty(9), np.empty(6), np.empty(6), np.empty(6), np.empty(3)
    look = np.empty(3)
    half = _TAPS // 2
    own = np.uint64(seed) * np.uint64(0x2545F4914F6CDD1D)
    rest = math.sqrt(max(1.0 - correlation[0] ** 2 - correlation[1] ** 2, 0.0))
    away = True
    for r in range(rows):
        for c in range(columns):
            if c % _NODE == 0:
                away = _far_from(near, r, c, (origin[0], origin[0] + lines, origin[1], origin[1] + samples))
            if away:
                continue
            _stand(base, east, south, lattice, r, c)
            h = heights[r, c]
            t0 = _sensor(s, track, base, h, first_time + near[0, r // _NODE, c // _NODE] * interval)
            line = (t0 - first_time) / interval - origin[0]
            if line < -half - 6 or line > lines + half + 6:
                continue
            rho = 0.0
            for q in range(3):
                look[q] = s[q] - base[q] - h * base[3 + q]
                rho += look[q] * look[q]
            rho = math.sqrt(rho)
            look /= rho
            sample = (rho - first_range) / spacing - origin[1]
            if sample < -half - 16 or sample > samples + half + 16:
                continue
            facing = _facing(base, east, south, heights, r, c, look)
            if facing <= 0.0:
                continue
            cosine = look[0] * base[3] + look[1] * base[4] + look[2] * base[5]
            late_range, late_time = 0.0, 0.0
            if zenith != 0.0:
                late_range = zenith * math.exp(-h / scale) / cosine
            if air.size > 0:
                late_range += air[r, c] / cosine
            if mid_range != 0.0:
                late_time = pulse_delay - (mid_range + rho) / SPEED_OF_LIGHT
            level = math.sqrt(facing * per_area[min(max(int(sample), 0), samples - 1)]) / _SIDE
            for i in range(_SIDE * _SIDE):
                key = _mixed(np.uint64(r * columns + c) * np.uint64(_SIDE * _SIDE) + np.uint64(i), own)
                u, v = _uniform(_mixed(key, 1))
                du, dv = ((i % _SIDE) + u) / _SIDE - 0.5, ((i // _SIDE) + v) / _SIDE - 0.5
                z = surface_height(heights, 0.0, 0.0, posting, (c + 0.5 + du) * posting, -(r + 0.5 + dv) * posting)
                _point(point, base, east, south, du, dv, z, moved, r, c)
                t, rho = _seen(point, s)
                rho += late_range
                y = (t0 + t + late_time - first_time) / interval
                x = (rho - first_range) / spacing - origin[1]
                turns = -_carried(carrier, interval, y, x, min(max(int(x), 0), samples - 2)) - carrier[4] * rho
                turns -= math.floor(turns)
                co, si = math.cos(2 * math.pi * turns), math.sin(2 * math.pi * turns)
                y -= origin[0]
                i0, j0 = int(math.floor(y)), int(math.floor(x))  # noqa: RUF046
                wy, wx = along[int((y - i0) * _STEPS + 0.5)], across[int((x - j0) * _STEPS + 0.5)]
                i0, j0 = i0 - half + 1, j0 - half + 1
                if i0 + _TAPS <= 0 or i0 >= lines or j0 + _TAPS <= 0 or j0 >= samples:
                    continue
                one_re, one_im = _amplitude(key, steps, coherence[r, c], renewed[r, c])
                for pol in range(pols):
                    re, im = one_re, one_im
                    if pol == 1:
                        a, b = _amplitude(_mixed(key, 2), steps, coherence[r, c], renewed[r, c])
                        re = correlation[0] * one_re - correlation[1] * one_im + rest * a
                        im = correlation[0] * one_im + correlation[1] * one_re + rest * b
                    g = level * math.sqrt(gamma0[pol, classes[r, c]])
                    _add(out[pol], wy, wx, i0, j0, g * (re * co - im * si), g * (re * si + im * co))
