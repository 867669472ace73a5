"""OPERA RTC-S1 files as they are published, without STAC: names and GDAL tags become items.

Names follow the OPERA RTC-S1 product specification (JPL D-108758), which sarcube's own names follow too:
`OPERA_L2_RTC-S1_T137-292318-IW1_20211119T015854Z_20250830T120333Z_S1A_30_v1.0_VV.tif`.
"""

from __future__ import annotations

import itertools
import os
import re
import warnings
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pystac
import rasterio
import rasterio.warp
from rasterio.errors import RasterioError
from shapely import wkt
from shapely.errors import ShapelyError
from shapely.geometry import mapping

from sarcube.catalog.extensions import PROJECTION
from sarcube.cube.acquisition import place_in
from sarcube.cube.layers import known
from sarcube.errors import CubeError, PassedOverWarning
from sarcube.instants import utc_time

_NAME = re.compile(
    r"(?P<maker>[A-Za-z0-9]+)_L2_RTC-S1(?P<static>-STATIC)?_(?P<burst>T\d{3}-\d{6}-[IE]W\d)"
    r"_(?P<start>\d{8}(?:T\d{6}Z)?)(?:_(?P<processed>\d{8}T\d{6}Z))?_(?P<platform>S1[A-D])"
    r"_(?P<resolution>\d+)_v(?P<version>[0-9.]+?)_(?P<layer>[A-Za-z][A-Za-z0-9_]*)\.tiff?$"
)
_LAYER = {"interpolated_dem": "digital_elevation_model"}
# One burst takes 2.76 s (Sentinel-1 IW burst cycle); the end is needed only where tags do not tell it.
_BURST_DURATION = timedelta(seconds=2.76)


@dataclass(frozen=True, slots=True)
class OperaName:
    """What one file's name tells."""

    burst_id: str
    start: datetime
    processed: str
    platform: str
    resolution: int
    layer: str
    static: bool

    @property
    def key(self) -> tuple[str, datetime, bool]:
        """What makes files one product: the burst and when it was seen."""
        return self.burst_id, self.start, self.static


def parse_name(name: str) -> OperaName | None:
    """Read a file's name; None where it is not an OPERA RTC-S1 layer."""
    match = _NAME.match(name)
    layer = _LAYER.get(match["layer"], match["layer"]) if match else ""
    if match is None or layer not in known():
        return None
    start = match["start"]
    try:
        seen = datetime.strptime(start, "%Y%m%dT%H%M%SZ" if "T" in start else "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        warnings.warn(
            f"{name} is passed over: its name has a date that is none ({start}); fetch it again",
            PassedOverWarning,
            stacklevel=2,
        )
        return None
    return OperaName(
        burst_id=place_in(match["burst"]),
        start=seen,
        processed=match["processed"] or "",
        platform="sentinel-1" + match["platform"][-1].lower(),
        resolution=int(match["resolution"]),
        layer=layer,
        static=bool(match["static"]),
    )


def find_opera_files(folder: str | Path) -> list[Path]:
    """All OPERA RTC-S1 layers below a folder, sorted by name."""
    found = []
    for root, _, names in os.walk(folder):
        found += [Path(root, name) for name in names if parse_name(name)]
    return sorted(found, key=lambda path: path.name)


def opera_items(files: Iterable[str | Path]) -> list[pystac.Item]:
    """Items of OPERA RTC-S1 files, one per burst and date; the newest where a product was made twice.

    Of each product one file's header is read (its layers share one grid, and reading checks each file
    against it). Where no tag tells the orbit direction, it follows from the track itself: burst numbers grow
    with time, so they grow northwards on ascending passes.

    Raises
    ------
    CubeError
        A file cannot be read.
    """
    products: dict[tuple[str, datetime, bool], dict[str, tuple[str, str]]] = defaultdict(dict)
    names: dict[tuple[str, datetime, bool], OperaName] = {}
    for file in files:
        name = parse_name(Path(file).name)
        if name is None:
            continue
        layers = products[name.key]
        if name.layer not in layers or layers[name.layer][0] < name.processed:
            layers[name.layer] = (name.processed, str(file))
            names[name.key] = name
    items = [
        _item(names[key], {layer: path for layer, (_, path) in layers.items()}) for key, layers in products.items()
    ]
    _fill_directions(items)
    return items


def _item(name: OperaName, files: dict[str, str]) -> pystac.Item:
    path = next(iter(files.values()))
    try:
        with rasterio.open(path, driver="GTiff", sharing=False) as dataset:
            tags, epsg = dataset.tags(), dataset.crs.to_epsg()
            transform, shape, bounds = list(dataset.transform)[:6], list(dataset.shape), dataset.bounds
    except (RasterioError, AttributeError) as error:
        raise CubeError(f"{path} cannot be read as a georeferenced raster ({error}); fetch it again") from error
    west, south, east, north = rasterio.warp.transform_bounds(epsg, 4326, *bounds)
    end = _time(tags.get("ZERO_DOPPLER_END_TIME")) or name.start + (timedelta(0) if name.static else _BURST_DURATION)
    properties: dict[str, object] = {
        "start_datetime": name.start.isoformat(),
        "end_datetime": end.isoformat(),
        "platform": name.platform,
        "product:type": "RTC_S1_STATIC" if name.static else "RTC_S1",
        "sat:relative_orbit": int(tags.get("TRACK_NUMBER") or name.burst_id[1:4]),
        "sar:burst_id": name.burst_id,
        "gsd": name.resolution,
        "proj:epsg": epsg,
        "proj:code": f"EPSG:{epsg}",
        "proj:shape": shape,
        "proj:transform": transform,
        "proj:bbox": list(bounds),
    }
    if direction := tags.get("ORBIT_PASS_DIRECTION", "").lower():
        properties["sat:orbit_state"] = direction
    item = pystac.Item(
        id=re.sub(r"_v([0-9.]+)_.*$", r"_v\1", Path(path).name),
        geometry=_footprint(tags.get("BOUNDING_POLYGON")) or _rectangle(west, south, east, north),
        bbox=[west, south, east, north],
        datetime=name.start,
        properties=properties,
        stac_extensions=[PROJECTION],
    )
    for layer, href in sorted(files.items()):
        # What odc-stac and others go by, so that the items are of use without sarcube too.
        nodata = 255 if known()[layer].dtype == "uint8" else "nan"
        about = {"data_type": known()[layer].dtype, "nodata": nodata}
        item.add_asset(
            layer,
            pystac.Asset(
                href, media_type=pystac.MediaType.COG, roles=list(known()[layer].stac_roles), extra_fields=about
            ),
        )
    return item


def _time(text: str | None) -> datetime | None:
    if not text:
        return None
    return utc_time(text)


def _footprint(text: str | None) -> dict[str, object] | None:
    if not text:
        return None
    try:
        return dict(mapping(wkt.loads(text)))
    except ShapelyError:
        return None


def _rectangle(west: float, south: float, east: float, north: float) -> dict[str, object]:
    def ring(w: float, e: float) -> list[list[float]]:
        return [[w, south], [e, south], [e, north], [w, north], [w, south]]

    if west <= east:
        return {"type": "Polygon", "coordinates": [ring(west, east)]}
    return {"type": "MultiPolygon", "coordinates": [[ring(west, 180.0)], [ring(-180.0, east)]]}


def _fill_directions(items: list[pystac.Item]) -> None:
    seen: dict[str, dict[int, float]] = defaultdict(dict)
    for item in items:
        burst = item.properties["sar:burst_id"]
        if item.bbox is not None:
            # Swaths apart: IW3 of one burst lies beside, not behind, IW1 of the next.
            seen[burst[:5] + burst[-3:]][int(burst[5:11])] = item.bbox[1]
    slopes: dict[str, list[float]] = defaultdict(list)
    for key, latitudes in seen.items():
        numbers = sorted(latitudes)
        for first, second in itertools.pairwise(numbers):
            # Neighbours only: burst numbers run round the Earth, north on one half and south on the other.
            if second - first <= 10:
                slopes[key[:4]].append(latitudes[second] - latitudes[first])
    for item in items:
        track = item.properties["sar:burst_id"][:4]
        if "sat:orbit_state" not in item.properties and slopes[track]:
            northwards = float(np.median(slopes[track])) > 0
            item.properties["sat:orbit_state"] = "ascending" if northwards else "descending"
