"""Where water is: rasters, shapes, and tiles of water bodies."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.warp import transform_geom

from sarcube.errors import DemError
from sarcube.geometry.grid import GeoGrid
from sarcube.terrain.copernicus import Tile
from sarcube.terrain.water import UNKNOWN, read_water, read_water_bodies
from tests.water import lake

GRID = GeoGrid(32632, 500_000, 5_300_000, 80, 200, 160)


def test_rasters(tmp_path: Path) -> None:
    water = read_water(lake(tmp_path), GRID)
    assert water[:, 100:120].all() and not water[:, :100].any() and not water[:, 120:].any()
    half = rasterio.Affine(160, 0, 508_000, 0, -160, 5_300_000)
    beyond = read_water(lake(tmp_path, transform=half, nodata=7), GRID)
    assert (beyond[:, :99] == UNKNOWN).all() and (beyond[:, 100:] == 0).all()


@pytest.mark.parametrize("suffix", ["geojson", "gpkg"])
def test_polygons(tmp_path: Path, suffix: str) -> None:
    x, y = (508_000, 509_600), (5_290_000, 5_298_000)
    ring = [(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1]), (x[0], y[0])]
    shape = {"type": "Polygon", "coordinates": [ring]}
    path = tmp_path / f"lake.{suffix}"
    if suffix == "geojson":
        placed = transform_geom("EPSG:32632", "EPSG:4326", shape)
        path.write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": placed}))
    else:
        pyogrio = pytest.importorskip("pyogrio")
        shapely = pytest.importorskip("shapely")
        geometry = np.array([shapely.to_wkb(shapely.Polygon(ring))], object)
        pyogrio.raw.write(path, geometry, [], [], geometry_type="Polygon", crs="EPSG:32632", layer="lake")
    water = read_water(path, GRID)
    expected = np.zeros(GRID.shape, np.uint8)
    expected[25:125, 100:120] = 1
    assert np.mean(water != expected) < 0.001


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("water.geojson", "no json", "polygons of water"),
        ("water.gpkg", "no package", "polygons of water"),
        ("none.tif", "", "mask of water .*none.tif cannot be read"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, name: str, text: str, says: str) -> None:
    path = tmp_path / name
    if name.endswith("gpkg"):
        pytest.importorskip("pyogrio")
    if text:
        path.write_text(text)
    with pytest.raises(DemError, match=says):
        read_water(path, GRID)


def write_tile(folder: Path, tile: Tile, values: np.ndarray, mask: str = "") -> None:
    """A tile of heights, or the mask of that name beside it."""
    place = folder / tile.name / mask.rpartition("/")[0]
    place.mkdir(parents=True, exist_ok=True)
    name = mask.rpartition("/")[2] or f"{tile.name}.tif"
    size = round(1 / tile.spacing)
    with rasterio.open(
        place / name, "w", driver="GTiff", width=size, height=3600, count=1, dtype=values.dtype, crs="EPSG:4326",
        transform=rasterio.Affine(
            tile.spacing, 0, tile.longitude - tile.spacing / 2, 0, -1 / 3600, tile.latitude + 1 + 0.5 / 3600
        ),
        compress="deflate",
    ) as file:  # fmt: skip
        file.write(values, 1)


@pytest.mark.parametrize("folder", ["AUXFILES/", ""])
def test_water_bodies_beside_the_heights(tmp_path: Path, folder: str) -> None:
    """Two tiles and the sea: one has its water bodies, one has none, of the third there is nothing."""
    known, silent = Tile(47, 8), Tile(47, 9)
    heights, classes = np.full((3600, 3600), 400, np.int16), np.zeros((3600, 3600), np.uint8)
    classes[1200:2400] = 3
    write_tile(tmp_path, known, heights)
    write_tile(tmp_path, known, classes, f"{folder}{known.name.replace('_DEM', '_WBM')}.tif")
    write_tile(tmp_path, silent, heights)
    grid = GeoGrid.snapped(4326, (8.5, 46.8, 9.5, 47.9), 0.01)
    water, whence, said = read_water_bodies(str(tmp_path), grid)
    lat, west, east = grid.y(), grid.x() < 8.99, grid.x() > 9.01
    river = (lat > 47.335) & (lat < 47.665)
    land = (lat > 47.675) | ((lat > 47.01) & (lat < 47.325))
    assert (water[np.ix_(river, west)] == 1).all() and (water[np.ix_(land, west)] == 0).all()
    assert (water[np.ix_(lat > 47.01, east)] == UNKNOWN).all() and (water[lat < 46.99] == 1).all()
    assert "1 tiles" in whence and silent.name in said[0]
