"""Files written whole: what an interrupt, a second writer or a killed process leaves beside them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sarcube.transfer.atomic import scratch_beside, written_whole

_WRITER = """
import sys, time
from pathlib import Path
from sarcube.transfer.atomic import scratch_beside
with scratch_beside(Path(sys.argv[1])) as scratch:
    (scratch / "raw.tif").write_bytes(b"half")
    print(scratch, flush=True)
    time.sleep(600)
"""


def _writer(target: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process in the middle of writing `target`, and its scratch folder."""
    process = subprocess.Popen([sys.executable, "-c", _WRITER, str(target)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def _age(folder: Path, seconds: float) -> None:
    then = time.time() - seconds
    for path in (*folder.iterdir(), folder):
        os.utime(path, (then, then))


def test_a_file_takes_its_place_at_the_end_and_nothing_stays_after_an_error(tmp_path: Path) -> None:
    target = tmp_path / "cube.nc"
    target.write_text("before")
    with pytest.raises(KeyboardInterrupt), written_whole(target) as part:
        part.write_text("half")
        assert target.read_text() == "before"
        raise KeyboardInterrupt
    assert target.read_text() == "before" and list(tmp_path.iterdir()) == [target]
    with written_whole(target) as part, written_whole(target) as other:
        part.write_text("after")
        other.write_text("another's")
    assert target.read_text() == "after" and list(tmp_path.iterdir()) == [target]


def test_what_a_killed_process_left_goes_with_the_next_writer_and_a_living_ones_stays(tmp_path: Path) -> None:
    target = tmp_path / "mosaic.tif"
    (living, its_own), (killed, left) = _writer(target), _writer(target)
    try:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        for folder in (its_own, left):
            _age(folder, 3600.0)
        with scratch_beside(target):
            assert not left.exists()
            assert (its_own / "raw.tif").read_bytes() == b"half"
    finally:
        living.kill()
        living.wait()


def test_another_machines_folder_is_left_alone_for_a_day(tmp_path: Path) -> None:
    foreign = tmp_path / ".writing-00000000-abc"
    foreign.mkdir()
    (foreign / "raw.tif").write_bytes(b"half")
    _age(foreign, 3600.0)
    with scratch_beside(tmp_path / "mosaic.tif"):
        assert foreign.exists()
    _age(foreign, 2 * 86400.0)
    with scratch_beside(tmp_path / "mosaic.tif"):
        assert not foreign.exists()
