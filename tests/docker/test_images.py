"""The image definitions, linted, and every step of them carried out in an empty folder with a fresh environment.

No engine that builds images is needed: paths of the image are moved below a folder, and the programs that would
change the base system itself (apt-get, useradd, micromamba) are stand-ins that check what they are asked for.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from sarcube.cluster import Profile

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
MOVED = ("/opt/sarcube", "/build", "/var/lib/apt", "/usr/local/bin", "/home", "/tmp")
STAND_INS = {
    "apt-get": 'case "$*" in update | "install -y --no-install-recommends "*) ;; *) exit 64 ;; esac',
    "useradd": 'test "$*" = "--create-home --uid 1000 sarcube"',
    "micromamba": (
        'case "$*" in "install --yes --name base --file "*) test -s "${@: -1}" ;; "clean --all --yes") ;; *) exit 64 ;;'
        " esac"
    ),
}

pytestmark = [pytest.mark.timeout(900), pytest.mark.images]


class Step(NamedTuple):
    name: str
    value: str


def steps(path: Path) -> list[Step]:
    """Instructions of a Dockerfile, continuation lines joined."""
    text = re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [Step(*line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


class Sandbox:
    """An image's file system below a folder."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.folder = self.root
        programs = folder / "programs"
        programs.mkdir(parents=True)
        for name, body in STAND_INS.items():
            (programs / name).write_text(f"#!/bin/bash\n{body}\n")
            (programs / name).chmod(0o755)
        (programs / "python").symlink_to(sys.executable)
        self.base = f"{programs}:/usr/bin:/bin"
        # Packages are installed for this one test: compiling all of them ahead costs a minute.
        self.environment = {"PATH": self.base, "MAMBA_USER": "sarcube", "HOME": str(self.root), "PIP_NO_COMPILE": "1"}
        for name, value in os.environ.items():  # where packages come from here
            if name.startswith(("PIP_", "SSL_", "HTTP", "http", "REQUESTS_")):
                self.environment.setdefault(name, value)
        self.entry: list[str] = []

    def moved(self, text: str) -> str:
        text = text.replace("$MAMBA_USER", "sarcube")
        return re.sub(rf"(?<![\w./-])({'|'.join(MOVED)})(?=[/\s:]|$)", lambda m: f"{self.root}{m[1]}", text)

    def carry_out(self, step: Step) -> None:
        match step.name:
            case "WORKDIR":
                self.folder = Path(self.moved(step.value))
                self.folder.mkdir(parents=True, exist_ok=True)
            case "COPY":
                self._copy(step.value)
            case "ENV":
                for pair in step.value.split():
                    name, value = pair.split("=", 1)
                    self.environment[name] = self.moved(value).replace("$PATH", self.environment["PATH"])
            case "RUN":
                (self.root / "tmp").mkdir(parents=True, exist_ok=True)
                self.run(["bash", "-euo", "pipefail", "-c", self.moved(step.value)], cwd=self.folder)
            case "ENTRYPOINT":
                self.entry = json.loads(step.value)
            case "FROM":
                self.environment["PATH"] = self.base
            case "USER" | "CMD" | "ARG":
                pass
            case _:
                raise AssertionError(f"unknown instruction {step.name}")

    def _copy(self, value: str) -> None:
        options = [word for word in value.split() if word.startswith("--")]
        *sources, target = [word for word in value.split() if not word.startswith("--")]
        place = self.folder / self.moved(target)
        if any(option.startswith("--from") for option in options):
            assert all(Path(self.moved(source)).exists() for source in sources)  # the stages share this folder
            return
        ignored = shutil.ignore_patterns("__pycache__")
        for source in sources:
            goal = place / Path(source).name if target.endswith("/") or target == "." else place
            goal.parent.mkdir(parents=True, exist_ok=True)
            assert source.split("/")[0] in (DOCKER.parent / ".dockerignore").read_text()
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, goal, ignore=ignored)
            else:
                shutil.copy(ROOT / source, goal)

    def run(
        self, arguments: list[str], *, good: bool = True, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            arguments,
            cwd=cwd or self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=800,
        )
        assert not good or done.returncode == 0, f"{arguments}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    sandbox = Sandbox(tmp_path_factory.mktemp("image"))
    for step in steps(DOCKER / "Dockerfile"):
        sandbox.carry_out(step)
    return sandbox


def enter(image: Sandbox, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = image.root / "usr/local/bin" / image.entry[-1]
    assert os.access(script, os.X_OK)
    return image.run([str(script), *arguments], good=False)


def test_the_entry_point_is_the_command(image: Sandbox) -> None:
    said = enter(image, "--help")
    assert said.returncode == 0 and "sarcube" in said.stdout
    assert str(image.root) in image.run(["bash", "-c", "command -v sarcube"]).stdout


def test_the_entry_point_takes_the_options_of_one_scene(image: Sandbox) -> None:
    scene = "S1A_IW_SLC__1SSV_20220104T170557_20220104T170624_041314_04E951_F1F1"
    said = enter(image, "--scene", scene, "--burst_id_list", "t070_149815_iw9", "--resolution", "20")
    assert said.returncode == 2
    assert "t070_149815_iw9" in said.stderr and "Traceback" not in said.stderr


def test_schedulers_and_workers_run_in_it(image: Sandbox) -> None:
    for command in (["dask", "scheduler", "--version"], ["dask", "worker", "--version"]):
        assert enter(image, *command).returncode == 0
    compose = yaml.safe_load((DOCKER / "compose.yml").read_text())
    for service in ("scheduler", "worker"):
        command = compose["services"][service]["command"]
        assert command[0] == "dask" and enter(image, *command[:2], "--help").returncode == 0
        known = enter(image, *command[:2], "--help").stdout
        assert all(option in known for option in command if option.startswith("--"))


def test_kernels_are_compiled_into_it(image: Sandbox) -> None:
    assert list((image.root / "home/sarcube/.cache/numba").rglob("*.nbc"))


def test_steps_of_the_image_with_isce3(image: Sandbox, tmp_path: Path) -> None:
    """Its conda packages come from conda-forge alone; the rest runs in the environment of the slim image."""
    sandbox = Sandbox(tmp_path)
    sandbox.base = f"{image.root}/opt/sarcube/bin:{sandbox.base}"
    for step in steps(DOCKER / "Dockerfile.isce3"):
        sandbox.carry_out(step)
    environment = yaml.safe_load((DOCKER / "isce3-environment.yml").read_text())
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    pinned = {name for name in environment["dependencies"] if "=" in name}
    assert {"isce3=0.24", "opera-rtc=1.0.4", "s1reader=0.2.5"} <= pinned
    assert enter(sandbox, "--help").returncode == 0


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.isce3"])
def test_lint(name: str) -> None:
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([str(program), str(DOCKER / name)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_lock_file_holds_what_the_project_asks_for() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    locked = {line.split("==")[0] for line in (DOCKER / "requirements.lock").read_text().splitlines() if "==" in line}
    wanted = [*project["dependencies"], *extras["search"], *extras["unwrap"], *extras["aws"]]
    names = {re.split(r"[\[<>=~! ]", requirement)[0].lower() for requirement in wanted}
    assert names <= locked


def test_compose_file() -> None:
    compose = yaml.safe_load((DOCKER / "compose.yml").read_text())
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert not source.startswith("./") or (DOCKER / source).exists()
        # Nothing is open beyond this machine.
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    keys = json.loads((DOCKER / "s3.json").read_text())["identities"][0]["credentials"][0]
    shared = compose["services"]["worker"]["environment"]
    assert (keys["accessKey"], keys["secretKey"]) == (shared["AWS_ACCESS_KEY_ID"], shared["AWS_SECRET_ACCESS_KEY"])


def test_everything_is_named_by_its_version() -> None:
    """Bases by full version, pip packages pinned, and nothing that another push would change without a word."""
    for name in ("Dockerfile", "Dockerfile.isce3"):
        for base in re.findall(r"^ARG \w+_IMAGE=(\S+)$", (DOCKER / name).read_text(), flags=re.MULTILINE):
            assert re.search(r"@sha256:[0-9a-f]{64}$|:\d+\.\d+\.\d+", base), base
        bases = re.findall(r"^FROM (\S+)", (DOCKER / name).read_text(), flags=re.MULTILINE)
        assert bases and all(base.startswith("${") for base in bases)
    compose = yaml.safe_load((DOCKER / "compose.yml").read_text())
    assert all(":" in service["image"] for service in compose["services"].values())
    assert not Profile().image.endswith(":latest")
    locked = set(re.findall(r"^([\w.-]+==\S+)", (DOCKER / "requirements.lock").read_text(), flags=re.MULTILINE))
    pinned = re.findall(r"^([\w.-]+==\S+)", (DOCKER / "isce3-constraints.txt").read_text(), flags=re.MULTILINE)
    assert len(pinned) > 50
    assert set(pinned) <= locked, "the same versions as the other image's"
