"""The mesh of heights that dates of one place share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sarcube.engines.rtc.native import mesh
from sarcube.engines.rtc.native.mesh import make_mesh, mesh_of
from sarcube.geometry.dem import Dem
from sarcube.geometry.grid import GeoGrid

GRID = GeoGrid(32632, 400_000.0, 5_300_000.0, 20.0, 30, 20)


def _dem() -> Dem:
    heights = np.random.default_rng(1).normal(500.0, 50.0, (60, 70)).astype(np.float32)
    heights[5, 5] = np.nan
    return Dem(heights, 32632, 399_500.0, 5_300_500.0, 25.0, 25.0)


def test_dates_of_one_place_share_their_mesh() -> None:
    made = mesh_of(_dem(), GRID, 2, 4)
    assert mesh_of(replace(_dem(), description="read anew"), GRID, 2, 4) is made
    np.testing.assert_array_equal(made.heights, make_mesh(_dem(), GRID, 2, 4).heights)


@pytest.mark.parametrize("what", ["a height", "its place", "a void", "the grid", "the factor", "the margin"])
def test_another_dem_or_grid_has_a_mesh_of_its_own(what: str) -> None:
    dem, grid, factor, margin = _dem(), GRID, 2, 4
    before = mesh_of(dem, grid, factor, margin)
    other = _dem()
    if what == "a height":
        other.heights[30, 30] += np.float32(0.01)
    elif what == "a void":
        other.heights[30, 30] = np.nan
    elif what == "its place":
        other = replace(other, left=other.left + 5.0)
    elif what == "the grid":
        grid = replace(GRID, left=GRID.left + 20.0)
    elif what == "the factor":
        factor = 4
    else:
        margin = 5
    now = mesh_of(other, grid, factor, margin)
    assert now is not before
    np.testing.assert_array_equal(now.heights, make_mesh(other, grid, factor, margin).heights)


def test_a_mesh_too_large_to_wait_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mesh, "_KEPT_BYTES", 1000)
    monkeypatch.setattr(mesh, "_kept", [])
    made = mesh_of(_dem(), GRID, 2, 4)
    assert mesh_of(_dem(), GRID, 2, 4) is not made
    assert mesh._kept == []
