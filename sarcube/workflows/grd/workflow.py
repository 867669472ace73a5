"""Sentinel-1 GRD: one product per pass and tile of a track, from the slices that lie there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from sarcube.config import RunConfig
from sarcube.errors import ConfigError
from sarcube.geometry.grid import GeoGrid, is_geographic, metres_per_unit
from sarcube.jsons import JsonObject
from sarcube.products.kinds import Rate
from sarcube.transfer.problem import Problem
from sarcube.workflows.grd.kinds import GTC_GRD, RTC_GRD
from sarcube.workflows.grd.section import PRESETS, GrdSection
from sarcube.workflows.making import dem_of, ensure_collections, update_catalogs
from sarcube.workflows.task import Ring, Task, Unit
from sarcube.workflows.workflow import Context, Found, Made

if TYPE_CHECKING:
    from sarcube.sensors.sentinel1.search.grd import FoundGrd


_FINEST = ("GRDF", "GRDH", "GRDM", "GRD")  # of types of one acquisition; the last where a name does not say


class GrdWorkflow:
    """Backscatter of detected scenes."""

    name = "grd"
    section = GrdSection
    kinds = (RTC_GRD, GTC_GRD)

    def find(self, config: RunConfig) -> Found:
        """Slices of the source's folder, gathered by pass and tile."""
        from sarcube.sensors.sentinel1.orbits import local_index
        from sarcube.sensors.sentinel1.polarizations import wanted
        from sarcube.sensors.sentinel1.search.grd import find_grd
        from sarcube.workflows.sentinel1_checks import dem_remarks

        section = config.section(GrdSection)
        _check_resolution(config, section)
        if config.orbits.path is not None:
            local_index(config.orbits.path)  # refuses a folder that is not there or holds no orbit
        search = find_grd(config, wanted(section.polarizations))
        warnings = [*search.warnings, *(Problem("dem", text) for text in dem_remarks(dem_of(config), search.scenes))]
        units = [unit for scenes in _passes(search.scenes) for unit in _units(config, section.kind, scenes, warnings)]
        explanation = search.explanation
        if search.scenes and not units:
            explanation = f"{len(search.scenes)} GRD scenes lie on no tile within the area"
        return Found(units, search.problems, explanation, (), tuple(dict.fromkeys(warnings)))

    def grid(self, config: RunConfig, place: str, footprint: Ring) -> GeoGrid:
        """The tile: it does not depend on what lies on it."""
        from sarcube.workflows.grd.tiles import tile_grid

        return tile_grid(place, config.grid.resolution)

    def defects(self, config: RunConfig, units: Sequence[Unit], grid: GeoGrid) -> Mapping[int, str]:
        """Passes whose DEM does not reach, or that lack samples or an orbit."""
        from sarcube.workflows.sentinel1_checks import dem_gap, geoid_gap, no_orbit

        found: dict[int, str] = {}
        dem = dem_of(config)
        for i, unit in enumerate(units):
            lacking = next((scene for scene in unit.inputs if scene.absent), None)
            if missing := dem_gap(dem, unit.footprint) or geoid_gap(dem, unit.footprint):
                found[i] = missing
            elif lacking is not None:
                found[i] = f"{lacking.scene} has no measurement file of {', '.join(lacking.absent)}; fetch it again"
            elif not config.orbits.allow_annotation:
                messages = [message for scene in unit.inputs if (message := no_orbit(config, scene))]
                if messages:
                    found[i] = messages[0]
        return found

    def remarks(self, config: RunConfig, units: Sequence[Unit]) -> Mapping[int, Sequence[str]]:
        """Passes that no orbit file covers."""
        from sarcube.sensors.sentinel1.open_burst import ANNOTATION_ORBIT
        from sarcube.workflows.sentinel1_checks import no_orbit

        if not config.orbits.allow_annotation:
            return {}
        strict = config.model_copy(update={"orbits": config.orbits.model_copy(update={"allow_annotation": False})})
        return {
            i: (ANNOTATION_ORBIT,)
            for i, unit in enumerate(units)
            if any(no_orbit(strict, scene) for scene in unit.inputs)
        }

    def outdated(self, unit: Unit, stored: JsonObject) -> str:
        """Which slices a product was made without, or of which older versions, where the source has others now."""
        seen = (stored["properties"].get(key) for key in ("sarcube:source_scenes", "sarcube:scenes_passed_over"))
        made = {str(scene) for scenes in seen for scene in scenes or ()}
        now = {scene.scene for scene in unit.inputs}
        if not made or now <= made:
            return ""
        return f"made without {', '.join(sorted(now - made))}"

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
        from sarcube.workflows.grd.run import run

        return run(task, context)

    def finish(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Bring collections and index up to date with what the run made."""
        update_catalogs(config, kinds)


def _check_resolution(config: RunConfig, section: GrdSection) -> None:
    if section.preset is None:
        return
    resolution = PRESETS[section.preset][0]
    crs = config.grid.crs
    metres = 1.0 if crs == "auto" else metres_per_unit(crs)
    if (crs == "auto" or not is_geographic(crs)) and abs(config.grid.resolution * metres - resolution) > 0.01:
        raise ConfigError(
            f"`grd.preset`: {section.preset} has pixels of {resolution:g} m, grid.resolution is "
            f"{config.grid.resolution:g}; write grid: {{resolution: {resolution / metres:g}}}, or the preset's keys in "
            "its place"
        )


def _passes(scenes: Sequence[FoundGrd]) -> list[list[FoundGrd]]:
    """Scenes of one pass together, in order of time."""
    passes: dict[tuple[str, int, int, str], list[FoundGrd]] = {}
    for scene in scenes:
        key = (scene.platform, scene.relative_orbit, scene.absolute_orbit, scene.mode)
        passes.setdefault(key, []).append(scene)
    return [sorted(group, key=lambda s: s.start_time) for _, group in sorted(passes.items())]


def _units(config: RunConfig, kind: str, scenes: Sequence[FoundGrd], warnings: list[Problem]) -> list[Unit]:
    """A unit for each tile within the area that slices of a pass lie on: of several resolutions those of the finest."""
    from sarcube.geometry.aoi import load_aoi
    from sarcube.workflows.grd.tiles import overlap, tile_grid, tile_ring, tiles_under
    from sarcube.workflows.grids import ring_of

    area = load_aoi(config.aoi)
    wanted = None if config.source.places is None else set(config.source.places)
    track = scenes[0].relative_orbit
    places = sorted({place for scene in scenes for place in tiles_under(config, track, scene.footprint)})
    units = []
    for place in places:
        if wanted is not None and place not in wanted:
            continue
        ring = tile_ring(tile_grid(place, config.grid.resolution))
        parts = [(scene, overlap(scene.footprint, ring)) for scene in scenes]
        here = [(scene, part) for scene, part in parts if part is not None]
        finest = min((scene.product_type for scene, _ in here), key=_FINEST.index)
        for scene in (scene for scene, _ in here if scene.product_type != finest):
            warnings.append(Problem(scene.scene, f"left out where there is {finest} of the same pass"))
        here = [(scene, part) for scene, part in here if scene.product_type == finest]
        outline = ring_of(part for _, part in here)
        if area is not None and not area.intersects(outline):
            continue
        slices = tuple(scene for scene, _ in here)
        units.append(
            Unit(
                kind,
                place,
                slices[0].start_time,
                slices[-1].end_time,
                slices,
                outline,
                label=slices[0].scene if len(slices) == 1 else f"{slices[0].scene} and {len(slices) - 1} more",
                bytes_in=sum(scene.size_bytes for scene in slices),
                versioned=True,
            )
        )
    return units


WORKFLOW = GrdWorkflow()
