"""The rasters of a single burst in radar geometry that HyP3 adds: where its looks lie, and what is seen there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from sarcube.cube.hyp3.facts import BurstPair, looks
from sarcube.geometry.burst_grid import transformer
from sarcube.geometry.dem import Dem
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.rdr2geo import rdr2geo_dem

_SEEN = 0.5  # weight of the pixels around that must hold data


def radar_rasters(
    pair: BurstPair, layers: Mapping[str, NDArray[np.number]], grid: GeoGrid
) -> dict[str, NDArray[np.number]]:
    """What HyP3 calls wrapped_phase_rdr, lat_rdr, lon_rdr and los_rdr.

    Parameters
    ----------
    pair : BurstPair
        Tells image and orbit of the first date.
    layers : mapping of str to (rows, columns) array
        interferogram, los_east, los_north, los_up and digital_elevation_model on the grid; NaN where not known.
    grid : GeoGrid

    Returns
    -------
    dict
        wrapped_phase_rdr: complex64, the interferogram before its filter; lat_rdr, lon_rdr: float32, degrees; los_rdr:
        float32, two bands, incidence and azimuth (degrees, the latter counter-clockwise from north, from the ground to
        the sensor, as ISCE2 has it). Each (lines / azimuth looks, samples / range looks), 0 where nothing is known.

    Raises
    ------
    OrbitError
        The pair's item carries no orbit.
    """
    in_range, in_azimuth = looks(pair.posting)
    radar, orbit = pair.radar, pair.orbit()
    begun = float((radar.first_line - orbit.epoch) / np.timedelta64(1, "ns")) * 1e-9
    rows, columns = max(1, radar.lines // in_azimuth), max(1, radar.samples // in_range)
    time = begun + (in_azimuth * (np.arange(rows) + 0.5) - 0.5) * radar.line_interval
    slant = radar.near_range + (in_range * (np.arange(columns) + 0.5) - 0.5) * radar.sample_spacing
    heights = np.asarray(layers["digital_elevation_model"], np.float32)
    dem = Dem(heights, grid.epsg, grid.left, grid.top, grid.resolution, grid.step, "")
    lon, lat, _ = rdr2geo_dem(orbit, time[:, None], slant[None, :], dem, method="bilinear")
    x, y = transformer(4326, grid.epsg).transform(lon, lat)
    place = np.array([(grid.top - y) / grid.step - 0.5, (x - grid.left) / grid.resolution - 0.5])
    known = np.isfinite(place).all(axis=0)
    place = np.where(known, place, -9.0)
    seen = sampled(layers["interferogram"], place)
    east, north, up = (sampled(layers[name], place) for name in ("los_east", "los_north", "los_up"))
    incidence = np.degrees(np.arccos(np.clip(up, -1.0, 1.0)))
    azimuth = (np.degrees(np.arctan2(north, east)) - 90.0 + 180.0) % 360.0 - 180.0
    return {
        "wrapped_phase_rdr": np.nan_to_num(seen).astype(np.complex64),
        "lat_rdr": np.where(known, lat, 0.0).astype(np.float32),
        "lon_rdr": np.where(known, (lon + 180.0) % 360.0 - 180.0, 0.0).astype(np.float32),
        "los_rdr": np.nan_to_num(np.stack([incidence, azimuth])).astype(np.float32),
    }


def sampled(values: NDArray[np.number], place: NDArray[np.float64]) -> NDArray[np.number]:
    """Bilinear, of the pixels that hold data; NaN where too few of them do."""
    there = np.isfinite(values)
    filled = np.where(there, values, 0).astype(np.result_type(values.dtype, np.float32))
    weight = map_coordinates(there.astype(np.float32), place, order=1, cval=0.0)
    if np.iscomplexobj(filled):
        real, imaginary = (map_coordinates(part, place, order=1, cval=0.0) for part in (filled.real, filled.imag))
        total: NDArray[np.number] = real + 1j * imaginary
    else:
        total = map_coordinates(filled, place, order=1, cval=0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(weight >= _SEEN, total / weight, np.nan))
