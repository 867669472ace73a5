"""What the items of polarimetric products say."""

from __future__ import annotations

import pystac

from sarcube.catalog.items import ItemFacts
from sarcube.jsons import JsonObject
from sarcube.products.product import Product
from sarcube.sensors.sentinel1.model import Burst
from sarcube.workflows.sentinel1_items import EXTENSIONS, ItemContext, burst_properties, source_links, utc_of

_CLOUDE_POTTIER = "https://doi.org/10.1109/36.551935"


def polarimetry_facts(product: Product, burst: Burst, attrs: JsonObject, context: ItemContext) -> ItemFacts:
    """What the item of one acquisition says; `attrs` are those of the engine's dataset."""
    smoothing = (
        "refined Lee filter" if attrs["speckle"] == "refined_lee" else f"mean of {attrs['window']} x {attrs['window']}"
    )
    noise = ["thermal noise removed from both powers"] if attrs["thermal_noise"] else []
    properties = burst_properties(product, burst, attrs, context) | {
        "sar:polarizations": [attrs["co_polarization"], attrs["cross_polarization"]],
        "s1:orbit_source": burst.orbit_type,
        "s1:product_identifier": burst.scene,
        "sarcube:source_scene": burst.scene,
        "sarcube:measurement_type": "gamma0",
        "sarcube:measurement_convention": "linear power",
        "sarcube:speckle_filter": str(attrs["speckle"]),
        "sarcube:noise_removal_applied": bool(attrs["thermal_noise"]),
        "sarcube:resampling_method": "kaiser_sinc_and_multilook",
        "processing:lineage": "; ".join(
            ["Sentinel-1 SLC burst", "calibrated", *noise, "covariance of both channels in gamma0", smoothing]
        ),
    }
    links = [*source_links(context), pystac.Link("about", _CLOUDE_POTTIER, "text/html", "Cloude and Pottier (1997)")]
    start, end = utc_of(burst.start_time), utc_of(burst.end_time)
    return ItemFacts(start, end, properties, EXTENSIONS, tuple(links), context.static)
