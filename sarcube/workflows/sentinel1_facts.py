"""What a burst's annotation tells of an acquisition beyond what it says outright."""

from __future__ import annotations

import math

import numpy as np

from sarcube.geometry.ellipsoid import ecef_to_geodetic, geodetic_to_ecef
from sarcube.geometry.orbit import state
from sarcube.geometry.rdr2geo import rdr2geo
from sarcube.sensors.sentinel1.model import Burst, Channel
from sarcube.sensors.sentinel1.placement import azimuth_factors, lines_of_noise, lines_of_vectors

# Annotated noise has the scale of the samples since this IPF (MPC-0392, section 2).
_CALIBRATED_NOISE = (2, 43)


def heading_and_altitude(burst: Burst) -> tuple[float, float]:
    """Direction of flight over ground, degrees clockwise from north, and height above the ellipsoid, metres.

    Of the state vector nearest to the middle of the burst; Earth-fixed velocity in the local east and north.
    """
    orbit = burst.orbit
    middle = burst.radar.first_line_time + 0.5 * burst.radar.lines * burst.radar.line_interval
    nearest = int(np.argmin(np.abs(orbit.time - middle)))
    lon, lat, height = (float(np.squeeze(v)) for v in ecef_to_geodetic(orbit.position[nearest]))
    cos_lon, sin_lon = math.cos(math.radians(lon)), math.sin(math.radians(lon))
    cos_lat, sin_lat = math.cos(math.radians(lat)), math.sin(math.radians(lat))
    vx, vy, vz = (float(v) for v in orbit.velocity[nearest])
    east = -sin_lon * vx + cos_lon * vy
    north = -sin_lat * (cos_lon * vx + sin_lon * vy) + cos_lat * vz
    return round(math.degrees(math.atan2(east, north)) % 360.0, 4), round(height, 1)


# Spatial resolution of IW SLC, metres in slant range and azimuth (Sentinel-1 SAR user guide, ESA, table of the
# interferometric wide swath's level-1 SLC products).
_IW_RESOLUTION = {"IW1": (2.7, 22.5), "IW2": (3.1, 22.7), "IW3": (3.5, 22.6)}


def source_resolution(burst: Burst) -> tuple[float, float] | None:
    """Resolution of the source in slant range and azimuth, metres; None for modes other than IW."""
    return _IW_RESOLUTION.get(burst.swath)


def azimuth_spacing(burst: Burst) -> float | None:
    """Distance between lines on the ground at near range, metres, from ESA's geolocation grid; None without one.

    By times, not by line numbers: consecutive bursts overlap in time.
    """
    grid = burst.geolocation
    if not grid.sample.size:
        return None
    edge = grid.sample == grid.sample.min()
    order = np.argsort(grid.azimuth_time[edge])
    times = grid.azimuth_time[edge][order]
    if times.size < 2 or times[-1] <= times[0]:
        return None
    points = geodetic_to_ecef(grid.longitude[edge][order], grid.latitude[edge][order], 0.0)
    length = float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
    return round(length / float(times[-1] - times[0]) * burst.radar.line_interval, 3)


def state_vectors(burst: Burst, seconds: float = 30.0) -> dict[str, list[float]]:
    """The orbit from `seconds` before the burst to as long after it: UTC to position and velocity (ECEF, SI)."""
    orbit, radar = burst.orbit, burst.radar
    near = (orbit.time > radar.first_line_time - seconds) & (orbit.time < radar.last_line_time + seconds)
    times = orbit.epoch + np.round(orbit.time[near] * 1e6).astype("timedelta64[us]")
    vectors = np.hstack([orbit.position[near], orbit.velocity[near]])
    return {
        f"{time.astype('datetime64[us]')}Z": [round(float(v), 6) for v in vector]
        for time, vector in zip(times, vectors, strict=True)
    }


def radar_image(burst: Burst) -> dict[str, float | int | str]:
    """Where the burst's samples lie in time (UTC) and slant range (metres), and which of them are valid."""
    radar = burst.radar
    lines = burst.first_valid_sample >= 0
    first, last = (v[lines] for v in (burst.first_valid_sample, burst.last_valid_sample))
    begun = burst.orbit.epoch + np.timedelta64(round(radar.first_line_time * 1e9), "ns")
    return {
        "first_line": f"{begun}Z",
        "line_interval": radar.line_interval,
        "near_range": round(radar.first_sample_range, 6),
        "sample_spacing": radar.sample_spacing,
        "lines": radar.lines,
        "samples": radar.samples,
        "first_valid_line": burst.first_valid_line,
        "last_valid_line": burst.last_valid_line,
        "first_valid_sample": int(first.max()) if first.size else 0,
        "last_valid_sample": int(last.min()) if last.size else radar.samples - 1,
    }


def incidence_angles(burst: Burst) -> tuple[float, float, float]:
    """Ellipsoidal incidence angle at near, middle and far range of the burst, degrees.

    Of ESA's geolocation grid; a geocoded SLC has none, and its orbit tells them.
    """
    grid = burst.geolocation
    middle = burst.radar.first_line_time + 0.5 * burst.radar.lines * burst.radar.line_interval
    if not grid.incidence_angle.size:
        return _incidence_of_orbit(burst, middle)
    times = np.unique(grid.azimuth_time)
    nearest = times[np.argmin(np.abs(times - middle))]
    # Points of one line differ by less than a pulse interval.
    angles = grid.incidence_angle[np.abs(grid.azimuth_time - nearest) < 0.1]
    near, far = float(angles.min()), float(angles.max())
    return round(near, 4), round(float(np.median(angles)), 4), round(far, 4)


def _incidence_of_orbit(burst: Burst, time: float) -> tuple[float, float, float]:
    """Angle between the look and the ellipsoid's normal at one instant, for its first, middle and last sample."""
    radar = burst.radar
    ranges = np.linspace(radar.first_sample_range, radar.last_sample_range, 3)
    lon, lat, _ = rdr2geo(burst.orbit, time, ranges)
    ground = geodetic_to_ecef(lon, lat, 0.0)
    above = geodetic_to_ecef(lon, lat, 1000.0) - ground
    sensor, _ = state(burst.orbit, np.array([time]))
    look = sensor - ground
    cosine = np.einsum("ki,ki->k", look, above) / (np.linalg.norm(look, axis=1) * np.linalg.norm(above, axis=1))
    near, centre, far = (round(float(angle), 4) for angle in np.degrees(np.arccos(cosine)))
    return near, centre, far


def noise_equivalent_sigma0(burst: Burst, channel: Channel) -> dict[str, float] | None:
    """Noise-equivalent sigma0 over the burst's range, dB: annotated noise power over sigmaNought squared.

    Thermal denoising of products generated by the S-1 IPF (MPC-0392), equations 1 to 3. The azimuth factor is
    averaged over the burst's lines.
    """
    noise = channel.noise
    if noise is None or not noise.range or _version(burst.ipf_version) < _CALIBRATED_NOISE:
        return None
    middle = burst.radar.lines / 2
    vector = noise.range[int(np.argmin(np.abs(lines_of_noise(burst, noise) - middle)))]
    calibration = channel.calibration
    lines = lines_of_vectors(burst, calibration.line_time, calibration.line)
    row = int(np.argmin(np.abs(lines - middle)))
    sigma = np.interp(vector.sample, calibration.sample, calibration.sigma_nought[row])
    power = np.asarray(vector.power, np.float64)
    of_swath = burst.first_line_of_swath + np.arange(burst.radar.lines, dtype=np.float64)
    factors, at = azimuth_factors(noise, of_swath, vector.sample)
    power = power * factors.mean(axis=1)[at]
    usable = power > 0
    if not usable.any():
        return None
    decibel = 10.0 * np.log10(power[usable] / sigma[usable] ** 2)
    return {
        "minimum": round(float(decibel.min()), 2),
        "mean": round(float(10.0 * np.log10(np.mean(10.0 ** (decibel / 10.0)))), 2),
        "maximum": round(float(decibel.max()), 2),
    }


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())
