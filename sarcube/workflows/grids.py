"""One place, one grid, for ever: from a product that it has, else as its workflow makes it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sarcube.catalog.grids import grid_of_item
from sarcube.config import RunConfig
from sarcube.errors import CatalogError, GridError, StoreError
from sarcube.geometry.burst_grid import footprint_grid
from sarcube.geometry.grid import GeoGrid, metres_per_unit
from sarcube.products.names import item_key
from sarcube.store.protocol import Store
from sarcube.workflows.task import Ring

if TYPE_CHECKING:
    from shapely import Geometry

# Footprints of one place wander by some hundred metres from date to date. The margin covers that, and edges on
# a coarse lattice make it unlikely that two plans from different dates differ before a product settles it.
_MARGIN_M = 500.0
_LATTICE_M = 1000.0


def settled_grid(store: Store, collection: str, place: str) -> GeoGrid | None:
    """The grid of the product without time that the store has of a place, None where it has none.

    Raises
    ------
    CatalogError
        Its item is not readable JSON or states no grid.
    """
    key = item_key(collection, place, None)
    if not store.exists(key):
        return None
    try:
        item = json.loads(store.read_bytes(key))
    except StoreError:
        if not store.exists(key):
            return None
        raise
    except ValueError as error:
        raise CatalogError(f"{store.href(key)} is not JSON: {error}; delete it and run again") from error
    return grid_of_item(item, store.href(key))


def check_grid(grid: GeoGrid, config: RunConfig, place: str) -> None:
    """Raise GridError where the run file asks for another grid than the place already has."""
    crs, resolution = config.grid.crs, config.resolution
    if not math.isclose(grid.resolution, resolution) or crs not in ("auto", grid.epsg):
        raise GridError(
            f"products of {place} lie on {grid.crs} at {grid.resolution:g}, the run file asks for "
            f"{crs} at {resolution:g}: a place has one grid for ever; use another store or collection"
        )


def grid_around(config: RunConfig, footprint: Ring) -> GeoGrid:
    """The grid of a place that has no products yet, from where it lies."""
    epsg = None if config.grid.crs == "auto" else config.grid.crs
    resolution = config.resolution
    metres = 1.0 if epsg is None else metres_per_unit(epsg)
    pixels = max(1, round(_LATTICE_M / metres / resolution))
    coarse = footprint_grid(footprint, epsg, resolution * pixels, _MARGIN_M / metres)
    return GeoGrid(coarse.epsg, coarse.left, coarse.top, resolution, coarse.width * pixels, coarse.height * pixels)


def ring_of(shapes: Iterable[Geometry]) -> Ring:
    """Closed ring around shapes in degrees: the outline of their union, or its hull where it is in parts."""
    import shapely

    whole = shapely.union_all(list(shapes))
    if whole.geom_type != "Polygon":
        whole = whole.convex_hull
    return tuple((float(x), float(y)) for x, y in whole.exterior.coords)
