"""Cubes of files on S3: with keys of the environment, with a profile's, without any; and what each read costs."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import boto3
import dask
import numpy as np
import pystac
import pytest

import sarcube
from sarcube.cube.handles import gdal_env
from sarcube.cube.reader import MergeReader
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid
from sarcube.transfer import aws
from tests.servers import S3Server, seaweedfs, use_server

GRID = GeoGrid(32629, 600000, 4500000, 20, 90, 70)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> S3Server:
    return use_server(monkeypatch, seaweedfs())


@pytest.fixture
def items(bursts: Any) -> list[pystac.Item]:
    """One burst on three dates, on disk."""
    days = ("03", "15", "27")
    return [bursts.burst(GRID, "t052_001000_iw1", f"2022-01-{day}T05:00:00") for day in days]


def _uploaded(
    server: S3Server, items: list[pystac.Item], *, bucket: str = "cubes-read", public: bool = False
) -> list[pystac.Item]:
    """The same items with their files in a bucket; that of `public` is readable without keys, as this server has it."""
    bucket = "public" if public else bucket
    client = server.client()
    if bucket not in [b["Name"] for b in client.list_buckets()["Buckets"]]:
        server.make_bucket(bucket)
    moved = []
    for item in items:
        copy = item.clone()
        for asset in copy.assets.values():
            key = Path(asset.href).name
            client.upload_file(asset.href, bucket, key)
            asset.href = f"s3://{bucket}/{key}"
        moved.append(copy)
    return moved


def test_keys_of_the_environment_read_without_a_session_of_boto3(
    server: S3Server, items: list[pystac.Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = sarcube.open_cube(items).compute()
    cube = sarcube.open_cube(_uploaded(server, items), chunks=32)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a session of boto3 is made for a read")

    monkeypatch.setattr(boto3, "Session", refuse)
    np.testing.assert_array_equal(cube["VV"], expected["VV"])
    np.testing.assert_allclose(cube["VV"].mean("time"), expected["VV"].mean("time"), rtol=1e-6)
    np.testing.assert_allclose(cube["VV"].median("time"), expected["VV"].median("time"), rtol=1e-6)
    np.testing.assert_array_equal(cube["VV"][:, 30, 40], expected["VV"][:, 30, 40])


def test_a_profile_s_keys_are_read_once(
    server: S3Server, items: list[pystac.Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = sarcube.open_cube(items)["VV"].values
    cube = sarcube.open_cube(_uploaded(server, items), chunks=32)
    keys = f"[mine]\naws_access_key_id = {server.access_key}\naws_secret_access_key = {server.secret_key}\n"
    (tmp_path / "credentials").write_text(keys)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    aws.boto3_session.cache_clear()
    made, original = [], boto3.Session

    def counted(*args: Any, **more: Any) -> Any:
        made.append(1)
        return original(*args, **more)

    monkeypatch.setattr(boto3, "Session", counted)
    np.testing.assert_array_equal(cube["VV"].compute(scheduler="sync"), expected)
    assert len(made) == 1


def test_public_files_are_read_without_keys(
    server: S3Server, items: list[pystac.Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = sarcube.open_cube(items)["VV"].values
    cube = sarcube.open_cube(_uploaded(server, items, public=True), chunks=32)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    np.testing.assert_array_equal(cube["VV"], expected)


def test_what_is_local_asks_nobody_for_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(profile: str | None) -> None:
        raise AssertionError("keys are looked for")

    monkeypatch.setattr("sarcube.cube.handles.boto3_session", refuse)
    with gdal_env(remote=False):
        pass


def test_several_dates_are_read_at_once_with_the_same_bits(
    server: S3Server, items: list[pystac.Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    options: Any = {"chunks": {"time": -1, "y": 32, "x": 32}}
    local = sarcube.open_cube(items, **options)["VV"]
    cube = sarcube.open_cube(_uploaded(server, items), **options)["VV"]
    meeting, read = threading.Barrier(len(items)), MergeReader.read

    def met(self: MergeReader, *args: Any) -> Any:
        meeting.wait(30)  # broken, which is an error, unless the reads of all dates are under way
        return read(self, *args)

    with dask.config.set(scheduler="sync"):
        expected = [getattr(local, name)("time").values for name in ("mean", "std", "median")]
        series = local[:, 30, 40].values
        monkeypatch.setattr(MergeReader, "read", met)
        for name, values in zip(("mean", "std", "median"), expected, strict=True):
            np.testing.assert_array_equal(getattr(cube, name)("time"), values)
        np.testing.assert_array_equal(cube[:, 30, 40], series)


def test_a_file_that_vanished_is_named_by_whichever_read_met_it(server: S3Server, items: list[pystac.Item]) -> None:
    moved = _uploaded(server, items, bucket="cubes-vanished")  # where GDAL knows no file from a read before
    cube = sarcube.open_cube(moved)["VV"]
    gone = moved[1].assets["VV"].href
    bucket, _, key = gone.removeprefix("s3://").partition("/")
    server.client().delete_object(Bucket=bucket, Key=key)
    for name in ("mean", "median"):
        with pytest.raises(CubeError, match=f"{key}.*vanished or is damaged"):
            getattr(cube, name)("time").compute()
