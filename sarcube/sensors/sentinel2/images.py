"""Pixels of bands and classes, as numbers in the file: whole or a window, from folders and zips in place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import GridError, SceneError
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel2.bands import BANDS
from sarcube.sensors.sentinel2.model import RESOLUTIONS, Scene
from sarcube.sensors.sentinel2.scene import open_files
from sarcube.sensors.sentinel2.stac_item import PREFIX, item_path
from sarcube.transfer.raster import REMOTE_OPTIONS
from sarcube.transfer.redact import redact

_NATIVE = {"SCL": 20, "AOT": 10, "WVP": 10, "TCI": 10}
_MASK_LAYERS = 8  # of the quality masks


def native_resolution(scene: Scene, name: str) -> int:
    """The pixel size at which a band or class image is best read: its native one, else the finest coarser one there is.

    Raises
    ------
    SceneError
        The product has it at none of these.
    """
    native = BANDS[name].resolution if name in BANDS else _NATIVE[name]
    for resolution in RESOLUTIONS:
        if resolution >= native and (name, resolution) in scene.images:
            return resolution
    there = sorted({band for band, _ in scene.images})
    why = ""
    if name == "B10" and scene.level == "L2A":
        why = " (L2A has no cirrus band; take it from the L1C)"
    if name == "SCL" and scene.level == "L1C":
        why = " (L1C has no classes; take the L2A)"
    raise SceneError(f"{scene.path}: has no {name}{why}; it has {', '.join(there)}")


def read_image(scene: Scene, name: str, resolution: int, window: GeoGrid | None = None) -> NDArray[np.unsignedinteger]:
    """Numbers of a band or of classes.

    Parameters
    ----------
    scene : Scene
    name : str
        "B04", "SCL", "AOT", "WVP".
    resolution : int
        One that the product has of it (`native_resolution`).
    window : GeoGrid, optional
        A part of the tile, on its pixels; the whole tile else. Only the JPEG 2000 tiles it touches are decoded.

    Returns
    -------
    (rows, columns) array, uint16 or uint8 as stored.

    Raises
    ------
    SceneError
        The image is absent, damaged, or not of the size that the metadata state.
    GridError
        The window is not on the pixels of the image or not within it.
    """
    values: NDArray[np.unsignedinteger] = _read(
        scene, scene.images[name, resolution], scene.grid(resolution), window, 1
    )[0]
    return values


def read_mask(scene: Scene, key: str, resolution: int, window: GeoGrid | None = None) -> NDArray[np.unsignedinteger]:
    """Numbers of a JPEG 2000 mask, shape (layers, rows, columns); parameters and errors as of `read_image`."""
    return _read(scene, scene.masks[key], scene.grid(resolution), window, _MASK_LAYERS)


def _read(scene: Scene, member: str, grid: GeoGrid, window: GeoGrid | None, most: int) -> NDArray[np.unsignedinteger]:
    import rasterio
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError
    from rasterio.windows import Window

    remote = scene.path.startswith(PREFIX)
    where = f"{redact(scene.path)}: {member.partition('?')[0].rpartition('/')[2]}"
    part = None if window is None else Window(*_offsets(grid, window, where), window.width, window.height)
    path = item_path(member) if remote else open_files(scene.path).gdal_path(member)
    driver = "GTiff" if remote and member.partition("?")[0].lower().endswith((".tif", ".tiff")) else "JP2OpenJPEG"
    settings = REMOTE_OPTIONS if remote else {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}
    try:
        with rasterio.Env(**settings), rasterio.open(path, driver=driver) as data:
            if (data.height, data.width) != grid.shape:
                raise SceneError(
                    f"{where} has {data.height} x {data.width} pixels where the metadata state {grid.height} x "
                    f"{grid.width}; the file is damaged, fetch it again"
                )
            if not 1 <= data.count <= most or any(t not in ("uint8", "uint16") for t in data.dtypes):
                raise SceneError(f"{where} has {data.count} layers of {data.dtypes[0]}; the file is damaged")
            values: NDArray[np.unsignedinteger] = data.read(window=part)
    except (RasterioError, CPLE_BaseError, MemoryError) as error:
        if remote:  # its address may be signed
            raise SceneError(f"{where} cannot be read: {redact(str(error))}; try again later") from None
        raise SceneError(f"{where} cannot be decoded: {error}; the file is damaged, fetch it again") from error
    return values


def _offsets(grid: GeoGrid, window: GeoGrid, where: str) -> tuple[int, int]:
    column, row = (window.left - grid.left) / grid.resolution, (grid.top - window.top) / grid.resolution
    whole = round(column) == column and round(row) == row
    if window.epsg != grid.epsg or window.resolution != grid.resolution or not whole:
        raise GridError(f"{where}: the window is not on the pixels of the image")
    inside = 0 <= column <= grid.width - window.width and 0 <= row <= grid.height - window.height
    if not inside:
        raise GridError(f"{where}: the window reaches beyond the image")
    return int(column), int(row)


def window_around(grid: GeoGrid, target: GeoGrid, reach: int) -> GeoGrid | None:
    """The part of `grid` that `target` (in the same CRS) covers, and `reach` pixels more; None where it covers none."""
    size = grid.resolution
    first_column = int(np.floor((target.left - grid.left) / size)) - reach
    last_column = int(np.ceil((target.right - grid.left) / size)) + reach
    first_row = int(np.floor((grid.top - target.top) / size)) - reach
    last_row = int(np.ceil((grid.top - target.bottom) / size)) + reach
    if target.left >= grid.right or target.right <= grid.left or target.top <= grid.bottom or target.bottom >= grid.top:
        return None
    column, row = max(first_column, 0), max(first_row, 0)
    width, height = min(last_column, grid.width) - column, min(last_row, grid.height) - row
    return GeoGrid(grid.epsg, grid.left + column * size, grid.top - row * size, size, width, height)
