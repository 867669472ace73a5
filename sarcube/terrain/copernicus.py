"""Copernicus GLO-30: tiles by their names, from a local mirror, S3 or HTTPS; no tile means sea.

The naming rule and the column spacings by latitude are those of the Copernicus DEM Product Handbook
(GEO1988-CopernicusDEM-SPE-002, sections on tile names and grid spacing). Heights refer to EGM2008.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import CredentialError, DemError
from sarcube.terrain.lattice import Bounds, Lattice
from sarcube.terrain.mosaic import LARGEST, MARGIN, read_window
from sarcube.transfer.http import AbsentError
from sarcube.transfer.raster import gdal_path, is_remote, open_raster
from sarcube.transfer.remote import open_remote, read_all

DEFAULT_MIRROR = "https://copernicus-dem-30m.s3.amazonaws.com"
_TILE_LIST = "tileList.txt"
_STEP = 1.0 / 3600.0  # degrees: row spacing everywhere, column spacing up to 50 degrees
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
            longitude = (column + 180) % 360 - 180
            found.append((Tile(latitude, longitude), float(column - longitude)))
    return found


def read_glo30(mirror: str | None, bounds: Bounds) -> tuple[NDArray[np.float32], Lattice, str]:
    """Heights above EGM2008 over an area and a margin, on the finest column spacing that occurs in it.

    Tiles of a band of latitude lie side by side on one grid and are copied. All bands share their rows, so
    that a coarser band is brought to the finest spacing along rows only (cubic convolution, Keys 1981).

    Raises
    ------
    DemError
        The mirror is not there, or a tile that it lists cannot be read.
    """
    address = (mirror or DEFAULT_MIRROR).rstrip("/")
    _check_mirror(address)
    lattice = _lattice(bounds)
    if lattice.width * lattice.height > LARGEST:
        raise DemError(
            f"GLO-30 has {lattice.width} x {lattice.height} pixels over the area, more than can be held in "
            "memory; ask for a smaller area"
        )
    heights = np.zeros((lattice.height, lattice.width), np.float32)
    used = 0
    reach = (lattice.left, max(lattice.bottom, -90.0), lattice.right, min(lattice.top, 90.0))
    for spacing, band in _bands(tiles(reach)):
        used += _read_band(address, band, spacing, lattice, heights)
    return heights, lattice, f"Copernicus GLO-30 ({used} tiles of {address})"


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


def _read_band(
    address: str,
    band: list[tuple[Tile, float]],
    spacing: float,
    lattice: Lattice,
    heights: NDArray[np.float32],
) -> int:
    """Copy one column spacing's tiles into `heights`; returns how many there were."""
    latitudes = {tile.latitude for tile, _ in band}
    top_row = lattice.top / _STEP - 0.5  # arc seconds of the first row's centres
    used = 0
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
            used += _read_tile(address, tile, turn, (row0, column0), strip)
        heights[first : last + 1] = _resampled(strip, column0, spacing, lattice)
    return used


def _across(latitude: int, edge: tuple[float, float]) -> list[tuple[Tile, float]]:
    middle = latitude + 0.5
    return tiles((edge[0], middle, edge[1], middle + _STEP))


def _read_tile(address: str, tile: Tile, turn: float, origin: tuple[int, int], strip: NDArray[np.float32]) -> int:
    """Put a tile's part into a strip whose first pixel is at (row of the tile, column number)."""
    from rasterio.windows import Window

    path = _path_of(address, tile)
    if path is None:
        return 0
    width = round(1.0 / tile.spacing)
    start = round((tile.longitude + turn) / tile.spacing) - origin[1]  # of the tile's first column in the strip
    c0, c1 = max(start, 0), min(start + width, strip.shape[1])
    if c0 >= c1:
        return 0
    with open_raster(gdal_path(path), what="GLO-30 tile") as source:
        if (source.width, source.height) != (width, 3600):
            raise DemError(
                f"{path} is {source.width} x {source.height}, a GLO-30 tile there has {width} x 3600 pixels; "
                "the mirror holds something else"
            )
        block = read_window(source, Window(c0 - start, origin[0], c1 - c0, strip.shape[0]))
    strip[:, c0:c1] = block
    return 1


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


def _check_mirror(address: str) -> None:
    if not is_remote(address) and not Path(address).is_dir():
        raise DemError(f"dem.mirror {address} is not a folder; name the folder of the GLO-30 tiles")


def _path_of(address: str, tile: Tile) -> str | None:
    """Where a tile is; None where there is none, which is sea."""
    listed = tile.name in _listed(address, _list_stamp(address))
    if is_remote(address):
        path = f"{address}/{tile.name}/{tile.name}.tif"
        return path if listed or (not _listed(address, 0) and _remote_has(path)) else None
    base = Path(address)
    for folder in (base / tile.name, base, base / tile.name / "DEM"):
        path = str(folder / f"{tile.name}.tif")
        if Path(path).is_file():
            return path
    if listed:
        raise DemError(f"{base / _TILE_LIST} lists {tile.name}, but the tile is not there; fetch it")
    return None


def _list_stamp(address: str) -> int:
    path = Path(address) / _TILE_LIST
    return path.stat().st_mtime_ns if not is_remote(address) and path.is_file() else 0


@functools.lru_cache(maxsize=8)
def _listed(address: str, stamp: int) -> frozenset[str]:
    """Names in the mirror's `tileList.txt`, which the public buckets have; empty where there is none."""
    try:
        if is_remote(address):
            text = read_all(f"{address}/{_TILE_LIST}", limit=16 << 20).decode("ascii", "replace")
        elif stamp:
            text = (Path(address) / _TILE_LIST).read_text("ascii", "replace")
        else:
            return frozenset()
    except (AbsentError, CredentialError):
        return frozenset()  # a mirror of one's own need not have the list
    return frozenset(line.strip().strip("/") for line in text.splitlines() if line.strip())


@functools.lru_cache(maxsize=4096)
def _remote_has(path: str) -> bool:
    try:
        return open_remote(path).size > 0
    except AbsentError:
        return False
