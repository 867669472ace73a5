"""Reading Sentinel-2: against GDAL's SENTINEL2 driver and satpy on a real scene, and against known reflectance."""

import datetime as dt
import warnings
import zipfile

import numpy as np
import pytest
import rasterio

from sarcube.engines.optical.reflectance import Numbers, harmonise, to_reflectance
from sarcube.errors import ConfigError, GridError, SceneError
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel2.bands import band_name, band_names
from sarcube.sensors.sentinel2.clouds import CIRRUS, OPAQUE, cloud_probability, l1c_clouds
from sarcube.sensors.sentinel2.images import native_resolution, read_image, read_mask, window_around
from sarcube.sensors.sentinel2.names import parse_name
from sarcube.sensors.sentinel2.scene import open_scene
from tests.sensors.s2_scenes import field, product

L2A = "S2A_MSIL2A_20221005T115411_N0400_R023_T29UNU_20221005T164454"
L1C = "S2B_MSIL1C_20230605T110619_N0509_R137_T30UVU_20230605T131150"


@pytest.fixture(scope="module")
def real(shared_data):
    return shared_data / "data" / "sentinel2"


def numbers_of(scene, band):
    r = scene.radiometry
    return Numbers(r.quantification, r.offset(band), r.nodata, r.saturated)


def test_the_real_scene_is_told_as_its_metadata_say(real):
    scene = open_scene(real / f"{L2A}.zip")
    assert (scene.name, scene.level, scene.baseline, scene.tile, scene.platform) == (
        L2A,
        "L2A",
        "04.00",
        "29UNU",
        "S2A",
    )
    assert scene.datatake == "GS2A_20221005T115411_038058_N04.00"
    assert (scene.relative_orbit, scene.absolute_orbit, scene.orbit_state) == (23, 38058, "descending")
    assert (scene.epsg, scene.left, scene.top, scene.sizes[20]) == (32629, 499980.0, 5900040.0, (5490, 5490))
    assert scene.radiometry.stated and set(scene.radiometry.offsets.values()) == {-1000.0}
    assert scene.angles.sun_zenith == pytest.approx(57.820574357679)
    assert scene.cloud_cover == pytest.approx(59.769726)
    assert scene.footprint[0] == scene.footprint[-1] == pytest.approx((-7.7604675, 53.24107326))
    with pytest.raises(SceneError, match=r"has no B04.*it has B03, B09, B11, B12, B8A, SCL"):
        native_resolution(scene, "B04")


def test_the_real_l1c_has_offsets_masks_and_empty_images(real):
    scene = open_scene(real / f"{L1C}.zip")
    assert (scene.level, scene.baseline, scene.radiometry.offset("B10")) == ("L1C", "05.09", -1000.0)
    assert native_resolution(scene, "B10") == 60
    window = GeoGrid(scene.epsg, scene.left + 60_000, scene.top - 60_000, 20, 100, 90)
    assert not read_image(scene, "B8A", 20, window).any()
    clouds = l1c_clouds(scene)
    # The tile's metadata: 3.754 % of what was seen is cloud.
    assert 100 * np.count_nonzero(clouds) / clouds.size == pytest.approx(scene.cloud_cover, rel=0.05)


def test_the_real_scene_equals_gdals_driver_pixel_by_pixel(real):
    path = real / f"{L2A}.zip"
    scene = open_scene(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path) as data:
            subdatasets = data.subdatasets
    compared = 0
    for resolution, names in ((60, ("B9", "SCL")), (20, ("SCL",))):
        (name,) = (s for s in subdatasets if f":{resolution}m:" in s)
        with rasterio.open(name) as theirs:
            bands = [theirs.tags(i)["BANDNAME"] for i in theirs.indexes]
            assert theirs.transform[:6] == scene.grid(resolution).transform
            for band in names:
                ours = read_image(scene, "B09" if band == "B9" else band, resolution)
                np.testing.assert_array_equal(ours, theirs.read(bands.index(band) + 1))
                compared += ours.size
            offset = {b: theirs.tags(i + 1).get("BOA_ADD_OFFSET") for i, b in enumerate(bands)}
            if resolution == 60:
                assert float(offset["B9"]) == scene.radiometry.offset("B09")
    assert compared == 2 * 1830**2 + 5490**2


def test_the_real_scene_equals_satpy_pixel_by_pixel(real, tmp_path):
    satpy = pytest.importorskip("satpy")
    with zipfile.ZipFile(real / f"{L2A}.zip") as archive:
        archive.extractall(tmp_path)
    (folder,) = tmp_path.iterdir()
    files = [*folder.rglob("IMG_DATA/R60m/*.jp2"), *folder.rglob("MTD_*.xml")]
    theirs = satpy.Scene(filenames=[str(f) for f in files], reader="msi_safe_l2a")
    bands = {"B03": "B03", "B8A": "B8A", "B09": "B09", "B11": "B11", "B12": "B12"}
    theirs.load(list(bands.values()), resolution=60, calibration="reflectance")
    scene = open_scene(folder)
    for band in bands:
        ours = to_reflectance(read_image(scene, band, 60), numbers_of(scene, band))
        want = theirs[band].values / 100.0  # percent
        want = np.where(np.isfinite(want), want, np.nan)
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(want))
        np.testing.assert_allclose(ours, want, atol=2e-7)


def test_masks_of_the_real_scene_equal_the_files_as_gdal_reads_them(real):
    scene = open_scene(real / f"{L2A}.zip")
    with rasterio.open(f"/vsizip/{{{real / L2A}.zip}}/{scene.masks['CLASSI']}") as data:
        opaque, cirrus, _ = data.read()
    clouds = l1c_clouds(scene)
    np.testing.assert_array_equal(clouds & OPAQUE > 0, opaque == 1)
    np.testing.assert_array_equal(clouds & CIRRUS > 0, cirrus == 1)
    probability, resolution = cloud_probability(scene)
    assert (resolution, probability.shape, int(probability.max())) == (60, (1830, 1830), 100)
    # Classes and percentages of the metadata, from 20 m pixels.
    scl = read_image(scene, "SCL", 20)
    counts = np.bincount(scl.ravel(), minlength=12)
    seen = scl.size - counts[0]
    assert 100 * counts[0] / scl.size == pytest.approx(40.419397, abs=1e-4)
    assert 100 * counts[3] / seen == pytest.approx(10.305484, abs=1e-4)
    assert 100 * counts[8:11].sum() / seen == pytest.approx(59.769726, abs=1e-4)


@pytest.mark.parametrize("level", ["L1C", "L2A"])
@pytest.mark.parametrize(
    ("baseline", "start", "offset"),
    [
        ("02.05", "2017-08-15", 0.0),  # whose L2A has other names in its metadata
        ("02.14", "2021-08-15", 0.0),
        ("03.00", "2021-08-15", 0.0),
        ("04.00", "2022-01-27", -1000.0),
        ("05.00", "2018-08-15", -1000.0),  # Collection-1 gives the offset to old dates
        ("05.09", "2023-08-15", -1000.0),
        ("05.10", "2023-12-15", -1000.0),
        ("05.11", "2024-08-15", -1000.0),  # where SNAP before 10.0.2 forgets it
    ],
)
def test_reflectance_is_right_to_a_number_whatever_the_baseline(tmp_path, level, baseline, start, offset):
    start = dt.datetime.fromisoformat(start).replace(hour=11, tzinfo=dt.UTC)
    path = product(tmp_path, level=level, baseline=baseline, start=start, as_zip=baseline > "04")
    scene = open_scene(path)
    assert (scene.level, scene.baseline, scene.start) == (level, baseline, start)
    assert scene.radiometry.stated == (offset != 0)
    for band, resolution in (("B02", 10), ("B8A", 20), ("B12", 20)):
        assert (scene.radiometry.offset(band), native_resolution(scene, band)) == (offset, resolution)
        truth = field(band, resolution)
        low = (1 + offset) / 10_000  # the lowest that a number can say
        truth = np.maximum(truth, low)
        values = read_image(scene, band, resolution)
        got = to_reflectance(values, numbers_of(scene, band))
        np.testing.assert_array_equal(np.isnan(got), np.isnan(truth))
        np.testing.assert_allclose(got, truth, atol=1.0001e-4)
        numbers, _, _ = harmonise(values, numbers_of(scene, band))
        seen = np.isfinite(truth)
        assert (numbers[~seen] == 0).all()
        assert np.abs(numbers[seen] - np.maximum(truth[seen] * 10_000, 1)).max() <= 1.0


def test_windows_are_cuts_of_the_whole(tmp_path):
    scene = open_scene(product(tmp_path))
    whole = read_image(scene, "B02", 10)
    grid = scene.grid(10)
    window = GeoGrid(scene.epsg, grid.left + 510, grid.top - 1230, 10, 77, 55)
    np.testing.assert_array_equal(read_image(scene, "B02", 10, window), whole[123:178, 51:128])
    part = window_around(scene.grid(20), window, 2)
    assert part == GeoGrid(scene.epsg, grid.left + 500 - 40, grid.top - 1220 + 40, 20, 43, 32)
    assert window_around(scene.grid(20), GeoGrid(scene.epsg, grid.right, grid.top, 10, 5, 5), 2) is None
    with pytest.raises(GridError, match="not on the pixels"):
        read_image(scene, "B02", 10, GeoGrid(scene.epsg, grid.left + 5, grid.top, 10, 5, 5))
    with pytest.raises(GridError, match="beyond the image"):
        read_image(scene, "B02", 10, GeoGrid(scene.epsg, grid.left - 10, grid.top, 10, 5, 5))


@pytest.mark.parametrize("baseline", ["03.00", "04.00"])
def test_clouds_are_the_same_as_polygons_and_as_raster(tmp_path, baseline):
    opaque, cirrus = np.zeros((2, 50, 50), bool)
    opaque[5:15, 8:30] = True
    opaque[8:10, 12:14] = False  # a hole
    opaque[30, 30] = opaque[31, 31] = True
    cirrus[40:, 20:] = True
    scene = open_scene(product(tmp_path, level="L1C", baseline=baseline, clouds={"opaque": opaque, "cirrus": cirrus}))
    assert ("CLOUDS" in scene.masks) == (baseline < "04")
    flags = l1c_clouds(scene)
    np.testing.assert_array_equal(flags & OPAQUE > 0, opaque)
    np.testing.assert_array_equal(flags & CIRRUS > 0, cirrus)
    window = GeoGrid(scene.epsg, scene.left + 600, scene.top - 300, 60, 20, 10)
    np.testing.assert_array_equal(l1c_clouds(scene, window), flags[5:15, 10:30])


def test_band_names_are_taken_as_people_write_them():
    assert [band_name(n) for n in ("B4", "b04", "B8A", "b8a", "B12", " B08 ")] == [
        "B04",
        "B04",
        "B8A",
        "B8A",
        "B12",
        "B08",
    ]
    assert band_names("B2,B3, B2;B8A") == ("B02", "B03", "B8A")
    for wrong in ("B13", "B8B", "red", "B", "B4A"):
        with pytest.raises(ConfigError, match="no band"):
            band_name(wrong)


def test_names():
    name = parse_name(f"/data/{L2A}.SAFE/MTD_MSIL2A.xml")
    assert name and (name.platform, name.level, name.baseline, name.tile, name.place) == (
        "S2A", "L2A", "04.00", "29UNU", "mgrs_29unu",
    )  # fmt: skip
    assert parse_name("S1A_IW_SLC__1SDV") is None
    assert parse_name(L2A.replace("20221005T1154", "20221345T1154")) is None


def broken(tmp_path, change, **options):
    path = product(tmp_path, **options)
    change(path)
    return path


def rewrite(pattern, old, new):
    def change(path):
        (file,) = path.rglob(pattern)
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda p: next(p.rglob("MTD_MSIL2A.xml")).unlink(), "not a Sentinel-2 SAFE"),
        (lambda p: next(p.rglob("MTD_TL.xml")).unlink(), "0 MTD_TL.xml"),
        (lambda p: next(p.rglob("MTD_TL.xml")).write_bytes(b""), "is empty"),
        (lambda p: [f.unlink() for f in p.rglob("*m.jp2")], "holds no image"),
        (rewrite("MTD_MSIL2A.xml", "Level-2A</PROC", "Level-3A</PROC"), "neither Level-1C nor Level-2A"),
        (rewrite("MTD_MSIL2A.xml", ">10000<", ">0<"), "BOA_QUANTIFICATION_VALUE"),
        (rewrite("MTD_MSIL2A.xml", 'band_id="3"', 'band_id="33"'), "band_id"),
        (rewrite("MTD_MSIL2A.xml", ">-1000</BOA_ADD_OFFSET><BOA", ">many</BOA_ADD_OFFSET><BOA"), "not a number"),
        (rewrite("MTD_TL.xml", "EPSG:32630", "EPSG:4326"), "no UTM zone"),
        (rewrite("MTD_TL.xml", 'resolution="60"', 'resolution="30"'), "10, 20 and 60"),
        (rewrite("MTD_TL.xml", "<NROWS>300<", "<NROWS>3000000<"), "outside"),
    ],
)
def test_damage_is_named(tmp_path, change, says):
    with pytest.raises(SceneError, match=says) as caught:
        open_scene(broken(tmp_path, change))
    assert str(tmp_path) in str(caught.value)


def test_images_that_lie_or_are_cut_are_named(tmp_path):
    path = product(tmp_path)
    (image,) = path.rglob("*B02_10m.jp2")
    rewrite("MTD_TL.xml", "<NROWS>300</NROWS><NCOLS>300<", "<NROWS>400</NROWS><NCOLS>400<")(path)
    with pytest.raises(SceneError, match="300 x 300 pixels where the metadata state 400 x 400"):
        read_image(open_scene(path), "B02", 10)
    rewrite("MTD_TL.xml", "<NROWS>400</NROWS><NCOLS>400<", "<NROWS>300</NROWS><NCOLS>300<")(path)
    image.write_bytes(image.read_bytes()[: image.stat().st_size // 2])
    with pytest.raises(SceneError, match="cannot be decoded"):
        read_image(open_scene(path), "B02", 10)
    with pytest.raises(SceneError, match="no such file"):
        open_scene(tmp_path / "nowhere.SAFE")
    with pytest.raises(SceneError, match="2 products"):
        product(tmp_path, level="L1C")
        open_scene(tmp_path)
    for kind in ("OPER_MTD_SAFL1C", "USER_MTD_SAFL2A"):  # of the agency, and of sen2cor
        old = tmp_path / "old" / f"S2A_{kind.replace('MTD_SAF', 'PRD_MSI')}_PDMC_20160101.SAFE"
        old.mkdir(parents=True)
        (old / f"S2A_{kind}_PDMC_20160101.xml").touch()
        with pytest.raises(SceneError, match=r"before December 2016"):
            open_scene(old)


def test_offsets_are_those_of_each_band_and_none_is_guessed(tmp_path):
    def each(path):
        (file,) = path.rglob("MTD_MSIL2A.xml")
        text = file.read_text()
        for i in range(13):
            text = text.replace(f'band_id="{i}">-1000<', f'band_id="{i}">{-1000 + 10 * i}<')
        file.write_text(text)

    scene = open_scene(broken(tmp_path / "each", each))
    assert (scene.offset("B02"), scene.offset("B12")) == (-990.0, -880.0)
    gap = rewrite("MTD_MSIL2A.xml", '<BOA_ADD_OFFSET band_id="1">-1000</BOA_ADD_OFFSET>', "")
    scene = open_scene(broken(tmp_path / "gap", gap))
    assert scene.offset("B12") == -1000.0
    with pytest.raises(SceneError, match=r"\.SAFE: the metadata state offsets, but none of B02"):
        scene.offset("B02")


def test_quality_masks_have_their_layers(tmp_path):
    scene = open_scene(product(tmp_path))
    assert read_mask(scene, "CLASSI", 60).shape == (3, 50, 50)
