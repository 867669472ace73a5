"""What a chaos round is judged by: a reader that looks all the time, and a look at everything when it is over."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.chaos_stage import Scene

Files = Mapping[str, Callable[[], bytes]]
_WORLD = [[-180.0, -90.0, 180.0, 90.0]]


def items_of(files: Files) -> list[str]:
    """Keys of the items among the files of a store."""
    return sorted(k for k in files if k.rsplit("/", 1)[-1].startswith("T") and k.endswith(".json"))


class Reader:
    """Looks at every item there is, again and again: whatever has an item must be whole, and found by a query."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.faults: list[str] = []
        self.reads = self.queries = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        number = 0
        while not self._stop.is_set():
            self.look()
            if number % 5 == 0:
                self.query()
            number += 1
            self._stop.wait(0.1)

    def look(self) -> int:
        """Check every item by its files; returns how many there are."""
        # The items of one look, then files as they are now: a file that an item names must not go any more.
        items = items_of(self.scene.snapshot())
        files = self.scene.snapshot()
        for key in items:
            if _fault(key, _read(files, key), files):
                self.faults += self._certain(key)
            self.reads += 1
        return len(items)

    def _certain(self, key: str) -> list[str]:
        """What is wrong with an item whose files were looked at between two looks at itself, which found it the same.

        A product that is made again may lose the files of its last version while these are being read.
        """
        for _ in range(20):
            files = self.scene.snapshot()
            item = _read(files, key)
            fault = _fault(key, item, self.scene.snapshot())
            if not fault:
                return []
            if _read(files, key) == item:
                return [fault]
        return []

    def query(self) -> None:
        """Every item that was there before is found."""
        from sarcube.catalog.query import find_stored
        from sarcube.catalog.selection import Selection
        from sarcube.catalog.walk import collections
        from sarcube.errors import SarcubeError
        from sarcube.store.protocol import open_store

        try:
            names = collections(open_store(self.scene.url))
        except SarcubeError:
            return
        for collection in names:
            before = {k for k in items_of(self.scene.snapshot()) if k.startswith(f"{collection}/")}
            try:
                found = {key for key, _ in find_stored(open_store(self.scene.url), collection, Selection())}
            except SarcubeError:
                continue  # the server refused it once too often
            self.faults += [f"{key} is found by no query" for key in sorted(before - found)]
            self.queries += 1


def _read(files: Files, key: str) -> bytes | None:
    """A file as it is now; None where it is not there."""
    try:
        return files[key]()
    except (KeyError, OSError):
        return None


def _fault(key: str, item: bytes | None, files: Files) -> str:
    """What is wrong with an item, with its version; empty where nothing is."""
    try:
        stored = json.loads(item or b"")
    except ValueError:
        return f"{key} is visible in part"
    for asset in stored["assets"].values():
        name = f"{key.rsplit('/', 1)[0]}/{asset['href'].removeprefix('./')}"
        data = _read(files, name)
        if data is None:
            return f"{stored['id']} at {key} names {name}, which is not there"
        if asset["file:checksum"] != "1220" + hashlib.sha256(data).hexdigest():
            return f"{name} has the wrong checksum"
    return ""


def judge(scene: Scene, reader: Reader) -> list[str]:
    """Compare the store with what a quiet run leaves; returns faults."""
    from sarcube.production.clean import clean
    from sarcube.production.status import status
    from sarcube.store.protocol import open_store
    from sarcube.workflows.rehearsal.workflow import WORKFLOW

    faults = [f"{task.key} is missing" for task in scene.left()]
    units = WORKFLOW.find(scene.config).units
    made = sum(u.label != scene.lost for u in units)
    present = reader.look()
    most = len(units) + scene.bursts
    least = made + scene.bursts  # a date made while its scene was whole stays
    if not least <= present <= most or (not scene.lost and present != most):
        faults.append(f"{present} items instead of {least} to {most}")
    scene.quiet()  # what follows is the judge's look at what is stored
    store = open_store(scene.url)
    faults += _catalog_faults(store)
    # Before anything is cleaned: all that lies around is known to be dead, since nobody is left.
    found = status(scene.config)
    faults += [f"{key} may be somebody's, but nobody is left" for key in found.writing]
    faults += [f"status: {text}" for text in (*found.lost, *found.unindexed)]
    faults += [f"{key} belongs to nothing" for key in found.foreign]
    before = set(store.list())
    dry = clean(store)
    known = {file.key for file in dry.files}
    faults += [f"{key}: status knows it, clean does not" for key in found.stale if key not in known]
    if before != set(store.list()):
        faults.append("a dry run of clean changed the store")
    clean(store, delete=True)
    gone = before - set(store.list())
    faults += [f"clean took {key}" for key in sorted(gone - known - _markers(before))]
    faults += [f"{key} is still there after cleaning" for key in _rubbish(store, scene)]
    reader.look()
    return faults


def _markers(keys: set[str]) -> set[str]:
    return {key for key in keys if "/_pending/" in key}


def _rubbish(store: Any, scene: Scene) -> list[str]:
    """All that no item names and that is no part of a store."""
    from sarcube.production.content import Content

    content = Content(store)
    left = [one.key for one in content.leftovers() if not one.kept] + sorted(content.markers) + content.foreign
    if "://" not in scene.url:
        left += [str(p) for p in Path(scene.url).rglob(".*") if p.suffix != ".lock"]
    return left


def _catalog_faults(store: Any) -> list[str]:
    """Collections, index and root catalog against the items."""
    from sarcube.catalog.index import read_index
    from sarcube.catalog.query import find_stored
    from sarcube.catalog.selection import Selection
    from sarcube.catalog.walk import collections, walk_items
    from sarcube.products.product import checksum

    faults = []
    names = collections(store)
    if len(names) != 2:
        faults.append(f"collections: {names}")
    for name in names:
        items = dict(walk_items(store, name, Selection()))
        if dict(find_stored(store, name, Selection())) != items:
            faults.append(f"queries of {name} do not find the items as they are")
        index = read_index(store, name)
        if index is None:
            faults.append(f"{name} has no index")
            continue
        rows = index.rows()
        faults += [f"the index lacks {key}" for key in sorted(items.keys() - rows.keys())]
        faults += [f"the index has {key}, which is gone" for key in sorted(rows.keys() - items.keys())]
        faults += [
            f"the index has an older {k}" for k in sorted(items.keys() & rows.keys()) if rows[k] != items[k]["id"]
        ]
        collection = json.loads(store.read_bytes(f"{name}/collection.json"))
        links = sum(link["rel"] == "item" for link in collection["links"])
        if links != len(items):
            faults.append(f"the collection {name} links {links} items of {len(items)}")
        if collection["extent"]["spatial"]["bbox"] == _WORLD:
            faults.append(f"the collection {name} spans the world")
        stated = collection.get("assets", {}).get("items", {}).get("file:checksum")
        if stated != checksum(store.read_bytes(f"{name}/items.parquet")):
            faults.append(f"the collection {name} speaks of another index")
    links = json.loads(store.read_bytes("catalog.json"))["links"]
    children = sorted(link["href"] for link in links if link["rel"] == "child")
    if children != sorted(f"./{name}/collection.json" for name in names):
        faults.append(f"the catalog names {children}")
    return faults
