"""The area of interest: forms, errors, the antimeridian."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from sarcube.config import Aoi
from sarcube.errors import ConfigError
from sarcube.geometry.aoi import load_aoi
from sarcube.geometry.longitudes import unwrap_ring


def square(lon: float, lat: float, half: float = 0.5) -> list[tuple[float, float]]:
    return [
        (lon - half, lat - half),
        (lon + half, lat - half),
        (lon + half, lat + half),
        (lon - half, lat + half),
        (lon - half, lat - half),
    ]


def test_no_aoi_is_no_area() -> None:
    assert load_aoi(None) is None


def test_a_box_across_the_antimeridian_meets_both_sides_and_not_the_other_half_of_the_world() -> None:
    area = load_aoi(Aoi(bbox=(179.0, -20.0, -179.0, -10.0)))
    assert area is not None
    for lon in (179.2, -179.2, 180.0, 180.9, -180.9, 540.0 - 0.2):
        assert area.intersects(square(lon, -15.0))
    for lon in (0.0, 170.0, -170.0, 178.0):
        assert not area.intersects(square(lon, -15.0))
    parts = area.parts()
    assert sorted(p.bounds for p in parts) == [(-180.0, -20.0, -179.0, -10.0), (179.0, -20.0, 180.0, -10.0)]


def test_a_footprint_that_jumps_across_the_antimeridian_is_no_band_around_the_world() -> None:
    area = load_aoi(Aoi(bbox=(0.0, -20.0, 1.0, -10.0)))
    assert area is not None
    ring = [(179.5, -15.0), (-179.5, -15.0), (-179.5, -14.0), (179.5, -14.0), (179.5, -15.0)]
    assert not area.intersects(ring)
    assert unwrap_ring(ring)[1].tolist() == [180.5, -15.0]


@given(st.floats(-180, 180), st.floats(-80, 80), st.integers(-1, 1))
def test_whole_turns_of_longitude_change_nothing(lon: float, lat: float, turn: int) -> None:
    area = load_aoi(Aoi(wkt=shapely.to_wkt(shapely.Point(lon, lat).buffer(0.3))))
    assert area is not None
    assert area.intersects(square(lon + 360.0 * turn, lat))
    assert not area.intersects(square(lon + 3.0 + 360.0 * turn, lat))


def write(path: Path, content: object) -> Aoi:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return Aoi(geojson=path)


def test_geojson_in_all_its_forms(tmp_path: Path) -> None:
    polygon = {"type": "Polygon", "coordinates": [square(10.0, 50.0)]}
    feature = {"type": "Feature", "geometry": polygon, "properties": {}}
    for number, form in enumerate(
        (
            polygon,
            feature,
            {"type": "FeatureCollection", "features": [feature, {**feature, "geometry": None}]},
            {"type": "GeometryCollection", "geometries": [polygon]},
        )
    ):
        area = load_aoi(write(tmp_path / f"{number}.geojson", form))
        assert area is not None and area.shape.bounds == (9.5, 49.5, 10.5, 50.5)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "not JSON"),
        ("[1, 2]", "not GeoJSON"),
        ({"type": "Feature", "geometry": None}, "no geometry"),
        ({"type": "FeatureCollection", "features": 3}, "must be a list"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, "x"], [1, 1], [0, 0]]]}, "cannot be read"),
        ({"type": "Polygon", "coordinates": 5}, "cannot be read"),
        ({"type": "Circle", "coordinates": []}, "cannot be read"),
        ({"type": "Polygon", "coordinates": [square(500_000.0, 4_000_000.0)]}, "EPSG:4326"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_bad_geojson_file_is_named(tmp_path: Path, content: object, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as error:
        load_aoi(write(tmp_path / "area.geojson", content))
    assert "area.geojson" in str(error.value)


def test_a_missing_file_and_bad_wkt(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_aoi(Aoi(geojson=tmp_path / "none.geojson"))
    with pytest.raises(ConfigError, match="well-known text"):
        load_aoi(Aoi(wkt="POLYGON ((0 0, 1"))
    with pytest.raises(ConfigError, match="empty"):
        load_aoi(Aoi(wkt="POLYGON EMPTY"))


def test_a_crossed_polygon_is_repaired() -> None:
    area = load_aoi(Aoi(wkt="POLYGON ((0 0, 2 2, 2 0, 0 2, 0 0))"))
    assert area is not None and area.intersects(square(1.9, 1.0, 0.05))


def test_points_of_two_and_of_three_numbers_may_be_mixed(tmp_path: Path) -> None:
    ring = [[9.5, 49.5, 120.0], [10.5, 49.5], [10.5, 50.5, 80.0], [9.5, 50.5], [9.5, 49.5, 120.0]]
    for number, geometry in enumerate(
        (
            {"type": "Polygon", "coordinates": [ring]},
            {"type": "MultiPolygon", "coordinates": [[ring]]},
            {"type": "Feature", "properties": {}, "geometry": {"type": "LineString", "coordinates": ring}},
        )
    ):
        area = load_aoi(write(tmp_path / f"{number}.geojson", geometry))
        assert area is not None and area.shape.bounds == (9.5, 49.5, 10.5, 50.5)


@pytest.mark.parametrize("digits", [400, 5000])
def test_a_coordinate_beyond_all_numbers(tmp_path: Path, digits: int) -> None:
    text = '{"type": "Polygon", "coordinates": [[[1%s, 0], [1, 0], [1, 1], [0, 0]]]}' % ("0" * digits)
    with pytest.raises(ConfigError, match=r"area\.geojson"):
        load_aoi(write(tmp_path / "area.geojson", text))


def test_a_shape_that_jumps_across_the_antimeridian_is_no_band_around_the_globe(tmp_path: Path) -> None:
    ring = [[179.0, -20.0], [-179.0, -20.0], [-179.0, -10.0], [179.0, -10.0], [179.0, -20.0]]
    with pytest.raises(ConfigError, match=r"area\.geojson: .* 358 degrees"):
        load_aoi(write(tmp_path / "area.geojson", {"type": "Polygon", "coordinates": [ring]}))
    with pytest.raises(ConfigError, match=r"aoi\.wkt: .* 358 degrees"):
        load_aoi(Aoi(wkt=shapely.to_wkt(shapely.Polygon(ring))))
    halves = [square(179.5, -15.0), square(-179.5, -15.0)]
    cut = load_aoi(write(tmp_path / "cut.geojson", {"type": "MultiPolygon", "coordinates": [[h] for h in halves]}))
    assert cut is not None and cut.intersects(square(180.0, -15.0))


def test_bounds_are_the_narrowest_box_across_the_antimeridian():
    import shapely

    from sarcube.geometry.aoi import area_of_text

    halves = shapely.multipolygons([shapely.box(178, -19, 180, -16), shapely.box(-180, -18, -179, -17)])
    assert area_of_text(halves.wkt).bounds == (178, -19, 181, -16)
    assert area_of_text(shapely.box(178, -19, 181, -16).wkt).bounds == (178, -19, 181, -16)
    both = shapely.multipolygons([shapely.box(-120, 30, -100, 40), shapely.box(10, 40, 20, 50)])
    assert area_of_text(both.wkt).bounds == (-120, 30, 20, 50)


def test_a_box_of_a_command_is_refused_in_words():
    from sarcube.geometry.aoi import area_of_text

    for box, says in (((30.0, 40.0, 20.0, 50.0), "350 degrees"), ((20.0, 50.0, 30.0, 40.0), "south")):
        with pytest.raises(ConfigError, match=says):
            area_of_text("", box)
