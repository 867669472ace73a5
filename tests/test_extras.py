"""What is optional: the rest works without it, and who needs it is told its name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# What is not installed where nobody asked for it.
_ABSENT = "rio_tiler morecantile zarr netCDF4 icechunk boto3 botocore pystac_client dask_jobqueue"


def without_extras(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run Python as an installation without any extra would."""
    absent = f"import sys\nsys.modules.update(dict.fromkeys({_ABSENT!r}.split()))\n"
    return subprocess.run(
        [sys.executable, "-c", absent + code, *map(str, arguments)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_planning_making_and_opening_need_no_extra() -> None:
    done = without_extras(
        "import sarcube, sarcube.cli.app\n"
        "for name in sarcube.__all__:\n"
        "    if name != 'show': getattr(sarcube, name)\n"
        "import sarcube.cube.export, sarcube.cube.mosaic, sarcube.cube.temporal, sarcube.products.product\n"
        "import sarcube.workflows.rtc.run, sarcube.production.run.dispatch\n"
        "import sarcube.cluster.connect, sarcube.cluster.tls\n"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("call", "extra"),
    [
        ("import sarcube; sarcube.show", "view"),
        ("from sarcube.cube.viewer import open_viewer", "view"),
        ("import xarray as x; from sarcube.cube.export import write_cube as w; w(x.Dataset(), sys.argv[1])", "netcdf"),
    ],
)
def test_a_missing_extra_is_named_when_it_is_needed(call: str, extra: str, tmp_path: Path) -> None:
    done = without_extras(call, tmp_path / "x.nc")
    assert "MissingExtraError: " in done.stderr
    assert f"pip install 'sarcube[{extra}]'" in done.stderr


def test_the_command_says_so_without_a_trace(tmp_path: Path) -> None:
    code = "sys.argv = ['sarcube', 'view', sys.argv[1]]; from sarcube.cli import main; main()"
    done = without_extras(code, tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and "sarcube[view]" in done.stderr and "Traceback" not in done.stderr
