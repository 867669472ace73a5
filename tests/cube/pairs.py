"""Pairs made in the test: layers of a known truth, with items as the catalogue writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pystac
from numpy.typing import NDArray
from rasterio.warp import transform_bounds

from sarcube.catalog.items import raster_fields
from sarcube.cube.unwrap import LAYERS as UNWRAPPED
from sarcube.geometry.grid import GeoGrid
from sarcube.products.cog import write_cog
from sarcube.workflows.insar.kinds import INSAR_S1, INSAR_S1_STATIC
from sarcube.workflows.rtc.kinds import RTC_S1

GRID = GeoGrid(32632, 400_000.0, 5_300_000.0, 80.0, 90, 70)
PLACE = "t066_140001_iw2"
GIGAHERTZ = 5.405000454
TABLE = {layer.name: layer for kind in (RTC_S1, INSAR_S1_STATIC, INSAR_S1) for layer in kind.layers} | {
    layer.name: layer for layer in UNWRAPPED
}


def item(
    folder: Path,
    layers: Mapping[str, NDArray[Any]],
    first: str,
    second: str | None = None,
    *,
    grid: GeoGrid = GRID,
    place: str = PLACE,
    kind: str = "INSAR_S1",
    channel: str = "VV",
    **properties: Any,
) -> pystac.Item:
    """A product of a date, or of a pair where `second` is given; days as 2024-05-01."""
    start = np.datetime64(f"{first}T05:30:00")
    stem = f"{kind}_{place}_{first}_{second or 'alone'}_{channel}_{grid.resolution:g}"
    told: dict[str, Any] = {
        "start_datetime": f"{start}Z",
        "end_datetime": f"{second or first}T05:30:03Z",
        "platform": "sentinel-1a",
        "sat:orbit_state": "descending",
        "sat:relative_orbit": int(place[1:4]),
        "sar:polarizations": [channel],
        "sar:center_frequency": GIGAHERTZ,
        "sarcube:kind": kind,
        "sarcube:place": place,
        "proj:epsg": grid.epsg,
        "proj:code": grid.crs,
        "proj:shape": list(grid.shape),
        "proj:transform": list(grid.transform),
    }
    if second is not None:
        told |= {
            "insar:reference_datetime": f"{start}Z",
            "insar:secondary_datetime": f"{second}T05:30:00Z",
            "insar:perpendicular_baseline": 50.0,
        }
    west, south, east, north = transform_bounds(grid.epsg, 4326, *grid.bounds)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    made = pystac.Item(
        stem, {"type": "Polygon", "coordinates": [ring]}, [west, south, east, north],
        start.astype("datetime64[us]").item(), told | properties, collection=kind.lower(),
    )  # fmt: skip
    for name, values in layers.items():
        layer, path = TABLE[name], folder / f"{stem}_{name}.tif"
        write_cog(path, np.asarray(values).astype(layer.dtype), grid, layer)
        nodata = "nan" if np.isnan(layer.nodata) else int(layer.nodata)
        fields = {**raster_fields(layer), "nodata": nodata}
        roles = list(layer.stac_roles)
        made.add_asset(name, pystac.Asset(str(path), title=layer.title, roles=roles, extra_fields=fields))
    return made
