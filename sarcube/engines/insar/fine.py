"""The fine grid: samples of a geocoded SLC, a whole number of which make up each cell of a product's grid.

Ground range is sampled at 4.9 m or better by the range bandwidth, azimuth at about 21 m: a sample every 5 m along
rows and 10 m along columns keeps both spectra where map axes follow range and azimuth. Beyond 60 degrees of latitude
they turn, and samples are square.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sarcube.geometry.burst_grid import transformer
from sarcube.geometry.grid import GeoGrid

COLUMN_METRES, ROW_METRES = 5.0, 10.0
_SQUARE_LATITUDE = 60.0
_METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True)
class FineGrid:
    """A product's grid, each of its cells cut into `rows` by `columns` samples."""

    grid: GeoGrid
    rows: int
    columns: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.grid.height * self.rows, self.grid.width * self.columns

    @property
    def spacing(self) -> tuple[float, float]:
        """Between rows and between columns, CRS units."""
        return self.grid.resolution / self.rows, self.grid.resolution / self.columns

    def x(self) -> NDArray[np.float64]:
        return self.grid.left + (np.arange(self.shape[1], dtype=np.float64) + 0.5) * self.spacing[1]

    def y(self) -> NDArray[np.float64]:
        return self.grid.top - (np.arange(self.shape[0], dtype=np.float64) + 0.5) * self.spacing[0]


def fine_grid(grid: GeoGrid) -> FineGrid:
    """The fine grid of a product's grid: the same samples for every resolution that is a multiple of 10 m."""
    across, down = metres_per_unit(grid)
    x, y = 0.5 * (grid.left + grid.right), 0.5 * (grid.bottom + grid.top)
    latitude = float(transformer(grid.epsg, 4326).transform(x, y)[1])
    row = COLUMN_METRES if abs(latitude) > _SQUARE_LATITUDE else ROW_METRES
    return FineGrid(
        grid,
        max(1, math.ceil(grid.resolution * down / row - 1e-6)),
        max(1, math.ceil(grid.resolution * across / COLUMN_METRES - 1e-6)),
    )


def as_fine(grid: GeoGrid | FineGrid) -> FineGrid:
    """The fine grid of a product's grid; one that is given stays as it is."""
    return grid if isinstance(grid, FineGrid) else fine_grid(grid)


def metres_per_unit(grid: GeoGrid) -> tuple[float, float]:
    """Metres along x and along y that a CRS unit is worth, at the grid's middle."""
    if not grid.is_geographic:
        return 1.0, 1.0
    latitude = math.radians(0.5 * (grid.bottom + grid.top))
    return _METRES_PER_DEGREE * max(math.cos(latitude), 0.01), _METRES_PER_DEGREE
