"""Masks of clouds, shadow, snow and water, as flags and classes."""

from __future__ import annotations

from collections.abc import Iterable

import numba
import numpy as np
from numpy.typing import NDArray

# Values of the scene classification of L2A (sen2cor).
SCL_CLASSES = (
    "no_data", "saturated", "dark", "cloud_shadow", "vegetation", "bare", "water", "unclassified", "cloud_medium",
    "cloud_high", "cirrus", "snow",
)  # fmt: skip
NO_DATA, SATURATED, DARK, SHADOW, VEGETATION, BARE, WATER, UNCLASSIFIED, MEDIUM, HIGH, CIRRUS, SNOW = range(12)
SCL_CLOUDS = (MEDIUM, HIGH, CIRRUS)
SCL_NONE = 0

# Classes of `cloud_mask`: the most opaque that applies.
CLEAR, CLOUD_SHADOW, CLOUD_CIRRUS, CLOUD, BUFFERED, UNKNOWN = 0, 1, 2, 3, 4, 255

_jit = numba.njit(cache=True, nogil=True)


def class_flags(values: NDArray[np.integer]) -> NDArray[np.uint16]:
    """Classes as flags, one bit each, so that the rules for flags apply to them; class 0 (no data) is none."""
    table = np.zeros(256, np.uint16)
    for value in range(1, len(SCL_CLASSES)):
        table[value] = 1 << value
    flags: NDArray[np.uint16] = table[values.astype(np.uint8)]
    return flags


def flags_of(classes: Iterable[int]) -> int:
    """The bits of classes."""
    return sum(1 << value for value in classes)


def scl_clouds(flags: NDArray[np.uint16], shadow: bool) -> NDArray[np.uint8]:
    """Cloud classes from flags of SCL: medium and high probability are cloud; thin cirrus; shadow if asked for."""
    table = np.zeros(1 << 12, np.uint8)
    bits = np.arange(table.size)
    if shadow:
        table[bits & flags_of((SHADOW,)) > 0] = CLOUD_SHADOW
    table[bits & flags_of((CIRRUS,)) > 0] = CLOUD_CIRRUS
    table[bits & flags_of((MEDIUM, HIGH)) > 0] = CLOUD
    table[0] = UNKNOWN
    classes: NDArray[np.uint8] = table[flags & 0xFFF]
    return classes


def l1c_cloud_classes(flags: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cloud classes from the flags of L1C: opaque (1) is cloud, cirrus (2) is cirrus; snow (4) is none."""
    table = np.array([CLEAR, CLOUD, CLOUD_CIRRUS, CLOUD, CLEAR, CLOUD, CLOUD_CIRRUS, CLOUD], np.uint8)
    classes: NDArray[np.uint8] = table[flags & 7]
    return classes


def buffered(classes: NDArray[np.uint8], pixels: float) -> NDArray[np.uint8]:
    """Cloud classes with clear pixels nearer than `pixels` to any of cloud, cirrus or shadow as BUFFERED."""
    if pixels <= 0:
        return classes
    from scipy.ndimage import distance_transform_edt

    hidden = (classes != CLEAR) & (classes != UNKNOWN)
    if not hidden.any():
        return classes
    near = distance_transform_edt(~hidden) <= pixels
    return np.where((classes == CLEAR) & near, np.uint8(BUFFERED), classes)


def large_areas(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """The parts of a mask, connected by sides, of more than `pixels` pixels."""
    from scipy.ndimage import label

    parts, n = label(mask)
    if n == 0:
        return mask
    large = np.bincount(parts.ravel()) > pixels
    large[0] = False
    kept: NDArray[np.bool_] = large[parts]
    return kept


def sea_of_heights(heights: NDArray[np.floating], pixels: int) -> NDArray[np.bool_]:
    """Sea: no height, or a height of exactly 0 above the geoid, where more than `pixels` connected pixels are so."""
    return large_areas(~np.isfinite(heights) | (heights == 0), pixels)


def blank(values: NDArray[np.generic], hidden: NDArray[np.bool_], nodata: float) -> None:
    """Set `values` to no data where `hidden` is, in place."""
    _blank(values, hidden, values.dtype.type(nodata))


@_jit
def _blank(values, hidden, nodata):  # type: ignore[no-untyped-def]
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            if hidden[i, j]:
                values[i, j] = nodata
