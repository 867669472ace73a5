"""Areas of terrain facets as the radiometry needs them.

A facet is a triangle of the DEM in ECEF. Half the cross product of two sides is its vector area; how much of it
faces a direction is the dot product with that direction (Small, "Flattening gamma", IEEE TGRS 49, 2011, section III;
Shiroma et al., "An area-based projection algorithm for SAR radiometric terrain correction and geocoding", IEEE
TGRS 60, 2022).
"""

from __future__ import annotations

import math

from numba import njit

Vector = tuple[float, float, float]


@njit(cache=True, nogil=True)
def vector_area(a: Vector, b: Vector, c: Vector) -> Vector:
    """Half of (b - a) x (c - a): its length is the triangle's area, its direction the normal."""
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    return 0.5 * (uy * vz - uz * vy), 0.5 * (uz * vx - ux * vz), 0.5 * (ux * vy - uy * vx)


@njit(cache=True, nogil=True)
def facing(area: Vector, direction: Vector) -> float:
    """The part of a vector area seen along a unit direction; negative when it faces away."""
    return area[0] * direction[0] + area[1] * direction[1] + area[2] * direction[2]


@njit(cache=True, nogil=True)
def magnitude(v: Vector) -> float:
    """Length of a vector."""
    return math.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2])


@njit(cache=True, nogil=True)
def image_normal(look: Vector, velocity: Vector) -> Vector:
    """Unit normal of the slant-range plane of a right-looking radar, its upward side.

    `look` is the unit vector from the target to the platform. On flat ground the normal makes the sine of the
    incidence angle with the vertical, so `facing(vector_area, image_normal)` is the beta-nought area.
    """
    x = velocity[1] * look[2] - velocity[2] * look[1]
    y = velocity[2] * look[0] - velocity[0] * look[2]
    z = velocity[0] * look[1] - velocity[1] * look[0]
    n = math.sqrt(x * x + y * y + z * z)
    return x / n, y / n, z / n
