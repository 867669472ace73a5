"""Map tiles in Web Mercator from the COGs of one pass, and values at a place.

Tiles are read and merged by rio-tiler, the library that titiler serves tiles with; the server around it is ours,
so that nothing but one small process runs and nothing but this machine can reach it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio
from morecantile import Tile
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.errors import RasterioError
from rasterio.windows import Window
from rio_tiler.constants import WEB_MERCATOR_TMS
from rio_tiler.errors import EmptyMosaicError, RioTilerError, TileOutsideBounds
from rio_tiler.io import Reader
from rio_tiler.models import ImageData
from rio_tiler.mosaic import mosaic_reader

from sarcube.cube.acquisition import Acquisition
from sarcube.cube.handles import gdal_options, open_raster
from sarcube.cube.viewer.passes import Content, at_place
from sarcube.errors import CubeError
from sarcube.workflows.rtc.kinds import POLARIZATIONS

TILE = 256  # pixels
_EQUATOR = 2 * math.pi * 6_378_137.0  # metres; the width of the Web Mercator world
_MASK_COLOURS = {0: (70, 140, 90, 70), 1: (30, 30, 40, 230), 2: (214, 120, 40, 230), 3: (150, 30, 60, 230)}
_MAX_LOOKS = 60.0


@dataclass(frozen=True)
class Stretch:
    """Decibels that become black and white."""

    low: float = -20.0
    high: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and -1000 < self.low < self.high < 1000):
            raise CubeError(f"a stretch goes from low to high decibels, not from {self.low} to {self.high}")


def shows_stretch(layer: str) -> bool:
    """Whether a stretch changes how a layer is drawn."""
    return layer == "colour" or layer in POLARIZATIONS


@dataclass(frozen=True)
class Picture:
    """A drawn tile, and the items whose files could not be read for it."""

    png: bytes
    unread: tuple[str, ...] = ()


def render_tile(content: Content, step: int, layer: str, place: tuple[int, int, int], stretch: Stretch) -> Picture:
    """A PNG with transparency; an empty one where the pass saw nothing.

    Parameters
    ----------
    content : Content
    step : int
        Index of the pass.
    layer : str
        One of `content.layers`.
    place : (z, x, y)
    stretch : Stretch

    Raises
    ------
    CubeError
        There is no such tile, or none of its files can be read.
    """
    if not 0 <= step < len(content.steps) or layer not in content.layers:
        raise CubeError(f"there is no pass {step} with a layer {layer!r}; passes are 0 to {len(content.steps) - 1}")
    z, x, y = place
    if not (0 <= z <= 24 and 0 <= x < 2**z and 0 <= y < 2**z):
        raise CubeError(f"there is no tile {z}/{x}/{y}")
    wanted = content.pair if layer == "colour" else (layer,)
    unread: dict[str, None] = {}
    bands = {name: _merged(content, step, name, place, unread) for name in wanted or ()}
    return Picture(_png(_coloured(layer, bands, stretch)), tuple(unread))


def _merged(
    content: Content, step: int, layer: str, place: tuple[int, int, int], unread: dict[str, None]
) -> NDArray[np.float32]:
    """First valid of all bursts of the pass that touch the tile, float32 with NaN; what cannot be read is noted."""
    z, x, y = place
    sources = [a for a in _touching(content, step, place) if layer in a.files]
    failed: list[Exception] = []

    if not sources:
        return np.full((TILE, TILE), np.nan, np.float32)

    def read(source: Acquisition) -> ImageData:
        file = source.files[layer]
        try:
            return _read(file.href, layer, place, file.grid.resolution)
        except TileOutsideBounds:
            raise
        except (RasterioError, RioTilerError) as error:
            # The other bursts are shown nevertheless: rio-tiler goes on where a file does not hold the tile.
            failed.append(error)
            unread[source.id] = None
            raise TileOutsideBounds(str(error)) from error

    try:
        image, _ = mosaic_reader(sources, read, threads=0)
    except EmptyMosaicError as error:  # near by, and not within; or all unreadable
        if len(failed) == len(sources):
            raise CubeError(f"tile {z}/{x}/{y} of {layer} cannot be read: {failed[0]}") from error
        return np.full((TILE, TILE), np.nan, np.float32)
    return np.asarray(image.array[0].astype(np.float32).filled(np.nan))


def _touching(content: Content, step: int, place: tuple[int, int, int]) -> Iterator[Acquisition]:
    z, x, y = place
    west, south, east, north = WEB_MERCATOR_TMS.bounds(Tile(x, y, z))
    for acquisition in content.steps[step].acquisitions:
        left, bottom, right, top = content.bounds[acquisition.id]
        across = any(left <= east + turn and west + turn <= right for turn in (0, 360, -360))
        if across and bottom <= north and south <= top:
            yield acquisition


def _read(href: str, layer: str, place: tuple[int, int, int], resolution: float) -> ImageData:
    z, x, y = place
    # Means of linear power where pixels are smaller than the screen's; the pixels themselves where larger.
    pixel = _EQUATOR / 2**z / TILE * _shrink(place)
    method = "average" if layer != "mask" and pixel > resolution else "nearest"
    with rasterio.Env(**gdal_options("://" in href)), open_raster(href) as dataset:
        reader = Reader(None, dataset=dataset)
        options: Any = {"resampling_method": method, "reproject_method": method}
        return reader.tile(x, y, z, tilesize=TILE, **options)


def _shrink(place: tuple[int, int, int]) -> float:
    """Of a Web Mercator metre, at the middle of the tile."""
    z, x, y = place
    _, south, _, north = WEB_MERCATOR_TMS.bounds(Tile(x, y, z))
    return max(math.cos(math.radians((south + north) / 2)), 0.01)


def _coloured(layer: str, bands: dict[str, NDArray[np.float32]], stretch: Stretch) -> NDArray[np.uint8]:
    """RGBA, (TILE, TILE, 4)."""
    first = next(iter(bands.values()))
    picture = np.zeros((*first.shape, 4), np.uint8)
    if layer == "mask":
        for value, colour in _MASK_COLOURS.items():
            picture[first == value] = colour
        return picture
    if layer == "colour":
        co, cross = (_decibels(band) for band in bands.values())
        ratio = co - cross
        channels = [
            (co - stretch.low) / (stretch.high - stretch.low),
            (cross - stretch.low + 6) / (stretch.high - stretch.low),  # cross-polarization is about 6 dB weaker
            (ratio - 2) / 10,
        ]
        seen = ~np.isnan(ratio)
    elif layer in POLARIZATIONS:
        grey = (_decibels(first) - stretch.low) / (stretch.high - stretch.low)
        channels, seen = [grey, grey, grey], ~np.isnan(grey)
    else:
        grey = first / _MAX_LOOKS
        channels, seen = [grey, grey, grey], ~np.isnan(first)
    for i, channel in enumerate(channels):
        picture[..., i] = np.clip(np.nan_to_num(channel) * 255, 0, 255)
    picture[..., 3] = np.where(seen, 255, 0)
    return picture


def _decibels(power: NDArray[np.float32]) -> NDArray[np.float32]:
    # No echo left after the noise is taken off: as dark as can be shown, and not unseen.
    return np.asarray(10 * np.log10(np.where(np.isnan(power), np.nan, np.maximum(power, 1e-5))), np.float32)


def _png(picture: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG", compress_level=1)
    return out.getvalue()


@dataclass(frozen=True)
class Reading:
    """Values of one pass at a place.

    Attributes
    ----------
    step : int
        Index of the pass.
    item : str
        Id of the item that they come from.
    values : mapping of str to float
        By polarization: mean linear power over the box.
    mask : int or None
        At the place itself.
    """

    step: int
    item: str
    values: dict[str, float]
    mask: int | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON; backscatter in decibels."""
        decibels = {name: round(10 * math.log10(v), 2) for name, v in self.values.items() if v > 0}
        return {"pass": self.step, "item": self.item, "db": decibels, "mask": self.mask}


@dataclass(frozen=True)
class Series:
    """Readings in order of time, and the items that could not be read."""

    readings: tuple[Reading, ...]
    unread: tuple[str, ...] = ()


def read_series(content: Content, lon: float, lat: float, box: int = 5) -> Series:
    """Values at a place in every pass that saw it, as means over `box` x `box` pixels.

    Raises
    ------
    CubeError
        There is no such place, or nothing of it can be read.
    """
    if not (math.isfinite(lon) and math.isfinite(lat) and abs(lat) <= 90 and 1 <= box <= 101):
        raise CubeError(f"there is no place at longitude {lon}, latitude {lat}")
    candidates = list(enumerate(at_place(content.steps, content.bounds, lon, lat)))
    failed: dict[str, CubeError] = {}
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda pair: _reading(pair[0], pair[1], (lon, lat, box), failed), candidates))
    readings = tuple(reading for reading in found if reading is not None)
    if failed and not readings:
        raise next(iter(failed.values()))
    return Series(readings, tuple(sorted(failed)))


def _reading(
    step: int, acquisitions: list[Acquisition], place: tuple[float, float, int], failed: dict[str, CubeError]
) -> Reading | None:
    lon, lat, box = place
    for acquisition in acquisitions:
        values = {}
        try:
            for name in POLARIZATIONS:
                if name in acquisition.files:
                    part = _window(acquisition, name, lon, lat, box)
                    if part is not None and np.isfinite(part).any():
                        values[name] = float(np.nanmean(part))
            mask = _window(acquisition, "mask", lon, lat, 1) if values and "mask" in acquisition.files else None
        except CubeError as error:
            failed[acquisition.id] = error
            continue
        if values:
            return Reading(step, acquisition.id, values, int(mask[0, 0]) if mask is not None and mask.size else None)
    return None


def _window(acquisition: Acquisition, layer: str, lon: float, lat: float, box: int) -> NDArray[Any] | None:
    file = acquisition.files[layer]
    grid = file.grid
    x, y = Transformer.from_crs("EPSG:4326", f"EPSG:{grid.epsg}", always_xy=True).transform(lon, lat)
    column = math.floor((x - grid.left) / grid.resolution) - box // 2
    row = math.floor((grid.top - y) / grid.resolution) - box // 2
    first, last = max(column, 0), min(column + box, grid.width)
    top, bottom = max(row, 0), min(row + box, grid.height)
    if first >= last or top >= bottom:
        return None
    try:
        with rasterio.Env(**gdal_options("://" in file.href)), open_raster(file.href) as dataset:
            return np.asarray(dataset.read(1, window=Window(first, top, last - first, bottom - top)))
    except RasterioError as error:
        raise CubeError(f"{file.href} cannot be read: {error}") from error
