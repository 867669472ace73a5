"""The pixels of heights that are to be filled, and rings and bounds upon them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sarcube.geometry.grid import is_geographic

Bounds = tuple[float, float, float, float]
Ring = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Lattice:
    """Pixels of a CRS: `left`, `top` are outer edges, rows run north to south."""

    epsg: int
    left: float
    top: float
    dx: float
    dy: float
    width: int
    height: int

    @property
    def right(self) -> float:
        return self.left + self.width * self.dx

    @property
    def bottom(self) -> float:
        return self.top - self.height * self.dy

    @property
    def geographic(self) -> bool:
        return is_geographic(self.epsg)


@dataclass(frozen=True, eq=False)
class PointHeights:
    """Heights that are known at some points, each attribute of shape (n,).

    Attributes
    ----------
    longitude, latitude : float64
        Degrees, longitudes of any turn.
    height : float64
        Metres above the ellipsoid or above the geoid: annotations of real scenes have 0 m over sea.
    geoid : float64
        Metres from the ellipsoid up to the geoid there; NaN where not known.
    """

    longitude: NDArray[np.float64]
    latitude: NDArray[np.float64]
    height: NDArray[np.float64]
    geoid: NDArray[np.float64]


def lattice_crs(lattice: Lattice) -> str:
    """The lattice's CRS in the form that rasterio takes."""
    return f"EPSG:{lattice.epsg}"


def ring_mask(ring: NDArray[np.float64], lattice: Lattice) -> NDArray[np.bool_]:
    """Pixels whose centre lies in a ring of the lattice's CRS."""
    from affine import Affine
    from rasterio.features import rasterize

    if not np.isfinite(ring).all():
        return np.zeros((lattice.height, lattice.width), np.bool_)
    shape = {"type": "Polygon", "coordinates": [ring.tolist()]}
    burnt = rasterize(
        [(shape, 1)],
        out_shape=(lattice.height, lattice.width),
        transform=Affine(lattice.dx, 0, lattice.left, 0, -lattice.dy, lattice.top),
        dtype="uint8",
    )
    return np.asarray(burnt == 1)


def rectangle(bounds: Bounds) -> Ring:
    """The ring of a longitude and latitude rectangle, with points along its edges."""
    west, south, east, north = bounds
    lon, lat = np.linspace(west, east, 33), np.linspace(south, north, 33)
    x = np.concatenate([lon, np.full(33, east), lon[::-1], np.full(33, west)])
    y = np.concatenate([np.full(33, south), lat, np.full(33, north), lat[::-1]])
    return list(zip(x.tolist(), y.tolist(), strict=True))


def extent(missing: NDArray[np.bool_], lattice: Lattice) -> Bounds:
    """Bounds in degrees of the pixels that are true; east may exceed 180."""
    rows, columns = np.flatnonzero(missing.any(axis=1)), np.flatnonzero(missing.any(axis=0))
    left, right = lattice.left + columns[0] * lattice.dx, lattice.left + (columns[-1] + 1) * lattice.dx
    top, bottom = lattice.top - rows[0] * lattice.dy, lattice.top - (rows[-1] + 1) * lattice.dy
    if lattice.geographic:
        return left, bottom, right, top
    from rasterio.warp import transform_bounds

    west, south, east, north = transform_bounds(lattice_crs(lattice), "EPSG:4326", left, bottom, right, top)
    return west, south, east + 360.0 if east < west else east, north


def say(bounds: Bounds) -> str:
    """Bounds in words."""
    west, south, east, north = bounds
    return f"{west:.4f} to {east:.4f} degrees east, {south:.4f} to {north:.4f} degrees north"
