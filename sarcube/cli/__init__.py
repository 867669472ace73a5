"""Commands: parse, call, print. No logic."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the `sarcube` command: 0 done, 1 some tasks failed, 2 the user must change something."""
    from sarcube.cli.app import app
    from sarcube.errors import SarcubeError

    try:
        app()
    except SarcubeError as error:
        from sarcube.cli.output import echo

        echo(f"error: {error}", err=True)
        sys.exit(2)
    except Exception:
        # A fault of sarcube or a library: the whole trace as Python would print it, but for what is secret in it.
        import traceback

        from sarcube.cli.output import echo

        echo(traceback.format_exc(), err=True)
        sys.exit(1)
