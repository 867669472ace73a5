"""The orbit: state vectors and their interpolation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Orbit:
    """State vectors of the platform, Earth-fixed (ECEF, WGS 84).

    Attributes
    ----------
    epoch : numpy.datetime64
        UTC instant that times are counted from (a whole second, nanosecond resolution).
    time : (n,) float64
        Seconds since `epoch`, strictly increasing; spacing need not be even.
    position : (n, 3) float64
        Metres.
    velocity : (n, 3) float64
        Metres per second.
    """

    epoch: np.datetime64
    time: NDArray[np.float64]
    position: NDArray[np.float64]
    velocity: NDArray[np.float64]
