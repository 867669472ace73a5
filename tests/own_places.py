"""A server for each test that asks for it, and a cache folder of its own for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http_server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture(autouse=True)
def own_places(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Cache, home and credentials of the test alone; retries without long pauses."""
    from sarcube.sensors.sentinel1 import orbit_providers
    from sarcube.transfer import aws, remote, sessions

    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("SARCUBE_CACHE", str(home / "cache"))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SARCUBE_HTTP_PAUSE", "0.01")
    monkeypatch.setenv("SARCUBE_HTTP_ATTEMPTS", "3")
    for name in (
        "EARTHDATA_USERNAME",
        "EARTHDATA_LOGIN",
        "EARTHDATA_PASSWORD",
        "EARTHDATA_TOKEN",
        "CDSE_USERNAME",
        "CDSE_LOGIN",
        "CDSE_PASSWORD",
        "CDSE_TOKEN",
        "CDSE_ACCESS_TOKEN",
        "CDSE_TOTP",
        "NETRC",
        "SARCUBE_ENV_FILE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(home)
    yield home
    orbit_providers._listing.cache_clear()
    remote.open_remote.cache_clear()
    aws._client.cache_clear()
    aws.boto3_session.cache_clear()
    sessions._tokens.clear()
