"""A small burst of speckle, cubes that must be the same, and writing that is torn."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import xarray as xr

from sarcube.catalog.collections import ensure_collection
from sarcube.cube import zarr_export
from sarcube.cube.cf import classes
from sarcube.cube.export import ZarrOptions
from sarcube.geometry.grid import GeoGrid
from sarcube.store.protocol import open_store
from sarcube.workflows.rtc.kinds import RTC_S1

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


def lay_out(folder: Path, items: list[pystac.Item]) -> Path:
    """A store as version 0.1 lays it out, without an index."""
    root = folder / "store"
    ensure_collection(open_store(root), "s1_rtc_c1", RTC_S1)
    for made in items:
        moment = made.datetime
        assert moment is not None
        place = root / "s1_rtc_c1" / made.properties["sarcube:burst_id"] / f"{moment:%Y/%m/%d}"
        place.mkdir(parents=True, exist_ok=True)
        stored = made.to_dict(include_self_link=False, transform_hrefs=False)
        stored["links"] = []
        for name, asset in stored["assets"].items():
            shutil.copy(asset["href"], place / f"{made.id}_{name}.tif")
            asset["href"] = f"./{made.id}_{name}.tif"
        (place / f"{made.id}.json").write_text(json.dumps(stored))
    return root
