"""A DEM held in memory, its heights above the WGS 84 ellipsoid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Dem:
    """Heights on a regular grid.

    Attributes
    ----------
    heights : (rows, columns) float32
        Metres above the WGS 84 ellipsoid; NaN where void.
    epsg : int
        CRS of the grid (EPSG:4326 means x = longitude, y = latitude, degrees). Longitudes may run beyond
        180 so that a DEM across the antimeridian is one array.
    left, top : float
        Outer edge of the first column and row (pixel-is-area), CRS units.
    dx, dy : float
        Pixel size, both positive (rows run north to south), CRS units.
    description : str
        What it is and where it came from, for the product's record.
    """

    heights: NDArray[np.float32]
    epsg: int
    left: float
    top: float
    dx: float
    dy: float
    description: str = ""
