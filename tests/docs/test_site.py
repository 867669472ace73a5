"""The documentation builds without a network and without a broken link, and shows what the code says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documented import ROOT

pytest.importorskip("mkdocs", reason="mkdocs is not installed")
_LOADED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc="(https?:)?//|<link\b[^>]*stylesheet[^>]*href="(https?:)?//"""
)
_NOWHERE = "http://127.0.0.1:9"  # nothing listens there


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    offline = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), _NOWHERE)
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | offline | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 25
    assert [page.name for page in pages if _LOADED.search(page.read_text())] == []


def test_reference_is_that_of_the_code(site: Path) -> None:
    from typer.main import get_command

    from sarcube.cli.app import app

    cli = (site / "reference" / "cli.html").read_text()
    command = get_command(app)
    assert all(f"sarcube {name}</h2>" in re.sub(r"<a .*?</a>", "", cli) for name in command.list_commands(None))  # type: ignore[attr-defined, arg-type]
    run_file = (site / "reference" / "run-file.html").read_text()
    assert "source.relative_orbits" in run_file
    python = (site / "reference" / "python.html").read_text()
    for name in ("open_cube", "SarAccessor", "Outcome", "get_engine"):
        assert name in python


def test_pictures_are_there_and_small(site: Path) -> None:
    for picture in (ROOT / "docs").rglob("*.png"):
        if picture.name != "demo.png":  # of the README
            assert picture.stat().st_size < 150_000, picture
        assert (site / picture.relative_to(ROOT / "docs")).exists()
