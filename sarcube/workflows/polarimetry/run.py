"""One task of polarimetry: open the burst, take the static layers, let the engine compute."""

from __future__ import annotations

from sarcube.workflows.making import Result, Stages, make
from sarcube.workflows.polarimetry.kinds import INDICES, STATIC
from sarcube.workflows.polarimetry.section import PolarimetrySection
from sarcube.workflows.sentinel1 import dem_around, open_acquisition, static_layers
from sarcube.workflows.task import Task
from sarcube.workflows.workflow import Context, Made


def run(task: Task, context: Context) -> Made:
    """Make the product of one acquisition."""
    return make(task, context.config, lambda stages: _compute(task, context, stages))


def _compute(task: Task, context: Context, stages: Stages) -> Result:
    from sarcube.engines.polarimetry.covariance import PolarimetryOptions, channels_of, polarimetry
    from sarcube.workflows.polarimetry.items import polarimetry_facts
    from sarcube.workflows.sentinel1_items import ItemContext, file_tags

    (found,) = task.inputs
    config, section = context.config, context.config.section(PolarimetrySection)
    with stages("open"):
        burst = open_acquisition(found, config)
        channels_of(burst)  # said before the DEM is fetched
    with stages("static"):
        item, static, grid = static_layers(task, config, STATIC, ("mask", "rtc_anf_gamma0_to_beta0"))
    with stages("dem"):
        dem = dem_around(config, grid, burst)
    with stages("compute"):
        options = PolarimetryOptions(
            window=section.window,
            speckle=section.speckle,
            thermal_noise=section.corrections.thermal_noise,
            bistatic_delay=section.corrections.bistatic_delay,
            static_troposphere=section.corrections.static_troposphere,
            threads=context.threads,
        )
        dataset = polarimetry(burst, grid, dem, static, options)
    dataset = dataset.drop_vars([name for name in INDICES if name not in section.indices])
    attrs = dict(dataset.attrs)
    warnings = (*burst.warnings, *dem.warnings)
    about = ItemContext(
        dem=dem.description,
        source_href=found.path,
        facility=config.metadata.facility,
        static=item,
        properties=config.metadata.properties,
        warnings=warnings,
    )
    return Result(
        dataset,
        grid,
        burst.platform,
        lambda product: polarimetry_facts(product, burst, attrs, about),
        file_tags(burst, attrs, dem.description),
        warnings,
    )
