"""One burst ID, one grid, for ever: from its static layers, the burst database, or the footprint."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sarcube.config import RunConfig
from sarcube.errors import CatalogError, GridError, StoreError
from sarcube.geometry.burst_grid import footprint_grid
from sarcube.geometry.grid import GeoGrid, metres_per_unit
from sarcube.products.names import item_key
from sarcube.sensors.sentinel1.burst_database import grid_from_database
from sarcube.store.protocol import Store

# Footprints of one burst ID wander by some hundred metres from date to date. The margin covers that, and edges on
# a coarse lattice make it unlikely that two plans from different dates differ before static layers settle it.
_MARGIN_M = 500.0
_LATTICE_M = 1000.0


def grid_of_item(item: dict[str, Any], origin: str) -> GeoGrid:
    """The grid that a STAC item (as JSON) states for its assets.

    Raises
    ------
    CatalogError
        The item states none.
    """
    properties = item.get("properties", {})
    for holder in (properties, *item.get("assets", {}).values()):
        shape, transform = holder.get("proj:shape"), holder.get("proj:transform")
        code = holder.get("proj:code") or holder.get("proj:epsg") or properties.get("proj:code")
        code = code or properties.get("proj:epsg")
        if shape and transform and code:
            epsg = int(str(code).rsplit(":", 1)[-1])
            return GeoGrid(epsg, transform[2], transform[5], transform[0], int(shape[1]), int(shape[0]))
    raise CatalogError(f"{origin} states no proj:code, proj:shape and proj:transform; delete it and run again")


def static_grid(store: Store, collection: str, burst_id: str) -> GeoGrid | None:
    """The grid of the static layers that the store has for a burst ID, None where it has none.

    Raises
    ------
    CatalogError
        The static item is not readable JSON or states no grid.
    """
    key = item_key(collection, burst_id, None)
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


def check_grid(grid: GeoGrid, config: RunConfig, burst_id: str) -> None:
    """Raise GridError where the run file asks for another grid than the burst ID already has."""
    wanted = config.grid
    if not math.isclose(grid.resolution, wanted.resolution) or wanted.crs not in ("auto", grid.epsg):
        raise GridError(
            f"static layers of {burst_id} lie on {grid.crs} at {grid.resolution:g}, the run file asks for "
            f"{wanted.crs} at {wanted.resolution:g}: a burst ID has one grid for ever; use another store or collection"
        )


def burst_grid(config: RunConfig, burst_id: str, footprint: Sequence[tuple[float, float]]) -> GeoGrid:
    """The grid of a burst ID that has no static layers yet."""
    if config.grid.burst_database is not None:
        return database_grid(config, config.grid.burst_database, burst_id)
    epsg = None if config.grid.crs == "auto" else config.grid.crs
    resolution = config.grid.resolution
    metres = 1.0 if epsg is None else metres_per_unit(epsg)
    pixels = max(1, round(_LATTICE_M / metres / resolution))
    coarse = footprint_grid(footprint, epsg, resolution * pixels, _MARGIN_M / metres)
    return GeoGrid(coarse.epsg, coarse.left, coarse.top, resolution, coarse.width * pixels, coarse.height * pixels)


def database_grid(config: RunConfig, path: Path, burst_id: str) -> GeoGrid:
    """The grid that OPERA's burst database (table `burst_id_map`) gives a burst ID, at the run's resolution."""
    grid = grid_from_database(path, burst_id, config.grid.resolution)
    if config.grid.crs not in ("auto", grid.epsg):
        raise GridError(
            f"grid.burst_database has {burst_id} in {grid.crs}, grid.crs asks for {config.grid.crs}: drop one"
        )
    return grid
