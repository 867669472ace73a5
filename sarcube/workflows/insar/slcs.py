"""Geocoded SLCs that a store keeps, read by bands of rows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sarcube.config import RunConfig
from sarcube.errors import ProductError
from sarcube.products.names import item_key
from sarcube.sensors.sentinel1.search.scenes import FoundBurst
from sarcube.workflows.insar.kinds import CSLC_S1
from sarcube.workflows.making import collection_of, store_of


class Rows:
    """Samples of an open raster as an array that is read row by row, from any thread."""

    dtype = np.dtype(np.complex64)

    def __init__(self, data: Any) -> None:
        self._data, self._lock = data, threading.Lock()

    @property
    def shape(self) -> tuple[int, int]:
        return int(self._data.height), int(self._data.width)

    def __getitem__(self, rows: slice) -> NDArray[np.complex64]:
        from rasterio.windows import Window

        first, last, _ = rows.indices(self.shape[0])
        with self._lock:
            return np.asarray(self._data.read(1, window=Window(0, first, self.shape[1], last - first)), np.complex64)


@contextmanager
def kept_slcs(config: RunConfig, pair: tuple[FoundBurst, FoundBurst], polarization: str) -> Iterator[tuple[Any, Any]]:
    """The SLCs of both dates of a pair.

    Raises
    ------
    ProductError
        One is not there, or cannot be read.
    """
    import rasterio

    from sarcube.catalog.query import read_item

    store, collection = store_of(config, CSLC_S1), collection_of(config, CSLC_S1)
    with ExitStack() as stack:
        opened = []
        for found in pair:
            key = item_key(collection, found.burst_id, found.start_time, polarization)
            if not store.exists(key):
                raise ProductError(f"{store.href(key)} is not there; run the plan again")
            href = read_item(store, key).assets[f"slc_{polarization}"].href
            path = store.gdal_path(href.removeprefix(store.url + "/"))
            try:
                stack.enter_context(rasterio.Env(**store.gdal_options()))
                opened.append(Rows(stack.enter_context(rasterio.open(path))))
            except rasterio.errors.RasterioError as error:
                raise ProductError(f"{href} cannot be read: {error}; delete its item and run again") from error
        yield opened[0], opened[1]
