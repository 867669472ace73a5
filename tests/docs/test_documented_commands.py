"""Every command that the documentation prints, run as it is printed where it can be, and understood where it cannot."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.main import get_command

from sarcube.cli.app import app
from sarcube.cluster import Profile
from sarcube.config import RunConfig
from tests.documented import DOCS, ROOT, FirstRun, blocks, carry_out, commands, in_folder, moved

# Whoever comes first waits for the first run, and for kernels to be compiled where they have not been yet.
pytestmark = pytest.mark.timeout(900)

PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
# Needs another machine: a bucket, a provider, a cluster, ISCE3; or stays until it is ended (tests/viewer does that);
# or a store of interferograms, or of fires (tests/workflows makes them).
_ELSEWHERE = re.compile(
    r"s3://|bucket|australia|missing\.yaml|isce3|fargate|ec2|sarcube view|SAFE\b|static\.yaml|\.\.\."
    r"|sarcube (insar|export|hotspots)|--preset coin"
)
_ELSEWHERE_SCENE = re.compile(r"sarcube scene|sarcube demo")  # tests/way runs both


def all_commands() -> list[tuple[str, str]]:
    return [(page.relative_to(ROOT).as_posix(), command) for page in PAGES for command in commands(page)]


def subcommands(command: Any = None, path: str = "sarcube") -> Iterator[tuple[str, Any]]:
    command = command or get_command(app)
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from subcommands(inner, f"{path} {name}")


def examples() -> list[str]:
    """What the help texts give as examples."""
    found = []
    for _, command in subcommands():
        for paragraph in re.split(r"\n\s*\n", command.help or ""):
            if paragraph.strip().startswith("Example:"):
                found.append(" ".join(paragraph.strip().removeprefix("Example:").split()))
    return found


def understood(command: str) -> None:
    """Parse a command as the command line would; raises click's UsageError."""
    words = shlex.split(command)
    found: Any = get_command(app)
    context = found.make_context("sarcube", words[1:])
    while hasattr(found, "commands") and context._protected_args + context.args:
        name, found, rest = found.resolve_command(context, context._protected_args + context.args)
        context = found.make_context(name, rest, parent=context)


def runs_here(command: str) -> bool:
    return not (_ELSEWHERE.search(command) or _ELSEWHERE_SCENE.search(command))


def desk(tutorial: FirstRun, folder: Path) -> Path:
    """The tutorial's folder without what was written at its end: commands refuse to replace what others wrote."""
    (folder / "archive").symlink_to(tutorial.archive)
    for name in ("cluster", "store"):  # copies: a page may make products anew
        shutil.copytree(tutorial.folder / name, folder / name)
    # One of the dates is enough to make anew.
    text = (tutorial.folder / "run.yaml").read_text()
    (folder / "run.yaml").write_text(re.sub(r"(?m)^(# )?dates: .*$", "dates: [2024-05-01, 2024-05-01]", text))
    return folder


def test_tutorial_as_it_is_typed(tutorial: FirstRun) -> None:
    said = {result.command: result for result in tutorial.results}
    assert [r.command for r in tutorial.results if r.exit_code] == []
    assert len(said) >= 7
    run = next(r for c, r in said.items() if c.startswith("sarcube run"))
    assert "8 done, 0 existed" in run.output
    assert "8 tasks to do" in next(r for c, r in said.items() if c.startswith("sarcube plan")).output
    assert "3 mosaics" in next(r for c, r in said.items() if c.startswith("sarcube mosaic")).output
    assert (tutorial.folder / "plan.html").read_text().startswith("<!doctype html>")
    assert (tutorial.folder / "region.zarr").is_dir()
    assert len(list(tutorial.store.glob("runs/*/report.html"))) == 1


@pytest.mark.parametrize(
    "page",
    [
        "docs/tutorial.md",
        "docs/concepts/geometry.md",
        "docs/cube.md",
        "docs/howto/cluster.md",
        "README.md",
        "docs/people/scientist.md",
        "docs/people/analyst.md",
        "docs/howto/coming-from-odc-stac.md",
    ],
)
def test_python_of_the_page(page: str, tutorial: FirstRun, tmp_path: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    names: dict[str, Any] = {}
    with in_folder(desk(tutorial, tmp_path)):
        for body in blocks(ROOT / page, "python"):
            exec(compile(moved(body), page, "exec"), names)
    if page == "docs/concepts/geometry.md":
        back, there = np.array(names["back"]), np.array([names["lon"], names["lat"], names["height"]])
        assert (np.abs(back - there) < (1e-7, 1e-7, 0.02)).all()
    elif page == "docs/howto/coming-from-odc-stac.md":
        assert names["loaded"].sizes["time"] == names["cube"].sizes["time"] == 6
        one, other = (x["VV"].isel(time=0).compute() for x in (names["loaded"], names["cube"]))
        np.testing.assert_array_equal(one.values, other.values)
    else:
        assert names["outcome"].ok if "outcome" in names else names["cube"].sizes["time"] == 3


@pytest.mark.parametrize(("page", "command"), all_commands())
def test_command_is_understood(page: str, command: str) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(words[1:]) <= set(targets), f"{page}: no such target in the Makefile"
    elif words[0] == "sarcube":
        understood(command)
    else:
        assert Path(words[0]).name in ("pip", "git", "cd", "export", "python", "docker", "mkdocs", "jupyter"), (
            f"{page}: unknown tool {words[0]}"
        )
        if words[0] == "python":
            assert (ROOT / words[1]).is_file()


# Notebooks are executed by tests of their own, on other stores than the tutorial's: what they say to type is parsed.
@pytest.mark.parametrize(
    "page", [p for p in PAGES if p.name != "tutorial.md" and p.parent.name != "notebooks"], ids=lambda p: p.stem
)
def test_commands_run_after_the_tutorial(page: Path, tutorial: FirstRun, tmp_path: Path) -> None:
    typed = [moved(c) for c in commands(page) if c.startswith("sarcube") and runs_here(c)]
    if not typed:
        return
    with in_folder(desk(tutorial, tmp_path)):
        for body in blocks(page, "yaml"):
            if (named := re.match(r"# (\w+\.yaml)\n", body)) and "archive" in body:  # a run file of the page's own
                Path(named[1]).write_text(body)
        results = [carry_out(command) for command in dict.fromkeys(typed)]
    assert [(r.command, r.output) for r in results if r.exit_code] == []


@pytest.mark.parametrize("command", examples())
def test_example_of_the_help(command: str, tutorial: FirstRun, tmp_path: Path) -> None:
    understood(command)
    if not runs_here(command):
        return
    command = command.replace("--crop", "--crop --bursts 1 --dates 2024-05-01")  # small
    if not command.startswith(("sarcube init", "sarcube simulate")):
        desk(tutorial, tmp_path)
    if command.startswith("sarcube compare"):
        item = next(tutorial.store.glob("s1_rtc_c1/*/*/*/*/*.json"))
        for name in ("native", "isce3"):
            shutil.copytree(item.parent, tmp_path / name)
            (tmp_path / name / item.name).rename(tmp_path / name / "item.json")
    with in_folder(tmp_path):
        result = carry_out(moved(command))
    assert result.exit_code == 0, result.output


def test_every_command_has_an_example() -> None:
    without = [
        p
        for p, c in subcommands()
        if not hasattr(c, "commands") and "Example: " + p not in " ".join((c.help or "").split())
    ]
    assert without == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_run_files_are_valid(page: Path) -> None:
    for body in blocks(page, "yaml"):
        raw = yaml.safe_load(body)
        if "kind" in raw:
            Profile.model_validate(raw | {"name": "example"})
        elif "store" in raw:
            RunConfig.from_dict({"dem": {"kind": "cop_glo30"}} | raw, origin=str(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_links_lead_somewhere_in_the_repository(page: Path) -> None:
    """Also where nobody has built the site: people read the pages on a forge, too."""
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not target.startswith(("http://", "https://", "data:", "mailto:")):
            assert (page.parent / target).exists(), f"{page}: {target} is not there"


def test_unknown_words_get_a_suggestion(tutorial: FirstRun, tmp_path: Path) -> None:
    for command, hint in (
        ("sarcube mosiac store", "mosaic"),
        ("sarcube run run.yaml --dry-rum", "--dry-run"),
    ):
        result = carry_out(command)
        assert result.exit_code == 2
        assert hint in result.output
    text = (tutorial.folder / "run.yaml").read_text()
    with in_folder(tutorial.folder):
        Path("wrong.yaml").write_text(text.replace("\nstore:", "\nstroe:"))
        result = carry_out("sarcube plan wrong.yaml")
    assert result.exit_code == 2
    assert "stroe" in result.output
    assert "did you mean `store`" in result.output


def test_dry_run_makes_nothing(tutorial: FirstRun, tmp_path: Path) -> None:
    text = (tutorial.folder / "run.yaml").read_text().replace("./store", str(tmp_path / "other"))
    with in_folder(tutorial.folder):
        Path("dry.yaml").write_text(text)
        result = carry_out("sarcube run dry.yaml --dry-run")
    assert result.exit_code == 0
    assert "8 tasks to do" in result.output
    assert not (tmp_path / "other").exists()
    assert "\x1b" not in result.output  # no colours where nobody looks
