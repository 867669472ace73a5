from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sarcube.geometry.ellipsoid import geodetic_to_ecef
from sarcube.geometry.facets import facing, image_normal, magnitude, vector_area
from sarcube.geometry.orbit import Orbit, state
from sarcube.geometry.rdr2geo import rdr2geo


def test_area_of_a_known_triangle() -> None:
    area = vector_area((0.0, 0.0, 0.0), (3.0, 0.0, 0.0), (0.0, 4.0, 0.0))
    assert area == (0.0, 0.0, 6.0)
    assert magnitude(area) == 6.0
    assert facing(area, (0.0, 0.6, 0.8)) == pytest.approx(4.8)


def test_flat_ground_gives_the_textbook_ratios(make_orbit: Callable[..., Orbit]) -> None:
    """On flat ground gamma area = sigma area * cos(inc), beta area = sigma area * sin(inc)."""
    orbit = make_orbit(np.arange(0.0, 170.0, 10.0), phase=0.8)
    lon, lat, _ = rdr2geo(orbit, 80.0, 9e5, 0.0)
    a, b, c = (geodetic_to_ecef(x, y, 0.0) for x, y in ((lon, lat), (lon + 1e-4, lat), (lon, lat + 1e-4)))
    position, velocity = state(orbit, 80.0)
    look = (position - a) / np.linalg.norm(position - a)
    up = geodetic_to_ecef(lon, lat, 1.0) - a
    incidence = np.arccos(np.dot(look, up))
    area = vector_area(tuple(a), tuple(b), tuple(c))
    sigma = magnitude(area)
    assert facing(area, tuple(look)) == pytest.approx(sigma * np.cos(incidence), rel=1e-4)
    normal = image_normal(tuple(look), tuple(velocity))
    assert facing(area, normal) == pytest.approx(sigma * np.sin(incidence), rel=1e-3)
