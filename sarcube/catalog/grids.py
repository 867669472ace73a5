"""From what an item says to the grid that its rasters lie on: the one place that reads it."""

from __future__ import annotations

from typing import Any

from sarcube.errors import CatalogError
from sarcube.geometry.grid import GeoGrid
from sarcube.jsons import JsonObject


def grid_of_item(item: JsonObject, origin: str) -> GeoGrid:
    """The grid that a STAC item (as JSON) states for itself, or for the first of its assets that states one.

    Raises
    ------
    CatalogError
        The item states none.
    """
    properties = item.get("properties", {})
    for fields in ({}, *item.get("assets", {}).values()):
        grid = grid_of_fields(fields, properties, origin)
        if grid is not None:
            return grid
    raise CatalogError(f"{origin} states no proj:code, proj:shape and proj:transform; delete it and run again")


def grid_of_fields(fields: JsonObject, common: JsonObject, origin: str) -> GeoGrid | None:
    """The grid that an asset's own fields state, each missing one taken from the item; None where one is missing.

    Raises
    ------
    CatalogError
        It is none, or not north-up with square pixels.
    """

    def said(name: str) -> Any:
        value = fields.get(name)
        return common.get(name) if value is None else value

    code = said("proj:epsg")
    if code is None:
        text = str(said("proj:code") or "")
        code = text.removeprefix("EPSG:") if text.startswith("EPSG:") else None
    shape, transform = said("proj:shape"), said("proj:transform")
    if code is None or shape is None or transform is None:
        return None
    a, b, left, d, e, top = transform[:6]
    if b or d or e >= 0 or abs(a + e) > 1e-9 * a:
        raise CatalogError(
            f"{origin} is not north-up with square pixels (proj:transform {transform}); reproject it first"
        )
    if not all(isinstance(v, int | float) and abs(v) < 1e12 for v in (a, left, top, *shape)):
        raise CatalogError(f"{origin} tells a grid that is none (proj:transform, proj:shape)")
    return GeoGrid(int(str(code)[:20]), left, top, a, int(shape[1]), int(shape[0]))
