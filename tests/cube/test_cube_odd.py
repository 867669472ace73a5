"""Cubes of other types, polarizations and periods than the usual ones, and places that cannot be written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from PIL import Image

import sarcube
from sarcube.cube.export import write_cogs, write_cube, write_previews
from sarcube.errors import CubeError, SarcubeError
from tests.bounded import within
from tests.cube.examples import GRID, speckle


@pytest.fixture
def cube(bursts: Any) -> xr.Dataset:
    return sarcube.open_cube(speckle(bursts, "03", "15", "27"))


@pytest.mark.parametrize("by", ["12D", "7D", "30h", "90min", "MS", "QS", "YE", "W", "SMS", "2MS"])
def test_periods_are_those_of_pandas(cube: xr.Dataset, by: str) -> None:
    times = pd.DatetimeIndex(cube["time"].values)
    expected = pd.Series(0, index=times).groupby(pd.Grouper(freq=by)).ngroup().nunique()
    assert sarcube.mosaic(cube, "mean", by).sizes["time"] == expected


@pytest.mark.parametrize("by", ["1ms", "1us", "1ns"])
def test_a_short_period_takes_no_memory(cube: xr.Dataset, by: str) -> None:
    within(2.0, lambda: sarcube.mosaic(cube, "mean", by))
    assert sarcube.mosaic(cube, "mean", by).sizes["time"] == 3


@pytest.mark.parametrize("by", ["0D", "-1D", "-1MS", "1000000YS", "", "abc", None, 5])
def test_periods_that_are_none(cube: xr.Dataset, by: Any) -> None:
    with pytest.raises(CubeError, match=r'by is "pass", "day", "all" or a period'):
        sarcube.mosaic(cube, "mean", by)


def test_cogs_keep_every_type(cube: xr.Dataset, tmp_path: Path) -> None:
    shape, dims = cube["VV"].isel(time=[0]).shape, cube["VV"].dims
    number = np.arange(np.prod(shape)).reshape(shape)
    layers = {
        "exact": 2e4 + number * 1e-9,
        "huge": (2**60 + number).astype(np.uint64),
        "low": (-(2**60) - number).astype(np.int64),
        "tiny": (number % 200 - 100).astype(np.int8),
        "wave": number * (1 + 2j),
        "wave64": (number * 1j).astype(np.complex64),
        "yes": number % 2 == 0,
        "half": (number % 100).astype(np.float16),
    }
    first = cube[["VV"]].isel(time=[0])
    made = first.assign({n: (dims, v) for n, v in layers.items()}).drop_vars("VV").chunk(y=64, x=64)
    (item,) = write_cogs(made, tmp_path / "out")
    for name, values in layers.items():
        with rasterio.open(item.assets[name].href) as file:
            np.testing.assert_array_equal(file.read(1), values[0])
            kept = {"yes": "uint8", "half": "float32"}.get(name, values.dtype.name)
            assert file.dtypes[0] == kept
    again = sarcube.open_cube(tmp_path / "out", layers=list(layers))
    kinds = {n: v.dtype.name for n, v in again.data_vars.items()}
    assert (kinds["exact"], kinds["huge"], kinds["wave"]) == ("float64", "uint64", "complex128")
    np.testing.assert_array_equal(again["exact"].isel(time=0), layers["exact"][0])
    with pytest.raises(CubeError, match="NetCDF has no complex numbers"):
        write_cube(made, tmp_path / "x.nc")


def test_previews_of_other_polarizations_and_of_no_backscatter(bursts: Any, tmp_path: Path) -> None:
    power = np.where(bursts.outline(GRID), 0.1, np.nan)
    cube = sarcube.open_cube([bursts.burst(GRID, "t052_001000_iw1", layers={"HH": power, "HV": power / 5})])
    for part in (cube, cube[["HV"]]):
        (picture,) = write_previews(part, tmp_path)
        assert np.asarray(Image.open(picture))[65, 75, 3] == 255
    assert cube.sar.rgb().shape == (1, 4, *GRID.shape)
    phase = cube[["HH"]].rename(HH="phase").isel(time=0)
    phase["phase"] = phase["phase"].astype(np.complex64) * 1j
    (picture,) = write_previews(phase, tmp_path / "phase")
    assert np.asarray(Image.open(picture)).shape[2] == 4


def test_no_room(cube: xr.Dataset, tmp_path: Path) -> None:
    """The system refuses files beyond 40 kB, as a full disk would: said with the place, and nothing half is left."""
    import resource
    import signal

    before, heard = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, before[1]))
    try:
        for name in ("a", "a.zarr", "a.nc"):
            with pytest.raises(SarcubeError, match=rf"{name}.* cannot be written"):
                write_cube(cube, tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, heard)
    left = [*tmp_path.glob("a/*"), *tmp_path.glob("*.nc"), *tmp_path.glob(".writing*")]
    assert [p.name for p in left if p.suffix != ".json"] == []
    for name in ("a", "a.zarr", "a.nc"):
        write_cube(cube, tmp_path / name)
    np.testing.assert_array_equal(xr.open_zarr(tmp_path / "a.zarr")["VV"], cube["VV"])
    np.testing.assert_array_equal(sarcube.open_cube(tmp_path / "a")["VV"], cube["VV"])
