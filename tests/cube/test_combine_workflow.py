"""The workflow `combine`: what the command makes of a date, as products of a store, date by date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.warp import transform_bounds

import sarcube
from sarcube.catalog.query import find_items
from sarcube.config import RunConfig
from sarcube.cube.combine import CombineOptions, combine
from sarcube.errors import ConfigError
from sarcube.production.plan.plan import plan
from sarcube.production.run.produce import produce
from sarcube.testing.workflow import WorkflowSuite
from tests.catalog.verdicts import judge_alike
from tests.cube.examples import GRID, lay_out, speckle
from tests.cube.test_combine import write

BOUNDS = transform_bounds(GRID.crs, "EPSG:4326", *GRID.bounds)
AOI = (BOUNDS[0] + 0.005, BOUNDS[1] + 0.005, BOUNDS[2] - 0.005, BOUNDS[3] - 0.005)
SECTION = {"red": "db(VV)", "green": "db(VH)", "blue": "b.band_1", "profile": "percentile", "resolution": 40}


@pytest.fixture
def source(bursts: Any, tmp_path: Path) -> Path:
    """A store of two dates, and a raster beside it."""
    values = np.random.default_rng(3).uniform(0, 1, (1, *GRID.shape)).astype(np.float32)
    write(tmp_path / "other.tif", values, GRID.left, GRID.resolution, crs=GRID.crs,
          transform=rasterio.Affine(*GRID.transform))  # fmt: skip
    return lay_out(tmp_path / "source", speckle(bursts, "03", "15"))


def run_of(source: Path, store: Path, **section: Any) -> RunConfig:
    return RunConfig.from_dict(
        {
            "workflow": "combine",
            "aoi": {"bbox": AOI},
            "source": {"path": str(source)},
            "store": str(store),
            "combine": {**SECTION, "inputs": [str(source.parent.parent / "other.tif")], **section},
        }
    )


class TestCombine(WorkflowSuite):
    @pytest.fixture
    def run(self, source: Path, tmp_path: Path) -> RunConfig:
        return run_of(source, tmp_path / "store")


def test_each_date_becomes_what_the_command_makes(source: Path, official: Path | None, tmp_path: Path) -> None:
    config = run_of(source, tmp_path / "store")
    assert produce(plan(config)).ok
    items = find_items(str(tmp_path / "store"))
    assert [f"{item.datetime:%d}" for item in items] == ["03", "15"]
    specs = [f"{source}@2022-01-15", str(source.parent.parent / "other.tif")]
    options = CombineOptions(SECTION["red"], SECTION["green"], SECTION["blue"], resolution=40, bbox=AOI)
    (task,) = [t for t in plan(config, remake=True).tasks if f"{t.start:%d}" == "15"]
    witness = combine(specs, options, task.grid)
    cube = sarcube.open_cube(tmp_path / "store").isel(time=1)
    for name in ("red", "green", "blue"):
        assert np.isfinite(witness.values[name].values).mean() > 0.5
        np.testing.assert_allclose(cube[name].values, witness.values[name].values, rtol=1e-6)
    picture = rasterio.open(items[1].assets["rgb"].href)
    colours = np.asarray(witness.colours(witness.ranges()))
    np.testing.assert_array_equal(np.moveaxis(picture.read(), 0, -1), colours)
    assert items[1].properties["processing:expression"]["expression"]["blue"] == "b.band_1"
    assert not any(str(source.parent) in str(item.properties) for item in items)  # paths of here are nobody's
    assert items[1].assets["legend"].media_type == "image/png"
    judge_alike(tmp_path / "store", official)


def test_days_before_count_where_a_date_has_nothing(source: Path, bursts: Any, tmp_path: Path) -> None:
    other = lay_out(tmp_path / "second", speckle(bursts, "10"))
    # Two stores: of the second only what is dated within the days before.
    section = {"inputs": [f"late={other}"], "red": "a.VV", "green": "late.VV", "blue": "late.VH"}
    without = plan(run_of(source, tmp_path / "store", **section))
    assert not without.tasks and all("no" in p.message for p in without.problems)
    tasks = plan(run_of(source, tmp_path / "store", days=6, **section)).tasks
    assert [f"{t.start:%d}" for t in tasks] == ["15"]
    assert tasks[0].inputs == (f"{source}@2022-01-09,2022-01-15", f"late={other}@2022-01-09,2022-01-15")


def test_faults_are_told_before_anything_is_made(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="red, green and blue, or a preset"):
        run_of(source, tmp_path, blue="")
    with pytest.raises(ConfigError, match="preset is one of"):
        run_of(source, tmp_path, preset="pretty")
    for wrong, said in (("__import__('os')", "there is no function"), ("a.B99", "no input has a band")):
        planned = plan(run_of(source, tmp_path, red=wrong))
        assert not planned.tasks
        assert len(planned.problems) == 2
        assert said in planned.problems[0].message
    raster = source.parent.parent / "other.tif"
    with pytest.raises(ConfigError, match="tells no date"):
        plan(run_of(raster, tmp_path, red="a.band_1", green="a.band_1", blue="a.band_1"))
