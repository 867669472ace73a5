"""How two dates see the same ground: baseline, common band."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sarcube.engines.insar.lattice import Nodes, up_vector
from sarcube.geometry.geo2rdr import geo2rdr
from sarcube.geometry.orbit import Orbit, state
from sarcube.geometry.radar import SPEED_OF_LIGHT
from sarcube.sensors.sentinel1.deramp import azimuth_carrier
from sarcube.sensors.sentinel1.model import Burst


@dataclass(frozen=True)
class Baseline:
    """Of the second date against the first, at the middle of the burst.

    Attributes
    ----------
    perpendicular : float
        Metres at right angles to the look; positive along velocity x look (to the left and down for a right look).
    parallel : float
        Metres along the look from the first sensor to the ground: positive where the second is nearer.
    days : float
        From the first date to the second.
    range_common_band, azimuth_common_band : float
        Share of the processed bandwidth that both dates have of the same ground (Gatelli et al. 1994, IEEE TGRS 32;
        the azimuth spectra of TOPS bursts that start at other times are shifted).
    """

    perpendicular: float
    parallel: float
    days: float
    range_common_band: float
    azimuth_common_band: float


def perpendicular_and_parallel(first: Orbit, second: Orbit, point: NDArray[np.float64]) -> tuple[float, float]:
    """Both components of the baseline (metres, signs as of `Baseline`) for a point on the ground, (3,) ECEF metres.

    NaN where an orbit does not pass the point.
    """
    times = [geo2rdr(orbit, point)[0] for orbit in (first, second)]
    if not np.isfinite(times).all():
        return float("nan"), float("nan")
    (one, velocity), (two, _) = (state(orbit, time) for orbit, time in zip((first, second), times, strict=True))
    look = (point - one) / np.linalg.norm(point - one)
    across = np.cross(velocity, look)
    across /= np.linalg.norm(across)
    between = two - one
    return float(between @ across), float(between @ look)


def find_baseline(first: Burst, second: Burst, nodes: Nodes) -> Baseline:
    """The baseline at the lattice node nearest to the middle of the first date's burst, at middle height."""
    points, radar = nodes.xyz[1], first.radar
    time, slant = geo2rdr(first.orbit, points)
    mid_range = 0.5 * (radar.first_sample_range + radar.last_sample_range)
    mid_time = 0.5 * (radar.first_line_time + radar.last_line_time)
    away = np.hypot((time - mid_time) * 7e3, slant - mid_range)
    at = np.unravel_index(int(np.nanargmin(away)), away.shape)
    point = points[at]
    ground = np.array(nodes.lon[at]), np.array(nodes.lat[at])
    one, _ = state(first.orbit, time[at])
    late, _ = geo2rdr(second.orbit, point)
    two, _ = state(second.orbit, late)
    look = (point - one) / np.linalg.norm(point - one)
    perpendicular, parallel = perpendicular_and_parallel(first.orbit, second.orbit, point)
    cosine = float(-look @ up_vector(*ground))
    tangent = np.sqrt(1.0 - cosine**2) / cosine
    tops = first.tops
    shift = SPEED_OF_LIGHT * abs(perpendicular) / (radar.wavelength * slant[at] * tangent)
    dopplers = []
    for burst, instant, distance in ((first, time[at], slant[at]), (second, late, float(np.linalg.norm(point - two)))):
        carrier, grid = azimuth_carrier(burst), burst.radar
        k = int(np.clip((distance - grid.first_sample_range) / grid.sample_spacing, 0, grid.samples - 1))
        line = (float(instant) - grid.first_line_time) / grid.line_interval
        away_k = (line - carrier.middle) * carrier.interval - carrier.reference[k]
        dopplers.append(carrier.rate[k] * away_k + carrier.centroid[k])
    days = float((second.start_time - first.start_time) / np.timedelta64(1, "s")) / 86400.0
    return Baseline(
        perpendicular, parallel, days, max(0.0, 1.0 - float(shift) / tops.range_bandwidth),
        max(0.0, 1.0 - abs(float(dopplers[1] - dopplers[0])) / tops.azimuth_bandwidth),
    )  # fmt: skip
