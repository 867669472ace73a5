"""From mean power to samples: fully developed speckle, noise, int16."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from sarcube.simulate.spectrum import Spectrum, band_limited_noise

_BLOCK = 128  # lines that share one random stream, so that the result does not depend on threads


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

    def generator(first: int) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence([*seed, first])))

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
