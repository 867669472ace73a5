"""One burst ID, one grid."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyproj import Transformer

from sarcube.catalog.grids import grid_of_item
from sarcube.config import RunConfig
from sarcube.errors import CatalogError, GridError
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.lattice import pixel_metres
from sarcube.products.names import item_key
from sarcube.store.protocol import open_store
from sarcube.workflows.grids import check_grid, settled_grid
from sarcube.workflows.sentinel1 import burst_grid

BURST = "t070_149815_iw3"
FOOTPRINT = ((-27.6, 38.70), (-26.6, 38.86), (-26.55, 38.68), (-27.55, 38.52), (-27.6, 38.70))


def config(**grid: Any) -> RunConfig:
    raw = {"source": {"path": "."}, "dem": {"path": "d", "heights": "ellipsoid"}, "grid": grid}
    return RunConfig.from_dict(raw)


def test_grid_holds_the_footprint_with_a_margin() -> None:
    grid = burst_grid(config(), BURST, FOOTPRINT)
    assert grid.epsg == 32626
    assert grid.left % 1000 == 0
    assert grid.top % 1000 == 0
    assert grid.width * 20 % 1000 == 0
    # 1.05 degrees of longitude at 38.7 N are 91 km, 0.34 of latitude 38 km; 0.5 to 1.5 km more on each side
    assert 92_000 < grid.right - grid.left < 96_000
    assert 38_500 < grid.top - grid.bottom < 42_500


def test_grid_rarely_follows_the_jitter_of_footprints() -> None:
    """Footprints wander by some 100 m from date to date; the static layers settle what is left."""
    rng = random.Random(3)
    grids = set()
    for _ in range(50):
        dx, dy = rng.gauss(0.0, 0.0005), rng.gauss(0.0, 0.0004)
        grids.add(burst_grid(config(), BURST, [(x + dx, y + dy) for x, y in FOOTPRINT]))
    assert len(grids) <= 4


@pytest.mark.parametrize("resolution", [10.0, 20.0, 30.0, 40.0])
def test_edges_are_multiples_of_the_resolution(resolution: float) -> None:
    grid = burst_grid(config(resolution=resolution), BURST, FOOTPRINT)
    assert grid.left % resolution == 0
    assert grid.top % resolution == 0


def test_geographic_grid_in_degrees() -> None:
    grid = burst_grid(config(resolution=0.0002, crs=4326), BURST, FOOTPRINT)
    assert grid.left < -27.6
    assert grid.right > -26.55
    assert grid.width < 1.1 / 0.0002


@pytest.mark.parametrize(("epsg", "foot"), [(2225, 1200 / 3937), (2992, 0.3048)])
def test_a_grid_in_feet_has_its_margins_in_metres(epsg: int, foot: float) -> None:
    """California 1 counts in US survey feet, Oregon Lambert in international ones; version 0.1 took both for metres."""
    ring = [(-122.3, 41.5), (-121.6, 41.5), (-121.6, 41.7), (-122.3, 41.7), (-122.3, 41.5)]
    grid = burst_grid(config(crs=epsg, resolution=60.0), BURST, ring)
    assert pixel_metres(grid) == pytest.approx(60.0 * foot, rel=1e-12)
    lon, lat = np.array(ring).T
    dense = [np.interp(np.linspace(0, 4, 401), np.arange(5), v) for v in (lon, lat)]
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(*dense)
    room = [x.min() - grid.left, grid.right - x.max(), y.min() - grid.bottom, grid.top - y.max()]
    assert min(room) * foot >= 500.0 and max(room) * foot <= 1520.0
    with pytest.raises(GridError, match="counts in grads"):
        pixel_metres(GeoGrid(4807, 0.0, 0.0, 0.001, 10, 10))


def test_burst_database(tmp_path: Path) -> None:
    path = tmp_path / "bursts.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE burst_id_map (burst_id_jpl TEXT, epsg INT, xmin, ymin, xmax, ymax)")
        connection.execute("INSERT INTO burst_id_map VALUES (?, 32626, 100020, 4200000, 200040, 4240020)", (BURST,))
    run = config(burst_database=str(path), resolution=30.0)
    assert burst_grid(run, BURST, FOOTPRINT).bounds == (100020, 4200000, 200040, 4240020)
    with pytest.raises(GridError, match="has no t070_149816_iw3"):
        burst_grid(run, "t070_149816_iw3", FOOTPRINT)
    with pytest.raises(GridError, match="drop one"):
        burst_grid(config(burst_database=str(path), crs=3031), BURST, FOOTPRINT)
    with pytest.raises(GridError, match="does not exist"):
        burst_grid(config(burst_database=str(tmp_path / "absent")), BURST, FOOTPRINT)


def test_existing_grid_must_be_what_the_run_asks() -> None:
    grid = burst_grid(config(), BURST, FOOTPRINT)
    check_grid(grid, config(), BURST)
    check_grid(grid, config(crs=32626), BURST)
    with pytest.raises(GridError, match="EPSG:32626 at 20"):
        check_grid(grid, config(crs=32627), BURST)


def test_static_grid_from_the_store(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    assert settled_grid(store, "static", BURST) is None
    key = item_key("static", BURST, None)
    store.write_bytes(key, b'{"properties": {"proj:epsg": 3031, "proj:shape": [4, 5], ')
    with pytest.raises(CatalogError, match="not JSON"):
        settled_grid(store, "static", BURST)
    store.write_bytes(key, b'{"properties": {}, "assets": {}}')
    with pytest.raises(CatalogError, match="proj:shape"):
        settled_grid(store, "static", BURST)


def test_grid_of_an_item_survives() -> None:
    grid = burst_grid(config(), BURST, FOOTPRINT)
    stated = {"proj:code": grid.crs, "proj:shape": list(grid.shape), "proj:transform": list(grid.transform)}
    assert grid_of_item({"properties": stated}, "x") == grid
    assert grid_of_item({"properties": {}, "assets": {"VV": stated}}, "x") == grid


def test_half_a_metre_is_no_half_a_degree() -> None:
    from sarcube.workflows.sentinel1 import burst_grid

    ring = [(10.1, 45.1), (10.11, 45.1), (10.11, 45.11), (10.1, 45.11)]
    config = RunConfig.from_dict({"source": {"path": "."}, "dem": {"kind": "cop_glo30"}, "grid": {"resolution": 0.5}})
    grid = burst_grid(config, "t001_000001_iw1", ring)
    assert not grid.is_geographic
    assert grid.width * grid.resolution < 5000  # version 0.1 took 0.5 for degrees: the lattice had one pixel
    assert grid.left % 1000 == grid.top % 1000 == 0
