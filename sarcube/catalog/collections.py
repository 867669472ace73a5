"""Collections and the root catalog: made before the first item, brought up to date at the end of a run (what they say:
`documents`).

Nobody holds a lock, so nobody can die with one. Index, collection and catalog are each replaced by one conditional
write, over the very version that was read before what they are to say was looked up. Who loses looks again; the older
never wins. A collection names size and checksum of the index that it was computed from: where a process was killed
between the two, the next one sees it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from sarcube.catalog.documents import Description, catalog_document, collection_document
from sarcube.catalog.index import FILE as INDEX_FILE
from sarcube.catalog.index import Index, IndexWriter, open_index, strays
from sarcube.catalog.items import CATALOG_FILE, COLLECTION_FILE
from sarcube.catalog.passed import DAMAGE, PassedOver
from sarcube.catalog.pending import pending, settle
from sarcube.catalog.publish import encode
from sarcube.catalog.schemas import Schemas, shared_schemas
from sarcube.catalog.selection import Selection
from sarcube.catalog.summary import Summary
from sarcube.catalog.validate import require_valid
from sarcube.catalog.walk import collections, item_keys, read_items, walk_items
from sarcube.errors import CatalogError, DamagedIndexError, StoreConflictError, TransferError
from sarcube.jsons import JsonObject
from sarcube.products.kinds import Fact, ProductKind
from sarcube.store.local_store import LocalStore
from sarcube.store.protocol import Store, open_store

log = logging.getLogger(__name__)
_TRIES = 20
_SMALL_INDEX = 4_000_000  # bytes, of some 5,000 items: to list what lies around them takes seconds


def ensure_collection(
    store: Store,
    collection: str,
    kind: ProductKind,
    *,
    schemas: Schemas | str | None = None,
) -> None:
    """Make a kind's collection and the root catalog unless they are there. Safe to call from many processes.

    Raises
    ------
    CatalogError
        The name cannot be a folder's.
    """
    if not collection or "/" in collection or collection.startswith("."):
        raise CatalogError(f"{collection!r} cannot name a collection; use letters, digits, - and _")
    key = f"{collection}/{COLLECTION_FILE}"
    if not store.exists(key):
        stored = collection_document(collection, Description.of(kind), Summary(collection))
        require_valid(stored, _schemas(schemas))
        with contextlib.suppress(StoreConflictError):  # another process was quicker and wrote the same
            store.create_bytes(key, encode(stored))
    if not store.exists(CATALOG_FILE) or collection not in _children(store):
        _write_catalog(store, {collection})


def update_collections(
    store: Store | str,
    kinds: Mapping[str, ProductKind] | None = None,
    *,
    schemas: Schemas | str | None = None,
    rebuild: bool = False,
) -> tuple[str, ...]:
    """Bring the index, extents, summaries and links of every collection, and the root catalog, up to date.

    Where nothing was published since the last time, nothing is written. Any number of processes may do it at once.
    In a folder, and on S3 up to a few thousand items, index and items are compared by their names, and put right
    where they do not agree.

    Parameters
    ----------
    store : Store or str
    kinds : mapping of str to ProductKind, optional
        By collection, where the caller knows them; else a collection is described as it was.
    schemas : Schemas or folder, optional
    rebuild : bool
        Read every item's file, instead of the index and what was published since. Needed after items were
        deleted or changed by hand.

    Returns
    -------
    tuple of str
        The collections.

    Raises
    ------
    TransferError
        Others kept changing a collection all the time. What was published can be found; the next run tries again.
    """
    store = open_store(store)
    names = collections(store)
    for name in names:
        kind = (kinds or {}).get(name)
        if rebuild or pending(store, name) or not (_quiet(store, name) and _is_told(store, name, kind)):
            _until_it_holds(f"{store.url}/{name}", partial(_update, store, name, kind, _schemas(schemas), rebuild))
    if names:
        _write_catalog(store, set())
    return names


def _until_it_holds(what: str, attempt: Callable[[], None]) -> None:
    """Try until no other process was quicker; each look begins with what the others have written."""
    for number in range(_TRIES):
        try:
            attempt()
            return
        except StoreConflictError:
            log.info("%s was brought up to date by another process meanwhile; looking again", what)
            time.sleep(random.uniform(0.0, 0.1 * min(number + 1, 10)))
    raise TransferError(f"{what} kept changing while it was brought up to date, {_TRIES} times; run again")


def _quiet(store: Store, name: str) -> bool:
    """Whether there is nothing to do, seen from outside: the index is the one that the collection speaks of."""
    info = store.stat(f"{name}/{INDEX_FILE}")
    stated = _index_asset(store.read_bytes(f"{name}/{COLLECTION_FILE}"))
    if info is None or stated.get("file:size") != info.size:
        return info is None and not stated and next(item_keys(store, name), None) is None
    if not _comparable(store, name):
        return True
    found = store.read_version(f"{name}/{INDEX_FILE}")
    index = open_index(found[0]) if found else None
    try:
        return index is not None and not strays(name, index.rows(), store.list(name))
    except DamagedIndexError:
        return False


def _is_told(store: Store, name: str, kind: ProductKind | None) -> bool:
    """Whether a collection describes all that its kind has now."""
    if kind is None:
        return True
    try:
        about = Description.read(json.loads(store.read_bytes(f"{name}/{COLLECTION_FILE}")))
    except DAMAGE:
        return False
    return about == about.renewed(kind)


def _comparable(store: Store, name: str) -> bool:
    """Whether listing all of a collection takes little."""
    if isinstance(store, LocalStore):
        return True
    info = store.stat(f"{name}/{INDEX_FILE}")
    return info is not None and info.size < _SMALL_INDEX


def _index_asset(collection: bytes) -> JsonObject:
    """What a collection says of the index that it was computed from."""
    try:
        asset = json.loads(collection)["assets"]["items"]
    except (ValueError, KeyError, TypeError):
        return {}
    return asset if isinstance(asset, dict) else {}


def _update(store: Store, name: str, kind: ProductKind | None, schemas: Schemas, rebuild: bool) -> None:
    """One attempt: StoreConflictError where another process was quicker."""
    try:
        _renew(store, name, kind, schemas, rebuild)
    except DamagedIndexError as error:
        log.warning("%s/%s: %s", store.url, name, error)
        _renew(store, name, kind, schemas, rebuild=True)


def _renew(store: Store, name: str, kind: ProductKind | None, schemas: Schemas, rebuild: bool) -> None:
    # The order matters: what is replaced is read before what it is made from.
    key = f"{name}/{COLLECTION_FILE}"
    collection = store.read_version(key)
    if collection is None:
        return  # removed meanwhile
    about = _described(f"{store.url}/{key}", collection[0], kind)
    found = store.read_version(f"{name}/{INDEX_FILE}")
    index = None if rebuild or found is None else open_index(found[0])
    facts = _facts(about, index)
    index = index if index is not None and index.current(facts) else None
    markers = pending(store, name)
    marked = {marker.key for marker in markers}
    writer, summary = IndexWriter(name, facts), Summary(name, facts)
    changed = index is None
    old: dict[str, str] = {}
    if index is None:
        items = walk_items(store, name, Selection())
    else:
        rows = index.rows()
        if _comparable(store, name) and (astray := strays(name, rows, store.list(name)) - marked):
            log.warning("the index of %s/%s did not agree with %d items; put right", store.url, name, len(astray))
            marked |= astray
        writer.copy(index, marked)
        for item_key, stored in index.outlines(marked):
            summary.add(item_key, stored)
        old = {k: rows[k] for k in marked if k in rows}
        items = read_items(store, sorted(marked))
    ids = {key: id_ for key, id_ in _take_in(store, items, writer, summary) if key in marked}
    changed = changed or ids != old
    data = writer.finish() if changed else (found or (b"", ""))[0]
    if changed and (summary.count or found):
        if found is None:
            store.create_bytes(f"{name}/{INDEX_FILE}", data)
        else:
            store.replace_bytes(f"{name}/{INDEX_FILE}", data, found[1])
    wanted = collection_document(name, about, summary, data)
    require_valid(wanted, schemas)
    if encode(wanted) != collection[0]:
        store.replace_bytes(key, encode(wanted), collection[1])
    settle(store, markers, ids)


def _described(address: str, collection: bytes, kind: ProductKind | None) -> Description:
    """What a collection says of itself, brought up to date with its kind where that is known.

    Raises
    ------
    CatalogError
        It is damaged, and its kind is not known.
    """
    try:
        about = Description.read(json.loads(collection))
    except DAMAGE as error:
        if kind is None:
            raise CatalogError(
                f"{address} is damaged ({type(error).__name__}: {error}); the next run of its workflow makes it anew"
            ) from error
        return Description.of(kind)
    return about if kind is None else about.renewed(kind)


def _take_in(
    store: Store, items: Iterable[tuple[str, JsonObject]], writer: IndexWriter, summary: Summary
) -> Iterator[tuple[str, str]]:
    """Keys and ids of items, once index and summary have them; damaged ones are told."""
    passed = PassedOver()
    for key, stored in items:
        try:
            writer.add(key, stored)
            summary.add(key, stored)
        except DAMAGE as error:
            passed.add(store.href(key), error)
            continue
        yield key, stored["id"]
    passed.tell()


def _facts(about: Description, index: Index | None) -> tuple[Fact, ...]:
    """What becomes columns: as the collection says, or in one of version 0.1 as its index had it."""
    if about.facts is not None:
        return about.facts
    return index.facts if index is not None else ()


def _children(store: Store) -> set[str]:
    try:
        links = json.loads(store.read_bytes(CATALOG_FILE)).get("links", [])
        return {link["href"].split("/")[1] for link in links if link.get("rel") == "child"}
    except (OSError, *DAMAGE):
        return set()


def _write_catalog(store: Store, more: set[str]) -> None:
    _until_it_holds(f"{store.url}/{CATALOG_FILE}", partial(_write_catalog_once, store, more))


def _write_catalog_once(store: Store, more: set[str]) -> None:
    found = store.read_version(CATALOG_FILE)  # before the collections are listed: who lists later wins
    names = sorted({*collections(store), *more})
    stored = catalog_document({name: _title(store, name) for name in names})
    data = encode(stored)
    if found is None:
        store.create_bytes(CATALOG_FILE, data)
    elif found[0] != data:
        store.replace_bytes(CATALOG_FILE, data, found[1])


def _title(store: Store, name: str) -> str:
    """Of a collection; of one that is damaged or not there yet, its id."""
    with contextlib.suppress(*DAMAGE, FileNotFoundError):
        return str(json.loads(store.read_bytes(f"{name}/{COLLECTION_FILE}"))["title"])
    return name


def _schemas(schemas: Schemas | str | None) -> Schemas:
    return schemas if isinstance(schemas, Schemas) else shared_schemas(str(schemas) if schemas else None)
