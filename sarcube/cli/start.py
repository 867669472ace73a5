"""Commands for the first minutes: simulate, demo, doctor."""

from __future__ import annotations

from pathlib import Path

import typer

from sarcube.cli.output import JSON, echo_json


def doctor(as_json: bool = JSON) -> None:
    """Tell what works here, what is missing, and how to get it.

    Example: sarcube doctor
    """
    from sarcube.production.doctor import examine

    checks = examine()
    if as_json:
        echo_json([check.as_dict() for check in checks])
    else:
        for check in checks:
            sign = {True: "ok", False: "MISSING", None: "-"}[check.ok]
            typer.echo(f"{sign:8}{check.name:22}{check.detail}")
            if not check.ok and check.advice:
                typer.echo(f"{'':30}{check.advice}")
    raise typer.Exit(0 if all(check.ok is not False for check in checks) else 2)


def demo(
    directory: Path = typer.Argument(Path("demo"), help="folder to fill"),
    as_json: bool = JSON,
) -> None:
    """Simulate a small archive, produce it, open the cube, draw pictures and measure the error.

    Example: sarcube demo demo
    """
    from sarcube.production.demo import run_demo

    report = run_demo(directory, echo=lambda line: typer.echo(line, err=as_json))
    if as_json:
        echo_json(report)


def register(app: typer.Typer) -> None:
    """Add the commands to the tree."""
    app.command()(demo)
    app.command()(doctor)
