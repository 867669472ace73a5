"""The grid of a tile, for ever: the whole tile, or the window that an area has of it."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import numpy as np

from sarcube.config import RunConfig
from sarcube.errors import GridError
from sarcube.geometry.aoi import load_aoi
from sarcube.geometry.burst_grid import transformer
from sarcube.geometry.grid import GeoGrid, is_geographic, metres_per_unit
from sarcube.geometry.longitudes import turns, unwrap
from sarcube.geometry.mgrs import tile_grid

if TYPE_CHECKING:
    from shapely import Geometry

MOST_PIXELS = 500_000_000  # of a product, which is in memory; a tile at 10 m has 120 million
_CURE = "give a coarser resolution or a smaller area"
_MOST_DEGREES = 0.1  # a coarser resolution is metres taken for degrees
_POINTS = 23  # along a side: bends of a CRS between two of them stay far below a pixel
_FARTHEST_STEP = 1e6  # metres from one of these points to the next; farther apart a CRS is cut between them
_MARGIN = 0.1  # degrees around a tile
_HAIR = 0.01  # of a pixel: what an area covers less of it is rounding, or the bend of a side
_LONGEST_SIDE = 0.01  # degrees, about 1 km, within which a parallel is straight to a centimetre


def windowed(config: RunConfig, area: str) -> bool:
    """Whether products are windows of tiles."""
    return config.aoi is not None and area == "aoi"


def place_in(tile_place: str, config: RunConfig, area: str) -> str:
    """The place of a tile's products: the tile, or that area's window of it: `mgrs_30tul_a3f09c12`."""
    if not windowed(config, area):
        return tile_place
    found = load_aoi(config.aoi)
    assert found is not None
    return f"{tile_place}_{hashlib.sha256(found.shape.normalize().wkb).hexdigest()[:8]}"


def tile_of(place: str) -> str:
    """The tile of a place: `mgrs_30tul_a3f09c12` is of 30TUL."""
    return place.split("_")[1].upper()


def grid_of_place(config: RunConfig, place: str, resolution: float, area: str) -> GeoGrid:
    """The grid of a place, the same whenever it is asked for.

    Raises
    ------
    GridError
        The area lies beside the tile.
    """
    tile = tile_grid(tile_of(place), resolution if config.grid.crs == "auto" else 10.0)
    shape = None
    if windowed(config, area):
        found = load_aoi(config.aoi)
        assert found is not None
        shape = found.shape
    own = tile if config.grid.crs == "auto" else None
    return window_of(tile, own, config.grid.crs, resolution, shape, place)


def window_of(
    tile: GeoGrid, own: GeoGrid | None, crs: int | str, resolution: float, shape: Geometry | None, place: str
) -> GeoGrid:
    """The part of a tile that a shape in degrees covers, on the tile's pixels or on multiples in another CRS.

    Raises
    ------
    GridError
        They do not meet, the resolution is in other units than the CRS, there would be too many pixels, or the CRS is
        cut where the tile lies.
    """
    import shapely

    epsg = tile.epsg if crs == "auto" else int(crs)
    _check_unit(epsg, resolution)
    if shape is None and own is not None:
        return own.bounded(MOST_PIXELS, _CURE)
    inside = shapely.box(*tile.bounds) if shape is None else _within(shape, tile, place)
    if own is None:
        return GeoGrid.snapped(epsg, bounds_in(inside.bounds, tile.epsg, epsg), resolution).bounded(MOST_PIXELS, _CURE)
    left, bottom, right, top = inside.bounds
    size, hair = own.resolution, _HAIR
    column, row = math.floor((left - own.left) / size + hair), math.floor((own.top - top) / size + hair)
    first = max(0, column), max(0, row)
    last = (
        min(own.width, math.ceil((right - own.left) / size - hair)),
        min(own.height, math.ceil((own.top - bottom) / size - hair)),
    )
    columns, rows = last[0] - first[0], last[1] - first[1]
    return GeoGrid(own.epsg, own.left + first[0] * size, own.top - first[1] * size, size, columns, rows).bounded(
        MOST_PIXELS, _CURE
    )


def _check_unit(epsg: int, resolution: float) -> None:
    if is_geographic(epsg) and resolution > _MOST_DEGREES:
        raise GridError(
            f"the resolution is in degrees in EPSG:{epsg}, and {resolution:g} degrees are "
            f"{resolution * 111.32:,.0f} km; 10 m are about 0.0001"
        )


def bounds_in(bounds: tuple[float, float, float, float], source: int, target: int) -> tuple[float, float, float, float]:
    """Bounds in another CRS, by points along the sides; longitudes run on beyond 180 where they cross it.

    Raises
    ------
    GridError
        The other CRS is cut within the bounds, or does not reach there.
    """
    left, bottom, right, top = bounds
    x, y = np.linspace(left, right, _POINTS), np.linspace(bottom, top, _POINTS)
    ring = np.concatenate([
        np.column_stack([x, np.full(_POINTS, top)]), np.column_stack([np.full(_POINTS, right), y[::-1]]),
        np.column_stack([x[::-1], np.full(_POINTS, bottom)]), np.column_stack([np.full(_POINTS, left), y]),
    ])  # fmt: skip
    xs, ys = transformer(source, target).transform(ring[:, 0], ring[:, 1])
    if is_geographic(target):
        xs = unwrap(xs)
        xs = xs - 360.0 * np.floor((xs.min() + 180.0) / 360.0)
    steps = np.hypot(np.diff(xs), np.diff(ys))
    if not (np.isfinite(xs).all() and np.isfinite(ys).all()) or (
        not is_geographic(target) and steps.max() * metres_per_unit(target) > _FARTHEST_STEP
    ):
        raise GridError(
            f"EPSG:{target} is cut where the tile lies, or does not reach there; choose the tile's own UTM zone, or "
            "degrees (EPSG:4326)"
        )
    return float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max())


def _within(shape: Geometry, tile: GeoGrid, place: str) -> Geometry:
    """A shape in degrees on the tile, in the tile's CRS. Its sides are straight in degrees, as GeoJSON has them.

    They are cut to the tile's surroundings first, since a zone's coordinates mean nothing far away.
    """
    import shapely

    west, south, east, north = bounds_in(tile.bounds, tile.epsg, 4326)
    near = (west - _MARGIN, south - _MARGIN, east + _MARGIN, north + _MARGIN)
    to_tile = transformer(4326, tile.epsg)

    def meets(candidate: Geometry) -> Geometry:
        low, high = candidate.bounds[0], candidate.bounds[2]
        parts = [
            shapely.transform(candidate, lambda points, turn=turn: points + np.array([turn, 0.0])).intersection(
                shapely.box(*near)
            )
            for turn in turns(low, high, near[0], near[2])
        ]
        dense = shapely.segmentize(shapely.union_all(parts), _LONGEST_SIDE)
        moved = shapely.transform(dense, to_tile.transform, interleaved=False)
        return shapely.make_valid(moved).intersection(shapely.box(*tile.bounds))

    if shape.area == 0:
        raise GridError("the area is a point or a line; give one with an extent")
    inside = meets(shapely.force_2d(shape))
    if inside.is_empty or inside.area == 0:
        exchanged = shapely.transform(shapely.force_2d(shape), lambda points: points[:, ::-1])
        hint = ""
        if abs(exchanged.bounds[1]) <= 90 and abs(exchanged.bounds[3]) <= 90 and meets(exchanged).area > 0:
            hint = " (with latitude and longitude exchanged they do: longitude is first)"
        raise GridError(f"the area and {place} do not meet{hint}; check the area")
    return inside
