"""What the cube knows of a product: small frozen values, made from STAC items."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from functools import lru_cache
from typing import Any

import numpy as np
import pystac
from pyproj import CRS
from pyproj.exceptions import CRSError

from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid
from sarcube.instants import utc_ns
from sarcube.workflows.rtc.kinds import LAYERS

# Names under which other makers of the same layers publish them (Geoscience Australia, Planetary Computer).
_ALIASES = {
    **{p.lower(): p for p in ("VV", "VH", "HH", "HV")},
    **{f"{p.lower()}_gamma0": p for p in ("VV", "VH", "HH", "HV")},
    "gamma0_to_beta0_ratio": "rtc_anf_gamma0_to_beta0",
    "gamma0_to_sigma0_ratio": "rtc_anf_gamma0_to_sigma0",
    "oa_layover_shadow_mask": "mask",
    "interpolated_dem": "digital_elevation_model",
    **{f"oa_{n}": n for n in ("number_of_looks", "incidence_angle", "local_incidence_angle")},
    "oa_gamma0_to_beta0_ratio": "rtc_anf_gamma0_to_beta0",
    "oa_gamma0_to_sigma0_ratio": "rtc_anf_gamma0_to_sigma0",
}
# Field of an asset that lies where its store must not lead (see `found`).
ELSEWHERE = "sarcube:elsewhere"
_BURST_KEYS = ("sar:burst_id", "s1:burst_id", "sarcube:burst_id", "sarard:burst_id", "sar:relative_burst")
_BURST_IN_NAME = re.compile(r"[Tt](\d{3})[-_](\d{6})[-_]([IiEe][Ww]\d)")


@dataclass(frozen=True, slots=True)
class LayerFile:
    """One raster file of a product.

    Attributes
    ----------
    href : str
        Path or address, as the item gives it, absolute.
    grid : GeoGrid
    """

    href: str
    grid: GeoGrid


@dataclass(frozen=True, slots=True)
class Acquisition:
    """One product: a burst on one date, or a burst's static layers.

    Attributes
    ----------
    id : str
        Item id.
    burst_id : str
        As `t070_149815_iw3`; the item id where the item tells no burst.
    start, end : numpy.datetime64
        UTC, nanoseconds.
    platform, orbit_direction : str
        As `sentinel-1a`, `ascending`; empty where unknown.
    relative_orbit : int
        0 where unknown.
    static : bool
        True for static layers.
    files : mapping of str to LayerFile
        By layer name.
    """

    id: str
    burst_id: str
    start: np.datetime64
    end: np.datetime64
    platform: str
    orbit_direction: str
    relative_orbit: int
    static: bool
    files: Mapping[str, LayerFile] = field(hash=False)

    @property
    def grid(self) -> GeoGrid:
        """Grid of the product; one burst ID has one grid for all its layers."""
        return next(iter(self.files.values())).grid


def burst_id_of(text: str) -> str:
    """Burst ID as `t070_149815_iw3` out of any text that carries one, else an empty string."""
    match = _BURST_IN_NAME.search(text)
    return f"t{match[1]}_{match[2]}_{match[3].lower()}" if match else ""


def burst_id_of_item(item: pystac.Item) -> str:
    """Burst ID of an item, by its properties or else its id; the id itself where neither tells one."""
    for key in _BURST_KEYS:
        if key in item.properties and (burst := burst_id_of(str(item.properties[key]))):
            return burst
    return burst_id_of(item.id) or item.id


def as_time(value: Any) -> np.datetime64:
    """A UTC instant as datetime64[ns] from a STAC text, a datetime or a datetime64."""
    if isinstance(value, np.datetime64):
        instant: np.datetime64 = value.astype("datetime64[ns]")
        return instant
    if isinstance(value, str):
        return utc_ns(value)
    moment = value
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(moment, "ns")


def is_static(item: pystac.Item) -> bool:
    """True for an item of static layers."""
    return item.properties.get("product:type") == "RTC_S1_STATIC" or "RTC-S1-STATIC" in item.id


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
        name = key if key in LAYERS else _ALIASES.get(key, key)
        if name in wanted:
            if ELSEWHERE in asset.extra_fields:
                place = _public(asset.href)
                raise CubeError(
                    f"asset {key} of item {item.id} lies outside of its store, at {place}; if you trust the store, "
                    "allow it with elsewhere= (--elsewhere): that folder or address, or static_store= for static layers"
                )
            files[name] = LayerFile(_absolute(asset), _asset_grid(item, key, asset))
    start = as_time(properties.get("start_datetime") or item.datetime)
    burst = burst_id_of_item(item)
    orbit = properties.get("sat:relative_orbit")
    if not isinstance(orbit, int):
        orbit = int(burst[1:4]) if _BURST_IN_NAME.match(burst) else 0
    return Acquisition(
        id=item.id,
        burst_id=burst,
        start=start,
        end=as_time(properties.get("end_datetime") or start),
        platform=str(properties.get("platform", "")).lower(),
        orbit_direction=str(properties.get("sat:orbit_state", "")).lower(),
        relative_orbit=orbit,
        static=is_static(item),
        files=files,
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


def layers_of(items: Iterable[pystac.Item]) -> set[str]:
    """Names of all known layers among the items' assets."""
    keys: set[str] = set()
    for item in items:
        keys.update(item.assets)
    return {name for key in keys if (name := key if key in LAYERS else _ALIASES.get(key, "")) in LAYERS}


def _asset_grid(item: pystac.Item, key: str, asset: pystac.Asset) -> GeoGrid:
    fields, common = asset.extra_fields, item.properties
    code = _first(fields, common, "proj:epsg")
    if code is None:
        text = str(_first(fields, common, "proj:code") or "")
        code = text.removeprefix("EPSG:") if text.startswith("EPSG:") else None
    shape = _first(fields, common, "proj:shape")
    transform = _first(fields, common, "proj:transform")
    if code is None or shape is None or transform is None:
        raise CubeError(
            f"asset {key} of item {item.id} does not tell its grid; the item needs proj:epsg (or proj:code), "
            "proj:shape and proj:transform"
        )
    a, b, left, d, e, top = transform[:6]
    if b or d or e >= 0 or abs(a + e) > 1e-9 * a:
        raise CubeError(
            f"asset {key} of item {item.id} is not north-up with square pixels (proj:transform {transform}); "
            "reproject it first"
        )
    if not all(isinstance(v, int | float) and abs(v) < 1e12 for v in (a, left, top, *shape)):
        raise CubeError(f"asset {key} of item {item.id} tells a grid that is none (proj:transform, proj:shape)")
    if not _is_crs(int(code)):
        raise CubeError(f"asset {key} of item {item.id} names a CRS that is none (EPSG:{str(code)[:20]})")
    return GeoGrid(int(code), left, top, a, int(shape[1]), int(shape[0]))


@lru_cache(maxsize=1024)
def _is_crs(code: int) -> bool:
    try:
        crs = CRS.from_epsg(code)
    except (CRSError, OverflowError):
        return False
    return bool(crs.is_projected or crs.is_geographic)


def _first(fields: Mapping[str, Any], common: Mapping[str, Any], name: str) -> Any:
    value = fields.get(name)
    return common.get(name) if value is None else value
