"""Speckle with the spectrum that focusing leaves: band-limited in range and azimuth, ramped by TOPS steering."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sarcube.simulate.swaths import WAVELENGTH

_LINES, _COLUMNS = 128, 512  # size of the blocks that are filtered at once

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The spectrum of one window of a burst.

    Attributes
    ----------
    range_share, azimuth_share : float
        Processed bandwidth over sampling rate.
    range_window, azimuth_window : float
        Coefficient of the generalized Hamming window, 1: none.
    time : (lines,) float64
        Zero-Doppler time from the middle of the burst, seconds.
    rate : (samples,) float64
        Doppler centroid rate k_t of the focused burst, Hz/s.
    centroid : (samples,) float64
        Doppler centroid, Hz.
    reference : (samples,) float64
        Time at which a sample's ramp is zero, seconds from the middle of the burst.
    """

    range_share: float
    azimuth_share: float
    range_window: float
    azimuth_window: float
    time: Array
    rate: Array
    centroid: Array
    reference: Array


def doppler_rate(fm_rate: Array, speed: float, steering_rate: float) -> Array:
    """k_t of Miranda 2015 (COPE-GSEG-EOPG-TN-14-0025), eq. 2 to 4: FM rate in Hz/s, speed in m/s, degrees/s."""
    steering = 2 * speed / WAVELENGTH * np.radians(steering_rate)
    return np.asarray(fm_rate * steering / (fm_rate - steering))


def hamming(size: int, share: float, coefficient: float) -> NDArray[np.float32]:
    """Amplitude of a generalized Hamming window over the FFT's frequencies, of unit mean power."""
    f = np.fft.fftfreq(size)
    inside = np.abs(f) <= share / 2
    weight = np.where(inside, coefficient + (1 - coefficient) * np.cos(2 * np.pi * f / share), 0.0)
    return np.asarray(weight / np.sqrt(np.mean(weight**2)), dtype=np.float32)


def band_limited_noise(
    spectrum: Spectrum, seed: Callable[[int], np.random.Generator], threads: int
) -> NDArray[np.complex64]:
    """Circular Gaussian noise of unit power with that spectrum, (lines, samples).

    `seed` gives the random generator of the block of lines that starts at its argument.
    """
    from scipy.fft import fft, ifft

    lines, samples = spectrum.time.size, spectrum.rate.size
    out = np.empty((lines, samples), dtype=np.complex64)
    across = hamming(samples, spectrum.range_share, spectrum.range_window)
    along = hamming(lines, spectrum.azimuth_share, spectrum.azimuth_window)[:, None]

    def in_range(first: int) -> None:
        part = out[first : first + _LINES]
        white = seed(first).standard_normal((*part.shape, 2), dtype=np.float32)
        white *= np.float32(np.sqrt(0.5))
        part[:] = ifft(fft(white.view(np.complex64)[..., 0], axis=1) * across, axis=1)

    def in_azimuth(first: int) -> None:
        cols = slice(first, first + _COLUMNS)
        away = spectrum.time[:, None] - spectrum.reference[None, cols]
        turns = away * (0.5 * spectrum.rate[cols] * away + spectrum.centroid[cols])
        turns -= np.rint(turns)
        ramp = np.exp(2j * np.pi * turns.astype(np.float32)).astype(np.complex64)
        out[:, cols] = ifft(fft(out[:, cols], axis=0) * along, axis=0) * ramp

    with ThreadPoolExecutor(max(1, threads)) as pool:
        list(pool.map(in_range, range(0, lines, _LINES)))
        list(pool.map(in_azimuth, range(0, samples, _COLUMNS)))
    return out
