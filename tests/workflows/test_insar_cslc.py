"""Pairs of OPERA's CSLC-S1 files: from a folder of them to products, as good as from the scenes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sarcube.catalog.query import read_item
from sarcube.config import RunConfig
from sarcube.engines.insar import geocoded_slc, interferogram
from sarcube.engines.insar.fine import fine_grid
from sarcube.errors import ConfigError, GridError, SceneError
from sarcube.geometry.grid import GeoGrid
from sarcube.products.product import read_layers
from sarcube.sensors.sentinel1.model import Burst
from sarcube.store.protocol import open_store
from sarcube.workflows.insar.cslcs import open_pair
from sarcube.workflows.insar.find import find
from sarcube.workflows.insar.workflow import WORKFLOW
from tests.cslc_files import granule, of_samples
from tests.cslc_values import APPLIED, DEM, INPUTS, PROCESSOR, VERSION
from tests.engines.insar_cases import EPSG, EXACT, PairCase

# Made without the corrections that exact samples do not need.
UNCORRECTED = {
    f"{APPLIED}{name}_applied": False
    for name in ("bistatic_delay", "static_troposphere", "azimuth_fm_rate", "geometry_doppler")
}


@pytest.fixture(scope="module")
def mogi(shared_data: Path) -> PairCase:
    folder = shared_data / "reference" / "insar" / "mogi"
    if not folder.exists():
        pytest.skip("no reference pairs")
    return PairCase(folder)


def opera_box(grid: GeoGrid) -> GeoGrid:
    """A box as OPERA's burst database has them, at multiples of 30 m."""
    return GeoGrid.snapped(EPSG, grid.bounds, 30.0)


def write_date(folder: Path, burst: Burst, box: GeoGrid, case: PairCase, **changes: Any) -> Path:
    fine = fine_grid(box)
    samples = geocoded_slc(burst, box, case.dem(), EXACT)["VV"].values
    grid = GeoGrid(EPSG, box.left, box.top, 5.0, fine.shape[1], fine.shape[0], 10.0)
    assert fine.spacing == (10.0, 5.0)
    return of_samples(folder / granule(burst), burst, samples, grid, {**UNCORRECTED, **changes})


@pytest.fixture(scope="module")
def published(mogi: PairCase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both dates as files of OPERA's kind, whose box is no multiple of 80 m."""
    folder = tmp_path_factory.mktemp("published")
    for burst in mogi.pair():
        write_date(folder, burst, opera_box(mogi.grid()), mogi)
    return folder


def config(files: Path, case: PairCase, folder: Path, **section: Any) -> RunConfig:
    exact = {"bistatic_delay": False, "static_troposphere": False, "fm_rate_mismatch": False}
    return RunConfig.from_dict(
        {
            "workflow": "insar",
            "source": {"kind": "cslc", "path": str(files)},
            "dem": {"path": str(case.folder.parent / "dem_ellipsoidal.tif"), "heights": "ellipsoid"},
            "store": str(folder / "store"),
            "schemas": str(case.folder.parents[2] / "schemas"),
            "insar": {"corrections": exact, **section},
        }
    )


@pytest.mark.timeout(600)
def test_a_folder_of_published_files_becomes_pairs(mogi: PairCase, published: Path, tmp_path: Path) -> None:
    from sarcube.production.plan.plan import plan
    from sarcube.production.run.produce import produce

    run = config(published, mogi, tmp_path)
    planned = plan(run)
    assert [task.kind for task in planned.tasks] == ["INSAR_S1_STATIC", "INSAR_S1"] and not planned.problems
    (connection,) = planned.connections
    assert connection.perpendicular == pytest.approx(-28.9, abs=1.0) and connection.days == 12.0
    outcome = produce(planned)
    assert outcome.exit_code == 0, [task.message for task in outcome.failed]

    (path,) = (tmp_path / "store" / "s1_insar").rglob("T052*.json")
    facts = json.loads(path.read_text())["properties"]
    box = opera_box(mogi.grid())
    assert facts["sarcube:source_product_type"] == "CSLC" and "sat:anx_datetime" not in facts
    assert facts["sarcube:resampling_method"] == f"sinc of 8 samples (CSLC-S1 {VERSION}, COMPASS {PROCESSOR})"
    assert DEM in facts["insar:processing_dem"] and "dem_ellipsoidal" in facts["sarcube:dem"]
    assert facts["sarcube:bistatic_delay_correction_applied"] is False
    assert facts["sarcube:source_scenes"][0]["scene"].startswith("OPERA_L2_CSLC-S1_T052-110431-IW1_20230904T")
    assert facts["sarcube:processing"]["source_corrections"] == ["solid Earth tides in range", "ionosphere"]
    assert facts["view:incidence_angle"] == pytest.approx(33.6, abs=1.0)  # of IW1, as annotations have it
    assert not plan(run).tasks

    store = open_store(str(tmp_path / "store"))
    item = read_item(store, str(path.relative_to(tmp_path / "store")))
    made = read_layers(store, item, ("interferogram", "coherence", "amplitude_first", "number_of_looks", "mask"))
    grid: GeoGrid = made.attrs["grid"]
    assert grid == GeoGrid.snapped(EPSG, box.bounds, 80.0) and grid != box
    direct = interferogram(*mogi.pair(), grid, mogi.dem(), EXACT)
    _check_alike(made, direct)
    seen = mogi.measure(made, grid, tmp_path)
    for name, deviation in (("coherence 0.90", 0.054), ("coherence 0.50", 0.193)):
        assert abs(seen[name]["phase_bias_rad"]) <= 0.005 and seen[name]["phase_std_rad"] <= deviation


def _check_alike(made: Any, direct: Any) -> None:
    """What is made of files and of scenes, where files reach: the samples are the same but for the height lattice."""
    whole = direct["samples"].values == direct.attrs["samples_per_cell"]
    whole[[0, -1]] = whole[:, [0, -1]] = False  # the box ends within these pixels
    assert whole.sum() > 10_000
    one, two = made["interferogram"].values[whole], direct["interferogram"].values[whole]
    assert np.isfinite(one).all()
    assert np.abs(one - two).max() < 1e-3 * np.abs(two).max()
    assert np.abs(np.angle(one.sum() * two.sum().conj())) < 1e-4
    for name, limit in (("coherence", 2e-3), ("amplitude_first", 2e-3)):
        assert np.abs(made[name].values - direct[name].values)[whole].max() < limit
    looks = made["number_of_looks"].values[whole] / direct["number_of_looks"].values[whole]
    assert np.percentile(np.abs(looks - 1), 95) < 0.05


@pytest.mark.timeout(600)
def test_timing_is_found_from_geocoded_overlaps_and_bursts_are_merged(mogi: PairCase, tmp_path: Path) -> None:
    """The second orbit was moved by 0.06 m ahead along the track before both bursts were geocoded: 0.00385 line."""
    from sarcube.production.plan.plan import plan
    from sarcube.production.run.produce import produce

    overlap = PairCase(mogi.folder.parent / "overlap")
    box = opera_box(overlap.grid())
    for index in (0, 1):
        for burst in overlap.pair(index):
            write_date(tmp_path, burst, box, overlap)
    planned = plan(config(tmp_path, overlap, tmp_path, merge=True, unwrap="none"))
    assert [task.kind for task in planned.tasks if task.kind.startswith("INSAR_S1_PASS")] == [
        "INSAR_S1_PASS_STATIC", "INSAR_S1_PASS",
    ]  # fmt: skip
    outcome = produce(planned)
    assert outcome.exit_code == 0, [task.message for task in outcome.failed]
    (path,) = (tmp_path / "store" / "s1_insar_pass").rglob("T052*.json")
    facts = json.loads(path.read_text())["properties"]
    assert facts["sarcube:burst_ids"] == ["t052_110431_iw1", "t052_110432_iw1"]
    assert abs(facts["sarcube:azimuth_timing"]["shift_lines"]) == pytest.approx(0.00385, abs=0.0005)
    assert max(abs(burst["phase_taken_off"]) for burst in facts["sarcube:bursts"]) <= 0.015  # half of the jump
    assert not [text for text in facts["sarcube:warnings"] if "interpolated" in text]


@pytest.fixture
def little(mogi: PairCase, tmp_path: Path) -> Any:
    """Two dates of a few hundred metres, the second with other values where a test says so."""
    grid = mogi.grid()
    box = GeoGrid(EPSG, grid.left + 6000.0, grid.top - 6000.0, 30.0, 20, 16)
    box = GeoGrid.snapped(EPSG, box.bounds, 30.0)

    def make(**changes: Any) -> RunConfig:
        first, second = mogi.pair()
        write_date(tmp_path, first, box, mogi)
        write_date(tmp_path, second, box, mogi, **changes)
        return config(tmp_path, mogi, tmp_path)

    return make


def _open(run: RunConfig) -> Any:
    (unit,) = find(run).units
    return open_pair(unit.inputs[:2], "VV", run)


def test_what_does_not_fit_together_is_refused_or_said(little: Any, mogi: PairCase) -> None:
    with pytest.raises(SceneError, match="one was made with bistatic_delay and one without"):
        _open(little(**{APPLIED + "bistatic_delay_applied": True}))
    (said,) = _open(little(**{INPUTS + "dem_source": "another"})).warnings
    assert "different terrain" in said and "another" in said
    (said,) = _open(little(**{APPLIED + "ionosphere_tec_applied": False})).warnings
    assert "only one of the two CSLCs was corrected for ionosphere" in said
    usual = little()
    asked = usual.with_section("insar", corrections={"bistatic_delay": True})
    pair = _open(asked)
    assert "bistatic_delay, static_troposphere, fm_rate_mismatch are not as the run asks for" in pair.warnings[0]
    assert not pair.options(EXACT).bistatic_delay
    grid = pair.first.grid
    assert pair.fine(GeoGrid(EPSG, 0.0, 0.0, 20.0, 4, 4)).shape == (8, 16)
    with pytest.raises(GridError, match="hold no whole number of samples"):
        pair.fine(GeoGrid(EPSG, 0.0, 0.0, 8.0, 4, 4))
    assert grid.resolution == 5.0 and grid.step == 10.0


def test_the_grid_is_that_of_the_files(little: Any) -> None:
    run = little()
    (unit,) = find(run).units
    grid = WORKFLOW.grid(run, unit.place, unit.footprint)
    own = _open(run).first.grid
    assert grid.epsg == EPSG and grid.resolution == 80.0
    assert grid.left <= own.left < grid.left + 80 and grid.top - 80 < own.top <= grid.top
    other = RunConfig.from_dict({**run.model_dump(exclude_none=True), "grid": {"crs": 32630}})
    with pytest.raises(GridError, match="leave it out"):
        WORKFLOW.grid(other, unit.place, unit.footprint)


def test_files_bring_their_orbits(little: Any) -> None:
    run = little()
    run = run.model_copy(update={"orbits": run.orbits.model_copy(update={"allow_annotation": False})})
    units = find(run).units
    assert WORKFLOW.defects(run, units, WORKFLOW.grid(run, units[0].place, units[0].footprint)) == {}
    assert WORKFLOW.remarks(run, units) == {}


def test_what_is_kept_already_is_not_kept_again(little: Any) -> None:
    with pytest.raises(ConfigError, match="geocoded SLCs already"):
        find(little().with_section("insar", keep_slc=True))
