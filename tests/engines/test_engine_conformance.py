"""What every engine owes: one suite for `native` and `isce3` on the same burst, DEM, grid and known truth.

Where isce3 is not installed its adapter is given what the real program wrote for this input.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import xarray as xr

from sarcube.engines.rtc.engine import Engine, get_engine
from sarcube.engines.rtc.isce3.engine import Isce3Engine, describe
from sarcube.errors import EngineError
from sarcube.testing.engine import EngineSuite
from sarcube.testing.engine import Rendered as Made
from sarcube.workflows.rtc.kinds import RTC_S1, RTC_S1_STATIC, STATIC_LAYERS
from tests.engines.fake_opera import fake_opera
from tests.engines.reference import UNCORRECTED, Case, against_truth


class Rendered(NamedTuple):
    case: Case
    static: xr.Dataset
    backscatter: xr.Dataset


def engine_of(name: str, case: Case, folder: Path) -> tuple[Engine, dict[str, object]]:
    if name == "native":
        return get_engine("native"), {}
    try:
        describe({})
    except EngineError:
        return Isce3Engine(), {"executable": fake_opera(folder, case.folder), "scratch": str(folder / "scratch")}
    return get_engine("isce3"), {}


@pytest.fixture(scope="module", params=["native", "isce3"])
def rendered(request: pytest.FixtureRequest, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    from dataclasses import replace

    case = Case("nevada", shared_data / "reference" / "nevada")
    engine, options = engine_of(request.param, case, tmp_path_factory.mktemp("engine"))
    chosen = replace(UNCORRECTED, engine_options=options)
    static = engine.static(case.burst, case.grid, case.dem, chosen)
    return Rendered(case, static, engine.backscatter(case.burst, case.grid, case.dem, chosen, static))


class TestEveryEngine(EngineSuite):
    """The suite for engines of any kind."""

    @pytest.fixture
    def made(self, rendered: Rendered) -> tuple[Made, ...]:
        grid = rendered.case.grid
        backscatter = Made(RTC_S1, grid, rendered.backscatter, frozenset({"VV", "mask", "number_of_looks"}))
        return Made(RTC_S1_STATIC, grid, rendered.static, frozenset(STATIC_LAYERS)), backscatter


def test_some_ground_is_seen(rendered: Rendered) -> None:
    assert 0.2 < np.isfinite(rendered.backscatter.VV.values).mean() < 1.0


def test_values_lie_where_they_can(rendered: Rendered) -> None:
    static, backscatter = rendered.static, rendered.backscatter
    valid = (static["mask"].values == 0) & np.isfinite(backscatter.VV.values)
    assert (backscatter.VV.values[valid] >= 0).all()
    assert (backscatter.number_of_looks.values[valid] > 0).all()
    angle, local = static.incidence_angle.values[valid], static.local_incidence_angle.values[valid]
    assert np.nanmin(angle) > 25 and np.nanmax(angle) < 50
    assert np.nanmin(local) >= 0 and np.nanmax(local) <= 90
    for name in ("rtc_anf_gamma0_to_beta0", "rtc_anf_gamma0_to_sigma0"):
        assert (static[name].values[valid] > 0).all()


def test_accuracy_against_the_truth(rendered: Rendered) -> None:
    local = rendered.static.local_incidence_angle.values
    found = against_truth(rendered.case, rendered.backscatter.VV.values.astype(np.float64), local)
    assert abs(found.bias) < 0.05
    assert found.deviation < 1.05 * 0.323
    assert max(abs(v) for v in found.classes.values()) < 0.1


def test_the_record_says_what_was_done(rendered: Rendered) -> None:
    for dataset in (rendered.static, rendered.backscatter):
        attrs = json.loads(json.dumps(dataset.attrs))
        assert attrs["engine"] in ("native", "isce3") and attrs["engine_version"]
        assert attrs["backscatter"] == "gamma0" and attrs["thermal_noise"] is False
        assert attrs["void_dem_pixels"] >= 0
        assert attrs["conversion"]
