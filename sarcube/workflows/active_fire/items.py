"""What the items of active fires say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pystac

import sarcube
from sarcube.catalog.extensions import PROCESSING, PRODUCT, SAT
from sarcube.catalog.items import ItemFacts, utc_text
from sarcube.geometry.lattice import pixel_metres
from sarcube.transfer.redact import public_address

if TYPE_CHECKING:
    from sarcube.config import RunConfig
    from sarcube.products.product import Product
    from sarcube.sensors.sentinel3.granule import Granule
    from sarcube.workflows.active_fire.process import Fires
    from sarcube.workflows.active_fire.section import ActiveFireSection

# Within what time granules of Sentinel-3 are delivered (STAC's product extension 1.0, Timeliness).
_TIMELINESS = {"NR": "PT3H", "ST": "PT48H", "NT": "P1M"}


def facts_of(
    product: Product, granule: Granule, fires: Fires, section: ActiveFireSection, config: RunConfig, source: str
) -> ItemFacts:
    """What the item of one granule and area says.

    Parameters
    ----------
    product : Product
    granule : Granule
    fires : Fires
    section : ActiveFireSection
    config : RunConfig
    source : str
        Where the granule came from.
    """
    name, seen = product.name, granule.name
    table = fires.hotspots
    properties: dict[str, object] = {
        "title": f"{name.kind} {name.place} {name.start:%Y-%m-%d %H:%M}",
        "platform": f"sentinel-3{seen.platform[-1].lower()}",
        "constellation": "sentinel-3",
        "instruments": ["slstr"],
        "product:type": name.kind,
        "product:timeliness": _TIMELINESS[seen.timeliness],
        "product:timeliness_category": seen.timeliness,
        "sat:relative_orbit": seen.relative_orbit,
        "processing:level": name.level,
        "processing:datetime": utc_text(name.processed),
        "processing:version": name.version,
        "processing:software": {"sarcube": sarcube.__version__},
        "processing:lineage": f"SLSTR level 1B of collection {seen.collection}; fires by the method {section.method}",
        "sarcube:hotspots": len(table),
        "sarcube:frp": round(float(table["FRP"].sum()), 3),
        "sarcube:method": section.method,
        "sarcube:timeliness": seen.timeliness,
        "sarcube:granule": seen.text,
        "sarcube:granule_created": utc_text(seen.created),
        "sarcube:land_cover": str(section.cover_path.name) if section.cover_path else "none",
        "sarcube:rgb": list(section.rgb),
        "sarcube:warnings": list(fires.remarks),
        "sarcube:pixel_coordinate_convention": "upper-left",
    }
    if not product.grid.is_geographic:
        properties["gsd"] = pixel_metres(product.grid)
    if config.metadata.facility:
        properties["processing:facility"] = config.metadata.facility
    links = []
    if "://" in source:
        links.append(pystac.Link("derived_from", public_address(source), title="Source product"))
    properties |= dict(config.metadata.properties)
    return ItemFacts(seen.start, seen.stop, properties, (SAT, PROCESSING, PRODUCT), tuple(links))


def file_tags(granule: Granule) -> dict[str, str]:
    """What every file says as GDAL metadata."""
    return {
        "GRANULE": granule.name.text,
        "ACQUISITION_START": utc_text(granule.name.start),
        "SOFTWARE": f"sarcube {sarcube.__version__}",
    }
