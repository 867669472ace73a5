"""What a plan knows of a DEM before anything is opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

from sarcube.config import DemConfig
from sarcube.workflows.rtc.checks import dem_gap, geoid_gap

FOOTPRINT = [(10.1, 45.1), (10.9, 45.1), (10.9, 45.3), (10.1, 45.3), (10.1, 45.1)]


def test_a_geoid_that_is_missing_is_told_by_the_plan(tmp_path: Path) -> None:
    assert geoid_gap(DemConfig(path="dem.tif", heights="ellipsoid"), FOOTPRINT) == ""
    assert "set dem.geoid" in geoid_gap(DemConfig(path="dem.tif", heights="egm96"), FOOTPRINT)
    assert "set dem.geoid" in geoid_gap(DemConfig(kind="cop_glo30"), FOOTPRINT)
    path = tmp_path / "geoid.tif"
    config = DemConfig(kind="cop_glo30", geoid=str(path))
    assert str(path) in geoid_gap(config, FOOTPRINT)
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": "EPSG:4326", "width": 30, "height": 30}
    with rasterio.open(path, "w", transform=from_origin(9.5, 46, 0.05, 0.05), **profile) as target:
        target.write(np.zeros((30, 30), np.float32), 1)
    assert "does not surround" in geoid_gap(config, [(x + 1, y) for x, y in FOOTPRINT])
    assert geoid_gap(config, FOOTPRINT) == ""
    assert geoid_gap(DemConfig(kind="cop_glo30", geoid="https://nowhere.invalid/geoid.tif"), FOOTPRINT) == ""


def write_dem(path: Path, left: float) -> None:
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": "EPSG:4326", "width": 20, "height": 20}
    with rasterio.open(path, "w", transform=from_origin(left, 46, 0.1, 0.1), **profile) as target:
        target.write(np.zeros((20, 20), np.float32), 1)


def test_a_dem_that_was_replaced_is_looked_at_anew(tmp_path: Path) -> None:
    path = tmp_path / "dem.tif"
    write_dem(path, 50.0)
    config = DemConfig(path=str(path), heights="ellipsoid")
    assert "does not cover 100 %" in dem_gap(config, FOOTPRINT)
    write_dem(path, 9.5)
    assert dem_gap(config, FOOTPRINT) == ""
