"""The cube's grid: native where all bursts lie on one lattice, else a common one."""

from __future__ import annotations

import math
import numbers
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from rasterio.warp import transform_bounds

from sarcube.cube.asked import Bbox
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid, is_geographic

Bounds = tuple[float, float, float, float]
_LONGEST = 1 << 24  # pixels of a side: its coordinates alone take 128 MB


def epsg_of(crs: int | str | None) -> int | None:
    """EPSG code of 32632 or "EPSG:32632"."""
    if crs is None:
        return None
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        code = int(str(crs).upper().removeprefix("EPSG:"))
        known = CRS.from_epsg(code)
    except (ValueError, OverflowError) as error:
        raise CubeError(f"crs is an EPSG code like 32632 or EPSG:32632, not {str(crs)[:100]!r}") from error
    except CRSError as error:
        raise CubeError(f"there is no EPSG code {str(crs)[:100]}; crs is one like 32632 or EPSG:32632") from error
    if not (known.is_projected or known.is_geographic):
        raise CubeError(f"EPSG:{code} ({known.name}) is no CRS of maps; take a projected or geographic one")
    return code


@lru_cache(maxsize=65536)
def bounds_in(grid: GeoGrid, epsg: int) -> Bounds:
    """Bounds of a grid in another CRS."""
    if grid.epsg == epsg:
        return grid.bounds
    left, bottom, right, top = transform_bounds(grid.epsg, epsg, *grid.bounds, densify_pts=21)
    if left > right and is_geographic(epsg):  # across the antimeridian longitudes run on
        right += 360.0
    return left, bottom, right, top


def target_grid(
    grids: Sequence[GeoGrid], bbox: Bbox | None = None, resolution: float | None = None, epsg: int | None = None
) -> GeoGrid:
    """The grid that shows the given grids, cut to the bbox.

    Parameters
    ----------
    grids : sequence of GeoGrid
        Grids of the selected bursts.
    bbox : tuple of float, optional
        West, south, east, north in degrees.
    resolution : float, optional
        Pixel size in units of the CRS; by default that of the bursts.
    epsg : int, optional
        By default the CRS of most bursts.

    Returns
    -------
    GeoGrid
        On the bursts' own lattice where they share one and nothing else is asked, so that pixels are read and
        never resampled; else on multiples of the resolution.

    Raises
    ------
    CubeError
        Resolutions differ and none is asked for, or nothing lies within the bbox.
    """
    if not grids:
        raise CubeError(
            "there are no rasters to open: none of the items has the layers asked for, or tells what its rasters are "
            "(the role data and a data_type)"
        )
    code = epsg if epsg is not None else Counter(g.epsg for g in grids).most_common(1)[0][0]
    step = resolution if resolution is not None else _common_resolution(grids, code)
    if isinstance(step, bool) or not isinstance(step, numbers.Real) or not 0 < step < math.inf:
        raise CubeError(f"resolution is a positive number in units of EPSG:{code}, not {resolution!r}")
    unique = list(dict.fromkeys(grids))
    left, bottom, right, top = _union([bounds_in(g, code) for g in unique])
    if bbox is not None:
        west, south, east, north = bbox
        east += 360.0 if is_geographic(code) and east < west and right > 180.0 else 0.0
        area = tuple(transform_bounds(4326, code, west, south, east, north, densify_pts=51))
        left, bottom, right, top = _intersection((left, bottom, right, top), area, code)
    if not all(map(math.isfinite, (left, bottom, right, top))):
        raise CubeError(f"the products lie beyond what EPSG:{code} can show; choose another crs")
    if max(right - left, top - bottom) / step > _LONGEST:
        raise CubeError(
            f"at resolution {step:g} (units of EPSG:{code}) the cube would have {(right - left) / step:.3g} x "
            f"{(top - bottom) / step:.3g} pixels, and no side may have more than {_LONGEST}; choose a coarser "
            "one, or a smaller bbox"
        )
    offset = _lattice(unique, code, step)
    if offset is None:
        return GeoGrid.snapped(code, (left, bottom, right, top), step)
    dx, dy = offset
    col0, col1 = math.floor((left - dx) / step + 1e-6), math.ceil((right - dx) / step - 1e-6)
    row0, row1 = math.floor((bottom - dy) / step + 1e-6), math.ceil((top - dy) / step - 1e-6)
    return GeoGrid(code, col0 * step + dx, row1 * step + dy, step, col1 - col0, row1 - row0)


def _common_resolution(grids: Sequence[GeoGrid], code: int) -> float:
    found = Counter(g.resolution for g in grids)
    if len(found) > 1:
        listed = ", ".join(f"{r:g} ({n} rasters)" for r, n in sorted(found.items()))
        raise CubeError(f"the selected products have several resolutions: {listed}; choose one with resolution=")
    if all(g.epsg != code for g in grids):
        from pyproj import CRS

        if CRS.from_epsg(code).is_geographic != CRS.from_epsg(grids[0].epsg).is_geographic:
            raise CubeError(f"EPSG:{code} has other units than the products; give resolution= in its units")
    return next(iter(found))


def _lattice(grids: Sequence[GeoGrid], code: int, step: float) -> tuple[float, float] | None:
    # Offset of the common lattice against multiples of the step, if there is one.
    def phase(grid: GeoGrid) -> tuple[float, float]:
        return grid.left / step % 1.0, grid.top / step % 1.0

    first = phase(grids[0])
    for grid in grids:
        if grid.epsg != code or abs(grid.resolution - step) > 1e-9 * step:
            return None
        for a, b in zip(phase(grid), first, strict=True):
            if min(abs(a - b), 1 - abs(a - b)) > 1e-3:
                return None
    x, y = (0.0 if min(p, 1 - p) < 1e-6 else p for p in first)
    return x * step, y * step


def _union(bounds: Sequence[Bounds]) -> Bounds:
    left, bottom, right, top = zip(*bounds, strict=True)
    return min(left), min(bottom), max(right), max(top)


def _intersection(a: Bounds, b: tuple[float, ...], code: int) -> Bounds:
    left, bottom, right, top = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
    if not (left < right and bottom < top):
        raise CubeError(f"no selected product has pixels within the bbox (in EPSG:{code}: {b}); check the bbox")
    return left, bottom, right, top
