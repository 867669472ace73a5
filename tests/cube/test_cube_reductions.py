"""Reductions and parts that a cube's variables read themselves, against numpy and dask on the same pixels."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pystac
import pytest
import xarray as xr
from distributed import Client
from numpy.typing import NDArray

import sarcube
from sarcube.cube import cube_variable, lazy, through_time
from sarcube.cube.cube_variable import CubeVariable
from sarcube.cube.moment_kernels import no_moments, update_moments
from sarcube.cube.order_kernels import medians
from sarcube.cube.reader import MergeReader
from sarcube.geometry.grid import GeoGrid

GRID = GeoGrid(32629, 600000, 4500000, 20, 150, 130)
BESIDE = GeoGrid(32629, 602000, 4499000, 20, 120, 110)
DAYS = range(1, 29, 3)


@pytest.fixture
def items(bursts: Any) -> list[pystac.Item]:
    """Two bursts that overlap, the second not on all dates, both with missing pixels."""
    rng = np.random.default_rng(5)
    made = []
    for day in DAYS:
        for burst, grid in ((1, GRID), (2, BESIDE)):
            if burst == 2 and day % 2:
                continue
            values = np.where(bursts.outline(grid), rng.gamma(4, 0.05, grid.shape), np.nan)
            values[rng.random(grid.shape) < 0.1] = np.nan
            values[40:45, 50:60] = np.nan
            name = f"t052_00100{burst}_iw{burst}"
            made.append(bursts.burst(grid, name, f"2022-01-{day:02}T05:00:0{burst}", {"VV": values}))
    return made


def _numpy(name: str, values: NDArray[np.float32], **more: Any) -> NDArray[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(getattr(np, f"nan{name}")(values.astype(np.float64), axis=0, **more))


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Height and width of what is read from now on."""
    sizes = []
    original = MergeReader.read

    def read(self: MergeReader, window: Any, out: Any = None) -> Any:
        sizes.append((window.height, window.width))
        return original(self, window, out)

    monkeypatch.setattr(MergeReader, "read", read)
    return sizes


@pytest.mark.parametrize("chunks", [64, {"time": 3, "y": 50, "x": 70}, {"time": -1, "y": 40, "x": 400}])
@pytest.mark.parametrize("name", ["mean", "median", "std", "var", "min", "max"])
def test_reductions_equal_numpy(items: list[pystac.Item], name: str, chunks: Any) -> None:
    cube = sarcube.open_cube(items, chunks=chunks)["VV"]
    values = cube.values
    assert np.isnan(values).any(axis=0).any()
    assert np.isnan(values).all(axis=0).any()
    found = getattr(cube, name)("time")
    assert found.dtype == np.float32
    assert [k for k in found.data.dask.layers if "read_m" in k], "dates are handed on from task to task"
    np.testing.assert_allclose(found.values, _numpy(name, values), rtol=2e-6)
    part = getattr(cube.isel(time=slice(1, 8, 2), y=slice(7, 111), x=slice(-120, None)), name)("time")
    np.testing.assert_allclose(part.values, _numpy(name, values[1:8:2, 7:111, -120:]), rtol=2e-6)
    picked = getattr(cube.isel(time=[0, 4, 5]), name)(["time"])
    np.testing.assert_allclose(picked.values, _numpy(name, values[[0, 4, 5]]), rtol=2e-6)


def test_what_else_is_asked_of_a_reduction(items: list[pystac.Item]) -> None:
    cube = sarcube.open_cube(items, chunks=64)["VV"]
    values = cube.values
    np.testing.assert_allclose(cube.std("time", ddof=1), _numpy("std", values, ddof=1), rtol=2e-6)
    double = cube.mean("time", dtype=np.float64)
    assert double.dtype == np.float64
    np.testing.assert_allclose(double, _numpy("mean", values), rtol=1e-14)
    np.testing.assert_allclose(cube.mean(("y", "x")), np.nanmean(values, axis=(1, 2)), rtol=1e-5)
    np.testing.assert_array_equal(cube.mean("time", skipna=False).isnull(), np.isnan(values).any(axis=0))
    np.testing.assert_allclose(cube.mean("time", keepdims=True)[0], _numpy("mean", values), rtol=1e-5)
    np.testing.assert_allclose(cube.reduce(np.nanmax, "time"), _numpy("max", values), rtol=1e-7)
    assert cube.max("time", keep_attrs=True).attrs == cube.attrs
    assert not cube.max("time", keep_attrs=False).attrs
    both = xr.Dataset({"mean": cube.mean("time"), "std": cube.std("time")}).compute()
    np.testing.assert_allclose(both["mean"], _numpy("mean", values), rtol=2e-6)
    np.testing.assert_allclose(both["std"], _numpy("std", values), rtol=2e-6)


def test_mean_and_deviation_together_read_once(items: list[pystac.Item], monkeypatch: pytest.MonkeyPatch) -> None:
    cube = sarcube.open_cube(items, chunks=64)["VV"]
    reads = _counted(monkeypatch)
    cube.mean("time").compute(scheduler="sync")
    once = len(reads)
    three = {"mean": cube.mean("time"), "std": cube.std("time"), "var": cube.var("time")}
    xr.Dataset(three).compute(scheduler="sync")
    assert len(reads) == 2 * once


def test_a_copy_a_pickle_and_what_is_persisted_give_the_same(items: list[pystac.Item]) -> None:
    cube = sarcube.open_cube(items, chunks=64)["VV"]
    expected = cube.mean("time").values
    for known in (copy.deepcopy(cube), cube.copy(), cube.rename(time="t"), pickle.loads(pickle.dumps(cube))):
        assert isinstance(known.variable, CubeVariable)
        assert known.variable.origin is not None
    loaded = cube.copy()
    loaded.load()
    loaded[0, 0, 0] = 7.0
    np.testing.assert_allclose(loaded.mean("time")[1:], expected[1:], rtol=1e-6)
    assert float(loaded.max("time")[0, 0]) == 7.0
    replaced = cube.copy(data=cube.data + 1)
    np.testing.assert_allclose(replaced.mean("time"), expected + 1, rtol=1e-6)
    for same in (pickle.loads(pickle.dumps(cube)), cube.persist(), cube.chunk(y=30)):
        np.testing.assert_allclose(same.mean("time").values, expected, rtol=1e-6)
    shifted = (cube * 2).mean("time")
    np.testing.assert_allclose(shifted.values, 2 * expected, rtol=1e-6)


@pytest.mark.parametrize(
    "index",
    [
        (slice(None), 40, 60),
        (slice(None), -3, -7),
        (slice(2, None, 3), slice(33, 37), slice(60, 68)),
        (slice(None), slice(60, 68), 64),
        (3, slice(60, 66), slice(0, 4)),
        (-1, 5, 6),
        (..., 9),
        ([1, 4], slice(3, 5), slice(3, 5)),
        (slice(None), slice(None, None, -1), slice(None)),
        ([4, 1], slice(3, 5), slice(3, 5)),
        (slice(None), [3, 5], slice(None)),
        (slice(5, 5), slice(3, 5), slice(3, 5)),
        np.array([1, 2]),
        np.arange(10) % 2 == 0,
        ([1, 2], [3, 4], [5, 6]),
    ],
)
@pytest.mark.parametrize("chunks", [64, {"time": 4, "y": 64, "x": 64}])
def test_parts_equal_what_dask_cuts(items: list[pystac.Item], index: Any, chunks: Any) -> None:
    cube = sarcube.open_cube(items, chunks=chunks)["VV"].variable
    expected = cube.compute()[index]
    part = cube[index]
    assert part.dims == expected.dims
    assert part.encoding == expected.encoding == {"grid_mapping": "spatial_ref"}
    np.testing.assert_array_equal(part, expected)
    if isinstance(part, CubeVariable) and part.origin is not None:
        np.testing.assert_allclose(part.mean("time"), _numpy("mean", expected.values), rtol=2e-6)
        np.testing.assert_array_equal(part[:, 1:, 1:], expected[:, 1:, 1:])


def test_a_place_outside_is_dask_s_error(items: list[pystac.Item]) -> None:
    with pytest.raises(IndexError):
        sarcube.open_cube(items, chunks=64)["VV"][:, 500, 0]


def test_a_pixel_s_series_reads_that_pixel_alone(items: list[pystac.Item], monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = _counted(monkeypatch)
    cube = sarcube.open_cube(items, chunks=64)
    series = cube["VV"].isel(y=70, x=80)
    assert len(set(series.data.__dask_keys__())) == len(DAYS), "dates are read side by side"
    series.compute(scheduler="sync")
    assert set(sizes) == {(1, 1)}
    assert len(sizes) == len(DAYS)


def test_differences_along_time_read_every_date_once(items: list[pystac.Item], monkeypatch: pytest.MonkeyPatch) -> None:
    cube = sarcube.open_cube(items, chunks=400)["VV"]
    expected = np.diff(cube.values, axis=0)
    reads = _counted(monkeypatch)
    np.testing.assert_array_equal(cube.diff("time").compute(scheduler="sync"), expected)
    assert len(reads) == len(DAYS)


def test_resampled_files_are_reduced_the_same(items: list[pystac.Item]) -> None:
    cube = sarcube.open_cube(items, chunks=32, crs=32628, resolution=45)["VV"]
    np.testing.assert_allclose(cube.mean("time"), _numpy("mean", cube.values), rtol=2e-6)
    np.testing.assert_array_equal(cube[:, 20:24, 30:33], cube.values[:, 20:24, 30:33])


@pytest.mark.parametrize("name", ["mean", "median"])
def test_chunks_are_cut_where_the_tiles_of_files_are(
    items: list[pystac.Item], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small chunks, tiles and memory stand for large ones."""
    monkeypatch.setattr(cube_variable, "TILE", 32)
    monkeypatch.setattr(through_time, "TILE", 32)
    monkeypatch.setattr(through_time, "_STACK", 4 * len(DAYS) * 40 * 40)
    monkeypatch.setattr(through_time, "_BUFFER", 4 * 3 * 32 * 32)
    monkeypatch.setattr(cube_variable, "cores", lambda: 8)
    cube = sarcube.open_cube(items, chunks=400)["VV"].isel(y=slice(20, None), x=slice(45, None))
    found = getattr(cube, name)("time")
    if name == "mean":
        assert found.chunks[0][0] == 12, "to row 32 of the first file"
        assert found.chunks[1][0] == 19
    np.testing.assert_allclose(found.values, _numpy(name, cube.values), rtol=2e-6)


def test_chunks_are_joined_where_many_are_left(items: list[pystac.Item], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cube_variable, "cores", lambda: 1)
    monkeypatch.setattr(cube_variable, "_PIXELS", 16 * 40)
    cube = sarcube.open_cube(items, chunks=16)["VV"]
    found = {name: getattr(cube, name)("time") for name in ("mean", "median")}
    assert found["mean"].chunks[0] == cube.chunks[1]
    assert found["mean"].chunks[1][:2] == (32, 32)
    monkeypatch.setattr(cube_variable, "cores", lambda: 1000)  # all at work: single chunks
    for name, joined in found.items():
        alone = getattr(cube, name)("time")
        assert set(alone.chunks[1]) <= {16, *cube.chunks[2]}
        np.testing.assert_array_equal(joined, alone)


def test_threads_of_a_cluster_are_counted(items: list[pystac.Item], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cube_variable, "_PIXELS", 16 * 40)
    cube = sarcube.open_cube(items, chunks=16)["VV"]
    here = cube.mean("time").values
    with Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None):
        assert lazy.cores() == 2
        there = cube.mean("time")
        assert there.chunks[1][:2] == (32, 32)
        np.testing.assert_array_equal(there, here)
    with Client(processes=False, n_workers=0, dashboard_address=None):
        assert lazy.cores() == np.inf  # how many are to come nobody knows
        assert cube.mean("time").chunks[1][:2] == (16, 16)


def test_dates_with_no_file_count_as_missing(bursts: Any) -> None:
    values = np.random.default_rng(1).gamma(4, 0.1, GRID.shape)
    days = [
        bursts.burst(GRID, "t052_001000_iw1", "2022-01-03T05:00:00", {"VV": values, "VH": values}),
        bursts.burst(GRID, "t052_001000_iw1", "2022-01-15T05:00:00", {"VV": 2 * values}),
    ]
    cube = sarcube.open_cube(days)
    np.testing.assert_allclose(cube["VH"].mean("time"), values, rtol=1e-6)
    np.testing.assert_allclose(cube["VV"].median("time"), 1.5 * values, rtol=1e-6)
    assert cube["VH"].isel(time=1).mean("y").isnull().all()
    assert cube["VH"].isel(time=[1]).median("time").isnull().all()


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 7, 8, 31, 32, 33, 50, 200, 700])
def test_medians_equal_numpy(steps: int) -> None:
    rng = np.random.default_rng(steps)
    stack = rng.gamma(4, 0.05, (steps, 5, 67)).astype(np.float32)
    stack[rng.random(stack.shape) < 0.3] = np.nan
    stack[:, 0, 0] = np.nan
    stack[:, 1] = rng.integers(-2, 3, (steps, 67))
    stack[0, 2, :9] = np.inf
    stack[-1, 3, :9] = -np.inf
    out = np.empty(stack.shape[1:], np.float32)
    medians(stack, out)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(out, np.nanmedian(stack, axis=0))


def test_moments_do_not_cancel() -> None:
    """A spread of a thousandth of a millionth of the level, added in uneven portions."""
    rng = np.random.default_rng(2)
    stack = (1e4 + rng.integers(0, 3, (40, 3, 17)) * 2.0**-10).astype(np.float32)
    stack[rng.random(stack.shape) < 0.2] = np.nan
    state = no_moments(5, 3, 17)
    for start, stop in ((0, 1), (1, 8), (8, 40)):
        update_moments(state, stack[start:stop])
    exact = stack.astype(np.longdouble)
    np.testing.assert_array_equal(state[0], (~np.isnan(stack)).sum(axis=0))
    np.testing.assert_allclose(state[1], np.nanmean(exact, axis=0).astype(np.float64), rtol=1e-15)
    np.testing.assert_allclose(np.sqrt(state[2] / state[0]), np.nanstd(exact, axis=0).astype(np.float64), rtol=1e-8)
    np.testing.assert_array_equal(state[3], np.nanmin(stack, axis=0))
    np.testing.assert_array_equal(state[4], np.nanmax(stack, axis=0))


def test_a_graph_that_is_not_dask_s_is_left_alone(items: list[pystac.Item], monkeypatch: pytest.MonkeyPatch) -> None:
    from sarcube.cube import stack

    expected = sarcube.open_cube(items, chunks=64).mean("time").compute()
    monkeypatch.setattr(stack, "table_of", lambda stacked: None)
    cube = sarcube.open_cube(items, chunks=64)
    assert not isinstance(cube["VV"].variable, CubeVariable)
    xr.testing.assert_allclose(cube.mean("time").compute(), expected, rtol=1e-5)
