"""From the numbers of a product to reflectance, with the offset taken off once.

Reflectance is (DN + offset) / quantification (Sentinel-2 Products Specification 14.9, 4.2); offset and quantification
are the product's own. No data and saturated numbers are told before the offset, since neither is a reflectance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

SCALE = 1e-4  # of harmonised numbers: reflectance = number * SCALE
NODATA = 0

_jit = numba.njit(cache=True, nogil=True)


@dataclass(frozen=True)
class Numbers:
    """What the numbers of one band mean: reflectance is (DN + offset) / quantification.

    Attributes
    ----------
    quantification, offset : float
    nodata, saturated : int
    """

    quantification: float
    offset: float
    nodata: int = 0
    saturated: int = 65535


def to_reflectance(values: NDArray[np.unsignedinteger], numbers: Numbers) -> NDArray[np.float32]:
    """Reflectance, NaN where there is no data or the sensor was saturated; negative values are kept.

    Parameters
    ----------
    values : uint16 array
    numbers : Numbers
    """
    out = np.empty(values.shape, np.float32)
    _reflect(
        values.ravel(), out.ravel(), float(numbers.offset), float(numbers.quantification), numbers.nodata,
        numbers.saturated,
    )  # fmt: skip
    return out


@_jit
def _reflect(values, out, offset, quantification, nodata, saturated):  # type: ignore[no-untyped-def]
    for i in range(values.size):
        v = values[i]
        out[i] = np.nan if v in (nodata, saturated) else (v + offset) / quantification


def harmonise(values: NDArray[np.unsignedinteger], numbers: Numbers) -> tuple[NDArray[np.uint16], int, int]:
    """Numbers whose reflectance is `number * SCALE`, with no offset; 0 is no data.

    Reflectance below 0.00005 becomes the number 1, since 0 is no data and nothing may wrap around; saturated pixels
    become no data.

    Parameters
    ----------
    values : uint16 array
    numbers : Numbers

    Returns
    -------
    numbers : uint16 array
    raised : int
        Pixels whose reflectance was too low for a number.
    saturated : int
        Pixels that were saturated.
    """
    out = np.empty(values.shape, np.uint16)
    raised, saturated = _harmonise(
        values.ravel(), out.ravel(), float(numbers.offset), 1.0 / (SCALE * numbers.quantification), numbers.nodata,
        numbers.saturated,
    )  # fmt: skip
    return out, int(raised), int(saturated)


@_jit
def _harmonise(values, out, offset, factor, nodata, saturated):  # type: ignore[no-untyped-def]
    raised, bright = 0, 0
    for i in range(values.size):
        v = values[i]
        if v in (nodata, saturated):
            bright += v == saturated
            out[i] = 0
            continue
        number = np.floor((v + offset) * factor + 0.5)
        if number < 1.0:
            raised += 1
            number = 1.0
        out[i] = min(number, 65535.0)
    return raised, bright
