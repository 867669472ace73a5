"""Flags of `sarcube scene` with a value, as scripts of the AWS pipeline have them."""

from __future__ import annotations

import pytest
import typer.main

from sarcube.cli.app import app
from sarcube.errors import ConfigError


@pytest.mark.parametrize("name", ["--link_static_layers", "--link-static-layers"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [("", True), ("=true", True), ("=True", True), ("=1", True), ("=false", False), ("=FALSE", False), ("=0", False)],
)
def test_flags_take_true_and_false(name: str, value: str, expected: bool) -> None:
    command = typer.main.get_command(app).commands["scene"]  # type: ignore[attr-defined]
    context = command.make_context("scene", ["--scene", "S1A", f"{name}{value}", "t070_149815_iw3"])
    assert context.params["link_static_layers"] is expected
    assert context.params["more_bursts"] == ["t070_149815_iw3"]


def test_other_values_are_refused() -> None:
    command = typer.main.get_command(app).commands["scene"]  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match="--link_static_layers is true or false, not 'maybe'"):
        command.make_context("scene", ["--scene", "S1A", "--link_static_layers=maybe"])
