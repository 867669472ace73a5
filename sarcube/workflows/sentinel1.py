"""What workflows of Sentinel-1 bursts share: from found bursts to units, and the grid of a burst ID."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sarcube.config import RunConfig
from sarcube.errors import GridError
from sarcube.geometry.grid import GeoGrid
from sarcube.products.kinds import ProductKind
from sarcube.workflows.grids import grid_around
from sarcube.workflows.task import Ring, Unit

if TYPE_CHECKING:
    from sarcube.sensors.sentinel1.search.scenes import FoundBurst


def narrowed_source(config: RunConfig) -> RunConfig:
    """The run with its places as burst IDs, which a search asks for."""
    source = config.source
    if source.places is None:
        return config
    ids = source.places if source.burst_ids is None else tuple(b for b in source.burst_ids if b in source.places)
    return config.model_copy(update={"source": source.model_copy(update={"burst_ids": ids})})


def burst_unit(kind: ProductKind, found: FoundBurst) -> Unit:
    """The unit of one acquisition; of a kind without time, a candidate for its burst ID's one product."""
    return Unit(
        kind.name,
        found.burst_id,
        found.start_time if kind.timed else None,
        found.end_time if kind.timed else None,
        (found,),
        found.footprint,
        label=found.scene,
        bytes_in=found.size_bytes if kind.timed else 0,
        versioned=kind.timed,
    )


def burst_grid(config: RunConfig, burst_id: str, footprint: Ring) -> GeoGrid:
    """The grid of a burst ID that has no products yet."""
    if config.grid.burst_database is not None:
        return database_grid(config, config.grid.burst_database, burst_id)
    return grid_around(config, footprint)


def database_grid(config: RunConfig, path: Path, burst_id: str) -> GeoGrid:
    """The grid that OPERA's burst database (table `burst_id_map`) gives a burst ID, at the run's resolution."""
    from sarcube.sensors.sentinel1.burst_database import grid_from_database

    grid = grid_from_database(path, burst_id, config.grid.resolution)
    if config.grid.crs not in ("auto", grid.epsg):
        raise GridError(
            f"grid.burst_database has {burst_id} in {grid.crs}, grid.crs asks for {config.grid.crs}: drop one"
        )
    return grid
