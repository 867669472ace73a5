"""The command tree. Each command imports what it needs when it runs, so that help answers at once."""

from __future__ import annotations

import typer

from sarcube import __version__
from sarcube.cli import (
    cluster,
    combine,
    cubes,
    export,
    fire,
    init,
    insar,
    optical,
    runs,
    scene,
    search,
    start,
    stores,
    view,
)

app = typer.Typer(
    name="sarcube",
    help="An area and a date range in, an analysis-ready Sentinel-1 datacube out.",
    epilog="First steps: `sarcube demo`, then `sarcube init`. Every command has --help with an example.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"sarcube {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="print the version and leave"
    ),
    verbose: bool = typer.Option(False, "--verbose", "-v", help="log what happens, to standard error"),
) -> None:
    # A library never configures logging; the command line does, once.
    import logging

    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger().setLevel(level)
    # Libraries like distributed set the levels of their own loggers when they are imported: the handler decides.
    from sarcube.transfer.redact import keep_out_of

    for handler in logging.getLogger().handlers:
        handler.setLevel(level)
        keep_out_of(handler)


for module in (start, init, search, runs, scene, stores, cubes, combine, export, fire, insar, view, optical, cluster):
    module.register(app)
