"""Geocoded SLCs that a store keeps, read by bands of rows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sarcube.config import RunConfig
from sarcube.errors import ProductError
from sarcube.jsons import JsonObject
from sarcube.products.names import item_key
from sarcube.sensors.sentinel1.model import Burst
from sarcube.sensors.sentinel1.search.scenes import FoundBurst
from sarcube.workflows.insar.items import CORRECTIONS
from sarcube.workflows.insar.kinds import CSLC_S1
from sarcube.workflows.insar.section import InsarSection
from sarcube.workflows.making import collection_of, store_of
from sarcube.workflows.sentinel1_items import utc_of

if TYPE_CHECKING:
    import rasterio


class Rows:
    """Samples of an open raster as an array that is read row by row, from any thread.

    Blocks of a file are as wide as the burst in all, more than GDAL's cache holds of two dates: each row of blocks is
    read once, and kept while rows are asked of it or of the next.
    """

    dtype = np.dtype(np.complex64)

    def __init__(self, data: rasterio.DatasetReader) -> None:
        self._data, self._lock = data, threading.Lock()
        self._high = int(data.block_shapes[0][0])
        self._strips: dict[int, NDArray[np.complex64]] = {}

    @property
    def shape(self) -> tuple[int, int]:
        return int(self._data.height), int(self._data.width)

    def __getitem__(self, rows: slice) -> NDArray[np.complex64]:
        first, last, _ = rows.indices(self.shape[0])
        out = np.empty((max(last - first, 0), self.shape[1]), self.dtype)
        row = first
        while row < last:
            number, at = divmod(row, self._high)
            part = self._strip(number)[at : at + last - row]
            out[row - first : row - first + len(part)] = part
            row += len(part)
        return out

    def _strip(self, number: int) -> NDArray[np.complex64]:
        from rasterio.windows import Window

        with self._lock:
            if number not in self._strips:
                top = number * self._high
                window = Window(0, top, self.shape[1], min(self._high, self.shape[0] - top))
                for old in sorted(self._strips)[:-1]:
                    del self._strips[old]
                self._strips[number] = np.asarray(self._data.read(1, window=window), self.dtype)
            return self._strips[number]


@dataclass(frozen=True)
class KeptSlcs:
    """Both dates of a pair.

    Attributes
    ----------
    samples : (Rows, Rows)
        To be read as arrays are.
    warnings : tuple of str
        What was known otherwise when they were made.
    """

    samples: tuple[Rows, Rows]
    warnings: tuple[str, ...]


@contextmanager
def kept_slcs(
    config: RunConfig, found: tuple[FoundBurst, FoundBurst], bursts: tuple[Burst, Burst], polarization: str, dem: str
) -> Iterator[KeptSlcs]:
    """The SLCs of both dates of a pair.

    Parameters
    ----------
    config : RunConfig
    found : (FoundBurst, FoundBurst)
        Both dates as the plan found them.
    bursts : (Burst, Burst)
        The same as they are opened now, with the orbits that are at hand.
    polarization : str
    dem : str
        Description of the heights that the run uses.

    Raises
    ------
    ProductError
        One is not there, cannot be read, or was made with other heights or corrections than the run asks for: phases of
        two such dates do not fit together.
    """
    import rasterio

    from sarcube.catalog.query import read_item

    store, collection = store_of(config, CSLC_S1), collection_of(config, CSLC_S1)
    with ExitStack() as stack:
        opened, said = [], list[str]()
        for one, burst in zip(found, bursts, strict=True):
            key = item_key(collection, one.burst_id, one.start_time, polarization)
            if not store.exists(key):
                raise ProductError(f"{store.href(key)} is not there; run the plan again")
            item = read_item(store, key)
            said += _made_alike(item.properties, burst, config, dem, store.href(key))
            href = item.assets[f"slc_{polarization}"].href
            path = store.gdal_path(href.removeprefix(store.url + "/"))
            try:
                stack.enter_context(rasterio.Env(**store.gdal_options()))
                opened.append(Rows(stack.enter_context(rasterio.open(path))))
            except rasterio.errors.RasterioError as error:
                raise ProductError(f"{href} cannot be read: {error}; delete its item and run again") from error
        yield KeptSlcs((opened[0], opened[1]), tuple(said))


def _made_alike(known: JsonObject, burst: Burst, config: RunConfig, dem: str, href: str) -> list[str]:
    """Refuse an SLC that does not fit to the run; say where its orbit is not the one that is at hand."""
    asked = config.section(InsarSection).corrections
    other = [
        f"{name}: {str(not getattr(asked, name)).lower()}"
        for name, key in CORRECTIONS.items()
        if bool(known.get(key)) != getattr(asked, name)
    ]
    if other:
        raise ProductError(
            f"{href} was made with {', '.join(other)}, and this run asks for the contrary: make it again "
            "(--make-existing-products), or ask for the same `insar.corrections`"
        )
    if known.get("sarcube:dem") != dem:
        raise ProductError(
            f"{href} was made with heights of {known.get('sarcube:dem')}, and this run has {dem}: make it again "
            "(--make-existing-products), or keep SLCs of other heights in another store"
        )
    orbit = known.get("sarcube:orbit_file")
    if orbit == burst.orbit_source:
        return []
    return [
        f"the kept SLC of {utc_of(burst.start_time):%Y-%m-%d} was made with the orbit {orbit}, and baselines with "
        f"{burst.orbit_source}"
    ]
