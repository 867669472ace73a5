"""Map tiles in Web Mercator from the COGs of one pass, and the percentiles that their stretch is chosen by.

Tiles are read and merged by rio-tiler, the library that titiler serves tiles with; the server around it is ours,
so that nothing but one small process runs and nothing but this machine can reach it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from morecantile import Tile
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.windows import Window
from rio_tiler.constants import WEB_MERCATOR_TMS
from rio_tiler.errors import EmptyMosaicError, RioTilerError, TileOutsideBounds
from rio_tiler.io import Reader
from rio_tiler.models import ImageData
from rio_tiler.mosaic import mosaic_reader

from sarcube.cube.acquisition import Acquisition, LayerFile
from sarcube.cube.handles import gdal_env, open_raster
from sarcube.cube.stored_numbers import in_units, told_by
from sarcube.cube.viewer.colours import COMPOSITE, Stretch, coloured, fixed_ranges, scale_of, shown_values
from sarcube.cube.viewer.passes import Content
from sarcube.errors import CubeError
from sarcube.products.kinds import Layer
from sarcube.raster_facts import Numbers

_Masked = np.ma.MaskedArray[tuple[int, ...], np.dtype[np.number]]
TILE = 256  # pixels
_EQUATOR = 2 * math.pi * 6_378_137.0  # metres; the width of the Web Mercator world
_SAMPLED = 12  # products that a layer's percentiles are taken of
_SAMPLE = 128  # pixels, the longer side of what is read of each at a time
_PERCENTILES = (1.0, 2.0, 5.0, 50.0, 95.0, 98.0, 99.0)


@dataclass(frozen=True)
class Picture:
    """A drawn tile, and the items whose files could not be read for it."""

    png: bytes
    unread: tuple[str, ...] = ()


def default_stretch(content: Content, layer: str) -> Stretch:
    """The layer's own range, where it says one, else from its 2nd to its 98th percentile."""
    about = content.table.get(layer)
    if scale_of(about) in ("db", "classes"):
        return Stretch()
    ranges = fixed_ranges(about)
    if ranges:
        return Stretch(*ranges[0])
    found = percentiles(content, layer)
    return Stretch(found["2"], found["98"])


def render_tile(
    content: Content, step: int, layer: str, place: tuple[int, int, int], stretch: Stretch | None = None
) -> Picture:
    """A PNG with transparency; an empty one where the pass saw nothing.

    Parameters
    ----------
    content : Content
    step : int
        Index of the pass.
    layer : str
        One of `content.layers`.
    place : (z, x, y)
    stretch : Stretch, optional
        Default: `default_stretch`.

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
    wanted = content.pair if layer == COMPOSITE else (layer,)
    unread: dict[str, None] = {}
    bands = {name: _merged(content, step, name, place, unread) for name in wanted or ()}
    picture = coloured(content.table.get(layer), bands, stretch or default_stretch(content, layer))
    return Picture(_png(picture), tuple(unread))


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
            return _read(file, about, place)
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


def _real(values: _Masked, layer: Layer) -> NDArray[np.float32]:
    """Float32 with NaN of a masked array: of complex numbers their phase where it is shown, else their magnitude."""
    missing = np.ma.getmaskarray(values) | np.asarray(layer.missing(np.ma.getdata(values)))
    plain = np.ma.getdata(values)
    if plain.dtype.kind == "c":
        plain = np.angle(plain) if layer.shown.cyclic else np.abs(plain)
    return np.where(missing, np.nan, plain).astype(np.float32)


def percentiles(content: Content, layer: str) -> dict[str, float]:
    """Percentiles of a layer over some of its products, spread over all, in what its stretch is said; read once.

    Of the composite those of its first band.

    Raises
    ------
    CubeError
        There is no such layer, it is a mask, or none of what was tried can be read.
    """
    if layer not in content.layers:
        raise CubeError(f"there is no layer {layer!r}; there are {', '.join(content.layers)}")
    name = content.pair[0] if layer == COMPOSITE and content.pair else layer
    about = content.table[name]
    if about.classes:
        raise CubeError(f"{layer} is a mask: its colours are those of its classes")
    known = content.percentiles.get(name)
    if known is not None:
        return known
    having = [a for step in content.steps for a in step.acquisitions if name in a.files]
    chosen = having[:: max(1, -(-len(having) // _SAMPLED))]
    values: list[NDArray[np.float32]] = []
    failed: list[Exception] = []
    for source in chosen:
        try:
            seen = shown_values(_sample(source.files[name], about), about)
            values.append(seen[np.isfinite(seen)])
        except (RasterioError, OSError) as error:
            failed.append(error)
    if failed and not values:
        raise CubeError(f"{layer} cannot be read: {failed[0]}")
    whole = np.concatenate(values) if values else np.empty(0, np.float32)
    if not whole.size:
        whole = np.array([0.0, 1.0], np.float32)
    marks = np.percentile(whole, _PERCENTILES)
    marks[-1] = max(marks[-1], marks[0] + 1e-6 * max(abs(float(marks[0])), 1e-3))
    found = {f"{p:g}": float(f"{m:.4g}") for p, m in zip(_PERCENTILES, marks, strict=True)}
    if found["2"] >= found["98"]:  # all of one value
        found |= {"2": found["1"] - 0.5, "5": found["1"] - 0.5, "95": found["99"] + 0.5, "98": found["99"] + 0.5}
    if not failed:
        content.percentiles[name] = found
    return found


def _sample(file: LayerFile, layer: Layer) -> NDArray[np.float32]:
    """Some pixels of a file, (n,): five windows as they are, and the whole in few, from its overviews."""
    with gdal_env("://" in file.href), open_raster(file.href) as dataset:
        height, width = dataset.height, dataset.width
        factor = max(height, width, _SAMPLE) / _SAMPLE
        looks: list[dict[str, object]] = [{"out_shape": (math.ceil(height / factor), math.ceil(width / factor))}]
        for row, column in ((0.5, 0.5), (0.3, 0.3), (0.3, 0.7), (0.7, 0.3), (0.7, 0.7)):
            size = min(_SAMPLE, height), min(_SAMPLE, width)
            corner = int(row * (height - size[0])), int(column * (width - size[1]))
            looks.append({"window": Window(corner[1], corner[0], size[1], size[0])})
        numbers = told_by(dataset, file.numbers)
        return np.concatenate(
            [_real(_meant(dataset.read(1, masked=True, **look), numbers), layer).ravel() for look in looks]
        )


def _meant(stored: _Masked, numbers: Numbers) -> _Masked:
    """What numbers mean, where there are any."""
    return np.ma.array(in_units(stored, numbers), mask=np.ma.getmaskarray(stored))


def _touching(content: Content, step: int, place: tuple[int, int, int]) -> Iterator[Acquisition]:
    z, x, y = place
    west, south, east, north = WEB_MERCATOR_TMS.bounds(Tile(x, y, z))
    for acquisition in content.steps[step].acquisitions:
        left, bottom, right, top = content.bounds[acquisition.id]
        across = any(left <= east + turn and west + turn <= right for turn in (0, 360, -360))
        if across and bottom <= north and south <= top:
            yield acquisition


def _read(file: LayerFile, layer: Layer, place: tuple[int, int, int]) -> ImageData:
    z, x, y = place
    # Means of linear power where pixels are smaller than the screen's; the pixels themselves where larger.
    pixel = _EQUATOR / 2**z / TILE * _shrink(place)
    smooth = layer.overview != "nearest" and not layer.shown.cyclic and pixel > file.grid.resolution
    method: Literal["average", "nearest"] = "average" if smooth else "nearest"
    with gdal_env("://" in file.href), open_raster(file.href) as dataset:
        numbers = told_by(dataset, file.numbers)
        reader = Reader(None, dataset=dataset, options={} if numbers.nodata is None else {"nodata": numbers.nodata})
        image = reader.tile(x, y, z, tilesize=TILE, resampling_method=method, reproject_method=method)
        image.array = _meant(image.array, numbers)
        return image


def _shrink(place: tuple[int, int, int]) -> float:
    """Of a Web Mercator metre, at the middle of the tile."""
    z, x, y = place
    _, south, _, north = WEB_MERCATOR_TMS.bounds(Tile(x, y, z))
    return max(math.cos(math.radians((south + north) / 2)), 0.01)


def _png(picture: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG", compress_level=1)
    return out.getvalue()
