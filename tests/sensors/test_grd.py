"""GRD scenes as ESA wrote them: geometry by the annotation's own numbers, names, borders, slices, damage."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from sarcube.errors import BurstNotFoundError, SarcubeError, SceneError
from sarcube.geometry.geo2rdr import geo2rdr_lonlat
from sarcube.geometry.orbit import Orbit
from sarcube.sensors.sentinel1.grd.assemble import assemble
from sarcube.sensors.sentinel1.grd.border import dark_level, has_garbage
from sarcube.sensors.sentinel1.grd.model import GrdSlice
from sarcube.sensors.sentinel1.grd.reader import read_grd
from sarcube.sensors.sentinel1.model import Samples
from sarcube.sensors.sentinel1.safe import open_safe
from sarcube.sensors.sentinel1.samples import read_stored

YEARS = ("2015", "2021")


def scene_path(shared_data: Path, year: str) -> Path:
    (path,) = (shared_data / "data" / "grd").glob(f"*_1SDV_{year}*.zip")
    return path


def read(path: Path, **options: object) -> GrdSlice:
    return read_grd(open_safe(path, product="GRD"), look_at_borders=False, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=YEARS)
def image(request: pytest.FixtureRequest, shared_data: Path) -> GrdSlice:
    return read(scene_path(shared_data, request.param))


def test_the_geolocation_grid_is_met(image: GrdSlice) -> None:
    grid = image.geolocation
    time, slant = geo2rdr_lonlat(image.orbit, grid.longitude, grid.latitude, grid.height)
    line, sample = image.radar.line_and_sample(time, slant)
    assert np.abs(sample - grid.sample).max() < 0.01
    assert np.abs(time - grid.azimuth_time).max() < 1e-4
    # The grid's lines are rounded; times are not.
    assert np.abs(line - grid.line).max() < 0.5


def test_ground_range_and_back(image: GrdSlice) -> None:
    ground = image.radar.ground
    assert ground is not None
    line = np.linspace(0, image.radar.lines - 1, 100)[:, None]
    slant = np.linspace(image.radar.first_sample_range, ground.far.min(), 300)
    sample = ground.sample(line, slant)
    assert np.abs(ground.slant_range(line, sample) - slant).max() < 0.01
    again = ground.sample(line, ground.slant_range(line, sample))
    assert np.abs(again - sample).max() * ground.spacing < 0.01
    assert np.all(np.diff(sample, axis=1) > 0)
    # Far beyond the swath it goes on steadily: nothing from there may fall into the image.
    beyond = ground.sample(line, np.array([slant[0] - 1e5, slant[-1] + 1e5]))
    assert beyond[:, 0].max() < -5000 and beyond[:, 1].min() > image.radar.samples + 5000


def test_what_the_scenes_are(shared_data: Path) -> None:
    old, new = (read(scene_path(shared_data, year)) for year in YEARS)
    assert (old.product_type, old.mode, old.polarizations) == ("GRDH", "IW", ("VV", "VH"))
    assert (old.relative_orbit, new.relative_orbit) == (7, 79)
    assert (old.orbit_direction, new.orbit_direction) == ("descending", "descending")
    assert has_garbage(old.ipf_version, old.start_time) and not has_garbage(new.ipf_version, new.start_time)
    # Without a manifest the time tells; what was processed again later is clean.
    assert has_garbage("", old.start_time) and not has_garbage("", new.start_time)
    assert not has_garbage("003.61", old.start_time)
    assert old.channels["VV"].noise is not None and not old.channels["VV"].noise.azimuth
    assert new.channels["VV"].noise is not None and len(new.channels["VV"].noise.azimuth) == 3
    assert read(scene_path(shared_data, "2021"), polarizations=["vh"]).polarizations == ("VH",)
    with pytest.raises(BurstNotFoundError, match="HH"):
        read(scene_path(shared_data, "2021"), polarizations=["HH"])


def test_folder_and_cog_names(shared_data: Path, tmp_path: Path) -> None:
    source = scene_path(shared_data, "2021")
    with zipfile.ZipFile(source) as archive:
        archive.extractall(tmp_path)
    (folder,) = tmp_path.glob("*.SAFE")
    assert read(folder).scene == folder.stem
    (annotation,) = (folder / "annotation").glob("*grd-vv*.xml")
    cog = folder.rename(tmp_path / f"{folder.stem}_COG.SAFE")
    names = [f"{p.stem}-cog.tiff" for p in (cog / "annotation").glob("*.xml")]
    for name in names:
        with rasterio.open(
            cog / "measurement" / name, "w", driver="GTiff", width=25931, height=16854, count=1, dtype="uint16",
            tiled=True, compress="deflate", sparse_ok=True,
        ) as target:  # fmt: skip
            if "-vv-" in name:
                target.write(np.full((1, 100, 120), 77, np.uint16), window=((500, 600), (1000, 1120)))
    image = read(cog)
    assert image.scene == folder.stem and image.product_type == "GRDH"
    assert image.channels["VV"].samples.member == f"measurement/{annotation.stem}-cog.tiff"
    lines = read_stored(image.channels["VV"].samples, (498, 502))
    assert lines.dtype == np.uint16 and lines.shape == (4, 25931)
    assert lines[2:, 1000:1120].min() == 77 and int(lines.sum()) == 2 * 120 * 77


def test_an_slc_is_no_grd(shared_data: Path) -> None:
    with pytest.raises(SceneError, match="GRD"):
        open_safe(next((shared_data / "data" / "safe").glob("S1A_IW_SLC__1SDV_20230904*")), product="GRD")
    with pytest.raises(SceneError, match="SLC"):
        open_safe(scene_path(shared_data, "2021"))
    with pytest.raises(SceneError, match="measurement"):
        read_stored(read(scene_path(shared_data, "2021")).channels["VV"].samples, (0, 1))


def _stored(folder: Path, values: np.ndarray) -> Samples:
    (folder / "measurement").mkdir(parents=True)
    (folder / "annotation").mkdir()
    (folder / "annotation" / "a.xml").write_text("<product/>")
    with rasterio.open(
        folder / "measurement" / "m.tiff", "w", driver="GTiff", width=values.shape[1], height=values.shape[0], count=1,
        dtype="uint16",
    ) as target:  # fmt: skip
        target.write(values, 1)
    return Samples(str(folder), "measurement/m.tiff", 0, *values.shape, detected=True)


def test_garbage_at_borders_is_told_from_dark_sea(tmp_path: Path) -> None:
    from sarcube.engines.rtc.native.radiometry import echo_of_lines

    rng = np.random.default_rng(3)
    lines, samples = 300, 3000
    power = rng.gamma(4.4, 1 / 4.4, (lines, samples)) * 60.0**2
    power[:, 1500:] *= 9  # land
    values = np.sqrt(power).astype(np.uint16)
    edge = 40 + np.arange(lines) // 10
    for i, stop in enumerate(edge):
        values[i, :stop] = rng.integers(0, 12, stop)
        values[i, samples - 2 * stop :] = rng.integers(0, 12, 2 * stop)
    values[-5:] = rng.integers(0, 12, (5, samples))
    level = dark_level(_stored(tmp_path / "old.SAFE", values))
    assert 12 < level < 30
    first, stop, empty = echo_of_lines(values, np.zeros(lines, np.int32), np.full(lines, samples - 1, np.int32), level)
    seen = slice(0, lines - 5)
    assert np.all(empty == (np.arange(lines) >= lines - 5))
    # Never less than the garbage, and hardly ever more.
    assert np.all(first[seen] >= edge[seen]) and np.all(stop[seen] <= samples - 2 * edge[seen])
    assert np.median(first[seen] - edge[seen]) == 0 and (first[seen] - edge[seen]).max() < 200


def test_slices_are_put_together_by_time(image: GrdSlice) -> None:
    radar = image.radar
    ground = radar.ground
    assert ground is not None
    cut = 9000

    def part(first: int, lines: int, scene: str, late: float = 0.0) -> GrdSlice:
        moved = replace(ground, first_line=ground.first_line - first)
        begin = radar.first_line_time + (first + late) * radar.line_interval
        return replace(image, scene=scene, radar=replace(radar, first_line_time=begin, lines=lines, ground=moved))

    a, b = part(0, cut + 40, "A"), part(cut, radar.lines - cut, "B")
    whole = assemble([b, a, a])
    assert whole.scenes == ("A", "B")
    assert [(p.offset, p.start, p.stop) for p in whole.pieces] == [(0, 0, cut + 20), (cut, cut + 20, radar.lines)]
    time = np.linspace(radar.first_line_time, radar.last_line_time, 400)
    slant = np.linspace(ground.origin.max(), ground.far.min(), 400)
    expected = radar.line_and_sample(time, slant)
    found = whole.radar.line_and_sample(time, slant)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-6)
    # Beside the seam and the changes of polynomial the samples are those of the uncut image.
    away = np.abs(expected[0] - cut - 20) > 25
    assert np.quantile(np.abs(found[1] - expected[1])[away], 0.99) < 1e-6
    # A slice between the lines of the first: the geometry knows the rest.
    shifted = assemble([a, part(cut, radar.lines - cut, "B", late=0.3)])
    line, _ = shifted.radar.line_and_sample(time, slant)
    np.testing.assert_allclose((line - expected[0])[expected[0] > cut + 30], -0.3, atol=1e-6)
    assert shifted.pieces[1].offset == cut
    with pytest.raises(SceneError, match="one pass"):
        assemble([a, replace(b, absolute_orbit=b.absolute_orbit + 1)])
    # A slice is missing in the middle: what is there is an image all the same, and the gap is told.
    holed = assemble([part(cut + 5000, 500, "C"), a])
    assert [(p.start, p.stop) for p in holed.pieces] == [(0, cut + 40), (cut + 5000, cut + 5500)]
    assert "4960 lines between A and C are in no slice" in holed.warnings
    with pytest.raises(SceneError, match="long after"):
        assemble([a, part(cut + 60_000, 500, "C")])
    # State vectors of the later slice go on where those of the first end.
    short = image.orbit.time < radar.first_line_time + cut * radar.line_interval + 20.0
    states = (v[short] for v in (image.orbit.time, image.orbit.position, image.orbit.velocity))
    ended = replace(a, orbit=Orbit(image.orbit.epoch, *states))
    reached = assemble([ended, b]).orbit
    assert ended.orbit.time[-1] < radar.last_line_time + 45.0 < image.orbit.time[-1]
    np.testing.assert_array_equal(reached.time, image.orbit.time)


def test_of_slices_cut_differently_the_version_processed_last_is_taken(image: GrdSlice) -> None:
    """Every line is of the latest version that has it, and the parts of one processing meet in the middle."""
    radar, ground = image.radar, image.radar.ground
    assert ground is not None

    def part(scene: str, first: int, stop: int, processed: str, ipf: str = "003.31") -> GrdSlice:
        moved = replace(ground, first_line=ground.first_line - first)
        begin = radar.first_line_time + first * radar.line_interval
        cut = replace(radar, first_line_time=begin, lines=stop - first, ground=moved)
        return replace(image, scene=scene, radar=cut, source_processed=processed, ipf_version=ipf)

    first, second = "2021-01-19T08:00:00", "2023-06-01T00:00:00"
    old = [part("A", 0, 4020, first), part("B", 4000, 8020, first), part("C", 8000, 12000, first)]

    def owners(slices: list[GrdSlice]) -> list[tuple[str, int, int]]:
        return [(p.image.scene, p.start, p.stop) for p in assemble(slices).pieces]

    assert owners(old) == [("A", 0, 4010), ("B", 4010, 8010), ("C", 8010, 12000)]
    new = part("N", 2000, 6000, second)
    assert owners([*old, new]) == [("A", 0, 2000), ("N", 2000, 6000), ("B", 6000, 8010), ("C", 8010, 12000)]
    # Within one older slice: what it has on both sides stays its own.
    assert owners([old[0], part("N", 1000, 3000, second)]) == [("A", 0, 1000), ("N", 1000, 3000), ("A", 3000, 4020)]
    # The new one lies around an old one, which is then of no use, and told.
    whole = assemble([*old, part("N", 3000, 9000, second)])
    assert whole.scenes == ("A", "N", "C") and whole.passed_over == ("B",)
    # Times of processing may be unknown: the IPF tells.
    assert owners([part("A", 0, 4020, "", "002.91"), part("N", 2000, 6000, "", "003.61")])[0] == ("A", 0, 2000)
    # Geometry goes on through all of it.
    time = np.linspace(radar.first_line_time, radar.first_line_time + 11_999 * radar.line_interval, 300)
    slant = np.linspace(ground.origin.max(), ground.far.min(), 300)
    expected = radar.line_and_sample(time, slant)
    found = assemble([*old, new]).radar.line_and_sample(time, slant)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-6)
    assert np.quantile(np.abs(found[1] - expected[1]), 0.9) < 1e-6


def _damaged(folder: Path, name: str, old: bytes, new: bytes) -> None:
    (path,) = folder.glob(name)
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("annotation/*grd-vv*.xml", b"<productType>GRD", b"<productType>OCN"),
        ("annotation/*grd-vv*.xml", b"<numberOfLines>16854", b"<numberOfLines>-4"),
        ("annotation/*grd-vv*.xml", b"<numberOfSamples>25931", b"<numberOfSamples>59999"),
        ("annotation/*grd-vv*.xml", b"<rangePixelSpacing>1.000000e+01", b"<rangePixelSpacing>nan"),
        ("annotation/*grd-vv*.xml", b"<sr0>8.011266620", b"<sr0>-8.011266620"),
        ("annotation/*grd-vv*.xml", b'<srgrCoefficients count="9">3.9', b'<srgrCoefficients count="9">x3.9'),
        ("annotation/*grd-vv*.xml", b"1.981286151064856e+00", b"-1.981286151064856e+00"),
        ("annotation/*grd-vv*.xml", b"2021-01-19T03:16:52.888923", b"2021-01-19T03:10:52.888923"),
        ("annotation/*grd-vv*.xml", b"Ground Range</projection>", b"Slant Range</projection>"),
        ("annotation/calibration/calibration*vv*.xml", b"<sigmaNought", b"<sigmaNough"),
        ("annotation/calibration/noise*vv*.xml", b"<noiseRangeLut count", b"<noiseRangeLut kount"),
        ("manifest.safe", b"<xfdu:XFDU", b"<xfdu:XFD"),
    ],
)
def test_damage_is_named(shared_data: Path, tmp_path: Path, name: str, old: bytes, new: bytes) -> None:
    folder = _unpacked(shared_data, tmp_path)
    _damaged(folder, name, old, new)
    if b"kount" in new:  # a list whose length is not announced is still a list
        assert read(folder).channels["VV"].noise is not None
        return
    with pytest.raises(SarcubeError, match=r"\.xml|manifest|holds"):
        read(folder)


def _unpacked(shared_data: Path, tmp_path: Path) -> Path:
    with zipfile.ZipFile(scene_path(shared_data, "2021")) as archive:
        for member in archive.namelist():
            if "-vh-" not in member and "support" not in member and "preview" not in member:
                archive.extract(member, tmp_path)
    (folder,) = tmp_path.glob("*.SAFE")
    return folder


def test_bytes_lost_or_changed_anywhere_end_in_an_error_of_ours(shared_data: Path, tmp_path: Path) -> None:
    whole = _unpacked(shared_data, tmp_path / "whole")
    rng = np.random.default_rng(11)
    failed = 0
    for k in range(12):
        folder = tmp_path / "broken" / whole.name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, folder)
        files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in (".xml", ".safe"))
        path = files[int(rng.integers(len(files)))]
        data = bytearray(path.read_bytes())
        if k % 2:
            data = data[: int(rng.integers(len(data)))]
        else:
            for at in rng.integers(0, len(data), 60):
                data[at] = int(rng.integers(256))
        path.write_bytes(bytes(data))
        try:
            read(folder)
        except SarcubeError as error:
            failed += 1
            assert "SAFE" in str(error)
    assert failed >= 6


def test_a_measurement_cut_short(tmp_path: Path) -> None:
    values = np.arange(200 * 300, dtype=np.uint16).reshape(200, 300)
    stored = _stored(tmp_path / "x.SAFE", values)
    np.testing.assert_array_equal(read_stored(stored, (50, 60)), values[50:60])
    path = tmp_path / "x.SAFE" / "measurement" / "m.tiff"
    path.write_bytes(path.read_bytes()[:60_000])
    with pytest.raises(SceneError, match=r"m\.tiff"):
        read_stored(stored)
    with pytest.raises(SceneError, match="belong together"):
        read_stored(replace(stored, detected=False))
