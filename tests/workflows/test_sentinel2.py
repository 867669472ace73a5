"""The workflow from products to items: known reflectance in, the same out, whatever baseline, grid and window."""

import datetime as dt
import json

import numpy as np
import pytest
import rasterio

from sarcube.config import RunConfig
from sarcube.engines.optical import masks
from sarcube.errors import ConfigError, GridError, SceneError, SourceError
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.mgrs import tile_corner, tile_grid
from sarcube.production.plan.plan import plan
from sarcube.sensors.sentinel2.scene import open_scene
from sarcube.simulate.sentinel2 import Sentinel2Options, write_sentinel2
from sarcube.workflows.sentinel2.grids import window_of
from sarcube.workflows.sentinel2.process import process
from sarcube.workflows.sentinel2.section import Sentinel2Section
from sarcube.workflows.workflow import Context
from tests.catalog.verdicts import judge_alike

SIZE = 3_000
AOI = [-5.395, 41.505, -5.37, 41.53]


def steps(resolution, low, high):
    """Reflectance that differs from pixel to pixel, on whole numbers of 0.0001."""
    n = SIZE // resolution
    rng = np.random.default_rng(resolution)
    return np.round(rng.uniform(low, high, (n, n)), 4)


def classes():
    scl = np.full((SIZE // 20,) * 2, masks.VEGETATION, np.uint8)
    scl[20:50, 30:70] = masks.HIGH
    scl[20:30, 70:80] = masks.CIRRUS
    scl[50:60, 30:70] = masks.SHADOW
    scl[100:, :40] = masks.WATER
    return scl


def product(folder, **options):
    chosen = Sentinel2Options(**{"size": SIZE, "bands": (), **options})
    values = {"B04": steps(10, 0.01, 0.4), "B8A": steps(20, 0.2, 0.5), "B12": steps(20, 0.05, 0.3)}
    scl = classes() if chosen.level == "L2A" else None
    clouds = {"opaque": np.eye(SIZE // 60, dtype=bool)}
    return write_sentinel2(folder, chosen, values, scl, clouds, as_zip=True)


def day(d, **more):
    return {"start": dt.datetime(2022, 7, d, 11, 6, 21, tzinfo=dt.UTC), **more}


def config(folder, **more):
    section = {"bands": "B4,B8A,B12", **more.pop("sentinel2", {})}
    raw = {
        "workflow": "sentinel2",
        "source": {"kind": "local", "path": str(folder / "scenes")},
        "store": str(folder / "store"),
        "aoi": {"bbox": AOI},
        "sentinel2": section,
        **more,
    }
    return RunConfig.from_dict(raw)


def test_tiles_lie_where_real_ones_do():
    assert tile_corner("29UNU") == (32629, 499_980.0, 5_900_040.0)
    assert tile_corner("30UVU") == (32630, 399_960.0, 5_400_000.0)
    assert tile_corner("31tcj") == (32631, 300_000.0, 4_900_020.0)
    assert tile_corner("21KUU")[0] == 32721
    assert tile_grid("29UNU", 20).shape == (5490, 5490)
    grid = tile_grid("29UNU", 50)
    assert (grid.left % 50, grid.top % 50, grid.width) == (0, 0, 2197)
    for wrong in ("61UNU", "29INU", "29UIU", "29U", "29AUU", "29UAU"):
        with pytest.raises(GridError, match="no tile"):
            tile_corner(wrong)


def made(run, tmp_path):
    """Plan and do all tasks in a plain loop: items and layers by day."""
    planned = plan(run)
    assert not planned.problems, planned.problems
    from sarcube.workflows.registry import load_workflow

    work = load_workflow("sentinel2")
    work.prepare(run, ["S2_ARD"])
    found = {}
    for task in planned.tasks:
        result = work.run(task, Context("test", run))
        path = tmp_path / "store" / result.item
        item = json.loads(path.read_text())
        layers = {}
        for name, asset in item["assets"].items():
            if name != "thumbnail":
                with rasterio.open(path.parent / asset["href"]) as data:
                    layers[name] = (data.read(1), data.scales[0], data.transform)
        found[task.start.date().isoformat()] = (item, layers)
    work.finish(run, ["S2_ARD"])
    return found


def test_dates_across_2022_01_25_are_alike_on_one_grid(tmp_path, shared_data):
    product(tmp_path / "scenes", **day(3, baseline="03.01"))
    product(tmp_path / "scenes", **day(8, baseline="04.00"))
    product(tmp_path / "scenes", **day(13, baseline="05.11", platform="S2B"))
    run = config(tmp_path, dates="2022-07", schemas=str(shared_data / "schemas"), sentinel2={"cloud_mask": "l2a"})
    found = made(run, tmp_path)
    assert sorted(found) == ["2022-07-03", "2022-07-08", "2022-07-13"]
    first = found["2022-07-03"]
    for item, layers in found.values():
        assert item["properties"]["proj:transform"] == first[0]["properties"]["proj:transform"]
        assert set(layers) == {"B04", "B8A", "B12", "scl", "cloud_mask"}
        for name, (values, scale, _) in layers.items():
            np.testing.assert_array_equal(values, first[1][name][0])  # to the number, whatever the offset was
            assert scale == (1e-4 if name.startswith("B") else 1.0)
    item = found["2022-07-13"][0]
    about = item["properties"]
    assert about["sarcube:boa_offset_applied"] and about["sarcube:offset_removed"] == -1000
    assert about["grid:code"] == "MGRS-30TUL" and about["platform"] == "sentinel-2b"
    asset = item["assets"]["B04"]
    assert (asset["raster:scale"], asset["raster:offset"]) == (1e-4, 0.0)
    assert asset["bands"][0]["eo:common_name"] == "red"
    assert [c["name"] for c in item["assets"]["scl"]["classification:classes"]][8] == "cloud_medium"
    assert (tmp_path / "store" / "s2_ard" / "collection.json").exists()
    judge_alike(tmp_path / "store", shared_data / "schemas")
    again = plan(run)
    assert len(again.tasks) == 0


def test_pixels_are_those_of_the_product_and_clouds_are_none(tmp_path):
    product(tmp_path / "scenes", **day(8))
    run = config(tmp_path, sentinel2={"cloud_mask": "l2a", "cloud_shadow": True})
    ((_, layers),) = made(run, tmp_path).values()
    values, _, transform = layers["B04"]
    _, left, top = tile_corner("30TUL")
    row, column = round((top - transform.f) / 10), round((transform.c - left) / 10)
    rows, columns = values.shape
    part = np.s_[row : row + rows, column : column + columns]
    truth = np.rint(steps(10, 0.01, 0.4) * 10_000)[part]
    scl = np.repeat(np.repeat(classes(), 2, 0), 2, 1)[part]
    hidden = np.isin(scl, [masks.SHADOW, masks.HIGH, masks.CIRRUS])
    assert 0 < hidden.mean() < 1
    np.testing.assert_array_equal(values, np.where(hidden, 0, truth))
    np.testing.assert_array_equal(layers["scl"][0], scl)
    assert set(np.unique(layers["cloud_mask"][0])) == {masks.CLEAR, masks.CLOUD, masks.CLOUD_SHADOW, masks.CLOUD_CIRRUS}
    coarse = np.rint(np.repeat(np.repeat(steps(20, 0.05, 0.3), 2, 0), 2, 1) * 10_000)[part]
    np.testing.assert_array_equal(layers["B12"][0], np.where(hidden, 0, coarse))


def test_l1c_is_labelled_and_the_l2a_of_its_datatake_is_taken(tmp_path):
    product(tmp_path / "scenes", **day(3, level="L1C"))
    product(tmp_path / "scenes", **day(8, level="L1C"))
    product(tmp_path / "scenes", **day(8, baseline="04.00", made=dt.datetime(2022, 7, 9, tzinfo=dt.UTC)))
    product(tmp_path / "scenes", **day(8, baseline="05.10", made=dt.datetime(2023, 7, 9, tzinfo=dt.UTC)))
    run = config(tmp_path)
    planned = plan(run)
    assert [t.inputs[0].level for t in planned.tasks] == ["L1C", "L2A"]
    assert planned.tasks[1].inputs[0].baseline == "05.10"
    assert any("passed over" in str(w) for w in planned.warnings), planned.warnings
    item, layers = made(run, tmp_path)["2022-07-03"]
    assert item["properties"]["sarcube:reflectance"] == "top-of-atmosphere"
    assert any("top of the atmosphere" in w for w in item["properties"]["sarcube:warnings"])
    assert "scl" not in layers
    masked = plan(config(tmp_path, sentinel2={"cloud_mask": "l2a"}, store=str(tmp_path / "masked")))
    assert len(masked.tasks) == 1
    assert "has no classes" in masked.problems[0].message


def nearest_of(scene, grid, values):
    """The pixel of the product in which each pixel's centre lies: what pyproj says; 0 beyond."""
    from pyproj import Transformer

    x, y = Transformer.from_crs(grid.epsg, scene.epsg, always_xy=True).transform(*np.meshgrid(grid.x(), grid.y()))
    row, column = np.floor((scene.top - y) / 10).astype(int), np.floor((x - scene.left) / 10).astype(int)
    inside = (row >= 0) & (column >= 0) & (row < len(values)) & (column < len(values))
    return np.where(inside, values[np.where(inside, row, 0), np.where(inside, column, 0)], 0)


def test_any_resolution_and_projection(tmp_path):
    scene = open_scene(product(tmp_path))
    _, left, top = tile_corner("30TUL")
    grid = GeoGrid(scene.epsg, left, top, 60, 50, 50)
    section = Sentinel2Section(bands=("B04",), resolution=60, downsampling="mean", classes=False)
    got = process(scene, grid, section).layers["B04"]
    numbers = np.rint(steps(10, 0.01, 0.4) * 10_000)
    np.testing.assert_array_equal(got, np.floor(numbers.reshape(50, 6, 50, 6).mean(axis=(1, 3))))
    degrees = GeoGrid.snapped(4326, (-5.39, 41.505, -5.37, 41.52), 1e-4)
    elsewhere = process(scene, degrees, Sentinel2Section(bands=("B04",), resolution=1e-4, classes=False)).layers["B04"]
    assert elsewhere.shape == degrees.shape and (elsewhere > 0).mean() > 0.99
    assert (elsewhere == nearest_of(scene, degrees, numbers)).mean() > 0.98
    for epsg, size in ((3857, 15.0), (2263, 33.0), (32631, 10.0)):  # 11 m on the ground, feet, the next zone
        there = window_of(scene.grid(10), None, epsg, size, None, "30TUL")
        got = process(scene, there, Sentinel2Section(bands=("B04",), resolution=size, classes=False)).layers["B04"]
        want = nearest_of(scene, there, numbers)
        both = (got > 0) & (want > 0)
        assert both.mean() > 0.4 and (got == want)[both].mean() > 0.98
    with pytest.raises(GridError, match="do not meet"):
        process(scene, GeoGrid(scene.epsg, left + 200_000, top, 10, 50, 50), section)


@pytest.mark.parametrize(
    ("tile", "box"),
    [
        ("29UNU", (-10.5, 52.9, -6.5, 53.1)),  # four degrees: a parallel bends by 2 km in the zone
        ("29UNU", (-180.0, -90.0, 180.0, 90.0)),
        ("29UNU", (-30.0, 30.0, 53.0, 71.0)),
        ("60KYF", (179.0, -18.0, 181.0, -17.2)),
        ("60KYF", (-181.0, -18.0, -179.5, -17.2)),
        ("01KAB", (179.0, -18.0, 181.0, -17.2)),
        ("33XWJ", (10.0, 79.0, 20.0, 79.3)),
    ],
)
def test_sides_of_areas_are_straight_in_degrees(tile, box):
    import shapely
    from pyproj import Transformer

    grid = tile_grid(tile)
    got = window_of(grid, grid, "auto", 10.0, shapely.box(*box), tile)
    to_degrees = Transformer.from_crs(grid.epsg, 4326, always_xy=True)
    lon, lat = to_degrees.transform(*np.meshgrid(grid.x()[::60], grid.y()[::60]))
    turned = (lon - box[0]) % 360.0 + box[0]
    rows, columns = np.nonzero((turned <= box[2]) & (lat >= box[1]) & (lat <= box[3]))
    x, y = grid.x()[::60][columns], grid.y()[::60][rows]
    # Every pixel that lies within the area is in the window, and the window ends where these do.
    slack = 1200.0 + 10.0  # two of the points that were looked at
    assert got.left <= x.min() <= got.left + slack and got.right - slack <= x.max() <= got.right
    assert got.bottom <= y.min() <= got.bottom + slack and got.top - slack <= y.max() <= got.top
    assert (got.left - grid.left) % 10 == 0


def test_areas_that_miss_the_tile_say_why():
    import shapely

    grid = tile_grid("29UNU")
    shape = shapely.box(-8.9, 53.0, -8.5, 53.1)
    with pytest.raises(GridError, match="latitude and longitude exchanged they do"):
        window_of(grid, grid, "auto", 10.0, shapely.transform(shape, lambda p: p[:, ::-1]), "the tile")
    with pytest.raises(GridError, match="do not meet; check"):
        window_of(grid, grid, "auto", 10.0, shapely.box(0, 0, 1, 1), "the tile")
    with pytest.raises(GridError, match="a point or a line"):
        window_of(grid, grid, "auto", 10.0, shapely.Point(-8.9, 53.0), "the tile")


def test_grids_in_other_crs_are_the_tiles_or_are_refused():
    from pyproj import Transformer

    for tile, low, high in (("60KXF", 177.9, 179.2), ("01KAB", 178.9, 181.2), ("60WWD", 176.9, 180.6)):
        own = tile_grid(tile)
        got = window_of(own, None, 4326, 1e-3, None, tile)
        x, y = np.meshgrid([own.left, own.right], [own.bottom, own.top])
        lon, lat = Transformer.from_crs(own.epsg, 4326, always_xy=True).transform(x, y)
        lon = lon % 360.0
        assert low < lon.min() and lon.max() < high + 1.5
        assert got.left <= lon.min() < got.left + 0.002 and got.right - 0.05 < lon.max() <= got.right
        assert got.bottom <= lat.min() and lat.max() <= got.top and got.width < 4_000
    with pytest.raises(GridError, match="EPSG:3857 is cut where the tile lies"):
        window_of(tile_grid("01KAB"), None, 3857, 10.0, None, "01KAB")
    with pytest.raises(GridError, match=r"in degrees in EPSG:4326, and 10 degrees are 1,113 km"):
        window_of(tile_grid("30TUL"), None, 4326, 10.0, None, "30TUL")
    with pytest.raises(GridError, match="EPSG:99999 is no known"):
        window_of(tile_grid("30TUL"), None, 99999, 10.0, None, "30TUL")
    for own, crs, resolution in ((tile_grid("30TUL", 0.01), "auto", 0.01), (None, 3857, 0.01)):
        with pytest.raises(GridError, match="pixels are too many"):
            window_of(tile_grid("30TUL"), own, crs, resolution, None, "30TUL")


def test_a_tile_across_the_antimeridian_in_degrees(tmp_path):
    from pyproj import Transformer

    epsg, _, _ = tile_corner("01KAB")
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(180.0, -17.5)
    corner = {"left": float(round((x - 1500) / 60) * 60), "top": float(round((y + 1500) / 60) * 60)}
    scene = open_scene(product(tmp_path, tile="01KAB", **corner))
    grid = window_of(scene.grid(10), None, 4326, 1e-4, None, "01KAB")
    assert grid.left < 180.0 < grid.right < 180.1
    got = process(scene, grid, Sentinel2Section(bands=("B04",), resolution=1e-4, classes=False)).layers["B04"]
    to_zone = Transformer.from_crs(4326, epsg, always_xy=True)
    px, py = to_zone.transform(*np.meshgrid(grid.x(), grid.y()))
    column, row = (px - scene.left) / 10, (scene.top - py) / 10
    inside = (column > 2) & (row > 2) & (column < 298) & (row < 298)
    assert (got[inside] > 0).mean() > 0.999
    truth = np.rint(steps(10, 0.01, 0.4) * 10_000)
    near = [
        truth[row[inside].astype(int) + i, column[inside].astype(int) + j] == got[inside]
        for i in (-1, 0, 1)
        for j in (-1, 0, 1)
    ]
    assert np.any(near, axis=0).mean() > 0.999


def test_classes_at_60_m_only_and_none_at_all(tmp_path):
    from sarcube.simulate.sentinel2 import write_jp2

    options = Sentinel2Options(size=SIZE, bands=())
    path = write_sentinel2(tmp_path, options, {"B04": steps(10, 0.01, 0.4)}, classes())
    (fine,) = path.rglob("*_SCL_20m.jp2")
    coarse = fine.parent.parent / "R60m" / fine.name.replace("20m", "60m")
    coarse.parent.mkdir(exist_ok=True)
    write_jp2(coarse, classes()[::3, ::3], options, 60)
    fine.unlink()
    scene = open_scene(path)
    section = Sentinel2Section(bands=("B04",), cloud_mask="l2a", resolution=60)
    done = process(scene, GeoGrid(scene.epsg, scene.left, scene.top, 60, 50, 50), section)
    np.testing.assert_array_equal(done.layers["scl"], classes()[::3, ::3])
    np.testing.assert_array_equal(done.layers["B04"] == 0, np.isin(classes()[::3, ::3], (masks.HIGH, masks.CIRRUS)))
    assert any("SCL is not in the product at 20 m" in note for note in done.notes)
    coarse.unlink()
    scene = open_scene(path)
    done = process(scene, scene.grid(10), Sentinel2Section(bands=("B04",)))
    assert set(done.layers) == {"B04"} and "no layer of classes" in done.notes[0]
    with pytest.raises(SceneError, match="has no SCL"):
        process(scene, scene.grid(10), Sentinel2Section(bands=("B04",), cloud_mask="l2a"))


@pytest.mark.parametrize(
    ("rules", "resolution"),
    [
        (("nearest", "mean"), 20), (("nearest", "max"), 20), (("nearest", "median"), 20), (("nearest", "min"), 20),
        (("nearest", "first"), 20), (("nearest", "mean"), 25), (("bilinear", "first"), 10), (("bicubic", "first"), 10),
    ],
)  # fmt: skip
def test_saturated_pixels_are_in_no_mean_and_no_interpolation(tmp_path, rules, resolution):
    from sarcube.simulate.sentinel2 import write_jp2

    options = Sentinel2Options(size=SIZE, bands=())
    path = write_sentinel2(tmp_path, options, {"B04": 0.2, "B8A": 0.2})
    for band, size in (("B04", 10), ("B8A", 20)):
        (file,) = path.rglob(f"*_{band}_*.jp2")
        numbers = np.full((SIZE // size,) * 2, 3000, np.uint16)
        numbers[51, 60:63] = 65535
        file.unlink()
        write_jp2(file, numbers, options, size)
    up, down = rules
    section = Sentinel2Section(bands="B4,B8A", resolution=resolution, upsampling=up, downsampling=down)
    scene = open_scene(path)
    side = SIZE // resolution
    done = process(scene, GeoGrid(scene.epsg, scene.left, scene.top, resolution, side, side), section)
    for band in ("B04", "B8A"):
        assert set(np.unique(done.layers[band])) <= {0, 2000}, band
    assert done.counts["saturated"] > 0 or down in ("min", "first")


@pytest.mark.parametrize(("mask", "resolution"), [("l2a", 10), ("l1c", 20), ("l2a", 15)])
def test_buffers_of_clouds_beside_the_window_reach_into_it(tmp_path, mask, resolution):
    scene = open_scene(product(tmp_path))
    section = Sentinel2Section(bands=("B04",), resolution=resolution, cloud_mask=mask, cloud_buffer=170, classes=False)
    side = SIZE // resolution
    whole = process(scene, GeoGrid(scene.epsg, scene.left, scene.top, resolution, side, side), section)
    # Windows beside, within and between clouds, at corners of the tile and in the middle.
    for row, column, height, width in ((0, 0, 9, 9), (0, 20, 18, 40), (side - 12, side - 30, 12, 30), (52, 20, 30, 60)):
        part = GeoGrid(
            scene.epsg, scene.left + column * resolution, scene.top - row * resolution, resolution, width, height
        )
        got = process(scene, part, section)
        for name in ("cloud_mask", "B04"):
            cut = whole.layers[name][row : row + height, column : column + width]
            np.testing.assert_array_equal(got.layers[name], cut)
    assert (whole.layers["cloud_mask"] == masks.BUFFERED).any()


def test_land_and_sea(tmp_path):
    scene = open_scene(product(tmp_path))
    _, left, top = tile_corner("30TUL")
    grid = GeoGrid(scene.epsg, left, top, 10, 300, 300)
    water = np.zeros(grid.shape, bool)
    water[:, :100] = True
    for wanted, removed in (("sea", water), ("land", ~water)):
        section = Sentinel2Section(bands=("B04",), land_sea=wanted, classes=False)
        got = process(scene, grid, section, lambda _: water)
        np.testing.assert_array_equal(got.layers["B04"] == 0, removed)
        assert got.counts["land_sea"] == removed.sum()


def test_water_of_dem_raster_and_polygons(tmp_path):
    from sarcube.config import DemConfig
    from sarcube.workflows.sentinel2.water import water_of

    _, left, top = tile_corner("30TUL")
    grid = GeoGrid(32630, left, top, 10, 120, 100)
    heights = np.full((50, 60), 8, np.int16)
    heights[:, :20], heights[30:32, 40:42] = 0, 0
    profile = {"driver": "GTiff", "width": 60, "height": 50, "count": 1, "dtype": "int16", "crs": grid.crs}
    with rasterio.open(
        tmp_path / "dem.tif", "w", transform=rasterio.Affine(20, 0, left, 0, -20, top), nodata=-9999, **profile
    ) as data:
        data.write(heights, 1)
    dem = DemConfig(path=str(tmp_path / "dem.tif"), heights="egm96")
    sea, rule = water_of(None, dem, 100)
    got = sea(grid)
    assert got[:, :40].all() and not got[:, 40:].any() and "100" in rule
    raster, _ = water_of(tmp_path / "dem.tif", None, 0)
    np.testing.assert_array_equal(raster(grid), np.repeat(np.repeat(heights, 2, 0), 2, 1) > 0)
    from rasterio.warp import transform_geom

    box = [[left, top], [left + 500, top], [left + 500, top - 1000], [left, top - 1000], [left, top]]
    shape = transform_geom(grid.crs, "EPSG:4326", {"type": "Polygon", "coordinates": [box]})
    (tmp_path / "lake.geojson").write_text(json.dumps(dict(shape)))
    lake, _ = water_of(tmp_path / "lake.geojson", None, 0)
    assert lake(grid).sum() == pytest.approx(50 * 100, abs=20)
    for bad, says in ((None, "needs"), (DemConfig(path="x.tif", heights="ellipsoid"), "ellipsoid")):
        with pytest.raises(ConfigError, match=says):
            water_of(None, bad, 0)


def glo30(folder, values, kind="DEM"):
    """A tile of a degree as the provider has it, N41 W006; heights beside it are 400 m, water bodies by class."""
    name = "Copernicus_DSM_COG_10_N41_00_W006_00_DEM"
    place = folder / name if kind == "DEM" else folder / name / "AUXFILES"
    place.mkdir(parents=True, exist_ok=True)
    step = 1 / 3600
    with rasterio.open(
        place / f"{name.replace('_DEM', f'_{kind}')}.tif", "w", driver="GTiff", width=3600, height=3600, count=1,
        dtype=values.dtype, crs="EPSG:4326", compress="deflate",
        transform=rasterio.Affine(step, 0, -6 - step / 2, 0, -step, 42 + step / 2),
    ) as data:  # fmt: skip
        data.write(values, 1)


def test_water_of_copernicus_tiles(tmp_path):
    """Water bodies where there are any, else heights of 0; no tile is sea."""
    from sarcube.config import DemConfig
    from sarcube.workflows.sentinel2.water import water_of

    heights = np.full((3600, 3600), 400, np.float32)
    heights[:, :1800] = 0  # west of 5.5 degrees
    glo30(tmp_path, heights)
    dem = DemConfig(kind="cop_glo30", mirror=str(tmp_path))
    sea, rule = water_of(None, dem, 1_000)
    assert "GLO-30" in rule and "1000" in rule
    grid = GeoGrid.snapped(4326, (-5.6, 41.4, -5.4, 41.5), 0.001)
    west = grid.x() < -5.501
    got = sea(grid)
    assert got[:, west].all() and not got[:, grid.x() > -5.499].any()
    classes = np.zeros((3600, 3600), np.uint8)
    classes[:, 1800:] = 2  # and the water bodies say that the lake is in the east
    glo30(tmp_path, classes, "WBM")
    got = sea(grid)
    assert not got[:, west].any() and got[:, grid.x() > -5.499].all()
    beyond = GeoGrid.snapped(4326, (-7.5, 41.4, -7.4, 41.5), 0.001)
    assert sea(beyond).all()


def test_areas_of_shapes_in_any_crs(tmp_path):
    """A GeoPackage in the tile's zone gives the window that its corners give in degrees."""
    pyogrio = pytest.importorskip("pyogrio")
    import shapely

    from sarcube.config import Aoi
    from sarcube.geometry.aoi import area_of_text, load_aoi

    _, left, top = tile_corner("30TUL")
    square = shapely.box(left + 500, top - 1500, left + 1500, top - 700)

    def write(name, shape, crs):
        pyogrio.raw.write(
            tmp_path / name, shapely.to_wkb(np.array([shape])), [], [], geometry_type=shape.geom_type, crs=crs
        )
        return tmp_path / name

    for name in ("area.gpkg", "area.shp", "area.fgb"):
        path = write(name, square, "EPSG:32630")
        area = load_aoi(Aoi(file=path))
        back = shapely.transform(area.shape, to_zone, interleaved=False)
        assert back.symmetric_difference(square).area < 1.0
    assert area_of_text(str(path)).shape.equals(area.shape)
    product(tmp_path / "scenes", baseline="05.09")
    run = config(tmp_path, aoi={"file": str(path)}, sentinel2={"bands": "B4", "classes": False})
    (task,) = plan(run).tasks
    assert (task.grid.width, task.grid.height) == (100, 80)
    (tmp_path / "bad.gpkg").write_text("no package")
    with pytest.raises(ConfigError, match=r"bad\.gpkg cannot be read as shapes"):
        load_aoi(Aoi(file=tmp_path / "bad.gpkg"))
    with pytest.raises(ConfigError, match="holds no polygon"):
        load_aoi(Aoi(file=write("point.gpkg", shapely.Point(left, top), "EPSG:32630")))
    (tmp_path / "area.prj").unlink()
    with pytest.raises(ConfigError, match="tells no CRS"):
        load_aoi(Aoi(file=tmp_path / "area.shp"))
    with pytest.raises(ConfigError, match="not there"):
        load_aoi(Aoi(file=tmp_path / "none.gpkg"))


def to_zone(x, y):
    from pyproj import Transformer

    return Transformer.from_crs(4326, 32630, always_xy=True).transform(x, y)


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"bands": ["B2", "B13"]}, "no band 'B13'"),
        ({"bands": []}, "no band is named"),
        ({"cloud_buffer": 100}, "without a cloud_mask"),
        ({"cloud_mask": "l1c", "cloud_shadow": True}, "cloud_mask: l2a"),
        ({"level": "l1c", "cloud_mask": "l2a"}, "needs an L2A"),
        ({"level": "l2a", "bands": ["B10"]}, "B10 is not in L2A"),
        ({"upsampling": "cubic"}, "upsampling"),
        ({"resolution": 0}, "resolution"),
        ({"water": "x.tif"}, "water without land_sea"),
        ({"cloudmask": "l2a"}, "cloud_mask"),
    ],
)
def test_contradictions_are_refused_by_name(tmp_path, section, says):
    with pytest.raises(ConfigError, match=says):
        config(tmp_path, sentinel2=section)


def test_what_is_missing_is_named(tmp_path):
    scene = open_scene(product(tmp_path))
    grid = scene.grid(10)
    with pytest.raises(SceneError, match="has no B02"):
        process(scene, grid, Sentinel2Section(bands=("B02",)))
    with pytest.raises(SceneError, match="MSK_CLDPRB"):
        process(scene, grid, Sentinel2Section(bands=("B04",), cloud_mask="l2a", cloud_probability=66))
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes" / "S2A_MSIL2A_20220708T110621_N0400_R137_T30TUL_20220708T130621.zip").write_bytes(b"PK")
    product(tmp_path / "scenes", **day(3))
    planned = plan(config(tmp_path))
    assert len(planned.tasks) == 1 and "T30TUL" in planned.problems[0].subject
    with pytest.raises(SourceError, match=r"1 products .* of 30TUL, 2022-07-03 .*none is within"):
        plan(config(tmp_path, aoi={"bbox": [10, 50, 10.1, 50.1]}))


def test_sen2cor_is_run_and_its_output_checked(tmp_path):
    from sarcube.sensors.sentinel2.sen2cor import check_program, run_sen2cor

    scene = open_scene(product(tmp_path / "in", **day(3, level="L1C")))
    ready = product(tmp_path / "out", **day(3, level="L2A", baseline="99.99"))
    program = tmp_path / "L2A_Process"
    program.write_text(f"#!/bin/sh\ncd $2 && python3 -m zipfile -e {ready} .\n")
    program.chmod(0o755)
    check_program(program)
    made_here = run_sen2cor(scene, program)
    assert (made_here.level, made_here.baseline, made_here.tile) == ("L2A", "99.99", "30TUL")
    assert "local processor" in made_here.warnings[0]
    other = open_scene(product(tmp_path / "in", **day(8, level="L1C")))
    with pytest.raises(SceneError, match="made no L2A"):
        run_sen2cor(other, program)
    program.write_text("#!/bin/sh\necho no licence >&2; exit 3\n")
    with pytest.raises(SceneError, match="ended with 3: no licence"):
        run_sen2cor(other, program)
    with pytest.raises(ConfigError, match="no program"):
        check_program(tmp_path / "nothing")


def halves(folder, **options):
    """A datatake in two products of a tile, that each lack what the other has."""
    values = {"B04": steps(10, 0.01, 0.4), "B8A": steps(20, 0.2, 0.5), "B12": steps(20, 0.05, 0.3)}
    for name, hour in (("north", 14), ("south", 15)):
        chosen = Sentinel2Options(
            size=SIZE, bands=(), made=dt.datetime(2022, 7, 8, hour, tzinfo=dt.UTC), **day(8, **options)
        )
        seen, scl = {}, classes()
        for band, array in values.items():
            half = np.zeros(array.shape, bool)
            half[: len(array) // 2] = True
            seen[band] = np.where(half == (name == "north"), array, np.nan)
        scl[np.isnan(seen["B12"])] = 0
        path = write_sentinel2(folder, chosen, seen, scl)
        (file,) = path.glob("MTD_MSIL2A.xml")
        text = file.read_text()
        ring = text[text.index("<EXT_POS_LIST>") + 14 : text.index("</EXT_POS_LIST>")]
        points = np.array(ring.split(), float).reshape(-1, 2)  # latitude, longitude: clockwise from the upper left
        upper, lower, middle = points[:2], points[2:4], (points[:2] + points[2:4][::-1]) / 2
        kept = [*upper, *middle[::-1], upper[0]] if name == "north" else [*middle, *lower, middle[0]]
        new = " ".join(f"{lat:.8f} {lon:.8f}" for lat, lon in kept)
        file.write_text(text.replace(ring, new))
    return values


def test_a_datatake_in_two_products_makes_one(tmp_path):
    values = halves(tmp_path / "scenes")
    product(tmp_path / "scenes", **day(8, baseline="02.14"))  # an older version of the whole
    run = config(tmp_path, sentinel2={"bands": "B4,B12", "cloud_mask": "l2a"})
    planned = plan(run)
    (task,) = planned.tasks
    assert len(task.inputs) == 2
    assert any("N0214" in str(w) and "passed over" in str(w) for w in planned.warnings)
    ((item, layers),) = made(run, tmp_path).values()
    scl = np.repeat(np.repeat(classes(), 2, 0), 2, 1)
    _, left, top = tile_corner("30TUL")
    transform = layers["B04"][2]
    row, column = round((top - transform.f) / 10), round((transform.c - left) / 10)
    rows, columns = layers["B04"][0].shape
    part = np.s_[row : row + rows, column : column + columns]
    truth = np.where(np.isin(scl, (masks.HIGH, masks.CIRRUS)), 0, np.rint(values["B04"] * 10_000))[part]
    assert row < 150 < row + rows  # both halves are in the area
    np.testing.assert_array_equal(layers["B04"][0], truth)
    np.testing.assert_array_equal(layers["scl"][0], scl[part])
    assert any("came in several products" in w for w in item["properties"]["sarcube:warnings"])
