"""A place's values over time, as a table and as a picture, from no more of a store than it needs."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.warp import transform
from typer.testing import CliRunner

from sarcube.cli.app import app
from sarcube.cube.series import as_csv, parse_where, rows, series_of
from sarcube.errors import CubeError
from tests.cube.examples import GRID, lay_out, speckle


@pytest.fixture
def store(bursts: Any, tmp_path: Path) -> Path:
    """One burst on three dates of January 2022."""
    return lay_out(tmp_path, speckle(bursts, "03", "15", "27"))


def place(row: int, col: int) -> tuple[float, float]:
    """Longitude and latitude of a pixel's centre."""
    lon, lat = transform(GRID.epsg, 4326, [GRID.x()[col]], [GRID.y()[row]])
    return lon[0], lat[0]


def pixels(store: Path, name: str, date: str) -> Any:
    import rasterio

    (path,) = store.rglob(f"*_{date}*_{name}.tif")
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def test_of_a_point_a_square_and_a_box(store: Path) -> None:
    lon, lat = place(60, 70)
    truth = [pixels(store, "VV", f"202201{day}") for day in ("03", "15", "27")]
    point = series_of(store, f"{lon},{lat}")
    np.testing.assert_array_equal(point["VV"], [t[60, 70] for t in truth])
    square = series_of(store, f"{lon} {lat}", 100.0)
    np.testing.assert_allclose(square["VV"], [t[58:63, 68:73].mean(dtype=float) for t in truth], rtol=1e-6)
    assert square["pixels"].values.tolist() == [25] * 3
    (west, south), (east, north) = place(80, 50), place(40, 90)
    box = series_of(store, f"{west},{south},{east},{north}")
    x, y = np.meshgrid(GRID.x(), GRID.y())
    lons, lats = (np.reshape(v, GRID.shape) for v in transform(GRID.epsg, 4326, x.ravel(), y.ravel()))
    inside = (lons >= west) & (lons <= east) & (lats >= south) & (lats <= north)
    np.testing.assert_allclose(box["VV"], [t[inside].mean(dtype=float) for t in truth], rtol=0.01)
    np.testing.assert_allclose(box["pixels"], [inside.sum()] * 3, rtol=0.03)  # the box's edges are straight in the grid


def test_rows_say_where_they_are_from(store: Path) -> None:
    lon, lat = place(60, 70)
    found = rows(series_of(store, f"{lon},{lat}"))
    assert [row["time"][:10] for row in found] == ["2022-01-03", "2022-01-15", "2022-01-27"]
    assert found[0]["platform"] == "sentinel-1a" and found[0]["relative_orbit"] == 52
    assert found[0]["VV_db"] == pytest.approx(10 * math.log10(found[0]["VV"]), abs=1e-3)
    lines = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert float(lines[2]["VH"]) == pytest.approx(found[2]["VH"])
    unseen = rows(series_of(store, "{},{}".format(*place(1, 1))))  # in the grid, outside of the outline
    assert [row["VV"] for row in unseen] == [None] * 3
    assert as_csv(unseen).splitlines()[1].count(",,") >= 1


@pytest.mark.parametrize(
    ("text", "word"),
    [("8", "longitude,latitude or"), ("8,x", "longitude,latitude or"), ("8,95", "longitude comes first"),
     ("8,48,7,49", "west below east"), ("nan,4", "longitude,latitude or")],
)  # fmt: skip
def test_places_that_are_none(text: str, word: str) -> None:
    with pytest.raises(CubeError, match=word):
        parse_where(text)


def test_swapped(store: Path) -> None:
    lon, lat = place(60, 70)
    with pytest.raises(CubeError, match=r"they lie within .*was taken as longitude"):
        series_of(store, f"{lat},{lon}")


def test_command(store: Path, tmp_path: Path) -> None:
    lon, lat = place(60, 70)  # west of Greenwich: the place begins with a minus
    assert lon < 0
    picture, table = tmp_path / "series.png", tmp_path / "series.csv"
    words = ["timeseries", str(store), f"{lon},{lat}", "--box", "60", "--plot", str(picture), "-o", str(table)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "3 dates" in done.output
    assert len(table.read_text().splitlines()) == 4
    assert picture.read_bytes().startswith(b"\x89PNG")
    done = CliRunner().invoke(app, [*words[:3], "--plot", str(tmp_path / "series.doc")])
    assert isinstance(done.exception, CubeError) and "png" in str(done.exception)
