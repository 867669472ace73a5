"""Running the command, and the demonstration carried out once for all tests of the whole way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.once import once


class Demo(NamedTuple):
    folder: Path
    report: dict[str, Any]
    printed: str


def sarcube(*arguments: object, timeout: float = 280) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "sarcube.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Made once for all tests, also where several processes share them out; nobody changes it."""

    def make(folder: Path) -> str:
        done = sarcube("demo", folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    folder, printed = once(tmp_path_factory, "demo", make)
    return Demo(folder, json.loads((folder / "report.json").read_text()), printed)
