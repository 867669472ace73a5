"""What keeps the house one: rooms that know no workflow, names that are public, and that it starts at once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import sarcube

PACKAGE = Path(sarcube.__file__).parent
NAMES = re.compile(
    r"\b(rtc|insar|grd|sentinel|opera)\b|RTC_S1|sentinel|\b(VV|VH|HH|HV)\b|burst|polari[sz]ation", re.IGNORECASE
)
# Where one of the names has to stand, and why.
REASONS = {
    "production/demo": "the demonstration makes backscatter of simulated bursts",
    "production/run/hyp3.py": "the workflows of another maker, for pairs of bursts",
    "production/run/scene.py": "the options of an existing pipeline for one Sentinel-1 scene",
    "production/plan/run_file.py": "`sarcube init` writes a run file of the default workflow",
    "production/doctor.py": "examines engines and logins",
    "production/clean.py": "files of another maker stay",
    "production/said.py": "numbers and identifiers that messages differ in",
    "products/names.py": "its grammar is OPERA's, with examples",
    "products/places.py": "examples of places",
    "products/browse.py": "the stretch is OPERA's",
    "products/sweep.py": "files of another maker stay",
    "products/cog.py": "what was measured, on what",
    "cube/opera_files.py": "files of another maker, by their names",
    "cube/found.py": "opens files of another maker",
    "cube/viewer": "opens files of another maker; the composite is of two polarizations",
    "cube/open_cube.py": "opens files of another maker; the keyword of version 0.1 for places",
    "cube/cube_options.py": "the keyword of version 0.1 for places",
    "cube/map_grid.py": "the module of grids in degrees is named after bursts",
    "cube/acquisition.py": "how items of version 0.1 and of other makers name places",
    "cube/accessor.py": "`cube.sar`: what one does with backscatter",
    "cube/preview.py": "the composite of backscatter",
    "cube/target_grid.py": "grids of bursts as the example",
    "cube/grouping.py": "satellites return",
    "cube/combine": "reads bands of stores, Sentinel-2 and any raster, and knows presets for both",
    "cube/composite": "presets of composites name the layers that they are of",
    "cube/expression.py": "examples of expressions",
    "cube/dolphin.py": "files in another maker's layout, of bursts",
    "cube/hyp3": "products of another maker, of pairs of bursts",
    "cube/pairs": "`cube.insar`: what one does with pairs, and the fields of STAC's extension of that name",
    "cube/unwrap.py": "unwraps pairs of bursts, as its layers say",
    "cube/missions.py": "which missions' files it reads",
    "catalog/extensions.py": "an extension's own name",
    "catalog/extension_fields.py": "the words that extensions allow in their fields",
    "catalog/validate.py": "an extension's field whose values name assets",
}


def test_production_products_catalog_and_cube_know_no_workflow() -> None:
    known, used = tuple(REASONS), set()
    unexplained = []
    for room in ("production", "products", "catalog", "cube"):
        for path in sorted((PACKAGE / room).rglob("*.py")):
            name = str(path.relative_to(PACKAGE))
            hits = [line for line in path.read_text().splitlines() if NAMES.search(line)]
            reason = next((key for key in known if name.startswith(key)), None)
            if hits and reason is None:
                unexplained.append(f"{name}: {hits[0].strip()}")
            elif hits:
                used.add(reason)
    assert not unexplained
    assert used == set(known), f"reasons for nothing: {sorted(set(known) - used)}"


def test_production_and_cube_import_no_workflow() -> None:
    imports = re.compile(r"^\s*(?:from|import) sarcube\.workflows\.(\w+)", re.MULTILINE)
    shared = {"grids", "making", "network", "registry", "task", "workflow"}
    for room in ("production", "cube"):
        for path in (PACKAGE / room).rglob("*.py"):
            if path.is_relative_to(PACKAGE / "production" / "demo"):
                continue
            assert set(imports.findall(path.read_text())) <= shared, path


def test_files_to_touch_are_there() -> None:
    """The guide's table names at most three for each addition."""
    text = (PACKAGE.parent / "docs" / "contributing" / "house.md").read_text()
    table = text.split("## What to touch")[1].split("## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| a")]
    assert len(rows) == 7
    for row in rows:
        touched = re.findall(r"`(sarcube/[\w/.]+)`", row)
        assert len(touched) <= 3, row
        assert all((PACKAGE.parent / path).exists() for path in touched), row


def test_public_names_are_told_and_there() -> None:
    assert set(sarcube.__all__) == set(dir(sarcube))
    for name in sarcube.__all__:
        assert getattr(sarcube, name) is not None
    assert (PACKAGE / "py.typed").is_file()


def test_python_m_sarcube_is_the_program() -> None:
    told = subprocess.run([sys.executable, "-m", "sarcube", "--help"], capture_output=True, text=True, check=True)
    assert "plan" in told.stdout and "python -m sarcube" in told.stdout


def test_a_workflow_of_another_distribution_is_found(tmp_path: Path) -> None:
    """By its entry point, in a process of its own: what is installed is looked up once."""
    info = tmp_path / "elsewhere-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[sarcube.workflows]\npairs = tests.workflows.pairs.workflow:WORKFLOW\n")
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(PACKAGE.parent)!r}]\n"
        "from sarcube.config import RunConfig\n"
        "from sarcube.workflows.registry import makers, workflow_names\n"
        "run = RunConfig.from_dict({'workflow': 'pairs', 'source': {'path': '.'}, 'pairs': {'apart': 24}})\n"
        "print(workflow_names(), sorted(makers(run)), run.section(type(run.sections['pairs'])).apart)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'pairs'" in told and "'rtc'" in told and "['TOY_GROUND', 'TOY_PAIRS'] 24" in told


def test_starting_imports_nothing_heavy() -> None:
    heavy = {"dask", "distributed", "rasterio", "xarray", "pandas", "numba", "scipy", "pystac"}
    code = f"import sys, sarcube, sarcube.cli; print(*{heavy!r} & sys.modules.keys())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == []
