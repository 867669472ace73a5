"""What the cube knows of a product: small frozen values, made from STAC items."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from functools import lru_cache

import numpy as np
import pystac
from pyproj import CRS
from pyproj.exceptions import CRSError

from sarcube.catalog.grids import grid_of_fields
from sarcube.cube.layers import layer_name
from sarcube.cube.pairs.fields import CHANNELS, PERPENDICULAR, SECOND, wavelength_of
from sarcube.errors import CatalogError, CubeError, ProductError
from sarcube.geometry.grid import GeoGrid
from sarcube.instants import utc_ns
from sarcube.products.names import ProductName
from sarcube.raster_facts import AS_STORED, Numbers, numbers_of

# Field of an asset that lies where its store must not lead (see `found`).
ELSEWHERE = "sarcube:elsewhere"
# How items of version 0.1 and of other makers name the place, before there was a word for it.
_PLACE_KEYS = ("sar:burst_id", "s1:burst_id", "sarcube:burst_id", "sarard:burst_id", "sar:relative_burst")
_OLD_NAME = re.compile(r"[Tt](\d{3})[-_](\d{6})[-_]([IiEe][Ww]\d)")


@dataclass(frozen=True, slots=True)
class LayerFile:
    """One raster file of a product.

    Attributes
    ----------
    href : str
        Path or address, as the item gives it, absolute.
    grid : GeoGrid
    numbers : Numbers
        What stored numbers mean, as the item says; what the file itself says counts first.
    """

    href: str
    grid: GeoGrid
    numbers: Numbers = AS_STORED


@dataclass(frozen=True, slots=True)
class Acquisition:
    """One product: of a place and a time, or of a place alone.

    Attributes
    ----------
    id : str
        Item id.
    place : str
        As `t070_149815_iw3`; the item id where the item tells none.
    start, end : numpy.datetime64
        UTC, nanoseconds.
    platform, orbit_direction : str
        As `sentinel-1a`, `ascending`; empty where unknown.
    relative_orbit : int
        0 where unknown.
    static : bool
        True for what has no time.
    files : mapping of str to LayerFile
        By layer name.
    second : numpy.datetime64, optional
        Start of a pair's second date.
    perpendicular_baseline : float
        Of a pair, metres; NaN of what is none, or does not tell.
    channel : str
        Polarization of a pair, whose layers are not called by it.
    wavelength : float
        Of the radar, metres; NaN where the item does not tell.
    until : numpy.datetime64, optional
        Of a date, beside whose layers those of a pair are laid: the pair's second date.
    """

    id: str
    place: str
    start: np.datetime64
    end: np.datetime64
    platform: str
    orbit_direction: str
    relative_orbit: int
    static: bool
    files: Mapping[str, LayerFile] = field(hash=False)
    second: np.datetime64 | None = None
    perpendicular_baseline: float = field(default=float("nan"), compare=False)
    channel: str = ""
    wavelength: float = field(default=float("nan"), compare=False)
    until: np.datetime64 | None = None

    @property
    def grid(self) -> GeoGrid:
        """Grid of the product; one place has one grid for all its layers."""
        return next(iter(self.files.values())).grid


def place_in(text: str) -> str:
    """The place that an address of version 0.1 or of another maker carries, as `t070_149815_iw3`; else empty."""
    match = _OLD_NAME.search(text)
    return f"t{match[1]}_{match[2]}_{match[3].lower()}" if match else ""


def place_of_item(item: pystac.Item) -> str:
    """The place of an item, by its properties or else its id; the id itself where neither tells one."""
    if told := item.properties.get("sarcube:place"):
        return str(told)
    for key in _PLACE_KEYS:
        if key in item.properties and (place := place_in(str(item.properties[key]))):
            return place
    return place_in(item.id) or item.id


def kind_of_item(item: pystac.Item) -> str:
    """The kind of an item's product, by its properties or else its id; empty where neither tells one."""
    name = _name(item.id)
    return str(item.properties.get("sarcube:kind") or (name.kind if name else ""))


@lru_cache(maxsize=100_000)
def _name(item_id: str) -> ProductName | None:
    try:
        return ProductName.parse(item_id)
    except ProductError:
        return None


def as_time(value: str | dt.datetime | np.datetime64 | None) -> np.datetime64:
    """A UTC instant as datetime64[ns] from a STAC text, a datetime or a datetime64."""
    if isinstance(value, np.datetime64):
        instant: np.datetime64 = value.astype("datetime64[ns]")
        return instant
    if isinstance(value, str):
        return utc_ns(value)
    if value is None:
        raise CubeError("an item tells no time: it has neither datetime nor start_datetime")
    moment = value
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(moment, "ns")


def is_static(item: pystac.Item) -> bool:
    """True for an item of what has no time."""
    told = item.properties.get("sarcube:timed")
    if isinstance(told, bool):
        return not told
    if str(item.properties.get("product:type", "")).endswith("_STATIC"):
        return True
    name = _name(item.id)
    return name is not None and not name.timed


def from_item(item: pystac.Item, wanted: frozenset[str]) -> Acquisition:
    """Read one item; only the `wanted` layers are looked at.

    Raises
    ------
    CubeError
        The item has no CRS, an asset has no shape and transform or lies elsewhere, or the item is damaged.
    """
    try:
        return _read(item, wanted)
    except CubeError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise CubeError(f"item {item.id} is damaged ({type(error).__name__}: {error}); make it again") from error


def _read(item: pystac.Item, wanted: frozenset[str]) -> Acquisition:
    properties = item.properties
    files: dict[str, LayerFile] = {}
    for key, asset in item.assets.items():
        name = layer_name(key)
        if name in wanted:
            if ELSEWHERE in asset.extra_fields:
                where = _public(asset.href)
                raise CubeError(
                    f"asset {key} of item {item.id} lies outside of its store, at {where}; if you trust the store, "
                    "allow it with elsewhere= (--elsewhere): that folder or address, or static_store= for static layers"
                )
            told = numbers_of(asset.extra_fields, properties)
            files[name] = LayerFile(_absolute(asset), _asset_grid(item, key, asset), told)
    start = as_time(properties.get("start_datetime") or item.datetime)
    place = place_of_item(item)
    orbit = properties.get("sat:relative_orbit")
    if not isinstance(orbit, int):
        orbit = int(place[1:4]) if _OLD_NAME.match(place) else 0
    second = properties.get(SECOND)
    return Acquisition(
        id=item.id,
        place=place,
        start=start,
        end=as_time(properties.get("end_datetime") or start),
        platform=str(properties.get("platform", "")).lower(),
        orbit_direction=str(properties.get("sat:orbit_state", "")).lower(),
        relative_orbit=orbit,
        static=is_static(item),
        files=files,
        second=None if second is None else as_time(second),
        perpendicular_baseline=float(properties.get(PERPENDICULAR, "nan")),
        channel="" if second is None else ",".join(properties.get(CHANNELS, ())),
        wavelength=wavelength_of(properties),
    )


def _public(href: str) -> str:
    # Without who reads it and with what signature.
    scheme, mark, rest = href.partition("?")[0].rpartition("://")
    host, slash, path = rest.partition("/")
    return scheme + mark + host.rpartition("@")[2] + slash + path if mark else rest


def _absolute(asset: pystac.Asset) -> str:
    # pystac looks through the item's links each time, which is most of the time of opening many items.
    href = asset.href
    return href if href.startswith("/") or "://" in href else asset.get_absolute_href() or href


def layer_keys(keys: Iterable[str]) -> set[str]:
    """Names of the layers that keys of assets stand for."""
    return {layer_name(key) for key in keys}


def _asset_grid(item: pystac.Item, key: str, asset: pystac.Asset) -> GeoGrid:
    origin = f"asset {key} of item {item.id}"
    try:
        grid = grid_of_fields(asset.extra_fields, item.properties, origin)
    except CatalogError as error:
        raise CubeError(str(error)) from error
    if grid is None:
        raise CubeError(
            f"{origin} does not tell its grid; the item needs proj:epsg (or proj:code), proj:shape and proj:transform"
        )
    if not _is_crs(grid.epsg):
        raise CubeError(f"{origin} names a CRS that is none (EPSG:{grid.epsg})")
    return grid


@lru_cache(maxsize=1024)
def _is_crs(code: int) -> bool:
    try:
        crs = CRS.from_epsg(code)
    except (CRSError, OverflowError):
        return False
    return bool(crs.is_projected or crs.is_geographic)
