"""The whole way on real metadata and on a genuine echo."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
import yaml
from rasterio.transform import from_origin
from scipy.ndimage import binary_erosion

from tests.way.running import sarcube

pytestmark = pytest.mark.timeout(600)


def test_two_dates_of_real_annotation(shared_data: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    safe = shared_data / "data" / "safe"
    templates = [next(safe.glob(f"*{day}*.zip")) for day in ("20230904", "20230916")]
    made = sarcube(
        "simulate", archive, *(a for t in templates for a in ("--template", t)),
        "--dem", shared_data / "data" / "dem" / "morocco_iw1_b0.tif",
        "--swaths", "IW1", "--bursts", "0,1", "--polarizations", "VV", "--truth", "checkerboard",
        "--aoi=-8.55,31.55,-8.25,31.80",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    run = {
        "aoi": {"bbox": [-8.5, 31.6, -8.3, 31.75]},
        "source": {"kind": "local", "path": str(archive / "scenes"),
                   "burst_ids": ["t052_110431_iw1", "t052_110432_iw1"]},
        "dem": {"path": str(archive / "dem.tif"), "heights": "ellipsoid"},
        "store": str(tmp_path / "store"),
        "schemas": str(shared_data / "schemas"),
        "polarizations": ["VV"],
    }  # fmt: skip
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(run))
    done = sarcube("run", tmp_path / "run.yaml", timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    catalog = pystac.Catalog.from_file(str(tmp_path / "store" / "catalog.json"))
    items = [i for i in catalog.get_items(recursive=True) if "VV" in i.assets]
    assert len(items) == 4
    grids = {(i.properties["sarcube:burst_id"], tuple(i.assets["VV"].extra_fields["proj:transform"])) for i in items}
    assert len(grids) == 2, "both dates of a burst lie on one grid"
    for item in items:
        with rasterio.open(item.assets["VV"].get_absolute_href()) as source:
            values, grid = source.read(1).astype(float), source.transform
        with rasterio.open(item.assets["rtc_anf_gamma0_to_beta0"].get_absolute_href()) as source:
            assert source.transform == grid
        x = grid.c + (np.arange(values.shape[1]) + 0.5) * grid.a
        y = grid.f + (np.arange(values.shape[0]) + 0.5) * grid.e
        even = (np.floor(x / 2000)[None] + np.floor(y / 2000)[:, None]) % 2 == 0
        inner = (np.abs(x / 2000 - np.rint(x / 2000)) > 0.03)[None] & (np.abs(y / 2000 - np.rint(y / 2000)) > 0.03)[
            :, None
        ]
        seen = binary_erosion(np.isfinite(values) & (values > 0), iterations=12)
        for where, truth in ((even, 0.2), (~even, 0.05)):
            chosen = where & inner & seen
            assert chosen.sum() > 20_000
            assert abs(10 * np.log10(values[chosen].mean() / truth)) < 0.1


def test_a_real_echo_of_terceira(shared_data: Path, tmp_path: Path) -> None:
    dem = tmp_path / "dem.tif"
    profile = {"driver": "GTiff", "dtype": "float32", "count": 1, "width": 200, "height": 120, "crs": "EPSG:4326"}
    with rasterio.open(dem, "w", transform=from_origin(-28.6, 39.2, 0.01, 0.01), **profile) as target:
        target.write(np.full((120, 200), 58, np.float32), 1)
    folder = shared_data / "data" / "azores"
    run = {
        "aoi": {"bbox": [-27.26, 38.63, -27.19, 38.70]},
        "source": {"kind": "local", "path": str(folder)},
        "orbits": {"path": str(folder)},
        "dem": {"path": str(dem), "heights": "ellipsoid"},
        "store": str(tmp_path / "store"),
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(run))
    done = sarcube("run", tmp_path / "run.yaml", timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    record = next((tmp_path / "store" / "s1_rtc_c1").rglob("T009-018029-IW3_*.json"))
    item = json.loads(record.read_text())
    warnings = " ".join(item["properties"]["sarcube:warnings"])
    assert "manifest" in warnings and "noise" in warnings
    with rasterio.open(record.parent / item["assets"]["VV"]["href"]) as source:
        values, grid = source.read(1), source.transform
        assert source.tags()["PROCESSING_THERMAL_NOISE"] == "false", "there was no noise to remove"
    assert item["properties"]["sarcube:processing"]["thermal_noise"] is False
    for kind in ("no noise annotation for VV", "manifest"):
        assert kind in done.stdout, "said at the end of the run"
    # The window's corners (annotation and orbit place it): land in the north, sea in the south.
    from pyproj import Transformer

    to_grid = Transformer.from_crs(4326, item["properties"]["proj:epsg"], always_xy=True)

    def mean(west: float, south: float, east: float, north: float) -> float:
        x0, y0 = to_grid.transform(west, north)
        x1, y1 = to_grid.transform(east, south)
        rows = slice(int((y0 - grid.f) / grid.e), int((y1 - grid.f) / grid.e))
        columns = slice(int((x0 - grid.c) / grid.a), int((x1 - grid.c) / grid.a))
        part = values[rows, columns]
        return float(np.nanmean(part)) if np.isfinite(part).any() else float("nan")

    land, sea = mean(-27.24, 38.665, -27.20, 38.685), mean(-27.25, 38.635, -27.235, 38.645)
    assert land > 0 and sea > 0
    assert 10 * np.log10(land / sea) > 6
    # Where the window ends there is no echo: nothing, not darkness.
    assert np.isnan(mean(-27.40, 38.66, -27.35, 38.68))
