"""The grid that holds a footprint: CRS from its place, edges on multiples of the resolution."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from sarcube.errors import GridError
from sarcube.geometry.grid import GeoGrid, is_geographic
from sarcube.geometry.longitudes import Ring, unwrap_ring, wrap, wrap_longitude

POLAR_LATITUDE = 75.0  # beyond it UTM gives way to polar stereographic, as in OPERA RTC-S1
_NORTH_POLAR, _SOUTH_POLAR = 3413, 3031
_POINTS_PER_EDGE = 32


def transformer(source_epsg: int, target_epsg: int) -> Transformer:
    """A transformer in x, y (longitude, latitude) order; GridError names an unknown code."""
    try:
        return Transformer.from_crs(CRS.from_epsg(source_epsg), CRS.from_epsg(target_epsg), always_xy=True)
    except ProjError as error:
        raise GridError(
            f"cannot transform EPSG:{source_epsg} to EPSG:{target_epsg}: {error}; check grid.crs and the DEM"
        ) from error


def auto_epsg(lon: float, lat: float) -> int:
    """EPSG code for a burst whose centre is at `lon`, `lat` (degrees; lon may exceed 180).

    WGS 84 / UTM of the plain six-degree zone, NSIDC polar stereographic north (EPSG:3413) beyond 75 N and
    Antarctic polar stereographic (EPSG:3031) beyond 75 S.
    """
    if not (math.isfinite(lon) and abs(lat) <= 90.0):
        raise GridError(f"no CRS for longitude {lon}, latitude {lat}; check the burst's footprint")
    if lat >= POLAR_LATITUDE:
        return _NORTH_POLAR
    if lat <= -POLAR_LATITUDE:
        return _SOUTH_POLAR
    zone = math.floor((wrap(lon) + 180.0) / 6.0) + 1
    return (32600 if lat >= 0.0 else 32700) + zone


def _dense(points: NDArray[np.float64]) -> NDArray[np.float64]:
    closed = points if np.array_equal(points[0], points[-1]) else np.vstack([points, points[:1]])
    f = np.linspace(0.0, 1.0, _POINTS_PER_EDGE, endpoint=False)[:, None]
    edges = [a + f * (b - a) for a, b in pairwise(closed)]
    return np.vstack([*edges, closed[-1:]])


def ring_centre(ring: Ring) -> tuple[float, float]:
    """Middle of the ring's bounding box, (longitude, latitude) in degrees."""
    points = unwrap_ring(ring)
    low, high = points.min(axis=0), points.max(axis=0)
    return wrap(float(0.5 * (low[0] + high[0]))), float(0.5 * (low[1] + high[1]))


def footprint_grid(footprint: Ring, epsg: int | None = None, resolution: float = 20.0, margin: float = 0.0) -> GeoGrid:
    """The snapped grid that holds a footprint.

    Parameters
    ----------
    footprint : sequence of (longitude, latitude)
        Degrees; closed or not, on either side of the antimeridian or across it.
    epsg : int, optional
        Code of the grid's CRS; by default that of `auto_epsg` at the footprint's centre.
    resolution : float
        Pixel size, CRS units.
    margin : float
        Added on every side before snapping, CRS units.

    Returns
    -------
    GeoGrid
        Edges on multiples of `resolution`.
    """
    points = unwrap_ring(footprint)
    if epsg is None:
        epsg = auto_epsg(*ring_centre(footprint))
    dense = _dense(points)
    x, y = transformer(4326, epsg).transform(dense[:, 0], dense[:, 1])
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise GridError(f"the footprint cannot be expressed in EPSG:{epsg}; choose another grid.crs")
    if is_geographic(epsg):
        centre = 0.5 * (points[:, 0].min() + points[:, 0].max())
        x = wrap_longitude(x, centre)
    bounds = (x.min() - margin, y.min() - margin, x.max() + margin, y.max() + margin)
    return GeoGrid.snapped(epsg, bounds, resolution)


def grid_lonlat_bounds(grid: GeoGrid, margin: float = 0.0) -> tuple[float, float, float, float]:
    """(west, south, east, north) in degrees of everything on the grid, `east` beyond 180 across the antimeridian.

    Parameters
    ----------
    grid : GeoGrid
    margin : float
        Widens the grid on every side first, CRS units.

    Returns
    -------
    west, south, east, north : float
        west in [-180, 180); a grid that holds a pole spans all longitudes.
    """
    left, bottom, right, top = grid.bounds
    xs = np.linspace(left - margin, right + margin, _POINTS_PER_EDGE + 1)
    ys = np.linspace(bottom - margin, top + margin, _POINTS_PER_EDGE + 1)
    x, y = np.meshgrid(xs, ys)
    to_lonlat = transformer(grid.epsg, 4326)
    lon, lat = to_lonlat.transform(x, y)
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        raise GridError(f"the grid {grid.bounds} lies outside the valid area of {grid.crs}; check grid.crs")
    centre_lon = float(to_lonlat.transform(0.5 * (left + right), 0.5 * (bottom + top))[0])
    south, north = float(lat.min()), float(lat.max())
    for pole in (90.0, -90.0):
        px, py = transformer(4326, grid.epsg).transform(0.0, pole)
        inside = xs[0] <= px <= xs[-1] and ys[0] <= py <= ys[-1]
        if inside and not grid.is_geographic and abs(_centre_latitude(grid)) > 60.0:
            return -180.0, south if pole > 0 else pole, 180.0, pole if pole > 0 else north
    lon = wrap_longitude(lon, centre_lon)
    west, east = float(lon.min()), float(lon.max())
    turns = math.floor((west + 180.0) / 360.0) * 360.0
    return west - turns, south, east - turns, north


def _centre_latitude(grid: GeoGrid) -> float:
    """Latitude of the grid's centre in degrees."""
    left, bottom, right, top = grid.bounds
    return float(transformer(grid.epsg, 4326).transform(0.5 * (left + right), 0.5 * (bottom + top))[1])
