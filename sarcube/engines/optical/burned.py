"""Burned area from two dates: the normalized burn ratio, its differences, and severity.

NBR = (NIR - SWIR2) / (NIR + SWIR2); dNBR = NBR before - NBR after (Key and Benson 2006, FIREMON, LA-1 to LA-55);
RBR = dNBR / (NBR before + 1.001) (Parks, Dillon and Miller 2014, Remote Sensing 6, 1827); RdNBR = dNBR divided by the
root of |NBR before| (Miller and Thode 2007, Remote Sensing of Environment 109, 66). All in plain units: Key and Benson
multiply by 1000.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from shapely import Geometry

# Sums of reflectance nearer to zero than this divide noise.
_LEAST_SUM = 1e-3
_LEAST_ROOT = 1e-3
_HAIR = 1e-6  # of hectares: rounding

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


def hectares(classes: NDArray[np.uint8], areas: NDArray[np.floating] | float) -> dict[str, float]:
    """Area of each severity class in hectares.

    Parameters
    ----------
    classes : array
        As of `severity`.
    areas : array or float
        Square metres of each pixel, or of all.
    """
    found = _hectares(classes, areas, len(SEVERITY) + 1)
    return {name: float(found[i + 1]) for i, name in enumerate(SEVERITY_NAMES)}


def _hectares(numbers: NDArray[np.integer], areas: NDArray[np.floating] | float, n: int) -> NDArray[np.float64]:
    """Hectares that are numbered 0, 1, ... n - 1."""
    flat = numbers.ravel()
    metres = (
        np.bincount(flat, minlength=n) * areas
        if isinstance(areas, float)
        else np.bincount(flat, weights=areas.ravel(), minlength=n)
    )
    return np.asarray(metres / 1e4, np.float64)


def perimeters(
    classes: NDArray[np.uint8],
    transform: Sequence[float],
    areas: NDArray[np.floating] | float,
    least_hectares: float,
) -> list[tuple[Geometry, float]]:
    """Outlines of what burned (class low and worse), the largest first: valid (multi)polygons and their hectares.

    Pixels that touch at a corner are of one patch, whose outline then touches itself there: it is several polygons.

    Parameters
    ----------
    classes : array
        As of `severity`.
    transform : six floats
        Affine coefficients of the grid, in whose CRS the outlines are.
    areas : array or float
        Square metres of each pixel, or of all.
    least_hectares : float
        Smaller patches are left out.
    """
    import shapely
    from affine import Affine
    from rasterio.features import shapes
    from scipy.ndimage import label

    patches, n = label(classes >= BURNED_FROM, structure=np.ones((3, 3)), output=np.int32)
    size = _hectares(patches, areas, n + 1)
    large = np.flatnonzero(size[1:] >= least_hectares * (1.0 - _HAIR)) + 1
    wanted = np.isin(patches, large)
    drawn: dict[int, list[Geometry]] = {}
    for shape, number in shapes(patches, mask=wanted, connectivity=8, transform=Affine(*transform[:6])):
        drawn.setdefault(int(number), []).append(shapely.make_valid(shapely.geometry.shape(shape)))
    found = [(shapely.union_all(parts), float(size[number])) for number, parts in drawn.items()]
    return sorted(found, key=lambda pair: -pair[1])
