"""The user's land cover, with the classes of CCI and C3S: at points, and on a grid. Only windows of it are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import ConfigError
from sarcube.geometry.grid import GeoGrid
from sarcube.products.kinds import MaskClass, mask_layer

if TYPE_CHECKING:
    import rasterio

NO_DATA, WATER, ICE = 0, 210, 220
NO_GROUND = (NO_DATA, WATER, ICE)
# Classes and colours: ESA CCI Land Cover, product user guide 2.0, table 3-1 and its legend.
_CLASSES: dict[int, tuple[str, tuple[int, int, int]]] = {
    0: ("no data", (0, 0, 0)),
    10: ("cropland, rainfed", (255, 255, 100)),
    11: ("cropland, rainfed, herbaceous", (255, 255, 100)),
    12: ("cropland, rainfed, tree or shrub", (255, 255, 0)),
    20: ("cropland, irrigated", (170, 240, 240)),
    30: ("mosaic cropland", (220, 240, 100)),
    40: ("mosaic natural vegetation", (200, 200, 100)),
    50: ("tree cover, broadleaved, evergreen", (0, 100, 0)),
    60: ("tree cover, broadleaved, deciduous", (0, 160, 0)),
    61: ("tree cover, broadleaved, deciduous, closed", (0, 160, 0)),
    62: ("tree cover, broadleaved, deciduous, open", (170, 200, 0)),
    70: ("tree cover, needleleaved, evergreen", (0, 60, 0)),
    71: ("tree cover, needleleaved, evergreen, closed", (0, 60, 0)),
    72: ("tree cover, needleleaved, evergreen, open", (0, 80, 0)),
    80: ("tree cover, needleleaved, deciduous", (40, 80, 0)),
    81: ("tree cover, needleleaved, deciduous, closed", (40, 80, 0)),
    82: ("tree cover, needleleaved, deciduous, open", (40, 100, 0)),
    90: ("tree cover, mixed", (120, 130, 0)),
    100: ("mosaic tree and shrub", (140, 160, 0)),
    110: ("mosaic herbaceous", (190, 150, 0)),
    120: ("shrubland", (150, 100, 0)),
    121: ("shrubland, evergreen", (120, 75, 0)),
    122: ("shrubland, deciduous", (150, 100, 0)),
    130: ("grassland", (255, 180, 50)),
    140: ("lichens and mosses", (255, 220, 210)),
    150: ("sparse vegetation", (255, 235, 175)),
    151: ("sparse trees", (255, 200, 100)),
    152: ("sparse shrubs", (255, 210, 120)),
    153: ("sparse herbaceous cover", (255, 235, 175)),
    160: ("tree cover, flooded, fresh water", (0, 120, 90)),
    170: ("tree cover, flooded, saline water", (0, 150, 120)),
    180: ("shrub or herbaceous cover, flooded", (0, 220, 130)),
    190: ("urban areas", (195, 20, 0)),
    200: ("bare areas", (255, 245, 215)),
    201: ("bare areas, consolidated", (220, 220, 220)),
    202: ("bare areas, unconsolidated", (255, 245, 215)),
    210: ("water bodies", (0, 70, 200)),
    220: ("permanent snow and ice", (255, 255, 255)),
}
LAND_COVER = mask_layer(
    "land_cover",
    "Land cover as the user's raster has it",
    [
        MaskClass(
            value, name.replace(",", "").replace(" ", "_"), name, (*colour, 255 if value else 0), blind=value == NO_DATA
        )
        for value, (name, colour) in _CLASSES.items()
    ],
    NO_DATA,
)


def name_of(code: int) -> str:
    """A class in words."""
    return _CLASSES[code][0] if code in _CLASSES else "unknown"


def covers_at(path: str | Path, longitude: NDArray[np.float64], latitude: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Class at each point (degrees), nearest; 0 beyond the raster.

    Raises
    ------
    ConfigError
        The raster cannot be read, or its values are no classes of CCI.
    """
    from pyproj import CRS, Transformer

    with _opened(path) as source:
        there = Transformer.from_crs(4326, CRS.from_wkt(source.crs.to_wkt()), always_xy=True)
        xs, ys = there.transform(np.asarray(longitude, np.float64), np.asarray(latitude, np.float64))
        with np.errstate(invalid="ignore"):  # where the raster's CRS does not reach, positions are infinite
            columns, rows = ~source.transform * (xs, ys)
            inside = (columns >= 0) & (columns < source.width) & (rows >= 0) & (rows < source.height)
        values = np.full(xs.shape, NO_DATA, source.dtypes[0])
        points = zip(xs[inside].tolist(), ys[inside].tolist(), strict=True)
        values[inside] = [sample[0] for sample in source.sample(points)]
        return _classes(values, source.nodata, path)


def covers_on(path: str | Path, grid: GeoGrid) -> NDArray[np.uint8]:
    """Class of each pixel of a grid, nearest; 0 beyond the raster.

    Raises
    ------
    ConfigError
        The raster cannot be read, is not of whole numbers, or does not reach the grid.
    """
    import rasterio
    from affine import Affine
    from rasterio.warp import Resampling, reproject

    with _opened(path) as source:
        out = np.full(grid.shape, NO_DATA, source.dtypes[0])
        reproject(
            rasterio.band(source, 1), out, src_nodata=NO_DATA if source.nodata is None else source.nodata,
            dst_transform=Affine(*grid.transform), dst_crs=grid.crs, dst_nodata=NO_DATA, resampling=Resampling.nearest,
            tolerance=0.01,
        )  # fmt: skip
        classes = _classes(out, source.nodata, path)
    if not classes.any():
        raise ConfigError(f"land cover {path} has nothing in the area; name a raster that covers it")
    return classes


def _classes(values: NDArray[np.integer], nodata: float | None, path: str | Path) -> NDArray[np.uint8]:
    """Values of a raster as classes of CCI; ConfigError where they are others."""
    known = np.where(values == nodata, NO_DATA, values) if nodata is not None else values
    strange = sorted({int(value) for value in np.unique(known)} - set(_CLASSES))
    if strange:
        shown = ", ".join(map(str, strange[:6])) + (", ..." if len(strange) > 6 else "")
        raise ConfigError(
            f"land cover {path} has the value{'s' if len(strange) > 1 else ''} {shown}, no class of CCI or C3S land "
            "cover; name a raster of these classes"
        )
    return known.astype(np.uint8)


@contextmanager
def _opened(path: str | Path) -> Iterator[rasterio.DatasetReader]:
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with rasterio.open(path) as source:
            if source.crs is None or np.dtype(source.dtypes[0]).kind not in "ui":
                raise ConfigError(
                    f"land cover {path} has no CRS, or no whole numbers; name a raster of CCI or C3S classes"
                )
            yield source
    except ConfigError:
        raise
    except (RasterioError, ValueError, OSError) as error:
        raise ConfigError(f"land cover {path} cannot be read: {error}; name a raster of CCI or C3S classes") from error
