"""From mean power to samples: fully developed speckle, noise, int16."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sarcube.simulate.spectrum import Spectrum, band_limited_noise

_BLOCK = 128  # lines that share one random stream, so that the result does not depend on threads


def _generator(seed: tuple[int, ...], first: int) -> np.random.Generator:
    """Of the block of lines that starts at `first`."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([*seed, first])))


def speckle_samples(
    power: NDArray[np.float32], seed: tuple[int, ...], threads: int = 2, spectrum: Spectrum | None = None
) -> NDArray[np.int16]:
    """Circular Gaussian samples of given mean |DN|^2 (Goodman 1976): intensity is exponential, one look.

    Parameters
    ----------
    power : (lines, samples) float32
        Mean |DN|^2, echo and noise together (both are Gaussian, so is their sum).
    seed : tuple of int
        The same seed gives the same samples.
    threads : int
    spectrum : Spectrum, optional
        Spectrum of the speckle; without it, neighbouring samples are independent.

    Returns
    -------
    (lines, samples, 2) int16
        Real and imaginary part, rounded (adds 1/6 to the mean |DN|^2) and clipped.
    """
    lines, samples = power.shape
    out = np.empty((lines, samples, 2), dtype=np.int16)

    generator = partial(_generator, seed)
    shaped = None if spectrum is None else band_limited_noise(spectrum, generator, threads)

    def block(first: int) -> None:
        part = power[first : first + _BLOCK]
        if shaped is None:
            values = generator(first).standard_normal((*part.shape, 2), dtype=np.float32)
            values *= np.sqrt(0.5 * part)[..., None]
        else:
            values = shaped[first : first + _BLOCK].view(np.float32).reshape(*part.shape, 2)
            values *= np.sqrt(part)[..., None]
        np.rint(values, out=values)
        np.clip(values, -32768, 32767, out=values)
        out[first : first + _BLOCK] = values

    with ThreadPoolExecutor(max(1, threads)) as pool:
        list(pool.map(block, range(0, lines, _BLOCK)))
    return out


def noise_samples(
    power: NDArray[np.float32], seed: tuple[int, ...], spectrum: Spectrum, threads: int = 2
) -> NDArray[np.complex64]:
    """Circular Gaussian noise of given mean power (lines, samples), with a spectrum."""
    noise = band_limited_noise(spectrum, partial(_generator, seed), threads)
    noise *= np.sqrt(power)
    return noise


def to_int16(values: NDArray[np.complex64]) -> NDArray[np.int16]:
    """Samples (lines, samples) as their real and imaginary parts, rounded and clipped."""
    parts = np.ascontiguousarray(values).view(np.float32).reshape(*values.shape, 2)
    return np.clip(np.rint(parts), -32768, 32767).astype(np.int16)
