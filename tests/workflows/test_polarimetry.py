"""Polarimetry from a simulated archive whose covariance is known, through plan, tasks, store and cube."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from sarcube.config import RunConfig
from sarcube.cube.open_cube import open_cube
from sarcube.engines.polarimetry import decompose
from sarcube.errors import ConfigError
from sarcube.production.plan.plan import plan
from sarcube.production.run.produce import produce
from sarcube.simulate.archive import Archive, simulate
from sarcube.simulate.options import SimulationOptions
from tests.catalog.verdicts import judge_alike

CO, CROSS, SHARE = 0.1, 0.02, 0.5  # gamma0 of both channels, and their correlation


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    options = SimulationOptions(
        dates=(dt.date(2024, 5, 1),), swaths=("IW1",), bursts=1, aoi=(8.17, 47.98, 8.23, 48.02), crop=True,
        coherent=True, truth="constant", gamma0=CO, correlation=SHARE, relief=30.0,
    )  # fmt: skip
    return simulate(tmp_path_factory.mktemp("dual"), options)


def run_of(archive: Archive, store: Path, **section: object) -> RunConfig:
    return RunConfig.from_dict(
        {
            "workflow": "polarimetry",
            "aoi": {"bbox": [8.17, 47.98, 8.23, 48.02]},
            "source": {"path": str(archive.scenes[0].parent)},
            "orbits": {"path": str(archive.orbits)},
            "dem": {"path": str(archive.dem), "heights": "ellipsoid"},
            "store": str(store),
            "polarimetry": section,
        }
    )


def test_the_covariance_of_the_ground_comes_back(archive: Archive, official: Path | None, tmp_path: Path) -> None:
    config = run_of(archive, tmp_path / "store", window=9, indices=["dprvi"])
    made = plan(config)
    assert [task.kind for task in made.tasks] == ["RTC_S1_STATIC", "POL_S1"]
    outcome = produce(made)
    assert outcome.ok, outcome.failed
    assert not plan(config).tasks
    judge_alike(tmp_path / "store", official)

    layers = ["C11", "C12", "C22", "entropy", "alpha", "dprvi"]
    inner = (8.18, 47.985, 8.22, 48.015)
    values = open_cube(tmp_path / "store", bbox=inner, layers=layers).isel(time=0).compute()
    assert values.C12.dtype == np.complex64 and "span" not in values
    assert np.isfinite(values.C11.values).mean() > 0.5
    assert 10 * np.log10(float(values.C11.mean()) / CO) == pytest.approx(0.0, abs=0.15)
    # Thermal noise lies a few decibel below this ground: it is in the echo, and taken off.
    assert 10 * np.log10(float(values.C22.mean()) / CROSS) == pytest.approx(0.0, abs=0.2)
    mixed = complex(values.C12.mean())
    assert abs(mixed) / np.sqrt(CO * CROSS) == pytest.approx(SHARE, abs=0.03)
    assert abs(np.angle(mixed)) < 0.05
    wanted = decompose(np.array([CO]), np.array([SHARE * np.sqrt(CO * CROSS) + 0j]), np.array([CROSS]))
    assert float(values.entropy.mean()) == pytest.approx(float(wanted.entropy[0]), abs=0.02)
    assert float(values.alpha.mean()) == pytest.approx(float(wanted.alpha[0]), abs=1.0)


def test_what_the_section_refuses(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a window of 4 cells has no middle"):
        run_of(archive, tmp_path, window=4)
    with pytest.raises(ConfigError, match="did you mean `window`"):
        run_of(archive, tmp_path, windo=5)
