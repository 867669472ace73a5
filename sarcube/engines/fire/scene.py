"""What detection works on: all channels on the 1 km grid, each measurement in one pixel only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sarcube.geometry.ellipsoid import SEMI_MAJOR

Field = NDArray[np.float64]
Flag = NDArray[np.bool_]
_REACH_M = 1000.0  # how far F1 may lie from the pixel that it is brought to


@dataclass(frozen=True)
class FireScene:
    """Arrays (rows, columns) of one granule.

    Attributes
    ----------
    latitude, longitude : degrees
    s7, f1, t11, t12 : kelvin
        NaN where missing; s7 where saturated, too. t11 is S8, or F2 where S8 is missing.
    reflectance : mapping of "S2", "S3", "S6", ... to arrays
        NaN at night.
    sun_zenith, view_zenith, glint : degrees
        Glint: between the view and the mirrored sun.
    water, repeated : bool
        Open water or ice; pixels that repeat another's measurement (cosmetic, duplicate) or hold none.
    area : m2
    """

    latitude: Field
    longitude: Field
    s7: Field
    f1: Field
    t11: Field
    t12: Field
    reflectance: dict[str, Field]
    sun_zenith: Field
    view_zenith: Field
    glint: Field
    water: Flag
    repeated: Flag
    area: Field


def unit_vectors(longitude: Field, latitude: Field) -> Field:
    """Points of the unit sphere, shape (n, 3), of degrees in any shape."""
    lon, lat = np.radians(longitude).ravel(), np.radians(latitude).ravel()
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def brought_to(
    values: Field, longitude: Field, latitude: Field, to_longitude: Field, to_latitude: Field, reach: float = _REACH_M
) -> Field:
    """Values at scattered points brought to the nearest of others, each value to one point only.

    Parameters
    ----------
    values, longitude, latitude : arrays of one shape
        NaN values are brought nowhere.
    to_longitude, to_latitude : (rows, columns) arrays, degrees
    reach : float
        Metres.

    Returns
    -------
    (rows, columns) array
        NaN where no value is nearest or within reach.
    """
    from scipy.spatial import cKDTree

    out = np.full(to_longitude.shape, np.nan)
    good = np.isfinite(values) & np.isfinite(longitude) & np.isfinite(latitude)
    there = np.isfinite(to_longitude) & np.isfinite(to_latitude)
    if not (good.any() and there.any()):
        return out
    tree = cKDTree(unit_vectors(to_longitude[there], to_latitude[there]))
    distance, target = tree.query(
        unit_vectors(longitude[good], latitude[good]), distance_upper_bound=reach / SEMI_MAJOR
    )
    near = np.isfinite(distance)
    flat, taken = np.full(int(there.sum()), np.nan), np.asarray(values[good])[near]
    order = np.argsort(-distance[near], kind="stable")  # where two meet the nearer one is written last
    flat[target[near][order]] = taken[order]
    out[there] = flat
    return out


def glint_angle(sun_zenith: Field, sun_azimuth: Field, view_zenith: Field, view_azimuth: Field) -> Field:
    """Angle in degrees between the direction to the sensor and the sun's mirror image on a level surface."""
    s, v = np.radians(sun_zenith), np.radians(view_zenith)
    turned = np.radians(sun_azimuth - view_azimuth)
    cosine = np.cos(s) * np.cos(v) - np.sin(s) * np.sin(v) * np.cos(turned)
    angle: Field = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return angle


def pixel_area(view_zenith: Field, nadir: float = 1.0e6, altitude: float = 814_500.0) -> Field:
    """Ground area in m2 of a square degree-fixed field of view at a zenith angle.

    The slant range grows across and along, and the footprint is stretched by 1 / cos(zenith) along the view.
    """
    zenith = np.radians(np.nan_to_num(view_zenith))
    radius = SEMI_MAJOR
    nadir_angle = np.arcsin(np.sin(zenith) * radius / (radius + altitude))
    inner = zenith - nadir_angle
    with np.errstate(invalid="ignore", divide="ignore"):
        slant = np.where(nadir_angle > 1e-9, radius * np.sin(inner) / np.sin(nadir_angle), altitude)
    area: Field = nadir * (slant / altitude) ** 2 / np.cos(zenith)
    return area
