"""Open rasters, kept for the next read of the same thread.

Opening a COG costs a fifth of reading a chunk from it, so each thread keeps the files that it read last. GDAL
keeps decoded blocks for as long as a file is open: that cache is held small while we read, or it would hold the
stack. A local file is looked at before it is used again, since a product may have been made anew in its place.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

import rasterio
from rasterio.errors import RasterioIOError
from rasterio.io import DatasetReader  # what rasterio.open makes, at half its price
from rasterio.session import AWSSession, DummySession

from sarcube.transfer.aws import asked_unsigned, boto3_session, gdal_server, unsaid
from sarcube.transfer.raster import REMOTE_OPTIONS, gdal_path

# Files kept by each thread. Not more: GDAL holds about 2 MB for each open GeoTIFF, so a stack's would add up.
_KEPT = 4
# Bytes of decoded blocks that GDAL keeps (rasterio takes bytes where GDAL's own option takes megabytes). Windows that
# cut blocks read them once, which is a fifth to two fifths of their cost; more slows down whole reads.
_BLOCK_CACHE = 32 << 20
# The same while a large file is written. GDAL's own is a twentieth of the machine's memory.
WRITE_CACHE = 128 << 20
# Stores hold GeoTIFFs. Other formats name further files and hosts (a VRT any file of the machine), which a store
# of somebody else's must not have read.
_DRIVER = "GTiff"
_thread = threading.local()


def gdal_options(remote: bool) -> dict[str, str | int]:
    """GDAL settings of every read: no listing of folders; ranges fetched together, time-outs and retries."""
    options: dict[str, str | int] = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_CACHEMAX": _BLOCK_CACHE}
    if not remote:
        return options
    return unsaid(options | REMOTE_OPTIONS | {"GDAL_INGESTED_BYTES_AT_OPEN": "32768"} | gdal_server())


def gdal_env(remote: bool) -> rasterio.Env:
    """What files are opened and read in.

    rasterio by itself makes a new session of boto3 for every environment and every file where there are keys: 8 ms
    each. GDAL takes keys from the environment itself, and for what else boto3 knows (profiles, SSO) one session is
    enough.
    """
    session = None
    if remote and not asked_unsigned() and not os.environ.get("AWS_ACCESS_KEY_ID"):
        session = boto3_session(os.environ.get("AWS_PROFILE"))
    return rasterio.Env(AWSSession(session) if session else DummySession(), **gdal_options(remote))


@contextmanager
def open_raster(href: str) -> Iterator[DatasetReader]:
    """A rasterio dataset of a file, for this thread only; within `gdal_env`.

    Raises
    ------
    rasterio.errors.RasterioIOError
        The file is not there or not a raster.
    """
    if "://" in href.removeprefix("file://") or href.startswith("/vsi"):
        # GDAL keeps the headers of remote files itself.
        with DatasetReader(gdal_path(href), driver=_DRIVER, sharing=False) as dataset:
            yield dataset
        return
    path = gdal_path(href)
    kept: OrderedDict[str, tuple[tuple[int, int, int], DatasetReader]] = _thread.__dict__.setdefault(
        "kept", OrderedDict()
    )
    try:
        status = os.stat(path)  # noqa: PTH116 - on every read, and Path costs as much as the call
    except (OSError, ValueError) as error:  # the latter of names that no file can have
        if path in kept:
            kept.pop(path)[1].close()
        raise RasterioIOError(f"{path!r}: {getattr(error, 'strerror', error)}") from error
    identity = (status.st_ino, status.st_mtime_ns, status.st_size)
    entry = kept.pop(path, None)
    if entry is not None and entry[0] != identity:
        entry[1].close()
        entry = None
    dataset = entry[1] if entry is not None else DatasetReader(path, driver=_DRIVER, sharing=False)
    try:
        yield dataset
    except BaseException:  # raised again below: whatever ended the read, an interrupt too, no open file stays behind
        dataset.close()
        raise
    kept[path] = (identity, dataset)
    if len(kept) > _KEPT:
        kept.popitem(last=False)[1][1].close()
