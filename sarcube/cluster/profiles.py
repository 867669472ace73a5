"""Cluster profiles: small YAML files, found by name, that say where work runs and what it costs."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from sarcube import __version__
from sarcube.errors import ClusterError
from sarcube.jsons import JsonObject
from sarcube.yaml_text import read_yaml

KINDS = ("local", "address", "fargate", "ec2", "slurm", "kubernetes", "gateway")
_SCHEMES = ("tcp://", "tls://", "ws://", "wss://", "ucx://", "inproc://")


class Aws(BaseModel):
    """What a profile of kind fargate or ec2 says about AWS.

    Attributes
    ----------
    region, vpc : str, optional
        Default: the AWS configuration's region, and its default VPC.
    subnets : tuple of str
        Default: all of the VPC.
    private : bool
        No public addresses: the client is in the VPC, which has a NAT or endpoints.
    client : str, optional
        The address (CIDR) that may reach the scheduler from outside of the security group.
    buckets : tuple of str
        That workers may read and write; `sarcube cluster up --bucket` adds to them.
    read : tuple of str
        Buckets that workers may read, like that of the scenes; `sarcube cluster up --read` adds to them. No other.
    scheduler_cpu, scheduler_memory : int
        Fargate: thousandths of 1.024 vCPUs (1024 is one), and MB.
    instance, scheduler_instance : str
        EC2: types of machines.
    image_id : str
        EC2: an AMI with Docker, or the public parameter that names the newest one.
    disk : int
        GB of a worker's disk.
    idle : str
        A scheduler without work ends itself after that time.
    start_s : float
        Seconds that the scheduler and the first worker may take to start.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    region: str | None = None
    vpc: str | None = None
    subnets: tuple[str, ...] = ()
    private: bool = False
    client: str | None = None
    buckets: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    scheduler_cpu: int = Field(1024, ge=256)
    scheduler_memory: int = Field(4096, ge=512)
    instance: str = "c7i.large"
    scheduler_instance: str = "t3.medium"
    image_id: str = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
    disk: int = Field(40, ge=21, le=200)
    idle: str = "10 minutes"
    start_s: float = Field(600.0, gt=0)

    @field_validator("client")
    @classmethod
    def _not_the_world(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            network = ipaddress.ip_network(value)
        except ValueError as error:
            raise ValueError(f"{error}; give the address that you come from, like 203.0.113.4/32") from error
        if network.prefixlen < (16 if network.version == 4 else 48):
            raise ValueError(f"{value} opens the scheduler to the world; give the address that you come from")
        return str(network)


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
        Container image, where workers run in containers. Default: that of this version of sarcube.
    spot : bool
        AWS: workers on spare capacity.
    aws : Aws
    usd_per_core_hour : float, optional
        For estimates.
    options : mapping
        Passed to the cluster class.
    file : Path, optional
        Where it was read, if it was named by its path.
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
    image: str = f"ghcr.io/sarcube/sarcube:{__version__}"
    spot: bool = False
    aws: Aws = Field(default_factory=Aws)
    usd_per_core_hour: float | None = None
    options: JsonObject = Field(default_factory=dict)
    file: Path | None = Field(None, exclude=True, repr=False)


def profile_folders() -> list[Path]:
    """Where profiles are looked for, first match wins: $SARCUBE_CLUSTER, then what came with the package.

    Never the working folder: a profile is code (`options` can preload modules, `environment` sets variables, and the
    definitions beside it are IAM policies), and what lies in a folder that was fetched or unpacked is not the user's.
    """
    own = os.environ.get("SARCUBE_CLUSTER")
    package = Path(__file__).parent
    folders = [Path(own)] if own else []
    # In a wheel the profiles lie inside the package, in a checkout beside it.
    return [*folders, package / "profiles", package.parents[1] / "cluster"]


def definitions_file(profile: Profile | None = None) -> Path:
    """The file that says what `sarcube cluster up` makes in AWS; one beside a profile named by its path goes first.

    Raises
    ------
    ClusterError
        There is none, in no folder of profiles.
    """
    beside = [profile.file.parent] if profile and profile.file else []
    for folder in (*beside, *profile_folders()):
        path = folder / "aws" / "definitions.yaml"
        if path.is_file():
            return path
    raise ClusterError(
        "aws/definitions.yaml is in no folder of cluster profiles; set SARCUBE_CLUSTER to one that has it"
    )


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
    by_path = name.endswith((".yaml", ".yml"))
    path = Path(name) if by_path else known_profiles().get(name)
    if path is None:
        if name == "local":
            return Profile(name="local")
        here = Path("cluster", f"{name}.yaml")
        if here.is_file():
            raise ClusterError(
                f"no cluster profile {name!r}; ./{here} is used only where it is named by its path, since a profile "
                f"can run code: `cluster: ./{here}`"
            )
        raise ClusterError(
            f"no cluster profile {name!r}; known: {', '.join(sorted({*known_profiles(), 'local'}))}; give one of "
            "these, a file that ends in .yaml, or the address of a scheduler like tcp://host:8786"
        )
    try:
        raw = read_yaml(path) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ClusterError(f"cluster profile {path} cannot be read: {error}") from error
    try:
        if not isinstance(raw, dict):
            raise TypeError
        if "file" in raw:
            raise ClusterError(f"cluster profile {path}: `file`: Extra inputs are not permitted")
        return Profile.model_validate({"name": path.stem, **raw} | ({"file": path} if by_path else {}))
    except (ValidationError, TypeError) as error:
        raise ClusterError(f"cluster profile {path}: {_first(error)}") from error


def _is_profile(path: Path) -> bool:
    try:
        raw = read_yaml(path)
    except OSError:
        return False
    except yaml.YAMLError:  # a profile that is broken is told when it is named
        return any(line.startswith(b"kind:") for line in path.read_bytes().splitlines())
    return isinstance(raw, dict) and "kind" in raw


def _first(error: ValidationError | TypeError) -> str:
    if isinstance(error, TypeError):
        return "it must hold keys and values, like `kind: local`"
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"])
    return f"`{key}`: {problem['msg']}"
