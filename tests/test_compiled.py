"""Compiled kernels follow all of the files that they are made from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import sarcube
from sarcube.compiled import drop_stale

_TABLE = """\
    from numba import njit
    from own.constants import STEP

    @njit(cache=True)
    def step(x):
        return {} * STEP
"""
_CALLER = """\
    from numba import njit
    from own.table import step

    @njit(cache=True)
    def twice(x):
        return 2 * step(x)
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package that drops what is stale, as sarcube does: one kernel calls another, which takes a constant."""
    folder = tmp_path / "own"
    folder.mkdir()
    own = """\
        from pathlib import Path
        from sarcube.compiled import drop_stale
        DROPPED = drop_stale(Path(__file__).parent)
    """
    (folder / "__init__.py").write_text(textwrap.dedent(own))
    (folder / "constants.py").write_text("STEP = 1\n")
    write_table(folder, "x")
    (folder / "caller.py").write_text(textwrap.dedent(_CALLER))
    (folder / "other.py").write_text("from numba import njit\n\n@njit(cache=True)\ndef same(x):\n    return x\n")
    return folder


def write_table(package: Path, value: str) -> None:
    (package / "table.py").write_text(textwrap.dedent(_TABLE).format(value))


def called(package: Path, **environment: str) -> tuple[int, list[str]]:
    """What the outer kernel gives for 5 in a process of its own, and what was dropped before."""
    code = "import json, own, own.caller, own.other as other; other.same(1); "
    code += "print(json.dumps([own.caller.twice(5), own.DROPPED]))"
    path = os.pathsep.join([str(package.parent), str(Path(sarcube.__file__).parents[1])])
    made = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path, **environment}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    value, dropped = json.loads(made.stdout)
    return value, dropped


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_kernel_is_compiled_again_when_what_it_calls_has_changed(
    elsewhere: bool, package: Path, tmp_path: Path
) -> None:
    """Numba itself would go on with the code of before: the calling file is the same."""
    cache = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")} if elsewhere else {}
    value, dropped = called(package, **cache)
    assert value == 10 and dropped == ["caller.py", "other.py", "table.py"]
    assert called(package, **cache) == (10, [])
    write_table(package, "(x + 100)")
    assert called(package, **cache) == (210, ["caller.py", "table.py"])
    (package / "constants.py").write_text("STEP = 10\n")
    assert called(package, **cache) == (2100, ["caller.py", "table.py"])
    assert called(package, **cache) == (2100, [])


def test_a_kernel_that_was_added_counts_from_then_on(package: Path) -> None:
    drop_stale(package)
    (package / "newer.py").write_text("from numba import njit\nfrom own.late import LATE\n")
    (package / "late.py").write_text("LATE = 1\n")
    assert drop_stale(package) == ["newer.py"]
    (package / "late.py").write_text("LATE = 22\n")
    assert drop_stale(package) == ["newer.py"]
    assert drop_stale(package) == []


def test_what_cannot_be_told_is_dropped_and_what_cannot_be_written_is_left(package: Path, tmp_path: Path) -> None:
    assert len(drop_stale(package)) == 3
    record = package / "__pycache__" / "kernels.json"
    for broken in ("", "[1]", '{"table.py": 3}'):
        record.write_text(broken)
        assert len(drop_stale(package)) == 3 and not drop_stale(package)
    assert [path.name for path in record.parent.iterdir() if path.name.startswith("kernels")] == ["kernels.json"]
    (package / "constants.py").unlink()
    assert drop_stale(package) == [], "who imports it no longer has changed as well"
    assert drop_stale(tmp_path / "nowhere") == []


def test_kernels_of_sarcube_are_on_record() -> None:
    record = json.loads((Path(sarcube.__file__).parent / "__pycache__" / "kernels.json").read_bytes())
    assert {"engines/insar/pair.py", "engines/insar/resample.py", "engines/insar/spectra.py"} <= record.keys()
