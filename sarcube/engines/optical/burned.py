"""Burned area from two dates: the normalized burn ratio, its differences, and severity.

NBR = (NIR - SWIR2) / (NIR + SWIR2); dNBR = NBR before - NBR after (Key and Benson 2006, FIREMON, LA-1 to LA-55);
RBR = dNBR / (NBR before + 1.001) (Parks, Dillon and Miller 2014, Remote Sensing 6, 1827); RdNBR = dNBR divided by the
root of |NBR before| (Miller and Thode 2007, Remote Sensing of Environment 109, 66). All in plain units: Key and Benson
multiply by 1000.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Sums of reflectance nearer to zero than this divide noise.
_LEAST_SUM = 1e-3
_LEAST_ROOT = 1e-3

# Severity of dNBR after Key and Benson 2006, table LA-1: the lower end of each class.
SEVERITY = (
    ("high_regrowth", -np.inf),
    ("low_regrowth", -0.250),
    ("unburned", -0.100),
    ("low", 0.100),
    ("moderate_low", 0.270),
    ("moderate_high", 0.440),
    ("high", 0.660),
)
SEVERITY_NAMES = tuple(name for name, _ in SEVERITY)
BURNED_FROM = SEVERITY_NAMES.index("low") + 1
NOT_SEEN = 0  # values of classes count from 1


def nbr(nir: NDArray[np.floating], swir2: NDArray[np.floating]) -> NDArray[np.float32]:
    """Normalized burn ratio of reflectance; NaN where either is missing or their sum is nearly zero.

    Parameters
    ----------
    nir, swir2 : float arrays
        Reflectance of B8A (or B08) and B12.
    """
    total = nir + swir2
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(np.abs(total) < _LEAST_SUM, np.nan, (nir - swir2) / total)
    return ratio.astype(np.float32)


def rbr(difference: NDArray[np.floating], before: NDArray[np.floating]) -> NDArray[np.float32]:
    """Relativized burn ratio from dNBR and the first date's NBR."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = difference / (before + 1.001)
    return np.where(np.isfinite(value), value, np.nan).astype(np.float32)


def rdnbr(difference: NDArray[np.floating], before: NDArray[np.floating]) -> NDArray[np.float32]:
    """Relative dNBR; NaN where the first date's NBR is nearly zero."""
    size = np.abs(before)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(size < _LEAST_ROOT, np.nan, difference / np.sqrt(size))
    return value.astype(np.float32)


def severity(difference: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Classes of dNBR: 1 (high regrowth) to 7 (high), 0 where there is none.

    Thresholds are Key and Benson's of dNBR * 1000, to which values are rounded as theirs are: 99.6 is 100, low.
    """
    thousandths = np.rint(np.asarray(difference, np.float64) * 1000.0)
    edges = [round(1000 * low) for _, low in SEVERITY[1:]]
    classes = np.digitize(np.where(np.isnan(thousandths), 0.0, thousandths), edges) + 1
    return np.where(np.isnan(difference), NOT_SEEN, classes).astype(np.uint8)


def hectares(classes: NDArray[np.uint8], resolution: float) -> dict[str, float]:
    """Area of each severity class in hectares, from square pixels of `resolution` metres."""
    counts = np.bincount(classes.ravel(), minlength=len(SEVERITY) + 1)
    return {name: float(counts[i + 1]) * resolution**2 / 1e4 for i, name in enumerate(SEVERITY_NAMES)}


def perimeters(
    classes: NDArray[np.uint8], transform: Sequence[float], least_pixels: int
) -> list[tuple[dict[str, object], int]]:
    """Outlines of what burned (class low and worse): GeoJSON polygons in the grid's CRS, each with its pixels.

    Parameters
    ----------
    classes : array
        As of `severity`.
    transform : six floats
        Affine coefficients of the grid.
    least_pixels : int
        Smaller patches are left out.
    """
    from affine import Affine
    from rasterio.features import shapes

    burned = (classes >= BURNED_FROM).astype(np.uint8)
    affine = Affine(*transform[:6])
    size = abs(affine.a * affine.e)
    found = []
    for shape, _ in shapes(burned, mask=burned > 0, connectivity=8, transform=affine):
        pixels = round(_area(shape) / size)
        if pixels >= least_pixels:
            found.append((shape, pixels))
    return sorted(found, key=lambda pair: -pair[1])


def _area(shape: dict[str, object]) -> float:
    import shapely

    return float(shapely.geometry.shape(shape).area)
