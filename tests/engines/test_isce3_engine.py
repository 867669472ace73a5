"""The isce3 engine: its run configuration, its staging, and every way in which opera-rtc can fail."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import yaml
from scipy.ndimage import binary_dilation, distance_transform_edt

from sarcube.engines.rtc.engine import RtcOptions
from sarcube.engines.rtc.isce3.engine import Isce3Engine
from sarcube.engines.rtc.isce3.runconfig import Inputs, make_runconfig
from sarcube.engines.rtc.isce3.stage import even_orbit, stage_safe, write_orbit
from sarcube.engines.rtc.native.engine import NativeEngine
from sarcube.errors import ConfigError, EngineError, TaskTimeoutError
from sarcube.geometry.dem import sample_grid
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel1.burst import read_bursts
from sarcube.sensors.sentinel1.orbit_file import read_orbit
from sarcube.sensors.sentinel1.safe import open_safe
from tests.engines.fake_opera import fake_opera
from tests.engines.reference import UNCORRECTED, Case

CASES = {
    "nevada": ("t071_151202_iw2", 32611, (456040, 4228740, 562500, 4267280), {}),
    "bc": ("t108_230135_iw3", None, None, {}),
    "morocco": ("t052_110431_iw1", 32629, (498440, 3490320, 609160, 3530420), {}),
}
# Places of files, and what only changes how outputs are packed or named.
NOT_THE_RESULT = (
    "safe_file_path", "orbit_file_path", "dem_file", "product_path", "scratch_path", "output_dir", "product_id",
    "output_imagery_format", "save_browse", "save_dem", "mosaic_geogrid",
)  # fmt: skip
GIVEN_GRID = ("top_left", "bottom_right", "output_epsg")  # the recorded runs let opera-rtc choose these


def flat(node: dict, prefix: str = "") -> dict:
    found = {}
    for key, value in node.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


@pytest.mark.parametrize("run", ["nevada/rtc", "nevada/static", "bc/rtc", "bc/static", "morocco/rtc_corrected"])
def test_run_configuration_equals_the_recorded_one(shared_data: Path, run: str) -> None:
    recorded = flat(yaml.safe_load((shared_data / "reference" / run / "run.yaml").read_text()))
    case, _, kind = run.partition("/")
    corrected = kind == "rtc_corrected"
    options = RtcOptions(thermal_noise=False, bistatic_delay=corrected, static_troposphere=corrected)
    inputs = Inputs(Path("a.SAFE"), Path("b.EOF"), Path("c.tif"), CASES[case][0], ("VV",), Path("scratch"))
    grid = GeoGrid(32611, 456040, 4267280, 20, 5323, 1927)
    ours = flat(make_runconfig(inputs, grid, options, static_validity=20140403 if kind == "static" else None))
    assert set(ours) == set(recorded)
    for key, value in recorded.items():
        if not any(part in key for part in (*NOT_THE_RESULT, *GIVEN_GRID)):
            mine = ours[key]
            same = float(mine) == float(value) if isinstance(mine, float) else mine == value
            assert same, f"{key}: {mine} is not the recorded {value}"


def test_dual_polarization_and_conventions() -> None:
    inputs = Inputs(Path("a"), Path("b"), Path("c"), "t001_000001_iw1", ("HH", "HV"), Path("s"))
    grid = GeoGrid(3031, 0, 0, 20, 10, 10)
    processing = make_runconfig(inputs, grid, RtcOptions(backscatter="sigma0"))["runconfig"]["groups"]["processing"]
    assert processing["polarization"] == "dual-pol"
    assert processing["rtc"]["output_type"] == "sigma0"
    assert processing["geocoding"]["save_rtc_anf_gamma0_to_sigma0"] is False
    beta = make_runconfig(inputs, grid, RtcOptions(backscatter="beta0"))["runconfig"]["groups"]["processing"]
    assert beta["apply_rtc"] is False


def test_engine_options_reach_opera_and_unknown_ones_are_refused() -> None:
    inputs = Inputs(Path("a"), Path("b"), Path("c"), "t001_000001_iw1", ("VV",), Path("s"))
    grid = GeoGrid(32611, 0, 0, 20, 10, 10)
    options = RtcOptions(engine_options={"rtc": {"dem_upsampling": 3}, "product_group.product_version": "7"})
    groups = make_runconfig(inputs, grid, options)["runconfig"]["groups"]
    assert groups["processing"]["rtc"]["dem_upsampling"] == 3
    assert groups["product_group"]["product_version"] == "7"
    with pytest.raises(ConfigError, match="dem_upsampling"):
        make_runconfig(inputs, grid, RtcOptions(engine_options={"rtc.dem_upsamplin": 3}))


@pytest.fixture(scope="module")
def case(shared_data: Path):
    """A real burst whose scene holds one of the three sub-swaths only, and the recorded grid."""
    folder = shared_data / "reference" / "nevada"
    burst = read_bursts(open_safe(next(folder.glob("*.zip"))), burst_ids=["t071_151202_iw2"])[0]
    with rasterio.open(next((folder / "rtc").glob("*_VV.tif"))) as source:
        t = source.transform
        grid = GeoGrid(source.crs.to_epsg(), t.c, t.f, t.a, source.width, source.height)
    return folder, burst, grid, Case("nevada", folder).dem


def test_a_scene_with_one_swath_is_staged_with_three(case, tmp_path: Path) -> None:
    _, burst, _, _ = case
    safe = stage_safe(burst, tmp_path)
    assert safe.name == f"{burst.scene}.SAFE"
    for swath in ("iw1", "iw2", "iw3"):
        assert list(safe.glob(f"annotation/*-{swath}-slc-vv-*.xml"))
        assert list(safe.glob(f"annotation/calibration/calibration-*-{swath}-slc-vv-*.xml"))
    assert len(list(safe.glob("measurement/*.tiff"))) == 1
    assert (safe / "manifest.safe").exists()


def test_a_whole_scene_is_used_in_place(shared_data: Path, tmp_path: Path) -> None:
    path = next((shared_data / "data" / "safe").glob("*20200511*7768.zip"))
    burst = read_bursts(open_safe(path), swaths=["IW2"])[0]
    assert stage_safe(burst, tmp_path) == path


def test_the_orbit_file_reads_back_and_is_even(case, tmp_path: Path) -> None:
    _, burst, _, _ = case
    path = write_orbit(burst, tmp_path)
    back = read_orbit(path)
    steps = np.diff(back.orbit.time)
    assert np.ptp(steps) < 1e-6
    uneven = replace(burst.orbit, time=burst.orbit.time + np.linspace(0, 2e-5, burst.orbit.time.size))
    assert np.ptp(np.diff(even_orbit(uneven).time)) < 1e-9
    # s1reader finds a file by the times in its name: they must enclose the scene by an orbit.
    start, stop = path.stem.split("_V")[1].split("_")
    assert start < "20200510T135117" and stop > "20200511T135144"


def produce(case, tmp_path: Path, behaviour: str, **options):
    folder, burst, grid, dem = case
    scratch = tmp_path / "scratch"
    choices = {
        "executable": fake_opera(tmp_path, folder, behaviour), "scratch": str(scratch), "time_limit": 20, **options
    }  # fmt: skip
    try:
        return Isce3Engine().backscatter(burst, grid, dem, RtcOptions(engine_options=choices), None)
    finally:
        assert not list(scratch.iterdir()), "scratch folders must be gone"


def test_real_outputs_become_a_dataset(case, tmp_path: Path) -> None:
    dataset = produce(case, tmp_path, "copies")
    folder, _, grid, _ = case
    assert set(dataset) == {"VV", "mask", "number_of_looks"}
    assert dataset.VV.dtype == np.float32 and dataset.mask.dtype == np.uint8
    assert np.array_equal(dataset.x, grid.x()) and np.array_equal(dataset.y, grid.y())
    with rasterio.open(next((folder / "rtc").glob("*_VV.tif"))) as source:
        theirs = source.read(1)
    valid = dataset.mask.values != 255
    assert np.array_equal(dataset.VV.values[valid], theirs[valid], equal_nan=True)
    assert dataset.attrs["version_opera-rtc"] == "1.0.4"
    assert dataset.attrs["engine"] == "isce3"


@pytest.mark.parametrize(
    ("behaviour", "error", "words"),
    [
        ("fails", EngineError, "no DEM"),
        ("fails late", EngineError, r"upside down$"),
        ("writes nothing", EngineError, "no layer VV"),
        ("writes half", EngineError, "cut short"),
        ("writes a wrong grid", EngineError, "another grid"),
    ],
)
def test_faults_of_opera_are_typed_errors(case, tmp_path: Path, behaviour: str, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        produce(case, tmp_path, behaviour)


def test_a_hanging_run_is_stopped(case, tmp_path: Path) -> None:
    with pytest.raises(TaskTimeoutError, match="time_limit"):
        produce(case, tmp_path, "hangs", time_limit=1.0)


def test_absence_says_how_to_get_it(case, monkeypatch: pytest.MonkeyPatch) -> None:
    _, burst, grid, dem = case
    monkeypatch.delenv("SARCUBE_ISCE3_PYTHON", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EngineError, match="conda-forge"):
        Isce3Engine().backscatter(burst, grid, dem, RtcOptions(), None)


def test_an_option_that_no_engine_has_is_refused_before_anything_is_looked_for() -> None:
    from sarcube.config import RunConfig
    from sarcube.engines.rtc.engine import get_engine
    from sarcube.workflows.rtc.workflow import WORKFLOW

    for engine, options, says in (
        ("native", {"dem_upsamplin": 3}, "native has no option dem_upsamplin"),
        ("isce3", {"rtc.dem_upsamplin": 3}, "did you mean .*dem_upsampling"),
        ("isce3", {"time_limt": 3}, "did you mean time_limit"),
    ):
        config = RunConfig.from_dict(
            {"source": {"path": "/nowhere"}, "dem": {"kind": "cop_glo30"}, "engine": engine, "engine_options": options}
        )
        with pytest.raises(ConfigError, match=says):
            WORKFLOW.find(config)
        with pytest.raises(ConfigError, match=says):
            get_engine(engine, options)


def test_where_the_scene_holds_no_echo_there_is_no_data(case, tmp_path: Path) -> None:
    """opera-rtc wrote 0.0 and mask 0 for the 35 % of this grid that the cut scene does not reach; `native` agrees."""
    folder, burst, grid, dem = case
    dataset = produce(case, tmp_path, "copies")
    with rasterio.open(next((folder / "rtc").glob("*_VV.tif"))) as source:
        theirs = source.read(1)
    zeros = theirs == 0
    assert zeros.sum() == 362_898
    assert not (dataset.VV.values == 0).any()
    outside = dataset.mask.values == 255
    assert outside[zeros].all() and np.isnan(dataset.VV.values[outside]).all()
    assert np.isnan(dataset.number_of_looks.values[outside]).all()
    rim = binary_dilation(zeros, np.ones((3, 3), bool))
    with rasterio.open(next((folder / "rtc").glob("*_mask.tif"))) as source:
        assert np.array_equal(outside, rim | (source.read(1) == 255)), "nothing else is taken"
    native = NativeEngine().backscatter(burst, grid, dem, replace(UNCORRECTED, static_reuse=False), None)
    differ = (native.mask.values == 255) != outside
    assert differ.mean() < 0.01
    assert np.nanmedian(np.abs(10 * np.log10(native.VV.values / dataset.VV.values))) < 0.1


def test_a_zero_with_an_echo_stays(case, tmp_path: Path) -> None:
    """Noise removed from dark water leaves 0."""
    folder, *_ = case
    copy = tmp_path / "recorded"
    shutil.copytree(folder / "rtc", copy / "rtc")
    (path,) = (copy / "rtc").glob("*_VV.tif")
    path.chmod(0o644)
    with rasterio.open(path, "r+") as layer:
        values = layer.read(1)
        row, column = (int(np.median(v)) for v in np.nonzero(values > 0))
        assert values[row, column] > 0
        values[row, column] = 0.0
        layer.write(values, 1)
    dataset = produce((copy, *case[1:]), tmp_path, "copies")
    assert dataset.VV.values[row, column] == 0 and dataset.mask.values[row, column] != 255


@pytest.mark.parametrize("gap", ["void", "edge"])
def test_no_cliff_at_the_edge_of_a_dem_or_void(case, tmp_path: Path, gap: str) -> None:
    """What is given goes on level, and what lies there or near is no data."""
    folder, burst, grid, dem = case
    copy = tmp_path / "recorded"
    shutil.copytree(folder / "rtc", copy / "rtc")
    x, y = 510_000.0, 4_249_000.0
    heights = dem.heights.copy()
    column, row = int((x - dem.left) / dem.dx), int((dem.top - y) / dem.dy)
    if gap == "void":
        heights[row - 30 : row + 30, column - 30 : column + 30] = np.nan
        holed = replace(dem, heights=heights)
    else:
        holed = replace(dem, heights=heights[:, :column])
    dataset = produce((copy, burst, grid, holed), tmp_path, "keeps the DEM")
    with rasterio.open(copy / "given.tif") as given:
        values, bounds = given.read(1), given.bounds
    assert np.isfinite(values).all()
    assert bounds.left <= grid.left and bounds.right >= grid.left + grid.width * grid.resolution + 6000
    for axis in (0, 1):
        steepest = np.abs(np.diff(dem.heights, axis=axis)).max()
        assert np.abs(np.diff(values, axis=axis)).max() < 3 * steepest, "a cliff is steeper than any slope"
    void = np.isnan(sample_grid(holed, grid))
    assert void.any()
    metres = distance_transform_edt(~void) * grid.resolution
    near = metres <= 4 * holed.dx
    assert (dataset.mask.values[near] == 255).all() and np.isnan(dataset.VV.values[near]).all()
    assert dataset.attrs["void_dem_pixels"] > 0
    untouched = produce(case, tmp_path, "copies")
    assert np.array_equal(dataset.VV.values[~near], untouched.VV.values[~near], equal_nan=True)
