"""Interferograms and coherence of Sentinel-1 bursts and passes, each on the grid that its place has for ever."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sarcube.config import RunConfig
from sarcube.geometry.grid import GeoGrid
from sarcube.jsons import JsonObject
from sarcube.products.kinds import Rate
from sarcube.workflows.insar.kinds import CSLC_S1, INSAR_S1, INSAR_S1_PASS, INSAR_S1_PASS_STATIC, INSAR_S1_STATIC
from sarcube.workflows.insar.section import InsarSection
from sarcube.workflows.making import ensure_collections, update_catalogs
from sarcube.workflows.task import Ring, Task, Unit
from sarcube.workflows.workflow import Context, Found, Made


class InsarWorkflow:
    """Pairs of acquisitions of one burst ID, and of passes."""

    name = "insar"
    section = InsarSection
    kinds = (INSAR_S1, CSLC_S1, INSAR_S1_STATIC, INSAR_S1_PASS, INSAR_S1_PASS_STATIC)

    def find(self, config: RunConfig) -> Found:
        """The pairs of the source's bursts within the run's area and dates."""
        from sarcube.sensors.sentinel1.orbits import local_index
        from sarcube.workflows.insar.find import find

        if config.orbits.path is not None:
            local_index(config.orbits.path)  # refuses a folder that is not there or holds no orbit
        return find(config)

    def grid(self, config: RunConfig, place: str, footprint: Ring) -> GeoGrid:
        """From the burst database where the run names one, else that of geocoded SLCs, else from the footprint.

        Pixels are of `insar.posting`.
        """
        from sarcube.workflows.grids import grid_around
        from sarcube.workflows.insar.passes import is_pass
        from sarcube.workflows.sentinel1 import burst_grid

        if is_pass(place):
            return grid_around(config, footprint)
        if config.source.kind == "cslc" and config.grid.burst_database is None:
            from sarcube.workflows.insar.cslcs import grid_of_files

            return grid_of_files(config, place)
        return burst_grid(config, place, footprint)

    def defects(self, config: RunConfig, units: Sequence[Unit], grid: GeoGrid) -> Mapping[int, str]:
        """Pairs that lack a polarization or samples on a date, an orbit, or the ground's height."""
        from sarcube.workflows.insar.checks import defects, defects_of_passes

        if units[0].kind == INSAR_S1_PASS.name:
            return defects_of_passes(config, units, grid)
        return {} if units[0].kind == INSAR_S1_PASS_STATIC.name else defects(config, units)

    def remarks(self, config: RunConfig, units: Sequence[Unit]) -> Mapping[int, Sequence[str]]:
        """Pairs of which an orbit or the azimuth timing is not what it might be."""
        from sarcube.workflows.insar.checks import remarks, remarks_on_passes

        if units[0].kind == INSAR_S1_PASS.name:
            return remarks_on_passes(config, units)
        return {} if units[0].kind == INSAR_S1_PASS_STATIC.name else remarks(config, units)

    def outdated(self, unit: Unit, stored: JsonObject) -> str:
        """Which older version of a scene a product was made from, where the source has a later one."""
        from sarcube.workflows.insar.checks import outdated, outdated_pass

        return (outdated_pass if unit.kind == INSAR_S1_PASS.name else outdated)(unit, stored)

    def rates(self, config: RunConfig) -> Mapping[str, Rate]:
        """As the kinds say."""
        return {}

    def prepare(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Make the collections that the run writes to; refuse missing logins."""
        from sarcube.transfer.sessions import check_credentials

        check_credentials(config)
        ensure_collections(config, kinds)

    def run(self, task: Task, context: Context) -> Made:
        """Make one product."""
        from sarcube.workflows.insar.run import run

        return run(task, context)

    def finish(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Bring collections and index up to date with what the run made."""
        update_catalogs(config, kinds)


WORKFLOW = InsarWorkflow()
