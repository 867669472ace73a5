"""`sarcube init`: a first run file."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import typer

from sarcube.cli.output import echo
from sarcube.text_file import write_text

Answer = TypeVar("Answer")


def init(
    path: Path = typer.Argument(Path("run.yaml"), help="run file to write"),
    place: str = typer.Option(None, "--place", help="west,south,east,north or longitude,latitude; asked for if absent"),
    dates: str = typer.Option(
        None, "--dates", help='"2024", "2024-05" or "2024-05-01,2024-05-31"; asked for if absent'
    ),
    source: str = typer.Option(None, "--source", help="asf, cdse, or a folder of SAFEs; asked for if absent"),
    orbits: str = typer.Option(None, "--orbits", help="aws, asf, cdse, or a folder of files; asked for if absent"),
    dem: str = typer.Option(None, "--dem", help="cop_glo30, or a raster of heights; asked for if absent"),
    heights: str = typer.Option(None, "--heights", help="what the raster's heights refer to: ellipsoid or egm2008"),
    store: str = typer.Option("./store", "--store", help="folder or S3 prefix for the products"),
    archive: Path = typer.Option(None, "--archive", help="a simulated archive: answers all questions itself"),
    force: bool = typer.Option(False, "--force", help="replace a run file that is there"),
) -> None:
    """Write a run file after some questions: where, when, from what scenes, orbits and heights.

    A wrong answer is asked for again. Every other choice stands in the file as a comment.

    Example: sarcube init run.yaml --place=-8.4,31.6,-8.1,31.8 --dates 2023-09 --source ./scenes --dem dem.tif
    """
    from sarcube.days import parse_days
    from sarcube.errors import ConfigError
    from sarcube.production.plan import run_file as rooms

    if path.exists() and not force:
        raise ConfigError(f"{path} is there already; choose another name, or say --force to replace it")
    here = path.parent
    if archive is not None:
        options = rooms.archive_options(archive, store, relative_to=here)
    else:
        bbox = _asked(place, "Where? (west,south,east,north or longitude,latitude)", "--place", rooms.parse_place)
        days = _asked(
            dates, "When? (2024, 2024-05 or 2024-05-01,2024-05-31; empty: all)", "--dates", parse_days, default=""
        )
        scenes = _asked(
            source, "Scenes from? (asf, cdse or a folder)", "--source", lambda t: rooms.parse_source(t, here), "asf"
        )
        files = _asked(
            orbits,
            "Orbit files from? (aws, asf, cdse or a folder; empty: of local scenes the annotation's)",
            "--orbits",
            lambda t: rooms.parse_orbits(t, here),
            default="aws" if scenes in rooms.REMOTE else "",
        )
        raster = _asked(
            dem, "Heights from? (cop_glo30 or a raster)", "--dem", lambda t: rooms.parse_dem(t, here), "cop_glo30"
        )
        above = "ellipsoid"
        if raster:
            question = "Heights above what? (ellipsoid or egm2008)"
            above = _asked(heights, question, "--heights", rooms.parse_heights, "ellipsoid")
        options = rooms.RunFileOptions(bbox, days, scenes, files, raster, above, store)
    text = rooms.run_file_text(options)
    write_text(path, text)
    echo(f"wrote {path}; next: sarcube plan {shlex.quote(str(path))}")


def _asked(
    given: str | None, question: str, option: str, parse: Callable[[str], Answer], default: str | None = None
) -> Answer:
    """What an option says, else the answer to a question, else the default; a wrong answer is asked for again."""
    from sarcube.errors import ConfigError

    if given is not None:
        return parse(given)
    if not _at_a_terminal():
        if default is None:
            raise ConfigError(f"{option} is missing, and there is no terminal to ask in")
        return parse(default)
    while True:
        answer = str(typer.prompt(question, default=default, show_default=bool(default)))
        try:
            return parse(answer)
        except ConfigError as error:
            echo(f"{error}", err=True)


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()


def register(app: typer.Typer) -> None:
    """Add the command to the tree."""
    app.command()(init)
