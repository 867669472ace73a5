"""What the items of all products of Sentinel-1 bursts say."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pystac

import sarcube
from sarcube.catalog.extensions import PROCESSING, PRODUCT, SAR, SAT, SENTINEL1, VIEW
from sarcube.catalog.items import utc_text
from sarcube.geometry.lattice import pixel_metres
from sarcube.instants import utc_time
from sarcube.jsons import JsonObject
from sarcube.products.product import Product
from sarcube.sensors.sentinel1.model import Burst
from sarcube.transfer.redact import public_address
from sarcube.workflows.sentinel1_facts import (
    azimuth_spacing,
    heading_and_altitude,
    incidence_angles,
    source_resolution,
    state_vectors,
)

EXTENSIONS = (SAR, SAT, SENTINEL1, PROCESSING, PRODUCT, VIEW)
# UN registry of space objects.
_DESIGNATORS = {"S1A": "2014-016A", "S1B": "2016-025A"}
# Of what an engine records, what files say in words of their own, or what changes no pixel.
_NO_CHOICE = ("engine", "engine_version", "orbit_source", "orbit_type", "dem", "threads", "grid")


@dataclass(frozen=True)
class ItemContext:
    """What the maker of a product knows and neither the burst nor the engine tells.

    Attributes
    ----------
    dem : str
        What the DEM is and where it came from (`Dem.description`).
    source_href : str, optional
        Address of the source scene, for a `derived_from` link; a path of this machine makes none.
    dem_href : str, optional
        Address of the DEM.
    facility : str, optional
        Who processed.
    software : mapping of str to str
        Further software and versions.
    static : Item, optional
        The static product's item (absolute hrefs), as `query.find_items` gives it.
    properties : mapping
        Further properties, such as an accuracy that the operator has estimated.
    warnings : tuple of str
        What users of the product should know, the burst's own among them.
    """

    dem: str = ""
    source_href: str | None = None
    dem_href: str | None = None
    facility: str | None = None
    software: Mapping[str, str] = field(default_factory=dict)
    static: pystac.Item | None = None
    properties: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def burst_properties(product: Product, burst: Burst, attrs: JsonObject, context: ItemContext) -> dict[str, object]:
    """What is known of a burst, its orbit and what was done with it; `attrs` are those of the engine's dataset."""
    name = product.name
    engine = str(attrs.get("engine", "native"))
    software = {"sarcube": sarcube.__version__, **context.software}
    if burst.ipf_version:  # unknown where a scene has lost its manifest
        software["Sentinel-1 IPF"] = burst.ipf_version
    if version := attrs.get("engine_version"):
        software[f"sarcube {engine} engine" if engine == "native" else engine] = str(version)
    near, centre, far = incidence_angles(burst)
    heading, altitude = heading_and_altitude(burst)
    properties: dict[str, object] = {
        "title": f"{name.kind} {name.place} {name.start:%Y-%m-%d}",
        "platform": f"sentinel-1{burst.platform[-1].lower()}",
        "constellation": "sentinel-1",
        "instruments": ["c-sar"],
        "product:type": name.kind,
        "sar:instrument_mode": burst.mode,
        "sar:frequency_band": "C",
        "sar:center_frequency": round(burst.radar_frequency / 1e9, 9),
        "sar:observation_direction": "right",  # Sentinel-1 has looked right throughout the mission
        "sar:beam_ids": [burst.swath],
        "sat:orbit_state": burst.orbit_direction,
        "sat:absolute_orbit": burst.absolute_orbit,
        "sat:relative_orbit": burst.relative_orbit,
        "processing:level": "L2",
        "processing:datetime": utc_text(name.processed),
        "processing:version": name.version,
        "processing:software": software,
        "sarcube:burst_id": burst.burst_id,
        "sarcube:engine": engine,
        "sarcube:orbit_file": burst.orbit_source,
        "sarcube:orbit_type": burst.orbit_type,
        "sarcube:orbit_mean_altitude": altitude,
        "sarcube:platform_heading": heading,
        "view:incidence_angle": centre,
        "sarcube:incidence_angle_near": near,
        "sarcube:incidence_angle_far": far,
        "sarcube:source_product_type": "SLC",
        "sarcube:source_geometry": "slant-range",
        "sarcube:source_looks_range": 1,  # an SLC is single-look
        "sarcube:source_looks_azimuth": 1,
        "sarcube:source_pixel_spacing_range": round(burst.radar.sample_spacing, 6),
        "sarcube:resampling_method": str(attrs.get("geocoding", "area_projection")),
        "sarcube:pixel_coordinate_convention": "upper-left",
        "sarcube:gridding_convention": "edges at multiples of the pixel spacing; one grid per burst ID",
        "sarcube:processing": {key: plain(value) for key, value in attrs.items()},
    }
    properties |= _node_time(burst)
    if not product.grid.is_geographic:
        properties["gsd"] = pixel_metres(product.grid)
    if burst.platform in _DESIGNATORS:
        properties["sat:platform_international_designator"] = _DESIGNATORS[burst.platform]
    if vectors := state_vectors(burst):
        properties["sat:orbit_state_vectors"] = vectors
    if spacing := azimuth_spacing(burst):
        properties["sarcube:source_pixel_spacing_azimuth"] = spacing
    if resolution := source_resolution(burst):
        properties["sarcube:source_resolution_range"], properties["sarcube:source_resolution_azimuth"] = resolution
    if context.dem:
        properties["sarcube:dem"] = context.dem
    if burst.source_facility:
        properties["sarcube:source_processing_facility"] = burst.source_facility
    if made := _moment(burst.source_processed):
        properties["sarcube:source_processing_datetime"] = utc_text(made)
    if context.facility:
        properties["processing:facility"] = context.facility
    if warnings := tuple(dict.fromkeys((*burst.warnings, *context.warnings))):
        properties["sarcube:warnings"] = list(warnings)
    return properties | dict(context.properties)


def _node_time(burst: Burst) -> dict[str, str]:
    """When it passed the ascending node, which a geocoded SLC does not tell."""
    if not np.isfinite(burst.anx_time):
        return {}
    time = burst.orbit.epoch + np.timedelta64(round(burst.anx_time * 1e9), "ns")
    return {"sat:anx_datetime": utc_text(utc_of(time))}


def source_links(context: ItemContext) -> list[pystac.Link]:
    """Links of an item to its scene and its DEM, where these have addresses."""
    links = []
    if context.source_href and "://" in context.source_href:
        # A path of this machine would lead nowhere once the store is elsewhere; the scene's name stays true.
        links.append(pystac.Link("derived_from", public_address(context.source_href), title="Source scene"))
    if context.dem_href:
        links.append(pystac.Link("dem-source", public_address(context.dem_href), title="Digital elevation model"))
    return links


def noise_removed(burst: Burst, attrs: JsonObject) -> bool:
    """Whether thermal noise was taken off: asked for is not done, a scene may lack noise annotation."""
    return bool(attrs.get("thermal_noise", False)) and all(c.noise is not None for c in burst.channels.values())


def engine_warnings(attrs: JsonObject) -> tuple[str, ...]:
    """What an engine had to leave out, in words."""
    said = []
    if voids := attrs.get("void_dem_pixels", 0):
        said.append(f"the DEM is void at {voids} pixels: there and nearby nothing was made")
    if lines := attrs.get("empty_lines", 0):
        said.append(f"{lines} lines of the burst hold no echo: nothing was made of them")
    return tuple(said)


def file_tags(burst: Burst, attrs: JsonObject, dem: str) -> dict[str, str]:
    """What every file of a product says as GDAL metadata: source, times, software, and each choice of the engine.

    Parameters
    ----------
    burst : Burst
    attrs : mapping
        `attrs` of the engine's dataset.
    dem : str
        What the DEM is.
    """
    tags = {
        "BURST_ID": burst.burst_id,
        "SCENE": burst.scene,
        "ACQUISITION_START": utc_text(utc_of(burst.start_time)),
        "ACQUISITION_END": utc_text(utc_of(burst.end_time)),
        "ORBIT": burst.orbit_source,
        "ORBIT_TYPE": burst.orbit_type,
        "DEM": dem,
        "SOFTWARE": f"sarcube {sarcube.__version__}",
        "ENGINE": str(attrs.get("engine", "")),
        "ENGINE_VERSION": str(attrs.get("engine_version", "")),
    }
    for name, value in attrs.items():
        if name not in _NO_CHOICE and value is not None:
            text = plain(value)
            tags[f"PROCESSING_{name.upper()}"] = text if isinstance(text, str) else json.dumps(text)
    return {name: text for name, text in tags.items() if text}


def plain(value: object) -> object:
    """A value as JSON has it: numpy numbers as Python's, not-finite numbers as null."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(inner) for inner in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value if value is None else str(value)


def _moment(text: str) -> dt.datetime | None:
    try:
        return utc_time(text)
    except ValueError:
        return None


def utc_of(time: np.datetime64) -> dt.datetime:
    """A time of an annotation as the items have it."""
    seconds: dt.datetime = time.astype("datetime64[us]").item()
    return seconds.replace(tzinfo=dt.UTC)
