"""One task: a granule to hotspots and rasters of the run's area."""

from __future__ import annotations

from sarcube.workflows.active_fire.section import ActiveFireSection
from sarcube.workflows.making import Result, Stages, make
from sarcube.workflows.task import Task
from sarcube.workflows.workflow import Context, Made


def run(task: Task, context: Context) -> Made:
    """Make the product of one granule."""
    return make(task, context.config, lambda stages: _compute(task, context, stages))


def _compute(task: Task, context: Context, stages: Stages) -> Result:
    import xarray as xr

    from sarcube.geometry.aoi import load_aoi
    from sarcube.products.product import ATTACHED
    from sarcube.sensors.sentinel3.granule import open_granule
    from sarcube.sensors.sentinel3.search.granules import ensure_granule
    from sarcube.workflows.active_fire.items import facts_of, file_tags
    from sarcube.workflows.active_fire.process import find_in

    config = context.config
    section = config.section(ActiveFireSection)
    (found,) = task.inputs
    with stages("open"):
        granule = open_granule(ensure_granule(found, config))
    with stages("compute"):
        fires = find_in(granule, load_aoi(config.aoi), task.grid, section)
    dataset = xr.Dataset(
        {name: (("y", "x"), values) for name, values in fires.layers.items()}, attrs={ATTACHED: fires.files}
    )
    return Result(
        dataset,
        task.grid,
        granule.name.platform,
        lambda product: facts_of(product, granule, fires, section, config, found.path),
        file_tags(granule),
        fires.remarks,
    )
