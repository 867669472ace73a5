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

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from sarcube.geometry.radar import SPEED_OF_LIGHT
from sarcube.simulate.coherent_kernels import NODE, STEPS, TAPS, splat
from sarcube.simulate.echo import Delays, Scatterers, Window, cell_azimuth
from sarcube.simulate.looks import Look
from sarcube.simulate.spectrum import Spectrum
from sarcube.simulate.terrain import Terrain
from sarcube.simulate.viewing import Array, normal, radar_coordinates, to_ecef

_CHUNK = 96  # lines that one call of the kernel covers
_TAPER = 3.0  # of the Kaiser window that ends the impulse response


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
    """Response of a Hamming-windowed spectrum at fractions of a sample, (STEPS + 1, TAPS), of unit energy.

    Row k holds its values at the 16 samples around a scatterer that stands k / STEPS beyond the eighth.
    """
    offset = np.arange(TAPS) - (TAPS // 2 - 1) - np.arange(STEPS + 1)[:, None] / STEPS
    f = np.linspace(-0.5, 0.5, 1025) * share
    weight = window + (1 - window) * np.cos(2 * np.pi * f / share)
    response = np.trapezoid(weight * np.cos(2 * np.pi * offset[..., None] * f), f, axis=-1)
    inside = np.clip(1 - (2 * offset / TAPS) ** 2, 0, 1)
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
        splat(parts, (first, window.first_sample), 1.0 / area, scene, growth, response)

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
    rows = np.arange(0, grid.height + NODE, NODE)
    columns = np.arange(0, grid.width + NODE, NODE)
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
