"""The geoid: undulations read from an explicit grid file and added to orthometric heights.

No grid is ever assumed. Where the file is missing or does not reach, a DemError says so: a silent zero
would move every pixel by tens of metres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import DemError
from sarcube.geometry.longitudes import TURNS
from sarcube.terrain.voids import UNDULATIONS
from sarcube.transfer.raster import gdal_path, open_raster
from sarcube.transfer.redact import redact

if TYPE_CHECKING:
    import rasterio

# EGM2008 at one arc minute, the grid that Geoscience Australia's AWS pipeline adds to Copernicus heights too.
EGM2008 = "https://aria-geoid.s3.us-west-2.amazonaws.com/us_nga_egm2008_1_4326__agisoft.tif"
# For the message when none is configured.
_GRID_HINTS = {"egm2008": EGM2008, "egm96": "https://cdn.proj.org/us_nga_egm96_15.tif"}
_TOLERANCE = 1e-6  # of a node spacing: what rounding of a file's transform may move a node


@dataclass(frozen=True, eq=False)
class Geoid:
    """Undulations at nodes of a regular longitude and latitude grid.

    Attributes
    ----------
    undulation : (rows, columns) float64
        Metres from the ellipsoid up to the geoid, rows north to south; NaN where the file has none.
    longitude, latitude : float
        Of the first node (the centre of the file's pixel), degrees.
    dx, dy : float
        Node spacing, degrees, both positive.
    path : str
        The file it came from.
    """

    undulation: NDArray[np.float64]
    longitude: float
    latitude: float
    dx: float
    dy: float
    path: str

    def at_axes(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bilinear undulation on the grid of lon (n,) by lat (m,), shape (m, n); NaN outside the nodes."""
        i0, fx = _cell((lon - self.longitude) / self.dx, self.undulation.shape[1])
        j0, fy = _cell((self.latitude - lat) / self.dy, self.undulation.shape[0])
        # Along latitude first: the geoid has few columns, so this step costs next to nothing.
        rows = self.undulation[j0] * (1 - fy)[:, None] + self.undulation[j0 + 1] * fy[:, None]
        return np.asarray(rows[:, i0] * (1 - fx) + rows[:, i0 + 1] * fx)

    def at_points(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bilinear undulation at points of any common shape; NaN outside the nodes."""
        i0, fx = _cell((lon - self.longitude) / self.dx, self.undulation.shape[1])
        j0, fy = _cell((self.latitude - lat) / self.dy, self.undulation.shape[0])
        grid = self.undulation
        north = grid[j0, i0] * (1 - fx) + grid[j0, i0 + 1] * fx
        south = grid[j0 + 1, i0] * (1 - fx) + grid[j0 + 1, i0 + 1] * fx
        return np.asarray(north * (1 - fy) + south * fy)


def load_geoid(path: str | None, bounds: tuple[float, float, float, float], model: str = "egm2008") -> Geoid:
    """Read the part of a geoid grid that surrounds `bounds`.

    Parameters
    ----------
    path : str or None
        A grid of undulations that GDAL reads (GeoTIFF, GTX, ...), in longitude and latitude.
    bounds : (west, south, east, north)
        Degrees; east may exceed 180. A global grid is continued across its seam.
    model : str
        Which geoid is asked for; used in messages only.

    Raises
    ------
    DemError
        No path is given, the file cannot be read, its nodes do not surround the bounds, or hold no undulation there.
    """
    if path is None:
        raise DemError(
            f"heights are {model} and no geoid grid is named: set dem.geoid to a file of {model} "
            f"undulations or its address, for example {_GRID_HINTS.get(model, 'a GeoTIFF or GTX')}, or give a DEM with "
            "ellipsoidal heights and dem.heights: ellipsoid"
        )
    with open_raster(gdal_path(path), what="geoid grid") as source:
        transform = source.transform
        if source.crs is not None and not source.crs.is_geographic:
            raise DemError(f"geoid grid {redact(path)} is in {source.crs}; it must be in longitude and latitude")
        if transform.b or transform.d or transform.a <= 0 or transform.e >= 0:
            raise DemError(f"geoid grid {redact(path)} is not north-up; convert it with gdalwarp -t_srs EPSG:4326")
        dx, dy = transform.a, -transform.e
        lon0, lat0 = transform.c + dx / 2, transform.f - dy / 2
        period = _period(source.width, dx)
        rows = _span((lat0 - min(bounds[3], 90.0)) / dy, (lat0 - max(bounds[1], -90.0)) / dy, source.height)
        turn, columns = _columns(bounds, lon0, dx, source.width, period)
        if rows is None or columns is None:
            east, south = lon0 + (source.width - 1) * dx, lat0 - (source.height - 1) * dy
            raise DemError(
                f"geoid grid {redact(path)}, whose nodes reach from {lon0:.3f} to {east:.3f} degrees east and from "
                f"{south:.3f} to {lat0:.3f} degrees north, does not surround {bounds[0]:.3f}, {bounds[1]:.3f}, "
                f"{bounds[2]:.3f}, {bounds[3]:.3f} (west, south, east, north); use a grid that does"
            )
        block = _read(source, rows, columns, period)
        if np.isnan(block).all():
            raise DemError(
                f"geoid grid {redact(path)} has no undulation around {bounds[0]:.3f}, {bounds[1]:.3f}, "
                f"{bounds[2]:.3f}, {bounds[3]:.3f}: all values are void or outside {UNDULATIONS[0]:.0f} to "
                f"{UNDULATIONS[1]:.0f} m; use a grid of undulations"
            )
    return Geoid(block, lon0 + columns[0] * dx - turn, lat0 - rows[0] * dy, dx, dy, path)


def _period(width: int, dx: float) -> int | None:
    """Columns after which a global grid repeats (the last may repeat the first); None if not global."""
    for columns in (width, width - 1):
        if abs(columns * dx - 360.0) < 0.01 * dx:
            return columns
    return None


def _span(first: float, last: float, size: int) -> tuple[int, int] | None:
    """First node and count of the nodes surrounding an interval; None where the grid ends inside it."""
    low, high = math.floor(first + _TOLERANCE), math.ceil(last - _TOLERANCE)
    if low < 0 or high > size - 1 or size < 2:
        return None
    high = min(max(high, low + 1), size - 1)
    low = min(low, high - 1)
    return low, high - low + 1


def _columns(
    bounds: tuple[float, float, float, float], lon0: float, dx: float, width: int, period: int | None
) -> tuple[float, tuple[int, int] | None]:
    west, _, east, _ = bounds
    if period:
        low, high = math.floor((west - lon0) / dx + _TOLERANCE), math.ceil((east - lon0) / dx - _TOLERANCE)
        return 0.0, (low, max(high, low + 1) - low + 1)
    for turn in TURNS:
        span = _span((west + turn - lon0) / dx, (east + turn - lon0) / dx, width)
        if span:
            return turn, span
    return 0.0, None


def _read(
    source: rasterio.DatasetReader, rows: tuple[int, int], columns: tuple[int, int], period: int | None
) -> NDArray[np.float64]:
    from rasterio.windows import Window

    pieces = []
    scale, offset = source.scales[0], source.offsets[0]  # a grid may hold whole centimetres
    column, left = columns
    while left > 0:
        start = column % period if period else column
        count = min(left, (period - start) if period else left)
        window = Window(start, rows[0], count, rows[1])
        values = source.read(1, window=window, masked=True, out_dtype="float64").filled(np.nan)
        values = values * scale + offset
        with np.errstate(invalid="ignore"):
            values[~((values >= UNDULATIONS[0]) & (values <= UNDULATIONS[1]))] = np.nan
        pieces.append(values)
        column, left = column + count, left - count
    return np.hstack(pieces)


def _cell(position: NDArray[np.float64], size: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Index of the node before each position and the fraction beyond it; NaN fraction outside the grid."""
    with np.errstate(invalid="ignore"):
        inside = (position >= -_TOLERANCE) & (position <= size - 1 + _TOLERANCE)
    index = np.clip(np.floor(np.where(inside, position, 0.0)), 0, size - 2).astype(np.intp)
    return index, np.where(inside, position - index, np.nan)
