"""What workflows of Sentinel-1 bursts share: units, the grid of a burst ID, opening what a task needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sarcube.catalog.grids import grid_of_item
from sarcube.config import RunConfig
from sarcube.errors import BurstNotFoundError, GridError, OrbitError, ProductError, SceneError
from sarcube.geometry.grid import GeoGrid
from sarcube.products.kinds import ProductKind
from sarcube.workflows.grids import grid_around
from sarcube.workflows.making import Result, collection_of, dem_of, store_of
from sarcube.workflows.registry import kind_of
from sarcube.workflows.task import Ring, Task, Unit

if TYPE_CHECKING:
    import numpy as np
    import pystac
    import xarray as xr
    from numpy.typing import NDArray

    from sarcube.geometry.dem import Dem
    from sarcube.sensors.sentinel1.model import Burst
    from sarcube.sensors.sentinel1.search.scenes import FoundBurst

# Layover and shadow at the burst's edge come from terrain beyond it: engines look up to five kilometres out.
_DEM_MARGIN_M = 6000.0


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

    grid = grid_from_database(path, burst_id, config.resolution)
    if config.grid.crs not in ("auto", grid.epsg):
        raise GridError(
            f"grid.burst_database has {burst_id} in {grid.crs}, grid.crs asks for {config.grid.crs}: drop one"
        )
    return grid


def open_acquisition(found: FoundBurst, config: RunConfig) -> Burst:
    """The burst that a search found, with the best orbit there is."""
    from sarcube.sensors.sentinel1.open_burst import open_burst

    return open_burst(found, config)


def of_any(task: Task, make: Callable[[FoundBurst], Result]) -> Result:
    """What is made of any one acquisition among a task's inputs: where one cannot be read, the next may."""
    from sarcube.sensors.sentinel1.search.scenes import FoundBurst

    candidates = [found for found in task.inputs if isinstance(found, FoundBurst)]
    for found in candidates[:-1]:
        try:
            return make(found)
        except (SceneError, BurstNotFoundError, OrbitError):
            continue
    return make(candidates[-1])


def dem_around(config: RunConfig, grid: GeoGrid, burst: Burst) -> Dem:
    """The run's DEM on a grid and a margin around it, held against the heights of the burst's annotation."""
    from sarcube.geometry.burst_grid import grid_lonlat_bounds
    from sarcube.geometry.grid import metres_per_unit
    from sarcube.terrain.dem import load_dem

    metres = metres_per_unit(grid.epsg)
    bounds = grid_lonlat_bounds(grid, _DEM_MARGIN_M / metres)
    known = known_heights(burst)
    return load_dem(dem_of(config), bounds, grid.resolution * metres, footprint=burst.footprint, known=known)


def known_heights(burst: Burst) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
    """Longitude, latitude (degrees) and height (m) of the points of an annotation; geocoded SLCs have none."""
    points = burst.geolocation
    return (points.longitude, points.latitude, points.height) if points.height.size else None


def static_layers(
    task: Task, config: RunConfig, kind: str, layers: tuple[str, ...]
) -> tuple[pystac.Item, xr.Dataset, GeoGrid]:
    """Item, layers and grid of the product without time that a task needs.

    The grid is that of the layers in the store, whatever the plan expected: two runs that began with different
    dates may have expected different ones, and only one of them made the layers.

    Raises
    ------
    ProductError
        It is not there.
    GridError
        Its files lie on another grid than its item says.
    """
    from sarcube.catalog.query import find_static_item
    from sarcube.products.product import read_layers

    of = kind_of(config, kind)
    store, collection = store_of(config, of), collection_of(config, of)
    item = find_static_item(store, collection, task.place)
    if item is None:
        raise ProductError(f"{store.url}/{collection} has no static layers of {task.place}; run the plan again")
    grid = grid_of_item(item.to_dict(transform_hrefs=False), item.id)
    static = read_layers(store, item, layers)
    if static.attrs["grid"] != grid:
        raise GridError(f"static layers of {task.place}: the files lie on another grid than {item.id} says")
    return item, static, grid
