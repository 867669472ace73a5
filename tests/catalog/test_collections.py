"""Collections, the root catalog and the index: true, complete, movable, safe under many writers."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pystac
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sarcube.catalog.check import check_store
from sarcube.catalog.collections import ensure_collection, update_collections
from sarcube.catalog.index import Index
from sarcube.catalog.pending import pending
from sarcube.catalog.publish import publish_item
from sarcube.catalog.query import find_items, find_static_item, find_stored
from sarcube.catalog.schemas import Schemas
from sarcube.catalog.selection import Selection
from sarcube.catalog.validate import validate
from sarcube.catalog.walk import collections, walk_items
from sarcube.errors import CatalogError, StoreError
from sarcube.geometry.longitudes import shortest_span
from sarcube.products.product import checksum
from sarcube.store.local_store import LocalStore
from tests.catalog.examples import CASES, KINDS, RTC_S1, Case, make_rtc, make_static, publish


def _fill(store: LocalStore, schemas: Schemas, cases: tuple[Case, ...] = CASES, days: int = 2) -> None:
    for name in ("rtc", "static"):
        ensure_collection(store, name, KINDS[name], schemas=schemas)
    for case in cases:
        publish(store, make_static(store, case), schemas)
        static = find_static_item(store, "static", case.burst_id)
        for day in range(days):
            start = f"2022-01-{1 + 12 * day:02d}T12:47:52.123456"
            publish(store, make_rtc(store, case, start, static=static), schemas)


def _check_links(root: Path) -> int:
    """Every link and asset inside the store leads to a file; every checksum is right. Number of files met."""
    count = 0
    for path in [root / "catalog.json", *root.rglob("collection.json"), *root.rglob("T*.json")]:
        stored = json.loads(path.read_text())
        for link in [*stored["links"], *stored.get("assets", {}).values()]:
            href = link["href"]
            if "://" in href:
                continue
            assert not href.startswith("/"), f"{path}: {href}"
            target = (path.parent / href).resolve()
            assert target.is_file() and target.is_relative_to(root.resolve()), f"{path}: {href}"
            count += 1
            if "file:checksum" in link:
                data = target.read_bytes()
                assert (len(data), checksum(data)) == (link["file:size"], link["file:checksum"])
    return count


def test_an_index_of_a_collection_that_says_no_columns_keeps_its_own(local: LocalStore, schemas: Schemas) -> None:
    # As version 0.1 wrote them: neither the kind nor its facts stand in collection.json.
    _fill(local, schemas, CASES[:1], 1)
    update_collections(local, schemas=schemas)
    path = local.root / "rtc" / "collection.json"
    stored = json.loads(path.read_text())
    assert stored.pop("sarcube:kind") == "RTC_S1" and stored.pop("sarcube:facts")
    path.write_text(json.dumps(stored))
    index = local.root / "rtc" / "items.parquet"
    columns = Index(index.read_bytes()).facts
    assert {fact.type for fact in columns} >= {"text", "texts", "integer"}
    publish(local, make_rtc(local, CASES[0], "2022-03-01T12:47:52.123456"), schemas)
    update_collections(local, schemas=schemas)
    assert Index(index.read_bytes()).facts == columns and Index(index.read_bytes()).count == 2


def test_a_whole_store_is_valid_and_can_be_moved(local: LocalStore, schemas: Schemas, tmp_path: Path) -> None:
    _fill(local, schemas)
    assert update_collections(local, schemas=schemas) == ("rtc", "static")
    assert _check_links(local.root) > 100
    moved = tmp_path / "elsewhere" / "deep" / "store"
    shutil.copytree(local.root, moved)
    shutil.rmtree(local.root)
    assert _check_links(moved) > 100
    for path in [moved / "catalog.json", *moved.rglob("collection.json"), *moved.rglob("T*.json")]:
        outcome = validate(json.loads(path.read_text()), schemas)
        assert outcome.problems == () and outcome.unchecked == (), path
    items = find_items(str(moved), "rtc")
    assert len(items) == 8
    assert all(Path(a.href).is_file() for item in items for a in item.assets.values())


def test_pystac_crawls_it(local: LocalStore, schemas: Schemas) -> None:
    _fill(local, schemas, CASES[:1])
    update_collections(local, schemas=schemas)
    catalog = pystac.Catalog.from_file(str(local.root / "catalog.json"))
    assert sorted(child.id for child in catalog.get_children()) == ["rtc", "static"]
    items = list(catalog.get_items(recursive=True))
    assert len(items) == 3
    collection = items[0].get_collection()
    assert collection is not None and collection.id in {"rtc", "static"}
    assert all(Path(a.get_absolute_href() or "").is_file() for i in items for a in i.assets.values())


def test_a_new_collection_is_valid_before_its_first_item(local: LocalStore, schemas: Schemas) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ensure_collection(local, "rtc", RTC_S1, schemas=schemas), range(4)))
    stored = json.loads(local.read_bytes("rtc/collection.json"))
    assert validate(stored, schemas).problems == ()
    assert stored["extent"]["temporal"]["interval"] == [["2014-04-03T00:00:00.000000Z", None]]
    assert collections(local) == ("rtc",)
    assert find_items(local, "rtc") == []
    update_collections(local, schemas=schemas)
    assert _check_links(local.root) == 4


def test_what_a_collection_says(local: LocalStore, schemas: Schemas) -> None:
    _fill(local, schemas, CASES[:2])
    update_collections(local, schemas=schemas)
    stored = json.loads(local.read_bytes("rtc/collection.json"))
    assert stored["summaries"]["sat:relative_orbit"] == [7, 70]
    assert stored["summaries"]["proj:code"] == ["EPSG:3031", "EPSG:32629"]
    assert stored["summaries"]["sar:polarizations"] == ["HH", "HV", "VH", "VV"]
    assert stored["extent"]["temporal"]["interval"] == [["2022-01-01T12:47:52.123456Z", "2022-01-13T12:47:55.203901Z"]]
    [bbox] = stored["extent"]["spatial"]["bbox"]
    items = find_items(local, "rtc")
    assert bbox[1] == min(i.bbox[1] for i in items if i.bbox) < -70
    assert bbox[3] == max(i.bbox[3] for i in items if i.bbox) > 36
    assert set(stored["item_assets"]) >= {"VV", "VH", "HH", "HV", "mask", "incidence_angle", "thumbnail"}
    items_linked = [link for link in stored["links"] if link["rel"] == "item"]
    assert len(items_linked) == 4
    # What browsers list: QGIS shows the whole address of a link without a title.
    assert [link["title"] for link in items_linked] == [Path(link["href"]).stem for link in items_linked]

    def children() -> dict[str, str]:
        links = json.loads(local.read_bytes("catalog.json"))["links"]
        return {link["href"].split("/")[1]: link["title"] for link in links if link["rel"] == "child"}

    titles = children()
    assert titles == {n: json.loads(local.read_bytes(f"{n}/collection.json"))["title"] for n in ("rtc", "static")}
    (local.root / "rtc" / "collection.json").write_bytes(b"{}")
    ensure_collection(local, "third", RTC_S1, schemas=schemas)
    assert children() == {**titles, "rtc": "rtc", "third": titles["rtc"]}, "one is damaged, and still named"


@pytest.mark.parametrize("name", ["", "a/b", ".hidden"])
def test_names_of_collections(name: str, local: LocalStore, schemas: Schemas) -> None:
    with pytest.raises(CatalogError, match="cannot name"):
        ensure_collection(local, name, RTC_S1, schemas=schemas)


def test_the_index_holds_what_the_files_say(local: LocalStore, schemas: Schemas) -> None:
    _fill(local, schemas)
    update_collections(local, schemas=schemas)
    for name in ("rtc", "static"):
        walked = dict(walk_items(local, name, Selection()))
        assert dict(find_stored(local, name, Selection())) == walked
        assert pending(local, name) == []
    only = dict(find_stored(local, "rtc", Selection(), ["VV", "mask"]))
    assert all(set(stored["assets"]) <= {"VV", "mask"} for stored in only.values())


def test_what_was_published_since_is_found(local: LocalStore, schemas: Schemas) -> None:
    _fill(local, schemas, CASES[:1])
    update_collections(local, schemas=schemas)
    new = make_rtc(local, start="2022-02-06T12:47:52.1")
    publish(local, new, schemas)
    again = make_rtc(local, start="2022-01-01T12:47:52.123456", seed=9)
    publish_item(local, again[1], again[0], schemas=schemas, overwrite=True)
    for _ in range(3):
        found = find_items(local, "rtc")
        assert len(found) == 3
        assert {new[1].id, again[1].id} <= {item.id for item in found}
        assert dict(find_stored(local, "rtc", Selection())) == dict(walk_items(local, "rtc", Selection()))
        update_collections(local, schemas=schemas)
    assert pending(local, "rtc") == []


def test_updates_and_publishing_at_once_lose_nothing(local: LocalStore, schemas: Schemas) -> None:
    ensure_collection(local, "rtc", RTC_S1, schemas=schemas)

    def produce(day: int) -> None:
        publish(local, make_rtc(local, start=f"2022-01-{day:02d}T12:47:52.5"), schemas)
        if day % 3 == 0:
            update_collections(local, schemas=schemas)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(produce, range(1, 13)))
    assert len(find_items(local, "rtc")) == 12
    update_collections(local, schemas=schemas)
    assert len(find_items(local, "rtc")) == 12 and pending(local, "rtc") == []
    stored = json.loads(local.read_bytes("rtc/collection.json"))
    assert sum(link["rel"] == "item" for link in stored["links"]) == 12


@pytest.mark.parametrize("rebuild", [False, True])
def test_items_deleted_by_hand_leave_the_index(rebuild: bool, local: LocalStore, schemas: Schemas) -> None:
    _fill(local, schemas, CASES[:1])
    update_collections(local, schemas=schemas)
    key = find_items(local, "rtc")[0].self_href.removeprefix(local.url + "/")
    local.delete(key)
    update_collections(local, schemas=schemas, rebuild=rebuild)
    assert len(find_items(local, "rtc")) == 1


def test_a_lock_of_version_0_1_keeps_nobody_waiting(local: LocalStore, schemas: Schemas) -> None:
    _fill(local, schemas, CASES[:1])
    local.write_bytes("rtc/_index.lock", json.dumps({"holder": "x", "alive": time.time()}).encode())
    update_collections(local, schemas=schemas)
    assert pending(local, "rtc") == [] and local.exists("rtc/items.parquet")


def test_an_older_index_never_wins(local: LocalStore, schemas: Schemas) -> None:
    """A process that sleeps while it brings the index up to date wakes after others have."""
    _fill(local, schemas, CASES[:1])
    update_collections(local, schemas=schemas)
    publish(local, make_rtc(local, start="2022-02-06T12:47:52.1"), schemas)
    sleeper = _Sleeping(local, "rtc/items.parquet")
    slow = threading.Thread(target=update_collections, args=(sleeper,), kwargs={"schemas": schemas})
    slow.start()
    assert sleeper.asleep.wait(60)
    publish(local, make_rtc(local, start="2022-02-18T12:47:52.1"), schemas)
    update_collections(local, schemas=schemas)
    assert pending(local, "rtc") == []
    sleeper.wake.set()
    slow.join()
    assert len(find_items(local, "rtc")) == 4
    assert Index(local.read_bytes("rtc/items.parquet")).rows() == {
        key: stored["id"] for key, stored in walk_items(local, "rtc", Selection())
    }
    collection = json.loads(local.read_bytes("rtc/collection.json"))
    assert sum(link["rel"] == "item" for link in collection["links"]) == 4
    assert collection["assets"]["items"]["file:checksum"] == checksum(local.read_bytes("rtc/items.parquet"))


class _Sleeping(LocalStore):
    """A store whose first write of one key takes until it is woken."""

    def __init__(self, store: LocalStore, key: str) -> None:
        super().__init__(store.root)
        self.key, self.asleep, self.wake = key, threading.Event(), threading.Event()

    def _sleep(self, key: str) -> None:
        if key == self.key and not self.asleep.is_set():
            self.asleep.set()
            assert self.wake.wait(60)

    def write_bytes(self, key: str, data: bytes | memoryview) -> None:
        self._sleep(key)
        super().write_bytes(key, data)

    def replace_bytes(self, key: str, data: bytes | memoryview, version: str) -> None:
        self._sleep(key)
        super().replace_bytes(key, data, version)


@pytest.mark.parametrize("step", ["items.parquet", "collection.json", "_pending/"])
def test_killed_while_it_brings_collections_up_to_date(step: str, local: LocalStore, schemas: Schemas) -> None:
    """The next one finds what lags behind and puts it right, at once."""
    _fill(local, schemas, CASES[:1])
    code = (
        "import os, signal, sys\n"
        "from sarcube.catalog.collections import update_collections\n"
        "from sarcube.store.local_store import LocalStore\n"
        "def dying(real):\n"
        "    def call(self, key, *more):\n"
        f"        if {step!r} in key and key.startswith('rtc/'):\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return real(self, key, *more)\n"
        "    return call\n"
        "for name in ('create_bytes', 'write_bytes', 'replace_bytes', 'delete'):\n"
        "    if hasattr(LocalStore, name):\n"
        "        setattr(LocalStore, name, dying(getattr(LocalStore, name)))\n"
        f"update_collections({str(local.root)!r}, schemas={str(schemas.folder)!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == -9
    assert len(find_items(local, "rtc")) == 2
    update_collections(local, schemas=schemas)
    assert pending(local, "rtc") == [] and len(find_items(local, "rtc")) == 2
    collection = json.loads(local.read_bytes("rtc/collection.json"))
    assert collection["extent"]["spatial"]["bbox"] != [[-180.0, -90.0, 180.0, 90.0]]
    assert sum(link["rel"] == "item" for link in collection["links"]) == 2
    assert list(check_store(local, schemas=schemas)) == []


def test_an_item_that_an_index_of_0_1_has_lost_is_found_again(local: LocalStore, schemas: Schemas) -> None:
    _fill(local, schemas, CASES[:1])
    update_collections(local, schemas=schemas)
    older = local.read_bytes("rtc/items.parquet")
    publish(local, make_rtc(local, start="2022-02-06T12:47:52.1"), schemas)
    update_collections(local, schemas=schemas)
    local.write_bytes("rtc/items.parquet", older)  # as two updates at once could leave it
    assert len(find_items(local, "rtc")) == 2
    update_collections(local, schemas=schemas)
    assert len(find_items(local, "rtc")) == 3


def test_a_damaged_index_is_made_anew(local: LocalStore, schemas: Schemas) -> None:
    _fill(local, schemas, CASES[:1])
    update_collections(local, schemas=schemas)
    local.write_bytes("rtc/items.parquet", b"PAR1 and nothing more")
    update_collections(local, schemas=schemas)
    assert len(find_items(local, "rtc")) == 2


def test_two_catalogs_at_once_name_both_collections(local: LocalStore, schemas: Schemas) -> None:
    for _ in range(5):
        names = [f"c{i}" for i in range(6)]
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda name: ensure_collection(local, name, RTC_S1, schemas=schemas), names))
        links = json.loads(local.read_bytes("catalog.json"))["links"]
        assert [link["href"] for link in links if link["rel"] == "child"] == [f"./{n}/collection.json" for n in names]
        shutil.rmtree(local.root)


def test_the_index_is_stac_geoparquet(local: LocalStore, schemas: Schemas) -> None:
    import geopandas
    import stac_geoparquet.arrow

    _fill(local, schemas)
    update_collections(local, schemas=schemas)
    path = local.root / "rtc" / "items.parquet"
    frame = geopandas.read_parquet(path)
    assert len(frame) == 8 and frame.geometry.is_valid.all() and str(frame["datetime"].dtype).endswith("UTC]")
    table = pq.read_table(path).drop_columns(["sarcube:key", "sarcube:item", "sarcube:assets"])
    items = list(stac_geoparquet.arrow.stac_table_to_items(table))
    assert len(items) == 8
    for item in items:
        read = pystac.Item.from_dict(item)
        assert (path.parent / read.assets["mask"].href).is_file()
        assert read.properties["sat:relative_orbit"] in {1, 7, 30, 70}


def test_finding(local: LocalStore, schemas: Schemas) -> None:
    _fill(local, schemas)
    for indexed in (False, True):
        if indexed:
            update_collections(local, schemas=schemas)
        count = lambda **wanted: len(find_items(local, "rtc", **wanted))  # noqa: E731
        assert count() == 8 and len(find_items(local)) == 12
        assert count(dates=("2022-01-01", "2022-01-01")) == 4
        assert count(dates=("2022-01-02", None)) == 4
        assert count(dates=("2022-01-01T12:47:56", "2022-01-13T12:47:52")) == 0
        assert count(dates=("2022-01-01T12:47:53", "2022-01-13T12:47:53")) == 8
        assert count(places=["T070_149815_IW3"]) == 2
        assert count(places=["t070_149815_iw1"]) == 0
        assert count(bbox=(-9.1, 36, -8.9, 36.2)) == 2
        assert count(bbox=(-20, 36, -9.1, 36.2)) == 0
        assert count(bbox=(179, 50, 181, 53)) == count(bbox=(179, 50, -179, 53)) == 2
        assert count(bbox=(-180, -90, 180, 90)) == 8
        assert count(bbox=(-181, 50, -179, 53)) == 2
        assert len(find_items(local, "static", dates=("2030-01-01", None))) == 4  # valid whatever the date
    with pytest.raises(StoreError, match="no collection nothing"):
        find_items(local, "nothing")
    with pytest.raises(CatalogError, match="date"):
        find_items(local, "rtc", dates=("yesterday", None))
    with pytest.raises(CatalogError, match="bbox"):
        find_items(local, "rtc", bbox=(1, 2, 3))
    for box in ((math.nan, 0, 1, 1), (0, 5, 1, 2), (0, 0, math.inf, 1), "abcd", (0, -95, 1, 1)):
        with pytest.raises(CatalogError, match="bbox must be west"):
            find_items(local, "rtc", bbox=box)  # type: ignore[arg-type]
    for dates in ("2022", ("2022-01-01",), (1, 2)):
        with pytest.raises(CatalogError, match="date"):
            find_items(local, "rtc", dates=dates)  # type: ignore[arg-type]
    assert len(find_items(local, "rtc", places="T070_149815_IW3")) == 2


def test_an_empty_or_mistyped_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="sarcube run"):
        find_items(str(tmp_path / "nothing"))


@settings(max_examples=200, deadline=None)
@given(
    st.sets(
        st.tuples(st.integers(-180, 179), st.integers(1, 40)).map(
            lambda p: (float(p[0]), float((p[0] + p[1] + 180) % 360 - 180))
        ),
        min_size=1,
        max_size=6,
    )
)
def test_the_shortest_range_of_longitudes(spans: set[tuple[float, float]]) -> None:
    west, east = shortest_span(spans)
    assert -180 <= west <= 180 and -180 <= east <= 180
    covered = {d for w, e in spans for d in _degrees(w, e)}
    chosen = _degrees(west, east)
    assert covered <= set(chosen)
    if len(chosen) < 360:
        gap = 360 - len(chosen)
        free = sorted(set(range(360)) - covered)
        longest = run = 0
        for degree in [*free, *(d + 360 for d in free)]:
            run = run + 1 if degree - 1 in {*free, *(d + 360 for d in free)} else 1
            longest = max(longest, min(run, 360))
        assert gap == longest


def _degrees(west: float, east: float) -> list[int]:
    """Degrees [d, d + 1) that a range from west to east holds, as 0 to 359."""
    width = round(east - west) % 360 or 360
    return [(round(west) + i) % 360 for i in range(width)]
