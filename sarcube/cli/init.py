"""`sarcube init`: a first run file."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from sarcube.cli.output import echo


def init(
    path: Path = typer.Argument(Path("run.yaml"), help="run file to write"),
    place: str = typer.Option(None, "--place", help="west,south,east,north or longitude,latitude; asked for if absent"),
    dates: str = typer.Option(
        None, "--dates", help='"2024", "2024-05" or "2024-05-01,2024-05-31"; asked for if absent'
    ),
    source: str = typer.Option(None, "--source", help="asf, cdse, or a folder of SAFEs; asked for if absent"),
    orbits: str = typer.Option(None, "--orbits", help="folder of orbit files"),
    dem: str = typer.Option(None, "--dem", help="DEM with heights above the ellipsoid; none: Copernicus GLO-30"),
    store: str = typer.Option("./store", "--store", help="folder or S3 prefix for the products"),
    archive: Path = typer.Option(None, "--archive", help="a simulated archive: answers all questions itself"),
    force: bool = typer.Option(False, "--force", help="replace a run file that is there"),
) -> None:
    """Write a run file after three questions: where, when, from what.

    Every other choice stands in it as a comment.

    Example: sarcube init run.yaml --place=-8.4,31.6,-8.1,31.8 --dates 2023-09 --source ./scenes --dem dem.tif
    """
    from sarcube.days import parse_days
    from sarcube.errors import ConfigError
    from sarcube.production.plan.run_file import RunFileOptions, archive_options, parse_place, run_file_text

    if path.exists() and not force:
        raise ConfigError(f"{path} is there already; choose another name, or say --force to replace it")
    if archive is not None:
        options = archive_options(archive, store, relative_to=path.parent)
    else:
        options = RunFileOptions(
            bbox=parse_place(_asked(place, "Where? (west,south,east,north or longitude,latitude)", "--place")),
            dates=parse_days(
                _asked(dates, "When? (2024, 2024-05 or 2024-05-01,2024-05-31; empty: all)", "--dates", "")
            ),
            source=_asked(source, "Scenes from? (asf, cdse or a folder)", "--source", "asf"),
            orbits=orbits,
            dem=dem,
            store=store,
        )
    text = run_file_text(options)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    echo(f"wrote {path}; next: sarcube plan {path}")


def _asked(given: str | None, question: str, option: str, default: str | None = None) -> str:
    from sarcube.errors import ConfigError

    if given is not None:
        return given
    if _at_a_terminal():
        return str(typer.prompt(question, default=default, show_default=bool(default)))
    if default is None:
        raise ConfigError(f"{option} is missing, and there is no terminal to ask in")
    return default


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()


def register(app: typer.Typer) -> None:
    """Add the command to the tree."""
    app.command()(init)
