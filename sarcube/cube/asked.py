"""What users hand in for an area and dates, as the cube reckons with it."""

from __future__ import annotations

import difflib
import math
import numbers
import os
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import fields
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from sarcube.errors import CubeError
from sarcube.geometry.longitudes import shortest_span

if TYPE_CHECKING:
    import geopandas as gpd
    from shapely import Geometry

    BboxLike: TypeAlias = Sequence[float] | Geometry | gpd.GeoSeries | gpd.GeoDataFrame

Bbox = tuple[float, float, float, float]
_WIDEST = 180.0  # degrees; beyond, west and east are swapped
_Options = TypeVar("_Options")


def parse_bbox(area: BboxLike | None) -> Bbox | None:
    """West, south, east, north in degrees of what a user gave; east below west crosses the antimeridian.

    Parameters
    ----------
    area : sequence of four numbers, shapely geometry, GeoSeries, GeoDataFrame, or None
        A geometry is taken in degrees unless it knows its CRS; of a geometry its bounding box.

    Raises
    ------
    CubeError
        It is none of these, or wider than 180 degrees, which west and east swapped would be.
    """
    if area is None:
        return None
    west, south, east, north = _four(area)
    if not all(map(math.isfinite, (west, south, east, north))) or max(map(abs, (west, east))) > 540:
        raise CubeError(f"bbox holds {_shown(area)}, which are no degrees of longitude and latitude")
    if not (-90 <= south < north <= 90):
        raise CubeError(f"bbox is (west, south, east, north) in degrees with south below north, not {_shown(area)}")
    width = east - west if east >= west else east - west + 360
    if not 0 < width <= _WIDEST:
        raise CubeError(
            f"bbox {_shown(area)} is {width:.6g} degrees wide; swap west and east if they are swapped, or leave bbox "
            "out for all that there is (east below west means across the antimeridian, like 179, -17, -179, -16)"
        )
    return west, south, east, north


def _four(area: BboxLike) -> Bbox:
    shape: Geometry = area
    if hasattr(shape, "total_bounds"):  # GeoSeries and GeoDataFrame
        known = shape.crs is not None and shape.crs.to_epsg() != 4326
        shape = (shape.to_crs(4326) if known else shape).geometry.union_all()
    if hasattr(shape, "geom_type"):
        return _bounds(shape)
    try:
        values: list[float] = list(area)
        if len(values) != 4 or isinstance(area, str | bytes | Mapping | Set):
            raise TypeError
        west, south, east, north = (float(v) for v in values)
    except OverflowError as error:
        raise CubeError("bbox holds numbers that are no degrees of longitude and latitude") from error
    except (TypeError, ValueError) as error:
        raise CubeError(
            f"bbox is (west, south, east, north) in degrees, a shapely geometry or a GeoDataFrame, not {_shown(area)}"
        ) from error
    return west, south, east, north


def _bounds(shape: Geometry) -> Bbox:
    if shape.is_empty:
        raise CubeError("bbox is an empty geometry; give one with an area")
    west, south, east, north = (float(v) for v in shape.bounds)
    parts = [part.bounds for part in getattr(shape, "geoms", [])]
    if parts:  # cut at the antimeridian (RFC 7946) it reaches over it, and not around the Earth
        west, east = shortest_span((part[0], part[2]) for part in parts)
    return west, south, east, north


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # a number of thousands of digits
        return "numbers without end"
    return text if len(text) <= 100 else text[:97] + "..."


def texts_of(name: str, value: object) -> tuple[str, ...] | None:
    """What a keyword names: one text or several; None where nothing is asked.

    Raises
    ------
    CubeError
        It is something else.
    """
    several = _several(value, (str, os.PathLike))
    found = [os.fspath(v) if isinstance(v, os.PathLike) else v for v in several or ()]
    texts = [v for v in found if isinstance(v, str)]
    if value is not None and (several is None or len(texts) != len(several)):
        raise CubeError(f"{name} is a text or several, not {_shown(value)}")
    return None if value is None else tuple(texts)


def integers_of(name: str, value: object) -> tuple[int, ...] | None:
    """As `texts_of`, of whole numbers."""
    several = _several(value, (numbers.Integral,))
    found = [int(v) for v in several or () if isinstance(v, numbers.Integral) and not isinstance(v, bool)]
    if value is not None and (several is None or len(found) != len(several)):
        raise CubeError(f"{name} is a whole number or several, not {_shown(value)}")
    return None if value is None else tuple(found)


def _several(value: object, kinds: tuple[type, ...]) -> list[object] | None:
    """One value of some kinds, or all of several; None where it is neither."""
    if isinstance(value, kinds):
        return [value]
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping) else None


def options_of(kind: type[_Options], given: Mapping[str, object]) -> _Options:
    """An options object of keywords; a keyword that it does not know is an error with the nearest that it does.

    Raises
    ------
    CubeError
    """
    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise CubeError(f"there is no option {name!r}; {hint}There are {', '.join(known)}")
    return kind(**given)
