"""`sarcube doctor`: what is there is told, never its value; what is missing is told with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from sarcube.cli.app import app


def test_logins_are_found_where_downloads_find_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "EARTHDATA_USERNAME",
        "EARTHDATA_LOGIN",
        "CDSE_TOKEN",
        "CDSE_ACCESS_TOKEN",
        "CDSE_USERNAME",
        "CDSE_LOGIN",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("EARTHDATA_TOKEN", "canary-3b1d")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("CDSE_LOGIN=someone\nCDSE_PASSWORD=canary-3b1d\n")
    printed = CliRunner().invoke(app, ["doctor"]).output
    said = {line[8:30].strip(): line for line in printed.splitlines()}
    assert said["Earthdata login"].startswith("ok") and "environment" in said["Earthdata login"]
    assert said["CDSE login"].startswith("ok") and ".env" in said["CDSE login"]
    (tmp_path / ".env").unlink()
    without = CliRunner().invoke(app, ["doctor"]).output
    assert "machine dataspace.copernicus.eu" in without
    assert "canary" not in printed + without
