"""HyP3's workflows by their own words: how bursts are named, what is refused, and the whole way to its zip."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from sarcube.cli.hyp3 import _spread
from sarcube.errors import ConfigError, SourceError
from sarcube.production.run import hyp3
from sarcube.production.run.hyp3 import Hyp3Options, burst_config, gaps, named_pair, ordered_scenes, scene_config
from sarcube.sensors.sentinel1.granules import NamedBurst, granule_name
from sarcube.simulate.archive import simulate
from sarcube.simulate.options import SimulationOptions
from sarcube.store.local_store import LocalStore
from tests import own_places as fixtures
from tests.documented import carry_out, in_folder
from tests.http_server import Reply, Server
from tests.once import once

own_places, server = fixtures.own_places, fixtures.server
REFERENCE = "S1_136231_IW2_20200604T022312_VV_7C85-BURST"
SECONDARY = "S1_136231_IW2_20200616T022313_VV_5D11-BURST"
SCENES = (
    "S1A_IW_SLC__1SDV_20230904T063730_20230904T063757_050174_0609E3_DAA1",
    "S1A_IW_SLC__1SDV_20230916T063730_20230916T063757_050349_060FCD_6814",
)


def test_granules_and_own_names_are_read() -> None:
    named = NamedBurst.parse(REFERENCE)
    assert (named.burst_id, named.polarization, named.parent) == ("t064_136231_iw2", "VV", "7C85")
    assert named.start == dt.datetime(2020, 6, 4, 2, 23, 12, tzinfo=dt.UTC) and str(named) == REFERENCE
    assert granule_name(named.burst_id, named.start, "VV", "S1A_IW_SLC__1SDV_7C85") == REFERENCE
    own = NamedBurst.parse("T064-136231-IW2@20200604")
    assert (own.burst_id, own.day, own.start) == (named.burst_id, named.day, None)
    assert str(own) == "t064_136231_iw2@2020-06-04"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("S1_136231_IW2_20200604T022312_VV_7C85", "neither"),
        ("S1_999999_IW2_20200604T022312_VV_7C85-BURST", "1 to 375887"),
        ("S1_136231_IW2_20201304T022312_VV_7C85-BURST", "no time"),
        ("t064_136231_iw2@2020-13-04", "no day"),
        ("t064_136231@2020-06-04", "not a burst ID"),
        ("", "neither"),
    ],
)
def test_what_names_no_burst_is_refused(text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        NamedBurst.parse(text)


def other(text: str, **changed: str) -> str:
    for old, new in changed.items():
        text = text.replace({"number": "136231", "swath": "IW2", "pol": "VV", "time": "022312"}[old], new)
    return text


@pytest.mark.parametrize(
    ("reference", "secondary", "named"),
    [
        ([], [SECONDARY], "--reference names no burst"),
        ([REFERENCE, REFERENCE], [SECONDARY], "twice"),
        ([REFERENCE, other(REFERENCE, number="136232")], [SECONDARY], "reference alone has t064_136232_iw2"),
        ([other(REFERENCE, pol="VH")], [other(SECONDARY, pol="VH")], "VV or HH, not VH"),
        ([REFERENCE], [other(SECONDARY, pol="HH")], "one polarization"),
        ([SECONDARY], [REFERENCE], "swap them"),
        ([REFERENCE], [other(REFERENCE, time="022315")], "both of 2020-06-04; name another date"),
        ([f"t064_{n}_iw2@2020-06-0{d}" for n, d in ((136231, 4), (136232, 6))], [SECONDARY], "several days"),
        ([REFERENCE, other(REFERENCE, number="136240", time="022712")], [SECONDARY], "within 2 minutes"),
        (
            [f"t0{t}_{n}_iw2@2020-06-04" for t, n in ((64, 136231), (65, 138379))],
            [f"t0{t}_{n}_iw2@2020-06-16" for t, n in ((64, 136231), (65, 138379))],
            "one track, not of 64, 65",
        ),
    ],
)
def test_hyp3s_rules_name_what_breaks_them(reference: list[str], secondary: list[str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        named_pair(reference, secondary)


def test_a_pass_over_midnight_has_two_days(tmp_path: Path) -> None:
    sides = [[f"t064_13623{n}_iw2@2020-06-{day + n - 1:02d}" for n in (1, 2)] for day in (4, 16)]
    told = burst_config(*named_pair(*sides), Hyp3Options(str(tmp_path))).model_dump(mode="json")
    assert told["dates"] == ["2020-06-04", "2020-06-17"]
    assert told["insar"]["pairs"]["list"] == [["2020-06-04", "2020-06-16"]]


def test_two_granules_in_any_order() -> None:
    assert named_pair([], [], [SECONDARY, REFERENCE]) == named_pair([REFERENCE], [SECONDARY])
    with pytest.raises(ConfigError, match="not both"):
        named_pair([REFERENCE], [], [SECONDARY, REFERENCE])
    with pytest.raises(ConfigError, match="two granules, not 3"):
        named_pair([], [], [SECONDARY, REFERENCE, REFERENCE])


def test_what_does_not_hang_together_is_said() -> None:
    assert "IW1 has no burst 136232" in gaps(["t064_136231_iw1", "t064_136233_iw1"])[0]
    assert not gaps(["t064_136231_iw1", "t064_136232_iw2"])
    assert "IW1 and IW3 do not lie beside each other" in gaps(["t064_136231_iw1", "t064_136231_iw3"])[0]


def test_a_pair_becomes_a_run(tmp_path: Path) -> None:
    sides = named_pair([REFERENCE], [SECONDARY])
    config = burst_config(*sides, Hyp3Options(str(tmp_path), looks="10x2"))
    told = config.model_dump(mode="json", exclude_none=True)
    assert told["source"]["kind"] == "asf" and told["source"]["burst_ids"] == ["t064_136231_iw2"]
    assert told["dem"]["kind"] == "cop_glo30" and told["orbits"]["kind"] == "aws"
    assert (told["insar"]["posting"], told["insar"]["polarization"]) == (40.0, "VV")
    assert told["insar"]["merge"] and told["insar"]["water"] == "auto" and not told["insar"]["apply_water_mask"]
    assert told["insar"]["pairs"]["list"] == [["2020-06-04", "2020-06-16"]]
    with pytest.raises(ConfigError, match="20x4, 10x2, 5x1"):
        burst_config(*sides, Hyp3Options(str(tmp_path), looks="4x20"))


def test_two_scenes_become_a_run(tmp_path: Path) -> None:
    assert ordered_scenes("", "", SCENES[::-1]) == SCENES
    config = scene_config(*SCENES, Hyp3Options(str(tmp_path), polarization="VV"))
    assert config.source.scenes == SCENES and config.dates == (dt.date(2023, 9, 4), dt.date(2023, 9, 17))
    same = SCENES[0], SCENES[0].replace("DAA1", "0A1B")
    for names, named in (
        (SCENES[::-1], "swap them"),
        (same, "both of 2023-09-04; name a scene of another date"),
        (("S1A", SCENES[1]), "not the name"),
    ):
        with pytest.raises(ConfigError, match=named):
            scene_config(*names, Hyp3Options(str(tmp_path)))
    with pytest.raises(ConfigError, match="two scenes, not 1"):
        ordered_scenes(SCENES[0], "")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--reference A B --secondary C D", "--reference A --reference B --secondary C --secondary D"),
        ("A B --apply-water-mask True --looks 20x4", "A B --apply-water-mask --looks 20x4"),
        ("A B --apply-water-mask=false --swaths 1 2", "A B --swaths 1 --swaths 2"),
        ("--apply-water-mask --reference=A B", "--apply-water-mask --reference=A --reference B"),
    ],
)
def test_options_are_typed_as_hyp3_has_them(typed: str, meant: str) -> None:
    assert list(_spread(typed.split())) == meant.split()


def _archive(folder: Path) -> str:
    lon, lat, d = 53.45, 27.66, 0.03
    made = simulate(
        folder,
        SimulationOptions(
            center=(lon, lat), dates=(dt.date(2020, 6, 4), dt.date(2020, 6, 16)), swaths=("IW2",), bursts=1,
            polarizations=("VV",), aoi=(lon - d, lat - d, lon + d, lat + d), crop=True, coherent=True, delays=False,
            baselines=(0.0, 60.0), displacement="mogi", truth="constant", coherence=(0.9, 0.7),
        ),
    )  # fmt: skip
    (folder / "cluster").mkdir()
    (folder / "cluster" / "local.yaml").write_text("{kind: local, workers: 1, options: {processes: false}}\n")
    return json.dumps(made.burst_ids)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two dates of the burst of HyP3's own example."""
    folder, ids = once(tmp_path_factory, "hyp3-example", _archive)
    assert json.loads(ids) == ["t064_136231_iw2"]
    return folder


LAKE = {"type": "Polygon", "coordinates": [[[53.44, 27.65], [53.46, 27.65], [53.46, 27.66], [53.44, 27.65]]]}
COMMAND = f"sarcube insar burst {REFERENCE} {SECONDARY} --looks 20x4 --source scenes --orbits orbits --dem-path dem.tif"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the products of the example's burst stay."""
    return tmp_path_factory.mktemp("kept") / "store"


@pytest.mark.timeout(600)
def test_hyp3s_own_example(archive: Path, store: Path, tmp_path: Path) -> None:
    """The command as hyp3-isce2 prints it, to a zip with the right cycle everywhere; and the same from the store."""
    pytest.importorskip("whirlwind")
    water = tmp_path / "lake.geojson"
    water.write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": LAKE}))
    masked = f"--apply-water-mask True --water {water}"
    with in_folder(archive):
        made = carry_out(f"{COMMAND} {masked} --out {tmp_path} --store {store} --json")
    assert made.exit_code == 0, made.output
    told = json.loads(made.output[made.output.index("{\n") :])
    product = Path(told["product"])
    assert product.name.startswith("S1_136231_IW2_20200604_20200616_VV_INT80_")
    assert any("another version" in remark for remark in told["remarks"]) and told["uploaded"] is None
    with zipfile.ZipFile(product) as archived:
        assert len(archived.namelist()) == 20 and archived.testzip() is None
        archived.extractall(tmp_path)
    name, layers = product.stem, dict[str, Any]()
    for end in ("unw_phase", "corr", "conncomp", "water_mask", "dem"):
        with rasterio.open(tmp_path / name / f"{name}_{end}.tif") as file:
            layers[end], profile = file.read(1), file.profile
    (truth,) = (archive / "truth").glob("*_phase.tif")
    with rasterio.open(truth) as file, WarpedVRT(
        file, crs=profile["crs"], transform=profile["transform"], width=profile["width"], height=profile["height"],
        resampling=Resampling.average,
    ) as there:  # fmt: skip
        expected = there.read(1)
    wet = layers["water_mask"] == 0
    assert 20 < wet.sum() < 500 and not layers["unw_phase"][wet].any() and not layers["conncomp"][wet].any()
    known = np.isfinite(expected) & (layers["unw_phase"] != 0) & (layers["corr"] > 0.4) & (layers["conncomp"] == 1)
    off = layers["unw_phase"][known] - expected[known]
    assert known.sum() > 4000 and np.ptp(expected[known]) > 8.0
    assert np.mean(np.abs(off - np.median(off)) > np.pi) < 0.001 and abs(np.median(off)) < 0.1
    assert np.ptp(layers["dem"][known]) > 100.0

    again = carry_out(f"sarcube export {store} --as hyp3 --out {tmp_path / 'again'} --json")
    assert again.exit_code == 0 and "as they are" in json.loads(again.output)["remarks"][0], again.output
    with zipfile.ZipFile(product) as one, zipfile.ZipFile(tmp_path / "again" / product.name) as other:
        for file in one.namelist():
            if file.endswith((".tif", f"{name}.txt")):
                assert one.read(file) == other.read(file), file


@pytest.mark.timeout(600)
def test_whole_scenes_and_what_the_store_has_already(archive: Path, store: Path, tmp_path: Path) -> None:
    pytest.importorskip("whirlwind")
    names = [path.stem for path in sorted((archive / "scenes").iterdir())]
    inputs = COMMAND.split("20x4 ")[1]
    with in_folder(archive):
        for swaths, code in (("2", 0), ("3", 2)):
            words = f"sarcube insar scene {names[1]} {names[0]} --swaths {swaths} {inputs}"
            made = carry_out(f"{words} --alpha 0.3 --store {store} --out {tmp_path} --json")
            assert made.exit_code == code, made.output
            if code == 0:
                told = json.loads(made.output[made.output.index("{\n") :])
            else:
                assert "no bursts of the sub-swaths 3" in made.output
        repeated = carry_out(
            f"{words.replace('--swaths 3', '--swaths 2')} --alpha 0.2 --store {store} --out {tmp_path}"
        )
    assert Path(told["product"]).name.startswith("S1_136231_IW2_20200604_20200616_VV_INT80_")
    assert repeated.exit_code == 0 and "give another --store" in repeated.output, repeated.output


@pytest.fixture(scope="module")
def slcs(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that keeps the geocoded SLCs of both dates, and their interferogram."""
    folder = tmp_path_factory.mktemp("slcs")
    run = {
        "workflow": "insar", "source": {"path": str(archive / "scenes")}, "orbits": {"path": str(archive / "orbits")},
        "dem": {"path": str(archive / "dem.tif"), "heights": "ellipsoid"}, "store": str(folder / "store"),
        "insar": {"keep_slc": True},
    }  # fmt: skip
    (folder / "run.yaml").write_text(json.dumps(run))
    with in_folder(archive):
        made = carry_out(f"sarcube run {folder / 'run.yaml'} --quiet")
    assert made.exit_code == 0, made.output
    return folder / "store"


@pytest.mark.timeout(600)
def test_geocoded_slcs_as_operas_readers_take_them(slcs: Path, tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    opera_utils = pytest.importorskip("opera_utils")

    made = carry_out(f"sarcube export {slcs} --as dolphin --out {tmp_path} --json")
    assert made.exit_code == 0, made.output
    files = [Path(text) for text in json.loads(made.output)["products"]]
    assert [f"{f.relative_to(tmp_path)}" for f in files] == [
        f"t064_136231_iw2/{day}/t064_136231_iw2_{day}.h5" for day in ("20200604", "20200616")
    ]
    seen = []
    for file, (kept,) in zip(files, ([p] for p in sorted(slcs.rglob("*_slc_VV.tif"))), strict=True):
        assert opera_utils.get_burst_id(file) == "t064_136231_iw2"
        assert opera_utils.get_radar_wavelength(file) == pytest.approx(0.05546576, abs=1e-8)
        start = opera_utils.get_zero_doppler_time(file)
        assert start.strftime("%Y%m%d %H:%M:%S") == f"{file.parent.name} 02:23:35"
        times, places, speeds, epoch = opera_utils.get_orbit_arrays(file)
        assert len(times) >= 4 and np.linalg.norm(speeds, axis=1) == pytest.approx(7600, rel=0.01)
        assert np.linalg.norm(places, axis=1) == pytest.approx(7.07e6, rel=0.01)
        assert np.diff(times) == pytest.approx(10.0) and abs((start - epoch).total_seconds() - times.mean()) < 15.0
        with rasterio.open(kept) as source, rasterio.open(f'NETCDF:"{file}"://data/VV') as other:
            assert other.crs.to_epsg() == source.crs.to_epsg() == 32639
            assert other.transform.almost_equals(source.transform, 1e-6)
            first, second = source.read(1), other.read(1)
            assert second.dtype == np.complex64 and np.array_equal(first, second, equal_nan=True)
            x, y, epsg = opera_utils.get_xy_coords(file, 1)
            assert (x[0], y[0], epsg) == (source.xy(0, 0)[0], source.xy(0, 0)[1], 32639)
            seen.append(second)
        assert opera_utils.get_union_polygon([file]).contains(opera_utils.get_union_polygon([file]).centroid)
    (made_pair,) = slcs.rglob("*_interferogram.tif")
    with rasterio.open(made_pair) as source:
        pair = source.read(1)
    rows, columns = (a // b for a, b in zip(seen[0].shape, pair.shape, strict=True))
    product = (seen[0] * seen[1].conj()).reshape(pair.shape[0], rows, pair.shape[1], columns)
    phase = np.angle(np.nansum(product, axis=(1, 3)))
    whole = np.isfinite(pair) & np.isfinite(product).all(axis=(1, 3))
    assert whole.sum() > 3000 and np.abs(np.angle(np.exp(1j * (phase - np.angle(pair))))[whole]).mean() < 0.03


def test_bursts_that_are_not_merged_are_on_the_way(slcs: Path, tmp_path: Path) -> None:
    pytest.importorskip("whirlwind")
    water = tmp_path / "lake.geojson"
    water.write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": LAKE}))
    words = f"sarcube export {slcs} --as hyp3 --pair 2020-06-04,2020-06-16 --out {tmp_path} --json --water {water}"
    zips = []
    for more, masked in ((" --apply-water-mask --alpha baran", True), ("", False)):
        made = carry_out(words + more)
        assert made.exit_code == 0, made.output
        (product,) = (Path(text) for text in json.loads(made.output)["products"])
        name = product.stem
        with zipfile.ZipFile(product) as archived:
            assert len(archived.namelist()) == 20
            archived.extractall(tmp_path)
        layers = {}
        for end in ("unw_phase", "water_mask", "conncomp"):
            with rasterio.open(tmp_path / name / f"{name}_{end}.tif") as file:
                layers[end] = file.read(1)
        wet = layers["water_mask"] == 0
        assert 20 < wet.sum() < 500 and layers["unw_phase"][wet].any() != masked
        assert (layers["conncomp"] == 1).sum() > 4000
        zips.append(product)
    assert zips[0] != zips[1], "made otherwise, so beside the other"


def test_a_store_without_slcs_says_how_to_keep_them(slcs: Path, tmp_path: Path) -> None:
    made = carry_out(f"sarcube export {slcs} --as dolphin --tracks 1 --out {tmp_path}")
    assert made.exit_code == 2 and "keep_slc: true" in made.output
    made = carry_out(f"sarcube export {slcs} --as hyp3 --tracks 1 --out {tmp_path}")
    assert made.exit_code == 2 and "no pairs" in made.output
    made = carry_out(f"sarcube export {slcs} --as hyp3 --pair 2020-06-04 --out {tmp_path}")
    assert made.exit_code == 2 and "two days" in made.output
    assert not list(tmp_path.iterdir())


def _feature(day: str, time: str, scene: str) -> dict[str, Any]:
    """As ASF answers `dataset=SLC-BURST`."""
    ring = [[53.42, 27.5], [53.53, 27.5], [53.53, 27.75], [53.42, 27.75], [53.42, 27.5]]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {
            "bytes": 100_000_000, "flightDirection": "DESCENDING", "pathNumber": 64, "polarization": "VV",
            "startTime": f"{day}T{time}Z", "url": f"https://sentinel1-burst.asf.alaska.edu/{scene}/IW2/VV/1.tiff",
            "burst": {
                "fullBurstID": "064_136231_IW2", "burstIndex": 1, "subswath": "IW2", "azimuthTime": f"{day}T{time}Z",
            },
        },
    }  # fmt: skip


def test_logins_come_from_netrc_and_are_shown_nowhere(
    archive: Path,
    own_places: Path,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The example as it is typed, against stand-ins for ASF and for NASA's identity server, which refuses."""
    pytest.importorskip("whirlwind")
    scene = "S1A_IW_SLC__1SDV_{0}T022251_{0}T022318_{1}_03CE65_{2}"
    found = [
        _feature("2020-06-04", "02:23:12.5", scene.format("20200604", "032861", "7C85")),
        _feature("2020-06-16", "02:23:13.2", scene.format("20200616", "033036", "5D11")),
    ]
    server.routes["/search"] = lambda r: Reply(json.dumps({"type": "FeatureCollection", "features": found}).encode())
    server.routes["/api/users"] = lambda r: Reply(b"no", 401)
    monkeypatch.setenv("SARCUBE_ASF_SEARCH_URL", f"{server.url}/search")
    monkeypatch.setenv("SARCUBE_EARTHDATA_URL", server.url)
    with in_folder(archive):
        words = f"{COMMAND.replace('--source scenes ', '')} --out {tmp_path / 'out'} --store {tmp_path / 'store'}"
        without = carry_out(words)
        (own_places / ".netrc").write_text("machine urs.earthdata.nasa.gov login somebody password canary-4711\n")
        (own_places / ".netrc").chmod(0o600)
        refused = carry_out(words)
    assert without.exit_code == 2 and "EARTHDATA_USERNAME" in without.output and ".netrc" in without.output
    assert refused.exit_code == 2 and "refuses the login from .netrc" in refused.output
    assert server.requests[0].query["fullBurstID"] == "064_136231_IW2"
    assert server.requests[0].query["start"].startswith("2020-06-04")
    signed = [r for r in server.requests if r.path.startswith("/api/users")]
    assert signed and all(r.headers["authorization"].startswith("Basic ") for r in signed)
    written = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert "canary-4711" not in without.output + refused.output and b"canary-4711" not in written
    assert not list(tmp_path.rglob("*.zip"))


ENTRY = Path(__file__).parents[2] / "docker" / "entrypoint.sh"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("++process insar_tops_burst A B --looks 20x4", "insar burst A B --looks 20x4"),
        ("++omp-num-threads 3 ++process insar_tops --reference A", "insar scene --reference A"),
        ("++process insar_tops_multi_burst ++omp-num-threads 3 --reference A B", "insar burst --reference A B"),
        ("++process merge_tops_bursts DIR --filter-strength 0.6", "insar merge DIR --filter-strength 0.6"),
        ("--scene A", "scene --scene A"),
        ("--help", "--help"),
    ],
)
def test_the_container_takes_hyp3s_processes(typed: str, meant: str, tmp_path: Path) -> None:
    program = tmp_path / "sarcube"
    program.write_text('#!/bin/sh\necho "$@" "${OMP_NUM_THREADS:-}"\n')
    program.chmod(0o755)
    threads = "3" if "omp" in typed else ""
    done = subprocess.run(
        ["sh", str(ENTRY), *typed.split()], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.stdout.split() == f"{meant} {threads}".split()


def test_a_process_that_there_is_not_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", str(ENTRY), "++process", "insar_stripmap"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "insar_stripmap" in done.stderr and "insar_tops_burst" in done.stderr


def test_a_granule_that_is_not_there_is_named(archive: Path, tmp_path: Path) -> None:
    with in_folder(archive):
        for words in (COMMAND.replace("136231", "136230"), COMMAND.replace("20200616T", "20200628T")):
            made = carry_out(f"{words} --out {tmp_path}")
            assert made.exit_code == 2 and ("136230" in made.output or "2020-06-28" in made.output), made.output
        made = carry_out(f"{COMMAND} --apply-water-mask --out {tmp_path}")
    assert made.exit_code == 2 and "--water" in made.output
    assert not list(tmp_path.iterdir())


def test_the_product_goes_to_the_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def opened(url: str) -> LocalStore:
        asked.append(url)
        return LocalStore(tmp_path / "bucket")

    monkeypatch.setattr(hyp3, "open_store", opened)
    (tmp_path / "a.zip").write_bytes(b"zip")
    hyp3.upload(tmp_path / "a.zip", "mine", "/pairs/2020/")
    assert asked == ["s3://mine/pairs/2020"] and (tmp_path / "bucket" / "a.zip").read_bytes() == b"zip"


def test_a_burst_that_the_source_has_not_is_an_error() -> None:
    from types import SimpleNamespace

    sides = named_pair([REFERENCE], [SECONDARY])
    nothing: Any = SimpleNamespace(places=(), tasks=(), problems=(), warnings=())
    with pytest.raises(SourceError, match=REFERENCE):
        hyp3.check_found(nothing, *sides)
