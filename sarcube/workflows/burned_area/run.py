"""One task: both dates of a tile to burned area, with its table and perimeters in the item."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sarcube.workflows.burned_area.section import BurnedAreaSection
from sarcube.workflows.making import Result, Stages, make
from sarcube.workflows.task import Task
from sarcube.workflows.workflow import Context, Made

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely import Geometry

    from sarcube.catalog.items import ItemFacts
    from sarcube.config import RunConfig
    from sarcube.geometry.grid import GeoGrid
    from sarcube.products.product import Product
    from sarcube.sensors.sentinel2.model import Scene
    from sarcube.workflows.burned_area.process import BurnedArea


def run(task: Task, context: Context) -> Made:
    """Make the product of one tile and two dates."""
    return make(task, context.config, lambda stages: _compute(task, context, stages))


def _compute(task: Task, context: Context, stages: Stages) -> Result:
    import xarray as xr

    from sarcube.sensors.sentinel2.scene import open_scene
    from sarcube.sensors.sentinel2.search.ensure import ensure_product
    from sarcube.workflows.burned_area.process import burned_area
    from sarcube.workflows.sentinel2.items import file_tags

    config = context.config
    with stages("open"):
        before, after = ([open_scene(ensure_product(one, config)) for one in date] for date in task.inputs)
    with stages("compute"):
        done = burned_area(before, after, task.grid, config.section(BurnedAreaSection))
    dataset = xr.Dataset({name: (("y", "x"), values) for name, values in done.layers.items()})
    return Result(
        dataset,
        task.grid,
        after[-1].platform,
        lambda product: _facts(product, before, after, done, config),
        file_tags(after[-1]) | {"SCENE_BEFORE": before[0].name},
        tuple(done.notes),
    )


def _facts(product: Product, before: list[Scene], after: list[Scene], done: BurnedArea, config: RunConfig) -> ItemFacts:
    from sarcube.catalog.extensions import PROCESSING, PRODUCT, SAT
    from sarcube.catalog.items import ItemFacts
    from sarcube.engines.optical.burned import BURNED_FROM, SEVERITY_NAMES
    from sarcube.workflows.sentinel2.items import common_properties

    burned = sum(done.hectares[name] for name in SEVERITY_NAMES[BURNED_FROM - 1 :])
    properties = common_properties(product, after[-1], config, done.notes) | {
        "sarcube:before": [scene.name for scene in before],
        "sarcube:after": [scene.name for scene in after],
        "sarcube:unburned_offset": done.offset,
        "sarcube:hectares": {name: round(area, 4) for name, area in done.hectares.items()},
        "sarcube:burned_hectares": round(burned, 4),
        "sarcube:perimeters": perimeters_in_degrees(done.perimeters, product.grid),
    }
    return ItemFacts(before[0].sensed, after[-1].sensed, properties, (SAT, PROCESSING, PRODUCT))


def perimeters_in_degrees(perimeters: list[tuple[Geometry, float]], grid: GeoGrid) -> dict[str, object]:
    """A GeoJSON FeatureCollection in degrees (RFC 7946: cut at the antimeridian), the largest patch first."""
    import shapely

    from sarcube.geometry.burst_grid import transformer
    from sarcube.geometry.longitudes import cut, wrap_longitude

    to_degrees = transformer(grid.epsg, 4326)
    centre = float(to_degrees.transform(0.5 * (grid.left + grid.right), 0.5 * (grid.bottom + grid.top))[0])

    def turned(points: NDArray[np.float64]) -> NDArray[np.float64]:
        lon, lat = to_degrees.transform(points[:, 0], points[:, 1])
        return np.round(np.column_stack([wrap_longitude(lon, centre), lat]), 7)

    features = []
    for shape, hectares in perimeters:
        pieces = [part for piece in cut(shapely.transform(shape, turned)) for part in shapely.get_parts(piece)]
        areas = [shapely.geometry.polygon.orient(part) for part in pieces if part.geom_type == "Polygon"]
        whole = areas[0] if len(areas) == 1 else shapely.multipolygons(areas)
        features.append(
            {
                "type": "Feature",
                "geometry": shapely.geometry.mapping(whole),
                "properties": {"hectares": round(hectares, 4)},
            }
        )
    return {"type": "FeatureCollection", "features": features}
