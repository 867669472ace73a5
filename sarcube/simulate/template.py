"""An archive on real annotation: metadata copied unchanged, only the echo is simulated."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import ConfigError, SceneError
from sarcube.geometry.radar import SPEED_OF_LIGHT
from sarcube.sensors.sentinel1.burst import read_bursts, with_orbit
from sarcube.sensors.sentinel1.model import Burst, Calibration, GeolocationGrid, Noise, Polynomial
from sarcube.sensors.sentinel1.orbit_file import OrbitFile, read_orbit
from sarcube.sensors.sentinel1.placement import PlacedBurst, azimuth_factors, lines_of_noise, lines_of_vectors
from sarcube.sensors.sentinel1.safe import Part, Safe, open_safe
from sarcube.simulate.archive import Archive, finish
from sarcube.simulate.echo import Delays, Window
from sarcube.simulate.ground import Ground, lay_ground
from sarcube.simulate.looks import Look, aoi_window
from sarcube.simulate.measurement import MeasurementFile, TiePoint
from sarcube.simulate.options import SimulationOptions
from sarcube.simulate.safe import ZENITH_DELAY, EchoSettings, Statistics, write_echo, zip_safe
from sarcube.simulate.spectrum import Spectrum, doppler_rate
from sarcube.simulate.swaths import SWATHS
from sarcube.simulate.viewing import fit_track


def simulate_templates(directory: Path, options: SimulationOptions) -> Archive:
    """Fill every template's chosen bursts with an echo; see `sarcube.simulate.archive.simulate`."""
    orbit = read_orbit(options.orbit) if options.orbit is not None else None
    if orbit is not None and options.orbit is not None:
        shutil.copy(options.orbit, directory / "orbits" / options.orbit.name)
    safes = [copy_metadata(open_safe(path), directory / "scenes", options) for path in options.templates]
    scenes = [_bursts(safe, options, orbit) for safe in safes]
    dates = tuple(str(bursts[0].start_time.astype("datetime64[D]")) for bursts in scenes)
    if len(set(dates)) < len(dates):
        raise ConfigError("two templates are of one day; give one scene per date")
    looks = [[_look(burst) for burst in bursts] for bursts in scenes]
    everything = [look for scene in looks for look in scene]
    ground = lay_ground(options, everything, dates)
    files = []
    for i, (safe, bursts) in enumerate(zip(safes, scenes, strict=True)):
        _fill(safe, bursts, looks[i], i, ground, options)
        root = Path(safe.path)
        files.append(zip_safe(root) if options.format == "zip" else root)
    seen = [look for look in everything if aoi_window(look, options.aoi, ground.height_range) is not None]
    ids = tuple(sorted({look.burst_id for look in seen}))
    return finish(directory, options, ground, everything, tuple(files), dates, ids)


def _chosen(safe: Safe, options: SimulationOptions) -> list[Part]:
    swaths = [name for name in options.swaths if name in safe.swaths] if options.product == "SLC" else [*safe.swaths]
    if not swaths:
        raise SceneError(
            f"template {safe.path} has none of the swaths {', '.join(options.swaths)}; it has {', '.join(safe.swaths)}"
        )
    parts = [part for part in safe.parts if part.swath in swaths]
    wanted = [part for part in parts if part.polarization in options.polarizations]
    return wanted or parts


def copy_metadata(safe: Safe, folder: Path, options: SimulationOptions) -> Safe:
    """The template's metadata of the chosen swaths in a folder of its own, byte for byte."""
    root = folder / f"{safe.name}.SAFE"
    if root.exists():
        raise ConfigError(f"template {safe.name} is given twice; give one scene per date")
    stems = [PurePosixPath(part.annotation).stem for part in _chosen(safe, options)]
    prefix = safe.files.root
    for name in safe.files.names():
        member = name.removeprefix(prefix)
        if not name.startswith(prefix) or name.endswith("/") or ".." in PurePosixPath(member).parts:
            continue
        general = member == "manifest.safe" or member.startswith("support/")
        of_image = member.startswith("annotation/") and any(stem in member for stem in stems)
        if general or of_image:
            target = root / member
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(safe.files.read(name))
    (root / "measurement").mkdir(exist_ok=True)
    return open_safe(root, product=options.product)


def _bursts(safe: Safe, options: SimulationOptions, orbit: OrbitFile | None) -> list[Burst]:
    """The chosen bursts of all swaths."""
    chosen = [burst for burst in read_bursts(safe) if burst.index in options.burst_indices]
    if not chosen:
        raise SceneError(f"template {safe.path} has no burst of index {options.burst_indices}; indices start at 0")
    return [with_orbit(burst, orbit) if orbit is not None else burst for burst in chosen]


def _look(burst: Burst) -> Look:
    lines = np.flatnonzero(burst.first_valid_sample >= 0)
    valid = Window(
        int(lines[0]),
        int(lines[-1]),
        int(burst.first_valid_sample[lines].min()),
        int(burst.last_valid_sample[lines].max()),
    )
    track = fit_track(burst.orbit, burst.radar.first_line_time - 1, burst.radar.last_line_time + 1)
    return Look(burst.burst_id, burst.swath, burst.index, burst.radar, track, valid, burst.polarizations)


def _fill(
    safe: Safe,
    bursts: list[Burst],
    looks: list[Look],
    date_index: int,
    ground: Ground,
    options: SimulationOptions,
) -> None:
    root = Path(safe.path)
    files: dict[tuple[str, str], MeasurementFile] = {}
    counts = {(p.swath, p.polarization): 0 for p in safe.parts}
    for burst in read_bursts(safe):
        for polarization in burst.polarizations:
            counts[burst.swath, polarization] += 1
    size = {burst.swath: (burst.radar.lines, burst.radar.samples) for burst in bursts}
    ties = {burst.swath: tie_points(burst.geolocation) for burst in bursts}
    for part in safe.parts:
        if part.swath not in size:
            continue
        stem = PurePosixPath(part.annotation).stem
        lines, samples = size[part.swath]
        files[part.swath, part.polarization] = MeasurementFile(
            root / "measurement" / f"{stem}.tiff", lines * counts[part.swath, part.polarization], samples,
            ties[part.swath], "Simulated SLC",
        )  # fmt: skip
    try:
        for burst, look in zip(bursts, looks, strict=True):
            window = aoi_window(look, options.aoi, ground.height_range)
            if window is None:
                continue
            settings = _settings(burst, window, date_index, options)
            channels = [files[burst.swath, polarization] for polarization in burst.polarizations]
            settings = replace(
                settings,
                valid=_valid_mask(burst, window),
                spectrum=_spectrum(burst, look, window) if options.band_limited or options.coherent else None,
            )
            write_echo(channels, [Statistics() for _ in channels], look, window, ground, settings)
    finally:
        for file in files.values():
            file.close()


def _valid_mask(burst: Burst, window: Window) -> NDArray[np.bool_] | None:
    """Where the annotation calls samples valid, if that is not the whole window."""
    lines = slice(window.first_line, window.last_line + 1)
    samples = np.arange(window.first_sample, window.last_sample + 1)
    first, last = burst.first_valid_sample[lines, None], burst.last_valid_sample[lines, None]
    mask = (samples >= first) & (samples <= last) & (first >= 0)
    return None if mask.all() else mask


def _settings(burst: Burst, window: Window, date_index: int, options: SimulationOptions) -> EchoSettings:
    delays = Delays()
    if options.delays:
        delays = Delays(
            ZENITH_DELAY,
            mid_range_time=burst.mid_swath_range_time,
            pulse_delay=burst.rank * burst.pulse_interval,
        )
    samples = np.arange(window.first_sample, window.last_sample + 1)
    lines = np.arange(window.first_line, window.last_line + 1)
    channels = [burst.channels[p] for p in burst.polarizations]
    return EchoSettings(
        date_index,
        burst.first_line_of_swath,
        delays,
        [gain_of(burst, c.calibration, lines, samples) for c in channels],
        [noise_power(burst, c.noise, lines, samples) if c.noise else None for c in channels] if options.noise else None,
        (options.seed, 37, date_index, int(burst.swath[-1]), burst.index),
        options.threads,
    )


def _spectrum(burst: Burst, look: Look, window: Window) -> Spectrum:
    """The spectrum that the annotation states; the windows are those of the swath."""
    radar, swath = burst.radar, SWATHS[burst.swath]
    samples = np.arange(window.first_sample, window.last_sample + 1)
    near = 2 * radar.first_sample_range / SPEED_OF_LIGHT
    tau = near + samples / burst.range_sampling_rate
    mid = np.array([near + (radar.samples // 2) / burst.range_sampling_rate])
    middle = radar.first_line_time + (radar.lines - 1) / 2 * radar.line_interval
    lines = np.arange(window.first_line, window.last_line + 1, dtype=np.float64)

    def at(polynomials: tuple[Polynomial, ...], times: NDArray[np.float64]) -> NDArray[np.float64]:
        p = min(polynomials, key=lambda q: abs(q.azimuth_time - middle))
        return np.asarray(np.polynomial.polynomial.polyval(times - p.tau0, np.array(p.coefficients)))

    fm_rate, centroid = at(burst.tops.fm_rates, tau), at(burst.tops.doppler_centroids, tau)
    mid_reference = at(burst.tops.doppler_centroids, mid) / at(burst.tops.fm_rates, mid)
    speed = float(np.linalg.norm(look.track.state(np.array([middle]))[1]))
    return Spectrum(
        swath.range_bandwidth / burst.range_sampling_rate,
        burst.tops.azimuth_bandwidth * radar.line_interval,
        swath.range_window,
        swath.azimuth_window,
        (lines - (radar.lines - 1) / 2) * radar.line_interval,
        doppler_rate(fm_rate, speed, burst.tops.azimuth_steering_rate),
        centroid,
        mid_reference - centroid / fm_rate,
    )


def gain_of(
    burst: PlacedBurst, calibration: Calibration, lines: NDArray[np.int64], samples: NDArray[np.int64]
) -> NDArray[np.float64]:
    """betaNought along the window, of the vector nearest to its middle line; lines count from the burst's first."""
    placed = lines_of_vectors(burst, calibration.line_time, calibration.line)
    nearest = int(np.argmin(np.abs(placed - lines.mean())))
    return np.asarray(np.interp(samples, calibration.sample, calibration.beta_nought[nearest]), dtype=np.float64)


def noise_power(
    burst: PlacedBurst, noise: Noise, lines: NDArray[np.int64], samples: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Noise power over the window: range vectors linear in line and sample, times the azimuth blocks' factors."""
    placed = lines_of_noise(burst, noise)
    order = np.argsort(placed, kind="stable")
    rows = np.array([np.interp(samples, noise.range[i].sample, noise.range[i].power) for i in order])
    at = np.interp(lines, placed[order], np.arange(len(rows), dtype=np.float64))
    low = np.minimum(at.astype(np.int64), max(len(rows) - 2, 0))
    share = (at - low)[:, None]
    power = rows[low] * (1 - share) + rows[np.minimum(low + 1, len(rows) - 1)] * share
    factors, row = azimuth_factors(noise, burst.first_line_of_swath + lines.astype(np.float64), samples.astype(float))
    return np.asarray(power * factors[row].T, dtype=np.float32)


def tie_points(points: GeolocationGrid) -> list[TiePoint]:
    """Tie points of a measurement file: those of the geolocation grid."""
    g = points
    values = zip(g.sample, g.line, g.longitude, g.latitude, g.height, strict=True)
    return [(float(s), float(a), float(o), float(f), float(h)) for s, a, o, f, h in values]
