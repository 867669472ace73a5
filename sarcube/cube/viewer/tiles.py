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
from sarcube.products.kinds import Layer

TILE = 256  # pixels
_EQUATOR = 2 * math.pi * 6_378_137.0  # metres; the width of the Web Mercator world
_UNNAMED = ((70, 140, 90, 70), (30, 30, 40, 230), (214, 120, 40, 230), (150, 30, 60, 230))  # of classes without colour
_SEEN = (70, 140, 90, 70)  # of the best class, where its colour is none


@dataclass(frozen=True)
class Stretch:
    """Decibels that become black and white."""

    low: float = -20.0
    high: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and -1000 < self.low < self.high < 1000):
            raise CubeError(f"a stretch goes from low to high decibels, not from {self.low} to {self.high}")


def shows_stretch(content: Content, layer: str) -> bool:
    """Whether a stretch changes how a layer is drawn."""
    return layer not in content.table or content.table[layer].shown.scale == "db"


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
    return Picture(_png(_coloured(content.table.get(layer), bands, stretch)), tuple(unread))


def _merged(
    content: Content, step: int, layer: str, place: tuple[int, int, int], unread: dict[str, None]
) -> NDArray[np.float32]:
    """First valid of all bursts of the pass that touch the tile, float32 with NaN; what cannot be read is noted."""
    z, x, y = place
    sources = [a for a in _touching(content, step, place) if layer in a.files]
    failed: list[Exception] = []

    if not sources:
        return np.full((TILE, TILE), np.nan, np.float32)
    about = content.table[layer]

    def read(source: Acquisition) -> ImageData:
        file = source.files[layer]
        try:
            return _read(file.href, about, place, file.grid.resolution)
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
    return _real(image.array[0], about)


def _real(values: Any, layer: Layer) -> NDArray[np.float32]:
    """Float32 with NaN of a masked array: of complex numbers their phase where it is shown, else their magnitude."""
    missing = np.ma.getmaskarray(values) | np.asarray(layer.missing(np.ma.getdata(values)))
    plain = np.ma.getdata(values)
    if plain.dtype.kind == "c":
        plain = np.angle(plain) if layer.shown.cyclic else np.abs(plain)
    return np.where(missing, np.nan, plain).astype(np.float32)


def _touching(content: Content, step: int, place: tuple[int, int, int]) -> Iterator[Acquisition]:
    z, x, y = place
    west, south, east, north = WEB_MERCATOR_TMS.bounds(Tile(x, y, z))
    for acquisition in content.steps[step].acquisitions:
        left, bottom, right, top = content.bounds[acquisition.id]
        across = any(left <= east + turn and west + turn <= right for turn in (0, 360, -360))
        if across and bottom <= north and south <= top:
            yield acquisition


def _read(href: str, layer: Layer, place: tuple[int, int, int], resolution: float) -> ImageData:
    z, x, y = place
    # Means of linear power where pixels are smaller than the screen's; the pixels themselves where larger.
    pixel = _EQUATOR / 2**z / TILE * _shrink(place)
    smooth = layer.overview != "nearest" and not layer.shown.cyclic and pixel > resolution
    method = "average" if smooth else "nearest"
    with rasterio.Env(**gdal_options("://" in href)), open_raster(href) as dataset:
        reader = Reader(None, dataset=dataset)
        options: Any = {"resampling_method": method, "reproject_method": method}
        return reader.tile(x, y, z, tilesize=TILE, **options)


def _shrink(place: tuple[int, int, int]) -> float:
    """Of a Web Mercator metre, at the middle of the tile."""
    z, x, y = place
    _, south, _, north = WEB_MERCATOR_TMS.bounds(Tile(x, y, z))
    return max(math.cos(math.radians((south + north) / 2)), 0.01)


def _coloured(layer: Layer | None, bands: dict[str, NDArray[np.float32]], stretch: Stretch) -> NDArray[np.uint8]:
    """RGBA, (TILE, TILE, 4); of two bands without a layer the composite."""
    first = next(iter(bands.values()))
    if layer is not None and layer.classes:
        return _classes(first, layer)
    picture = np.zeros((*first.shape, 4), np.uint8)
    if layer is None:
        co, cross = (_decibels(band) for band in bands.values())
        ratio = co - cross
        channels = [
            (co - stretch.low) / (stretch.high - stretch.low),
            (cross - stretch.low + 6) / (stretch.high - stretch.low),  # cross-polarization is about 6 dB weaker
            (ratio - 2) / 10,
        ]
        seen = ~np.isnan(ratio)
    elif layer.shown.scale == "db":
        grey = (_decibels(first) - stretch.low) / (stretch.high - stretch.low)
        channels, seen = [grey, grey, grey], ~np.isnan(grey)
    else:
        return _mapped(first, layer)
    for i, channel in enumerate(channels):
        picture[..., i] = np.clip(np.nan_to_num(channel) * 255, 0, 255)
    picture[..., 3] = np.where(seen, 255, 0)
    return picture


def _classes(values: NDArray[np.float32], layer: Layer) -> NDArray[np.uint8]:
    picture = np.zeros((*values.shape, 4), np.uint8)
    for i, member in enumerate(sorted(layer.classes, key=lambda c: c.rank)):
        colour = member.colour or _UNNAMED[i % len(_UNNAMED)]
        if member.value != layer.nodata:
            picture[values == member.value] = colour if colour[3] else _SEEN
    return picture


def _mapped(values: NDArray[np.float32], layer: Layer) -> NDArray[np.uint8]:
    """By the layer's own colours and range; without a range by that of what is in the tile."""
    import matplotlib

    shown, seen = layer.shown, ~np.isnan(values)
    if shown.scale == "log":
        values = np.log10(np.where(values > 0, values, np.nan)).astype(np.float32)
    known = values[np.isfinite(values)]
    low = shown.low if shown.low is not None else float(known.min()) if known.size else 0.0
    high = shown.high if shown.high is not None else float(known.max()) if known.size else 1.0
    scaled = np.nan_to_num((values - low) / max(high - low, 1e-12))
    picture: NDArray[np.uint8] = matplotlib.colormaps[shown.colours](scaled, bytes=True)
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
        By measure: its mean over the box; linear.
    classes : mapping of str to int
        By mask: the class at the place itself.
    decibels : frozenset of str
        Measures that people read in decibel.
    """

    step: int
    item: str
    values: dict[str, float]
    classes: dict[str, int]
    decibels: frozenset[str]

    def as_dict(self) -> dict[str, Any]:
        """For JSON; in decibels what is read in them."""
        in_db = {n: round(10 * math.log10(v), 2) for n, v in self.values.items() if n in self.decibels and v > 0}
        others = {n: float(f"{v:.6g}") for n, v in self.values.items() if n not in self.decibels}
        return {"pass": self.step, "item": self.item, "db": in_db, "values": others, "classes": self.classes}


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
        found = list(pool.map(lambda pair: _reading(content, pair[0], pair[1], (lon, lat, box), failed), candidates))
    readings = tuple(reading for reading in found if reading is not None)
    if failed and not readings:
        raise next(iter(failed.values()))
    return Series(readings, tuple(sorted(failed)))


def _reading(
    content: Content,
    step: int,
    acquisitions: list[Acquisition],
    place: tuple[float, float, int],
    failed: dict[str, CubeError],
) -> Reading | None:
    lon, lat, box = place
    decibels = frozenset(name for name, layer in content.table.items() if layer.shown.scale == "db")
    for acquisition in acquisitions:
        values: dict[str, float] = {}
        classes: dict[str, int] = {}
        try:
            for name, layer in content.table.items():
                if name not in acquisition.files or layer.role == "auxiliary":
                    continue
                part = _window(acquisition, name, lon, lat, 1 if layer.classes else box)
                if part is None or not part.size:
                    continue
                if layer.classes:
                    classes[name] = int(part[0, 0])
                elif (mean := _mean(part, layer)) is not None:
                    values[name] = mean
        except CubeError as error:
            failed[acquisition.id] = error
            continue
        if values:
            return Reading(step, acquisition.id, values, classes, decibels)
    return None


def _mean(part: NDArray[Any], layer: Layer) -> float | None:
    """Of what is there; of complex numbers the phase or magnitude of their mean, as they are shown."""
    seen = part[~np.asarray(layer.missing(part))]
    seen = seen[np.isfinite(seen)]
    if not seen.size:
        return None
    mean = seen.mean(dtype=np.complex128 if part.dtype.kind == "c" else np.float64)
    if part.dtype.kind == "c":
        return float(np.angle(mean) if layer.shown.cyclic else np.abs(mean))
    return float(mean)


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
