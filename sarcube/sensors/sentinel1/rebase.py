"""Counting every time of a burst from another instant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sarcube.geometry.orbit import Orbit
from sarcube.sensors.sentinel1.model import Burst, Channel, Noise, Polynomial
from sarcube.sensors.sentinel1.xml_tree import seconds


def rebase(burst: Burst, epoch: np.datetime64) -> Burst:
    """The same burst with all its times counted from `epoch`; the orbit's as well."""
    shift = float(seconds(burst.orbit.epoch, epoch))
    if shift == 0.0:
        return burst
    orbit = burst.orbit
    return replace(
        burst,
        orbit=Orbit(epoch.astype("datetime64[ns]"), orbit.time + shift, orbit.position, orbit.velocity),
        anx_time=burst.anx_time + shift,
        radar=replace(burst.radar, first_line_time=burst.radar.first_line_time + shift),
        channels={name: _channel(channel, shift) for name, channel in burst.channels.items()},
        tops=replace(
            burst.tops,
            fm_rates=_polynomials(burst.tops.fm_rates, shift),
            doppler_centroids=_polynomials(burst.tops.doppler_centroids, shift),
        ),
        geolocation=replace(burst.geolocation, azimuth_time=burst.geolocation.azimuth_time + shift),
    )


def _channel(channel: Channel, shift: float) -> Channel:
    noise = channel.noise
    if noise is not None:
        noise = Noise(
            tuple(replace(vector, line_time=vector.line_time + shift) for vector in noise.range), noise.azimuth
        )
    calibration = replace(channel.calibration, line_time=channel.calibration.line_time + shift)
    return replace(channel, calibration=calibration, noise=noise)


def _polynomials(polynomials: tuple[Polynomial, ...], shift: float) -> tuple[Polynomial, ...]:
    return tuple(replace(p, azimuth_time=p.azimuth_time + shift) for p in polynomials)
