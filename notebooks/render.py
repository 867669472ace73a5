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


def worth_keeping(output: Any) -> bool:
    """Results and pictures; not logs, nor widgets that are dead on a page."""
    widget = "application/vnd.jupyter.widget-view+json" in output.get("data", {})
    return not widget and output.get("name") != "stderr"


def tidy(output: Any) -> Any:
    """Without terminal colours, and with pictures of few colours."""
    if "text" in output:
        output["text"] = _NOISE.sub("", output["text"])
    data = output.get("data", {})
    if "image/png" in data:
        picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")
        small = io.BytesIO()
        picture.quantize(64).save(small, "PNG", optimize=True)
        data["image/png"] = base64.b64encode(small.getvalue()).decode()
        data.pop("text/plain", None)
    return output


if __name__ == "__main__":
    for chosen in sys.argv[1:] or NAMES:
        print(render(execute(chosen), chosen))
