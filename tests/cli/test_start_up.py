"""How soon the package and its help answer, and what is not loaded for it. Seconds of CPU: load counts less."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys

import pytest

HEAVY = {
    "numpy",
    "pandas",
    "xarray",
    "dask",
    "distributed",
    "rasterio",
    "numba",
    "scipy",
    "pystac",
    "matplotlib",
    "pydantic",
}


def cpu_seconds(*arguments: str) -> float:
    """The best of three."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once() for _ in range(3))


def test_help_answers_at_once() -> None:
    assert cpu_seconds("-m", "sarcube.cli", "--help") < 0.3


def test_import_is_light() -> None:
    assert cpu_seconds("-c", "import sarcube") < 0.5


@pytest.mark.parametrize("code", ["import sarcube", "from sarcube.cli.app import app"])
def test_nothing_heavy_is_loaded(code: str) -> None:
    program = f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert HEAVY & set(json.loads(done.stdout)) == set()


def test_shell_completes() -> None:
    asked = {"_SARCUBE_COMPLETE": "complete_bash", "COMP_WORDS": "sarcube mo", "COMP_CWORD": "1"}
    program = "import sys; sys.argv = ['sarcube']; from sarcube.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | asked, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["mosaic"]


def test_no_colours_where_nobody_looks() -> None:
    for arguments in (["--help"], ["plan", "none.yaml"], ["rnu"]):
        done = subprocess.run(
            [sys.executable, "-m", "sarcube.cli", *arguments], capture_output=True, text=True, check=False
        )
        assert "\x1b" not in done.stdout + done.stderr
