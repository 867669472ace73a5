"""From an outline in a CRS to the GeoJSON geometry and bounding box of an item (RFC 7946)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import CatalogError
from sarcube.geometry.grid import GeoGrid, metres_per_unit
from sarcube.geometry.longitudes import cut, unwrap
from sarcube.products.outline import Outline, Ring

if TYPE_CHECKING:
    from pyproj import Transformer
    from shapely import Geometry, LinearRing, Polygon

_DIGITS = 6  # 0.1 m at the equator
_STEP = 10_000.0  # longest straight piece, metres: bends of a CRS within it stay far below a pixel


@dataclass(frozen=True)
class Footprint:
    """Where data are, in longitude and latitude.

    Attributes
    ----------
    geometry : dict
        GeoJSON Polygon or MultiPolygon, cut at the antimeridian, right-handed.
    bbox : tuple of float
        west, south, east, north; west is greater than east where the antimeridian is crossed.
    """

    geometry: dict[str, object]
    bbox: tuple[float, float, float, float]


def footprint(outline: Outline, grid: GeoGrid) -> Footprint:
    """The footprint of a product; the whole grid where there are no data at all.

    Raises
    ------
    CatalogError
        The grid's CRS cannot be turned into longitude and latitude there.
    """
    left, bottom, right, top = grid.bounds
    frame: Ring = ((left, bottom), (right, bottom), (right, top), (left, top), (left, bottom))
    pieces: list[Polygon] = []
    for ring in outline or (frame,):
        pieces.extend(_pieces(_lonlat(ring, grid.epsg)))
    merged = _polygons(_union(pieces))
    if not merged:
        raise CatalogError(f"the outline of a product in {grid.crs} has no area on the Earth")
    coordinates = [[_ring(p.exterior)] for p in merged]
    geometry: dict[str, object] = (
        {"type": "Polygon", "coordinates": coordinates[0]}
        if len(coordinates) == 1
        else {"type": "MultiPolygon", "coordinates": coordinates}
    )
    return Footprint(geometry, _bbox(merged))


@lru_cache(maxsize=64)
def _to_lonlat(epsg: int) -> Transformer:
    from pyproj import Transformer

    return Transformer.from_crs(epsg, 4326, always_xy=True)


def _lonlat(ring: Ring, epsg: int) -> NDArray[np.float64]:
    """Ring as unwrapped longitudes and latitudes, (n, 2); one that winds about a pole is led over the pole."""
    step = _STEP / metres_per_unit(epsg)
    dense: list[tuple[float, float]] = []
    for (x0, y0), (x1, y1) in pairwise(ring):
        parts = max(1, math.ceil(math.hypot(x1 - x0, y1 - y0) / step))
        dense.extend((x0 + (x1 - x0) * i / parts, y0 + (y1 - y0) * i / parts) for i in range(parts))
    dense.append(ring[-1])
    xy = np.asarray(dense)
    lon, lat = _to_lonlat(epsg).transform(xy[:, 0], xy[:, 1])
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        raise CatalogError(f"a grid in EPSG:{epsg} reaches where that CRS is not defined; choose another grid.crs")
    lon = unwrap(lon)
    turns = round((lon[-1] - lon[0]) / 360.0)
    if turns:
        pole = 90.0 if lat.mean() > 0 else -90.0
        lon = np.concatenate([lon, [lon[-1], lon[0], lon[0]]])
        lat = np.concatenate([lat, [pole, pole, lat[0]]])
    return np.column_stack([lon, lat])


def _pieces(ring: NDArray[np.float64]) -> list[Polygon]:
    """The ring as polygons within -180 to 180 degrees."""
    from shapely import make_valid
    from shapely.geometry import Polygon

    return [polygon for piece in cut(make_valid(Polygon(ring))) for polygon in _polygons(piece)]


def _union(pieces: list[Polygon]) -> Geometry:
    from shapely import set_precision
    from shapely.ops import unary_union

    return set_precision(unary_union(pieces), 10.0**-_DIGITS)


def _polygons(shape: Geometry) -> list[Polygon]:
    return [p for p in getattr(shape, "geoms", [shape]) if p.geom_type == "Polygon" and not p.is_empty]


def _ring(exterior: LinearRing) -> list[list[float]]:
    points = [[round(x, _DIGITS), round(y, _DIGITS)] for x, y in exterior.coords]
    return points if exterior.is_ccw else points[::-1]


def _bbox(polygons: list[Polygon]) -> tuple[float, float, float, float]:
    bounds = np.asarray([p.bounds for p in polygons])
    west, south, east, north = bounds[:, 0], bounds[:, 1], bounds[:, 2], bounds[:, 3]
    crosses = (west <= -180).any() and (east >= 180).any()
    whole = ((west <= -180) & (east >= 180)).any()
    if crosses and not whole:
        eastern = west[east > 0].min()
        western = east[west < 0].max()
        # Parts that neither touch the antimeridian nor overlap a hemisphere's edge keep their side.
        box = (eastern, south.min(), western, north.max())
    else:
        box = (west.min(), south.min(), east.max(), north.max())
    return tuple(round(float(v), _DIGITS) for v in box)  # type: ignore[return-value]
