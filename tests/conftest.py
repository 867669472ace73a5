"""Fixtures that tests of every room share."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

# A shell that starts something in the background has it ignore Ctrl-C, and so would all that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with `data/`, `reference/` and `schemas/`; skips where it is absent."""
    root = Path(os.environ.get("SARCUBE_TEST_DATA", Path(__file__).parents[2] / "shared")).resolve()
    if not (root / "data").is_dir():
        pytest.skip(f"real test data not found at {root}; set SARCUBE_TEST_DATA to a folder with data/ in it")
    return root


@pytest.fixture(scope="session")
def official() -> Path | None:
    """Folder of the official schemas, for tests that have more to say than what these are the witness of; else None."""
    folder = Path(os.environ.get("SARCUBE_TEST_DATA", Path(__file__).parents[2] / "shared")).resolve() / "schemas"
    return folder if folder.is_dir() else None
