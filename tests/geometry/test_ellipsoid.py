from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from sarcube.geometry.ellipsoid import ecef_to_geodetic, geodetic_to_ecef


def test_agrees_with_proj_from_pole_to_pole_and_sea_floor_to_orbit() -> None:
    rng = np.random.default_rng(1)
    lon, lat, h = rng.uniform(-180, 180, 500), rng.uniform(-90, 90, 500), rng.uniform(-500, 8e5, 500)
    lat[:4] = [90, -90, 0, 89.9999999]
    expected = np.stack(Transformer.from_crs(4979, 4978, always_xy=True).transform(lon, lat, h), axis=-1)
    assert np.abs(geodetic_to_ecef(lon, lat, h) - expected).max() < 1e-8


@settings(deadline=None)  # the first call compiles
@given(st.floats(-179.99, 179.99), st.floats(-90, 90), st.floats(-1000, 1e6))
def test_there_and_back(lon: float, lat: float, h: float) -> None:
    back_lon, back_lat, back_h = ecef_to_geodetic(geodetic_to_ecef(lon, lat, h))
    assert float(back_lat) == pytest.approx(lat, abs=1e-11)
    assert float(back_h) == pytest.approx(h, abs=1e-7)
    # A longitude means less and less towards the pole.
    assert abs(float(back_lon) - lon) * np.cos(np.radians(lat)) < 1e-11


def test_shapes_broadcast() -> None:
    xyz = geodetic_to_ecef(np.zeros((3, 1)), np.zeros(4), 10.0)
    assert xyz.shape == (3, 4, 3)
    lon, lat, h = ecef_to_geodetic(xyz)
    assert lon.shape == lat.shape == h.shape == (3, 4)
