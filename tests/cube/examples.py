"""A small burst of speckle, cubes that must be the same, and writing that is torn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pystac
import pytest
import xarray as xr

from sarcube.cube import zarr_export
from sarcube.cube.cf import classes
from sarcube.cube.export import ZarrOptions
from sarcube.geometry.grid import GeoGrid

GRID = GeoGrid(32629, 600000, 4500000, 20, 150, 130)
SMALL = ZarrOptions(chunk=(2, 32, 32), shard=(2, 64, 64), batch=4)


def speckle(bursts: Any, *days: str) -> list[pystac.Item]:
    """One burst ID on some days of January 2022: VV, VH and mask."""
    rng = np.random.default_rng(1)
    made = []
    for day in days:
        vv = np.where(bursts.outline(GRID), rng.gamma(4, 0.05, GRID.shape), np.nan)
        layers = {"VV": vv, "VH": vv / 5, "mask": np.where(np.isnan(vv), 255, rng.integers(0, 4, GRID.shape))}
        made.append(bursts.burst(GRID, "t052_001000_iw1", f"2022-01-{day}T05:00:00", layers))
    return made


def same(one: xr.Dataset, other: xr.Dataset) -> None:
    """Values, coordinates and CRS agree."""
    other = classes(other)  # CF readers make NaN of the mask's fill value
    for name in ("VV", "VH", "mask"):
        np.testing.assert_array_equal(one[name].values, other[name].values)
    for axis in ("time", "y", "x"):
        np.testing.assert_array_equal(one[axis], other[axis])
    assert [str(p) for p in one["platform"].values] == [str(p) for p in other["platform"].values]
    assert other.rio.crs.to_epsg() == 32629


def tear(patch: pytest.MonkeyPatch, after: int) -> None:
    """Zarr's regions fail to be written after so many batches."""
    real, calls = zarr_export.compute, []

    def torn(*writes: Any, **options: Any) -> Any:
        if len(calls) == after:
            raise OSError("power cut")
        calls.append(len(writes))
        return real(*writes, **options)

    patch.setattr(zarr_export, "compute", torn)
