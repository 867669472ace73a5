"""What the documentation takes from the code when it is built: the command line, the run file, measured tables.

Generated at build time, so that it cannot be older than the code that it describes.
"""

from __future__ import annotations

import re
import types
import typing
from pathlib import Path
from typing import Any, Literal

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
_WIDTH = 100


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from the code."""
    for path, content in (("reference/cli.md", cli_page()), ("reference/run-file.md", run_file_page())):
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, /, *, page: Any, config: MkDocsConfig, files: Files) -> str:
    """Under the page on speed, the tables of the benchmarks."""
    return f"{markdown.rstrip()}\n\n{benchmark_tables()}\n" if page.file.src_uri == "speed.md" else markdown


def cli_page() -> str:
    """Every command's help, as the terminal shows it."""
    from typer.main import get_command

    from sarcube.cli.app import app

    root: Any = get_command(app)
    lines = [
        "# Command line",
        "",
        "What `--help` prints, command by command. Exit codes: 0 done, 1 some tasks failed (the rest is done and",
        "kept), 2 something must be changed by you.",
        "",
        *_help(root, "sarcube"),
    ]
    for name in root.list_commands(None):
        command = root.commands[name]
        lines += ["", f"## sarcube {name}", "", *_help(command, f"sarcube {name}")]
        for inner, below in getattr(command, "commands", {}).items():
            lines += ["", f"### sarcube {name} {inner}", "", *_help(below, f"sarcube {name} {inner}")]
    return "\n".join(lines) + "\n"


def _help(command: Any, path: str) -> list[str]:
    context = command.context_class(command, info_name=path, terminal_width=_WIDTH, max_content_width=_WIDTH)
    return ["```text", command.get_help(context).rstrip(), "```"]


def run_file_page() -> str:
    """The run file's keys, from the model that reads it."""
    from pydantic import BaseModel

    from sarcube.config import RunConfig
    from sarcube.plugins import load, workflow_addresses
    from sarcube.production.plan.run_file import RunFileOptions, run_file_text

    lines = [
        "# Run file",
        "",
        "One YAML file decides what a run does, and lies beside the products as its record. Unknown keys are refused",
        "with the nearest valid name; relative paths count from the file's folder. `sarcube init` writes this one:",
        "",
        "```yaml",
        run_file_text(RunFileOptions(bbox=(-8.4, 31.6, -8.1, 31.8), dates=("2023-09-01", "2023-09-30"))).rstrip(),
        "```",
        "",
        "## All keys",
        "",
        "| key | values | default | meaning |",
        "| --- | --- | --- | --- |",
    ]

    def rows(model: type[BaseModel], prefix: str) -> None:
        for name, field in model.model_fields.items():
            if name == "sections":
                continue
            nested = _model_of(field.annotation)
            if nested is not None:
                lines.append(f"| **`{prefix}{name}`** | | | {_sentence(nested.__doc__)} |")
                rows(nested, f"{prefix}{name}.")
                continue
            default = "required" if field.is_required() else _default(field.get_default(call_default_factory=True))
            lines.append(f"| `{prefix}{name}` | {_values(field.annotation)} | {default} | {field.description or ''} |")

    rows(RunConfig, "")
    lines += [
        "",
        "## Sections of workflows",
        "",
        "What only one workflow understands stands in the section of its name. Of the section `rtc` the keys may stand",
        "at the top too, as in version 0.1.",
    ]
    for name in sorted(workflow_addresses()):
        section = load(name).section
        lines += ["", f"### {name}", "", _sentence(section.__doc__)]
        if section.model_fields:
            lines += ["", "| key | values | default | meaning |", "| --- | --- | --- | --- |"]
            rows(section, f"{name}.")
    return "\n".join(lines) + "\n"


def _model_of(annotation: Any) -> Any:
    from pydantic import BaseModel

    for option in (annotation, *typing.get_args(annotation)):
        if isinstance(option, type) and issubclass(option, BaseModel):
            return option
    return None


def _sentence(text: str | None) -> str:
    return " ".join((text or "").split())


def _default(value: Any) -> str:
    if value is None or value in ({}, ()):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _values(annotation: Any) -> str:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return " or ".join(_values(a) for a in typing.get_args(annotation) if a is not type(None))
    if typing.get_origin(annotation) is Literal:
        return ", ".join(f"`{v}`" for v in typing.get_args(annotation))
    if typing.get_origin(annotation) is tuple:
        members = [a for a in typing.get_args(annotation) if a is not Ellipsis]
        return (
            f"list of {_values(members[0])}"
            if Ellipsis in typing.get_args(annotation)
            else (f"{len(members)} of {_values(members[0])}")
        )
    if typing.get_origin(annotation) is dict:
        return "mapping"
    names = {"str": "text", "Path": "path", "int": "integer", "float": "number", "bool": "true, false", "date": "date"}
    return names.get(getattr(annotation, "__name__", ""), str(annotation))


def benchmark_tables() -> str:
    """What benchmarks/README.md says, as measured."""
    return re.sub(r"\A# .*\n", "", _without_links((ROOT / "benchmarks" / "README.md").read_text())).strip()


def _without_links(text: str) -> str:
    """Links to files beside the README point nowhere from a page: keep their words."""
    return re.sub(r"(?<!!)\[([^\]]+)\]\((?!https?://)[^)]*\)", r"\1", re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text))
