"""Scars painted into real reflectance: what comes back is what was painted."""

import datetime as dt
import json

import numpy as np
import pytest
import rasterio

from sarcube.engines.optical import burned
from sarcube.engines.optical.reflectance import Numbers, to_reflectance
from sarcube.errors import ConfigError, ProductError
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel2.images import read_image
from sarcube.sensors.sentinel2.scene import open_scene
from sarcube.simulate.sentinel2 import Sentinel2Options, write_sentinel2
from sarcube.workflows.burned_area.process import burned_area
from sarcube.workflows.burned_area.run import perimeters_in_degrees
from sarcube.workflows.burned_area.section import BurnedAreaSection
from sarcube.workflows.sentinel2.command import preprocess, write_burned_area
from sarcube.workflows.sentinel2.section import Sentinel2Section
from tests.catalog.verdicts import judge_alike

N = 240  # 20 m pixels of one side
REAL = "S2A_MSIL2A_20221005T115411_N0400_R023_T29UNU_20221005T164454.zip"


@pytest.fixture(scope="module")
def real(shared_data):
    """Real reflectance of vegetation and clearings, its 60 m pixels taken for 20 m ones."""
    scene = open_scene(shared_data / "data" / "sentinel2" / REAL)
    scl = read_image(scene, "SCL", 60)
    clear = np.isin(scl, (4, 5)).astype(np.float32)
    counts = np.cumsum(np.cumsum(np.pad(clear, ((1, 0), (1, 0))), 0), 1)
    sums = counts[N:, N:] - counts[:-N, N:] - counts[N:, :-N] + counts[:-N, :-N]
    row, column = np.unravel_index(np.argmax(sums), sums.shape)
    window = GeoGrid(scene.epsg, scene.left + 60 * column, scene.top - 60 * row, 60, N, N)
    numbers = Numbers(scene.radiometry.quantification, scene.radiometry.offset("B12"))
    bands = {b: to_reflectance(read_image(scene, b, 60, window), numbers) for b in ("B8A", "B11", "B12")}
    return bands, scl[row : row + N, column : column + N]


def painted(bands):
    """Reflectance after fires whose dNBR is chosen: NBR falls by that much, the sum of both bands stays."""
    total = bands["B8A"] + bands["B12"]
    before = burned.nbr(bands["B8A"], bands["B12"])
    drop = np.zeros_like(before)
    for (r, c, radius), change in zip(
        ((50, 60, 28), (150, 70, 35), (120, 170, 40), (200, 190, 22)), (0.18, 0.35, 0.55, 0.8), strict=True
    ):
        y, x = np.mgrid[:N, :N]
        drop[np.hypot(y - r, x - c) < radius] = change
    after = before - drop
    return {"B8A": total * (1 + after) / 2, "B11": bands["B11"], "B12": total * (1 - after) / 2}, drop


@pytest.fixture(scope="module")
def pair(real, tmp_path_factory):
    bands, scl = real
    after, drop = painted(bands)
    folder = tmp_path_factory.mktemp("pair")
    common = {"size": N * 20, "tile": "29UNU", "bands": ()}
    # Across 2022-01-25, where products gained an offset.
    first = Sentinel2Options(start=dt.datetime(2022, 1, 20, 11, 54, tzinfo=dt.UTC), baseline="03.01", **common)
    second = Sentinel2Options(start=dt.datetime(2022, 1, 30, 11, 54, tzinfo=dt.UTC), baseline="04.00", **common)
    scars = np.where(drop > 0.3, 2, scl)  # sen2cor takes fresh scars for dark ground
    unburned = Sentinel2Options(start=dt.datetime(2022, 2, 4, 11, 54, tzinfo=dt.UTC), baseline="05.11", **common)
    paths = [
        write_sentinel2(folder, first, bands, scl),
        write_sentinel2(folder, second, after, scars.astype(np.uint8)),
        write_sentinel2(folder, unburned, bands, scl),
    ]
    return paths, bands, scl, drop


def layers(folder):
    found = {}
    for path in folder.glob("*.tif"):
        with rasterio.open(path) as data:
            found[path.stem] = data.read(1)
    return found


def test_painted_scars_come_back(pair, tmp_path):
    (before, after, _), _, scl, drop = pair
    hectares, notes = write_burned_area(before, after, tmp_path)
    got = layers(tmp_path)
    valid = np.isin(scl, (4, 5, 7))
    assert valid.mean() > 0.5 and not notes
    seen = got["valid"] == 1
    assert (seen == valid).mean() > 0.999
    assert np.abs(got["dnbr"] - drop)[seen].max() < 0.005
    want = burned.severity(drop)
    assert (got["severity"] == want)[seen].mean() >= 0.99
    truth = burned.hectares(np.where(valid, want, 0).astype(np.uint8), 400.0)
    for name in ("low", "moderate_low", "moderate_high", "high"):
        assert truth[name] > 20
        assert hectares[name] == pytest.approx(truth[name], rel=0.005)
    outlines = json.loads((tmp_path / "perimeters.geojson").read_text())
    total = sum(f["properties"]["hectares"] for f in outlines["features"])
    assert total == pytest.approx(sum(truth[n] for n in burned.SEVERITY_NAMES[3:]), rel=0.02)
    assert (tmp_path / "hectares.csv").read_text().startswith("class,hectares\n")


def test_a_pair_across_the_change_of_offsets_burns_nothing(pair, tmp_path):
    (before, _, same), _, _, _ = pair
    hectares, _ = write_burned_area(before, same, tmp_path)
    assert all(hectares[name] == 0 for name in burned.SEVERITY_NAMES if name != "unburned")
    assert hectares["unburned"] > 500
    assert np.nanmax(np.abs(layers(tmp_path)["dnbr"])) < 0.005


def test_wrong_pairs_are_refused(pair, tmp_path):
    (before, after, _), _, _, _ = pair
    with pytest.raises(ConfigError, match="not earlier"):
        write_burned_area(after, before, tmp_path)
    other = write_sentinel2(tmp_path, Sentinel2Options(size=3000, tile="30UVU"), {})
    with pytest.raises(ConfigError, match="of two tiles"):
        write_burned_area(before, other, tmp_path)


def test_the_command_writes_bands_in_the_order_asked_for(pair, tmp_path):
    (before, _, _), bands, _, _ = pair
    section = Sentinel2Section(bands="B12,B8A", resolution=20, classes=False)
    for form in ("COG", "GeoTIFF", "ENVI"):
        path, _ = preprocess(before, tmp_path / form, section, output_format=form)
        with rasterio.open(path) as data:
            assert data.descriptions[:2] == ("B12", "B8A") or form == "ENVI"
            np.testing.assert_allclose(data.read(1) * 1e-4, bands["B12"], atol=1.1e-4)


def test_every_format_gives_every_number_back_or_leaves_nothing(pair, tmp_path):
    (before, _, _), _, _, _ = pair
    section = Sentinel2Section(bands="B12,B8A", resolution=20, classes=False)
    path, _ = preprocess(before, tmp_path, section)
    with rasterio.open(path) as data:
        want = data.read()
    for form in ("ENVI", "NetCDF4", "HFA", "JP2OpenJPEG", "PNG"):
        path, _ = preprocess(before, tmp_path / form, section, output_format=form)
        if path.suffix == ".nc":
            names = [f"NETCDF:{path}:Band{i}" for i in (1, 2)]
            got = np.stack([rasterio.open(name).read(1) for name in names])
        else:
            with rasterio.open(path) as data:
                got = data.read()
                assert data.crs.to_epsg() == 32629
        np.testing.assert_array_equal(got, want, form)
    for form in ("Nonsense", "AAIGrid", "MEM", "VRT", "Zarr"):
        folder = tmp_path / form
        with pytest.raises(ProductError, match="try COG"):
            preprocess(before, folder, section, output_format=form)
        assert list(folder.iterdir()) == []
    with pytest.raises(ProductError, match="cannot be a folder"):
        preprocess(before, path, section)


def test_the_workflow_makes_the_pair_of_a_run(pair, official, tmp_path):
    from sarcube.config import RunConfig
    from sarcube.production.plan.plan import plan
    from sarcube.workflows.registry import load_workflow
    from sarcube.workflows.workflow import Context

    (before, after, _), _, _, _ = pair
    run = RunConfig.from_dict(
        {
            "workflow": "burned_area",
            "source": {"kind": "local", "path": str(before.parent)},
            "aoi": {"bbox": [-9.0, 53.215, -8.95, 53.24]},
            "store": str(tmp_path / "store"),
            "burned_area": {"before": "2022-01-20", "after": "2022-01-30"},
        }
    )
    planned = plan(run)
    (task,) = planned.tasks
    assert not planned.problems
    work = load_workflow("burned_area")
    work.prepare(run, ["BURNED_AREA"])
    made = work.run(task, Context("test", run))
    item = json.loads((tmp_path / "store" / made.item).read_text())
    assert item["properties"]["sarcube:burned_hectares"] > 0
    assert item["properties"]["sarcube:before"] == [before.name.removesuffix(".SAFE")]
    assert {"dnbr", "severity", "valid", "B12_pre", "B12_post"} <= set(item["assets"])
    work.finish(run, ["BURNED_AREA"])
    judge_alike(tmp_path / "store", official)
    assert after.exists()


def test_windows_of_dates_take_the_best_pixels(real, tmp_path):
    """Clouds over the west of one date, over the east of the next, and a bright haze: what is left is clear ground."""
    from sarcube.config import RunConfig
    from sarcube.production.plan.plan import plan
    from sarcube.production.run.produce import produce

    bands, scl = real
    after, drop = painted(bands)
    west = np.zeros((N, N), bool)
    west[:, : N // 2] = True
    common = {"size": N * 20, "tile": "29UNU", "bands": ()}

    def product(day, month, baseline, values, classes, clouds):
        hidden = {name: np.where(clouds, 0.7, band).astype(np.float32) for name, band in values.items()}
        options = Sentinel2Options(
            start=dt.datetime(2022, month, day, 11, 54, tzinfo=dt.UTC), baseline=baseline, **common
        )
        write_sentinel2(tmp_path / "scenes", options, hidden, np.where(clouds, 9, classes).astype(np.uint8))

    scars = np.where(drop > 0.3, 2, scl)
    product(5, 1, "03.01", bands, scl, west)
    product(20, 1, "03.01", bands, scl, ~west)
    product(4, 2, "04.00", after, scars, ~west)
    product(9, 2, "04.00", after, scars, west)
    run = RunConfig.from_dict(
        {
            "workflow": "burned_area",
            "source": {"path": str(tmp_path / "scenes")},
            "aoi": {"bbox": [-9.0, 53.2, -8.92, 53.25]},
            "store": str(tmp_path / "store"),
            "burned_area": {"before": "2022-01", "after": "2022-02"},
        }
    )
    outcome = produce(plan(run))
    assert outcome.ok, outcome.failed
    (path,) = (tmp_path / "store").rglob("*_*_dnbr.tif")
    (item,) = (p for p in path.parent.glob("*.json"))
    told = json.loads(item.read_text())["properties"]
    assert len(told["sarcube:before"]) == len(told["sarcube:after"]) == 2
    with rasterio.open(path) as data, rasterio.open(str(path).replace("dnbr", "valid")) as mask:
        got, seen = data.read(1), mask.read(1) == 1
        scene = open_scene(next((tmp_path / "scenes").glob("*.SAFE")))
        column, row = round((data.transform.c - scene.left) / 20), round((scene.top - data.transform.f) / 20)
    assert row >= 0 and column >= 0
    got, seen = got[: N - row, : N - column], seen[: N - row, : N - column]  # the area reaches beyond the small tile
    part = slice(row, row + got.shape[0]), slice(column, column + got.shape[1])
    want, clear = drop[part], np.isin(scl, (4, 5, 7))[part]
    assert seen.shape == want.shape and (seen == clear).mean() > 0.999
    assert seen[:, : max(1, N // 2 - column)].mean() > 0.5 and seen[:, N // 2 - column :].mean() > 0.5
    assert np.abs(got - want)[seen].max() < 0.005


SIDE = 96  # 20 m pixels of the small pairs below


def small(folder, day, nir, swir, scl=None, **options):
    options = {"tile": "29UNU", "size": SIDE * 20, **options}
    chosen = Sentinel2Options(start=dt.datetime(2022, 7, day, 11, 54, tzinfo=dt.UTC), bands=(), **options)
    bands = {"B8A": np.full((SIDE, SIDE), nir), "B12": np.full((SIDE, SIDE), swir), "B11": 0.2}
    return write_sentinel2(folder, chosen, bands, None if scl is None else np.full((SIDE, SIDE), scl, np.uint8))


def scattered():
    """A third of all pixels, so that patches touch at corners in every way."""
    return np.random.default_rng(5).uniform(size=(SIDE, SIDE)) < 0.35


def burned_pair(folder, where, **options):
    before = small(folder, 1, 0.3, 0.1, **options)
    return before, small(folder, 20, np.where(where, 0.1, 0.3), np.where(where, 0.3, 0.1), **options)


def test_perimeters_are_valid_and_have_the_area_of_the_table(tmp_path):
    import shapely
    from pyproj import Geod

    where = scattered()
    before, after = burned_pair(tmp_path, where)
    scenes = open_scene(before), open_scene(after)
    grid = scenes[0].grid(20)
    done = burned_area([scenes[0]], [scenes[1]], grid, BurnedAreaSection(least_hectares=0))
    features = perimeters_in_degrees(done.perimeters, grid)["features"]
    shapes = [shapely.geometry.shape(f["geometry"]) for f in features]
    assert len(shapes) > 5 and all(shape.is_valid for shape in shapes)
    assert {shape.geom_type for shape in shapes} == {"Polygon", "MultiPolygon"}
    burned_hectares = sum(done.hectares[name] for name in burned.SEVERITY_NAMES[burned.BURNED_FROM - 1 :])
    assert burned_hectares == pytest.approx(where.sum() * 0.04)
    assert sum(f["properties"]["hectares"] for f in features) == pytest.approx(burned_hectares, abs=1e-3)
    for shape, feature in zip(shapes, features, strict=True):
        on_the_ground = abs(Geod(ellps="WGS84").geometry_area_perimeter(shape)[0]) / 1e4
        assert feature["properties"]["hectares"] == pytest.approx(on_the_ground, rel=2e-3)
    assert shapely.union_all([s for s, _ in done.perimeters]).area == pytest.approx(where.sum() * 400)


@pytest.mark.parametrize(("epsg", "resolution"), [(3857, 33.0), (4326, 2e-4), (3035, 20.0), (32630, 20.0)])
def test_hectares_are_ground_in_every_crs(tmp_path, epsg, resolution):
    from sarcube.workflows.sentinel2.grids import window_of

    where = np.zeros((SIDE, SIDE), bool)
    where[10:80, 15:85] = True
    scenes = [open_scene(path) for path in burned_pair(tmp_path, where)]
    grid = window_of(scenes[0].grid(20), None, epsg, resolution, None, "29UNU")
    done = burned_area(scenes[:1], scenes[1:], grid, BurnedAreaSection(resolution=resolution))
    burned_hectares = sum(done.hectares[name] for name in burned.SEVERITY_NAMES[burned.BURNED_FROM - 1 :])
    assert burned_hectares == pytest.approx(70 * 70 * 0.04, rel=0.02)
    assert sum(hectares for _, hectares in done.perimeters) == pytest.approx(burned_hectares, rel=1e-3)


def test_perimeters_across_the_antimeridian_are_cut_there(tmp_path):
    import shapely
    from pyproj import Geod, Transformer

    x, y = Transformer.from_crs(4326, 32701, always_xy=True).transform(180.0, -17.5)
    corner = {"left": float(round((x - 960) / 60) * 60), "top": float(round((y + 960) / 60) * 60)}
    where = np.zeros((SIDE, SIDE), bool)
    where[10:80, 15:85] = True
    before, after = burned_pair(tmp_path, where, tile="01KAB", **corner)
    write_burned_area(before, after, tmp_path / "out")
    (feature,) = json.loads((tmp_path / "out" / "perimeters.geojson").read_text())["features"]
    shape = shapely.geometry.shape(feature["geometry"])
    assert shape.geom_type == "MultiPolygon" and shape.is_valid
    for part in shape.geoms:
        assert part.bounds[2] - part.bounds[0] < 0.02 and part.bounds[0] >= -180 and part.bounds[2] <= 180
    area = sum(abs(Geod(ellps="WGS84").geometry_area_perimeter(part)[0]) for part in shape.geoms) / 1e4
    assert area == pytest.approx(70 * 70 * 0.04, rel=3e-3)


def test_reflectance_below_zero_counts_as_it_is(tmp_path):
    before, after = small(tmp_path, 1, 0.02, -0.005), small(tmp_path, 20, 0.02, 0.01)
    write_burned_area(before, after, tmp_path / "out")
    got = layers(tmp_path / "out")
    assert got["nbr_pre"][5, 5] == pytest.approx(0.025 / 0.015, abs=1e-5)
    assert got["dnbr"][5, 5] == pytest.approx(0.025 / 0.015 - 0.01 / 0.03, abs=1e-5)
    assert got["B12_pre"][5, 5] == 1 and got["B8A_pre"][5, 5] == 200


def test_of_a_span_products_without_classes_fill_what_the_others_do_not_see(tmp_path):
    after = open_scene(small(tmp_path, 20, 0.1, 0.3))
    bare, cloudy = small(tmp_path, 4, 0.3, 0.1, 5), small(tmp_path, 5, 0.3, 0.1, 9)
    haze = small(tmp_path, 6, 0.7, 0.7, level="L1C")
    clear = small(tmp_path, 7, 0.3, 0.1, level="L1C")
    for first, second in ((bare, haze), (cloudy, clear)):
        for order in ((first, second), (second, first)):
            scenes = [open_scene(path) for path in order]
            done = burned_area(scenes, [after], after.grid(20), BurnedAreaSection())
            assert (done.layers["valid"] == 1).all()
            np.testing.assert_allclose(done.layers["nbr_pre"], 0.5, atol=1e-6)
            assert not any("water is not masked" in note for note in done.notes)


def test_nothing_seen_and_nothing_unburned_is_told(tmp_path):
    before, burnt = small(tmp_path, 1, 0.3, 0.1), small(tmp_path, 20, 0.1, 0.3)
    scenes = [open_scene(path) for path in (before, burnt, small(tmp_path, 25, 0.1, 0.3, 9))]
    auto = BurnedAreaSection(unburned_offset="auto")
    done = burned_area(scenes[:1], scenes[1:2], scenes[0].grid(20), auto)
    assert done.offset == 0 and any("no ground looks unburned" in note for note in done.notes)
    done = burned_area(scenes[:1], scenes[2:], scenes[0].grid(20), auto)
    assert any("nothing was seen on both dates" in note for note in done.notes)
    for wrong in (0, -20, float("nan"), 1e9):
        with pytest.raises(ConfigError, match="resolution"):
            write_burned_area(before, burnt, tmp_path / "out", resolution=wrong)
