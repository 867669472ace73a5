"""What every store must do: one suite, run on a local folder, moto and a real S3 server."""

from __future__ import annotations

import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import rasterio

from sarcube.errors import StoreConflictError, StoreError
from sarcube.geometry.grid import GeoGrid
from sarcube.products.cog import encode_cog
from sarcube.store.protocol import Store, open_store
from sarcube.workflows.rtc.kinds import LAYERS
from tests.servers import S3Server


def test_what_is_written_is_read(store: Store) -> None:
    store.write_bytes("a/b/c.bin", b"one")
    store.write_bytes("a/b/c.bin", b"three")
    assert store.read_bytes("a/b/c.bin") == b"three"
    info = store.stat("a/b/c.bin")
    assert info is not None and info.size == 5 and info.key == "a/b/c.bin"
    assert store.exists("a/b/c.bin")


def test_empty_and_memoryview(store: Store) -> None:
    store.write_bytes("empty", b"")
    store.write_bytes("view", memoryview(b"abcdef")[2:4])
    assert store.read_bytes("empty") == b""
    assert store.read_bytes("view") == b"cd"


def test_absent_objects(store: Store) -> None:
    assert not store.exists("nothing")
    assert store.stat("nothing") is None
    store.delete("nothing")
    with pytest.raises(StoreError, match="nothing"):
        store.read_bytes("nothing")
    assert list(store.list("no/folder")) == []
    assert store.folders("no/folder") == ()


def test_a_folder_is_no_object(store: Store) -> None:
    store.write_bytes("folder/file", b"1")
    assert not store.exists("folder")


def test_create_refuses_what_exists(store: Store) -> None:
    store.create_bytes("x/item.json", b"first")
    with pytest.raises(StoreConflictError):
        store.create_bytes("x/item.json", b"second")
    assert store.read_bytes("x/item.json") == b"first"
    store.delete("x/item.json")
    store.create_bytes("x/item.json", b"third")
    assert store.read_bytes("x/item.json") == b"third"


def test_of_many_creators_one_wins(store: Store) -> None:
    together = threading.Barrier(8)

    def attempt(number: int) -> bool:
        together.wait()
        try:
            store.create_bytes("race", b"writer %d" % number)
        except StoreConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, range(8)))
    assert sum(won) == 1
    assert store.read_bytes("race") == b"writer %d" % won.index(True)


def test_what_is_replaced_must_be_as_it_was_read(store: Store) -> None:
    assert store.read_version("x/item.json") is None
    store.create_bytes("x/item.json", b"first")
    found = store.read_version("x/item.json")
    assert found is not None and found[0] == b"first"
    store.replace_bytes("x/item.json", b"second", found[1])
    with pytest.raises(StoreConflictError):
        store.replace_bytes("x/item.json", b"third", found[1])
    assert store.read_bytes("x/item.json") == b"second"
    again = store.read_version("x/item.json")
    assert again is not None and again[1] != found[1]
    store.delete("x/item.json")
    with pytest.raises(StoreConflictError):
        store.replace_bytes("x/item.json", b"fourth", again[1])
    assert not store.exists("x/item.json")
    assert list(store.list()) == []


def test_of_many_replacers_one_wins(store: Store) -> None:
    store.write_bytes("race", b"start")
    for _ in range(5):
        found = store.read_version("race")
        assert found is not None
        together = threading.Barrier(6)

        def attempt(number: int, found: tuple[bytes, str] = found, together: threading.Barrier = together) -> bool:
            together.wait()
            try:
                store.replace_bytes("race", found[0] + b" %d" % number, found[1])
            except StoreConflictError:
                return False
            return True

        with ThreadPoolExecutor(6) as pool:
            won = list(pool.map(attempt, range(6)))
        assert sum(won) == 1
        assert store.read_bytes("race") == found[0] + b" %d" % won.index(True)


def test_the_stores_clock_is_that_of_its_objects(store: Store) -> None:
    before = store.now()
    store.write_bytes("a", b"1")
    info = store.stat("a")
    assert info is not None
    assert before - 2.0 <= info.modified <= store.now() + 2.0  # HTTP tells whole seconds


def test_a_reader_never_meets_half(store: Store) -> None:
    sizes = {200_000: b"a", 300_000: b"b"}
    store.write_bytes("object", b"a" * 200_000)
    stop = threading.Event()
    seen: list[bytes] = []

    def read() -> None:
        while not stop.is_set():
            seen.append(store.read_bytes("object"))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(6):
        for size, letter in sizes.items():
            store.write_bytes("object", letter * size)
    stop.set()
    reader.join()
    assert seen
    assert all(data == sizes.get(len(data), b"?") * len(data) for data in seen)


def test_listing(store: Store) -> None:
    for key in ("c/1/x", "c/1/y", "c/2/deep/z", "c/top", "other"):
        store.write_bytes(key, b"1")
    assert sorted(store.list("c")) == ["c/1/x", "c/1/y", "c/2/deep/z", "c/top"]
    assert sorted(store.list("c/")) == sorted(store.list("c"))
    assert store.folders("c") == ("1", "2")
    assert store.files("c") == ("top",)
    assert set(store.folders()) >= {"c"} and store.files() == ("other",)
    assert len(list(store.list())) == 5
    assert list(store.list("c/1/")) == ["c/1/x", "c/1/y"]


def test_listing_does_not_mix_prefixes(store: Store) -> None:
    store.write_bytes("rtc/a", b"1")
    store.write_bytes("rtc_static/a", b"1")
    assert list(store.list("rtc")) == ["rtc/a"]
    assert store.folders() == ("rtc", "rtc_static")


def test_listing_of_more_than_a_page(store: Store) -> None:
    if os.environ.get("AWS_ACCESS_KEY_ID") == "tester" and store.url.startswith("s3://"):
        pytest.skip("one server that pages is enough")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: store.write_bytes(f"many/{n:04d}", b"1"), range(1_050)))
    assert len(list(store.list("many"))) == 1_050
    assert len(store.files("many")) == 1_050


def test_upload(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "local.bin"
    path.write_bytes(os.urandom(100_000))
    store.upload(path, "up/loaded.bin")
    assert store.read_bytes("up/loaded.bin") == path.read_bytes()
    with pytest.raises(StoreError):
        store.upload(tmp_path / "absent", "up/absent")
    assert not store.exists("up/absent")


def test_large_objects_go_in_parts(store: Store) -> None:
    data = os.urandom(1 << 20) * 70  # above the limit of one request
    store.write_bytes("large", data)
    info = store.stat("large")
    assert info is not None and info.size == len(data)
    assert store.read_bytes("large") == data


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../up", "a/../../b", "a//b", "a/./b", "a\\b", "a/"])
def test_keys_stay_inside(store: Store, key: str) -> None:
    with pytest.raises(StoreError, match="not a key"):
        store.write_bytes(key, b"1")


def test_it_pickles_by_address(store: Store) -> None:
    store.write_bytes("k", b"1")
    raw = pickle.dumps(store)
    assert b"secret" not in raw and len(raw) < 500
    assert pickle.loads(raw).read_bytes("k") == b"1"
    assert pickle.loads(raw) == store == open_store(store.url)


def test_gdal_reads_it(store: Store) -> None:
    import numpy as np

    grid = GeoGrid(32629, 500_000, 4_000_000, 20, 600, 520)
    values = np.arange(600 * 520, dtype=np.float32).reshape(520, 600)
    store.write_bytes("folder/a.tif", encode_cog(values, grid, LAYERS["VV"]))
    with rasterio.Env(**store.gdal_options()), rasterio.open(store.gdal_path("folder/a.tif")) as data:
        assert data.crs.to_epsg() == 32629
        np.testing.assert_array_equal(data.read(1), values)


def test_hrefs_are_absolute(store: Store) -> None:
    assert store.href("a/b") == f"{store.url}/a/b"
    assert "://" in store.url or store.url.startswith("/")


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
