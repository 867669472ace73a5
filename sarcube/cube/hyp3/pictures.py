"""The small pictures of a HyP3 product: a PNG with its place beside it, and overlays for Google Earth."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sarcube.cube.map_grid import map_grid
from sarcube.geometry.grid import GeoGrid

WIDEST = 2048  # pixels
_KML = """<?xml version="1.0" encoding="UTF-8"?>
<kml xmlns="http://www.opengis.net/kml/2.2"><Document><name>{name}</name>
<GroundOverlay><name>{name}</name><Icon><href>{picture}</href></Icon>
<LatLonBox><north>{north:.8f}</north><south>{south:.8f}</south><east>{east:.8f}</east><west>{west:.8f}</west></LatLonBox>
</GroundOverlay></Document></kml>
"""


def grey(values: NDArray[np.number], low: float = 0.0, high: float = 100.0) -> NDArray[np.uint8]:
    """Bytes from 1 to 255 between two percentiles of what is not 0, the nodata of HyP3's rasters."""
    seen = (values != 0) & np.isfinite(values)
    if not seen.any():
        return np.zeros(values.shape, np.uint8)
    least, most = np.percentile(values[seen], (low, high))
    scaled = np.clip((values - least) / max(most - least, 1e-12), 0.0, 1.0)
    return np.where(seen, 1 + np.rint(254 * scaled), 0).astype(np.uint8)


def write_png(path: Path, values: NDArray[np.uint8], grid: GeoGrid) -> None:
    """A grey PNG of at most `WIDEST` columns, with GDAL's `.aux.xml` that says where it lies."""
    import rasterio

    step = max(1, -(-values.shape[1] // WIDEST))
    small = values[::step, ::step]
    with rasterio.open(
        path, "w", driver="PNG", width=small.shape[1], height=small.shape[0], count=1, dtype="uint8", nodata=0,
        crs=grid.crs,
        transform=rasterio.Affine(grid.resolution * step, 0.0, grid.left, 0.0, -grid.step * step, grid.top),
    ) as file:  # fmt: skip
        file.write(small, 1)


def write_kmz(path: Path, values: NDArray[np.uint8], grid: GeoGrid, colours: str = "gray") -> None:
    """An overlay in degrees, transparent where the bytes are 0."""
    import matplotlib as mpl
    import rasterio
    from PIL import Image
    from rasterio.warp import Resampling, reproject

    step = max(1, -(-values.shape[1] // WIDEST))
    small = np.ascontiguousarray(values[::step, ::step])
    here = GeoGrid(grid.epsg, grid.left, grid.top, grid.resolution * step, small.shape[1], small.shape[0])
    there = map_grid(here, 4326)
    placed = np.zeros(there.shape, np.uint8)
    reproject(
        small, placed, src_transform=rasterio.Affine(*here.transform), src_crs=here.crs,
        dst_transform=rasterio.Affine(*there.transform), dst_crs=there.crs, resampling=Resampling.nearest,
        src_nodata=0, dst_nodata=0,
    )  # fmt: skip
    west, south, east, north = there.bounds
    shades = mpl.colormaps[colours]((placed.astype(np.float32) - 1) / 254, bytes=True)
    shades[..., 3] = np.where(placed > 0, 255, 0)
    picture = io.BytesIO()
    Image.fromarray(shades).save(picture, "PNG")
    inside = f"{path.stem}.png"
    box = {"north": north, "south": south, "east": east, "west": west}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("doc.kml", _KML.format(name=path.stem, picture=inside, **box))
        archive.writestr(inside, picture.getvalue())
