"""Burned area of tiles: two dates, or two spans of dates, of Sentinel-2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sarcube.config import RunConfig
from sarcube.geometry.grid import GeoGrid
from sarcube.products.kinds import Rate
from sarcube.workflows.burned_area.kinds import BURNED_AREA
from sarcube.workflows.burned_area.section import BurnedAreaSection
from sarcube.workflows.making import ensure_collections, update_catalogs
from sarcube.workflows.task import Ring, Task, Unit
from sarcube.workflows.workflow import Context, Found, Made


class BurnedAreaWorkflow:
    """What is heavy is imported where it is used."""

    name = "burned_area"
    section = BurnedAreaSection
    kinds = (BURNED_AREA,)

    def find(self, config: RunConfig) -> Found:
        """One unit per tile that was seen before and after."""
        from sarcube.sensors.sentinel2.search.products import find_tiles
        from sarcube.transfer.problem import Problem
        from sarcube.workflows.burned_area.pairs import chosen_pair
        from sarcube.workflows.sentinel2.grids import place_in

        section = config.section(BurnedAreaSection)
        search = find_tiles(config, "auto")
        units, problems = [], list(search.problems)
        for tile in sorted({one.tile for one in search.found}):
            found = [one for one in search.found if one.tile == tile]
            before, after, why = chosen_pair(found, section)
            if why:
                problems.append(Problem(found[0].place, why))
                continue
            first, last = after[0], after[-1]
            units.append(
                Unit(
                    BURNED_AREA.name,
                    place_in(first.place, config, section.area),
                    before[0].start,
                    last.start,
                    (tuple(before), tuple(after)),
                    first.footprint,
                    f"{last.start:%Y%m%dT%H%M%SZ}",
                    f"{before[0].name} to {last.name}",
                    sum(one.size_bytes for one in (*before, *after)),
                )
            )
        return Found(units, tuple(problems), search.explanation, warnings=search.remarks)

    def grid(self, config: RunConfig, place: str, footprint: Ring) -> GeoGrid:
        """Of the tile, or of the area's window of it."""
        from sarcube.workflows.sentinel2.grids import grid_of_place

        section = config.section(BurnedAreaSection)
        return grid_of_place(config, place, section.resolution, section.area)

    def defects(self, config: RunConfig, units: Sequence[Unit], grid: GeoGrid) -> Mapping[int, str]:
        """None that is known before pixels are read."""
        return {}

    def remarks(self, config: RunConfig, units: Sequence[Unit]) -> Mapping[int, Sequence[str]]:
        """Dates of L1C."""
        found = {}
        for i, unit in enumerate(units):
            l1c = [one.name for date in unit.inputs for one in date if one.level == "L1C"]
            if l1c:
                found[i] = (f"L1C, without classes and atmospheric correction: {', '.join(l1c)}",)
        return found

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
        from sarcube.workflows.burned_area.run import run

        return run(task, context)

    def finish(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Bring collections and index up to date with what the run made."""
        update_catalogs(config, kinds)


WORKFLOW = BurnedAreaWorkflow()
