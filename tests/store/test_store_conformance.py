"""Every store by one suite, on a local folder, moto and a real S3 server; then what is S3's alone."""

from __future__ import annotations

import pickle

import pytest

from sarcube.errors import StoreError
from sarcube.store.protocol import Store, open_store
from sarcube.testing.store import StoreSuite
from tests.servers import S3Server


class TestEveryStore(StoreSuite):
    """On the three."""

    def test_listing_of_more_than_a_page(self, store: Store, request: pytest.FixtureRequest) -> None:
        if "moto" in request.node.callspec.id:
            pytest.skip("one server that pages is enough")
        super().test_listing_of_more_than_a_page(store)

    def test_of_many_replacers_one_wins(self, store: Store, request: pytest.FixtureRequest) -> None:
        if "moto" in request.node.callspec.id:
            pytest.skip("moto compares and writes in two steps: two of its threads may both win")
        super().test_of_many_replacers_one_wins(store)


def test_public_bucket_without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.servers import seaweedfs, use_server

    server = use_server(monkeypatch, seaweedfs())
    server.make_bucket("public", public=True)
    open_store("s3://public/data").write_bytes("a/x", b"1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    reader = open_store("s3://public/data", anonymous=True)
    assert reader.read_bytes("a/x") == b"1"
    assert reader.files("a") == ("x",)
    assert reader.gdal_options()["AWS_NO_SIGN_REQUEST"] == "YES"
    assert pickle.loads(pickle.dumps(reader)).anonymous
    with pytest.raises(PermissionError, match="AWS_NO_SIGN_REQUEST"):
        reader.write_bytes("a/y", b"1")
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    assert open_store("s3://public/data").read_bytes("a/x") == b"1"


def test_wrong_keys_are_told_without_being_shown(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    if s3_server.name == "moto":
        pytest.skip("moto takes any key")
    s3_server.make_bucket("closed")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-of-a-secret")
    store = open_store("s3://closed/x")
    with pytest.raises(PermissionError, match="AWS_SECRET_ACCESS_KEY") as caught:
        store.read_bytes("a")
    assert "canary" not in f"{caught.value!r}{store!r}"


@pytest.mark.parametrize("url", ["gs://bucket/x", "http://host/x", "s3://", "s3:///x"])
def test_unknown_addresses(url: str) -> None:
    with pytest.raises(StoreError):
        open_store(url)


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(StoreError) as caught:
        open_store("s3://key:canary-of-a-secret@bucket/x")
    assert "canary" not in str(caught.value)
