"""One task: open the slices, put them together, load the DEM, geocode, and hand the layers on to be committed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sarcube.config import RunConfig
from sarcube.errors import GridError
from sarcube.workflows.grd.kinds import KINDS
from sarcube.workflows.grd.section import GrdSection
from sarcube.workflows.making import Result, Stages, dem_of, make
from sarcube.workflows.task import Ring, Task
from sarcube.workflows.workflow import Context, Made

if TYPE_CHECKING:
    import xarray as xr

    from sarcube.geometry.dem import Dem
    from sarcube.geometry.grid import GeoGrid
    from sarcube.sensors.sentinel1.grd.model import GrdPass, GrdSlice
    from sarcube.sensors.sentinel1.search.grd import FoundGrd

_DEM_MARGIN_M = 6000.0  # layover and shadow come from terrain up to five kilometres away
_STEP = 64  # pixels: what is computed of a tile begins and ends on multiples
# Equivalent looks of a sample by mode and type (Sentinel-1 Product Definition, S1-RS-MDA-52-7440), for speckle filters.
_LOOKS = {"IW GRDH": 4.4, "IW GRDM": 81.8, "EW GRDH": 2.7, "EW GRDM": 10.7}


def run(task: Task, context: Context) -> Made:
    """Make one product."""
    return make(task, context.config, lambda stages: _compute(task, context, stages))


def _compute(task: Task, context: Context, stages: Stages) -> Result:
    from sarcube.engines.rtc.native.detected import DetectedOptions, geocode_detected
    from sarcube.sensors.sentinel1.grd.assemble import assemble
    from sarcube.sensors.sentinel1.polarizations import wanted
    from sarcube.workflows.grd.items import file_tags, grd_facts

    config, section = context.config, context.config.section(GrdSection)
    correction, backscatter, speckle, layover_shadow = section.chosen
    names = wanted(section.polarizations)
    with stages("open"):
        image = assemble([_open(found, config, names) for found in task.inputs])
    if names is not None:
        names = tuple(name for name in names if name in image.polarizations)
    grid = part_of(task.grid, task.unit.footprint)
    with stages("dem"):
        dem = _dem(config, grid, image, task.unit.footprint)
    with stages("compute"):
        dataset = geocode_detected(
            image,
            grid,
            dem,
            DetectedOptions(
                correction=correction,
                backscatter=backscatter,
                polarizations=names,
                layover_shadow=layover_shadow,
                thermal_noise=section.thermal_noise,
                static_troposphere=section.static_troposphere,
                threads=context.threads,
            ),
        )
        dataset.attrs["speckle_filter"] = speckle
        if speckle != "none":
            _filter(dataset, speckle, _LOOKS.get(f"{image.first.mode} {image.first.product_type}", 1.0))
        dataset = on_tile(dataset, grid, task.grid, task.kind)
    warnings = (*image.warnings, *dem.warnings, *_said(dataset))
    return Result(
        dataset,
        task.grid,
        image.first.platform,
        lambda product: grd_facts(product, image, dataset.attrs, config, warnings),
        file_tags(image, dataset.attrs),
        warnings,
    )


def _open(found: FoundGrd, config: RunConfig, names: tuple[str, ...] | None) -> GrdSlice:
    from sarcube.sensors.sentinel1.burst import refuse_leap_second
    from sarcube.sensors.sentinel1.grd.reader import read_grd, with_orbit
    from sarcube.sensors.sentinel1.open_burst import ANNOTATION_ORBIT
    from sarcube.sensors.sentinel1.orbits import find_orbit
    from sarcube.sensors.sentinel1.safe import open_safe
    from sarcube.sensors.sentinel1.search.ensure_scene import scene_path
    from sarcube.transfer.remote import open_remote

    asked = None if names is None else [name for name in names if name in found.polarizations]
    safe = open_safe(scene_path(found, config), opener=open_remote, product="GRD")
    image = read_grd(safe, polarizations=asked)
    orbit = find_orbit(image.platform, image.start_time, image.end_time, config.orbits, scene=image.scene)
    if orbit is None:
        refuse_leap_second(image, None)
        return replace(image, warnings=(*image.warnings, ANNOTATION_ORBIT))
    return with_orbit(image, orbit)


def part_of(tile: GeoGrid, footprint: Ring) -> GeoGrid:
    """The part of a tile that a footprint reaches, on multiples of 64 pixels.

    Raises
    ------
    GridError
        It reaches none.
    """
    from sarcube.geometry.burst_grid import footprint_grid
    from sarcube.geometry.grid import GeoGrid

    around = footprint_grid(footprint, tile.epsg, tile.resolution)
    turns = 360.0 if tile.is_geographic else 0.0
    left = around.left
    while turns and left > tile.right:
        left -= turns
    while turns and left + around.width * around.resolution < tile.left:
        left += turns
    c0 = max(round((left - tile.left) / tile.resolution), 0) // _STEP * _STEP
    r0 = max(round((tile.top - around.top) / tile.resolution), 0) // _STEP * _STEP
    c1 = min(round((left - tile.left) / tile.resolution) + around.width + _STEP, tile.width)
    r1 = min(round((tile.top - around.top) / tile.resolution) + around.height + _STEP, tile.height)
    if c1 <= c0 or r1 <= r0:
        raise GridError(f"the scene does not reach the tile at {tile.left:g}, {tile.top:g} ({tile.crs})")
    x, y = tile.left + c0 * tile.resolution, tile.top - r0 * tile.resolution
    return GeoGrid(tile.epsg, x, y, tile.resolution, c1 - c0, r1 - r0)


def on_tile(dataset: xr.Dataset, grid: GeoGrid, tile: GeoGrid, kind: str) -> xr.Dataset:
    """Layers of a part of a tile as layers of the tile, without data beyond the part."""
    import xarray as xr

    if grid == tile:
        return dataset
    column = round((grid.left - tile.left) / tile.resolution)
    row = round((tile.top - grid.top) / tile.resolution)
    table = KINDS[kind].table
    layers = {}
    for name, layer in dataset.data_vars.items():
        whole = np.full(tile.shape, table[str(name)].nodata, layer.dtype)
        whole[row : row + grid.height, column : column + grid.width] = layer.values
        layers[name] = (("y", "x"), whole)
    return xr.Dataset(layers, {"y": tile.y(), "x": tile.x()}, dataset.attrs)


def _dem(config: RunConfig, grid: GeoGrid, image: GrdPass, footprint: Ring) -> Dem:
    from sarcube.geometry.burst_grid import grid_lonlat_bounds
    from sarcube.geometry.grid import metres_per_unit
    from sarcube.terrain.dem import load_dem

    metres = metres_per_unit(grid.epsg)
    bounds = grid_lonlat_bounds(grid, _DEM_MARGIN_M / metres)
    points = [piece.image.geolocation for piece in image.pieces]
    known = (
        np.concatenate([p.longitude for p in points]),
        np.concatenate([p.latitude for p in points]),
        np.concatenate([p.height for p in points]),
    )
    return load_dem(dem_of(config), bounds, grid.resolution * metres, footprint=footprint, known=known)


def _filter(dataset: xr.Dataset, speckle: str, each: float) -> None:
    """Filter the backscatter in place; a pixel has `each` looks of every sample that it is made of."""
    from sarcube.engines.speckle import FILTERS

    cells = float(np.nanmedian(dataset["number_of_looks"].values))
    looks = each * max(cells, 1.0) if np.isfinite(cells) else each
    for name in ("VV", "VH", "HH", "HV"):
        if name in dataset:
            dataset[name].values[:] = FILTERS[speckle](dataset[name].values, 7, looks)
    dataset.attrs["speckle_window"] = 7
    dataset.attrs["speckle_looks"] = round(looks, 2)


def _said(dataset: xr.Dataset) -> tuple[str, ...]:
    """What was left out or replaced, in words."""
    said = []
    if lines := int(dataset.attrs.get("empty_lines", 0)):
        said.append(f"{lines} lines hold no echo: nothing was made of them")
    levels = {name: level for name, level in dataset.attrs["border_level"].items() if level}
    if levels:
        amounts = ", ".join(f"{level} ({name})" for name, level in levels.items())
        said.append(f"garbage at the borders of lines is left out, up to amplitude {amounts}")
    return tuple(said)
