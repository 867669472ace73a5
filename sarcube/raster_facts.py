"""What a STAC asset says of its raster, whichever version of STAC and of the raster extension it says it in.

STAC 1.0 has `raster:bands` (raster 1.x), STAC 1.1 `bands` (raster 2.0) or the same fields at the asset itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from sarcube.jsons import JsonObject

_LISTS = ("raster:bands", "bands")
_COMMON = ("data_type", "nodata", "unit")  # which STAC 1.1 knows without a prefix
_WORDS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class Numbers(NamedTuple):
    """What stored numbers mean: value = stored * scale + offset, and which of them is none (None: not told)."""

    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None


AS_STORED = Numbers()


def raster_facts(asset: Mapping[str, object]) -> JsonObject:
    """Fields of the raster extension without their prefix: what the first band says counts before the asset's own."""
    own = {k: v for k, v in asset.items() if k in _COMMON}
    own |= {k.removeprefix("raster:"): v for k, v in asset.items() if k.startswith("raster:") and k not in _LISTS}
    return own | {str(k).removeprefix("raster:"): v for k, v in _first_band(asset).items()}


def band_count(asset: Mapping[str, object]) -> int:
    """How many bands an asset tells of; 1 where it does not tell."""
    return max((len(bands) for key in _LISTS if isinstance(bands := asset.get(key), list)), default=1) or 1


def numbers_of(asset: Mapping[str, object], properties: Mapping[str, object]) -> Numbers:
    """What an asset's numbers mean, as it says (a file may say so itself, which then counts)."""
    band = _first_band(asset)

    def said(name: str) -> object:
        return band.get(name, band.get(f"raster:{name}", asset.get(f"raster:{name}")))

    scale, offset = _number(said("scale")), _number(said("offset"))
    if offset and offset_removed(properties):
        offset = 0.0
    nodata = band.get("nodata", asset.get("nodata"))
    none = _WORDS.get(nodata.lower()) if isinstance(nodata, str) else _number(nodata)
    return Numbers(scale or 1.0, offset or 0.0, none)


def offset_removed(properties: Mapping[str, object]) -> bool:
    """Whether the provider says that it has taken the offset off, which its assets may state all the same."""
    return properties.get("earthsearch:boa_offset_applied") is True


def _first_band(asset: Mapping[str, object]) -> Mapping[str, object]:
    for key in _LISTS:
        bands = asset.get(key)
        if isinstance(bands, list) and bands and isinstance(bands[0], dict):
            return bands[0]
    return {}


def _number(value: object) -> float | None:
    plain = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if plain and isinstance(value, int | float) else None
