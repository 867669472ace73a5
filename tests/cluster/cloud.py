"""A cloud for tests: moto answers for AWS, and an agent starts what would run in containers as local processes.

Each task or machine has its own address 127.10.x.y, on which its process listens, as it would on a network card.
The processes get the environment that AWS would give them and nothing of the test's own, so that what they know
came the real way.
"""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers import S3Server, moto

ACCOUNT = "123456789012"
ROOT = Path(__file__).resolve().parents[2]
_KEPT = ("PATH", "HOME", "LANG", "NUMBA_CACHE_DIR", "TMPDIR")


@dataclass
class Started:
    """A process that stands for a container."""

    process: subprocess.Popen[bytes]
    command: list[str]
    environment: dict[str, str]
    image: str
    log: Path


@dataclass
class Cloud:
    """One region of the simulated AWS, with nothing in it but a VPC."""

    server: S3Server
    region: str
    folder: Path
    vpc: str = ""
    subnet: str = ""
    started: dict[str, Started] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def client(self, service: str) -> Any:
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.server.endpoint,
            region_name=self.region,
            aws_access_key_id=self.server.access_key,
            aws_secret_access_key=self.server.secret_key,
        )

    @property
    def running(self) -> list[Started]:
        return [s for s in self.started.values() if s.process.poll() is None]

    def logs(self) -> str:
        return "\n".join(f"--- {s.command}\n{s.log.read_text(errors='replace')[-3000:]}" for s in self.started.values())

    # --- the agent

    def look(self) -> None:
        """Start what should run, stop what should not."""
        from moto.ec2.models import ec2_backends
        from moto.ecs.models import ecs_backends

        ecs = ecs_backends[ACCOUNT][self.region]
        for tasks in list(ecs.tasks.values()):
            for task in list(tasks.values()):
                self._task(ecs, task)
        for reservation in list(ec2_backends[ACCOUNT][self.region].reservations.values()):
            for instance in list(reservation.instances):
                self._instance(instance)

    def _task(self, ecs: Any, task: Any) -> None:
        known = self.started.get(task.id)
        if task.desired_status != "RUNNING":
            if known:
                _end(known)
            return
        if known:
            if known.process.poll() is not None:
                task.status = task.desired_status = "STOPPED"
            return
        definition = ecs.describe_task_definition(task.task_definition_arn)
        (container,) = definition.container_definitions
        (override,) = task.overrides["containerOverrides"]
        assert override["name"] == container["name"]
        (address,) = [d["value"] for a in task.attachments for d in a["details"] if d["name"] == "privateIPv4Address"]
        environment = {e["name"]: e["value"] for e in container.get("environment", ())}
        for secret in container.get("secrets", ()):
            name = "/" + secret["valueFrom"].split(":parameter/", 1)[1]
            found = self.client("ssm").get_parameter(Name=name, WithDecryption=True)
            environment[secret["name"]] = found["Parameter"]["Value"]
        environment |= {e["name"]: e["value"] for e in override.get("environment", ())}
        command = [*override["command"], "--host", address]
        program = str(Path(sys.executable).with_name(command[0]))
        self._start(task.id, [program, *command[1:]], environment, container["image"])

    def _instance(self, instance: Any) -> None:
        known = self.started.get(instance.id)
        if instance._state.name in ("terminated", "shutting-down"):
            if known:
                _end(known)
            return
        if known is None:
            command, environment, image = _docker_run(instance.user_data)
            address = instance.private_ip_address if hasattr(instance, "private_ip_address") else instance.private_ip
            if "--spec" in command:
                at = command.index("--spec") + 1
                spec = json.loads(command[at])
                spec["opts"]["host"] = address
                command[at] = json.dumps(spec)
            else:
                command += ["--host", address]
            assert command[0] == "python"
            self._start(instance.id, [sys.executable, *command[1:]], environment, image)

    def _start(self, key: str, command: list[str], environment: dict[str, str], image: str) -> None:
        log = self.folder / f"{key}.log"
        clean = {k: os.environ[k] for k in _KEPT if k in os.environ}
        clean |= self.server.environment | {"PYTHONPATH": str(ROOT), "AWS_REGION": self.region}
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                env=clean | environment,
                stdout=out,
                stderr=out,
                cwd=self.folder,
                start_new_session=True,
            )
        self.started[key] = Started(process, command, environment, image, log)


def _docker_run(user_data: Any) -> tuple[list[str], dict[str, str], str]:
    """Command, environment and image of the container that a machine's cloud-init starts."""
    raw = user_data if isinstance(user_data, bytes) else str(user_data).encode()
    with suppress(ValueError):
        raw = base64.b64decode(raw, validate=True)
    text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    (line,) = [c for c in yaml.safe_load(text)["runcmd"] if str(c).startswith("docker run")]
    words = shlex.split(line)[2:]
    environment: dict[str, str] = {}
    while words[0].startswith("-"):
        word = words.pop(0)
        if word in ("-e", "--ulimit", "--log-opt"):
            value = words.pop(0)
            if word == "-e":
                name, _, text_value = value.partition("=")
                environment[name] = text_value
    image, *command = words
    return command, environment, image


def _end(started: Started) -> None:
    if started.process.poll() is None:
        os.killpg(started.process.pid, signal.SIGTERM)


@contextmanager
def cloud(monkeypatch: pytest.MonkeyPatch, folder: Path, region: str) -> Iterator[Cloud]:
    """The cloud, with this process pointed at it; everything in it ends with the block."""
    import requests

    server = moto()
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_NO_SIGN_REQUEST", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**server.environment, "AWS_REGION": region, "AWS_DEFAULT_REGION": region}.items():
        monkeypatch.setenv(name, value)
    # Tasks stay as they are until the agent or a caller changes them.
    requests.post(
        f"{server.endpoint}/moto-api/state-manager/set-transition",
        json={"model_name": "ecs::task", "transition": {"progression": "manual", "times": 10**9}},
        timeout=10,
    ).raise_for_status()
    addresses = (f"127.10.{i // 250}.{i % 250 + 2}" for i in itertools.count(os.getpid() % 200 * 250))
    for module in ("moto.ecs.models", "moto.ec2.models.instances"):
        monkeypatch.setattr(f"{module}.random_private_ip", lambda *_a, **_k: next(addresses))
    made = Cloud(server, region, folder)
    ec2 = made.client("ec2")
    made.vpc = ec2.create_vpc(CidrBlock="127.10.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=made.vpc, EnableDnsHostnames={"Value": True})
    made.subnet = ec2.create_subnet(VpcId=made.vpc, CidrBlock="127.10.0.0/16")["Subnet"]["SubnetId"]
    made.client("ecs").put_account_setting(name="taskLongArnFormat", value="enabled")
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.2):
            try:
                made.look()
            except Exception as error:  # shown by the test instead of dying in silence
                made.faults.append(repr(error))

    agent = threading.Thread(target=watch, daemon=True)
    agent.start()
    try:
        yield made
    finally:
        stop.set()
        agent.join()
        for started in made.started.values():
            _end(started)
        for started in made.started.values():
            try:
                started.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(started.process.pid, signal.SIGKILL)
                started.process.wait()
