"""What GDAL is told about S3."""

from __future__ import annotations

from pathlib import Path

import pytest
import rasterio
from rasterio._env import get_gdal_config

from sarcube.store.protocol import open_store
from sarcube.transfer.atomic import written_whole
from sarcube.transfer.aws import gdal_options, s3_store
from sarcube.transfer.raster import REMOTE_OPTIONS


def test_a_server_that_the_environment_names_later_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    for host in ("one.example:9000", "other.example:9000"):
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}")
        monkeypatch.setenv("AWS_S3_ENDPOINT", host)
        with rasterio.Env(**gdal_options("bucket")):
            assert get_gdal_config("AWS_S3_ENDPOINT") == host
        assert get_gdal_config("AWS_S3_ENDPOINT") == host


def test_a_server_that_only_boto_knows_is_told_to_gdal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_S3_ENDPOINT", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://one.example:9000")
    options = gdal_options("bucket")
    assert options["AWS_S3_ENDPOINT"] == "one.example:9000"
    assert options["AWS_HTTPS"] == "NO"


def test_one_client_for_all_tasks_until_the_environment_names_another(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-west-1"}.items():
        monkeypatch.setenv(name, value)
    first = [open_store("s3://bucket/x") for _ in range(2)]
    assert first[0]._client is first[1]._client is s3_store("bucket")
    assert first[0].client() is first[1].client()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "c")
    assert s3_store("bucket") is not first[0]._client


def test_gdal_reads_over_the_network_in_one_way(monkeypatch: pytest.MonkeyPatch) -> None:
    from sarcube.cube.handles import gdal_options as of_cubes

    store = open_store("s3://bucket/x")
    for options in (store.gdal_options(), of_cubes(remote=True)):
        assert {k: options.get(k) for k in REMOTE_OPTIONS} == REMOTE_OPTIONS


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt), written_whole(path) as part:
        part.write_bytes(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"before"
    with written_whole(path) as part:
        part.write_bytes(b"after")
    assert path.read_bytes() == b"after"
    assert list(tmp_path.iterdir()) == [path]
