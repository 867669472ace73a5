"""What GDAL is told about S3."""

from __future__ import annotations

import pytest
import rasterio
from rasterio._env import get_gdal_config

from sarcube.transfer.aws import gdal_options


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
