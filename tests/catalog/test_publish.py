"""The commit: one item per acquisition, whatever happens."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pystac
import pytest

from sarcube.catalog.check import check_store
from sarcube.catalog.collections import ensure_collection, update_collections
from sarcube.catalog.export import api_items
from sarcube.catalog.publish import publish_item
from sarcube.catalog.query import find_items, find_static_item, read_item
from sarcube.catalog.schemas import Schemas
from sarcube.cube.found import read_items
from sarcube.cube.selection import Selection
from sarcube.errors import CatalogError
from sarcube.production.clean import clean
from sarcube.products.names import item_key
from sarcube.products.public import at_home
from sarcube.store.local_store import LocalStore
from tests.catalog.examples import KINDS, RTC_S1, all_files, make_burst, make_rtc, make_static, publish
from tests.files import faults_of

BURST = "t070_149815_iw3"
ROOT = Path(__file__).parents[2]


def _start() -> object:
    import datetime as dt

    return make_burst().start_time.astype("datetime64[us]").item().replace(tzinfo=dt.UTC)


def _data_files(store: LocalStore) -> set[str]:
    return {key for key in store.list("rtc") if "_pending" not in key and not key.endswith("collection.json")}


def test_a_product_exists_from_its_item_on(local: LocalStore, schemas: Schemas) -> None:
    ensure_collection(local, "rtc", RTC_S1, schemas=schemas)
    made = make_rtc(local)
    assert not local.exists(item_key("rtc", BURST, _start())) and find_items(local, "rtc") == []
    outcome = publish(local, made, schemas)
    assert outcome.created and outcome.item_id == made[1].id and outcome.key == made[0].item_key
    assert local.exists(item_key("rtc", BURST, _start()))
    assert [item.id for item in find_items(local, "rtc")] == [made[1].id]
    assert not local.exists(item_key("static", BURST, None))
    publish(local, make_static(local), schemas)
    assert local.exists(item_key("static", BURST, None))


def test_the_second_of_one_acquisition_gives_way(local: LocalStore, schemas: Schemas) -> None:
    first, second = make_rtc(local, seed=1), make_rtc(local, seed=2)
    assert publish(local, first, schemas).created
    before = local.read_bytes(first[0].item_key)
    outcome = publish(local, second, schemas)
    assert not outcome.created and outcome.item_id == first[1].id
    assert local.read_bytes(first[0].item_key) == before
    assert _data_files(local) == {*(f.key for f in first[0].files), first[0].item_key}
    assert faults_of(local, first[0].files) == []


def test_many_threads_one_item(local: LocalStore, schemas: Schemas) -> None:
    made = [make_rtc(local, seed=seed) for seed in range(6)]
    together = threading.Barrier(6)

    def attempt(number: int) -> bool:
        together.wait()
        return publish(local, made[number], schemas).created

    with ThreadPoolExecutor(6) as pool:
        created = list(pool.map(attempt, range(6)))
    assert sum(created) == 1
    winner = made[created.index(True)]
    assert _data_files(local) == {*(f.key for f in winner[0].files), winner[0].item_key}
    assert faults_of(local, winner[0].files) == []


def _make_and_publish(root: str, seed: int, barrier: object, results: object) -> None:
    store = LocalStore(root)
    made = make_rtc(store, seed=seed)
    barrier.wait()  # type: ignore[attr-defined]
    outcome = publish_item(store, made[1], made[0], schemas=Schemas(cache=root, network=False))
    results.put((outcome.created, outcome.item_id))  # type: ignore[attr-defined]


def test_many_processes_one_item(local: LocalStore) -> None:
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(3), context.Queue()
    arguments = [(str(local.root), seed, barrier, results) for seed in range(3)]
    processes = [context.Process(target=_make_and_publish, args=a) for a in arguments]
    for process in processes:
        process.start()
    outcomes = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sum(created for created, _ in outcomes) == 1
    assert len({item_id for _, item_id in outcomes}) == 1  # losers name the winner's item
    [key] = [key for key in local.list("rtc") if key.endswith(".json")]
    stored = json.loads(local.read_bytes(key))
    assert len(_data_files(local)) == len(stored["assets"]) + 1


def test_an_invalid_item_is_never_published(local: LocalStore, schemas: Schemas) -> None:
    product, item = make_rtc(local)
    item.properties["sat:relative_orbit"] = "trackNumber"
    with pytest.raises(CatalogError, match="relative_orbit"):
        publish_item(local, item, product, schemas=schemas)
    assert all_files(local.root) == []  # nor do its files stay


def test_reprocessing_replaces(local: LocalStore, schemas: Schemas) -> None:
    first = make_rtc(local, seed=1)
    publish(local, first, schemas)
    second = make_rtc(local, seed=2)
    outcome = publish_item(local, second[1], second[0], schemas=schemas, overwrite=True)
    assert outcome.created
    assert read_item(local, second[0].item_key).id == second[1].id
    assert _data_files(local) == {*(f.key for f in second[0].files), second[0].item_key}
    assert faults_of(local, second[0].files) == []


def test_overwriting_where_nothing_is(local: LocalStore, schemas: Schemas) -> None:
    made = make_rtc(local)
    assert publish_item(local, made[1], made[0], schemas=schemas, overwrite=True).created
    assert faults_of(local, made[0].files) == []


def test_something_else_in_the_items_place(local: LocalStore, schemas: Schemas) -> None:
    made = make_rtc(local)
    local.write_bytes(made[0].item_key, b"{}")
    with pytest.raises(CatalogError, match="no item"):
        publish(local, made, schemas)


def test_a_kill_between_files_and_item_leaves_no_product(local: LocalStore, schemas: Schemas) -> None:
    ensure_collection(local, "rtc", RTC_S1, schemas=schemas)
    code = (
        "import os, signal\n"
        "from sarcube.store.local_store import LocalStore\n"
        "from tests.catalog.examples import KINDS, RTC_S1, make_rtc\n"
        f"make_rtc(LocalStore({str(local.root)!r}), seed=5)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == -9
    assert _data_files(local) and find_items(local, "rtc") == []
    assert not local.exists(item_key("rtc", BURST, _start()))
    made = make_rtc(local)
    assert publish(local, made, schemas).created
    assert faults_of(local, made[0].files) == []


def test_a_reader_never_meets_half_a_product(local: LocalStore, schemas: Schemas) -> None:
    ensure_collection(local, "rtc", RTC_S1, schemas=schemas)
    stop = threading.Event()
    faults: list[str] = []

    def read() -> None:
        while not stop.is_set():
            for item in find_items(local, "rtc"):
                faults.extend(a.href for a in item.assets.values() if not Path(a.href).is_file())

    reader = threading.Thread(target=read)
    reader.start()
    for day in range(1, 6):
        publish(local, make_rtc(local, start=f"2022-01-{day:02d}T12:47:52.5"), schemas)
    stop.set()
    reader.join()
    assert faults == [] and len(find_items(local, "rtc")) == 5


def test_an_item_says_its_public_address(local: LocalStore, core_schemas: Schemas, tmp_path: Path) -> None:
    """Whoever has the JSON alone, or an API, gets https addresses; the house reads its own store."""
    address = "https://my-bucket.s3.eu-central-1.amazonaws.com/nrb"
    for name in ("rtc", "static"):
        ensure_collection(local, name, KINDS[name], schemas=core_schemas)
    product, item = make_static(local)
    publish_item(local, item, product, schemas=core_schemas, public=address)
    static = find_static_item(local, "static", "t070_149815_iw3")
    assert static is not None and static.assets["incidence_angle"].href.startswith(local.url)
    product, item = make_rtc(local, static=static)
    publish_item(local, item, product, schemas=core_schemas, public=address)
    update_collections(local, schemas=core_schemas)

    stored = json.loads(local.read_bytes(product.item_key))
    folder = product.item_key.rpartition("/")[0]
    assert stored["assets"]["VV"]["href"] == f"{address}/{folder}/{product.name.stem}_VV.tif"
    ways = {link["rel"]: link["href"] for link in stored["links"]}
    assert ways["self"] == f"{address}/{product.item_key}" and ways["root"] == f"{address}/catalog.json"
    assert ways["parent"] == ways["collection"] == f"{address}/rtc/collection.json"
    alone = pystac.Item.from_dict(stored)
    assert alone.assets["VV"].get_absolute_href() == f"{address}/{folder}/{product.name.stem}_VV.tif"
    angle = alone.assets["incidence_angle"].get_absolute_href() or ""
    assert angle.startswith(f"{address}/static/t070_149815_iw3/") and angle.endswith("_incidence_angle.tif")
    (link,) = [one for one in alone.links if one.rel == "static-layers"]
    assert link.get_absolute_href() == f"{address}/static/t070_149815_iw3/T070-149815-IW3_STATIC.json"
    # The same keys as in the store: each address without its beginning is a file there.
    for exported in api_items(local):
        hrefs = [asset["href"] for asset in exported["assets"].values()]
        assert hrefs and all(local.exists(href.removeprefix(f"{address}/")) for href in hrefs)
    assert list(check_store(local, checksums=True, schemas=core_schemas)) == []
    assert not list(local.list("rtc/_pending"))
    # The house reads the store wherever it is: with its index and without, and one item alone.
    moved = LocalStore(tmp_path / "moved")
    shutil.copytree(local.url, moved.url)
    for indexed in (True, False):
        found = find_items(moved, "rtc")[0]
        assert all(asset.href.startswith(moved.url) for asset in found.assets.values())
        assert all(link.href.startswith(moved.url) for link in found.links if link.rel in ("parent", "static-layers"))
        if indexed:
            moved.delete("rtc/items.parquet")
    for path, there in ((moved.path(product.item_key), True), (tmp_path / "alone.json", False)):
        path.write_bytes(local.read_bytes(product.item_key))
        (opened,) = read_items(path, Selection())
        assert opened.assets["VV"].href.startswith(moved.url if there else address)


def test_an_item_with_a_public_address_is_replaced_with_all_its_files(local: LocalStore, core_schemas: Schemas) -> None:
    address = "https://host/nrb"
    ensure_collection(local, "rtc", RTC_S1, schemas=core_schemas)
    before, item = make_rtc(local)
    publish_item(local, item, before, schemas=core_schemas, public=address)
    after, item = make_rtc(local, seed=1)
    assert publish_item(local, item, after, schemas=core_schemas, public=address, overwrite=True).created
    assert not any(local.exists(file.key) for file in before.files)
    assert all(local.exists(file.key) for file in after.files)
    update_collections(local, schemas=core_schemas)
    swept = clean(local)
    assert swept.files == () and swept.healed == ()


@pytest.mark.parametrize(
    "odd",
    (
        {},
        {"links": None},
        {"links": [None, {"rel": ["self"]}, {"rel": "self"}, {"rel": "root", "href": 3}]},
        {"links": [{"rel": "self", "href": "https://a/x.json"}, {"rel": "root", "href": "../catalog.json"}]},
        {"links": [{"rel": "self", "href": "https://a/x.json"}, {"rel": "root", "href": "https://b/catalog.json"}]},
    ),
)
def test_what_says_no_public_address_is_read_as_it_is(odd: dict[str, Any]) -> None:
    assert at_home(odd) is odd
    assert at_home({**odd, "assets": {"VV": None}})["assets"] == {"VV": None}
