"""Fixtures that tests of every room share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with `data/`, `reference/` and `schemas/`; skips where it is absent."""
    root = Path(os.environ.get("SARCUBE_TEST_DATA", Path(__file__).parents[2] / "shared")).resolve()
    if not (root / "data").is_dir():
        pytest.skip(f"real test data not found at {root}; set SARCUBE_TEST_DATA to a folder with data/ in it")
    return root
