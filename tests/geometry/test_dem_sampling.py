from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.warp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from sarcube.errors import DemError
from sarcube.geometry.burst_grid import footprint_grid, grid_lonlat_bounds, transformer
from sarcube.geometry.dem import Dem, height_range, sample_grid, sample_lonlat, sample_window
from sarcube.geometry.grid import GeoGrid

ALEUTIANS = [(179.4, 51.8), (-179.3, 52.0), (-179.4, 52.3), (179.3, 52.1)]
ROSS = [(179.0, -78.0), (-177.0, -78.2), (-177.5, -78.6), (178.5, -78.4)]
MOROCCO = [(-9.0, 30.0), (-8.5, 30.0), (-8.5, 30.3), (-9.0, 30.3)]
NODES = np.arange(6)


def rough(rows: int, cols: int, seed: int = 0) -> NDArray[np.float32]:
    return (np.random.default_rng(seed).normal(size=(rows, cols)) * 100 + 1500).astype(np.float32)


def smooth_dem(grid: GeoGrid, pixel: float) -> Dem:
    """A plane-wave relief in longitude and latitude around a grid."""
    west, south, east, north = grid_lonlat_bounds(grid, 20 * grid.resolution)
    lon = west + (np.arange(int((east - west) / pixel) + 8) + 0.5) * pixel
    lat = north - (np.arange(int((north - south) / pixel) + 8) + 0.5) * pixel
    return Dem(relief(lon[None], lat[:, None]).astype(np.float32), 4326, west, north, pixel, pixel)


def relief(lon: NDArray, lat: NDArray) -> NDArray:
    return 800.0 + 300.0 * np.sin(np.radians(lon) * 900.0) * np.cos(np.radians(lat) * 1500.0)


def spline(z: NDArray, row: float, col: float) -> float:
    """Natural cubic spline of the six by six window, by scipy."""
    i, j = int(row), int(col)
    window = z[i - 1 : i + 5, j - 1 : j + 5].astype(np.float64)
    along = [CubicSpline(NODES, line, bc_type="natural")(col - j + 1) for line in window]
    return float(CubicSpline(NODES, along, bc_type="natural")(row - i + 1))


def test_biquintic_is_the_six_point_natural_spline() -> None:
    dem = Dem(rough(40, 50), 4326, 10.0, 50.0, 0.001, 0.002)
    rng = np.random.default_rng(1)
    row, col = rng.uniform(2, 34, 200), rng.uniform(2, 44, 200)
    lon, lat = 10.0 + (col + 0.5) * 0.001, 50.0 - (row + 0.5) * 0.002
    expected = [spline(dem.heights, r, c) for r, c in zip(row, col, strict=True)]
    assert np.abs(sample_lonlat(dem, lon, lat) - expected).max() < 1e-3


def test_aligned_warped_and_scattered_agree() -> None:
    """The same DEM by the three paths; the grid's CRS is geographic to let them meet."""
    dem = Dem(rough(400, 500), 4326, 10.0, 50.0, 0.0003, 0.0003)
    grid = GeoGrid(4326, 10.01, 49.99, 0.0002, 500, 400)
    same = sample_grid(dem, grid)
    lon, lat = np.meshgrid(grid.x(), grid.y())
    assert np.abs(same - sample_lonlat(dem, lon, lat)).max() < 1e-3
    # NAD83 differs from WGS 84 by nothing in PROJ's default: same numbers by the other path.
    twin = GeoGrid(4269, grid.left, grid.top, grid.resolution, grid.width, grid.height)
    assert np.abs(same - sample_grid(dem, twin)).max() < 1e-2


@pytest.mark.parametrize("ring", [MOROCCO, ALEUTIANS, ROSS])
@pytest.mark.parametrize("method", ["biquintic", "bilinear"])
def test_geographic_dem_on_projected_grids(ring: list, method: str) -> None:
    grid = footprint_grid(ring, resolution=40.0)
    dem = smooth_dem(grid, 1 / 3600)
    z = sample_grid(dem, grid, method=method)
    assert z.shape == grid.shape
    assert not np.isnan(z).any()
    lon, lat = transformer(grid.epsg, 4326).transform(*np.meshgrid(grid.x(), grid.y()))
    lon = np.where(lon < dem.left, lon + 360.0, lon)
    error = np.abs(z - relief(lon, lat)).max()
    assert error < (0.05 if method == "biquintic" else 1.0)
    assert np.abs(z[::37, ::41] - sample_lonlat(dem, lon, lat, method)[::37, ::41]).max() < 1e-2


def test_corners_upsampling_and_windows_are_one_lattice() -> None:
    grid = footprint_grid(MOROCCO, resolution=100.0)
    dem = smooth_dem(grid, 1 / 1200)
    corners = sample_grid(dem, grid, at="corners", upsampling=2)
    assert corners.shape == (2 * grid.height + 1, 2 * grid.width + 1)
    # A corner of the twice finer grid that is odd in both directions is a pixel's centre.
    assert np.abs(corners[1::2, 1::2] - sample_grid(dem, grid)).max() < 1e-3
    fine = sample_grid(dem, grid, upsampling=2)
    assert fine.shape == (2 * grid.height, 2 * grid.width)
    part = sample_window(dem, grid, (10.25, 20.25), 0.5, (30, 40))
    assert np.abs(part - fine[20:50, 40:80]).max() < 1e-3
    outside = sample_window(dem, grid, (-2.0, -3.0), 1.0, (5, 6))
    assert np.abs(outside[2:, 3:] - corners[:6:2, :6:2]).max() < 1e-3
    threads = sample_grid(dem, grid, at="corners", upsampling=2, parallel=True)
    assert np.array_equal(threads, corners)


@pytest.mark.parametrize("aligned", [True, False])
def test_a_void_reaches_no_further_than_its_neighbours(aligned: bool) -> None:
    grid = GeoGrid(32629, 500_000.0, 3_300_000.0, 30.0, 60, 50)
    if aligned:
        whole = Dem(rough(70, 80), 32629, 499_712.0, 3_300_305.0, 30.0, 30.0)
    else:
        west, south, east, north = grid_lonlat_bounds(grid, 600.0)
        whole = Dem(rough(140, 160), 4326, west, north, (east - west) / 160, (north - south) / 140)
    heights = whole.heights.copy()
    heights[30:33, 40:44] = np.nan
    holed = Dem(heights, whole.epsg, whole.left, whole.top, whole.dx, whole.dy)
    before, after = sample_grid(whole, grid), sample_grid(holed, grid)
    x, y = np.meshgrid(grid.x(), grid.y())
    if not aligned:
        x, y = transformer(grid.epsg, 4326).transform(x, y)
    row, col = whole.positions(x, y)
    i, j = np.floor(row + 1e-7).astype(int), np.floor(col + 1e-7).astype(int)
    fi, fj = row - i > 1e-6, col - j > 1e-6
    void = np.isnan(heights)
    touched = void[i, j] | (void[i + 1, j] & fi) | (void[i, j + 1] & fj) | (void[i + 1, j + 1] & fi & fj)
    assert np.array_equal(np.isnan(after), touched)
    assert touched.any()
    # Far from the void nothing changes; near it the bilinear height stands in.
    far = (np.abs(row - 31) > 6) | (np.abs(col - 41.5) > 6)
    assert np.array_equal(before[far], after[far])
    near = ~touched & (before != after)
    assert near.any()
    flat = sample_grid(whole, grid, method="bilinear")
    assert np.abs(after[near] - flat[near]).max() < 1e-2


def test_outside_is_nan_and_the_outer_half_pixel_is_not() -> None:
    dem = Dem(np.full((20, 30), 7.0, np.float32), 32629, 500_000.0, 3_300_000.0, 30.0, 30.0)
    grid = GeoGrid(32629, 499_900.0, 3_300_100.0, 20.0, 60, 45)
    z = sample_grid(dem, grid)
    x, y = np.meshgrid(grid.x(), grid.y())
    inside = (x >= dem.left) & (x <= dem.right) & (y <= dem.top) & (y >= dem.bottom)
    assert np.array_equal(np.isfinite(z), inside)
    assert np.abs(z[inside] - 7.0).max() < 1e-5


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.floats(-5, 5), st.floats(-5, 5), st.sampled_from(["biquintic", "bilinear"]))
def test_a_plane_comes_back(seed: int, a: float, b: float, method: str) -> None:
    col, row = np.meshgrid(np.arange(30.0), np.arange(25.0))
    dem = Dem((100 + a * col + b * row).astype(np.float32), 4326, 5.0, 45.0, 0.01, 0.01)
    rng = np.random.default_rng(seed)
    r, c = rng.uniform(1, 20, 20), rng.uniform(1, 25, 20)
    z = sample_lonlat(dem, 5.0 + (c + 0.5) * 0.01, 45.0 - (r + 0.5) * 0.01, method)
    assert np.abs(z - (100 + a * c + b * r)).max() < 1e-3


def test_covers_knows_whole_turns() -> None:
    dem = Dem(np.zeros((10, 20), np.float32), 4326, 179.0, 10.0, 0.1, 0.1)
    assert dem.bounds == pytest.approx((179.0, 9.0, 181.0, 10.0))
    assert dem.covers((179.0, 9.0, 181.0, 10.0))
    assert dem.covers((-181.0, 9.2, -179.0, 9.8))
    assert not dem.covers((178.9, 9.2, 180.0, 9.8))
    assert not dem.covers((179.5, 8.9, 180.0, 9.8))
    projected = Dem(np.zeros((10, 20), np.float32), 32629, 0.0, 300.0, 30.0, 30.0)
    assert projected.covers((0.0, 0.0, 600.0, 300.0))
    assert not projected.covers((0.0, 0.0, 600.0, 301.0))


def test_wrong_dems_are_refused() -> None:
    with pytest.raises(DemError, match="float32"):
        Dem(np.zeros((3, 3)), 4326, 0.0, 0.0, 1.0, 1.0)  # type: ignore[arg-type]
    with pytest.raises(DemError, match="positive"):
        Dem(np.zeros((3, 3), np.float32), 4326, 0.0, 0.0, 1.0, -1.0)
    with pytest.raises(DemError, match="no valid height"):
        height_range(Dem(np.full((3, 3), np.nan, np.float32), 4326, 0.0, 0.0, 1.0, 1.0))


def test_real_dem_against_gdal(shared_data: Path) -> None:
    """GDAL's cubic spline and ours differ by filter only: centimetres on average, no shift."""
    with rasterio.open(shared_data / "data" / "dem" / "morocco_iw1_b0.tif") as source:
        heights = source.read(1).astype(np.float32)
        t = source.transform
    dem = Dem(heights, 4326, t.c, t.f, t.a, -t.e)
    centre = (0.5 * (dem.left + dem.right), 0.5 * (dem.bottom + dem.top))
    ring = [(centre[0] + x, centre[1] + y) for x, y in ((-0.1, -0.05), (0.1, -0.05), (0.1, 0.05), (-0.1, 0.05))]
    grid = footprint_grid(ring, resolution=20.0)
    ours = sample_grid(dem, grid)
    theirs = np.empty(grid.shape, np.float32)
    rasterio.warp.reproject(
        heights,
        theirs,
        src_transform=t,
        src_crs="EPSG:4326",
        dst_transform=rasterio.Affine(*grid.transform),
        dst_crs=grid.crs,
        resampling=rasterio.warp.Resampling.cubic,
    )
    assert np.isfinite(ours).all()
    assert abs(float((ours - theirs).mean())) < 0.02
    assert float((ours - theirs).std()) < 0.5
