"""Copernicus GLO-30: tiles by their names, from a local mirror, S3 or HTTPS; no tile means sea, unless it is known
to be land.

The naming rule and the column spacings by latitude are those of the Copernicus DEM Product Handbook
(GEO1988-CopernicusDEM-SPE-002, sections on tile names and grid spacing). Heights refer to EGM2008.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import DemError
from sarcube.geometry.longitudes import wrap
from sarcube.terrain.lattice import Bounds, Lattice, PointHeights, Ring, rectangle, ring_mask
from sarcube.terrain.mirror import check_mirror, has_list, tile_path
from sarcube.terrain.mosaic import LARGEST, MARGIN, read_window
from sarcube.terrain.voids import Voids
from sarcube.transfer.raster import gdal_path, is_remote, open_raster
from sarcube.transfer.redact import public_address, redact

DEFAULT_MIRROR = "https://copernicus-dem-30m.s3.amazonaws.com"
_STEP = 1.0 / 3600.0  # degrees: row spacing everywhere, column spacing up to 50 degrees
# Sea is where heights are all nought, or all the geoid's above the ellipsoid. Of five real scenes (IPF 3.40 to 3.91)
# all 476 points outside of the provider's tiles are within 0.4 mm of nought; models of the geoid differ by metres.
_NOUGHT_M = 1.0
_GEOID_M = 3.0
_INSIDE = 0.02  # degrees: heights of annotations come from a coarse DEM, the neighbour's coast reaches over the edge
# Column spacing in arc seconds from the named latitude on; a tile's edge nearer to the equator decides.
_SPACING = ((85, 10.0), (80, 5.0), (70, 3.0), (60, 2.0), (50, 1.5), (0, 1.0))


@dataclass(frozen=True, order=True)
class Tile:
    """One tile, named by its lower left corner in whole degrees."""

    latitude: int
    longitude: int

    @property
    def name(self) -> str:
        """As the files are called: `Copernicus_DSM_COG_10_N38_00_W028_00_DEM`."""
        north = f"{'N' if self.latitude >= 0 else 'S'}{abs(self.latitude):02d}_00"
        east = f"{'E' if self.longitude >= 0 else 'W'}{abs(self.longitude):03d}_00"
        return f"Copernicus_DSM_COG_10_{north}_{east}_DEM"

    @property
    def spacing(self) -> float:
        """Degrees between columns."""
        nearer = self.latitude if self.latitude >= 0 else -self.latitude - 1
        return next(seconds for latitude, seconds in _SPACING if nearer >= latitude) / 3600.0


def tiles(bounds: Bounds) -> list[tuple[Tile, float]]:
    """Tiles that meet the bounds, each with the turn (0, 360, ...) that brings it there.

    A tile's pixels lie half a pixel west and north of its corner (pixel centres on whole arc seconds), so
    that an area which ends on a whole degree may need one row or column of the next tile.
    """
    west, south, east, north = bounds
    found = []
    rows = range(max(math.floor(south - _STEP), -90), min(math.floor(north), 89) + 1)
    for latitude in rows:
        half = Tile(latitude, 0).spacing / 2
        for column in range(math.floor(west + half), math.floor(east + half) + 1):
            longitude = round(wrap(column))
            found.append((Tile(latitude, longitude), float(column - longitude)))
    return found


def read_glo30(
    mirror: str | None,
    bounds: Bounds,
    *,
    known: PointHeights | None = None,
    footprint: Ring | None = None,
    voids: Voids | None = None,
) -> tuple[NDArray[np.float32], Lattice, str, tuple[str, ...]]:
    """Heights above EGM2008 over an area and a margin, on the finest column spacing that occurs in it.

    Tiles of a band of latitude lie side by side on one grid and are copied. All bands share their rows, so
    that a coarser band is brought to the finest spacing along rows only (cubic convolution, Keys 1981).

    Parameters
    ----------
    mirror : str, optional
        Folder, s3:// or https:// address of the tiles; by default the public bucket.
    bounds : (west, south, east, north)
        Degrees; east may exceed 180.
    known : PointHeights, optional
        Heights that are known from elsewhere: where they are not those of sea, a tile that is not there is void. Land
        within a metre of the sea's height everywhere in a tile cannot be told from it, and is read as that height.
    footprint : ring of (longitude, latitude), optional
        What is wanted; the bounds' rectangle where it is not given.
    voids : Voids, optional
        Counts values that are no heights.

    Returns
    -------
    heights : (rows, columns) float32
        Metres, NaN where void.
    lattice : Lattice
    description : str
    warnings : tuple of str
        Tiles that are void.

    Raises
    ------
    DemError
        The mirror is not there or has no tile at all, a tile that it lists cannot be read, or most of the footprint
        is land without a tile.
    """
    address = mirror_address(mirror)
    check_mirror(address)
    lattice = _lattice(bounds)
    if lattice.width * lattice.height > LARGEST:
        raise DemError(
            f"GLO-30 has {lattice.width} x {lattice.height} pixels over the area, more than can be held in "
            "memory; ask for a smaller area"
        )
    heights = np.zeros((lattice.height, lattice.width), np.float32)
    reading = _Reading(address, known, voids or Voids())
    reach = (lattice.left, max(lattice.bottom, -90.0), lattice.right, min(lattice.top, 90.0))
    for spacing, band in _bands(tiles(reach)):
        reading.band(band, spacing, lattice, heights)
    warnings = _lost(reading, heights, lattice, footprint or rectangle(bounds))
    return heights, lattice, f"Copernicus GLO-30 ({len(reading.used)} tiles of {public_address(address)})", warnings


def mirror_address(mirror: str | None) -> str:
    """Where tiles are read."""
    return (mirror or DEFAULT_MIRROR).rstrip("/")


def tiles_found(mirror: str | None, areas: Iterable[Bounds]) -> tuple[int, int]:
    """How many of the tiles that meet the areas a mirror has, and how many there could be.

    Raises
    ------
    DemError
        The mirror is not there or has none of them and does not say (by `tileList.txt`) what it has; a tile that
        it lists is missing.
    """
    address = mirror_address(mirror)
    check_mirror(address)
    wanted = sorted({tile for bounds in areas for tile, _ in tiles(bounds)})
    found = sum(tile_path(address, tile.name) is not None for tile in wanted)
    if wanted and not found and is_remote(address) and not has_list(address):
        raise DemError(
            f"dem.mirror {redact(address)} has none of the {len(wanted)} GLO-30 tiles of the run ({wanted[0].name}, "
            "...) and no tileList.txt that says what it has; check the address"
        )
    return found, len(wanted)


def _lost(reading: _Reading, heights: NDArray[np.float32], lattice: Lattice, ring: Ring) -> tuple[str, ...]:
    """Warnings of tiles that are void; DemError where that is most of the ring."""
    if not reading.lost:
        return ()
    names = ", ".join(sorted(reading.lost))
    points = np.asarray(ring, np.float64)
    middle = 0.5 * (lattice.left + lattice.right)
    points[:, 0] += wrap(float(points[:, 0].mean()), middle) - points[:, 0].mean()
    wanted = ring_mask(points, lattice)
    share = float(np.isnan(heights[wanted]).mean()) if wanted.any() else 0.0
    text = (
        f"{redact(reading.address)} has no tile {names}, and the ground there is no sea by the heights of the "
        f"annotation: {share:.0%} of the area is void"
    )
    if share > 0.5:
        raise DemError(f"{text}; give another DEM (dem.path): some countries' tiles are not public")
    return (text,)


def _lattice(bounds: Bounds) -> Lattice:
    west, south, east, north = bounds
    dx = min(tile.spacing for tile, _ in tiles(bounds))
    # Centres on whole multiples of the spacing, which all tiles share.
    first, last = math.floor(west / dx + 0.5 - 1e-6) - MARGIN, math.ceil(east / dx - 0.5 + 1e-6) + MARGIN
    low = max(math.floor(south / _STEP + 0.5 - 1e-6) - MARGIN, -90 * 3600 + 1)
    high = min(math.ceil(north / _STEP - 0.5 + 1e-6) + MARGIN, 90 * 3600)
    return Lattice(4326, (first - 0.5) * dx, (high + 0.5) * _STEP, dx, _STEP, last - first + 1, high - low + 1)


def _bands(found: list[tuple[Tile, float]]) -> Iterator[tuple[float, list[tuple[Tile, float]]]]:
    for spacing in sorted({tile.spacing for tile, _ in found}):
        yield spacing, [(tile, turn) for tile, turn in found if tile.spacing == spacing]


class _Reading:
    """Copies tiles of one mirror, and keeps count of those that were there and of those that should be."""

    def __init__(self, address: str, known: PointHeights | None, voids: Voids) -> None:
        self.address, self.known, self.voids = address, known, voids
        self.used: set[str] = set()
        self.lost: set[str] = set()

    def band(
        self, band: list[tuple[Tile, float]], spacing: float, lattice: Lattice, heights: NDArray[np.float32]
    ) -> None:
        """Copy one column spacing's tiles into `heights`."""
        latitudes = {tile.latitude for tile, _ in band}
        top_row = lattice.top / _STEP - 0.5  # arc seconds of the first row's centres
        for latitude in sorted(latitudes):
            # Rows of the tile row: centres from latitude + 1 degree down to latitude + 1 second.
            first = max(round(top_row - (latitude + 1) * 3600), 0)
            last = min(round(top_row - (latitude * 3600 + 1)), lattice.height - 1)
            if first > last:
                continue
            # Two columns more on each side for the cubic kernel.
            column0 = math.floor((lattice.left + lattice.dx / 2) / spacing + 1e-6) - 2
            column1 = math.ceil((lattice.left + (lattice.width - 0.5) * lattice.dx) / spacing - 1e-6) + 2
            strip = np.zeros((last - first + 1, column1 - column0 + 1), np.float32)
            row0 = round((latitude + 1) * 3600 - top_row) + first  # row within the tiles
            edge = column0 * spacing, column1 * spacing
            for tile, turn in _across(latitude, edge):
                self._tile(tile, turn, (row0, column0), strip)
            heights[first : last + 1] = _resampled(strip, column0, spacing, lattice)

    def _tile(self, tile: Tile, turn: float, origin: tuple[int, int], strip: NDArray[np.float32]) -> None:
        """Put a tile's part into a strip whose first pixel is at (row of the tile, column number)."""
        from rasterio.windows import Window

        width = round(1.0 / tile.spacing)
        start = round((tile.longitude + turn) / tile.spacing) - origin[1]  # of the tile's first column in the strip
        c0, c1 = max(start, 0), min(start + width, strip.shape[1])
        if c0 >= c1:
            return
        path = tile_path(self.address, tile.name)
        if path is None:
            if self.known is not None and _is_land(tile, self.known):
                strip[:, c0:c1] = np.nan
                self.lost.add(tile.name)
            return
        with open_raster(gdal_path(path), what="GLO-30 tile") as source:
            # Deliveries may repeat the neighbour's first row and column at the end.
            if (source.width, source.height) not in ((width, 3600), (width + 1, 3601)):
                raise DemError(
                    f"{redact(path)} is {source.width} x {source.height}, a GLO-30 tile there has {width} x 3600 "
                    "pixels; the mirror holds something else"
                )
            block = read_window(source, Window(c0 - start, origin[0], c1 - c0, strip.shape[0]))
        strip[:, c0:c1] = self.voids.clear(block, path)
        self.used.add(tile.name)


def _is_land(tile: Tile, known: PointHeights) -> bool:
    """Whether the known heights within the tile are neither all nought nor all the geoid's."""
    east = (np.asarray(known.longitude) - tile.longitude) % 360.0
    north = np.asarray(known.latitude) - tile.latitude
    inside = (east > _INSIDE) & (east < 1 - _INSIDE) & (north > _INSIDE) & (north < 1 - _INSIDE)
    height, geoid = np.asarray(known.height)[inside], np.asarray(known.geoid)[inside]
    return not ((np.abs(height) <= _NOUGHT_M).all() or (np.abs(height - geoid) <= _GEOID_M).all())


def _across(latitude: int, edge: tuple[float, float]) -> list[tuple[Tile, float]]:
    middle = latitude + 0.5
    return tiles((edge[0], middle, edge[1], middle + _STEP))


def _resampled(strip: NDArray[np.float32], column0: int, spacing: float, lattice: Lattice) -> NDArray[np.float32]:
    position = (lattice.left + (np.arange(lattice.width) + 0.5) * lattice.dx) / spacing - column0
    if abs(spacing - lattice.dx) < 1e-12:
        start = round(float(position[0]))
        return strip[:, start : start + lattice.width]
    index = np.floor(position + 1e-9).astype(np.intp)
    t = (position - index).astype(np.float32)
    weights = (
        ((-0.5 * t + 1.0) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1.0,
        ((-1.5 * t + 2.0) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    )
    values = np.zeros((strip.shape[0], lattice.width), np.float32)
    for offset, weight in enumerate(weights):
        values += strip[:, index + (offset - 1)] * weight
    return values
