"""One task of RTC: open the burst, load the DEM, let the engine compute, and hand the layers on to be committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sarcube.config import RunConfig
from sarcube.workflows.making import Result, Stages, make
from sarcube.workflows.rtc.kinds import RTC_S1_STATIC
from sarcube.workflows.rtc.section import RtcSection
from sarcube.workflows.sentinel1 import dem_around, of_any, open_acquisition, static_layers
from sarcube.workflows.task import Task
from sarcube.workflows.workflow import Context, Made

if TYPE_CHECKING:
    import pystac
    import xarray as xr

    from sarcube.engines.rtc.engine import RtcOptions
    from sarcube.geometry.dem import Dem
    from sarcube.geometry.grid import GeoGrid
    from sarcube.sensors.sentinel1.model import Burst
    from sarcube.sensors.sentinel1.search.scenes import FoundBurst

_LINKED = ("number_of_looks",)


def run(task: Task, context: Context) -> Made:
    """Make one product: static layers of a burst ID, or the backscatter of one acquisition."""
    compute = _static if task.kind == RTC_S1_STATIC.name else _backscatter
    return make(task, context.config, lambda stages: compute(task, context, stages))


def rtc_options(config: RunConfig, threads: int = 0) -> RtcOptions:
    """The engine's options that a run file stands for."""
    from sarcube.engines.rtc.engine import RtcOptions

    section = config.section(RtcSection)
    switches = section.corrections
    return RtcOptions(
        backscatter=section.backscatter,
        polarizations=None if section.polarizations == "auto" else tuple(section.polarizations),
        thermal_noise=switches.thermal_noise,
        bistatic_delay=switches.bistatic_delay,
        static_troposphere=switches.static_troposphere,
        shadow_masking=switches.shadow_masking,
        static_reuse=section.geometry == "reuse",
        threads=threads,
        engine_options=section.engine_options,
    )


def _static(task: Task, context: Context, stages: Stages) -> Result:
    """Static layers need the geometry of any one acquisition: where one cannot be read, the next may serve."""
    return of_any(task, lambda found: _static_of(found, task, context, stages))


def _static_of(found: FoundBurst, task: Task, context: Context, stages: Stages) -> Result:
    from sarcube.engines.rtc.engine import get_engine

    config, section = context.config, context.config.section(RtcSection)
    with stages("open"):
        burst = open_acquisition(found, config)
    with stages("dem"):
        dem = dem_around(config, task.grid, burst)
    with stages("compute"):
        options = rtc_options(config, context.threads)
        dataset = get_engine(section.engine, section.engine_options).static(burst, task.grid, dem, options)
    return _result(found, burst, dem, dataset, task.grid, config, None)


def _backscatter(task: Task, context: Context, stages: Stages) -> Result:
    from sarcube.engines.rtc.engine import get_engine

    (found,) = task.inputs
    config, section = context.config, context.config.section(RtcSection)
    with stages("open"):
        burst = open_acquisition(found, config)
    with stages("static"):
        # A task always has a DEM: with it an engine needs no more of the static layers than their mask.
        item, static, grid = static_layers(task, config, RTC_S1_STATIC.name, ("mask",))
    with stages("dem"):
        dem = dem_around(config, grid, burst)
    with stages("compute"):
        options = rtc_options(config, context.threads)
        dataset = get_engine(section.engine, section.engine_options).backscatter(burst, grid, dem, options, static)
    if section.link_static_layers:
        # Who asks for linked layers gets the static ones, as from the AWS pipeline: what both have is kept once.
        dataset = dataset.drop_vars([name for name in _LINKED if name in item.assets and name in dataset])
    return _result(found, burst, dem, dataset, grid, config, item)


def _result(
    found: FoundBurst,
    burst: Burst,
    dem: Dem,
    dataset: xr.Dataset,
    grid: GeoGrid,
    config: RunConfig,
    static: pystac.Item | None,
) -> Result:
    from sarcube.workflows.rtc.items import rtc_facts, static_facts
    from sarcube.workflows.sentinel1_items import ItemContext, engine_warnings, file_tags, noise_removed

    attrs = {**dataset.attrs, "thermal_noise": static is not None and noise_removed(burst, dataset.attrs)}
    warnings = (*burst.warnings, *dem.warnings, *engine_warnings(attrs))
    context = ItemContext(
        dem=dem.description,
        source_href=found.path,
        facility=config.metadata.facility,
        static=static,
        properties=config.metadata.properties,
        warnings=warnings,
    )
    facts = static_facts if static is None else rtc_facts
    return Result(
        dataset,
        grid,
        burst.platform,
        lambda product: facts(product, burst, attrs, context),
        file_tags(burst, attrs, dem.description),
        warnings,
    )
