"""Clouds as L1C processing saw them, in both forms: a raster since baseline 04.00, polygons before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import SceneError
from sarcube.geometry.grid import GeoGrid
from sarcube.jsons import JsonObject
from sarcube.sensors.sentinel1.xml_tree import Node, parse_xml
from sarcube.sensors.sentinel2.images import read_mask
from sarcube.sensors.sentinel2.model import Scene
from sarcube.sensors.sentinel2.scene import open_files

OPAQUE, CIRRUS, SNOW = 1, 2, 4
CLOUD_RESOLUTION = 60
_LAYERS = (OPAQUE, CIRRUS, SNOW)  # of MSK_CLASSI
_MOST_POLYGONS = 100_000


def l1c_clouds(scene: Scene, window: GeoGrid | None = None) -> NDArray[np.uint8]:
    """Flags at 60 m: OPAQUE, CIRRUS and, since baseline 04.00, SNOW.

    Parameters
    ----------
    scene : Scene
        L1C, or L2A, which carries the mask of its L1C.
    window : GeoGrid, optional
        A part of the tile on its 60 m pixels; the whole tile else.

    Raises
    ------
    SceneError
        The product has neither form, or a damaged one.
    """
    if "CLASSI" in scene.masks:
        layers = read_mask(scene, "CLASSI", CLOUD_RESOLUTION, window)
        if layers.shape[0] < len(_LAYERS):
            raise SceneError(
                f"{scene.path}: MSK_CLASSI has {layers.shape[0]} layers where opaque, cirrus, snow are due"
            )
        flags = [np.where(layer > 0, flag, 0) for flag, layer in zip(_LAYERS, layers, strict=False)]
        combined: NDArray[np.uint8] = np.bitwise_or.reduce(flags).astype(np.uint8)
        return combined
    if "CLOUDS" in scene.masks:
        return _polygons(scene, window or scene.grid(CLOUD_RESOLUTION))
    raise SceneError(f"{scene.path}: has neither MSK_CLASSI_B00.jp2 nor MSK_CLOUDS_B00.gml; fetch it again")


def cloud_probability(scene: Scene, window: GeoGrid | None = None) -> tuple[NDArray[np.uint8], int] | None:
    """Probability of clouds in percent and its pixel size; the window is on 20 m pixels. None where there is none.

    Only an L2A has it, at 20 m and at 60 m: the finer is read where it is there, the coarser else and whole.
    """
    for resolution in (20, 60):
        key = f"CLDPRB_{resolution}m"
        if key in scene.masks:
            return read_mask(scene, key, resolution, window if resolution == 20 else None)[0], resolution
    return None


def _polygons(scene: Scene, grid: GeoGrid) -> NDArray[np.uint8]:
    from affine import Affine
    from rasterio.features import rasterize

    name = scene.masks["CLOUDS"]
    where = f"{scene.path}: {name.rpartition('/')[2]}"
    root = parse_xml(open_files(scene.path).read(name), where)
    shapes: list[tuple[JsonObject, int]] = []
    flags = np.zeros(grid.shape, np.uint8)
    for feature in root.find_all(".//{*}MaskFeature"):
        kind = feature.text("{*}maskType")
        flag = {"OPAQUE": OPAQUE, "CIRRUS": CIRRUS}.get(kind)
        if flag is None:
            raise feature.fail(f"maskType is {kind[:20]!r}, neither OPAQUE nor CIRRUS")
        shapes += [(shape, flag) for shape in _rings(feature)]
    if len(shapes) > _MOST_POLYGONS:
        raise root.fail(f"{len(shapes)} polygons")
    for flag in (OPAQUE, CIRRUS):
        chosen = [(shape, 1) for shape, f in shapes if f == flag]
        if chosen:  # polygons follow 60 m pixels, so that centres decide exactly
            drawn = rasterize(chosen, grid.shape, transform=Affine(*grid.transform), dtype=np.uint8)
            flags |= np.where(drawn > 0, flag, 0).astype(np.uint8)
    return flags


def _rings(feature: Node) -> list[JsonObject]:
    found: list[JsonObject] = []
    for polygon in feature.find_all(".//{*}Polygon"):
        rings = []
        for path in ("{*}exterior/{*}LinearRing", "{*}interior/{*}LinearRing"):
            for ring in polygon.find_all(path):
                dimension = 3 if ring.find("{*}posList").attribute("srsDimension") == "3" else 2
                numbers = ring.vector("{*}posList")
                if numbers.size < 4 * dimension or numbers.size % dimension:
                    raise ring.fail("<posList> is no ring")
                rings.append(numbers.reshape(-1, dimension)[:, :2].tolist())
        if rings:
            found.append({"type": "Polygon", "coordinates": rings})
    return found
