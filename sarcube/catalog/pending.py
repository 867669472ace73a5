"""Published, but not yet in the index: one empty marker per item, so that no query misses an item.

A marker is written before the item it announces and removed once an index holds that item. Its name says all,
`T070-149815-IW3_20220101T124752Z.20250408T025401Z` (item, time of processing): listing one folder is enough.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sarcube.errors import StoreConflictError, StoreError
from sarcube.products.names import ProductName, item_key
from sarcube.products.product import remove_files
from sarcube.store.protocol import Store

log = logging.getLogger(__name__)
FOLDER = "_pending"
_LOCK = "_index.lock"
_ABANDONED = dt.timedelta(days=2)
_STALE = 600.0  # seconds without a sign of life
_TIME = "%Y%m%dT%H%M%SZ"
_MARKER = re.compile(r"(T\d{3}-\d{6}-[A-Z]{2}\d)_(\d{8}T\d{6}Z|STATIC)\.(\d{8}T\d{6}Z)")


@dataclass(frozen=True)
class Pending:
    """A marker: which item, and which processing of it."""

    marker: str
    key: str
    burst_id: str
    start: dt.datetime | None
    processed: str


def announce(store: Store, collection: str, name: ProductName) -> str:
    """Leave the marker of a product about to be published; its key is returned."""
    item = name.item_key(collection).rsplit("/", 1)[-1].removesuffix(".json")
    marker = f"{collection}/{FOLDER}/{item}.{name.processed.strftime(_TIME)}"
    store.write_bytes(marker, b"")
    return marker


def pending(store: Store, collection: str) -> list[Pending]:
    """All markers of a collection."""
    found = []
    for name in store.files(f"{collection}/{FOLDER}"):
        match = _MARKER.fullmatch(name)
        if match is None:
            continue
        burst_id = match[1].lower().replace("-", "_")
        start = None if match[2] == "STATIC" else dt.datetime.strptime(match[2], _TIME).replace(tzinfo=dt.UTC)
        key = item_key(collection, burst_id, start)
        found.append(Pending(f"{collection}/{FOLDER}/{name}", key, burst_id, start, match[3]))
    return found


def processed_of(item_id: str) -> str:
    """The time of processing that an item's id carries, as markers write it; empty for foreign ids."""
    try:
        return ProductName.parse(item_id).processed.strftime(_TIME)
    except ValueError:
        return ""


def newer(markers: list[Pending], ids: dict[str, str]) -> set[str]:
    """Keys whose marker tells of a later processing than the index (`ids`: key to item id) has."""
    return {m.key for m in markers if m.key not in ids or processed_of(ids[m.key]) < m.processed}


def settle(store: Store, markers: list[Pending], ids: dict[str, str]) -> None:
    """Remove the markers of items that an index now holds (`ids`: key to item id), and markers of no use.

    A marker newer than its item belongs to a product about to be published, unless it is days old: then its
    writer was killed or lost a race.
    """
    old = (dt.datetime.now(dt.UTC) - _ABANDONED).strftime(_TIME)
    done = [m.marker for m in markers if m.processed < old or processed_of(ids.get(m.key, "")) >= m.processed]
    remove_files(store, done)


class Lock:
    """Held by who brings an index up to date; others leave their markers for the next time."""

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = key
        self._token = secrets.token_hex(8)

    def _content(self) -> bytes:
        return json.dumps({"holder": self._token, "alive": time.time()}).encode()

    def acquire(self) -> bool:
        """Whether it is ours now. A lock whose holder shows no life is taken over."""
        for _ in range(2):
            try:
                self._store.create_bytes(self._key, self._content())
                return True
            except StoreConflictError:
                if not self._stale():
                    return False
                self._store.delete(self._key)
        return False

    def _stale(self) -> bool:
        try:
            alive = float(json.loads(self._store.read_bytes(self._key))["alive"])
        except (StoreError, ValueError, KeyError, TypeError):
            return True
        return time.time() - alive > _STALE

    def show_life(self) -> None:
        """Call now and then during long work."""
        self._store.write_bytes(self._key, self._content())

    def release(self) -> None:
        """Let go."""
        self._store.delete(self._key)


@contextmanager
def index_lock(store: Store, collection: str, patience: float) -> Iterator[Lock | None]:
    """The lock of a collection's index, None where another process keeps it for longer than `patience` seconds."""
    lock = Lock(store, f"{collection}/{_LOCK}")
    deadline = time.monotonic() + patience
    while not lock.acquire():
        if time.monotonic() > deadline:
            yield None
            return
        time.sleep(0.2)
    try:
        yield lock
    finally:
        lock.release()
