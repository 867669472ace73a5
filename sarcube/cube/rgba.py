"""Colour pictures of any size: 8-bit RGBA as a cloud-optimized GeoTIFF, and a legend beside it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.windows import Window

from sarcube.cube.handles import WRITE_CACHE
from sarcube.cube.lazy import compute
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid
from sarcube.transfer.atomic import scratch_beside

if TYPE_CHECKING:
    from dask.array import Array

_BLOCK = 512
_AT_ONCE = 4  # blocks that are in memory together


def write_rgba(colours: Array, path: str | Path, grid: GeoGrid, tags: Mapping[str, str] | None = None) -> None:
    """Write colours as a COG, block by block; the file appears whole or not at all.

    Parameters
    ----------
    colours : dask array of uint8
        Shape (rows, columns, 4), red, green, blue, alpha, in one chunk along the last axis.
    path : str or Path
    grid : GeoGrid
    tags : mapping of str to str
        Metadata of the file.

    Raises
    ------
    CubeError
        The file cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            rasterio.Env(GDAL_CACHEMAX=WRITE_CACHE),
            scratch_beside(path) as scratch,
        ):
            raw, whole = scratch / "raw.tif", scratch / "whole.tif"
            with rasterio.open(
                raw, "w", driver="GTiff", width=grid.width, height=grid.height, count=4, dtype="uint8", crs=grid.crs,
                transform=rasterio.Affine(*grid.transform), tiled=True, blockxsize=_BLOCK, blockysize=_BLOCK,
                photometric="RGB", alpha="YES", interleave="pixel", BIGTIFF="IF_SAFER", SPARSE_OK="TRUE",
                COMPRESS="ZSTD", ZSTD_LEVEL="1",  # ten gigapixels are 40 GB else, which are then read three times
            ) as target:  # fmt: skip
                target.update_tags(**dict(tags or {}))
                for row, col, block in _blocks(colours):
                    window = Window(col, row, block.shape[1], block.shape[0])
                    target.write(np.moveaxis(block, -1, 0), window=window)
            rasterio.shutil.copy(
                raw, whole, driver="COG", COMPRESS="DEFLATE", PREDICTOR="YES", BLOCKSIZE=str(_BLOCK),
                OVERVIEW_RESAMPLING="AVERAGE", BIGTIFF="IF_SAFER",
            )  # fmt: skip
            whole.replace(path)
    except (OSError, RasterioError) as error:
        raise CubeError(f"{path} cannot be written: {error}; choose another place") from error


def _blocks(colours: Array) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    edges = [np.cumsum([0, *sizes]) for sizes in colours.chunks[:2]]
    places = np.ndindex(*colours.numblocks[:2])
    while batch := list(itertools.islice(places, _AT_ONCE)):
        for (i, j), block in zip(batch, compute(*(colours.blocks[i, j] for i, j in batch)), strict=True):
            yield int(edges[0][i]), int(edges[1][j]), block


def write_legend(path: str | Path, title: str, channels: Sequence[tuple[str, str, tuple[float, float]]]) -> None:
    """A picture with one ramp for each channel.

    Parameters
    ----------
    path : str or Path
        PNG.
    title : str
    channels : sequence of (colour, text, range)
        Colour is "red", "green" or "blue"; the range is what is black and what is full colour.
    """
    from PIL import Image, ImageDraw, ImageFont

    width, row, margin, bar = 520, 58, 14, 18
    picture = Image.new("RGB", (width, margin + 26 + row * len(channels)), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(14)
    draw.text((margin, margin), _fitting(title, 66), fill="black", font=font)
    ramp = np.linspace(0.0, 255.0, width - 2 * margin).astype(np.uint8)
    for i, (colour, text, (low, high)) in enumerate(channels):
        top = margin + 30 + i * row
        strip = np.zeros((bar, ramp.size, 3), np.uint8)
        strip[..., ("red", "green", "blue").index(colour)] = ramp
        picture.paste(Image.fromarray(strip, "RGB"), (margin, top))
        draw.text((margin, top + bar + 3), f"{low:.4g}", fill="black", font=font)
        label = f"{high:.4g}"
        draw.text((width - margin - draw.textlength(label, font=font), top + bar + 3), label, fill="black", font=font)
        shown = _fitting(text, 46)
        draw.text(((width - draw.textlength(shown, font=font)) / 2, top + bar + 3), shown, fill="black", font=font)
    picture.save(Path(path), "PNG")


def _fitting(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."
