"""Stores of every kind, for the conformance suite and whoever else wants them."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from sarcube.store.protocol import Store, open_store
from tests.servers import S3Server, moto, seaweedfs, use_server

_numbers = itertools.count()


@pytest.fixture(params=["moto", "seaweedfs"])
def s3_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """An S3 server that this process's environment points at."""
    return use_server(monkeypatch, moto() if request.param == "moto" else seaweedfs())


@pytest.fixture(params=["local", "moto", "seaweedfs"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    """An empty store of each kind."""
    if request.param == "local":
        return open_store(tmp_path / "store")
    server = use_server(monkeypatch, moto() if request.param == "moto" else seaweedfs())
    if not any(bucket["Name"] == "stores" for bucket in server.client().list_buckets()["Buckets"]):
        server.make_bucket("stores")
    return open_store(f"s3://stores/{next(_numbers)}/prefix")
