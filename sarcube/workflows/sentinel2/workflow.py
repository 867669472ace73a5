"""Sentinel-2 reflectance of tiles and dates, as analysis-ready layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sarcube.config import RunConfig
from sarcube.geometry.grid import GeoGrid
from sarcube.products.kinds import Rate
from sarcube.workflows.making import ensure_collections, update_catalogs
from sarcube.workflows.sentinel2.kinds import S2_ARD
from sarcube.workflows.sentinel2.section import Sentinel2Section
from sarcube.workflows.task import Ring, Task, Unit
from sarcube.workflows.workflow import Context, Found, Made


class Sentinel2Workflow:
    """What is heavy is imported where it is used."""

    name = "sentinel2"
    section = Sentinel2Section
    kinds = (S2_ARD,)

    def find(self, config: RunConfig) -> Found:
        """One product of each tile and datatake of the source within the run's area, dates and filters.

        Its inputs are one product of the agency, or the two that a datatake came in.
        """
        from itertools import groupby

        from sarcube.sensors.sentinel2.search.products import find_tiles
        from sarcube.workflows.sentinel2.grids import place_in

        section = config.section(Sentinel2Section)
        search = find_tiles(config, section.level)
        units = []
        for _, parts in groupby(search.found, lambda found: (found.tile, found.start, found.platform)):
            taken = tuple(parts)
            one, size = taken[0], sum(part.size_bytes for part in taken)
            place = place_in(one.place, config, section.area)
            units.append(Unit(S2_ARD.name, place, one.start, None, taken, one.footprint, label=one.name, bytes_in=size))
        return Found(units, search.problems, search.explanation, warnings=search.remarks)

    def grid(self, config: RunConfig, place: str, footprint: Ring) -> GeoGrid:
        """Of the tile, or of the area's window of it."""
        from sarcube.workflows.sentinel2.grids import grid_of_place

        section = config.section(Sentinel2Section)
        return grid_of_place(config, place, section.resolution, section.area)

    def defects(self, config: RunConfig, units: Sequence[Unit], grid: GeoGrid) -> Mapping[int, str]:
        """Products without what is asked of them: classes of an L1C, its cirrus band of an L2A."""
        section = config.section(Sentinel2Section)
        found = {}
        for i, unit in enumerate(units):
            one = unit.inputs[0]  # all are of one level
            if one.level == "L1C" and section.cloud_mask == "l2a" and section.sen2cor is None:
                found[i] = f"{one.name} is L1C and has no classes for cloud_mask: l2a; choose l1c, or name sen2cor"
            elif one.level == "L2A" and "B10" in section.bands:
                found[i] = f"{one.name} is L2A and has no B10; leave it out, or choose level: l1c"
        return found

    def remarks(self, config: RunConfig, units: Sequence[Unit]) -> Mapping[int, Sequence[str]]:
        """L1C that stays at the top of the atmosphere."""
        from sarcube.workflows.sentinel2.run import TOA

        section = config.section(Sentinel2Section)
        if section.sen2cor is not None and section.level != "l1c":
            return {}
        return {i: (TOA,) for i, unit in enumerate(units) if unit.inputs[0].level == "L1C"}

    def rates(self, config: RunConfig) -> Mapping[str, Rate]:
        """Linear in the number of bands."""
        rate, bands = S2_ARD.rate, len(config.section(Sentinel2Section).bands) / 4.0
        scaled = Rate(
            rate.cpu_s_per_mpixel * bands,
            rate.bytes_out_per_pixel * bands,
            4.0 + rate.memory_per_pixel * bands,
            rate.memory_base,
            rate.inputs,
        )
        return {S2_ARD.name: scaled}

    def prepare(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Make the collections; refuse a land mask without water, a missing program, and missing logins."""
        from sarcube.sensors.sentinel2.sen2cor import check_program
        from sarcube.transfer.sessions import check_credentials
        from sarcube.workflows.sentinel2.water import water_of

        check_credentials(config)
        section = config.section(Sentinel2Section)
        if section.land_sea != "none":
            water_of(section.water, config.dem, section.sea_pixels)
        if section.sen2cor is not None:
            check_program(section.sen2cor)
        ensure_collections(config, kinds)

    def run(self, task: Task, context: Context) -> Made:
        """Make one product."""
        from sarcube.workflows.sentinel2.run import run

        return run(task, context)

    def finish(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Bring collections and index up to date with what the run made."""
        update_catalogs(config, kinds)


WORKFLOW = Sentinel2Workflow()
