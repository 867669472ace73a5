"""Cluster profiles: small YAML files, found by name, that say where work runs and what it costs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sarcube.errors import ClusterError

KINDS = ("local", "address", "fargate", "ec2", "slurm", "kubernetes", "gateway")
_SCHEMES = ("tcp://", "tls://", "ws://", "wss://", "ucx://", "inproc://")


class Profile(BaseModel):
    """Where work runs.

    Attributes
    ----------
    name : str
    kind : str
    address : str, optional
        Of an existing scheduler (kind address), or of a gateway.
    workers : int, optional
        Fixed number; local: at most so many. Default: as many as cores and memory allow.
    minimum, maximum : int
        Bounds of adaptive scaling; used where `workers` is not given and the cluster is not local.
    threads : int, optional
        Kernel threads of a worker. A worker has one task at a time; its threads work on that task. Default:
        local, the cores that the workers leave each other; elsewhere 1.
    memory : float, optional
        GB per worker.
    environment : mapping of str to str
        For the workers. No secrets: name them in `pass_environment`.
    pass_environment : list of str
        Variables of the client that workers get too.
    image : str
        Container image, where workers run in containers.
    usd_per_core_hour : float, optional
        For estimates.
    options : mapping
        Passed to the cluster class.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    kind: Literal["local", "address", "fargate", "ec2", "slurm", "kubernetes", "gateway"] = "local"
    address: str | None = None
    workers: int | None = Field(None, ge=1)
    minimum: int = Field(0, ge=0)
    maximum: int = Field(8, ge=1)
    threads: int | None = Field(None, ge=1)
    memory: float | None = Field(None, gt=0)
    environment: dict[str, str] = Field(default_factory=dict)
    pass_environment: tuple[str, ...] = ()
    image: str = "ghcr.io/sarcube/sarcube:latest"
    usd_per_core_hour: float | None = None
    options: dict[str, Any] = Field(default_factory=dict)


def profile_folders() -> list[Path]:
    """Where profiles are looked for, first match wins: $SARCUBE_CLUSTER, ./cluster, what came with the package."""
    own = os.environ.get("SARCUBE_CLUSTER")
    package = Path(__file__).parent
    folders = [Path(own)] if own else []
    # In a wheel the profiles lie inside the package, in a checkout beside it.
    return [*folders, Path.cwd() / "cluster", package / "profiles", package.parents[1] / "cluster"]


def known_profiles() -> dict[str, Path]:
    """Every profile that can be named here, and its file."""
    found: dict[str, Path] = {}
    for folder in profile_folders():
        for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else ():
            if _is_profile(path):
                found.setdefault(path.stem, path)
    return found


def find_profile(name: str) -> Profile:
    """The profile of a name, of a file (`./mine.yaml`), or of a scheduler's address (`tcp://...`).

    Raises
    ------
    ClusterError
        There is none of that name, or its file is wrong.
    """
    if name.startswith(_SCHEMES):
        return Profile(name=name, kind="address", address=name)
    path = Path(name) if name.endswith((".yaml", ".yml")) else known_profiles().get(name)
    if path is None:
        if name == "local":
            return Profile(name="local")
        raise ClusterError(
            f"no cluster profile {name!r}; known: {', '.join(sorted({*known_profiles(), 'local'}))}; give one of "
            "these, a file that ends in .yaml, or the address of a scheduler like tcp://host:8786"
        )
    try:
        raw = yaml.safe_load(path.read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ClusterError(f"cluster profile {path} cannot be read: {error}") from error
    try:
        return Profile.model_validate({"name": path.stem, **raw})
    except (ValidationError, TypeError) as error:
        raise ClusterError(f"cluster profile {path}: {_first(error)}") from error


def _is_profile(path: Path) -> bool:
    try:
        return any(line.startswith("kind:") for line in path.read_text().splitlines())
    except OSError:
        return False


def _first(error: ValidationError | TypeError) -> str:
    if isinstance(error, TypeError):
        return "it must hold keys and values, like `kind: local`"
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"])
    return f"`{key}`: {problem['msg']}"
