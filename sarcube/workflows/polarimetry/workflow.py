"""Dual-pol polarimetry of Sentinel-1 bursts: covariance, entropy, anisotropy and alpha of each acquisition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sarcube.config import RunConfig
from sarcube.geometry.grid import GeoGrid
from sarcube.jsons import JsonObject
from sarcube.products.kinds import Rate
from sarcube.transfer.problem import Problem
from sarcube.workflows.making import dem_of, ensure_collections, update_catalogs
from sarcube.workflows.polarimetry.kinds import POL_S1
from sarcube.workflows.polarimetry.section import PolarimetrySection
from sarcube.workflows.task import Ring, Task, Unit
from sarcube.workflows.workflow import Context, Found, Made


class PolarimetryWorkflow:
    """One product per burst and date; static layers are those of `rtc`, made once for both."""

    name = "polarimetry"
    section = PolarimetrySection
    kinds = (POL_S1,)

    def find(self, config: RunConfig) -> Found:
        """Dual-polarized bursts of the source within the run's area, dates and filters."""
        from sarcube.engines.polarimetry.covariance import PAIRS
        from sarcube.sensors.sentinel1.orbits import local_index
        from sarcube.sensors.sentinel1.search.scenes import find_scenes
        from sarcube.workflows.sentinel1 import burst_unit, narrowed_source
        from sarcube.workflows.sentinel1_checks import dem_remarks

        if config.orbits.path is not None:
            local_index(config.orbits.path)
        search = find_scenes(narrowed_source(config))
        dual = [b for b in search.bursts if any(set(pair) <= set(b.polarizations) for pair in PAIRS)]
        left = sorted({(b.scene, " ".join(b.polarizations)) for b in search.bursts if b not in dual})
        single = [
            Problem(scene, f"holds {names} alone; polarimetry needs VV with VH, or HH with HV") for scene, names in left
        ]
        remarks = [Problem("dem", text) for text in dem_remarks(dem_of(config), dual)]
        units = [burst_unit(POL_S1, found) for found in dual]
        return Found(units, (*search.problems, *single), search.explanation, (), (*search.warnings, *remarks))

    def grid(self, config: RunConfig, place: str, footprint: Ring) -> GeoGrid:
        """As of backscatter."""
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
        """As the kind says."""
        return {}

    def prepare(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Make the collections that the run writes to; refuse missing logins."""
        from sarcube.transfer.sessions import check_credentials

        check_credentials(config)
        ensure_collections(config, kinds)

    def run(self, task: Task, context: Context) -> Made:
        """Make one product."""
        from sarcube.workflows.polarimetry.run import run

        return run(task, context)

    def finish(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Bring collections and index up to date with what the run made."""
        update_catalogs(config, kinds)


WORKFLOW = PolarimetryWorkflow()
