"""The geoid: golden crops, seams, poles, and no silent zero."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import from_origin

from sarcube.config import DemConfig
from sarcube.errors import DemError
from sarcube.terrain.dem import load_dem
from sarcube.terrain.geoid import Geoid, load_geoid


@pytest.mark.parametrize("place", ["los_angeles", "fairbanks"])
def test_geoid_heights_become_the_golden_ellipsoid_heights_within_a_centimetre_everywhere(
    shared_data: Path, place: str
) -> None:
    dem = shared_data / "data" / "dem"
    with rasterio.open(dem / f"{place}_dem_ellipsoid.tif") as source:
        golden, transform = source.read(1), source.transform
        west, south, east, north = source.bounds
    config = DemConfig(
        path=str(dem / f"{place}_dem_geoid.tif"),
        heights="egm2008",
        geoid=str(shared_data / "data" / "geoid" / f"egm_08_{place}.tif"),
    )
    found = load_dem(config, (west, south, east, north))
    assert found.heights.shape == golden.shape
    assert (found.left, found.top) == pytest.approx((transform.c, transform.f), abs=1e-12)
    assert np.abs(found.heights - golden).max() < 0.01  # measured: 1.5 mm
    assert "egm2008" in found.description and place in found.description


def test_without_a_grid_there_is_an_error_that_says_what_to_do(shared_data: Path) -> None:
    config = DemConfig(path=str(shared_data / "data" / "dem" / "los_angeles_dem_geoid.tif"), heights="egm2008")
    with pytest.raises(DemError, match=r"set dem\.geoid"):
        load_dem(config, (-118.04, 33.96, -117.96, 34.04))


def test_a_grid_of_another_place_is_refused(shared_data: Path) -> None:
    config = DemConfig(
        path=str(shared_data / "data" / "dem" / "los_angeles_dem_geoid.tif"),
        heights="egm2008",
        geoid=str(shared_data / "data" / "geoid" / "egm_08_fairbanks.tif"),
    )
    with pytest.raises(DemError, match="does not surround"):
        load_dem(config, (-118.04, 33.96, -117.96, 34.04))


def test_egm96_is_one_surface_across_the_antimeridian_and_at_the_poles(shared_data: Path) -> None:
    path = str(shared_data / "data" / "geoid" / "egm96_15.gtx")
    lat = np.linspace(-89.9, 89.9, 300)
    across = load_geoid(path, (178.0, -90.0, 182.0, 90.0), "egm96")
    east = load_geoid(path, (178.0, -90.0, 180.0, 90.0), "egm96")
    west = load_geoid(path, (-180.0, -90.0, -178.0, 90.0), "egm96")
    for step in (0.0, 0.1, 1.3):
        assert across.at_points(np.full(300, 180.0 - step), lat) == pytest.approx(
            east.at_points(np.full(300, 180.0 - step), lat), abs=1e-9
        )
        assert across.at_points(np.full(300, 180.0 + step), lat) == pytest.approx(
            west.at_points(np.full(300, -180.0 + step), lat), abs=1e-9
        )
    # The geoid is one height at a pole, whatever the longitude; EGM96 has -29.53 m at the south pole.
    pole = load_geoid(path, (-180.0, -90.0, 180.0, 90.0), "egm96")
    lon = np.linspace(-180, 180, 37)
    assert np.ptp(pole.at_points(lon, np.full(37, -90.0))) < 1e-3
    assert pole.at_points(np.array([0.0]), np.array([-90.0]))[0] == pytest.approx(-29.534, abs=0.01)


def grid(undulation: np.ndarray) -> Geoid:
    return Geoid(undulation.astype(np.float64), 10.0, 50.0, 0.25, 0.5, "made here")


@settings(max_examples=50, deadline=None)
@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-100, 100))
def test_a_plane_is_reproduced_exactly_and_both_ways_agree(a: float, b: float, c: float) -> None:
    lon, lat = 10.0 + 0.25 * np.arange(9), 50.0 - 0.5 * np.arange(7)
    geoid = grid(a * lon[None, :] + b * lat[:, None] + c)
    x, y = np.linspace(10.0, 12.0, 33), np.linspace(50.0, 47.0, 29)
    plane = a * x[None, :] + b * y[:, None] + c
    assert np.abs(geoid.at_axes(x, y) - plane).max() < 1e-9
    assert np.abs(geoid.at_points(*np.meshgrid(x, y)) - plane).max() < 1e-9


def test_outside_the_nodes_and_at_voids_there_is_no_value() -> None:
    values = np.zeros((7, 9))
    values[3, 4] = np.nan
    geoid = grid(values)
    points = geoid.at_points(np.array([9.99, 12.01, 11.0, 10.1]), np.array([49.0, 49.0, 48.6, 50.2]))
    assert np.isnan(points).all()


def test_a_grid_of_whole_centimetres_with_voids(tmp_path: Path) -> None:
    stored = np.arange(81, dtype=np.int16).reshape(9, 9) * 10
    stored[4, 4] = -9999
    with rasterio.open(
        tmp_path / "geoid.tif", "w", driver="GTiff", width=9, height=9, count=1, dtype="int16", nodata=-9999,
        transform=from_origin(10, 50, 0.25, 0.25), crs="EPSG:4326",
    ) as target:  # fmt: skip
        target.write(stored, 1)
        target.scales, target.offsets = (0.01,), (40.0,)
    geoid = load_geoid(str(tmp_path / "geoid.tif"), (10.5, 48.5, 11.5, 49.5))
    values = geoid.at_points(np.array([10.625, 11.125]), np.array([49.375, 48.875]))
    assert values[0] == pytest.approx(40.0 + 0.01 * stored[2, 2], abs=1e-9)
    assert np.isnan(values[1])


@pytest.mark.parametrize("fault", ["projected", "missing", "garbage", "rotated"])
def test_a_file_that_is_no_geoid_grid(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "geoid.tif"
    if fault == "garbage":
        path.write_bytes(b"II*\0" + b"\xff" * 500)
    elif fault != "missing":
        transform = from_origin(10, 50, 0.25, 0.25)
        if fault == "rotated":
            transform = transform @ transform.rotation(20)
        with rasterio.open(
            path, "w", driver="GTiff", width=9, height=9, count=1, dtype="float32", transform=transform,
            crs="EPSG:32633" if fault == "projected" else "EPSG:4326",
        ) as target:  # fmt: skip
            target.write(np.zeros((9, 9), np.float32), 1)
    with pytest.raises(DemError, match=r"geoid"):
        load_geoid(str(path), (10.5, 48.5, 11.5, 49.5))
