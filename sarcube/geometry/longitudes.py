"""Longitudes across the antimeridian: every wrapping, unwrapping and cutting of the house.

Within the house a shape is one piece: its longitudes are continuous and may run beyond 180. What leaves it (GeoJSON,
queries) is cut at the antimeridian, as RFC 7946 wants.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sarcube.errors import GridError

if TYPE_CHECKING:
    from shapely import Geometry

Ring = Sequence[tuple[float, float]]
TURNS = (0.0, 360.0, -360.0)  # by which longitudes written within -180 to 360 may have to be moved to meet


def wrap_longitude(lon: ArrayLike, centre: float = 0.0) -> NDArray[np.float64]:
    """Longitudes moved by whole turns into [centre - 180, centre + 180); what lies there stays as it is, to the bit."""
    lons = np.asarray(lon, np.float64)
    return np.asarray(lons - 360.0 * np.floor((lons - centre + 180.0) / 360.0))


def wrap(lon: float, centre: float = 0.0) -> float:
    """One longitude moved by whole turns into [centre - 180, centre + 180)."""
    return lon - 360.0 * math.floor((lon - centre + 180.0) / 360.0)


def unwrap(lon: ArrayLike) -> NDArray[np.float64]:
    """Longitudes (n,) without jumps: each step from the first on goes the short way, so they may leave -180 to 180."""
    out = np.array(lon, np.float64)
    if out.size > 1:
        out[1:] -= np.cumsum(np.round(np.diff(out) / 360.0)) * 360.0
    return out


def unwrap_ring(ring: Ring) -> NDArray[np.float64]:
    """The ring as (n, 2) longitudes and latitudes without a jump at the antimeridian: it may run beyond 180.

    The westernmost longitude is in [-180, 180).

    Raises
    ------
    GridError
        Less than three points, or one that is not finite.
    """
    points = np.array(ring, np.float64)
    if points.ndim != 2 or points.shape[0] < 3 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise GridError("a footprint needs at least three finite (longitude, latitude) points; check the annotation")
    points[:, 0] = unwrap(points[:, 0])
    low = points[:, 0].min()
    if low < -180.0 or low >= 180.0:
        points[:, 0] -= math.floor((low + 180.0) / 360.0) * 360.0
    return points


def narrowest(lon: ArrayLike) -> NDArray[np.float64]:
    """Longitudes (n,) within -180 to 180, or within 0 to 360 where that makes their range narrower."""
    plain = wrap_longitude(lon)
    turned = np.asarray(lon, np.float64) % 360.0
    return plain if np.ptp(plain) <= np.ptp(turned) else turned


def spans(west: float, east: float) -> list[tuple[float, float]]:
    """A range of longitudes, which may cross the antimeridian, as ranges within -180 to 180."""
    if east - west >= 360:
        return [(-180.0, 180.0)]
    if west > east:
        return [(west, 180.0), (-180.0, east)]
    if east > 180:
        return [(west, 180.0), (-180.0, east - 360.0)] if west <= 180 else [(west - 360.0, east - 360.0)]
    if west < -180:
        return [(west + 360.0, 180.0), (-180.0, east)] if east >= -180 else [(west + 360.0, east + 360.0)]
    return [(west, east)]


def shortest_span(ranges: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """The shortest range that holds all ranges (west, east); west is beyond east across the antimeridian."""
    ranges = list(ranges)
    if any(east - west >= 360.0 for west, east in ranges):
        return -180.0, 180.0
    unrolled = sorted((west % 360.0, west % 360.0 + (east - west) % 360.0) for west, east in ranges)
    merged: list[list[float]] = []
    for west, east in unrolled:
        if merged and west <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], east)
        else:
            merged.append([west, east])
    while len(merged) > 1 and merged[-1][1] >= merged[0][0] + 360.0:  # the last reaches around to the first
        merged[-1][1] = max(merged[-1][1], merged[0][1] + 360.0)
        merged.pop(0)
    if merged[-1][1] - merged[-1][0] >= 360.0:
        return -180.0, 180.0
    # The widest gap between neighbours around the Earth is what the range leaves out.
    following = [*merged[1:], [merged[0][0] + 360.0, 0.0]]
    gaps = [after[0] - before[1] for before, after in zip(merged, following, strict=True)]
    widest = gaps.index(max(gaps))
    west, east = wrap(following[widest][0]), wrap(merged[widest][1])
    return round(west, 6), round(east if east > -180.0 else 180.0, 6)


def turns(low: float, high: float, west: float, east: float) -> Iterator[float]:
    """Whole turns by which the longitudes from `low` to `high` meet those from `west` to `east`, borders included."""
    for k in range(math.ceil((west - high) / 360.0), math.floor((east - low) / 360.0) + 1):
        yield 360.0 * k


def cut(shape: Geometry) -> list[Geometry]:
    """A shape whose longitudes may run beyond 180, cut at the antimeridian: its pieces within -180 to 180.

    Of an area only pieces with an area.
    """
    import shapely

    west, _, east, _ = shape.bounds
    pieces = []
    for turn in turns(west, east, -180.0, 180.0):
        moved = shapely.transform(shape, lambda points, turn=turn: points + np.array([turn, 0.0]))
        piece = shapely.intersection(shapely.box(-180.0, -90.0, 180.0, 90.0), moved)
        if not piece.is_empty and (piece.area > 0 or shape.area == 0):
            pieces.append(piece)
    return pieces


def together(rings: Iterable[Ring]) -> Geometry:
    """What rings cover together, as it leaves the house: a polygon or several, cut at the antimeridian."""
    import shapely

    polygons: list[Geometry] = []
    first: float | None = None
    for ring in rings:
        points = np.array(ring, np.float64)[:, :2]
        first = float(points[0, 0]) if first is None else first
        points[:, 0] = unwrap([first, *points[:, 0]])[1:]
        polygons.append(shapely.make_valid(shapely.polygons(points)))
    parts = [part for piece in cut(shapely.union_all(polygons)) for part in shapely.get_parts(piece)]
    areas = [part for part in parts if part.geom_type == "Polygon"]
    return areas[0] if len(areas) == 1 else shapely.multipolygons(areas)
