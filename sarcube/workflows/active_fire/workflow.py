"""Active fires of Sentinel-3 SLSTR within an area, granule by granule."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from sarcube.config import RunConfig
from sarcube.errors import ConfigError, GridError
from sarcube.geometry.grid import GeoGrid, is_geographic
from sarcube.jsons import JsonObject
from sarcube.products.kinds import Rate
from sarcube.workflows.active_fire.kinds import ACTIVE_FIRE
from sarcube.workflows.active_fire.section import ActiveFireSection
from sarcube.workflows.making import ensure_collections, update_catalogs
from sarcube.workflows.task import Ring, Task, Unit
from sarcube.workflows.workflow import Context, Found, Made

if TYPE_CHECKING:
    from sarcube.geometry.aoi import Area

_LONGEST_DEGREES = 1.0  # a coarser resolution is metres taken for degrees


class ActiveFireWorkflow:
    """What is heavy is imported where it is used."""

    name = "active_fire"
    section = ActiveFireSection
    kinds = (ACTIVE_FIRE,)

    def find(self, config: RunConfig) -> Found:
        """One product of each granule of the source that sees the area; of one measurement the best made granule."""
        from sarcube.sensors.sentinel3.search.granules import find_granules

        search = find_granules(config)
        place = place_of(config)
        units = [
            Unit(
                ACTIVE_FIRE.name, place, one.start, one.stop, (one,), one.footprint, label=one.name,
                bytes_in=one.size_bytes, versioned=True,
            )
            for one in search.found
        ]  # fmt: skip
        return Found(units, search.problems, search.explanation, warnings=search.remarks)

    def grid(self, config: RunConfig, place: str, footprint: Ring) -> GeoGrid:
        """Of the run's area, on multiples of the resolution."""
        from sarcube.workflows.active_fire.process import COARSER, MOST_PIXELS

        bounds, size = _area(config).bounds, config.section(ActiveFireSection).resolution  # on beyond 180
        epsg = 4326 if config.grid.crs == "auto" else config.grid.crs
        if is_geographic(epsg):
            if size > _LONGEST_DEGREES:
                raise GridError(f"active_fire.resolution is in degrees in EPSG:{epsg}, not {size:g}; 0.01 is 1 km")
            return GeoGrid.snapped(epsg, bounds, size).bounded(MOST_PIXELS, COARSER)
        if size < _LONGEST_DEGREES:
            raise GridError(f"active_fire.resolution is in metres in EPSG:{epsg}, not {size:g}; pixels are 1000 m")
        from rasterio.warp import transform_bounds

        placed = GeoGrid.snapped(epsg, transform_bounds("EPSG:4326", f"EPSG:{epsg}", *bounds), size)
        return placed.bounded(MOST_PIXELS, COARSER)

    def defects(self, config: RunConfig, units: Sequence[Unit], grid: GeoGrid) -> Mapping[int, str]:
        """None that is known before pixels are read."""
        return {}

    def remarks(self, config: RunConfig, units: Sequence[Unit]) -> Mapping[int, Sequence[str]]:
        """Hotspots without land cover."""
        if config.section(ActiveFireSection).land_cover is not None:
            return {}
        return dict.fromkeys(range(len(units)), ("no land cover was given: hotspots have none",))

    def rates(self, config: RunConfig) -> Mapping[str, Rate]:
        """As the kind says."""
        return {}

    def outdated(self, unit: Unit, stored: JsonObject) -> str:
        """Near real time where the source has the granule not time critical, or made anew."""
        (one,) = unit.inputs
        before = str(stored["properties"].get("sarcube:granule", ""))
        return (
            "" if before == one.name else f"was made from {before or 'an unknown granule'}; the source has {one.name}"
        )

    def prepare(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Make the collections that the run writes to; refuse missing netCDF4, land cover and logins."""
        from sarcube.transfer.sessions import check_credentials

        check_credentials(config)
        try:
            import netCDF4  # noqa: F401 - asked for before anything is fetched
        except ImportError as error:
            raise ConfigError("reading SLSTR needs netCDF4: pip install 'sarcube[netcdf]'") from error
        path = config.section(ActiveFireSection).cover_path
        if path is not None:
            from sarcube.workflows.active_fire.land_cover import covers_on

            covers_on(path, self.grid(config, place_of(config), ()))
        ensure_collections(config, kinds)

    def run(self, task: Task, context: Context) -> Made:
        """Make one product."""
        from sarcube.workflows.active_fire.run import run

        return run(task, context)

    def finish(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Bring collections and index up to date with what the run made."""
        update_catalogs(config, kinds)


def place_of(config: RunConfig) -> str:
    """The place of a run's products: its area, `area_a3f09c12`."""
    return f"area_{hashlib.sha256(_area(config).shape.normalize().wkb).hexdigest()[:8]}"


def _area(config: RunConfig) -> Area:
    from sarcube.geometry.aoi import load_aoi

    found = load_aoi(config.aoi)
    if found is None:
        raise ConfigError("`aoi`: Field required, by the workflow active_fire")
    return found


WORKFLOW = ActiveFireWorkflow()
