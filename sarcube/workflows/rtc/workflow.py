"""Radiometric terrain correction of Sentinel-1 bursts: static layers once per burst ID, backscatter per acquisition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sarcube.config import RunConfig
from sarcube.geometry.grid import GeoGrid
from sarcube.jsons import JsonObject
from sarcube.products.kinds import Rate
from sarcube.transfer.problem import Problem
from sarcube.workflows.making import dem_of, ensure_collections, update_catalogs
from sarcube.workflows.rtc.kinds import ISCE3_RATES, RTC_S1, RTC_S1_STATIC
from sarcube.workflows.rtc.section import RtcSection
from sarcube.workflows.task import Ring, Task, Unit
from sarcube.workflows.workflow import Context, Found, Made


class RtcWorkflow:
    """The first workflow, and the pattern for others: what is heavy is imported where it is used."""

    name = "rtc"
    section = RtcSection
    kinds = (RTC_S1, RTC_S1_STATIC)

    def find(self, config: RunConfig) -> Found:
        """Bursts of the source within the run's area, dates and filters."""
        from sarcube.engines.rtc.engine import check_engine_options
        from sarcube.sensors.sentinel1.orbits import local_index
        from sarcube.sensors.sentinel1.polarizations import wanted
        from sarcube.sensors.sentinel1.search.scenes import find_scenes
        from sarcube.workflows.sentinel1 import burst_unit, narrowed_source
        from sarcube.workflows.sentinel1_checks import dem_remarks

        section = config.section(RtcSection)
        check_engine_options(section.engine, section.engine_options)
        if config.orbits.path is not None:
            local_index(config.orbits.path)  # refuses a folder that is not there or holds no orbit
        search = find_scenes(narrowed_source(config), wanted(section.polarizations))
        static_only = section.product == RTC_S1_STATIC.name
        kind = RTC_S1_STATIC if static_only else RTC_S1
        given = (RTC_S1_STATIC.name,) if section.link_static_layers and not static_only else ()
        warnings = (*search.warnings, *(Problem("dem", text) for text in dem_remarks(dem_of(config), search.bursts)))
        units = [burst_unit(kind, found) for found in search.bursts]
        return Found(units, search.problems, search.explanation, given, warnings)

    def grid(self, config: RunConfig, place: str, footprint: Ring) -> GeoGrid:
        """From the burst database where the run names one, else from the footprint."""
        from sarcube.workflows.sentinel1 import burst_grid

        return burst_grid(config, place, footprint)

    def defects(self, config: RunConfig, units: Sequence[Unit], grid: GeoGrid) -> Mapping[int, str]:
        """Acquisitions without orbit, or whose DEM does not reach."""
        from sarcube.workflows.sentinel1_checks import defects

        return defects(config, units)

    def remarks(self, config: RunConfig, units: Sequence[Unit]) -> Mapping[int, Sequence[str]]:
        """Acquisitions that no orbit file covers."""
        from sarcube.workflows.sentinel1_checks import remarks

        return remarks(config, units)

    def outdated(self, unit: Unit, stored: JsonObject) -> str:
        """Which older version of its scene a product was made from, where the source has a later one."""
        from sarcube.workflows.sentinel1_checks import outdated

        return outdated(unit, stored)

    def rates(self, config: RunConfig) -> Mapping[str, Rate]:
        """ISCE3 takes longer."""
        return ISCE3_RATES if config.section(RtcSection).engine == "isce3" else {}

    def prepare(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Make the collections that the run writes to; refuse an engine that is not there, and missing logins."""
        from sarcube.engines.rtc.engine import get_engine
        from sarcube.transfer.sessions import check_credentials

        check_credentials(config)
        section = config.section(RtcSection)
        if section.engine != "native":  # which is always there, and slow to import
            get_engine(section.engine, section.engine_options)
        ensure_collections(config, kinds)

    def run(self, task: Task, context: Context) -> Made:
        """Make one product."""
        from sarcube.workflows.rtc.run import run

        return run(task, context)

    def finish(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Bring collections and index up to date with what the run made."""
        update_catalogs(config, kinds)


WORKFLOW = RtcWorkflow()
