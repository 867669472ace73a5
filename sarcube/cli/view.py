"""`sarcube view`: a store in the browser."""

from __future__ import annotations

import typer

from sarcube.cli.output import echo


def view(
    store: str = typer.Argument(..., help="store (folder or s3:// prefix), or a folder of OPERA RTC-S1 files"),
    port: int = typer.Option(8642, "--port", "-p", help="0 takes a free one"),
    host: str = typer.Option("127.0.0.1", "--host", help="who may connect; the default is this machine only"),
    basemap: str = typer.Option(
        "", "--basemap", help="address of map tiles with {z}, {x} and {y}, shown beneath; default: none, no network"
    ),
    attribution: str = typer.Option("", "--attribution", help="whose map that is, shown in its corner"),
    browser: bool = typer.Option(True, "--browser/--no-browser", help="open the browser"),
) -> None:
    """Show a store on a map in the browser.

    Passes, layers, footprints, and values through time at a click or in a box. Needs no network, unless --basemap
    names a map of another server.

    Example: sarcube view store
    """
    import time
    import webbrowser

    from sarcube.cube.viewer import ViewerOptions, open_viewer

    with open_viewer(store, ViewerOptions(port=port, host=host, basemap=basemap, attribution=attribution)) as viewer:
        # From the announcement on: whoever reads it may press Ctrl-C before the wait begins.
        try:
            echo(f"{viewer.url} shows {len(viewer.content.steps)} passes of {store}; Ctrl-C ends it")
            if browser:
                webbrowser.open(viewer.url)
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            typer.echo("")


def register(app: typer.Typer) -> None:
    """Add the command to the tree."""
    app.command()(view)
