"""Rasters as GDAL sees them: addresses, opening with typed errors, settings for reading over a network."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sarcube.errors import DemError
from sarcube.transfer.redact import redact

if TYPE_CHECKING:
    import rasterio
    from affine import Affine

# How GDAL reads over a network, whoever asks it to: never list a remote folder, merge neighbouring ranges, and retry
# what may pass.
REMOTE_OPTIONS: dict[str, str] = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_MULTIRANGE": "YES",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_MAX_RETRY": "5",
    "GDAL_HTTP_RETRY_DELAY": "0.5",
    "GDAL_HTTP_CONNECTTIMEOUT": "15",
    "GDAL_HTTP_TIMEOUT": "120",
}


def gdal_path(path: str) -> str:
    """The address in GDAL's form: `s3://` becomes /vsis3/, `https://` becomes /vsicurl/; paths stay."""
    if path.startswith("s3://"):
        return "/vsis3/" + path[5:]
    if path.startswith(("https://", "http://")):
        return "/vsicurl/" + path
    return path.removeprefix("file://")


def is_remote(path: str) -> bool:
    """Whether reading the path needs the network."""
    return "://" in path or path.startswith(("/vsis3/", "/vsicurl/"))


def _placed(transform: Affine) -> bool:
    """Whether pixels have a place and a size that can be reckoned with; a damaged file may state any numbers."""
    return all(abs(value) < 1e12 for value in transform[:6]) and abs(transform.determinant) > 1e-18


@contextlib.contextmanager
def open_raster(path: str, *, what: str = "DEM") -> Iterator[rasterio.DatasetReader]:
    """Open a raster for reading; any failure, now or while reading within the block, is a DemError."""
    import rasterio
    from rasterio._err import CPLE_BaseError  # rasterio.warp lets GDAL's own errors through
    from rasterio.errors import CRSError, RasterioError

    settings = {**REMOTE_OPTIONS, "VSI_CACHE": "TRUE"} if is_remote(path) else {}
    if path.startswith("/vsis3/"):
        from sarcube.transfer.aws import gdal_options

        settings |= gdal_options(path.split("/")[2])
    shown = redact(path.removeprefix("/vsicurl/"))
    try:
        with rasterio.Env(**settings), rasterio.open(path) as source:
            if source.count < 1:
                raise DemError(f"{what} {shown} has no raster band")
            if not _placed(source.transform):
                raise DemError(
                    f"{what} {shown} lies nowhere: its geotransform is {source.transform[:6]}; check the file"
                )
            yield source
    except (RasterioError, CRSError, CPLE_BaseError) as error:
        reason = redact(str(error).replace(path, shown))
        # Without its cause where that would quote the address, which may be signed.
        cause = None if is_remote(path) else error
        raise DemError(f"{what} {shown} cannot be read: {reason}; check the path and the file") from cause
