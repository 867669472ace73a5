"""Pixels of bands that `combine` reads: lazy blocks on one grid, of files as they lie or warped."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import CRSError, RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.warp import reproject
from rasterio.windows import Window

from sarcube.cube.combine_inputs import Band, BandFile
from sarcube.cube.handles import gdal_options
from sarcube.cube.lazy import da
from sarcube.cube.reader import aligned
from sarcube.cube.target_grid import bounds_in
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid
from sarcube.transfer.raster import gdal_path, is_remote
from sarcube.transfer.redact import redact

if TYPE_CHECKING:
    from dask.array import Array

CHUNK = 1024
_KERNEL = 3  # pixels that resampling reaches to each side
_LEAST_SHARE = 1e-6  # smaller ones are rounding
_Masked = np.ma.MaskedArray[tuple[int, ...], np.dtype[np.number]]


def lazy_band(band: Band, grid: GeoGrid, resampling: str) -> Array:
    """A band on a grid as a dask array (y, x) of floating point; nothing is read before it is computed."""
    files = tuple(f for f in band.files if _touch(f.grid, grid))
    dtype = np.float64 if band.wide else np.float32
    rule = Resampling.nearest if band.nearest else Resampling[resampling]
    chunks = tuple(tuple(min(CHUNK, size - at) for at in range(0, size, CHUNK)) for size in (grid.height, grid.width))
    read = partial(_read_block, files=files, grid=grid, rule=rule, dtype=dtype)
    name, meta = _token(band, grid, rule), np.empty((0, 0), dtype)
    lazy: Array = da.map_blocks(read, dtype=dtype, chunks=chunks, meta=meta, name=name)
    return lazy


def _token(band: Band, grid: GeoGrid, rule: Resampling) -> str:
    from dask.base import tokenize

    return f"band-{tokenize(band, grid, rule.name)}"


def _touch(a: GeoGrid, b: GeoGrid) -> bool:
    left, bottom, right, top = bounds_in(a, b.epsg)
    return left < b.right and right > b.left and bottom < b.top and top > b.bottom


def _read_block(
    files: Sequence[BandFile],
    grid: GeoGrid,
    rule: Resampling,
    dtype: type[np.floating],
    block_id: tuple[int, int] = (0, 0),
) -> NDArray[np.floating]:
    row, col = block_id[0] * CHUNK, block_id[1] * CHUNK
    height, width = min(CHUNK, grid.height - row), min(CHUNK, grid.width - col)
    part = GeoGrid(
        grid.epsg, grid.left + col * grid.resolution, grid.top - row * grid.resolution, grid.resolution, width, height
    )
    out = np.full((height, width), np.nan, dtype)
    for file in files:
        missing = np.isnan(out)
        if not missing.any():
            break
        if _touch(file.grid, part):
            np.copyto(out, _read_file(file, part, rule, dtype), where=missing)
    return out


def _read_file(file: BandFile, part: GeoGrid, rule: Resampling, dtype: type[np.floating]) -> NDArray[np.floating]:
    try:
        with (
            rasterio.Env(**gdal_options(is_remote(file.path))),
            rasterio.open(gdal_path(file.path), driver=file.driver, sharing=False) as source,
        ):
            if file.north_up and aligned(file.grid, part):
                stored = _window(source, file, part)
            else:
                stored = _warped(source, file, part, rule)
    except (RasterioError, CRSError) as error:
        raise CubeError(f"{redact(file.path)} cannot be read: {redact(str(error))}; check the file") from None
    values = (np.abs(stored.data) if np.iscomplexobj(stored.data) else stored.data).astype(dtype)
    lost = np.ma.getmaskarray(stored)
    for number in file.missing:
        lost = lost | (stored.data == number)
    if (file.scale, file.offset) != (1.0, 0.0):
        values = (values.astype(np.float64) * file.scale + file.offset).astype(dtype)
    values[lost] = np.nan
    read: NDArray[np.floating] = values
    return read


def _window(source: rasterio.DatasetReader, file: BandFile, part: GeoGrid) -> _Masked:
    own, step = file.grid, part.resolution
    row, col = round((own.top - part.top) / step), round((part.left - own.left) / step)
    r0, c0, r1, c1 = max(row, 0), max(col, 0), min(row + part.height, own.height), min(col + part.width, own.width)
    if r0 >= r1 or c0 >= c1:
        return np.ma.MaskedArray(np.zeros(part.shape, np.float32), mask=True)
    read = source.read(file.index, window=Window(c0, r0, c1 - c0, r1 - r0), masked=True)
    # Of its own type: what the file calls complex_int16 is read as complex64.
    whole = np.ma.MaskedArray(np.zeros(part.shape, read.dtype), mask=True)
    whole[r0 - row : r1 - row, c0 - col : c1 - col] = read
    return whole


def _warped(source: rasterio.DatasetReader, file: BandFile, part: GeoGrid, rule: Resampling) -> _Masked:
    gcps, gcp_crs = source.gcps
    placed = {"src_crs": gcp_crs} if gcps and source.transform.is_identity else {}
    nodata = file.missing[0] if file.missing else source.nodatavals[file.index - 1]
    if nodata is not None and not _can_be(nodata, source.dtypes[file.index - 1]):
        nodata = None  # no pixel has it
    with WarpedVRT(
        source, crs=part.crs, transform=rasterio.Affine(*part.transform), width=part.width, height=part.height,
        resampling=rule, src_nodata=nodata, add_alpha=nodata is None and not _has_mask(source), **placed,
    ) as warped:  # fmt: skip
        values: _Masked = warped.read(file.index, masked=True)
        if warped.count > source.count:
            values = np.ma.array(values.data, mask=np.ma.getmaskarray(values) | (warped.read(warped.count) == 0))
    for number in file.missing[1:]:  # GDAL leaves out only one
        values = np.ma.array(values.data, mask=np.ma.getmaskarray(values) | _taken_in(source, file, part, rule, number))
    return values


def _taken_in(
    source: rasterio.DatasetReader, file: BandFile, part: GeoGrid, rule: Resampling, number: float
) -> NDArray[np.bool_]:
    """Pixels that a stored number, which is no value, has a share in when a file is warped."""
    out = np.zeros(part.shape, np.float32)
    own, (left, bottom, right, top) = file.grid, bounds_in(part, file.grid.epsg)
    reach = _KERNEL * max(1.0, (right - left) / part.width / own.resolution) + 1.0
    c0, c1 = (left - own.left) / own.resolution - reach, (right - own.left) / own.resolution + reach
    r0, r1 = (own.top - top) / own.resolution - reach, (own.top - bottom) / own.resolution + reach
    column, row = max(int(c0), 0), max(int(r0), 0)
    width, height = min(int(c1) + 1, own.width) - column, min(int(r1) + 1, own.height) - row
    if width > 0 and height > 0:
        window = Window(column, row, width, height)
        marked = source.read(file.index, window=window) == number
        if marked.any():
            reproject(
                marked.astype(np.float32), out, src_transform=source.window_transform(window), src_crs=source.crs,
                dst_transform=rasterio.Affine(*part.transform), dst_crs=part.crs, resampling=rule,
            )  # fmt: skip
    return np.asarray(np.abs(out) > _LEAST_SHARE)


def _can_be(number: float, dtype: str) -> bool:
    """Whether a pixel of a type can have a value."""
    if "complex" in dtype or dtype.startswith("float"):
        return True
    limits = np.iinfo(dtype)
    return bool(limits.min <= number <= limits.max)


def _has_mask(source: rasterio.DatasetReader) -> bool:
    return any(c.name == "alpha" for c in source.colorinterp)
