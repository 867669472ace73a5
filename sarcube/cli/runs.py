"""Commands that plan and carry out runs, and look after what they leave: plan, run, status, clean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from sarcube.cli.output import JSON, echo, echo_json, echo_lines
from sarcube.text_file import write_text

if TYPE_CHECKING:
    from sarcube.config import RunConfig
    from sarcube.production.plan.value import Plan
    from sarcube.production.run.outcome import Outcome

_RUN = typer.Argument(..., metavar="RUN", help="run file (YAML)")


def plan(
    run: Path = _RUN,
    as_json: bool = JSON,
    geojson: Path = typer.Option(None, "--geojson", help="write the places as GeoJSON, with their dates"),
    html: Path = typer.Option(None, "--map", "--html", help="write a page with a map"),
) -> None:
    """Say what a run would do and what it takes; nothing is computed.

    Bursts and dates, what exists, what is missing, what cannot be done and why, bytes, time and memory. Exit code 2
    where nothing of it can be done.

    Example: sarcube plan run.yaml --map plan.html
    """
    from sarcube.production.plan.plan import plan as make_plan

    planned = make_plan(run)
    if geojson:
        write_text(geojson, planned.to_geojson())
    if html:
        write_text(html, planned.to_html())
    typer.echo(planned.to_json()) if as_json else echo(planned.table())
    if planned.impossible:
        raise typer.Exit(2)


def run(
    run: Path = _RUN,
    dry_run: bool = typer.Option(False, "--dry-run", "-n", help="stop after the plan"),
    remake: bool = typer.Option(False, "--make-existing-products", help="make again what exists of what is asked for"),
    outdated: bool = typer.Option(
        False, "--make-outdated-products", help="make again what is of scenes of which the source has a later version"
    ),
    quiet: bool = typer.Option(False, "--quiet", "-q", help="say only what went wrong, and how it ended"),
    as_json: bool = JSON,
) -> None:
    """Do what a run file asks for and what does not exist yet.

    Stop it with Ctrl-C and run it again as you like. Exit codes: 0 done, 1 some tasks failed (the rest is kept),
    2 something must be changed. The store's folder runs/ keeps a report and a log of each run.

    Example: sarcube run run.yaml
    """
    from sarcube.config import RunConfig

    which: bool | Literal["outdated"] = "outdated" if outdated and not remake else remake
    said = Saying(as_json, quiet, str(run))
    planned, outcome = carry_out(RunConfig.from_file(run), said, remake=which, dry_run=dry_run)
    raise typer.Exit(outcome.exit_code if outcome else 2 * planned.impossible)


def status(
    subject: str = typer.Argument(..., metavar="STORE|RUN", help="a store, or a run file"),
    refill: Path = typer.Option(None, "--refill", help="write a run file of what is missing (needs a run file)"),
    as_json: bool = JSON,
) -> None:
    """Tell what a store has, what failed and why.

    Of a run file also what should be there and is not. Files that belong to no product are counted.

    Example: sarcube status store
    """
    from sarcube.config import RunConfig
    from sarcube.errors import ConfigError
    from sarcube.production import status as rooms

    config = RunConfig.from_file(subject) if subject.endswith((".yaml", ".yml")) else None
    found = rooms.status(config or subject)
    if refill:
        if config is None:
            raise ConfigError("--refill needs a run file instead of a store: only a run says what should be there")
        missing = rooms.refill(config, found)
        if missing is not None:
            write_text(refill, missing.to_yaml())
    typer.echo(found.to_json()) if as_json else echo(found.table())
    if refill and not as_json:
        echo(f"run file of what is missing: {refill}" if refill.exists() else "nothing is missing")


def clean(
    store: str = typer.Argument(..., metavar="STORE", help="a store"),
    yes: bool = typer.Option(False, "--yes", help="delete; without it nothing is changed"),
    as_json: bool = JSON,
) -> None:
    """Say what killed runs have left in a store, and with --yes delete it.

    Only files that sarcube has written and that no run can use any more: what an item names, what a run may still be
    writing, and other makers' files stay. With --yes indexes and collections are brought up to date, too.

    Example: sarcube clean store
    """
    from sarcube.production.clean import clean as sweep

    cleaning = sweep(store, delete=yes)
    if as_json:
        typer.echo(cleaning.to_json())
    else:
        echo_lines(cleaning.lines())


@dataclass(frozen=True)
class Saying:
    """How a command that runs tells of it: as JSON, next to nothing; the run file, if there is one."""

    as_json: bool = False
    quiet: bool = False
    run: str = ""


def carry_out(
    config: RunConfig,
    said: Saying,
    *,
    remake: bool | Literal["outdated"] = False,
    dry_run: bool = False,
) -> tuple[Plan, Outcome | None]:
    """Plan, say so, produce with progress, and print the end of it."""
    from sarcube.production.plan.plan import plan as make_plan
    from sarcube.production.run.produce import produce
    from sarcube.production.views.progress import show_progress

    planned = make_plan(config, remake=remake)
    if not (said.as_json or (said.quiet and not dry_run)):
        echo(planned.table())
    if dry_run:
        if said.as_json:
            typer.echo(planned.to_json())
        return planned, None
    with show_progress("none" if said.quiet else "auto", ending=said.as_json) as show:  # else it is printed below
        outcome = produce(planned, on_event=show)
    if said.as_json:
        echo_json({name: value for name, value in asdict(outcome).items() if name != "shapes"})
    else:
        echo_lines(ending(planned, outcome, said))
    return planned, outcome


def ending(planned: Plan, outcome: Outcome, said: Saying) -> Iterator[str]:
    """What is printed of a run that has ended."""
    from sarcube.production.views.outcome import REPORT, next_step

    for failure in (*outcome.failed, *outcome.blocked):
        what = "blocked" if failure in outcome.blocked else "failed"
        yield f"{what}: {failure.key} {failure.label}: {failure.message}"
    idle = not planned.tasks and outcome.ok
    if idle and not said.quiet:
        yield f"next: {next_step(outcome, planned.config.store, said.run)}"
        return  # the plan has said the rest
    if said.quiet:
        yield from (f"problem: {problem.subject}: {problem.message}" for problem in outcome.problems)
    yield from (f"warning: {told}" for told in outcome.warnings)
    yield str(outcome)
    if outcome.record:
        yield f"report: {outcome.record}/{REPORT}"
    if not said.quiet and (step := next_step(outcome, planned.config.store, said.run)):
        yield f"next: {step}"


def register(app: typer.Typer) -> None:
    """Add the commands to the tree."""
    for command in (plan, run, status, clean):
        app.command()(command)
