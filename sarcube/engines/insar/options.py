"""Choices of the interferometric engine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class InsarOptions:
    """Choices that change the result.

    Attributes
    ----------
    bistatic_delay, static_troposphere, fm_rate_mismatch : bool
        Where an echo is looked for in the burst. None of them touches the phase, which is flattened with the range
        that geometry alone gives: air and tides stay in it.
    absolute_calibration : bool
        Amplitudes are the square root of beta0; else digital numbers.
    debias : bool
        Take the bias off the sample coherence (Touzi et al. 1999).
    minimum_share : float
        Of a cell's samples that must be seen on both dates.
    threads : int
        0: what numba finds.
    """

    bistatic_delay: bool = True
    static_troposphere: bool = True
    fm_rate_mismatch: bool = True
    absolute_calibration: bool = True
    debias: bool = False
    minimum_share: float = 0.5
    threads: int = 0
