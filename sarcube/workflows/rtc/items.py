"""What the items of RTC products say beyond what all products of a burst do."""

from __future__ import annotations

import pystac

from sarcube.catalog.extensions import CEOS_ARD
from sarcube.catalog.items import ItemFacts, utc_text
from sarcube.jsons import JsonObject
from sarcube.products.product import Product
from sarcube.sensors.sentinel1.model import Burst
from sarcube.workflows.sentinel1_facts import noise_equivalent_sigma0
from sarcube.workflows.sentinel1_items import (
    EXTENSIONS,
    ItemContext,
    burst_properties,
    noise_removed,
    source_links,
    utc_of,
)

CEOS_NRB = "https://ceos.org/ard/files/PFS/NRB/v5.5/CARD4L-PFS_NRB_v5.5.pdf"
CEOS_NRB_VERSION = "5.5"
_ALGORITHM = "https://doi.org/10.1109/TGRS.2022.3147472"  # Shiroma et al. 2022, area projection


def rtc_facts(product: Product, burst: Burst, attrs: JsonObject, context: ItemContext | None = None) -> ItemFacts:
    """What the item of one acquisition's backscatter says.

    Parameters
    ----------
    product : Product
    burst : Burst
    attrs : mapping
        `attrs` of the engine's dataset.
    context : ItemContext
    """
    context = context or ItemContext()
    properties = burst_properties(product, burst, attrs, context)
    extensions: tuple[str, ...] = EXTENSIONS
    links = _links(attrs, context)
    measurement = str(attrs.get("backscatter", "gamma0"))
    denoised = noise_removed(burst, attrs)
    properties |= {
        "sar:polarizations": [p for p in burst.polarizations if any(f.layer == p for f in product.files)],
        "s1:orbit_source": burst.orbit_type,
        "s1:product_identifier": burst.scene,
        "sarcube:source_scene": burst.scene,
        "sarcube:measurement_type": measurement,
        "sarcube:measurement_convention": "linear power",
        "sarcube:measurement_conversion": "dB = 10 * log10(value)",
        "sarcube:speckle_filter": "none",
        "sarcube:noise_removal_applied": denoised,
        "sarcube:bistatic_delay_correction_applied": _applied(attrs, "bistatic_delay"),
        "sarcube:static_tropospheric_correction_applied": _applied(attrs, "static_troposphere"),
        "sarcube:wet_tropospheric_correction_applied": False,
        "sarcube:ionospheric_correction_applied": False,
        "processing:lineage": _lineage({**attrs, "thermal_noise": denoised}, measurement),
    }
    noise = {
        name: nesz for name, channel in burst.channels.items() if (nesz := noise_equivalent_sigma0(burst, channel))
    }
    if noise:
        properties["sarcube:noise_equivalent_sigma0_db"] = noise
    if measurement == "gamma0":
        # Only terrain-flattened gamma0 is Normalised Radar Backscatter.
        extensions = (*extensions, CEOS_ARD)
        properties |= {
            "sar:product_type": "NRB",
            "ceosard:type": "radar",
            "ceosard:specification": "NRB",
            "ceosard:specification_version": CEOS_NRB_VERSION,
        }
        links.append(pystac.Link("ceos-ard-specification", CEOS_NRB, "application/pdf", "CEOS-ARD NRB 5.5"))
    return ItemFacts(
        utc_of(burst.start_time),
        utc_of(burst.end_time),
        properties,
        extensions,
        tuple(links),
        context.static,
        "Static layers of the burst",
    )


def static_facts(product: Product, burst: Burst, attrs: JsonObject, context: ItemContext | None = None) -> ItemFacts:
    """Of a burst ID's static layers; the item's `datetime` is that of the acquisition whose geometry was used."""
    context = context or ItemContext()
    properties = burst_properties(product, burst, attrs, context)
    properties |= {
        "s1:orbit_source": burst.orbit_type,
        "sarcube:geometry_scene": burst.scene,
        "sarcube:valid_from": utc_text(product.name.start),
    }
    return ItemFacts(utc_of(burst.start_time), None, properties, EXTENSIONS, tuple(_links(attrs, context)))


def _applied(attrs: JsonObject, name: str) -> bool:
    return bool(attrs.get(name, False))


def _lineage(attrs: JsonObject, measurement: str) -> str:
    """The way from the source to the product, as the engine recorded it."""
    steps = [
        ("thermal_noise", "thermal noise removed"),
        ("absolute_calibration", "calibrated to beta0"),
        ("bistatic_delay", "bistatic delay corrected"),
        ("static_troposphere", "static tropospheric delay corrected"),
        ("shadow_masking", "radar shadow masked"),
    ]
    done = [text for name, text in steps if _applied(attrs, name)]
    geocoding = str(attrs.get("geocoding", "area_projection")).replace("_", " ")
    last = "terrain-flattened to gamma0" if measurement == "gamma0" else f"as {measurement}"
    return "; ".join(["Sentinel-1 IW SLC burst", *done, f"geocoded by {geocoding}, {last}"])


def _links(attrs: JsonObject, context: ItemContext) -> list[pystac.Link]:
    links = source_links(context)
    if attrs.get("geocoding", "area_projection") == "area_projection":
        links.append(pystac.Link("rtc-algorithm", _ALGORITHM, "text/html", "Shiroma et al. (2022)"))
    return links
