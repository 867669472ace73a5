"""Planck's law at one wavelength: spectral radiance in W m-2 sr-1 um-1, temperature in kelvin, wavelength in um."""

from __future__ import annotations

from typing import overload

import numpy as np
from numpy.typing import NDArray

S7, S8, S9 = 3.74067, 10.8228, 12.0392  # central wavelengths (Sentinel-3 SLSTR); F1 and F2 are S7 and S8
_C1, _C2 = 1.191042972e8, 14387.76877  # 2 h c^2 and h c / k (CODATA 2018)
STEFAN_BOLTZMANN = 5.670374419e-8  # W m-2 K-4


@overload
def radiance(temperature: float, wavelength: float = S7) -> float: ...
@overload
def radiance(temperature: NDArray[np.floating], wavelength: float = S7) -> NDArray[np.float64]: ...
def radiance(temperature: float | NDArray[np.floating], wavelength: float = S7) -> float | NDArray[np.float64]:
    """Radiance of a black body."""
    return _C1 / wavelength**5 / np.expm1(_C2 / (wavelength * np.asarray(temperature, np.float64)))


def temperature(of: NDArray[np.floating], wavelength: float = S7) -> NDArray[np.float64]:
    """Brightness temperature of a radiance; NaN where that is not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        positive = np.where(np.asarray(of, np.float64) > 0, of, np.nan)
        return _C2 / (wavelength * np.log1p(_C1 / (wavelength**5 * positive)))
