"""Pairs of a cube, unwrapped: what is left out, what is told, what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rioxarray  # noqa: F401 - registers .rio
import xarray as xr

from sarcube.cube.grid_of import grid_of
from sarcube.cube.unwrap import LAYERS, UnwrapOptions, only, pair_name, read_water, unwrap_pairs
from sarcube.errors import CubeError
from tests.water import lake

SHAPE = (160, 200)


@pytest.fixture(scope="module")
def cube() -> xr.Dataset:
    """Two pairs of one first date: a ramp, and its half; a corner that was not seen."""
    x = 500_000.0 + 40.0 + 80.0 * np.arange(SHAPE[1])
    y = 5_300_000.0 - 40.0 - 80.0 * np.arange(SHAPE[0])
    ramp = 2 * np.pi * 5 * np.arange(SHAPE[1]) / SHAPE[1] + np.zeros(SHAPE)
    random = np.random.default_rng(3)
    phase = np.stack([ramp, ramp / 2]) + random.normal(0, 0.1, (2, *SHAPE))
    ifg = np.exp(1j * phase).astype(np.complex64)
    ifg[:, :20, :20] = np.nan
    seen = np.isfinite(ifg)
    layers = {
        "interferogram": ifg,
        "coherence": np.where(seen, 0.7, np.nan).astype(np.float32),
        "number_of_looks": np.where(seen, 45.0, np.nan).astype(np.float32),
    }
    times = {"time": ["2024-05-01T05:00:00"] * 2, "secondary": ["2024-05-13T05:00:01", "2024-05-25T05:00:02"]}
    made = xr.Dataset(
        {name: (("time", "y", "x"), values) for name, values in layers.items()},
        {"y": y, "x": x, **{n: ("time", np.array(t, "datetime64[ns]")) for n, t in times.items()}},
    )
    return made.assign(truth=(("y", "x"), ramp)).rio.write_crs(32632)


def test_pairs_of_one_first_date_are_told_apart_and_right(cube: xr.Dataset, tmp_path: Path) -> None:
    pytest.importorskip("whirlwind")
    made = list(unwrap_pairs(cube, UnwrapOptions(None, water=lake(tmp_path))))
    assert [pair_name(pair)[-16:] for pair in made] == ["20240513T050001Z", "20240525T050002Z"]
    assert grid_of(made[0]) == grid_of(cube)
    for pair, share in zip(made, (1.0, 0.5), strict=True):
        assert list(pair.data_vars) == [layer.name for layer in LAYERS]
        left = pair["unwrapped_phase"].values[0] - share * cube["truth"].values
        for side in (left[20:, :100], left[20:, 120:]):
            assert np.std(side) == pytest.approx(0.1, abs=0.01)
        assert np.isnan(left[:, 100:120]).all() and np.isnan(left[:20, :20]).all()
        assert (pair["water_mask"].values[0] == 0).sum() == SHAPE[0] * 20
        components = pair["connected_components"].values[0]
        assert (components[:20, :20] == 65535).all() and not components[:, 100:120].any()
        assert pair.attrs["components"] == 2 and pair.attrs["sarcube_unwrapping_looks"] == 45.0


def test_one_pair_is_chosen_by_its_dates(cube: xr.Dataset) -> None:
    assert pair_name(only(cube, ["2024-05-01", "2024-05-25"])).endswith("20240525T050002Z")
    both = cube.assign_coords(channel=("time", ["VV", "VH"]))  # files of one pair of dates, two polarizations
    assert [pair_name(both.isel(time=[k]))[33:] for k in (0, 1)] == ["", "_VH"]
    with pytest.raises(CubeError, match="there are 2024-05-01 and 2024-05-13"):
        only(cube, ["2024-05-13", "2024-05-25"])
    with pytest.raises(CubeError, match="no pairs"):
        only(cube.drop_vars("secondary"), ["2024-05-01", "2024-05-25"])


def test_what_cannot_be_used_is_said(cube: xr.Dataset, tmp_path: Path) -> None:
    grid = grid_of(cube)
    text = tmp_path / "water.geojson"
    text.write_text("no json")
    far = rasterio.Affine(160, 0, 900_000, 0, -160, 5_300_000)
    for path, named in ((text, "polygons of water"), (tmp_path / "none.tif", "mask of water")):
        with pytest.raises(CubeError, match=named):
            read_water(path, grid)
    with pytest.raises(CubeError, match="does not touch"):
        read_water(lake(tmp_path, transform=far), grid)
    with pytest.raises(CubeError, match="number_of_looks"):
        next(unwrap_pairs(cube.drop_vars("number_of_looks")))
