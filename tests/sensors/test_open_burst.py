"""From a search result to a burst with the best orbit; and what sources cost to import."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sarcube.config import RunConfig
from sarcube.errors import BurstNotFoundError, GridError, OrbitError
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel1.burst_database import grid_from_database
from sarcube.sensors.sentinel1.open_burst import open_burst
from sarcube.sensors.sentinel1.search.scenes import FoundBurst, find_scenes

NEVADA = "S1A_IW_SLC__1SDV_20200511T135117_20200511T135144_032518_03C421_7768"


def run(shared_data: Path, **orbits: Any) -> RunConfig:
    return RunConfig.from_dict(
        {
            "source": {"kind": "local", "path": str(shared_data / "data" / "safe" / f"{NEVADA}.zip")},
            "dem": {"path": "d.tif", "heights": "ellipsoid"},
            "orbits": orbits,
        }
    )


@pytest.fixture
def found(shared_data: Path) -> FoundBurst:
    search = find_scenes(run(shared_data))
    return next(b for b in search.bursts if b.burst_id == "t071_151202_iw2")


def test_a_burst_gets_the_precise_orbit_and_says_so(shared_data: Path, found: FoundBurst) -> None:
    burst = open_burst(found, run(shared_data, path=str(shared_data / "data" / "orbits")))
    assert burst.orbit_type == "POEORB" and burst.orbit_source.startswith("S1A_OPER_AUX_POEORB_OPOD_20210318")
    assert burst.burst_id == found.burst_id and burst.index == found.index == 3
    assert burst.polarizations == ("VV", "VH")
    annotated = open_burst(found, run(shared_data))
    assert annotated.orbit_type == "annotation"
    assert any("annotation's orbit" in text for text in annotated.warnings)
    # Times count from another epoch with another orbit, and mean the same instants.
    for name in ("start_time", "end_time"):
        gap = getattr(burst, name) - getattr(annotated, name)
        assert abs(gap / np.timedelta64(1, "ns")) < 1000


def test_only_the_polarizations_that_were_planned(shared_data: Path, found: FoundBurst) -> None:
    burst = open_burst(replace(found, polarizations=("VH",)), run(shared_data))
    assert burst.polarizations == ("VH",)


def test_no_orbit_and_the_annotations_not_allowed(shared_data: Path, found: FoundBurst) -> None:
    with pytest.raises(OrbitError, match="allow_annotation"):
        open_burst(found, run(shared_data, allow_annotation=False))


def test_a_scene_that_changed_since_the_plan(shared_data: Path, found: FoundBurst) -> None:
    import datetime as dt

    moved = replace(found, start_time=found.start_time + dt.timedelta(seconds=30))
    with pytest.raises(BurstNotFoundError, match="plan the run again"):
        open_burst(moved, run(shared_data))
    with pytest.raises(BurstNotFoundError):
        open_burst(replace(found, burst_id="t071_000001_iw2"), run(shared_data))


def database(path: Path, rows: list[tuple[Any, ...]]) -> Path:
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE burst_id_map (burst_id_jpl TEXT PRIMARY KEY, epsg INTEGER, xmin REAL, ymin REAL, "
            "xmax REAL, ymax REAL)"
        )
        connection.executemany("INSERT INTO burst_id_map VALUES (?, ?, ?, ?, ?, ?)", rows)
    connection.close()
    return path


def test_grids_of_a_burst_database(tmp_path: Path) -> None:
    path = database(
        tmp_path / "opera-burst-bbox-only.sqlite3",
        [
            ("t071_151202_iw2", 32611, 500_010.0, 4_000_020.0, 610_000.0, 4_050_000.0),
            ("t001_000001_iw1", 32611, 5.0, 5.0, 5.0, 9.0),
            ("t001_000002_iw1", None, 0.0, 0.0, 9.0, 9.0),
        ],
    )
    grid = grid_from_database(path, "T071-151202-IW2", 20.0)
    assert grid == GeoGrid(32611, 500_000.0, 4_050_000.0, 20.0, 5500, 2499)
    assert grid.bounds == (500_000.0, 4_000_020.0, 610_000.0, 4_050_000.0)
    with pytest.raises(GridError, match="has no t099_000001_iw1"):
        grid_from_database(path, "t099_000001_iw1", 20.0)
    for name in ("t001_000001_iw1", "t001_000002_iw1"):
        with pytest.raises(GridError, match="cannot be used"):
            grid_from_database(path, name, 20.0)


def test_what_is_no_burst_database(tmp_path: Path) -> None:
    with pytest.raises(GridError, match="does not exist"):
        grid_from_database(tmp_path / "none.sqlite", "t071_151202_iw2", 20.0)
    (tmp_path / "text.sqlite").write_text("hello, this is no database at all")
    with sqlite3.connect(tmp_path / "other.sqlite") as connection:
        connection.execute("CREATE TABLE pets (name TEXT)")
    connection.close()
    for name in ("text.sqlite", "other.sqlite"):
        with pytest.raises(GridError, match="not a burst database"):
            grid_from_database(tmp_path / name, "t071_151202_iw2", 20.0)


def test_a_read_only_database_leaves_no_trace(tmp_path: Path) -> None:
    path = database(tmp_path / "a.sqlite", [("t071_151202_iw2", 32611, 0.0, 0.0, 100.0, 100.0)])
    folder = tmp_path / "readonly"
    folder.mkdir()
    shutil.copy(path, folder)
    (folder / "a.sqlite").chmod(0o444)
    grid_from_database(folder / "a.sqlite", "t071_151202_iw2", 20.0)
    assert [p.name for p in folder.iterdir()] == ["a.sqlite"]


def test_sources_are_light_to_import() -> None:
    code = (
        "import sys, sarcube.sensors.sentinel1.search.scenes, sarcube.transfer.credentials, sarcube.geometry.aoi\n"
        "heavy = {'rasterio', 'shapely', 'requests', 'obstore', 'pystac_client', 'asf_search', 'dask', 'xarray', "
        "'numba', 'pyproj', 'scipy', 'boto3', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=root, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"
