"""One task: open the product, compute its layers on the grid, and hand them on to be committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sarcube.workflows.making import Result, Stages, make
from sarcube.workflows.sentinel2.section import Sentinel2Section
from sarcube.workflows.task import Task
from sarcube.workflows.workflow import Context, Made

if TYPE_CHECKING:
    from sarcube.config import RunConfig
    from sarcube.sensors.sentinel2.model import Scene
    from sarcube.sensors.sentinel2.search.found import FoundTile

TOA = "L1C without atmospheric correction: reflectance is that at the top of the atmosphere (s2_toa)"


def run(task: Task, context: Context) -> Made:
    """Make the product of one tile and date."""
    return make(task, context.config, lambda stages: _compute(task, context, stages))


def _compute(task: Task, context: Context, stages: Stages) -> Result:
    import xarray as xr

    from sarcube.workflows.sentinel2.items import About, ard_facts, file_tags
    from sarcube.workflows.sentinel2.process import fill, process
    from sarcube.workflows.sentinel2.water import water_of

    config = context.config
    section = config.section(Sentinel2Section)
    found = task.inputs[0]
    with stages("open"):
        scene, notes = open_found(found, config, section)
        others = [open_found(other, config, section)[0] for other in task.inputs[1:]]
    water, rule = None, ""
    if section.land_sea != "none":
        water, rule = water_of(section.water, config.dem, section.sea_pixels)
    with stages("compute"):
        done = process(scene, task.grid, section, water)
        for other in others:
            fill(done, process(other, task.grid, section, water))
            done.notes.append(f"the datatake came in several products: what {scene.name} has not is of {other.name}")
    dataset = xr.Dataset({name: (("y", "x"), values) for name, values in done.layers.items()})
    about = About(config, found.path, rule, notes)
    return Result(
        dataset,
        task.grid,
        scene.platform,
        lambda product: ard_facts(product, scene, section, done, about),
        file_tags(scene),
        (*scene.warnings, *done.notes, *notes),
    )


def open_found(found: FoundTile, config: RunConfig, section: Sentinel2Section) -> tuple[Scene, list[str]]:
    """A found product, fetched where it is not here, and what users should know of it.

    An L1C becomes an L2A where an `L2A_Process` is configured.
    """
    from sarcube.sensors.sentinel2.scene import open_scene
    from sarcube.sensors.sentinel2.search.ensure import ensure_product

    scene = open_scene(ensure_product(found, config))
    if scene.level != "L1C":
        return scene, []
    if section.sen2cor is not None and section.level != "l1c":
        from sarcube.sensors.sentinel2.sen2cor import run_sen2cor

        made = run_sen2cor(scene, section.sen2cor)
        return made, [f"L2A made from {scene.name} by {section.sen2cor.name}"]
    return scene, [TOA]
