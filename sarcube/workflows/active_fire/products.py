"""Files of one granule: hotspots as GeoJSON and GeoParquet and rasters on a fixed grid."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sarcube.engines.fire.detect import CLOUD_CLASSES, cloud_mask, find_fires
from sarcube.engines.fire.options import ContextualOptions, GepOptions
from sarcube.engines.fire.scene import Field, FireScene, unit_vectors
from sarcube.errors import ConfigError, SceneError
from sarcube.geometry.aoi import Area
from sarcube.geometry.ellipsoid import SEMI_MAJOR
from sarcube.geometry.grid import GeoGrid
from sarcube.products.cog import write_cog
from sarcube.products.kinds import Layer, MaskClass, mask_layer
from sarcube.sensors.sentinel3.granule import Granule, open_granule
from sarcube.workflows.active_fire.inputs import fire_scene

RESOLUTION = 0.01  # degrees; lattice of all rasters, so that dates lie on one another
METHODS: dict[str, ContextualOptions | GepOptions] = {"contextual": ContextualOptions(), "gep": GepOptions()}
_REACH_M = 1500.0
_MEASURED = ("S6", "S5", "S3", "S2", "S1")
_COLOURS = {0: (0, 0, 0, 0), 1: (255, 255, 255, 255), 2: (200, 200, 200, 255), 3: (150, 150, 200, 255)}
_CLOUD = mask_layer(
    "cloud_mask", "Clouds as the method took them",
    [MaskClass(v, n.replace(" ", "_"), n, _COLOURS.get(v)) for v, n in CLOUD_CLASSES.items()], 255,
)  # fmt: skip
# Classes of the CCI and C3S land cover (ESA CCI Land Cover product user guide 2.0, table 3-1), by their tens.
_COVERS = {
    0: "no data", 10: "cropland, rainfed", 20: "cropland, irrigated", 30: "mosaic cropland",
    40: "mosaic natural vegetation",
    50: "tree cover, broadleaved, evergreen", 60: "tree cover, broadleaved, deciduous",
    70: "tree cover, needleleaved, evergreen", 80: "tree cover, needleleaved, deciduous", 90: "tree cover, mixed",
    100: "mosaic tree and shrub", 110: "mosaic herbaceous", 120: "shrubland", 130: "grassland",
    140: "lichens and mosses",
    150: "sparse vegetation", 160: "tree cover, flooded, fresh water", 170: "tree cover, flooded, saline water",
    180: "shrub or herbaceous cover, flooded", 190: "urban areas", 200: "bare areas", 210: "water bodies",
    220: "permanent snow and ice",
}  # fmt: skip
_NO_GROUND = (0, 210, 220)


@dataclass(frozen=True)
class FireFiles:
    """What was written for a granule.

    Attributes
    ----------
    hotspots : DataFrame
    files : mapping of str to Path
        "hotspots", "hotspots_parquet", "cloud_mask", "reflectance_S3", ...
    remarks : tuple of str
        What was assumed.
    """

    hotspots: pd.DataFrame
    files: dict[str, Path]
    remarks: tuple[str, ...]


def make_fires(
    path: str | Path,
    out: str | Path,
    area: Area | None,
    method: str = "contextual",
    land_cover: str | Path | None = None,
) -> FireFiles:
    """Find the fires of a granule within an area and write them.

    Parameters
    ----------
    path : str or Path
        SEN3 folder or zip.
    out : str or Path
        Folder, made where it is missing.
    area : Area, optional
        None: the whole granule.
    method : str
        "contextual" or "gep".
    land_cover : str or Path, optional
        Raster with the classes of CCI or C3S; water and ice are left out by it, and hotspots get its names.

    Raises
    ------
    SceneError
        The granule cannot be read, or has nothing in the area.
    ConfigError
        There is no such method, or the land cover cannot be read.
    """
    if method not in METHODS:
        raise ConfigError(f"method is contextual or gep, not {method!r}")
    granule, options = open_granule(path), METHODS[method]
    scene = fire_scene(granule)
    inside = _inside(scene, area, granule)
    table = find_fires(scene, options)
    table = table[inside[table["row"], table["column"]]].reset_index(drop=True)
    remarks = ["water and ice are those of the granule's own flags"]
    if land_cover is not None:
        codes = _covers(land_cover, table["longitude"].to_numpy(), table["latitude"].to_numpy())
        names = [_COVERS.get(int(c) // 10 * 10, "unknown") for c in codes]
        table = table.assign(land_cover=codes, land_cover_name=names)
        table = table[~table["land_cover"].isin(_NO_GROUND)].reset_index(drop=True)
        remarks.append(f"hotspots on water, ice or no data of {Path(land_cover).name} are left out")
    else:
        remarks.append("no land cover was given: hotspots have none")
    table = table.assign(
        time=granule.name.start, platform=granule.name.platform, method=method, granule=granule.name.text
    )
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    files = _write_hotspots(table, folder, granule) | _write_rasters(scene, options, inside, folder, granule, area)
    return FireFiles(table, files, tuple(remarks))


def _inside(scene: FireScene, area: Area | None, granule: Granule) -> NDArray[np.bool_]:
    import shapely

    placed = np.isfinite(scene.latitude)
    if area is not None:
        turns = (-360.0, 0.0, 360.0)
        placed &= np.any([shapely.contains_xy(area.shape, scene.longitude + t, scene.latitude) for t in turns], axis=0)
    if not placed.any():
        raise SceneError(f"{granule.path}: sees nothing of the area; check --aoi")
    return placed


def _write_hotspots(table: pd.DataFrame, folder: Path, granule: Granule) -> dict[str, Path]:
    import pyarrow as pa
    import pyarrow.parquet as pq
    import shapely

    stem = f"{granule.name.platform}_{granule.name.start:%Y%m%dT%H%M%SZ}_hotspots"
    collection, parquet = folder / f"{stem}.geojson", folder / f"{stem}.parquet"
    plain = json.loads(table.to_json(orient="records", date_format="iso", double_precision=6))
    features = [
        {"type": "Feature", "properties": row,
         "geometry": {"type": "Point", "coordinates": [row["longitude"], row["latitude"]]}}
        for row in plain
    ]  # fmt: skip
    collection.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    points = shapely.to_wkb(shapely.points(table["longitude"].to_numpy(), table["latitude"].to_numpy()))
    data = pa.Table.from_pandas(table, preserve_index=False).append_column(
        "geometry", pa.array(list(points), pa.binary())
    )
    geo = {"version": "1.1.0", "primary_column": "geometry",
           "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Point"] if len(table) else []}}}  # fmt: skip
    pq.write_table(
        data.replace_schema_metadata({**(data.schema.metadata or {}), b"geo": json.dumps(geo).encode()}), parquet
    )
    return {"hotspots": collection, "hotspots_parquet": parquet}


def _write_rasters(
    scene: FireScene, options: Any, inside: NDArray[np.bool_], folder: Path, granule: Granule, area: Area | None
) -> dict[str, Path]:
    from scipy.spatial import cKDTree

    lon, lat = scene.longitude[inside], scene.latitude[inside]
    bounds = area.shape.bounds if area is not None else (lon.min(), lat.min(), lon.max(), lat.max())
    grid = GeoGrid.snapped(4326, bounds, RESOLUTION)
    if grid.width * grid.height > 50_000_000:
        raise SceneError(f"{granule.path}: {grid.width} x {grid.height} pixels are too many; give a smaller --aoi")
    good = np.isfinite(scene.latitude)
    tree = cKDTree(unit_vectors(scene.longitude[good], scene.latitude[good]))
    x, y = np.meshgrid(grid.x(), grid.y())
    distance, nearest = tree.query(unit_vectors(x, y), distance_upper_bound=_REACH_M / SEMI_MAJOR)
    seen = np.isfinite(distance)

    def shown(values: NDArray[Any], missing: float) -> NDArray[Any]:
        flat = np.full(seen.size, missing, values.dtype)
        flat[seen] = values[good][nearest[seen]]
        return flat.reshape(grid.shape)

    stem = f"{granule.name.platform}_{granule.name.start:%Y%m%dT%H%M%SZ}"
    written = {"cloud_mask": folder / f"{stem}_cloud_mask.tif"}
    write_cog(written["cloud_mask"], shown(cloud_mask(scene, options), 255), grid, _CLOUD)
    for name in _MEASURED:
        values: Field = scene.reflectance[name]
        if np.isfinite(values[inside]).any():  # none at night
            written[f"reflectance_{name}"] = folder / f"{stem}_reflectance_{name}.tif"
            layer = Layer(f"reflectance_{name}", f"Reflectance of {name} at the top of the atmosphere")
            write_cog(written[f"reflectance_{name}"], shown(values.astype(np.float32), np.nan), grid, layer)
    return written


def _covers(path: str | Path, longitude: NDArray[Any], latitude: NDArray[Any]) -> NDArray[np.int64]:
    """Class at each point, nearest; only the points' windows are read."""
    import rasterio
    from rasterio.errors import RasterioError
    from rasterio.warp import transform

    try:
        with rasterio.open(path) as source:
            xs, ys = transform("EPSG:4326", source.crs, longitude.tolist(), latitude.tolist())
            return np.array([int(v[0]) for v in source.sample(zip(xs, ys, strict=True))], np.int64)
    except (RasterioError, TypeError, ValueError) as error:
        raise ConfigError(f"land cover {path} cannot be read: {error}; name a raster of CCI or C3S classes") from error
