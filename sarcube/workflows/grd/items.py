"""What the items of GRD products say."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

import sarcube
from sarcube.catalog.extensions import PROCESSING, PRODUCT, SAR, SAT, VIEW
from sarcube.catalog.items import ItemFacts, utc_text
from sarcube.config import RunConfig
from sarcube.geometry.lattice import pixel_metres
from sarcube.jsons import JsonObject
from sarcube.products.product import Product
from sarcube.sensors.sentinel1.grd.model import GrdPass
from sarcube.workflows.sentinel1_items import plain, utc_of

_NO_CHOICE = ("engine", "engine_version", "orbit_source", "orbit_type", "dem", "scenes")


def grd_facts(
    product: Product, image: GrdPass, attrs: JsonObject, config: RunConfig, warnings: Sequence[str]
) -> ItemFacts:
    """What the item of one pass over one tile says.

    Parameters
    ----------
    product : Product
    image : GrdPass
    attrs : mapping
        `attrs` of the engine's dataset.
    config : RunConfig
    warnings : sequence of str
    """
    name, first = product.name, image.first
    angles = np.concatenate([piece.image.geolocation.incidence_angle for piece in image.pieces])
    names = [p for p in image.polarizations if any(f.layer == p for f in product.files)]
    software = {"sarcube": sarcube.__version__, "sarcube native engine": str(attrs.get("engine_version", ""))}
    versions = sorted({piece.image.ipf_version for piece in image.pieces if piece.image.ipf_version})
    if versions:
        software["Sentinel-1 IPF"] = ", ".join(versions)
    properties: dict[str, object] = {
        "title": f"{name.kind} {name.place} {name.start:%Y-%m-%d}",
        "platform": f"sentinel-1{first.platform[-1].lower()}",
        "constellation": "sentinel-1",
        "instruments": ["c-sar"],
        "product:type": name.kind,
        "sar:instrument_mode": first.mode,
        "sar:frequency_band": "C",
        "sar:center_frequency": round(first.radar_frequency / 1e9, 9),
        "sar:polarizations": names,
        "sar:observation_direction": "right",  # Sentinel-1 has looked right throughout the mission
        "sat:orbit_state": first.orbit_direction,
        "sat:absolute_orbit": first.absolute_orbit,
        "sat:relative_orbit": first.relative_orbit,
        "processing:level": "L2",
        "processing:datetime": utc_text(name.processed),
        "processing:version": name.version,
        "processing:software": software,
        "processing:lineage": _lineage(attrs, first.product_type),
        "view:incidence_angle": round(float(angles.mean()), 3),
        "sarcube:engine": "native",
        "sarcube:orbit_file": image.orbit_source,
        "sarcube:orbit_type": image.orbit_type,
        "sarcube:source_scenes": list(image.scenes),
        "sarcube:source_product_type": first.product_type,
        "sarcube:source_geometry": "ground-range",
        "sarcube:measurement_type": str(attrs["backscatter"]),
        "sarcube:measurement_convention": "linear power",
        "sarcube:measurement_conversion": "dB = 10 * log10(value)",
        "sarcube:normalization": "terrain" if attrs["correction"] == "rtc" else "ellipsoid",
        "sarcube:speckle_filter": str(attrs["speckle_filter"]),
        "sarcube:noise_removal_applied": sorted(attrs["noise_removed"]) == sorted(names),
        "sarcube:bistatic_delay_correction_applied": False,
        "sarcube:static_tropospheric_correction_applied": bool(attrs["static_troposphere"]),
        "sarcube:layover_shadow": str(attrs["layover_shadow"]),
        "sarcube:gridding_convention": "tiles of 100 km (1 degree) of the CRS; one grid per tile and track",
        "sarcube:processing": {key: plain(value) for key, value in attrs.items()},
        "sarcube:dem": str(attrs["dem"]),
    }
    if not product.grid.is_geographic:
        properties["gsd"] = pixel_metres(product.grid)
    if image.passed_over:
        properties["sarcube:scenes_passed_over"] = list(image.passed_over)
    if config.metadata.facility:
        properties["processing:facility"] = config.metadata.facility
    if said := tuple(dict.fromkeys(warnings)):
        properties["sarcube:warnings"] = list(said)
    properties |= dict(config.metadata.properties)
    return ItemFacts(
        utc_of(image.start_time), utc_of(image.end_time), properties, (SAR, SAT, PROCESSING, PRODUCT, VIEW)
    )


def file_tags(image: GrdPass, attrs: JsonObject) -> dict[str, str]:
    """What every file of a product says as GDAL metadata: sources, times, software, and each choice of the engine."""
    tags = {
        "SCENES": ", ".join(image.scenes),
        "ACQUISITION_START": utc_text(utc_of(image.start_time)),
        "ACQUISITION_END": utc_text(utc_of(image.end_time)),
        "ORBIT": image.orbit_source,
        "ORBIT_TYPE": image.orbit_type,
        "DEM": str(attrs["dem"]),
        "SOFTWARE": f"sarcube {sarcube.__version__}",
        "ENGINE": str(attrs["engine"]),
        "ENGINE_VERSION": str(attrs["engine_version"]),
    }
    for name, value in attrs.items():
        if name not in _NO_CHOICE and value is not None:
            text = plain(value)
            tags[f"PROCESSING_{name.upper()}"] = text if isinstance(text, str) else json.dumps(text)
    return {name: text for name, text in tags.items() if text}


def _lineage(attrs: JsonObject, product_type: str) -> str:
    steps = [f"Sentinel-1 {product_type}"]
    if attrs["noise_removed"]:
        steps.append("thermal noise removed")
    if attrs["correction"] == "rtc":
        steps.append("calibrated to beta0")
        last = f"terrain-flattened to {attrs['backscatter']}"
    else:
        last = f"calibrated to {attrs['backscatter']} of the ellipsoid"
    if attrs["static_troposphere"]:
        steps.append("static tropospheric delay corrected")
    steps.append(f"geocoded by area projection, {last}")
    if attrs["layover_shadow"] == "mask":
        steps.append("layover and shadow masked")
    if attrs["speckle_filter"] != "none":
        steps.append(f"speckle filtered ({attrs['speckle_filter']})")
    return "; ".join(steps)
