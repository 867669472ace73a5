"""OPERA's CSLC-S1 as it is published, what is wrong with others, and their samples on other grids."""

from __future__ import annotations

import ast
import datetime as dt
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from sarcube.config import RunConfig
from sarcube.errors import ConfigError, CredentialError, GridError, OrbitError, SarcubeError, SceneError, SourceError
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.rdr2geo import rdr2geo
from sarcube.sensors.sentinel1.cslc.outline import ring_of_wkt
from sarcube.sensors.sentinel1.cslc.product import read_cslc
from sarcube.sensors.sentinel1.cslc.samples import open_rows
from sarcube.sensors.sentinel1.deramp import azimuth_carrier
from sarcube.sensors.sentinel1.search.scenes import find_scenes
from sarcube.transfer.remote import open_remote
from tests.cslc_files import LEFT_OUT, write
from tests.cslc_values import (
    APPLIED,
    BETA,
    BOX,
    BURST,
    BURST_ID,
    DEM,
    INPUTS,
    LAYOUT,
    NAME,
    PROCESSED,
    PROCESSOR,
    SCENE,
    VALUES,
    VERSION,
)
from tests.http_server import Reply, Server, ranged

SMALL = {"data/x_coordinates": BOX.x()[:300], "data/y_coordinates": BOX.y()[:200]}
PIXELS = (np.arange(60_000).reshape(200, 300) * (1 - 0.5j)).astype(np.complex64)


def config(path: Path | str, **more: Any) -> RunConfig:
    run = {
        "workflow": "insar", "source": {"kind": "cslc", "path": str(path)},
        "dem": {"path": "dem.tif", "heights": "ellipsoid"},
    }  # fmt: skip
    return RunConfig.from_dict({**run, **more})


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("cslc") / NAME)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write(tmp_path / NAME, {**SMALL, "data/VV": PIXELS})


def test_every_dataset_has_a_value_and_no_other() -> None:
    """But rasters, look-up tables and axes."""
    small = {name for name, (_, shape) in LAYOUT.items() if len(shape) == 0 or name in VALUES}
    assert VALUES.keys() == small
    for name, value in VALUES.items():
        assert np.shape(value) == LAYOUT[name][1], name


def test_a_published_file_is_read(published: Path) -> None:
    cslc = read_cslc(str(published))
    burst, radar = cslc.burst, cslc.burst.radar
    assert cslc.grid == BOX and (BOX.epsg, BOX.width, BOX.height) == (32630, 20_622, 4917)
    track = SCENE.relative_orbit
    assert (burst.burst_id, burst.swath, burst.platform, burst.relative_orbit) == (BURST_ID, "IW2", "S1A", track)
    begun, ended = (VALUES[f"identification/zero_doppler_{end}_time"].replace(" ", "T") for end in ("start", "end"))
    assert str(burst.start_time)[:26] == begun
    assert abs(burst.end_time - np.datetime64(ended, "ns")) < np.timedelta64(1, "us")
    assert (radar.lines, radar.samples) == (1460, 24_000) and burst.orbit_type == "POEORB"
    assert burst.orbit_source.startswith("S1A_OPER_AUX_POEORB_OPOD_20240329T")
    assert cslc.corrections == {"bistatic_delay": True, "static_troposphere": True, "fm_rate_mismatch": True}
    assert cslc.further == ("geometry steering Doppler", "solid Earth tides in range", "ionosphere")
    assert cslc.made_by == f"CSLC-S1 {VERSION}, COMPASS {PROCESSOR}" and cslc.dem == DEM
    assert cslc.scene == VALUES[INPUTS + "l1_slc_files"] and cslc.scene.startswith("S1A_IW_SLC__1SSV_20240309T")
    assert burst.scene == NAME.removesuffix(".h5") and burst.source_processed.startswith("2025-02-03T04:05:06")
    # The beam turns at the rate that every annotation of IW2 has, and the carrier sweeps as the literature says.
    assert burst.tops.azimuth_steering_rate == pytest.approx(0.979863325, abs=1e-9)
    carrier = azimuth_carrier(burst)
    assert 1400 < carrier.rate.mean() < 1500 and -2210 < carrier.fm_rate.min() < carrier.fm_rate.max() < -2040


def test_orbit_ranges_and_outline_belong_together(published: Path) -> None:
    """The outline is where orbit, times and ranges put the burst's edges, but for the ground's height."""
    cslc = read_cslc(str(published))
    burst, radar = cslc.burst, cslc.burst.radar
    ring = np.array(burst.footprint)
    times = np.array([radar.first_line_time, radar.last_line_time])
    ranges = np.array([radar.first_sample_range, radar.last_sample_range])
    lon, lat, _ = rdr2geo(burst.orbit, times[:, None], ranges[None, :], 0.0)
    for x, y in zip(lon.ravel(), lat.ravel(), strict=True):
        away = np.hypot((ring[:, 0] - x) * 111.3 * np.cos(np.radians(y)), (ring[:, 1] - y) * 111.3)
        assert away.min() < 1.5  # km: of ground 900 m high
    corners = cslc.grid.bounds
    assert corners[2] - corners[0] > 100_000 and corners[3] - corners[1] > 40_000


def test_operas_own_reader_says_the_same(published: Path) -> None:
    opera_utils = pytest.importorskip("opera_utils")

    cslc = read_cslc(str(published))
    burst = cslc.burst
    assert opera_utils.get_burst_id(published) == burst.burst_id
    assert opera_utils.get_radar_wavelength(published) == burst.radar.wavelength
    start = opera_utils.get_zero_doppler_time(published)
    assert np.datetime64(start, "us") == burst.start_time.astype("datetime64[us]")
    times, places, speeds, epoch = opera_utils.get_orbit_arrays(published)
    mine = burst.orbit.epoch + np.round(burst.orbit.time * 1e6).astype("timedelta64[us]")
    theirs = np.array([np.datetime64(epoch + dt.timedelta(seconds=float(t)), "us") for t in times])
    assert np.array_equal(mine.astype("datetime64[us]"), theirs)
    assert np.array_equal(places, burst.orbit.position) and np.array_equal(speeds, burst.orbit.velocity)
    x, y, epsg = opera_utils.get_xy_coords(published, 1)
    assert np.array_equal(x, cslc.grid.x()) and np.array_equal(y, cslc.grid.y()) and epsg == cslc.grid.epsg


def test_the_file_that_is_published_itself(shared_data: Path) -> None:
    """Where it lies with the test data: pixels are zeros in the copy that opera-utils tests with."""
    found = sorted((shared_data / "data").glob("opera_cslc/OPERA_L2_CSLC-S1_*.h5"))
    if not found:
        pytest.skip("no published CSLC-S1 in data/opera_cslc")
    with h5py.File(found[0]) as file:
        for name, (_, shape) in LAYOUT.items():
            assert file[name].shape == shape, name
        epsg, x, y = (file[f"data/{name}"][()] for name in ("projection", "x_coordinates", "y_coordinates"))
    cslc = read_cslc(str(found[0]))
    assert cslc.grid == GeoGrid(int(epsg), x[0] - 2.5, y[0] + 5.0, 5.0, x.size, y.size, 10.0)


ORBIT = "metadata/orbit/time"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"identification/product_type": "CSLC-S1-STATIC"}, "CSLC-S1-STATIC"),
        ({"identification/burst_id": LEFT_OUT}, "has no identification/burst_id"),
        ({"identification/burst_id": "t052"}, "no burst ID"),
        ({"identification/burst_id": BURST_ID.replace("iw2", "ew2")}, "of EW2"),
        ({"identification/zero_doppler_start_time": "yesterday"}, "no instant"),
        ({"identification/bounding_polygon": "POINT (1 2)"}, "no polygon"),
        ({"identification/bounding_polygon": "POLYGON ((1 2, 3"}, "no polygon"),
        ({APPLIED + "topographic_flattening_applied": False}, "not flattened"),
        ({BURST + "wavelength": np.nan}, "wavelength is not finite"),
        ({BURST + "wavelength": 55.0}, "none of Sentinel-1's"),
        ({BURST + "shape": np.array([1502, 2**40])}, "shape is no number of lines"),
        ({BURST + "doppler/coeffs": LEFT_OUT}, "has no .*doppler/coeffs"),
        ({BURST + "doppler/std": 0.0}, "doppler is no polynomial"),
        ({ORBIT: np.arange(5.0)}, "times and places that differ"),
        ({ORBIT: np.zeros(13)}, "strictly increase"),
        ({ORBIT: 10.0 * np.arange(13)}, "does not reach 30 s beyond"),
        ({"data/VV": LEFT_OUT}, "/data has no polarization"),
        ({"data/projection": 4326}, "projected CRS"),
        ({"data/projection": 12}, "whole number from"),
        ({"data/x_coordinates": np.geomspace(1e5, 2e5, 300)}, "not evenly spaced"),
        ({"data/y_coordinates": 2e6 + 10.0 * np.arange(200)}, "not evenly spaced"),
    ],
)
def test_what_is_no_such_file_is_said(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    path = write(tmp_path / NAME, {**SMALL, **changes})
    with pytest.raises((SceneError, OrbitError), match=said) as caught:
        read_cslc(str(path))
    assert NAME in str(caught.value)


def test_nothing_outside_of_the_file_is_followed(tmp_path: Path) -> None:
    elsewhere = write(tmp_path / "elsewhere.h5", SMALL)
    for k, name in enumerate(("data/VV", BURST + "wavelength")):
        path = write(tmp_path / f"{k}.h5", SMALL)
        with h5py.File(path, "a") as file:
            del file[name]
            file[name] = h5py.ExternalLink(str(elsewhere), name)
        with pytest.raises(SceneError, match="lies in another file"):
            read_cslc(str(path))


def test_uncalibrated_amplitudes_are_said(tmp_path: Path) -> None:
    (said,) = read_cslc(str(write(tmp_path / NAME, {**SMALL, BETA: LEFT_OUT}))).burst.warnings
    assert "not calibrated" in said


def test_outlines_across_the_antimeridian() -> None:
    ring = ring_of_wkt(
        "MULTIPOLYGON (((179 1, 180 1, 180 2, 179 2, 179 1)), ((-180 1, -179 1, -179 2, -180 2, -180 1)))"
    )
    lon = np.array(ring)[:, 0]
    assert np.ptp(lon) == pytest.approx(2.0)
    with pytest.raises(ValueError, match="beyond the Earth"):
        ring_of_wkt("POLYGON ((0 100, 1 100, 1 101, 0 100))")


def test_samples_lie_on_the_grid_that_is_asked_for(small: Path) -> None:
    cslc = read_cslc(str(small))
    own = cslc.grid
    scale = np.float32(1 / 237.0)
    for left, top, width, height in ((0, 0, 300, 200), (-7, 5, 40, 30), (280, -190, 50, 33), (20, -40, 100, 100)):
        wanted = GeoGrid(own.epsg, own.left + 5.0 * left, own.top + 10.0 * top, 5.0, width, height, 10.0)
        whole = np.full((900, 900), np.nan + 1j * np.nan, np.complex64)
        whole[300:500, 300:600] = PIXELS * scale
        expected = whole[300 - top : 300 - top + height, 300 + left : 300 + left + width]
        with open_rows(cslc, "VV", wanted) as rows:
            assert rows.shape == (height, width)
            seen = np.concatenate([rows[k : min(k + 16, height)] for k in range(0, height, 16)])
            assert np.array_equal(rows[3:9], expected[3:9], equal_nan=True)
        assert np.array_equal(seen, expected, equal_nan=True)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"left": BOX.left + 2.5}, "do not nest"),
        ({"resolution": 10.0}, "do not nest"),
        ({"epsg": 32631}, "make no product on EPSG:32631"),
    ],
)
def test_samples_between_those_of_a_grid_are_refused(small: Path, changed: dict[str, Any], said: str) -> None:
    cslc = read_cslc(str(small))
    known = {"epsg": BOX.epsg, "left": BOX.left, "top": BOX.top, "resolution": 5.0, "width": 10, "height": 10}
    with (
        pytest.raises(GridError, match=said),
        open_rows(cslc, "VV", GeoGrid(**{**known, "row_height": 10.0, **changed})),
    ):  # type: ignore[arg-type]
        pass


def test_files_are_found_and_what_is_wrong_with_others_is_told(tmp_path: Path) -> None:
    later = {**SMALL, "identification/processing_date_time": f"{PROCESSED.replace(year=PROCESSED.year + 1)}"}
    write(tmp_path / NAME, SMALL)
    (tmp_path / "again").mkdir()
    write(tmp_path / "again" / NAME.replace("20250203T040506Z", "20260203T040506Z"), later)
    (tmp_path / NAME.replace("CSLC-S1_", "CSLC-S1-STATIC_")).write_bytes(b"no samples")
    (tmp_path / f"static_layers_{BURST_ID}.h5").write_bytes(b"no samples")
    (tmp_path / "torn.h5").write_bytes((tmp_path / NAME).read_bytes()[:5000])
    found = find_scenes(config(tmp_path), geocoded=True)
    (burst,) = found.bursts
    assert "20260203T040506Z" in burst.scene and burst.older == (NAME.removesuffix(".h5"),)
    begun = dt.datetime.fromisoformat(VALUES["identification/zero_doppler_start_time"])
    assert burst.start_time == begun.replace(tzinfo=dt.UTC)
    assert burst.polarizations == ("VV",) and burst.orbit_direction == "descending"
    (problem,) = found.problems
    assert problem.subject.endswith("torn.h5") and problem.error == "SceneError" and "fetch it again" in problem.message
    only = config(tmp_path, source={"kind": "cslc", "path": str(tmp_path), "scenes": [NAME]})
    assert find_scenes(only, geocoded=True).bursts[0].scene == NAME.removesuffix(".h5")
    nowhere = config(tmp_path, aoi={"bbox": [8, 47, 9, 48]})
    assert "degrees north" in find_scenes(nowhere, geocoded=True).explanation


def test_a_source_without_such_files_is_told(tmp_path: Path) -> None:
    for path, said in (
        (tmp_path / "nowhere", "does not exist"),
        (tmp_path, "holds no CSLC-S1 file"),
        ("https://example.com/folder", "name one file"),
    ):
        with pytest.raises(SourceError, match=said):
            find_scenes(config(path), geocoded=True)
    with pytest.raises(ConfigError, match="needs source"):
        RunConfig.from_dict({"source": {"kind": "cslc"}, "dem": {"kind": "cop_glo30"}})


def test_workflows_that_need_scenes_refuse_them(small: Path) -> None:
    with pytest.raises(ConfigError, match="geocoded SLCs, of which the workflow rtc"):
        find_scenes(RunConfig.from_dict({**config(small).model_dump(exclude_none=True), "workflow": "rtc"}))


def test_files_behind_an_address_are_read_by_ranges(small: Path) -> None:
    server, data = Server(), small.read_bytes()
    server.routes[f"/{NAME}"] = lambda request: ranged(data, request)
    address = f"{server.url}/{NAME}"
    (burst,) = find_scenes(config(address), geocoded=True).bursts
    assert burst.path == address and burst.scene == NAME.removesuffix(".h5")
    cslc = read_cslc(address, open_remote)
    with open_rows(cslc, "VV", cslc.grid, open_remote) as rows:
        assert np.array_equal(rows[150:180], PIXELS[150:180] * np.float32(1 / 237.0))
    assert all("range" in request.headers for request in server.requests)
    server.routes["/closed"] = lambda request: Reply(b"", 403)
    with pytest.raises(CredentialError):
        find_scenes(config(f"{server.url}/closed/slc.h5"), geocoded=True)
    asked = len(server.requests)
    assert find_scenes(config(address), geocoded=True).bursts == (burst,)
    assert len(server.requests) == asked, "a granule's name is enough to know it again"
    server.close()


REMOTE = """
import sys
from sarcube.errors import CredentialError, SceneError
from sarcube.sensors.sentinel1.bytes_source import LocalBytes
from sarcube.sensors.sentinel1.cslc.product import read_cslc
from sarcube.transfer.remote import RemoteBytes


class Failing(RemoteBytes):
    def __init__(self, path, fetches):
        self.address, self.requests, self.transferred = path, 0, 0
        import collections, threading
        self._lock, self._blocks, self._size = threading.Lock(), collections.OrderedDict(), None
        self._transport, self.left = LocalBytes(path), fetches

    size = property(lambda self: self._transport.size)

    def _fetch(self, offset, length):
        self.left -= 1
        if self.left < 0:
            raise CredentialError("refused")
        return self._transport.read(offset, length)


said = []
for path, fetches in ((sys.argv[1], k) for k in range(3)):
    try:
        said.append(read_cslc("https://x/y.h5", lambda _: Failing(path, fetches)).burst.burst_id)
    except CredentialError:
        said.append("refused")
for path in sys.argv[2:]:
    try:
        read_cslc("https://x/y.h5", lambda _: Failing(path, 99))
    except SceneError as error:
        said.append(str(error))
print(said)
"""


def test_remote_failures_end_neither_silently_nor_with_the_process(tmp_path: Path) -> None:
    """HDF5 keeps drivers of files that it failed to open, which then ends the process badly: it is not let to fail."""
    whole = write(tmp_path / "whole.h5", SMALL)
    torn, other = tmp_path / "torn.h5", tmp_path / "other.h5"
    torn.write_bytes(whole.read_bytes()[:9000])
    other.write_bytes(b"<html>" * 1000)
    done = subprocess.run(
        [sys.executable, "-c", REMOTE, str(whole), str(torn), str(other)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = ast.literal_eval(done.stdout)
    assert said[0] == "refused" and BURST_ID in said
    assert "is not whole" in said[-2] and "no HDF5 file" in said[-1]


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_end_in_a_typed_error(small: Path, seed: int) -> None:
    """Flipped, zeroed and torn bytes: an error with the file's name, or values that are read all the same."""
    random = np.random.default_rng(seed)
    sound = np.frombuffer(small.read_bytes(), np.uint8)
    path = small.with_name("damaged.h5")
    refused = 0
    for _ in range(60):
        data = sound.copy()
        how = random.integers(3)
        if how == 0:
            at = random.integers(0, data.size, random.integers(1, 60))
            data[at] = random.integers(0, 256, at.size)
        elif how == 1:
            at = int(random.integers(0, data.size))
            data[at : at + int(random.integers(1, 4000))] = random.integers(0, 256)
        else:
            data = data[: int(random.integers(0, data.size))]
        path.write_bytes(data.tobytes())
        try:
            cslc = read_cslc(str(path))
            with open_rows(cslc, "VV", cslc.grid) as rows:
                for k in range(0, 200, 50):
                    rows[k : k + 50]
        except SarcubeError as error:
            refused += 1
            assert "damaged" in str(error)
    assert refused > 10


def test_no_file_makes_it_read_more_than_it_holds(tmp_path: Path) -> None:
    """Sizes that a file states and does not have."""
    huge = write(tmp_path / NAME, SMALL)
    with h5py.File(huge, "a") as file:
        del file["data/x_coordinates"], file["data/VV"]
        file.create_dataset("data/x_coordinates", (10**10,), "f8", chunks=(10**6,))
        file.create_dataset("data/VV", (200, 10**10), "c8", chunks=(1, 10**6))
    with pytest.raises(SceneError, match="no raster of complex numbers"):
        read_cslc(str(huge))
    texts = write(tmp_path / "texts.h5", SMALL)
    with h5py.File(texts, "a") as file:
        del file["identification/burst_id"]
        file.create_dataset("identification/burst_id", (), "S500000000")
    with pytest.raises(SceneError, match="is no text"):
        read_cslc(str(texts))


def test_every_name_that_is_asked_for_is_a_published_one() -> None:
    """Names in the reader against the list of the specification."""
    from sarcube.sensors.sentinel1.cslc import product

    text = Path(product.__file__).read_text()
    asked = set(re.findall(r'"((?:identification|data|metadata)/[\w/]+[a-z\d])"', text))
    assert len(asked) > 15 and asked <= LAYOUT.keys() | {"data/projection"}
    for prefix, name in ((BURST, "_BURST"), (APPLIED, "_APPLIED"), (INPUTS, "_INPUTS")):
        for end in re.findall(rf'{name} \+ "(\w+)"', text):
            assert prefix + end in LAYOUT, end
