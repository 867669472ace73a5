"""`sarcube init`: questions, or flags; a run file that is valid and explains itself."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sarcube.cli.app import app
from sarcube.config import RunConfig
from sarcube.days import parse_days
from sarcube.errors import ConfigError
from sarcube.production.plan.run_file import parse_place


def init(*arguments: str, answers: str | None = None) -> Any:
    return CliRunner().invoke(app, ["init", *arguments], input=answers)


def test_flags(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    done = init(
        str(path), "--place=-8.4,31.6,-8.1,31.8", "--dates", "2023-09", "--source", "./my scenes", "--dem", "d.tif"
    )
    assert done.exit_code == 0, done.output
    config = RunConfig.from_file(path)
    assert config.aoi and config.aoi.bbox == (-8.4, 31.6, -8.1, 31.8)
    assert config.dates == (dt.date(2023, 9, 1), dt.date(2023, 9, 30))
    assert config.source.path == str(tmp_path / "my scenes")
    assert config.dem.heights == "ellipsoid"
    text = path.read_text()
    for key in ("engine", "backscatter", "polarizations", "corrections", "geometry", "product", "cluster"):
        assert re.search(rf"^# +{key}:", text, re.MULTILINE)
    # What is commented are the defaults: taking the # away changes nothing.
    told, defaults = text.split("# What follows are the defaults; take the # away to change them.\n")
    path.write_text(told + "".join(line[2:] for line in defaults.splitlines(keepends=True)))
    assert RunConfig.from_file(path) == config


def test_questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sarcube.cli.init._at_a_terminal", lambda: True)
    path = tmp_path / "run.yaml"
    done = init(str(path), answers="8.2,48.0\n2024\nasf\n\n\n")
    assert done.exit_code == 0, done.output
    config = RunConfig.from_file(path)
    assert config.source.kind == "asf"
    assert config.orbits.kind == "aws"
    assert str(config.dem.geoid).startswith("https://")
    assert config.aoi and config.aoi.bbox
    west, south, east, north = config.aoi.bbox
    assert west < 8.2 < east
    assert south < 48.0 < north
    questions = ("Where?", "When?", "Scenes from?", "Orbit files from?", "Heights from?")
    assert [w in done.output for w in questions] == [True] * 5
    assert "above what" not in done.output


def test_a_wrong_answer_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sarcube.cli.init._at_a_terminal", lambda: True)
    path = tmp_path / "run.yaml"
    (tmp_path / "scenes").mkdir()
    (tmp_path / "dem.tif").touch()
    answers = [
        "here", "95,48,96", "8.123456789,48.0,8.2,48.1", "2024-13", "2024-05", "afs", "scenes", "nasa", "asf",
        "glo30", "dem.tif", "sea", "egm2008",
    ]  # fmt: skip
    done = init(str(path), answers="\n".join(answers) + "\n")
    assert done.exit_code == 0, done.output
    for question, times in (("Where?", 3), ("When?", 2), ("Scenes from?", 2), ("Orbit", 2), ("Heights from", 2)):
        assert done.output.count(question) == times, question
    assert "did you mean asf?" in done.output and "did you mean cop_glo30?" in done.output
    config = RunConfig.from_file(path)
    assert config.aoi and config.aoi.bbox == (8.123456789, 48.0, 8.2, 48.1)
    assert config.source.path == str(tmp_path / "scenes") and config.orbits.kind == "asf"
    assert config.dem.heights == "egm2008" and config.dem.path == str(tmp_path / "dem.tif")
    assert str(config.dem.geoid).startswith("https://")


@pytest.mark.parametrize(("option", "value"), [("--source", "afs"), ("--orbits", "esa"), ("--dem", "srtm")])
def test_what_is_not_known_is_refused(option: str, value: str, tmp_path: Path) -> None:
    given = {"--source": "asf", option: value}
    done = init(str(tmp_path / "run.yaml"), "--place=8,48", *(word for pair in given.items() for word in pair))
    assert isinstance(done.exception, ConfigError)
    assert f"{value!r} is no " in str(done.exception) and f"./{value}" in str(done.exception)
    assert not (tmp_path / "run.yaml").exists()


def test_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    assert "--place is missing" in str(init(str(path)).exception)
    path.write_text("mine")
    refused = init(str(path), "--place", "8,48", "--dates", "2024")
    assert isinstance(refused.exception, ConfigError)
    assert "--force" in str(refused.exception)
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("2024", ("2024-01-01", "2024-12-31")),
        ("2024-02", ("2024-02-01", "2024-02-29")),
        ("2023-12", ("2023-12-01", "2023-12-31")),
        ("2024-05-01,2024-05-09", ("2024-05-01", "2024-05-09")),
        ("", None),
    ],
)
def test_days(text: str, days: Any) -> None:
    found = parse_days(text)
    assert (tuple(map(str, found)) if found else None) == days


@pytest.mark.parametrize("text", ["here", "1,2,3", "8,95", "8,48,7", "8,49,9,48"])
def test_places_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_place(text)


@pytest.mark.parametrize("text", ["soon", "2024-13", "2024-05-40", "2024-05-09,2024-05-01"])
def test_days_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError):
        days = parse_days(text)
        RunConfig.from_dict({"source": {"path": "."}, "dem": {"kind": "cop_glo30"}, "dates": days})


@pytest.mark.parametrize("place", ["151.20930001,-33.86880001,151.3000000123,-33.8", "-179.123456789,1e-7,-179.1,0.5"])
def test_a_box_keeps_every_digit(place: str, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    assert init(str(path), f"--place={place}", "--dates", "2024", "--source", "asf").exit_code == 0
    config = RunConfig.from_file(path)
    assert config.aoi and config.aoi.bbox == tuple(float(v) for v in place.split(","))
    assert "1e-" not in path.read_text()


@pytest.mark.parametrize(
    "name", ["run #3", "a: b", "123", "null", "2024-05-01", "x, y}", "caf\u00e9 \U0001f6f0", 'q"\\', "~"]
)
def test_names_are_read_back_as_they_were_given(name: str, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    source = name if name == "~" else f"./{name}"
    given = ("--store", f"out/{name}", "--source", source, "--orbits", source, "--dem", f"dem/{name}")
    done = init(str(path), "--place=8,48,9,49", "--dates", "2024", *given)
    assert done.exit_code == 0, done.output
    config = RunConfig.from_file(path)
    assert config.store == str(tmp_path / "out" / name)
    assert config.dem.path == str(tmp_path / "dem" / name)
    if name != "~":  # which is a home folder
        assert config.source.path == str(tmp_path / name) and config.orbits.path == tmp_path / name
