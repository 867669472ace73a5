"""One small archive that several test files look at from different sides."""

from __future__ import annotations

import datetime as dt

import pytest

from sarcube.simulate.archive import Archive, simulate
from sarcube.simulate.options import SimulationOptions

SMALL = SimulationOptions(
    center=(8.2, 48.0),
    dates=(dt.date(2024, 5, 1), dt.date(2024, 5, 13)),
    aoi=(8.17, 47.955, 8.23, 48.045),
    crop=True,
    clearcut_after=1,
    seed=5,
)


@pytest.fixture(scope="session")
def small_options() -> SimulationOptions:
    return SMALL


@pytest.fixture(scope="session")
def small_archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """2 dates x 2 swaths x 2 bursts over 4.5 km around the corner where the four bursts meet."""
    return simulate(tmp_path_factory.mktemp("simulated") / "archive", SMALL)
