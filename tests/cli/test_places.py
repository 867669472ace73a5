"""What an option names and cannot be written: one line with the place, exit code 2, no trace."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import pytest

from sarcube.cli import main
from tests.cube.conftest import Bursts, checkerboard
from tests.cube.examples import lay_out, speckle

PLACE = "-7.80,40.63"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "made").mkdir()
    return lay_out(tmp_path, speckle(Bursts(tmp_path / "made", checkerboard), "03", "15"))


@pytest.mark.parametrize(
    "command",
    [
        f"timeseries STORE {PLACE} --out BAD.csv",
        f"timeseries STORE {PLACE} --plot BAD.png",
        "cube STORE --preview BAD",
        "cube STORE --out BAD",
        "combine STORE --preset sar-ratio --out BAD.tif",
        "composite STORE --preset snac --out BAD",
        "compare ITEM ITEM --picture BAD.png",
        "init BAD.yaml --place 8,48 --dates 2024 --source asf",
    ],
)
def test_places_that_cannot_be_written(
    store: Path, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    item = next(store.rglob("2022/*/*/*.json"))
    words = {"STORE": str(store), "ITEM": str(item), "BAD": str(tmp_path / "file" / "x")}
    for word, meant in words.items():
        command = command.replace(word, meant)
    monkeypatch.setattr(sys, "argv", ["sarcube", *command.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err
    assert ended.value.code == 2, told
    assert "error: " in told and "file" in told and "Traceback" not in told, told


def test_names_that_are_no_text_and_steer_terminals(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from sarcube.cli.output import echo

    echo(b"a\xff\xfe".decode("utf-8", "surrogateescape") + "\x1b[31m\x07 b\tc\nd")
    assert capsys.readouterr().out == "a\\udcff\\udcfe\\x1b[31m\\x07 b\tc\nd\n"


def test_printed_where_there_is_no_room(
    store: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("the system has no /dev/full")
    monkeypatch.setattr(sys, "argv", ["sarcube", "ls", str(store)])
    with full.open("w", buffering=1) as out:
        monkeypatch.setattr(sys, "stdout", out)
        with pytest.raises(SystemExit) as ended:
            main()
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            out.close()
    told = capfd.readouterr().err
    assert ended.value.code == 2 and "No space left" in told and "Traceback" not in told, told
