"""No seam, no gap, no shift: known truths across bursts, swaths, tracks and UTM zones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pystac
import pytest
import xarray as xr

import sarcube
from sarcube.geometry.grid import GeoGrid

MERGES = ("first", "mean", "looks", "centre")


def _swath(bursts: Any, track: int = 52, time: str = "2022-01-03T05:00", **properties: Any) -> list[pystac.Item]:
    """Two swaths of three bursts, overlapping as bursts do, each on a grid of its own."""
    items = []
    for swath in range(2):
        for number in range(3):
            grid = GeoGrid(32629, 600000 + swath * 3600 + number * 60, 4500000 - number * 1400, 20, 200, 100)
            looks = np.full(grid.shape, 4.0 + swath)
            values = np.where(bursts.outline(grid), bursts.at_centres(grid), np.nan)
            items.append(
                bursts.burst(
                    grid,
                    f"t{track:03d}_{1000 + number:06d}_iw{swath + 1}",
                    f"{time}:{number * 3 + swath:02d}",
                    {"VV": values, "number_of_looks": looks, "mask": np.where(np.isnan(values), 255, 0)},
                    **properties,
                )
            )
    return items


def _covered(bursts: Any, items: list[pystac.Item], cube: xr.Dataset) -> np.ndarray:
    """Pixels that at least one burst saw, placed by arithmetic of its own."""
    seen = np.zeros((cube.sizes["y"], cube.sizes["x"]), bool)
    for item in items:
        a, _, left, _, _, top = item.properties["proj:transform"]
        height, width = item.properties["proj:shape"]
        row, col = round((float(cube["y"][0]) + a / 2 - top) / a), round((left - float(cube["x"][0]) + a / 2) / a)
        seen[row : row + height, col : col + width] |= bursts.outline(GeoGrid(32629, left, top, a, width, height))
    return seen


@pytest.mark.parametrize("merge", MERGES)
def test_bursts_and_swaths_of_a_pass_meet_without_a_seam(bursts: Any, merge: str) -> None:
    items = _swath(bursts)
    cube = sarcube.open_cube(items, merge=merge, chunks=64)  # type: ignore[arg-type]
    assert cube.sizes["time"] == 1
    assert int(cube["merged"][0]) == 6
    picture = cube.isel(time=0).compute(scheduler="sync")
    x, y = np.meshgrid(cube["x"], cube["y"])
    truth, seen = bursts.truth(x, y).astype(np.float32), _covered(bursts, items, cube)
    np.testing.assert_array_equal(~np.isnan(picture["VV"]), seen)
    np.testing.assert_allclose(picture["VV"].values[seen], truth[seen], rtol=1e-6)
    np.testing.assert_array_equal(picture["mask"], np.where(seen, 0, 255))


@pytest.mark.parametrize("method", ["first", "mean", "looks", "centre"])
def test_tracks_meet_without_a_seam(bursts: Any, method: str) -> None:
    items = _swath(bursts) + _swath(bursts, 154, "2022-01-05T18:00", **{"sat:orbit_state": "ascending"})
    cube = sarcube.open_cube(items, group="acquisition", layers=["VV", "number_of_looks", "mask"], chunks=100)
    assert cube.sizes["time"] == 12
    picture = sarcube.mosaic(cube, method, by="all").isel(time=0).compute(scheduler="sync")  # type: ignore[arg-type]
    x, y = np.meshgrid(cube["x"], cube["y"])
    truth, seen = bursts.truth(x, y).astype(np.float32), _covered(bursts, items, cube)
    np.testing.assert_array_equal(~np.isnan(picture["VV"]), seen)
    np.testing.assert_allclose(picture["VV"].values[seen], truth[seen], rtol=1e-6)
    np.testing.assert_array_equal(picture["mask"], np.where(seen, 0, 255))


def test_a_mosaic_of_acquisitions_is_the_pass(bursts: Any) -> None:
    items = _swath(bursts)
    whole = sarcube.open_cube(items).compute(scheduler="sync")
    merged = sarcube.mosaic(sarcube.open_cube(items, group="acquisition"), "first", by="pass").compute(scheduler="sync")
    assert merged.sizes["time"] == 1
    for name in ("VV", "mask"):
        np.testing.assert_array_equal(merged[name].values, whole[name].values)


def test_levels_differ_by_less_than_the_bound_across_edges(bursts: Any) -> None:
    """Constant ground, speckled: the mean on either side of every burst and swath edge is the same."""
    rng = np.random.default_rng(2)
    bursts.truth = lambda x, _y: np.full(x.shape, 0.1)
    items = []
    for swath in range(2):
        for number in range(3):
            grid = GeoGrid(32629, 600000 + swath * 9000, 4500000 - number * 6600, 20, 500, 400)
            values = rng.gamma(200, 0.1 / 200, grid.shape)
            items.append(bursts.burst(grid, f"t052_{1000 + number:06d}_iw{swath + 1}", layers={"VV": values}))
    for merge in ("first", "mean", "centre"):
        vv = sarcube.open_cube(items, merge=merge)["VV"].isel(time=0).values  # type: ignore[arg-type]
        for row in (330, 400, 660, 730):  # where bursts begin and end
            above, below = vv[row - 40 : row].mean(), vv[row : row + 40].mean()
            assert abs(10 * np.log10(above / below)) < 0.05
        for col in (450, 500):
            left, right = vv[:, col - 40 : col].mean(), vv[:, col : col + 40].mean()
            assert abs(10 * np.log10(left / right)) < 0.05


def _waves(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    # Smooth, so that resampling hardly changes it while a shift shows at once.
    return 0.2 + 0.05 * np.sin(2 * np.pi * x / 700) + 0.05 * np.cos(2 * np.pi * y / 900)


def _shift(found: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Displacement of a picture of the waves, in metres, by least squares on their gradient."""
    step = 0.01
    gx = (_waves(x + step, y) - _waves(x - step, y)) / (2 * step)
    gy = (_waves(x, y + step) - _waves(x, y - step)) / (2 * step)
    matrix = np.stack([gx, gy], axis=1)
    return tuple(np.linalg.lstsq(matrix, _waves(x, y) - found, rcond=None)[0])


def test_utm_zones_meet_without_gap_or_shift(bursts: Any) -> None:
    """Zones 29 and 30 at their border: a cube in zone 29 of bursts of both."""
    bursts.truth = _waves
    from pyproj import Transformer

    x29, y = 750000.0, 4500000.0
    x30, y30 = Transformer.from_crs(32629, 32630, always_xy=True).transform(x29 + 4000, y)
    first = GeoGrid.snapped(32629, (x29, y - 5000, x29 + 5000, y), 20)
    second = GeoGrid.snapped(32630, (x30, y30 - 5000, x30 + 6000, y30), 20)
    items = [
        bursts.burst(first, "t052_001000_iw1", slant=0),
        bursts.burst(second, "t052_001000_iw2", "2022-01-03T05:00:01", slant=0),
    ]
    cube = sarcube.open_cube(items, crs=32629, resolution=20, chunks=128)
    picture = cube["VV"].isel(time=0).values
    x, y = np.meshgrid(cube["x"], cube["y"])
    inside = (x > x29 + 100) & (x < x29 + 9000) & (y < 4500000 - 500) & (y > 4500000 - 4500)
    assert not np.isnan(picture[inside]).any(), "a gap between the zones"
    other = inside & (x > x29 + 5100)
    error = picture[other] - _waves(x[other], y[other])
    assert np.abs(error).max() < 0.002
    dx, dy = _shift(picture[other], x[other], y[other])
    assert abs(dx) < 0.5, "metres, of pixels of 20 m"
    assert abs(dy) < 0.5
    native = inside & (x < x29 + 4900)
    np.testing.assert_allclose(picture[native], _waves(x[native], y[native]), rtol=1e-6)


def test_a_checkerboard_across_zones_stays_where_it_is(bursts: Any) -> None:
    """400 m squares in zone 29, half of them from a burst in zone 30: no gap, and edges at their place to a metre."""
    from pyproj import Transformer

    left, top = 750000.0, 4500000.0
    x30, y30 = Transformer.from_crs(32629, 32630, always_xy=True).transform(left + 4000, top)
    items = [
        bursts.burst(GeoGrid.snapped(32629, (left, top - 5000, left + 5000, top), 20), "t052_001000_iw1", slant=0),
        bursts.burst(
            GeoGrid.snapped(32630, (x30, y30 - 5000, x30 + 6000, y30), 20), "t052_001000_iw2", "2022-01-03T05:00:01",
            slant=0,
        ),
    ]  # fmt: skip
    cube = sarcube.open_cube(items, crs=32629, resolution=20, chunks=100)
    part = cube["VV"].isel(time=0).sel(x=slice(left + 100, left + 9000), y=slice(top - 500, top - 4500)).load()
    assert part.notnull().all(), "a gap between the zones"
    x, y = np.meshgrid(part["x"], part["y"])
    inner = (np.abs(x % 400 - 200) < 170) & (np.abs(y % 400 - 200) < 170)
    np.testing.assert_allclose(part.values[inner], bursts.truth(x, y)[inner], rtol=1e-5)
    share = (part.values - 0.05) / 0.15  # of the bright level in each pixel
    found: dict[str, list[float]] = {"x": [], "y": []}
    for edge in np.arange(left + 5600, left + 8800, 400):
        for middle in np.arange(top - 4200, top - 600, 400):
            cols, rows = np.abs(part["x"].values - edge) < 160, np.abs(part["y"].values - middle) < 100
            found["x"].append(_edge(share[np.ix_(rows, cols)].mean(axis=0), part["x"].values[cols]) - edge)
    for edge in np.arange(top - 4400, top - 600, 400):
        for middle in np.arange(left + 5800, left + 8800, 400):
            rows, cols = np.abs(part["y"].values - edge) < 160, np.abs(part["x"].values - middle) < 100
            found["y"].append(_edge(share[np.ix_(rows, cols)].mean(axis=1)[::-1], part["y"].values[rows][::-1]) - edge)
    for axis, errors in found.items():
        assert len(errors) > 50
        # Each edge's own place has pixels of the zone-30 grid in it; on average nothing moves.
        assert abs(np.mean(errors)) < 1.0, f"{axis}: {np.mean(errors):.2f} m, of pixels of 20 m"


def _edge(share: np.ndarray, places: np.ndarray) -> float:
    """Where a profile steps: the length that its low side takes."""
    low = 1 - share if share[-1] > share[0] else share
    return float(places[0] - 10 + 20 * low.sum())


def test_coarser_pixels_are_means_in_power(bursts: Any) -> None:
    rng = np.random.default_rng(4)
    grid = GeoGrid(32629, 600000, 4500000, 20, 120, 120)
    values = rng.gamma(4, 0.05, grid.shape)
    values[:30, :30] = np.nan
    mask = rng.integers(0, 4, grid.shape)
    items = [bursts.burst(grid, "t052_001000_iw1", layers={"VV": values, "mask": mask})]
    cube = sarcube.open_cube(items, resolution=60, chunks=32).isel(time=0).compute(scheduler="sync")
    blocks = values.astype(np.float32).reshape(40, 3, 40, 3)
    np.testing.assert_allclose(cube["VV"], np.nanmean(blocks, axis=(1, 3)), rtol=1e-5)
    np.testing.assert_array_equal(cube["mask"], mask[1::3, 1::3])


def test_local_resolution_takes_each_slope_from_the_track_that_sees_it() -> None:
    """Ridges seen from two sides: an ascending and a descending track, 38 degrees, slopes of 25 degrees.

    Looks per pixel go with the inverse of the local area (a foreshortened slope has few), and so do the weights.
    """
    rng = np.random.default_rng(9)
    size, looks, truth = 400, 8.0, 0.1
    face = np.where(np.indices((size, size))[1] // 20 % 2 == 0, 1.0, -1.0)  # which way a slope faces
    area = np.stack([1 / np.tan(np.radians(38 - sign * 25 * face)) for sign in (1, -1)])
    seen = rng.gamma(looks / area, truth * area / looks)
    times = np.array(["2022-01-03T05:00", "2022-01-05T18:00"], "datetime64[ns]")
    cube = xr.Dataset(
        {
            "VV": (("time", "y", "x"), seen.astype(np.float32)),
            "rtc_anf_gamma0_to_beta0": (("track", "y", "x"), area.astype(np.float32)),
        },
        coords={
            "time": times,
            "track": [52, 154],
            "relative_orbit": ("time", [52, 154]),
            "orbit_direction": ("time", ["descending", "ascending"]),
            "platform": ("time", ["sentinel-1a", "sentinel-1a"]),
        },
    ).chunk(y=100, x=100)
    merged = sarcube.mosaic(cube, "resolution", by="all")["VV"][0].values
    foreshortened = (area > 2).any(axis=0)

    def error(picture: np.ndarray) -> float:
        return float(np.sqrt(np.mean((picture[foreshortened] - truth) ** 2)))

    assert error(merged) <= 0.5 * min(error(seen[0]), error(seen[1]))
    plain = sarcube.mosaic(cube, "mean", by="all")["VV"][0].values
    assert error(merged) < 0.7 * error(plain)
    assert merged.mean() == pytest.approx(truth, rel=0.01)
