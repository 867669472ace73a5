"""A place's values over time, as a table and as a picture, from no more of a store than it needs."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from rasterio.warp import transform
from typer.testing import CliRunner

from sarcube.cli.app import app
from sarcube.cube.open_cube import open_cube
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


def test_a_square_has_a_side_in_metres_whatever_the_crs(store: Path) -> None:
    lon, lat = place(60, 70)
    counts = {
        crs: int(open_cube(store, crs=crs, resolution=step).sar.timeseries((lon, lat), box=400)["pixels"][0])
        for crs, step in ((32629, 20), (4326, 0.0002), (4258, 0.0002))
    }
    assert counts[4326] == counts[4258] == 19**2 and counts[32629] == 21**2


@pytest.mark.parametrize(
    ("where", "word"),
    [((math.nan, 40.0), "in degrees"), ((-7.0, 95.0), "in degrees"), ((math.inf, 40.0), "in degrees"),
     (("a", "b"), "a point is"), ((1, 2, 3), "a point is"), (None, "a point is"), (5, "a point is"),
     (shapely.Polygon(), "is empty"), (shapely.Point(), "is empty"), ({"type": "Feature", "geometry": None}, "GeoJSON"),
     ({"type": "FeatureCollection", "features": []}, "GeoJSON"), ({"type": "Polygon", "coordinates": []}, "is empty"),
     (shapely.box(0, 0, 1, 1), "outside"), ((170.0, -80.0), "outside")],
)  # fmt: skip
def test_no_place_at_all(store: Path, where: Any, word: str) -> None:
    with pytest.raises(CubeError, match=word):
        open_cube(store).sar.timeseries(where)


def test_sides_that_are_none(store: Path) -> None:
    cube = open_cube(store)
    for box in (0, -5, math.nan, math.inf, "5"):
        with pytest.raises(CubeError, match="a box has a side in metres"):
            cube.sar.timeseries(place(60, 70), box=box)  # type: ignore[arg-type]
    assert cube.sar.timeseries(place(60, 70), box=1e12)["pixels"].max() > 10_000


def test_whole_and_complex_numbers(store: Path) -> None:
    """Counts leave out what has no value; of complex numbers magnitude and phase are told."""
    cube = open_cube(store, layers=["VV"])
    seen = np.where(np.isnan(cube["VV"]), 65535, 3).astype(np.uint16)
    about = {"sarcube_role": "measure", "sarcube_nodata": 65535.0}
    wave = np.full(cube["VV"].shape, 2j, np.complex64)
    values = {"seen": (seen, about), "wave": (wave, {"sarcube_role": "measure"})}
    cube = cube.assign({n: (cube["VV"].dims, v, a) for n, (v, a) in values.items()}).drop_vars("VV")
    series = cube.sar.timeseries(place(60, 70), box=4000)
    np.testing.assert_allclose(series["seen"], 3.0)
    np.testing.assert_allclose(series["wave_magnitude"], 2.0)
    np.testing.assert_allclose(series["wave_phase"], np.pi / 2, rtol=1e-6)
    assert rows(series)[0]["wave_phase"] == pytest.approx(np.pi / 2, rel=1e-6)
    assert rows(cube.sar.timeseries(place(1, 1)))[0]["seen"] is None
    with pytest.raises(CubeError, match="no layer with values"):
        open_cube(store, layers=["mask"]).sar.timeseries(place(60, 70))
