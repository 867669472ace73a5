"""Places of GRD products: a track and a tile of a fixed lattice.

GRD slices begin and end elsewhere on every date, so that no slice can be a place. A tile can: `t079_32736_5_79` is
track 79 on the square of 100 km whose south-west corner lies at 500 km east and 7,900 km north in EPSG:32736 (of 1
degree in a CRS in degrees; `m` stands for minus). UTM's own squares of 100 km are these. A tile's zone is the zone that
its ground lies in; at the border of two zones both have a tile, and both are made.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sarcube.config import RunConfig
from sarcube.errors import GridError
from sarcube.geometry.burst_grid import auto_epsg, transformer
from sarcube.geometry.grid import GeoGrid, is_geographic
from sarcube.geometry.longitudes import unwrap_ring, wrap, wrap_longitude
from sarcube.products.places import Place
from sarcube.workflows.task import Ring

if TYPE_CHECKING:
    from shapely import Geometry

SIDE_METRES, SIDE_DEGREES = 100_000.0, 1.0
_PLACE = re.compile(r"t(\d{3})_(\d{4,6})_(m?\d+)_(m?\d+)")
_POINTS = 25  # on each edge of a tile, and along each edge of a footprint


def side_of(epsg: int) -> float:
    """Side of a tile in units of its CRS."""
    return SIDE_DEGREES if is_geographic(epsg) else SIDE_METRES


def place_name(track: int, epsg: int, column: int, row: int) -> Place:
    """`t079_32736_5_79`."""

    def text(number: int) -> str:
        return f"m{-number}" if number < 0 else str(number)

    return Place(f"t{track:03d}_{epsg}_{text(column)}_{text(row)}")


def tile_grid(place: str, resolution: float) -> GeoGrid:
    """The grid of a place.

    Raises
    ------
    GridError
        The place is no tile, or the resolution does not divide it.
    """
    match = _PLACE.fullmatch(place)
    if not match:
        raise GridError(f"{place} is no tile of a track; one looks like t079_32736_5_79")
    epsg = int(match[2])
    column, row = (int(text.replace("m", "-")) for text in match.groups()[2:])
    side = side_of(epsg)
    pixels = round(side / resolution)
    if pixels < 1 or not math.isclose(pixels * resolution, side, rel_tol=1e-9):
        raise GridError(
            f"grid.resolution {resolution:g} does not divide a tile of {side:g}, so that tiles would not meet; take "
            f"{side / max(pixels, 1):g} or another part of it"
        )
    return GeoGrid(epsg, column * side, (row + 1) * side, resolution, pixels, pixels)


def tile_ring(grid: GeoGrid) -> Ring:
    """Outline of a tile in degrees, closed and unwrapped."""
    left, bottom, right, top = grid.bounds
    edge = np.linspace(0.0, 1.0, _POINTS)[:-1]
    x = np.concatenate([left + edge * (right - left), np.full(edge.size, right)])
    x = np.concatenate([x, right - edge * (right - left), np.full(edge.size, left)])
    y = np.concatenate([np.full(edge.size, bottom), bottom + edge * (top - bottom), np.full(edge.size, top)])
    y = np.concatenate([y, top - edge * (top - bottom)])
    lon, lat = transformer(grid.epsg, 4326).transform(x, y)
    lon = wrap_longitude(np.asarray(lon), float(lon[0]))
    ring = [(float(a), float(b)) for a, b in zip(lon, lat, strict=True)]
    return (*ring, ring[0])


def tiles_under(config: RunConfig, track: int, footprint: Ring) -> list[Place]:
    """Places of a track that a footprint touches, in the order of their names."""
    crs = config.grid.crs
    found: set[Place] = set()
    for epsg in [crs] if crs != "auto" else _systems(footprint):
        x, y = _projected(footprint, epsg)
        side = side_of(epsg)
        for column in range(math.floor(x.min() / side), math.floor(x.max() / side) + 1):
            for row in range(math.floor(y.min() / side), math.floor(y.max() / side) + 1):
                # Longitudes may run beyond 180, the ground there has one name all the same.
                named = round(wrap(column * side) / side) if is_geographic(epsg) else column
                place = place_name(track, epsg, named, row)
                grid = tile_grid(place, side)
                if crs == "auto" and not _in_zone(grid):
                    continue
                if overlap(footprint, tile_ring(grid)) is not None:
                    found.add(place)
    return sorted(found)


def _dense(footprint: Ring) -> NDArray[np.float64]:
    """Points along a footprint, (n, 2) longitude and latitude, unwrapped."""
    points = unwrap_ring(footprint)
    return np.concatenate([a + np.linspace(0, 1, _POINTS)[:, None] * (b - a) for a, b in pairwise(points)])


def _systems(footprint: Ring) -> list[int]:
    """Codes of the zones and polar grids that a footprint lies in."""
    dense = _dense(footprint)
    middle = dense.mean(axis=0)
    return sorted({auto_epsg(wrap(float(lon)), float(lat)) for lon, lat in (*dense, middle)})


def _projected(footprint: Ring, epsg: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    dense = _dense(footprint)
    x, y = transformer(4326, epsg).transform(dense[:, 0], dense[:, 1])
    x, y = np.asarray(x), np.asarray(y)
    if is_geographic(epsg):
        x = wrap_longitude(x, float(dense[:, 0].mean()))
    seen = np.isfinite(x) & np.isfinite(y)
    if not seen.any():
        raise GridError(f"the scene cannot be expressed in EPSG:{epsg}; choose another grid.crs")
    return x[seen], y[seen]


def _in_zone(grid: GeoGrid) -> bool:
    """Whether any ground of a tile lies in the zone or polar cap that its CRS is for."""
    ring = np.array(tile_ring(grid))
    middle = ring[:-1].mean(axis=0)
    return any(auto_epsg(wrap(float(lon)), float(lat)) == grid.epsg for lon, lat in (*ring, middle))


def overlap(footprint: Ring, tile: Ring) -> Geometry | None:
    """What a footprint and a tile share, in degrees with the tile's longitudes; None where they share no area."""
    import shapely

    ring, square = unwrap_ring(footprint), unwrap_ring(tile)
    turn = 360.0 * round(float(square[:, 0].mean() - ring[:, 0].mean()) / 360.0)
    shared = shapely.Polygon(ring + np.array([turn, 0.0])).buffer(0).intersection(shapely.Polygon(square).buffer(0))
    return shared if shared.area > 1e-7 else None
