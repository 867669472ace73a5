"""Execute the notebooks and render them into the documentation: python notebooks/render.py [NAME ...].

The sources are percent scripts, which people can read and compare; what they print and draw is kept with the pages.
"""

from __future__ import annotations

import base64
import io
import os
import re
import sys
from pathlib import Path
from typing import Any

import jupytext
from nbclient import NotebookClient
from nbconvert import MarkdownExporter
from PIL import Image

HERE = Path(__file__).resolve().parent
PAGES = HERE.parent / "docs" / "notebooks"
NAMES = sorted(path.stem for path in HERE.glob("[0-9]-*.py"))
_MOST_BYTES = 140_000  # of a picture
_NOISE = re.compile(r"\x1b\[[0-9;]*m")


def execute(name: str, folder: Path = HERE) -> Any:
    """Run a notebook top to bottom; raises nbclient's CellExecutionError where a cell fails."""
    notebook = jupytext.read(HERE / f"{name}.py")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    NotebookClient(
        notebook, timeout=1200, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    return notebook


def render(notebook: Any, name: str) -> Path:
    """Write a notebook as Markdown with small pictures beside it."""
    for cell in notebook.cells:
        cell["outputs"] = [tidy(output) for output in cell.get("outputs", []) if worth_keeping(output)]
    body, resources = MarkdownExporter().from_notebook_node(notebook, {"output_files_dir": name})
    PAGES.mkdir(parents=True, exist_ok=True)
    (PAGES / name).mkdir(exist_ok=True)
    for old in (PAGES / name).glob("*.png"):
        old.unlink()
    for path, data in resources["outputs"].items():
        (PAGES / path).write_bytes(data)
    source = f"*Source: `notebooks/{name}.py`, executed by the tests.*\n"
    title, rest = body.lstrip().split("\n", 1)
    page = PAGES / f"{name}.md"
    page.write_text("\n".join(line.rstrip() for line in f"{title}\n\n{source}{rest}".splitlines()) + "\n")
    return page


def pair(name: str) -> Any:
    """The notebook without outputs, as Jupyter opens it; cells are named by their place, so that it is stable."""
    notebook = jupytext.read(HERE / f"{name}.py")
    for i, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{i}"
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return notebook


def write_pair(name: str) -> Path:
    """Write the .ipynb beside the script."""
    path = HERE / f"{name}.ipynb"
    path.write_text(jupytext.writes(pair(name), fmt="ipynb") + "\n")
    return path


def worth_keeping(output: Any) -> bool:
    """Results and pictures; not logs, nor widgets and frames that are dead on a page."""
    data = output.get("data", {})
    widget = "application/vnd.jupyter.widget-view+json" in data or "<iframe" in str(data.get("text/html", ""))
    return not widget and output.get("name") != "stderr"


def tidy(output: Any) -> Any:
    """Without terminal colours, and with pictures of few colours."""
    if "text" in output:
        output["text"] = _without_folder(_NOISE.sub("", output["text"]))
    data = output.get("data", {})
    for kind in ("text/plain", "text/html"):
        if kind in data:
            data[kind] = _without_folder(data[kind])
    if "image/png" in data:
        data["image/png"] = base64.b64encode(smaller(base64.b64decode(data["image/png"]))).decode()
        data.pop("text/plain", None)
    return output


def smaller(png: bytes) -> bytes:
    """A picture of few colours, and of fewer pixels where speckle keeps it from being compressed."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    for scale, colours in ((1, 224), (1, 128), (0.85, 128), (0.7, 128), (0.6, 96)):
        size = (round(picture.width * scale), round(picture.height * scale))
        out = io.BytesIO()
        picture.resize(size).quantize(colours).save(out, "PNG", optimize=True)
        if out.tell() <= _MOST_BYTES:
            break
    return out.getvalue()


def _without_folder(text: str) -> str:
    """Where the notebook was executed is nobody's concern."""
    folder = Path(os.environ.get("SARCUBE_NOTEBOOK_DATA", HERE / "data")).resolve()
    return text.replace(str(folder), "data")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or NAMES:
        print(write_pair(chosen))
        print(render(execute(chosen), chosen))
