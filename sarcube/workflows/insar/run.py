"""One task of interferometry: open both dates, find their timing, let the engine compute, hand the layers on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sarcube.config import RunConfig
from sarcube.geometry.grid import GeoGrid
from sarcube.workflows.insar.checks import bursts_of
from sarcube.workflows.insar.find import polarization_of
from sarcube.workflows.insar.kinds import CSLC_S1, INSAR_S1, INSAR_S1_PASS, INSAR_S1_PASS_STATIC, INSAR_S1_STATIC
from sarcube.workflows.insar.section import InsarSection
from sarcube.workflows.making import Result, Stages, make
from sarcube.workflows.sentinel1 import dem_around, of_any, open_acquisition, static_layers
from sarcube.workflows.task import Task
from sarcube.workflows.workflow import Context, Made

if TYPE_CHECKING:
    from sarcube.engines.insar.options import InsarOptions
    from sarcube.sensors.sentinel1.search.scenes import FoundBurst

_DEM_PIXEL_M = 10.0  # heights are taken at the samples of the fine grid, whatever the posting


def run(task: Task, context: Context) -> Made:
    """Make one product: the line of sight of a burst ID or a pass, a date, or a pair of one or of the other."""
    from sarcube.workflows.insar.run_pass import merged_pair, pass_static

    compute = {
        INSAR_S1_STATIC.name: _static, CSLC_S1.name: _slc, INSAR_S1.name: _pair,
        INSAR_S1_PASS.name: merged_pair, INSAR_S1_PASS_STATIC.name: pass_static,
    }[task.kind]  # fmt: skip
    return make(task, context.config, lambda stages: compute(task, context, stages))


def insar_options(config: RunConfig, threads: int = 0) -> InsarOptions:
    """The engine's options that a run file stands for."""
    from sarcube.engines.insar.options import InsarOptions

    section = config.section(InsarSection)
    switches = section.corrections
    return InsarOptions(
        bistatic_delay=switches.bistatic_delay,
        static_troposphere=switches.static_troposphere,
        fm_rate_mismatch=switches.fm_rate_mismatch,
        debias=section.debias,
        threads=threads,
    )


def dem_grid(grid: GeoGrid) -> GeoGrid:
    """The ground of a grid, in pixels that a DEM is to be read for."""
    n = max(1, round(grid.resolution / _DEM_PIXEL_M))
    return GeoGrid(grid.epsg, grid.left, grid.top, grid.resolution / n, grid.width * n, grid.height * n)


def _static(task: Task, context: Context, stages: Stages) -> Result:
    """The geometry of any one acquisition serves: where one cannot be read, the next may."""
    return of_any(task, lambda found: _static_of(found, task, context, stages))


def _static_of(found: FoundBurst, task: Task, context: Context, stages: Stages) -> Result:
    from sarcube.engines.insar import static_layers as compute
    from sarcube.workflows.insar.items import static_facts
    from sarcube.workflows.sentinel1_items import ItemContext, file_tags

    config = context.config
    with stages("open"):
        burst = open_acquisition(found, config)
    with stages("dem"):
        dem = dem_around(config, dem_grid(task.grid), burst)
    with stages("compute"):
        dataset = compute(burst, task.grid, dem)
    said = (*burst.warnings, *dem.warnings)
    about = ItemContext(
        dem=dem.description, source_href=found.path, facility=config.metadata.facility,
        properties=config.metadata.properties, warnings=said,
    )  # fmt: skip
    attrs = dict(dataset.attrs)
    return Result(
        dataset,
        task.grid,
        burst.platform,
        lambda product: static_facts(product, burst, attrs, about),
        file_tags(burst, attrs, dem.description),
        said,
    )


def _slc(task: Task, context: Context, stages: Stages) -> Result:
    from sarcube.engines.insar import geocoded_slc
    from sarcube.engines.insar.fine import fine_grid
    from sarcube.workflows.insar.items import slc_facts
    from sarcube.workflows.sentinel1_items import ItemContext, file_tags

    config, name = context.config, task.unit.tag
    (found,) = task.inputs
    with stages("open"):
        burst = open_acquisition(replace(found, polarizations=(name,)), config)
    with stages("static"):
        item, _, grid = static_layers(task, config, INSAR_S1_STATIC.name, ("mask",))
    with stages("dem"):
        dem = dem_around(config, dem_grid(grid), burst)
    with stages("compute"):
        dataset = geocoded_slc(burst, grid, dem, insar_options(config, context.threads))
    fine = fine_grid(grid)
    down, across = fine.spacing
    own = GeoGrid(grid.epsg, grid.left, grid.top, across, fine.shape[1], fine.shape[0], 0.0 if down == across else down)
    said = (*burst.warnings, *dem.warnings)
    about = ItemContext(
        dem=dem.description, source_href=found.path, facility=config.metadata.facility,
        properties=config.metadata.properties, warnings=said,
    )  # fmt: skip
    attrs = dict(dataset.attrs)
    return Result(
        dataset.rename({name: f"slc_{name}"}),
        own,
        burst.platform,
        lambda product: slc_facts(product, burst, attrs, about, item),
        file_tags(burst, attrs, dem.description),
        said,
    )


def _pair(task: Task, context: Context, stages: Stages) -> Result:
    from sarcube.engines.insar import interferogram, pair_of_slcs
    from sarcube.workflows.insar.cslcs import open_pair, samples_on
    from sarcube.workflows.insar.items import pair_facts, pair_tags
    from sarcube.workflows.insar.slcs import kept_slcs
    from sarcube.workflows.insar.timing import timing_of
    from sarcube.workflows.sentinel1_items import ItemContext

    config, section = context.config, context.config.section(InsarSection)
    found = bursts_of(task.unit)
    name = polarization_of(section, *found)
    options = insar_options(config, context.threads)
    geocoded = None
    with stages("open"):
        if config.source.kind == "cslc":
            geocoded = open_pair(found, name, config)
            (first, second), options = geocoded.bursts, geocoded.options(options)
        else:
            first, second = (open_acquisition(replace(one, polarizations=(name,)), config) for one in found)
    with stages("static"):
        item, static, grid = static_layers(task, config, INSAR_S1_STATIC.name, ("mask",))
    with stages("dem"):
        dem = dem_around(config, dem_grid(grid), first)
    with stages("timing"):
        timing = timing_of((first, second), task.inputs[2], config, options)
    with stages("compute"):
        shift = timing.timing.shift if timing.timing else 0.0
        of_kept: tuple[str, ...] = ()
        if geocoded is not None:
            fine, of_kept = geocoded.fine(grid), geocoded.warnings
            with samples_on(geocoded, name, fine) as samples:
                dataset = pair_of_slcs(first, second, samples, fine, dem, options, static=static, shift=shift)
            dataset.attrs.update(geocoded.facts, polarization=name)
        elif section.keep_slc:
            with kept_slcs(config, found, (first, second), name, dem.description) as kept:
                dataset = pair_of_slcs(first, second, kept.samples, grid, dem, options, static=static, shift=shift)
            dataset.attrs.setdefault("polarization", name)
            of_kept = kept.warnings
        else:
            dataset = interferogram(first, second, grid, dem, options, polarization=name, static=static, shift=shift)
    dataset = dataset.drop_vars([layer for layer in dataset.data_vars if layer not in INSAR_S1.table])
    said = tuple(dict.fromkeys((*first.warnings, *second.warnings, *dem.warnings, *timing.warnings, *of_kept)))
    about = ItemContext(
        dem=dem.description, facility=config.metadata.facility, static=item,
        properties=config.metadata.properties, warnings=said,
    )  # fmt: skip
    attrs = dict(dataset.attrs)
    hrefs = found[0].path, found[1].path
    return Result(
        dataset,
        grid,
        first.platform,
        lambda product: pair_facts(product, (first, second), attrs, timing.timing, hrefs, about),
        pair_tags((first, second), attrs, dem.description),
        said,
    )
