"""Where a burst lies on the Earth, by ESA's geolocation grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import SceneError
from sarcube.geometry.longitudes import wrap_longitude
from sarcube.sensors.sentinel1.model import GeolocationGrid

ALONG_RANGE, ALONG_AZIMUTH = 9, 3  # points of each edge: the edges of a swath are slightly curved


def burst_footprint(
    grid: GeolocationGrid, times: tuple[float, float], range_times: tuple[float, float]
) -> tuple[tuple[float, float], ...]:
    """Closed ring of longitude and latitude around a rectangle of radar coordinates.

    Azimuth time is the coordinate, not the line: bursts overlap, lines of the swath's image do not know it.

    Parameters
    ----------
    grid : GeolocationGrid
    times : (first, last)
        Zero-Doppler times, seconds since the burst orbit's epoch.
    range_times : (near, far)
        Two-way slant range times, seconds.

    Returns
    -------
    tuple of (longitude, latitude)
        Degrees, counter-clockwise, unwrapped: where the burst crosses the antimeridian longitudes exceed 180.
    """
    far = np.linspace(*range_times, ALONG_RANGE)
    late = np.linspace(*times, ALONG_AZIMUTH)
    edge_times = np.concatenate(
        [np.full(ALONG_RANGE - 1, times[0]), late[:-1], np.full(ALONG_RANGE - 1, times[1]), late[:0:-1]]
    )
    edge_ranges = np.concatenate(
        [far[:-1], np.full(ALONG_AZIMUTH - 1, far[-1]), far[:0:-1], np.full(ALONG_AZIMUTH - 1, far[0])]
    )
    longitude, latitude = locate(grid, edge_times, edge_ranges)
    area = float(np.sum(longitude * np.roll(latitude, -1) - np.roll(longitude, -1) * latitude))
    if area < 0:
        longitude, latitude = longitude[::-1], latitude[::-1]
    longitude = longitude - 360.0 * np.floor((longitude.min() + 180.0) / 360.0)
    ring = [(float(x), float(y)) for x, y in zip(longitude, latitude, strict=True)]
    return (*ring, ring[0])


def locate(
    grid: GeolocationGrid, times: NDArray[np.float64], range_times: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitude (unwrapped) and latitude (n,), bilinear within the grid, extrapolated a little beyond it."""
    if grid.line.size < 4:
        raise SceneError(f"the geolocation grid has {grid.line.size} points, too few; the annotation is damaged")
    columns = int(np.count_nonzero(grid.line == grid.line[0]))
    rows = grid.line.size // columns
    if rows < 2 or columns < 2 or rows * columns != grid.line.size:
        raise SceneError(f"the geolocation grid of {grid.line.size} points is no grid; the annotation is damaged")
    shape = (rows, columns)
    row_times = grid.azimuth_time.reshape(shape)[:, 0]
    column_ranges = grid.range_time.reshape(shape)[0]
    if np.any(np.diff(row_times) <= 0) or np.any(np.diff(column_ranges) <= 0):
        raise SceneError("the geolocation grid is not in order of time and range; the annotation is damaged")
    i = np.clip(np.searchsorted(row_times, times) - 1, 0, rows - 2)
    j = np.clip(np.searchsorted(column_ranges, range_times) - 1, 0, columns - 2)
    u = (times - row_times[i]) / (row_times[i + 1] - row_times[i])
    v = (range_times - column_ranges[j]) / (column_ranges[j + 1] - column_ranges[j])
    unwrapped = wrap_longitude(grid.longitude, float(grid.longitude[0]))

    def bilinear(values: NDArray[np.float64]) -> NDArray[np.float64]:
        table = values.reshape(shape)
        near = table[i, j] * (1 - v) + table[i, j + 1] * v
        far = table[i + 1, j] * (1 - v) + table[i + 1, j + 1] * v
        return np.asarray(near * (1 - u) + far * u)

    return bilinear(unwrapped), np.clip(bilinear(grid.latitude), -90.0, 90.0)
