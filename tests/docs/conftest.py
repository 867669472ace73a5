"""The tutorial's first run, for every test that needs an archive or a store."""

from __future__ import annotations

import pytest

from tests.documented import FirstRun, first_run


@pytest.fixture(scope="session")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    """An archive, a run file, a store, mosaics: what the tutorial's reader has at its end."""
    return first_run(tmp_path_factory)
