"""What the items of merged pairs say, and those of a pass's line of sight."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pystac

import sarcube
from sarcube.catalog.extensions import INSAR
from sarcube.catalog.items import ItemFacts, utc_text
from sarcube.config import RunConfig
from sarcube.instants import utc_time
from sarcube.jsons import JsonObject
from sarcube.products.product import Product
from sarcube.sensors.sentinel1.model import Burst
from sarcube.workflows.insar.passes import absent_between
from sarcube.workflows.sentinel1_items import EXTENSIONS, ItemContext, burst_properties, utc_of

if TYPE_CHECKING:
    from sarcube.engines.insar.merge import Alignment
    from sarcube.engines.insar.whole import Whole, WholeOptions

# Of one burst, and not of a pass; or told anew.
_OF_A_BURST = (
    "created", "datetime", "start_datetime", "end_datetime", "sarcube:burst_id", "sarcube:warnings",
    "sarcube:kind", "sarcube:place", "sarcube:timed", "sarcube:processing", "sarcube:source_scenes",
    "sarcube:gridding_convention",
)  # fmt: skip
_OF_A_PRODUCT = ("proj:", "raster:", "storage:")


@dataclass(frozen=True, eq=False)
class PassContext:
    """What a merged pair was made of.

    Attributes
    ----------
    items : sequence of Item
        Of its bursts, in the order of their IDs.
    alignment : Alignment
    options : WholeOptions
    whole : Whole
    water : str
        Where the mask of water is from.
    absent : sequence of str
        Bursts that should be there.
    warnings : tuple of str
    """

    items: Sequence[pystac.Item]
    alignment: Alignment
    options: WholeOptions
    whole: Whole
    water: str
    absent: Sequence[str]
    warnings: tuple[str, ...]

    @property
    def filter(self) -> str:
        """The filter in words."""
        alpha = self.options.alpha
        if alpha == 0.0:
            return "none"
        return "Baran et al. 2003, one minus coherence" if alpha is None else f"Goldstein and Werner 1998, {alpha:g}"


def static_facts(product: Product, burst: Burst, attrs: JsonObject, context: ItemContext) -> ItemFacts:
    """Of a pass's line of sight; the item's `datetime` is that of the acquisition whose orbit was used."""
    properties = burst_properties(product, burst, {"geocoding": "none", **attrs}, context)
    for name in ("sarcube:burst_id", "sar:beam_ids", "sarcube:gridding_convention"):
        properties.pop(name, None)
    properties |= {
        "s1:orbit_source": burst.orbit_type,
        "sarcube:geometry_scene": burst.scene,
        "sarcube:geometry_burst": burst.burst_id,
        "sarcube:valid_from": utc_text(product.name.start),
    }
    return ItemFacts(utc_of(burst.start_time), None, properties, EXTENSIONS)


def pass_facts(product: Product, about: PassContext, static: pystac.Item, config: RunConfig) -> ItemFacts:
    """Of a merged pair: what is one thing for all bursts is that of the middle one, baselines among it."""
    items = about.items
    told = [item.properties for item in items]
    middle = told[len(told) // 2]
    first, second = (min(str(p[key]) for p in told) for key in ("insar:reference_datetime", "insar:secondary_datetime"))
    properties: dict[str, object] = {
        key: value for key, value in middle.items()
        if key not in _OF_A_BURST and not key.startswith(_OF_A_PRODUCT)
    }  # fmt: skip
    made = product.name
    properties |= {
        "title": f"{made.kind} {made.place} {first[:10]} {second[:10]}",
        "product:type": made.kind,
        "sar:beam_ids": sorted({beam for p in told for beam in p["sar:beam_ids"]}),
        "insar:reference_datetime": first,
        "insar:secondary_datetime": second,
        "processing:datetime": utc_text(made.processed),
        "processing:version": made.version,
        "processing:software": {**middle.get("processing:software", {}), "sarcube": sarcube.__version__},
        "processing:lineage": _lineage(about),
        "sarcube:burst_ids": [str(p["sarcube:burst_id"]) for p in told],
        "sarcube:baselines_of": str(middle["sarcube:burst_id"]),
        "sarcube:gaps": len({*about.absent, *absent_between(str(p["sarcube:burst_id"]) for p in told)}),
        "sarcube:bursts": [
            {
                "burst_id": p["sarcube:burst_id"],
                "item": item.id,
                "phase_taken_off": round(constant, 5),
                "sources": p.get("sarcube:source_scenes", []),
            }
            for item, p, constant in zip(items, told, about.alignment.constants, strict=True)
        ],
        "sarcube:source_scenes": _distinct(p.get("sarcube:source_scenes", ()) for p in told),
        "sarcube:overlaps": len(about.alignment.seams),
        "sarcube:overlaps_residual_rad": round(about.alignment.left, 5),
        "sarcube:phase_filter": about.filter,
        "sarcube:unwrapped_by": about.options.method or "none",
        "sarcube:unwrapping_looks": round(about.whole.looks, 2),
        "sarcube:water": about.water,
        "sarcube:water_left_out": about.options.leave_out_water,
        "sarcube:gridding_convention": "edges at multiples of the pixel spacing; one grid per set of bursts",
    }
    if about.whole.components is not None:
        properties["sarcube:components"] = int(about.whole.components.max(initial=0))
    if about.options.method == "snaphu":
        from sarcube.engines.insar.unwrap import NOT_COMMERCIAL

        properties["sarcube:unwrapping_licence"] = NOT_COMMERCIAL
    if about.warnings:
        properties["sarcube:warnings"] = list(about.warnings)
    properties |= dict(config.metadata.properties)
    start = min(utc_time(str(p["start_datetime"])) for p in told)
    end = max(utc_time(str(p["end_datetime"])) for p in told)
    return ItemFacts(start, end, properties, (*EXTENSIONS, INSAR), (), static)


def pass_tags(about: PassContext) -> dict[str, str]:
    """What every file of a merged pair says as GDAL metadata."""
    told = [item.properties for item in about.items]
    return {
        "BURST_IDS": ", ".join(str(p["sarcube:burst_id"]) for p in told),
        "ACQUISITION_START": min(str(p["insar:reference_datetime"]) for p in told),
        "SECONDARY_START": min(str(p["insar:secondary_datetime"]) for p in told),
        "PHASE": "first times conjugate of second",
        "FILTER": about.filter,
        "UNWRAPPED_BY": about.options.method or "none",
        "WATER": about.water,
        "SOFTWARE": f"sarcube {sarcube.__version__}",
    }


def _lineage(about: PassContext) -> str:
    steps = ["interferograms of bursts, their overlaps brought to one phase, their sums merged"]
    if about.options.leave_out_water and about.water != "not told":
        steps.append("water left out")
    if about.filter != "none":
        steps.append(f"phase filtered ({about.filter})")
    if about.options.method:
        steps.append(f"unwrapped once by {about.options.method}; cycles of the filtered phase on the unfiltered one")
    return "; ".join(steps)


def _distinct(lists: Iterable[Iterable[object]]) -> list[object]:
    out: list[object] = []
    for value in (value for values in lists for value in values):
        if value not in out:
            out.append(value)
    return out
