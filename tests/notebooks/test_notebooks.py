"""Every notebook, top to bottom, without a network; and its pair and its page beside it."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupytext
import pytest

from tests.documented import DOCS, ROOT, FirstRun

# Whoever comes first waits for the first run, and for kernels to be compiled where they have not been yet.
pytestmark = pytest.mark.timeout(900)

HERE = ROOT / "notebooks"
# The order saves work: the first makes the region that the others read, the fifth the year that the third reads.
NAMES = [
    "1-region",
    "2-static-layers",
    "4-opera",
    "5-cluster",
    "3-time-series",
    "6-earthquake",
    "7-coherence",
    "8-from-opensartoolkit",
]

# IPython's own %reset takes __main__'s __spec__ too, without which no process can be spawned.
EMPTY = """\
kept = {"In", "Out", "get_ipython", "exit", "quit", "open"}
for name in [n for n in globals() if n not in kept and not n.startswith("_")]:
    globals().pop(name, None)"""


@pytest.fixture(scope="module")
def kernel(tutorial: FirstRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One kernel for all, emptied before each notebook: starting and importing would be most of the time."""
    from jupyter_client.manager import start_new_kernel

    data = tmp_path_factory.mktemp("notebooks")
    # The tutorial's archive is the one of the notebooks: same options, same seed.
    (data / "region-archive").symlink_to(tutorial.archive)
    path = os.pathsep.join([str(HERE), str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {
        "SARCUBE_NOTEBOOK_DATA": str(data),
        "SARCUBE_TEST_DATA": os.environ.get("SARCUBE_TEST_DATA", str(ROOT.parent / "shared")),
        "PYTHONPATH": path,
        # What is `local` then runs in the kernel; the fifth names a cluster of processes itself.
        "SARCUBE_CLUSTER": str(tutorial.folder / "cluster"),
        "JUPYTER_RUNTIME_DIR": str(data / "runtime"),
    }
    manager, client = start_new_kernel(kernel_name="python3", env=environment, cwd=str(HERE))
    client.stop_channels()
    yield manager
    manager.shutdown_kernel(now=True)


def test_all_notebooks_are_executed() -> None:
    assert sorted(NAMES) == sorted(path.stem for path in HERE.glob("[0-9]-*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_top_to_bottom(name: str, kernel: Any) -> None:
    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell

    notebook = jupytext.read(HERE / f"{name}.py")
    notebook.cells.insert(0, new_code_cell(EMPTY))
    client = NotebookClient(notebook, km=kernel, timeout=200)
    client.execute()
    client.kc.stop_channels()
    printed = "".join(
        o.get("text", "") for c in notebook.cells for o in c.get("outputs", []) if o.get("name") == "stdout"
    )
    pictures = [o for c in notebook.cells for o in c.get("outputs", []) if "image/png" in o.get("data", {})]
    shown = str([o["data"].get("text/html") for c in notebook.cells for o in c.get("outputs", []) if "data" in o])
    if name == "1-region":
        assert "8 done, 0 existed" in shown
        assert "<iframe" in shown
        assert printed.count("mosaic_") == 3
    elif name == "4-opera" and "published by OPERA" in printed:
        assert "what was there is untouched: True" in printed
        assert "22 time steps on one grid" in printed
    elif name == "5-cluster":
        assert "2 workers" in printed
        assert re.search(r"\b1[23] tasks to do; about", printed)  # also where the third has made them before
        assert "0 to do; 13 existed" in printed
    elif name == "3-time-series":
        found, false = re.findall(r"found ([\d.]+)% of the cut; false alarms elsewhere ([\d.]+)%", printed)[0]
        assert float(found) > 75
        assert float(false) < 0.5
    elif name == "6-earthquake":
        assert "20230904_20230916" in shown and "12 d" in printed
        rms, wrong = re.findall(r"rms ([\d.]+) mm over \d+ pixels\npixels of a wrong cycle: ([\d.]+)%", printed)[0]
        assert float(rms) < 5.0 and float(wrong) < 0.1
    elif name == "7-coherence":
        told = dict(re.findall(r"(\w+ and \w+): VV \d+%, VH \d+%, coherence_VV (\d+)%", printed))
        assert int(told["meadow and fields"]) > 75 and "no next date" in printed
        first, _, last = map(float, re.findall(r"will be cut: ([\d.]+) ([\d.]+) ([\d.]+)", printed)[0])
        assert last < first - 0.05
    elif name == "2-static-layers":
        assert re.search(r"valid\s+[89]\d\.\d\d%|valid\s+100", printed)
    elif name == "8-from-opensartoolkit":
        assert "2024-06-06: incomplete date: covers 60.1% of the area, the track's best date 100.0%" in printed
        assert "bs: 4 products to make" in printed and "coh: 3 products to make" in printed
        assert "2 done, 2 existed" in printed and "\n0 products to make" in printed
        coherence = float(re.findall(r"coherence of the ground ([\d.]+)", printed)[0])
        assert 0.4 < coherence < 0.7
    assert bool(pictures) == (name != "5-cluster")
    if name == "4-opera" and "published by OPERA" not in printed:
        pytest.skip("the published OPERA files are not here: executed on simulated products")


def test_opera_without_its_files_says_what_it_shows(tutorial: FirstRun, tmp_path: Path) -> None:
    (tmp_path / "region-archive").symlink_to(tutorial.archive)
    # What it is run on is made already: the tutorial's store.
    text = (tutorial.folder / "run.yaml").read_text().replace("archive/", "region-archive/")
    (tmp_path / "region.yaml").write_text(text.replace("./store", str(tutorial.store)))
    environment = os.environ | {
        "SARCUBE_NOTEBOOK_DATA": str(tmp_path),
        "SARCUBE_TEST_DATA": str(tmp_path / "nothing"),
        "PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT)]),
        "MPLBACKEND": "agg",
    }
    command = [sys.executable, str(HERE / "4-opera.py")]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "what is shown was simulated, not published" in done.stdout
    assert "2 items simulated, not published and 1 own: 3 time steps on one grid" in done.stdout
    assert "what was there is untouched: True" in done.stdout


def render() -> Any:
    specification = importlib.util.spec_from_file_location("notebook_render", HERE / "render.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_pair_and_page_are_of_today(name: str) -> None:
    module = render()
    pair = jupytext.writes(module.pair(name), fmt="ipynb") + "\n"
    assert (HERE / f"{name}.ipynb").read_text() == pair, f"python notebooks/render.py {name}"
    page = (DOCS / "notebooks" / f"{name}.md").read_text()
    for cell in jupytext.read(HERE / f"{name}.py").cells:
        lines = [line.strip() for line in cell["source"].splitlines() if line.strip()]
        for line in lines if cell["cell_type"] == "markdown" else []:
            assert line in page, f"{name}.md is older than the notebook: python notebooks/render.py {name}"
    pictures = re.findall(r"!\[png\]\((.+?)\)", page)
    assert all((DOCS / "notebooks" / picture).stat().st_size < 150_000 for picture in pictures)
    kept = {path.name for path in (DOCS / "notebooks" / name).glob("*.png")}
    assert kept == {Path(picture).name for picture in pictures}


@pytest.mark.parametrize("name", NAMES)
def test_says_the_line_that_changes(name: str) -> None:
    assert (
        "a single line changes" in (text := (HERE / f"{name}.py").read_text()) or "the single line that changes" in text
    )
