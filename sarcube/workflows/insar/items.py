"""What the items of pairs and of their static layers say beyond what all products of a burst do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pystac

from sarcube.catalog.extensions import INSAR
from sarcube.catalog.items import ItemFacts, utc_text
from sarcube.jsons import JsonObject
from sarcube.products.product import Product
from sarcube.sensors.sentinel1.model import Burst
from sarcube.transfer.redact import public_address
from sarcube.workflows.sentinel1_facts import incidence_angles, radar_image
from sarcube.workflows.sentinel1_items import (
    EXTENSIONS,
    ItemContext,
    burst_properties,
    file_tags,
    source_links,
    utc_of,
)

if TYPE_CHECKING:
    from sarcube.engines.insar.timing import Timing

_RESAMPLING = "geocoded SLCs, eight samples each way weighted for the burst's own spectrum"
CORRECTIONS = {
    "bistatic_delay": "sarcube:bistatic_delay_correction_applied",
    "static_troposphere": "sarcube:static_tropospheric_correction_applied",
    "fm_rate_mismatch": "sarcube:fm_rate_mismatch_correction_applied",
}


def static_facts(product: Product, burst: Burst, attrs: JsonObject, context: ItemContext) -> ItemFacts:
    """Of what a burst ID has for ever; the item's `datetime` is that of the acquisition whose geometry was used."""
    properties = burst_properties(product, burst, {"geocoding": "none", **attrs}, context)
    properties |= {
        "s1:orbit_source": burst.orbit_type,
        "sarcube:geometry_scene": burst.scene,
        "sarcube:valid_from": utc_text(product.name.start),
    }
    return ItemFacts(utc_of(burst.start_time), None, properties, EXTENSIONS, tuple(source_links(context)))


def slc_facts(
    product: Product, burst: Burst, attrs: JsonObject, context: ItemContext, static: pystac.Item
) -> ItemFacts:
    """Of a geocoded SLC; `static` is linked, not carried: its layers have larger pixels."""
    properties = burst_properties(product, burst, {**attrs, "geocoding": _RESAMPLING}, context)
    properties |= {
        "sar:polarizations": list(burst.polarizations),
        "sar:product_type": "SLC",
        "s1:orbit_source": burst.orbit_type,
        "sarcube:radar_image": radar_image(burst),
        "sarcube:source_scene": burst.scene,
        "sarcube:static_layers": static.id,
    } | {key: bool(attrs.get(name)) for name, key in CORRECTIONS.items()}
    start, end = utc_of(burst.start_time), utc_of(burst.end_time)
    return ItemFacts(start, end, properties, EXTENSIONS, tuple(source_links(context)))


def pair_facts(
    product: Product,
    pair: tuple[Burst, Burst],
    attrs: JsonObject,
    timing: Timing | None,
    hrefs: tuple[str, str],
    context: ItemContext,
) -> ItemFacts:
    """Of a pair; what is said of one acquisition alone (platform, orbit) is that of the first date.

    Parameters
    ----------
    product : Product
    pair : (first, second)
    attrs : mapping
        `attrs` of the engine's dataset.
    timing : Timing, optional
        Azimuth timing that was found and taken off.
    hrefs : (str, str)
        Addresses of both scenes, for `derived_from` links; a path of this machine makes none.
    context : ItemContext
    """
    first, second = pair
    perpendicular = float(attrs["perpendicular_baseline"])
    properties = burst_properties(product, first, {"geocoding": _RESAMPLING, **attrs}, context)
    flattened_over = str(attrs.get("source_dem") or context.dem)
    properties |= {
        "title": f"{product.name.kind} {product.name.place} {utc_of(first.start_time):%Y-%m-%d} "
        f"{utc_of(second.start_time):%Y-%m-%d}",
        "sar:polarizations": [str(attrs["polarization"])],
        "sar:product_type": "INSAR",
        "s1:orbit_source": first.orbit_type,
        "insar:perpendicular_baseline": round(perpendicular, 2),
        "insar:temporal_baseline": round(float(attrs["temporal_baseline_days"]), 4),
        "insar:reference_datetime": utc_text(utc_of(first.start_time)),
        "insar:secondary_datetime": utc_text(utc_of(second.start_time)),
        "insar:processing_dem": flattened_over,
        "insar:geocoding_dem": flattened_over,
        "sarcube:parallel_baseline": round(float(attrs["parallel_baseline"]), 2),
        "sarcube:range_common_band": round(float(attrs["range_common_band"]), 4),
        "sarcube:azimuth_common_band": round(float(attrs["azimuth_common_band"]), 4),
        "sarcube:secondary_platform": f"sentinel-1{second.platform[-1].lower()}",
        "sarcube:secondary_absolute_orbit": second.absolute_orbit,
        "sarcube:secondary_orbit_file": second.orbit_source,
        "sarcube:secondary_orbit_type": second.orbit_type,
        "sarcube:source_scenes": [
            {"scene": b.scene, "processed": b.source_processed, "ipf": b.ipf_version} for b in pair
        ],
        "sarcube:radar_image": radar_image(first),
        "sarcube:phase_convention": "first times conjugate of second; positive: away from the sensor on the second",
        "sarcube:coherence_estimator": "debiased (Touzi et al. 1999)" if attrs.get("debias") else "sample coherence",
        "sarcube:azimuth_timing": _timing(timing),
        "processing:lineage": _lineage(attrs, timing),
    } | {key: bool(attrs.get(name)) for name, key in CORRECTIONS.items()}
    if "source_products" in attrs:
        properties |= {"sarcube:source_product_type": "CSLC", "sarcube:source_geometry": "map"}
    if abs(perpendicular) > 0.1:
        radar = first.radar
        middle = 0.5 * (radar.first_sample_range + radar.last_sample_range)
        sine = math.sin(math.radians(incidence_angles(first)[1]))
        # Hanssen 2001, Radar Interferometry, section 2.4.
        properties["insar:height_of_ambiguity"] = round(radar.wavelength * middle * sine / (2 * perpendicular), 2)
    links = source_links(context)
    for title, href in zip(("First date's scene", "Second date's scene"), hrefs, strict=True):
        if "://" in href:
            links.append(pystac.Link("derived_from", public_address(href), title=title))
    start, end = utc_of(first.start_time), utc_of(second.end_time)
    return ItemFacts(start, end, properties, (*EXTENSIONS, INSAR), tuple(links), context.static)


def pair_tags(pair: tuple[Burst, Burst], attrs: JsonObject, dem: str) -> dict[str, str]:
    """What every file of a pair says as GDAL metadata."""
    first, second = pair
    return file_tags(first, attrs, dem) | {
        "SECONDARY_SCENE": second.scene,
        "SECONDARY_START": utc_text(utc_of(second.start_time)),
        "SECONDARY_ORBIT": second.orbit_source,
        "PHASE": "first times conjugate of second",
    }


def _timing(timing: Timing | None) -> dict[str, object]:
    """What was found of the azimuth timing; its constants between sub-swaths are told and not taken off."""
    if timing is None:
        return {"applied": False}
    return {
        "applied": True,
        "method": "enhanced spectral diversity",
        "shift_s": timing.shift,
        "shift_lines": round(timing.lines, 6),
        "deviation_s": timing.deviation,
        "ambiguity_s": timing.ambiguity,
        "residual_rad": round(timing.residual, 4),
        "overlaps": timing.overlaps,
    }


def _lineage(attrs: JsonObject, timing: Timing | None) -> str:
    made = "each geocoded with its own orbit and flattened by its geometric range"
    steps = [
        f"two geocoded SLCs of a Sentinel-1 burst ({attrs['source_products']}), {made}"
        if "source_products" in attrs
        else f"two Sentinel-1 IW SLC bursts, {made}"
    ]
    if timing is not None:
        steps.append("azimuth timing found where bursts overlap and taken off")
    steps.append("multiplied and averaged over each pixel, not filtered")
    if attrs.get("debias"):
        steps.append("coherence debiased")
    return "; ".join(steps)
