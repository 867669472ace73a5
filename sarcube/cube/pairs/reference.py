"""Where displacement is 0: a point, an area, or the most coherent place, and the phase of every pair there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sarcube.cube.grid_of import grid_of
from sarcube.cube.lazy import compute, da
from sarcube.errors import CubeError

if TYPE_CHECKING:
    from sarcube.cube.series import Where

_AROUND = 2  # pixels on each side of the most coherent one that are averaged with it


@dataclass(frozen=True, eq=False)
class Reference:
    """The reference of an inversion.

    Attributes
    ----------
    text : str
        Where it is, for people.
    phase : (pairs,) float64
        Mean phase there, radians.
    components : (pairs,) int64, or None
        Number of the component there in each pair.
    pixels : int
    """

    text: str
    phase: NDArray[np.float64]
    components: NDArray[np.int64] | None
    pixels: int


def find_reference(
    where: Where | None, phase: xr.DataArray, coherence: xr.DataArray | None, components: xr.DataArray | None
) -> Reference:
    """Read the reference of a stack.

    Parameters
    ----------
    where : (longitude, latitude), geometry in degrees, (west, south, east, north), or None
        None: the pixels around the most coherent one of those that all pairs have.
    phase : DataArray
        (time, y, x), unwrapped.
    coherence, components : DataArray, optional

    Raises
    ------
    CubeError
        It lies outside, pairs have nothing there that all of them have, or without a place there is no coherence to
        find one by.
    """
    rows, cols, inside, text = _automatic(phase, coherence, components) if where is None else _asked(phase, where)
    parts = [phase[:, rows, cols], *([] if components is None else [components[:, rows, cols]])]
    values, *labels = compute(*(da.asarray(part.data) for part in parts))
    values = np.where(inside, values, np.nan).astype(np.float64)
    chosen = None
    if labels:
        told = np.where(inside & np.isfinite(values), labels[0], 0).astype(np.int64)
        chosen = np.array([_most(step) for step in told])
        values = np.where(told == chosen[:, None, None], values, np.nan)
        values[chosen == 0] = np.nan
    seen = np.isfinite(values)
    names = [str(name) for name in np.atleast_1d(phase["pair"].values)] if "pair" in phase.coords else []
    if missing := np.flatnonzero(~seen.any(axis=(1, 2))).tolist():
        told_pairs = ", ".join(names[k] if names else f"number {k + 1}" for k in missing[:5])
        raise CubeError(
            f"{len(missing)} of {len(values)} pairs have no reliable phase at the reference {text} ({told_pairs}"
            f"{', ...' if len(missing) > 5 else ''}); choose another reference, or leave these pairs out"
        )
    # The same pixels in all pairs: means over other ones would differ by what the ground did between them.
    common = seen.all(axis=0)
    if not common.any():
        raise CubeError(
            f"no pixel of the reference {text} has a reliable phase in all {len(values)} pairs; choose another "
            "reference, or leave pairs out"
        )
    return Reference(text, values[:, common].mean(axis=1), chosen, int(common.sum()))


def _most(labels: NDArray[np.int64]) -> int:
    found, counts = np.unique(labels[labels > 0], return_counts=True)
    return int(found[counts.argmax()]) if found.size else 0


def _automatic(
    phase: xr.DataArray, coherence: xr.DataArray | None, components: xr.DataArray | None
) -> tuple[slice, slice, NDArray[np.bool_], str]:
    if coherence is None:
        raise CubeError("the cube has no coherence to choose a reference by; open it too, or name one (reference=)")
    good = np.isfinite(da.asarray(phase.data)).all(axis=0)
    if components is not None:
        good &= (da.asarray(components.data) > 0).all(axis=0)
    mean = da.asarray(coherence.data).mean(axis=0)
    score = da.where(good & np.isfinite(mean), mean, -1.0)
    best, at = compute(score.max(axis=1), da.argmax(score, axis=1))
    row = int(np.argmax(best))
    col = int(at[row])
    if best[row] < 0:
        raise CubeError("no pixel has a reliable phase in all pairs; leave pairs out, or open a smaller area")
    rows = slice(max(row - _AROUND, 0), row + _AROUND + 1)
    cols = slice(max(col - _AROUND, 0), col + _AROUND + 1)
    shape = phase[0, rows, cols].shape
    lon, lat = _degrees(phase, row, col)
    return rows, cols, np.ones(shape, bool), f"{lon:.5f}, {lat:.5f} (most coherent, {best[row]:.2f})"


def _degrees(array: xr.DataArray, row: int, col: int) -> tuple[float, float]:
    from rasterio.warp import transform

    x, y = float(array["x"].values[col]), float(array["y"].values[row])
    (lon,), (lat,) = transform(grid_of(array).crs, "EPSG:4326", [x], [y])
    return lon, lat


def _asked(array: xr.DataArray, where: Where) -> tuple[slice, slice, NDArray[np.bool_], str]:
    import rasterio
    from rasterio.features import rasterize
    from rasterio.warp import transform, transform_geom
    from shapely.geometry import box, mapping, shape
    from shapely.geometry.base import BaseGeometry

    grid = grid_of(array)
    if isinstance(where, dict):
        where = shape(where.get("geometry", where))
    if isinstance(where, BaseGeometry) and where.geom_type == "Point":
        where = (where.x, where.y)
    if not isinstance(where, BaseGeometry):
        numbers = _numbers(where)
        if len(numbers) == 2:
            (x,), (y,) = transform("EPSG:4326", grid.crs, [numbers[0]], [numbers[1]])
            col, row = int((x - grid.left) // grid.resolution), int((grid.top - y) // grid.resolution)
            text = f"{numbers[0]:.5f}, {numbers[1]:.5f}"
            if not (0 <= col < grid.width and 0 <= row < grid.height):
                raise CubeError(f"the reference {text} (longitude, latitude) lies outside the cube")
            return slice(row, row + 1), slice(col, col + 1), np.ones((1, 1), bool), text
        west, south, east, north = numbers
        where = box(west, south, east + 360.0 if west > east else east, north)  # across the antimeridian
    projected = shape(transform_geom("EPSG:4326", grid.crs, mapping(where)))
    inside = rasterize([projected], out_shape=grid.shape, transform=rasterio.Affine(*grid.transform), dtype="uint8") > 0
    if not inside.any():
        raise CubeError("the reference area holds no pixel of the cube; choose a larger one, or a point")
    low, high = (edge for edge in zip(*(_ends(inside.any(axis=k)) for k in (1, 0)), strict=True))
    rows, cols = slice(low[0], high[0]), slice(low[1], high[1])
    west, south, east, north = where.bounds
    text = f"area within {west:.5f}, {south:.5f}, {east:.5f}, {north:.5f}"
    return rows, cols, np.asarray(inside[rows, cols]), text


def _ends(used: NDArray[np.bool_]) -> tuple[int, int]:
    places = np.flatnonzero(used)
    return int(places[0]), int(places[-1]) + 1


def _numbers(where: Sequence[float]) -> list[float]:
    try:
        numbers = [float(v) for v in where]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) not in (2, 4) or not all(np.isfinite(numbers)):
        raise CubeError(
            "a reference is (longitude, latitude), (west, south, east, north) or a polygon in degrees, not "
            f"{where!r:.100}"
        )
    return numbers
