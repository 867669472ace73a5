"""Tiles of Sentinel-2: 100 km squares of the Military Grid Reference System, widened to 109.8 km.

A tile's upper left corner is that of its square, moved outwards to the next multiple of 60 m, so that pixels of 10, 20
and 60 m have common edges.
"""

from __future__ import annotations

import re

from sarcube.errors import GridError
from sarcube.geometry.grid import GeoGrid

TILE_METRES = 109_800
_TILE = re.compile(r"(\d{2})([C-HJ-NP-X])([A-HJ-NP-Z])([A-HJ-NP-V])")
_BANDS = "CDEFGHJKLMNPQRSTUVWX"
_COLUMNS = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")  # by zone modulo 3
_ROWS = "ABCDEFGHJKLMNPQRSTUV"
_SQUARE, _CYCLE, _LATTICE = 100_000, 2_000_000, 60


def tile_grid(tile: str, resolution: float = 10.0) -> GeoGrid:
    """The grid of a tile, at pixels whose size divides 109.8 km or covers it with the least of them.

    Parameters
    ----------
    tile : str
        "29UNU".
    resolution : float
        Metres.

    Raises
    ------
    GridError
        There is no such tile.
    """
    epsg, left, top = tile_corner(tile)
    bounds = (left, top - TILE_METRES, left + TILE_METRES, top)
    if left % resolution == 0 and top % resolution == 0 and TILE_METRES % resolution == 0:
        side = round(TILE_METRES / resolution)
        return GeoGrid(epsg, left, top, float(resolution), side, side)
    return GeoGrid.snapped(epsg, bounds, float(resolution))


def tile_corner(tile: str) -> tuple[int, float, float]:
    """EPSG code of a tile's zone, and its upper left corner in metres; GridError where there is no such tile."""
    match = _TILE.fullmatch(tile.upper())
    zone = int(match[1]) if match else 0
    if match is None or not 1 <= zone <= 60 or match[3] not in _COLUMNS[zone % 3]:
        raise GridError(f"{tile!r} is no tile of Sentinel-2; they are named like 29UNU")
    band = _BANDS.index(match[2])
    west = (_COLUMNS[zone % 3].index(match[3]) + 1) * _SQUARE
    row = (_ROWS.index(match[4]) - (0 if zone % 2 else 5)) % len(_ROWS)
    north = band >= _BANDS.index("N")
    south_edge = _least_northing(8.0 * (band - 10), north)
    south = row * _SQUARE
    while south + _SQUARE <= south_edge:
        south += _CYCLE
    left = west // _LATTICE * _LATTICE
    top = -(-(south + _SQUARE) // _LATTICE) * _LATTICE
    return (32600 if north else 32700) + zone, float(left), float(top)


def _least_northing(latitude: float, north: bool) -> float:
    """Northing of a parallel at the zone's middle, where it is least north of the equator; south of it at the edge."""
    from pyproj import Transformer

    to_utm = Transformer.from_crs(4326, 32631 if north else 32731, always_xy=True)
    return min(float(to_utm.transform(lon, latitude)[1]) for lon in (0.0, 3.0, 6.0))
