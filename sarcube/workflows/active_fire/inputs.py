"""From a granule to what the engine works on: reflectance, F1 on the common grid, angles, water."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarcube.engines.fire.scene import FireScene, brought_to, glint_angle, pixel_area
from sarcube.sensors.sentinel3 import granule as sl
from sarcube.sensors.sentinel3.granule import Granule, has, read

_DAY = 85.0  # degrees: beyond it reflectance is not reckoned with
_CHANNELS = ("S1", "S2", "S3", "S5", "S6")
# Ratio of true to stored radiance of the nadir view (S3.PN-SLSTR-L1.08, as satpy applies it).
_NADIR_FACTORS = {"S1": 0.97, "S2": 0.98, "S3": 0.98, "S5": 1.11, "S6": 1.13}


def fire_scene(granule: Granule) -> FireScene:
    """All channels of a granule on its 1 km grid.

    Raises
    ------
    SceneError
        A file is absent or damaged.
    """
    latitude, longitude = (read(granule, "geodetic_in.nc", f"{n}_in") for n in ("latitude", "longitude"))
    flags = read(granule, "flags_in.nc", "confidence_in").astype(np.uint16)
    s7, exceptions = (read(granule, "S7_BT_in.nc", f"S7_{n}_in") for n in ("BT", "exception"))
    s7 = np.where(exceptions.astype(np.uint8) & (sl.EXCEPTION_SATURATED | sl.EXCEPTION_INVALID), np.nan, s7)
    s8, f2 = read(granule, "S8_BT_in.nc", "S8_BT_in"), read(granule, "F2_BT_in.nc", "F2_BT_in")
    sun, sun_azimuth, view, view_azimuth = _angles(granule)
    repeated = (flags & (sl.COSMETIC | sl.DUPLICATE | sl.UNFILLED)) > 0
    # Tidal ground is land or water with the hour: it is taken for land, as coasts are.
    water = (flags & (sl.OCEAN | sl.INLAND_WATER | sl.SNOW)) > 0
    return FireScene(
        latitude,
        longitude,
        s7,
        _f1(granule, longitude, latitude),
        np.where(np.isfinite(s8), s8, f2),
        read(granule, "S9_BT_in.nc", "S9_BT_in"),
        {name: _reflectance(granule, name, sun) for name in _CHANNELS},
        sun,
        view,
        glint_angle(sun, sun_azimuth, view, view_azimuth),
        water,
        repeated,
        pixel_area(view),
    )


def _f1(granule: Granule, longitude: NDArray[np.float64], latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """F1 on the grid of the other channels; each measurement in one pixel."""
    grid = granule.f1_grid
    values = read(granule, f"F1_BT_{grid}.nc", f"F1_BT_{grid}")
    if grid == "in":
        return np.asarray(values, np.float64)
    flags = read(granule, f"flags_{grid}.nc", f"confidence_{grid}").astype(np.uint16)
    values = np.where(flags & (sl.COSMETIC | sl.DUPLICATE), np.nan, values)
    own_longitude, own_latitude = (
        read(granule, f"geodetic_{grid}.nc", f"{n}_{grid}") for n in ("longitude", "latitude")
    )
    return brought_to(values, own_longitude, own_latitude, longitude, latitude)


def _reflectance(granule: Granule, name: str, sun: NDArray[np.float64]) -> NDArray[np.float64]:
    """pi L / (E0 cos(sun zenith)) of the mean over each 1 km pixel; NaN at night or where not delivered."""
    file, quality = f"{name}_radiance_an.nc", f"{name}_quality_an.nc"
    if not (has(granule, file) and has(granule, quality)):
        return np.full(granule.shape, np.nan)
    radiance = read(granule, file, f"{name}_radiance_an").astype(np.float64)
    irradiance = float(np.nanmean(read(granule, quality, f"{name}_solar_irradiance_an")))
    rows, columns = granule.shape
    whole = np.full((2 * rows, 2 * columns), np.nan)
    part = radiance[: 2 * rows, : 2 * columns]
    whole[: part.shape[0], : part.shape[1]] = part
    blocks = whole.reshape(rows, 2, columns, 2)
    count = np.isfinite(blocks).sum(axis=(1, 3))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, np.nansum(blocks, axis=(1, 3)) / count, np.nan)
        found: NDArray[np.float64] = np.where(
            sun < _DAY, _NADIR_FACTORS[name] * np.pi * mean / (irradiance * np.cos(np.radians(sun))), np.nan
        )
    return found


def _angles(granule: Granule) -> tuple[NDArray[np.float64], ...]:
    """Sun zenith and azimuth, view zenith and azimuth in degrees, from tie points to pixels.

    Tie points and pixels have coordinates across and along the track in metres (`cartesian_*`); directions are
    interpolated as unit vectors, so that azimuths turn through north.
    """
    from scipy.interpolate import RegularGridInterpolator

    x, y = (read(granule, "cartesian_tx.nc", f"{axis}_tx").astype(np.float64) for axis in "xy")
    px, py = (read(granule, "cartesian_in.nc", f"{axis}_in").astype(np.float64) for axis in "xy")
    across, along = np.nanmean(x, axis=0), np.nanmean(y, axis=1)
    flip = [slice(None, None, -1 if axis[0] > axis[-1] else 1) for axis in (along, across)]
    axes = (along[flip[0]], across[flip[1]])
    points = np.stack([np.clip(py, axes[0][0], axes[0][-1]), np.clip(px, axes[1][0], axes[1][-1])], axis=-1)
    out: list[NDArray[np.float64]] = []
    for which in ("solar", "sat"):
        zenith, azimuth = (
            np.radians(read(granule, "geometry_tn.nc", f"{which}_{n}_tn").astype(np.float64))
            for n in ("zenith", "azimuth")
        )
        vector = np.stack([np.sin(zenith) * np.sin(azimuth), np.sin(zenith) * np.cos(azimuth), np.cos(zenith)], axis=-1)
        east, north, up = np.moveaxis(RegularGridInterpolator(axes, vector[flip[0], flip[1]])(points), -1, 0)
        out += [np.degrees(np.arctan2(np.hypot(east, north), up)), np.degrees(np.arctan2(east, north)) % 360.0]
    return tuple(out)
