"""How much of an area footprints cover."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from sarcube.geometry.aoi import Area
from sarcube.geometry.longitudes import Ring, turns, unwrap

if TYPE_CHECKING:
    from shapely import Geometry


def share(area: Area, footprints: Iterable[Ring]) -> float:
    """The share (0 to 1) of an area that rings (longitude, latitude) cover together.

    Parts are weighed by their true area: longitude and the sine of latitude keep areas (Lambert's cylindrical
    projection). Of an area without extent, a point or a line, it is 1 where they touch it.
    """
    import shapely

    polygons = [polygon for ring in footprints for polygon in _near(area, ring)]
    if not polygons:
        return 0.0
    covered = shapely.intersection(shapely.union_all(polygons), area.shape)
    whole = _size(area.shape)
    if whole == 0.0:
        return 0.0 if covered.is_empty else 1.0
    return min(_size(covered) / whole, 1.0)


def _near(area: Area, ring: Ring) -> list[Geometry]:
    """A ring as polygons on the branches of longitude on which it may meet the area."""
    import shapely

    lon, lat = unwrap([point[0] for point in ring]), np.array([point[1] for point in ring], np.float64)
    west, _, east, _ = area.shape.bounds
    shapes = (
        shapely.polygons(np.column_stack([lon + turn, lat]))
        for turn in turns(float(lon.min()), float(lon.max()), west, east)
    )
    return [shape if shape.is_valid else shapely.make_valid(shape) for shape in shapes]


def _size(shape: Geometry) -> float:
    import shapely

    def equal_area(points: np.ndarray) -> np.ndarray:
        return np.column_stack([np.radians(points[:, 0]), np.sin(np.radians(points[:, 1]))])

    return float(shapely.transform(shape, equal_area).area)
