"""What the items of reflectance say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pystac

import sarcube
from sarcube.catalog.extensions import EO, PROCESSING, PRODUCT, SAT, VIEW
from sarcube.catalog.items import ItemFacts, utc_text
from sarcube.engines.optical.reflectance import SCALE
from sarcube.geometry.lattice import pixel_metres
from sarcube.transfer.redact import public_address

if TYPE_CHECKING:
    from sarcube.config import RunConfig
    from sarcube.products.product import Product
    from sarcube.sensors.sentinel2.model import Scene
    from sarcube.workflows.sentinel2.process import Processed
    from sarcube.workflows.sentinel2.section import Sentinel2Section


def reflectance_of(scene: Scene) -> str:
    """Of the surface or at the top of the atmosphere."""
    return "surface" if scene.level == "L2A" else "top-of-atmosphere"


def common_properties(product: Product, scene: Scene, config: RunConfig, notes: Sequence[str]) -> dict[str, object]:
    """What items of all products of one or two scenes say; the scene is the first one."""
    name = product.name
    properties: dict[str, object] = {
        "title": f"{name.kind} {name.place} {name.start:%Y-%m-%d}",
        "platform": f"sentinel-2{scene.platform[-1].lower()}",
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "product:type": name.kind,
        "grid:code": f"MGRS-{scene.tile}",
        "sat:orbit_state": scene.orbit_state,
        "sat:absolute_orbit": scene.absolute_orbit,
        "sat:relative_orbit": scene.relative_orbit,
        "processing:level": name.level,
        "processing:datetime": utc_text(name.processed),
        "processing:version": name.version,
        "processing:software": {"sarcube": sarcube.__version__},
        "sarcube:reflectance": reflectance_of(scene),
        "sarcube:source_scene": scene.name,
        "sarcube:source_baseline": scene.baseline,
        "sarcube:pixel_coordinate_convention": "upper-left",
    }
    if not product.grid.is_geographic:
        properties["gsd"] = pixel_metres(product.grid)
    if config.metadata.facility:
        properties["processing:facility"] = config.metadata.facility
    if warnings := tuple(dict.fromkeys((*scene.warnings, *notes))):
        properties["sarcube:warnings"] = list(warnings)
    return properties | dict(config.metadata.properties)


def view_properties(scene: Scene) -> dict[str, object]:
    """Directions of sun and sensor."""
    angles = scene.angles
    found = {
        "view:sun_elevation": None if angles.sun_zenith is None else 90.0 - angles.sun_zenith,
        "view:sun_azimuth": angles.sun_azimuth,
        "view:incidence_angle": angles.view_zenith,
        "view:azimuth": angles.view_azimuth,
    }
    return {key: round(value, 6) for key, value in found.items() if value is not None}


@dataclass(frozen=True)
class About:
    """What a product's pixels do not tell.

    Attributes
    ----------
    config : RunConfig
    source : str
        Address of the product that it was made of.
    rule : str
        How water was found; empty where it was not asked for.
    notes : sequence of str
    """

    config: RunConfig
    source: str
    rule: str
    notes: Sequence[str]


def ard_facts(product: Product, scene: Scene, section: Sentinel2Section, done: Processed, about: About) -> ItemFacts:
    """What the item of one tile and date says.

    Parameters
    ----------
    product : Product
    scene : Scene
    section : Sentinel2Section
    done : Processed
    about : About
    """
    config, notes = about.config, [*done.notes, *about.notes]
    radiometry = scene.radiometry
    offsets = sorted({radiometry.offset(band) for band in section.bands})
    view = view_properties(scene)  # of a damaged angle grid there is none
    properties = common_properties(product, scene, config, notes) | view
    if scene.cloud_cover is not None:
        properties["eo:cloud_cover"] = scene.cloud_cover
    properties |= {
        "sarcube:datatake": scene.datatake,
        "sarcube:boa_offset_applied": True,
        "sarcube:offset_removed": offsets[0] if len(offsets) == 1 else offsets,
        "sarcube:offset_stated": radiometry.stated,
        "sarcube:measurement_conversion": f"reflectance = number * {SCALE:g}",
        "sarcube:upsampling": section.upsampling,
        "sarcube:downsampling": section.downsampling,
        "sarcube:flag_downsampling": section.flag_downsampling,
        "sarcube:cloud_mask": section.cloud_mask,
        "sarcube:cloud_buffer": section.cloud_buffer,
        "sarcube:land_sea": section.land_sea,
        "sarcube:land_sea_rule": about.rule,
        "sarcube:masked_pixels": dict(done.counts),
        "processing:lineage": _lineage(scene, section),
    }
    links = []
    if "://" in about.source:
        links.append(
            pystac.Link("derived_from", public_address(about.source.removeprefix("stac:")), title="Source product")
        )
    extensions = (EO, *([VIEW] if view else []), SAT, PROCESSING, PRODUCT)
    return ItemFacts(scene.sensed, None, properties, extensions, tuple(links))


def _lineage(scene: Scene, section: Sentinel2Section) -> str:
    steps = [f"Sentinel-2 {scene.level} baseline {scene.baseline}", "offset removed as the product's metadata state it"]
    steps.append(f"resampled to {section.resolution:g} ({section.upsampling}, {section.downsampling})")
    if section.land_sea != "none":
        steps.append(f"{section.land_sea} removed")
    if section.cloud_mask != "none":
        steps.append(f"clouds removed by {section.cloud_mask.upper()}")
    return "; ".join(steps)


def file_tags(scene: Scene) -> dict[str, str]:
    """What every file says as GDAL metadata."""
    return {
        "SCENE": scene.name,
        "LEVEL": scene.level,
        "BASELINE": scene.baseline,
        "REFLECTANCE": reflectance_of(scene),
        "ACQUISITION_START": utc_text(scene.sensed),
        "OFFSET_REMOVED": "yes",
        "SOFTWARE": f"sarcube {sarcube.__version__}",
    }
