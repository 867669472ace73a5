"""What commands print with."""

from __future__ import annotations

import json
from collections.abc import Iterable

import typer

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}
JSON = typer.Option(False, "--json", help="print the facts as JSON")


def echo(text: object, *, err: bool = False) -> None:
    """Print a text without secrets, to standard error with `err`."""
    from sarcube.transfer.redact import redact

    # Names that others gave may be no text at all (bytes of a file's name), or steer the terminal.
    plain = redact(str(text)).encode("utf-8", "backslashreplace").decode("utf-8")
    typer.echo(plain.translate(_CONTROLS), err=err)


def echo_json(value: object) -> None:
    """Print a value as indented JSON; dates and paths as text."""
    from sarcube.jsons import finite

    echo(json.dumps(finite(value), indent=2, default=str, allow_nan=False))


def echo_lines(lines: Iterable[str], *, err: bool = False) -> None:
    """Print lines, to standard error with `err`."""
    for line in lines:
        echo(line, err=err)


def bounding_box(text: str | None) -> tuple[float, float, float, float] | None:
    """Read `west,south,east,north` in degrees (commas or spaces).

    Raises
    ------
    ConfigError
        Not four numbers.
    """
    from sarcube.errors import ConfigError

    if text is None:
        return None
    parts = text.replace(",", " ").split()
    try:
        west, south, east, north = (float(p) for p in parts)
    except ValueError as error:
        raise ConfigError(f"--bbox wants four numbers: west,south,east,north in degrees, not {text!r}") from error
    return west, south, east, north
