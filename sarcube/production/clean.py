"""Removing what killed runs have left: only what is provably sarcube's, and provably of no use any more."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from sarcube.catalog.collections import update_collections
from sarcube.errors import ConfigError
from sarcube.production.content import LATER, SILENT_S, Content, Leftover, named_files
from sarcube.products.attempt import as_item, marker_key, verdict
from sarcube.products.names import ProductName
from sarcube.products.sweep import own_name, part_of
from sarcube.store.local_store import LocalStore
from sarcube.store.protocol import Store, open_store
from sarcube.words import several

_UNDER_WAY_S = 5.0  # a request of a process that has just died may still be on its way to a server
_OLD_LOCK = "_index.lock"  # of version 0.1
_KEYS = 20


@dataclass(frozen=True)
class Cleaning:
    """What is to go, or is gone.

    Attributes
    ----------
    store : str
    deleted : bool
        False for a dry run.
    files : tuple of Leftover
        Each with why it is of no use.
    kept : tuple of Leftover
        What no item names and is left all the same, with the reason where it is no run that may go on.
    bytes : int
        Of `files`.
    healed : tuple of str
        Items that the index had lost, or rows of it that stood for none: put right with the cleaning.
    """

    store: str
    deleted: bool
    files: tuple[Leftover, ...]
    kept: tuple[Leftover, ...]
    bytes: int
    healed: tuple[str, ...]

    def to_json(self) -> str:
        """All of it as JSON text."""
        return json.dumps(asdict(self), indent=1)

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        verb = "deleted" if self.deleted else "would be deleted"
        yield from (f"{verb}: {file.key} ({file.why})" for file in self.files[:_KEYS])
        if len(self.files) > _KEYS:
            yield f"{verb}: {len(self.files) - _KEYS} more (--json lists all)"
        told = sum(bool(file.kept) for file in self.kept)
        if len(self.kept) > told:
            yield f"left alone: {several(len(self.kept) - told, 'file')} that a run may be writing"
        if told:
            yield f"left alone: {several(told, 'file')} of replaced static layers, which items may name"
        if self.healed:
            done = "put right" if self.deleted else "would be put right"
            yield f"index: {len(self.healed)} items that it does not hold as they are: {done}"
        if not self.files and not self.healed:
            yield "nothing to delete"
            return
        number = f"{several(len(self.files), 'file')}, {self.bytes / 1e6:.1f} MB"
        yield f"{number}: deleted" if self.deleted else f"{number}: nothing is deleted without --yes"


def clean(store: Store | str, *, delete: bool = False) -> Cleaning:
    """Find, and with `delete` remove, what killed runs have left in a store.

    That is, in the folders of its collections: files whose acquisition has a later product, files of attempts whose
    process has ended or which were announced more than a day ago by the store's clock, and files of that age that
    nobody announced; with them announcements and, on disk, temporary files. Nothing that an item names, nothing of
    another maker (published OPERA files), nothing in a folder without a collection, no replaced static layers.
    Afterwards indexes and collections are brought up to date.

    Raises
    ------
    ConfigError
        The address holds no store.
    StoreError
        The store cannot be read or written.
    """
    store = open_store(store)
    content = Content(store)
    if not content.collections:
        raise ConfigError(f"{store.url} has no collection, so nothing in it is sarcube's; check the address")
    leftovers = content.leftovers()
    dead = [*(one for one in leftovers if one.why), *_traces(content)]
    files = tuple(_unnamed(store, dead))
    size = sum(_size(store, file.key) for file in files)
    if delete:
        for file in files:
            store.delete(file.key)
        update_collections(store)
    kept = tuple(one for one in leftovers if not one.why)
    return Cleaning(store.url, delete, files, kept, size, tuple(sorted(content.unindexed)))


def _traces(content: Content) -> Iterator[Leftover]:
    """Announcements of dead attempts, temporary files, locks of version 0.1."""
    store = content.store
    now = store.now()
    for marker in sorted(content.markers.values(), key=lambda m: m.marker):
        published = content.versions.get(marker.key, "") >= marker.processed  # the index will settle it
        if not published and (why := verdict(store, marker.marker, now)):
            yield Leftover(marker.marker, why)
    for name in content.collections:
        info = store.stat(f"{name}/{_OLD_LOCK}")
        if info is not None and now - info.modified > SILENT_S:
            yield Leftover(info.key, "a lock of version 0.1, which nobody asks for")
        if isinstance(store, LocalStore):
            yield from _parts(store, content, name, now)


def _parts(store: LocalStore, content: Content, collection: str, now: float) -> Iterator[Leftover]:
    for path in sorted((store.root / collection).rglob(".*.part")):
        target = part_of(path.name)
        key = str(path.relative_to(store.root))
        try:
            age = now - path.stat().st_mtime
        except FileNotFoundError:
            continue  # renamed meanwhile
        own = own_name(target)
        if own is not None and (why := _dead(content, collection, own)):
            yield Leftover(key, why)
        elif target and age > SILENT_S:
            yield Leftover(key, f"a temporary file, {age / 3600.0:.0f} hours old")


def _dead(content: Content, collection: str, name: ProductName) -> str:
    if content.versions.get(name.item_key(collection), "") >= f"{name.processed:%Y%m%dT%H%M%SZ}":
        return LATER
    return verdict(content.store, marker_key(collection, name))


def _unnamed(store: Store, dead: list[Leftover]) -> Iterator[Leftover]:
    """Those that no item names either now that their attempts are known to have ended."""
    items = {file.key: own.item_key(file.key.split("/", 1)[0]) for file in dead if (own := _own(file.key))}
    if not isinstance(store, LocalStore) and any(file.key in items and file.why != LATER for file in dead):
        time.sleep(_UNDER_WAY_S)
    named: dict[str, set[str]] = {}
    for item in set(items.values()):
        found = store.read_version(item)
        named[item] = named_files(store, item, as_item(found[0])) if found else set()
    for file in dead:
        if file.key not in items or file.key not in named[items[file.key]]:
            yield file


def _own(key: str) -> ProductName | None:
    return own_name(key.rsplit("/", 1)[-1])


def _size(store: Store, key: str) -> int:
    info = store.stat(key)
    return info.size if info else 0
