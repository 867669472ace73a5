"""Commands, run files and Python as the documentation prints them, and the first run of the tutorial."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.once import once

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Where and when the examples lie, and where and when in the simulated archive that is.
_PLACES = {
    "-8.4,31.6,-8.1,31.8": "8.16,47.98,8.24,48.02",
    "-8.4, 31.6, -8.1, 31.8": "8.16, 47.98, 8.24, 48.02",
    "--dates 2023 ": "--dates 2024 ",
}
# So little is to do that starting processes would take longer; the fifth notebook and tests/way start some.
_THIS_PROCESS = "{kind: local, workers: 1, options: {processes: false}}\n"


@dataclass(frozen=True)
class Result:
    command: str
    exit_code: int
    output: str


def blocks(page: Path, language: str) -> list[str]:
    """Fenced blocks of one language; "" are those without a name."""
    return [body for name, body in _BLOCK.findall(page.read_text()) if name == language]


def commands(page: Path) -> list[str]:
    """What a page tells to type, one command a line, comments taken off."""
    lines: list[str] = []
    for body in (*blocks(page, "sh"), *(blocks(page, "") if page.name == "README.md" else ())):
        for line in body.replace("\\\n", " ").splitlines():
            if text := re.sub(r"(^|\s)#.*", "", line).strip():
                lines.append(" ".join(text.split()))
    return lines


def moved(text: str) -> str:
    """The same about the place of the simulated archive."""
    for there, here in _PLACES.items():
        text = text.replace(there, here)
    return text


def carry_out(command: str) -> Result:
    """Run a `sarcube` command in this process and folder."""
    from sarcube.cli.app import app
    from sarcube.errors import SarcubeError

    words = shlex.split(command)
    assert words[0] == "sarcube", command
    done = CliRunner().invoke(app, words[1:])
    if isinstance(done.exception, SarcubeError):
        return Result(command, 2, f"{done.output}error: {done.exception}")
    if done.exc_info and done.exception is not None and not isinstance(done.exception, SystemExit):
        return Result(command, 70, done.output + "".join(traceback.format_exception(*done.exc_info)))
    return Result(command, done.exit_code, done.output)


@contextlib.contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@dataclass(frozen=True)
class FirstRun:
    """A folder in which the tutorial's commands were typed one after the other, and what they answered."""

    folder: Path
    results: tuple[Result, ...]

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    @property
    def store(self) -> Path:
        return self.folder / "store"


def first_run(factory: pytest.TempPathFactory) -> FirstRun:
    """Made once for all tests, also where several processes share them out."""
    folder, record = once(factory, "first-run", _type_the_tutorial)
    return FirstRun(folder, tuple(Result(**fields) for fields in json.loads(record)))


def _type_the_tutorial(folder: Path) -> str:
    (folder / "cluster").mkdir(parents=True)
    (folder / "cluster" / "local.yaml").write_text(_THIS_PROCESS)
    with in_folder(folder):
        typed = [c for c in commands(DOCS / "tutorial.md") if c.startswith("sarcube") and " view " not in c]
        return json.dumps([vars(carry_out(command)) for command in typed])
