"""What every store must do. Derive a test class, and give it a fixture `store` that is empty for each test."""

from __future__ import annotations

import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import rasterio

from sarcube.errors import StoreConflictError, StoreError
from sarcube.geometry.grid import GeoGrid
from sarcube.products.cog import encode_cog
from sarcube.products.kinds import Layer
from sarcube.store.protocol import Store, open_store


class StoreSuite:
    """`class TestMine(StoreSuite)`, with a fixture `store`.

    Attributes
    ----------
    pages : bool
        Write and list more than a thousand objects.
    """

    pages: ClassVar[bool] = True

    def test_what_is_written_is_read(self, store: Store) -> None:
        store.write_bytes("a/b/c.bin", b"one")
        store.write_bytes("a/b/c.bin", b"three")
        assert store.read_bytes("a/b/c.bin") == b"three"
        info = store.stat("a/b/c.bin")
        assert info is not None and info.size == 5 and info.key == "a/b/c.bin"
        assert store.exists("a/b/c.bin")

    def test_empty_and_memoryview(self, store: Store) -> None:
        store.write_bytes("empty", b"")
        store.write_bytes("view", memoryview(b"abcdef")[2:4])
        assert store.read_bytes("empty") == b""
        assert store.read_bytes("view") == b"cd"

    def test_absent_objects(self, store: Store) -> None:
        assert not store.exists("nothing")
        assert store.stat("nothing") is None
        store.delete("nothing")
        with pytest.raises(StoreError, match="nothing"):
            store.read_bytes("nothing")
        assert list(store.list("no/folder")) == []
        assert store.folders("no/folder") == ()

    def test_a_folder_is_no_object(self, store: Store) -> None:
        store.write_bytes("folder/file", b"1")
        assert not store.exists("folder")

    def test_create_refuses_what_exists(self, store: Store) -> None:
        store.create_bytes("x/item.json", b"first")
        with pytest.raises(StoreConflictError):
            store.create_bytes("x/item.json", b"second")
        assert store.read_bytes("x/item.json") == b"first"
        store.delete("x/item.json")
        store.create_bytes("x/item.json", b"third")
        assert store.read_bytes("x/item.json") == b"third"

    def test_of_many_creators_one_wins(self, store: Store) -> None:
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

    def test_what_is_replaced_must_be_as_it_was_read(self, store: Store) -> None:
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

    def test_of_many_replacers_one_wins(self, store: Store) -> None:
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

    def test_the_stores_clock_is_that_of_its_objects(self, store: Store) -> None:
        before = store.now()
        store.write_bytes("a", b"1")
        info = store.stat("a")
        assert info is not None
        assert before - 2.0 <= info.modified <= store.now() + 2.0  # HTTP tells whole seconds

    def test_a_reader_never_meets_half(self, store: Store) -> None:
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

    def test_listing(self, store: Store) -> None:
        for key in ("c/1/x", "c/1/y", "c/2/deep/z", "c/top", "other"):
            store.write_bytes(key, b"1")
        assert sorted(store.list("c")) == ["c/1/x", "c/1/y", "c/2/deep/z", "c/top"]
        assert sorted(store.list("c/")) == sorted(store.list("c"))
        assert store.folders("c") == ("1", "2")
        assert store.files("c") == ("top",)
        assert set(store.folders()) >= {"c"} and store.files() == ("other",)
        assert len(list(store.list())) == 5
        assert list(store.list("c/1/")) == ["c/1/x", "c/1/y"]

    def test_listing_does_not_mix_prefixes(self, store: Store) -> None:
        store.write_bytes("rtc/a", b"1")
        store.write_bytes("rtc_static/a", b"1")
        assert list(store.list("rtc")) == ["rtc/a"]
        assert store.folders() == ("rtc", "rtc_static")

    def test_listing_of_more_than_a_page(self, store: Store) -> None:
        if not self.pages:
            pytest.skip("another store of this kind is asked")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: store.write_bytes(f"many/{n:04d}", b"1"), range(1_050)))
        assert len(list(store.list("many"))) == 1_050
        assert len(store.files("many")) == 1_050

    def test_upload(self, store: Store, tmp_path: Path) -> None:
        path = tmp_path / "local.bin"
        path.write_bytes(os.urandom(100_000))
        store.upload(path, "up/loaded.bin")
        assert store.read_bytes("up/loaded.bin") == path.read_bytes()
        with pytest.raises(StoreError):
            store.upload(tmp_path / "absent", "up/absent")
        assert not store.exists("up/absent")

    def test_large_objects_go_in_parts(self, store: Store) -> None:
        data = os.urandom(1 << 20) * 70  # above the limit of one request
        store.write_bytes("large", data)
        info = store.stat("large")
        assert info is not None and info.size == len(data)
        assert store.read_bytes("large") == data

    @pytest.mark.parametrize("key", ["", "/etc/passwd", "../up", "a/../../b", "a//b", "a/./b", "a\\b", "a/"])
    def test_keys_stay_inside(self, store: Store, key: str) -> None:
        with pytest.raises(StoreError, match="not a key"):
            store.write_bytes(key, b"1")

    def test_it_pickles_by_address(self, store: Store) -> None:
        store.write_bytes("k", b"1")
        raw = pickle.dumps(store)
        assert b"secret" not in raw and len(raw) < 500
        assert pickle.loads(raw).read_bytes("k") == b"1"
        assert pickle.loads(raw) == store == open_store(store.url)

    def test_gdal_reads_it(self, store: Store) -> None:
        grid = GeoGrid(32629, 500_000, 4_000_000, 20, 600, 520)
        values = np.arange(600 * 520, dtype=np.float32).reshape(520, 600)
        store.write_bytes("folder/a.tif", encode_cog(values, grid, Layer("values", "Values")))
        with rasterio.Env(**store.gdal_options()), rasterio.open(store.gdal_path("folder/a.tif")) as data:
            assert data.crs.to_epsg() == 32629
            np.testing.assert_array_equal(data.read(1), values)

    def test_hrefs_are_absolute(self, store: Store) -> None:
        assert store.href("a/b") == f"{store.url}/a/b"
        assert "://" in store.url or store.url.startswith("/")
