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
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
