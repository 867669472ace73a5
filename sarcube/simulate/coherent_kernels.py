"""Kernels of the coherent echo: scatterers by their numbers, where they are seen, and what they add to the lines."""

from __future__ import annotations

import math

import numba as nb
import numpy as np

from sarcube.geometry.radar import SPEED_OF_LIGHT
from sarcube.simulate.echo import surface_height

NODE = 16  # terrain cells between two nodes of the ground lattice: half a millimetre of curvature, on all dates alike
SIDE = 3  # scatterers per cell and axis
TAPS = 16  # of the impulse response
STEPS = 2048  # places of a response between two samples
SLACK = 20.0  # lines and samples: half a response, delays and a cell


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
    m, fm = r // NODE, (r % NODE) / NODE
    n, fn = c // NODE, (c % NODE) / NODE
    for q in range(6):
        a = lattice[m, n, q] * (1 - fn) + lattice[m, n + 1, q] * fn
        b = lattice[m + 1, n, q] * (1 - fn) + lattice[m + 1, n + 1, q] * fn
        base[q] = a * (1 - fm) + b * fm
        upper, lower = lattice[m, n + 1, q] - lattice[m, n, q], lattice[m + 1, n + 1, q] - lattice[m + 1, n, q]
        east[q] = (upper * (1 - fm) + lower * fm) / NODE
        south[q] = (b - a) / NODE


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
    for a in range(max(0, -y0), min(TAPS, height - y0)):
        fr, fi = np.float32(re * wy[a]), np.float32(im * wy[a])
        row = lines[y0 + a]
        for b in range(max(0, -x0), min(TAPS, width - x0)):
            row[x0 + b, 0] += fr * wx[b]
            row[x0 + b, 1] += fi * wx[b]


@nb.njit(nogil=True, cache=True)
def _far_from(near, r, c, window):  # type: ignore[no-untyped-def]
    """Whether no response from a stretch of 16 cells reaches lines and samples (first, stop, first, stop)."""
    m, n = r // NODE, c // NODE
    for q in range(2):
        low = min(near[2 * q, m, n], near[2 * q, m, n + 1], near[2 * q, m + 1, n], near[2 * q, m + 1, n + 1])
        q1 = 2 * q + 1
        high = max(near[q1, m, n], near[q1, m, n + 1], near[q1, m + 1, n], near[q1, m + 1, n + 1])
        if high < window[q1 - 1] - SLACK or low >= window[q1] + SLACK:
            return True
    return False


@nb.njit(nogil=True, cache=True)
def splat(out, origin, per_area, scene, growth, response):  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0915
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
    half = TAPS // 2
    own = np.uint64(seed) * np.uint64(0x2545F4914F6CDD1D)
    rest = math.sqrt(max(1.0 - correlation[0] ** 2 - correlation[1] ** 2, 0.0))
    away = True
    for r in range(rows):
        for c in range(columns):
            if c % NODE == 0:
                away = _far_from(near, r, c, (origin[0], origin[0] + lines, origin[1], origin[1] + samples))
            if away:
                continue
            _stand(base, east, south, lattice, r, c)
            h = heights[r, c]
            t0 = _sensor(s, track, base, h, first_time + near[0, r // NODE, c // NODE] * interval)
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
            level = math.sqrt(facing * per_area[min(max(int(sample), 0), samples - 1)]) / SIDE
            for i in range(SIDE * SIDE):
                key = _mixed(np.uint64(r * columns + c) * np.uint64(SIDE * SIDE) + np.uint64(i), own)
                u, v = _uniform(_mixed(key, 1))
                du, dv = ((i % SIDE) + u) / SIDE - 0.5, ((i // SIDE) + v) / SIDE - 0.5
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
                wy, wx = along[int((y - i0) * STEPS + 0.5)], across[int((x - j0) * STEPS + 0.5)]
                i0, j0 = i0 - half + 1, j0 - half + 1
                if i0 + TAPS <= 0 or i0 >= lines or j0 + TAPS <= 0 or j0 >= samples:
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
