"""The output grid: an immutable value, compared by equality, small enough to cross processes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sarcube.crs import is_geographic, metres_per_unit
from sarcube.errors import GridError

__all__ = ["GeoGrid", "is_geographic", "metres_per_unit"]


@dataclass(frozen=True)
class GeoGrid:
    """A north-up raster grid, its pixels square unless `row_height` says otherwise.

    Attributes
    ----------
    epsg : int
        Code of the coordinate reference system.
    left, top : float
        Outer edges of the first column and the first row, in CRS units. Multiples of `resolution` in every
        grid that sarcube makes.
    resolution : float
        Pixel size in CRS units (metres in a projected CRS, degrees in a geographic one).
    width, height : int
        Columns and rows.
    row_height : float
        Height of a pixel where it is not its width (samples of a geocoded SLC), CRS units; 0: square.
    """

    epsg: int
    left: float
    top: float
    resolution: float
    width: int
    height: int
    row_height: float = 0.0

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1 or not self.resolution > 0:
            raise GridError(
                f"a grid needs at least one pixel and a positive resolution, not {self.width} x "
                f"{self.height} at {self.resolution}; check the AOI and grid.resolution"
            )

    @property
    def crs(self) -> str:
        return f"EPSG:{self.epsg}"

    @property
    def is_geographic(self) -> bool:
        """Whether x and y are longitude and latitude in degrees."""
        return is_geographic(self.epsg)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns), the order of numpy."""
        return self.height, self.width

    @property
    def step(self) -> float:
        """From one row to the next, CRS units."""
        return self.row_height or self.resolution

    @property
    def right(self) -> float:
        return self.left + self.width * self.resolution

    @property
    def bottom(self) -> float:
        return self.top - self.height * self.step

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top) in CRS units."""
        return self.left, self.bottom, self.right, self.top

    @property
    def transform(self) -> tuple[float, float, float, float, float, float]:
        """Affine coefficients (a, b, c, d, e, f) in rasterio's order."""
        return self.resolution, 0.0, self.left, 0.0, -self.step, self.top

    def x(self) -> NDArray[np.float64]:
        """Pixel-centre x of each column, shape (width,)."""
        return self.left + (np.arange(self.width, dtype=np.float64) + 0.5) * self.resolution

    def y(self) -> NDArray[np.float64]:
        """Pixel-centre y of each row, top to bottom, shape (height,)."""
        return self.top - (np.arange(self.height, dtype=np.float64) + 0.5) * self.step

    def bounded(self, most: int, cure: str) -> GeoGrid:
        """This grid; GridError, which ends in what to do, where it has more pixels than that."""
        if self.width * self.height > most:
            raise GridError(f"{self.width} x {self.height} pixels are too many (at most {most:,}); {cure}")
        return self

    @classmethod
    def snapped(cls, epsg: int, bounds: tuple[float, float, float, float], resolution: float) -> GeoGrid:
        """The smallest grid that covers `bounds` (left, bottom, right, top) on multiples of `resolution`."""
        left, bottom, right, top = bounds
        # A hair of tolerance, so that bounds which already are multiples do not grow by a pixel.
        col0 = math.floor(left / resolution + 1e-9)
        col1 = math.ceil(right / resolution - 1e-9)
        row0 = math.floor(bottom / resolution + 1e-9)
        row1 = math.ceil(top / resolution - 1e-9)
        return cls(epsg, col0 * resolution, row1 * resolution, resolution, col1 - col0, row1 - row0)
