"""Everything that lies in a store, by what it is: items, their files, files that no item names, others' files."""

from __future__ import annotations

import contextlib
import json
import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from sarcube.catalog.index import FILE, read_index, strays
from sarcube.catalog.pending import Pending, newer, pending, processed_of
from sarcube.catalog.selection import Selection
from sarcube.catalog.walk import collections
from sarcube.errors import DamagedIndexError, StoreError
from sarcube.jsons import JsonObject
from sarcube.production.records import RUNS
from sarcube.products.attempt import as_item, lineage_of, marker_key, verdict
from sarcube.products.kinds import ENDINGS
from sarcube.products.names import ItemName, ProductName
from sarcube.products.sweep import own_name
from sarcube.store.protocol import Store
from sarcube.workflows.task import day_text, unit_key

SILENT_S = 86_400.0
LATER = "a later product is there"
_WARNINGS = "sarcube:warnings"
_FURNITURE = ("collection.json", "catalog.json", FILE)
_REQUESTS = 16
_LOOKS = 1_000  # items that seem to lack files and are looked at again, since runs may go on


@dataclass(frozen=True)
class PlaceStatus:
    """One place.

    Attributes
    ----------
    place : str
    present : tuple of str
        Days whose products exist.
    missing : tuple of str
        Days that the run asks for and that do not exist; empty where only the store was looked at.
    once : tuple of str
        Kinds without time of which it has its product.
    lacking : tuple of str
        Kinds without time that the run asks for and that do not exist.
    """

    place: str
    present: tuple[str, ...]
    missing: tuple[str, ...] = ()
    once: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True)
class Leftover:
    """A file of sarcube's that no item names.

    Attributes
    ----------
    key : str
    why : str
        Why it is of no use any more; empty where it may belong to a run that goes on.
    kept : str
        Why it is kept all the same.
    """

    key: str
    why: str = ""
    kept: str = ""


class Content:
    """What one look at a store finds; a run that goes on meanwhile makes nothing look lost or left behind."""

    # The order of looks matters. A file is announced before it is written, and its marker goes once the index holds
    # its item: keys first, then markers, then index and items.

    def __init__(self, store: Store) -> None:
        self.store = store
        self.collections = collections(store)
        self.items: dict[str, ItemName] = {}
        self.files: dict[str, ProductName] = {}
        self.foreign: list[str] = []
        self.keys: set[str] = set()
        for key in store.list():
            self._sort(key)
        self.markers: dict[str, Pending] = {}
        self.unindexed: set[str] = set()  # items that no query finds, and rows of the index that stand for none
        self.versions: dict[str, str] = {}  # item to the time of processing that its id carries
        self.warnings: list[tuple[str, str]] = []  # of the items: task and text
        self.named: set[str] = set()
        self._lineage: dict[str, tuple[str, ...]] = {}
        self._lacking: set[str] = set()
        self._asked: float | None = None
        for name in self.collections:
            self.markers |= {marker.marker: marker for marker in pending(store, name)}
        for key, stored in self._read():
            self._take(key, stored)
        self.lost = tuple(self._lost())

    def _sort(self, key: str) -> None:
        path = PurePosixPath(key)
        if path.parts[0] == RUNS or path.name in _FURNITURE or any(part.startswith("_") for part in path.parts):
            return  # records, and what the catalog keeps for itself
        self.keys.add(key)
        if path.suffix == ".json" and (item := ItemName.parse(path.name)):
            self.items[key] = item
            return
        name = own_name(path.name) if path.parts[0] in self.collections else None
        if name is not None and path.suffix in ENDINGS and str(path.parent) == name.folder(path.parts[0]):
            self.files[key] = name
        else:
            self.foreign.append(key)

    def _read(self) -> Iterator[tuple[str, JsonObject]]:
        """Every item that is there; of an index where it holds the version that is there."""
        left = set(self.items)
        for name in self.collections:
            markers = [m for m in self.markers.values() if m.marker.startswith(f"{name}/")]
            try:
                index = read_index(self.store, name)
                rows = {} if index is None else index.rows()
            except (StoreError, DamagedIndexError):
                self.unindexed |= {key for key in self.items if key.startswith(f"{name}/")}
                continue
            if index is None:
                continue
            announced = newer(markers, rows)
            astray = strays(name, rows, (key for key in self.keys if key.startswith(f"{name}/")))
            self.unindexed |= astray - announced
            with contextlib.suppress(DamagedIndexError):  # what it cannot tell, files do
                for key, stored in index.select(Selection()):
                    if key in left and key not in announced and key not in astray:
                        left.discard(key)
                        yield key, stored
        yield from _read_all(self.store, left)

    def _take(self, key: str, stored: JsonObject) -> None:
        self.versions[key] = processed_of(str(stored.get("id", "")))
        self._lineage[key] = lineage_of(stored)
        said = stored.get("properties")
        told = said.get(_WARNINGS) if isinstance(said, dict) else None
        self.warnings += [(self.task(key), str(text)) for text in (told if isinstance(told, list) else ())]
        named = named_files(self.store, key, stored)
        self.named |= named
        if not stored or named - self.keys:
            self._lacking.add(key)

    def _lost(self) -> Iterator[str]:
        """Items that lack files, in words, after a second look at each."""
        suspects = sorted(self._lacking)
        again = dict(_read_all(self.store, suspects[:_LOOKS]))
        for key in suspects[:_LOOKS]:
            stored = again.get(key)
            if stored is None:
                continue  # removed meanwhile
            if not stored:
                yield f"{key} is damaged"
            elif gone := sorted(f for f in named_files(self.store, key, stored) if not self._there(f)):
                yield f"{key} lacks {len(gone)} of its files ({PurePosixPath(gone[0]).name}, ...)"
        yield from (f"{key} lacks files" for key in suspects[_LOOKS:])

    def _there(self, key: str) -> bool:
        return key in self.keys or self.store.exists(key)

    def task(self, item_key: str) -> str:
        """Key of the task that makes an item."""
        name = self.items[item_key]
        return unit_key(self._kind(item_key), name.place, name.start, name.tag)

    def units(self) -> set[str]:
        """Keys of all tasks whose item is there."""
        return {self.task(key) for key in self.items}

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Kinds by collection, as collections say it, or the names of files in stores of version 0.1."""
        found = {key.split("/", 1)[0]: name.kind for key, name in self.files.items()}
        for collection in self.collections:
            with contextlib.suppress(StoreError, ValueError, AttributeError, RecursionError):
                stored = json.loads(self.store.read_bytes(f"{collection}/collection.json"))
                found[collection] = stored.get("sarcube:kind") or found.get(collection, collection)
        return found

    def _kind(self, key: str) -> str:
        collection = key.split("/", 1)[0]
        return self.kinds.get(collection, collection)

    def leftovers(self) -> list[Leftover]:
        """Product files that no item names, each with what is known of it."""
        looked: dict[str, str] = {}  # by marker, which several files share
        return [self._judged(key, name, looked) for key, name in sorted(self.files.items()) if key not in self.named]

    def _judged(self, key: str, name: ProductName, looked: dict[str, str]) -> Leftover:
        collection = key.split("/", 1)[0]
        item = name.item_key(collection)
        if self.versions.get(item, "") >= f"{name.processed:%Y%m%dT%H%M%SZ}":
            if name.stem in self._lineage.get(item, ()):
                return Leftover(key, kept="replaced, but without a time: items elsewhere may name it")
            return Leftover(key, LATER)
        marker = marker_key(collection, name)
        if marker in self.markers:
            if marker not in looked:
                looked[marker] = verdict(self.store, marker, self._now())
            return Leftover(key, looked[marker])
        info = self.store.stat(key)
        age = self._now() - info.modified if info else 0.0
        return Leftover(key, f"announced by nobody, {age / 3600.0:.0f} hours old" if age > SILENT_S else "")

    def _now(self) -> float:
        """What the store's clock said when this was asked first."""
        if self._asked is None:
            self._asked = self.store.now()
        return self._asked

    def places(self) -> list[PlaceStatus]:
        """What there is of each place."""
        days: defaultdict[str, list[str]] = defaultdict(list)
        once: defaultdict[str, list[str]] = defaultdict(list)
        for key, name in self.items.items():
            if name.start is None:
                once[name.place].append(self._kind(key))
            else:
                days[name.place].append(day_text(name.start, name.tag))
        return [PlaceStatus(p, tuple(sorted(days[p])), once=tuple(sorted(once[p]))) for p in sorted({*days, *once})]


def named_files(store: Store, item_key: str, stored: JsonObject) -> set[str]:
    """Keys of all files in this store that an item names, its own and others'."""
    folder, root = str(PurePosixPath(item_key).parent), store.url + "/"
    assets = stored.get("assets", {})
    found = set()
    for asset in assets.values() if isinstance(assets, dict) else ():
        href = str(asset.get("href", "")) if isinstance(asset, dict) else ""
        if href.startswith(root):
            found.add(href.removeprefix(root))
        elif href and "://" not in href and not href.startswith("/"):
            found.add(posixpath.normpath(f"{folder}/{href}"))
    return {key for key in found if not key.startswith("../")}


def _read_all(store: Store, keys: Iterable[str]) -> Iterator[tuple[str, JsonObject]]:
    """Items by key; empty where what is there is none, left out where nothing is."""

    def read(key: str) -> JsonObject | None:
        found = store.read_version(key)
        return None if found is None else as_item(found[0])

    wanted = sorted(keys)
    with ThreadPoolExecutor(_REQUESTS) as pool:
        for key, stored in zip(wanted, pool.map(read, wanted), strict=True):
            if stored is not None:
                yield key, stored if stored.get("type") == "Feature" else {}
