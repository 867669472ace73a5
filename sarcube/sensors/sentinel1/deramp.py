"""The phase that TOPS steering and the Doppler centroid put on a burst (Miranda 2015, COPE-GSEG-EOPG-TN-14-0025)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import SceneError
from sarcube.geometry.orbit import state
from sarcube.geometry.radar import SPEED_OF_LIGHT
from sarcube.sensors.sentinel1.model import Burst, Polynomial


class Carrier(NamedTuple):
    """The azimuth carrier of a focused burst: 0.5 rate d^2 + centroid d turns at time t, with d = t - reference.

    Attributes
    ----------
    middle : float
        Line from whose zero-Doppler time t is counted, the middle of the burst.
    interval : float
        Seconds between lines.
    rate, centroid, reference : (samples,) float64
        Doppler rate k_t (Hz/s), Doppler centroid (Hz) and the time (s) of the beam centre, of each sample.
    fm_rate : (samples,) float64
        Azimuth FM rate that the burst was focused with, Hz/s.
    """

    middle: float
    interval: float
    rate: NDArray[np.float64]
    centroid: NDArray[np.float64]
    reference: NDArray[np.float64]
    fm_rate: NDArray[np.float64]


def azimuth_carrier(burst: Burst) -> Carrier:
    """The carrier at every sample of a burst.

    Raises
    ------
    SceneError
        The annotation has no FM rate or no Doppler centroid estimates.
    """
    radar = burst.radar
    near = 2 * radar.first_sample_range / SPEED_OF_LIGHT
    tau = near + np.arange(radar.samples) / burst.range_sampling_rate
    centre = (radar.lines - 1) / 2
    middle = radar.first_line_time + centre * radar.line_interval
    fm_rate = _evaluate(_nearest(burst.tops.fm_rates, middle), tau)  # k_a, eq. 11
    centroid = _evaluate(_nearest(burst.tops.doppler_centroids, middle), tau)  # f_etac, eq. 13
    rate = doppler_rate(burst, middle, fm_rate)
    # Reference time (eq. 14): a target is seen at its beam centre; the same instant for mid swath is zero.
    beam_centre = -centroid / fm_rate
    return Carrier(centre, radar.line_interval, rate, centroid, beam_centre - beam_centre[radar.samples // 2], fm_rate)


def deramp_phase(
    burst: Burst, lines: tuple[int, int] | None = None, samples: tuple[int, int] | None = None
) -> NDArray[np.float64]:
    """Phase in radians to add to a burst's samples so that their azimuth spectrum is centred at zero.

    Multiply by `exp(1j * deramp_phase(...))` to deramp and demodulate; by its conjugate to undo it.

    Parameters
    ----------
    burst : Burst
    lines, samples : (first, stop), optional
        Half-open window within the burst; all of it by default.

    Returns
    -------
    (lines, samples) float64
    """
    first_line, stop_line = lines or (0, burst.radar.lines)
    part = slice(*(samples or (0, burst.radar.samples)))
    carrier = azimuth_carrier(burst)
    eta = (np.arange(first_line, stop_line) - carrier.middle) * carrier.interval
    away = eta[:, None] - carrier.reference[None, part]
    return np.asarray(-np.pi * carrier.rate[None, part] * away**2 - 2 * np.pi * carrier.centroid[None, part] * away)


def doppler_rate(burst: Burst, middle: float, fm_rate: NDArray[np.float64]) -> NDArray[np.float64]:
    """Doppler centroid rate of the focused burst, k_t in Hz/s (Miranda 2015, eq. 2 to 4).

    Parameters
    ----------
    burst : Burst
    middle : float
        Time of mid burst, seconds since the orbit's epoch.
    fm_rate : (n,) float64
        Azimuth FM rate at each range, Hz/s.
    """
    _, velocity = state(burst.orbit, np.array([middle]))
    speed = float(np.linalg.norm(velocity))
    steering = np.radians(burst.tops.azimuth_steering_rate)
    steering_rate = 2 * speed / SPEED_OF_LIGHT * burst.radar_frequency * steering  # k_s
    return np.asarray(fm_rate * steering_rate / (fm_rate - steering_rate))


def _nearest(polynomials: tuple[Polynomial, ...], time: float) -> Polynomial:
    if not polynomials:
        raise SceneError("the annotation has no FM rate or Doppler centroid estimates: the burst cannot be deramped")
    return min(polynomials, key=lambda polynomial: abs(polynomial.azimuth_time - time))


def _evaluate(polynomial: Polynomial, tau: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.polynomial.polynomial.polyval(tau - polynomial.tau0, np.asarray(polynomial.coefficients))
    return np.asarray(values, dtype=np.float64)
