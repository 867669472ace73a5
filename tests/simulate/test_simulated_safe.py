"""A simulated SAFE is what a reader of real ones takes for real: ours, xarray-sentinel, safe_s1, GDAL."""

from __future__ import annotations

import hashlib
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio

from sarcube.errors import ConfigError
from sarcube.geometry.geo2rdr import geo2rdr
from sarcube.geometry.orbit import state
from sarcube.sensors.sentinel1.burst import read_bursts, with_orbit
from sarcube.sensors.sentinel1.burst_id import esa_burst_id
from sarcube.sensors.sentinel1.orbit_file import read_orbit
from sarcube.sensors.sentinel1.safe import open_safe
from sarcube.sensors.sentinel1.samples import read_samples
from sarcube.simulate.archive import Archive, simulate
from sarcube.simulate.manifest import crc16
from sarcube.simulate.options import SimulationOptions
from sarcube.simulate.timeline import plan_scenes
from sarcube.simulate.viewing import to_ecef


def bursts(archive: Archive, scene: int = 0):
    return read_bursts(open_safe(archive.scenes[scene]))


def test_reader_finds_no_fault(small_archive: Archive) -> None:
    for scene in range(2):
        safe = open_safe(small_archive.scenes[scene])
        assert dict(safe.swaths) == {"IW1": ("VV", "VH"), "IW2": ("VV", "VH")}
        assert safe.warnings == ()
        found = bursts(small_archive, scene)
        assert [(b.swath, b.index) for b in found] == [("IW1", 0), ("IW1", 1), ("IW2", 0), ("IW2", 1)]
        assert all(b.warnings == () for b in found)
        assert all(b.radar.line_interval == 2.055556299999998e-03 for b in found)


def test_burst_ids_by_definition_and_equal_over_dates(small_archive: Archive) -> None:
    first, second = bursts(small_archive), bursts(small_archive, 1)
    assert [b.burst_id for b in first] == [b.burst_id for b in second]
    assert set(small_archive.burst_ids) == {b.burst_id for b in first}
    root = ElementTree.parse(next(small_archive.scenes[0].glob("annotation/*iw2*vv*.xml"))).getroot()
    anx = np.datetime64(root.findtext(".//ascendingNodeTime"), "ns")
    for node, burst in zip(root.iter("burst"), first[2:], strict=True):
        since = (np.datetime64(node.findtext("sensingTime"), "ns") - anx) / np.timedelta64(1, "s")
        assert str(esa_burst_id("IW2", burst.relative_orbit, since)) == burst.burst_id
    numbers = [int(b.burst_id.split("_")[1]) for b in first]
    assert numbers == [numbers[0], numbers[0] + 1] * 2
    # The repeat pass is not a copy: burst synchronization and orbit differ by what they differ in reality.
    shift = (second[0].start_time - first[0].start_time) / np.timedelta64(1, "s") - 12 * 86400
    assert 1e-4 < abs(shift) < 2


def test_timing_is_that_of_the_plan(small_archive: Archive, small_options: SimulationOptions) -> None:
    plan = plan_scenes(small_options)[0]
    for burst in bursts(small_archive):
        swath = next(p for p in plan.swaths if p.swath.name == burst.swath)
        planned = plan.utc(swath.bursts[burst.index].first_line_time).astype("datetime64[ns]")
        assert abs((burst.start_time - planned) / np.timedelta64(1, "us")) <= 1
        first = burst.radar.first_sample_range - swath.slant_range_time * 299_792_458.0 / 2
        samples = first / burst.radar.sample_spacing
        assert samples == pytest.approx(round(samples), abs=1e-6)  # the cut is one of whole samples


def test_orbit_file_covers_and_agrees_with_annotation(small_archive: Archive) -> None:
    files = sorted(small_archive.orbits.glob("*.EOF"))
    assert len(files) == 2
    for scene, path in enumerate(files):
        orbit = read_orbit(path)
        assert orbit.type == "POEORB"
        annotated = bursts(small_archive, scene)[0]
        precise = with_orbit(annotated, orbit)
        times = np.linspace(annotated.radar.first_line_time, annotated.radar.last_line_time, 5)
        shift = (annotated.orbit.epoch - precise.orbit.epoch) / np.timedelta64(1, "ns") * 1e-9
        p, v = state(annotated.orbit, times)
        q, w = state(precise.orbit, times + shift)
        assert np.abs(p - q).max() < 2e-3
        assert np.abs(v - w).max() < 1e-5


def test_velocity_is_the_derivative_of_position(small_archive: Archive) -> None:
    orbit = read_orbit(next(iter(small_archive.orbits.glob("*.EOF")))).orbit
    i = slice(3000, 3100)
    middle = (orbit.position[i.start + 1 : i.stop + 1] - orbit.position[i.start - 1 : i.stop - 1]) / 20
    third = 100 / 6 * 0.0085  # h^2 / 6 times the third derivative of a circular orbit
    assert np.abs(middle - orbit.velocity[i]).max() < 1.2 * third
    assert np.linalg.norm(orbit.velocity[i], axis=1) == pytest.approx(7585, abs=25)


def test_geolocation_grid_agrees_with_geo2rdr(small_archive: Archive) -> None:
    for burst in bursts(small_archive):
        g = burst.geolocation
        time, slant = geo2rdr(burst.orbit, to_ecef(g.longitude, g.latitude, g.height))
        assert np.abs(time - g.azimuth_time).max() < 2e-6
        assert np.abs(slant - g.range_time * 299_792_458.0 / 2).max() < 2e-3


def test_samples_are_where_gdal_finds_them_and_empty_elsewhere(small_archive: Archive) -> None:
    burst = bursts(small_archive)[3]
    samples = read_samples(burst, "VH")
    path = next(small_archive.scenes[0].glob("measurement/*iw2*vh*.tiff"))
    with rasterio.open(path) as file:
        assert file.dtypes == ("complex_int16",)
        assert file.block_shapes == [(1, burst.radar.samples)]
        assert len(file.gcps[0]) == 3 * 21
        block = file.read(1, window=((burst.radar.lines, 2 * burst.radar.lines), (0, burst.radar.samples)))
    assert np.array_equal(samples[..., 0], block.real.astype(np.int16))
    assert np.array_equal(samples[..., 1], block.imag.astype(np.int16))
    filled = samples.any(axis=-1)
    rows, cols = np.flatnonzero(filled.any(axis=1)), np.flatnonzero(filled.any(axis=0))
    assert rows[0] == burst.first_valid_line
    assert rows[-1] < burst.last_valid_line  # the AOI ends within the burst
    assert cols[0] >= burst.first_valid_sample.max()
    assert filled[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1].mean() > 0.995


def test_byte_offset_is_the_strip_of_the_burst(small_archive: Archive) -> None:
    scene = small_archive.scenes[0]
    for path in scene.glob("annotation/*.xml"):
        root = ElementTree.parse(path).getroot()
        lines = int(root.findtext(".//linesPerBurst"))
        data = (scene / "measurement" / f"{path.stem}.tiff").read_bytes()
        offsets = np.frombuffer(data, "<u4", 2 * lines, 315)
        assert [int(n.text) for n in root.iter("byteOffset")] == [offsets[0], offsets[lines]]
        assert int(root.findtext(".//byteOffset")) == 315 + 8 * 2 * lines  # as in ESA's own files


def test_manifest_lists_every_file_with_its_checksum(small_archive: Archive) -> None:
    scene = small_archive.scenes[0]
    text = (scene / "manifest.safe").read_bytes()
    assert scene.name.endswith(f"_{crc16(text):04X}.SAFE")
    listed = {}
    for node in ElementTree.fromstring(text).iter("byteStream"):
        listed[node.find("fileLocation").get("href")[2:]] = (int(node.get("size")), node.findtext("checksum"))
    there = {p.relative_to(scene).as_posix() for p in scene.rglob("*") if p.is_file()} - {"manifest.safe"}
    assert set(listed) == there
    for name, (size, md5) in listed.items():
        data = (scene / name).read_bytes()
        assert (len(data), hashlib.md5(data).hexdigest()) == (size, md5)


def test_crc_is_ccitt() -> None:
    assert crc16(b"123456789") == 0x29B1


def test_xarray_sentinel_reads_the_same(small_archive: Archive) -> None:
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("xarray_sentinel")
    burst = bursts(small_archive)[1]
    data = xarray.open_dataset(
        small_archive.scenes[0], engine="sentinel-1", group="IW1/VV", override_product_files=None
    )
    lines = slice(burst.radar.lines + 30, burst.radar.lines + 40)
    theirs = data.measurement.isel(line=lines).values
    ours = read_samples(burst, "VV")[30:40].astype(np.float32)
    assert np.array_equal(theirs, ours[..., 0] + 1j * ours[..., 1])
    assert data.azimuth_time.values[burst.radar.lines] == burst.start_time
    root = str(small_archive.scenes[0])
    calibration = xarray.open_dataset(root, engine="sentinel-1", group="IW1/VV/calibration")
    assert calibration.betaNought.values == pytest.approx(237.0)
    noise = xarray.open_dataset(root, engine="sentinel-1", group="IW1/VV/noise_range")
    assert noise.noiseRangeLut.shape[0] == 3  # one each burst cycle, and one where a next burst would begin


def test_safe_s1_reads_it(small_archive: Archive) -> None:
    safe_s1 = pytest.importorskip("safe_s1")
    reader = safe_s1.Sentinel1Reader(f"SENTINEL1_DS:{small_archive.scenes[0]}:IW2")
    timing = reader.datatree["bursts"].ds
    first = bursts(small_archive)[2]
    assert int(timing.linesPerBurst) == first.radar.lines
    assert np.datetime64(timing.azimuthTime.values.ravel()[0], "ns") == first.start_time


@pytest.mark.parametrize(
    ("pattern", "schema"),
    [
        ("annotation/*iw1*vh*.xml", "s1-level-1-product.xsd"),
        ("annotation/calibration/calibration*iw2*vv*.xml", "s1-level-1-calibration.xsd"),
        ("annotation/calibration/noise*iw2*vv*.xml", "s1-level-1-noise.xsd"),
    ],
)
def test_valid_by_esas_schema(small_archive: Archive, shared_data, tmp_path, pattern: str, schema: str) -> None:
    import zipfile

    from lxml import etree

    with zipfile.ZipFile(next((shared_data / "data/safe").glob("*20250406*.zip"))) as source:
        for name in source.namelist():
            if "/support/" in name and name.endswith(".xsd"):
                (tmp_path / name.rsplit("/", 1)[-1]).write_bytes(source.read(name))
    validator = etree.XMLSchema(etree.parse(tmp_path / schema))
    assert validator.validate(etree.parse(next(small_archive.scenes[0].glob(pattern)))), validator.error_log


def test_truth_and_dem_lie_on_common_multiples(small_archive: Archive) -> None:
    with (
        rasterio.open(small_archive.dem) as dem,
        rasterio.open(small_archive.truth / "2024-05-13_gamma0_VV.tif") as truth,
        rasterio.open(small_archive.truth / "2024-05-13_landcover.tif") as cover,
    ):
        assert (dem.res, truth.res, cover.res) == ((30, 30), (20, 20), (10, 10))
        assert truth.bounds[0] % 20 == truth.bounds[3] % 20 == 0
        assert truth.bounds == cover.bounds
        classes, gamma0 = cover.read(1), truth.read(1)
        assert cover.tags()["CLASS_4"] == "clearcut"
    with rasterio.open(small_archive.truth / "2024-05-01_landcover.tif") as cover:
        before = cover.read(1)
    cut = classes == 4
    assert cut.any()
    assert np.all(before[cut] == 1)
    assert np.array_equal(classes[~cut], before[~cut])
    inside = cut[::2, ::2] & cut[1::2, ::2] & cut[::2, 1::2] & cut[1::2, 1::2]
    assert gamma0[inside] == pytest.approx(0.075)


def test_the_same_options_give_the_same_bytes(tmp_path) -> None:
    options = SimulationOptions(
        swaths=("IW3",), bursts=1, polarizations=("VV",), burst_size=(64, 200), dates=SimulationOptions().dates[:1],
        truth="constant", relief=0,
    )  # fmt: skip
    one = simulate(tmp_path / "one", options)
    two = simulate(tmp_path / "two", options)
    assert [p.name for p in one.scenes] == [p.name for p in two.scenes]
    for path in sorted(p for p in one.directory.rglob("*") if p.is_file()):
        assert path.read_bytes() == (two.directory / path.relative_to(one.directory)).read_bytes(), path.name
    with pytest.raises(ConfigError, match="already holds an archive"):
        simulate(tmp_path / "one", options)
    other = simulate(tmp_path / "three", SimulationOptions(**{**vars(options), "seed": 2, "format": "zip"}))
    assert other.scenes[0].suffix == ".zip"
    a = read_samples(bursts(one)[0], "VV")
    b = read_samples(bursts(other)[0], "VV")
    assert a.shape == b.shape == (64, 200, 2)
    assert not np.array_equal(a, b)
