"""Is a store whole? Items valid, files there and unharmed, links resolving."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sarcube.catalog.extension_fields import EXTENSIONS
from sarcube.catalog.hrefs import absolute_href
from sarcube.catalog.items import CATALOG_FILE, COLLECTION_FILE
from sarcube.catalog.passed import DAMAGE, PassedOver
from sarcube.catalog.schemas import Schemas, shared_schemas
from sarcube.catalog.selection import Selection
from sarcube.catalog.validate import validate
from sarcube.catalog.walk import collections, walk_items
from sarcube.errors import CredentialError, SourceError, StoreError
from sarcube.jsons import JsonObject
from sarcube.products.product import checksum, file_checksum
from sarcube.products.rules import Rule
from sarcube.store.local_store import LocalStore
from sarcube.store.protocol import Store, open_store
from sarcube.words import several


@dataclass(frozen=True)
class Fault:
    """Something wrong in a store.

    Attributes
    ----------
    key : str
        The item, collection or catalog.
    message : str
    """

    key: str
    message: str


@dataclass(frozen=True)
class Checked:
    """What a check of a whole store found.

    Attributes
    ----------
    store : str
    items, collections : int
        How many were looked at.
    faults : tuple of Fault
    own : tuple of str
        Schemas that could not be had, in whose place sarcube's own rules for the extension were asked.
    unchecked : tuple of str
        Schemas that could not be had, and for which sarcube has no rules: what only they ask for was not checked.
    deep : bool
        Whether every file was read.
    """

    store: str
    items: int
    collections: int
    faults: tuple[Fault, ...]
    own: tuple[str, ...]
    unchecked: tuple[str, ...]
    deep: bool

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        yield from (f"{fault.key}: {fault.message}" for fault in self.faults)
        if self.own:
            names = ", ".join(" ".join(uri.split("/")[-3:-1]) for uri in self.own)
            yield f"checked by sarcube's own rules for {names}: the official schemas are not at hand"
        yield from (f"not checked, since it cannot be had: schema {uri}" for uri in self.unchecked)
        if self.own or self.unchecked:
            yield "name a folder of schemas (--schemas), or say it again with a network: what was had once is kept"
        how = "their checksums" if self.deep else "the sizes of their files (--checksums reads them)"
        harm = several(len(self.faults), "fault") if self.faults else "no fault"
        yield f"{several(self.items, 'item')} in {several(self.collections, 'collection')}, with {how}: {harm}"


def examine_store(
    store: Store | str,
    collection: str | None = None,
    *,
    checksums: bool = False,
    schemas: Schemas | str | None = None,
    rules: Mapping[str, Iterable[Rule]] | None = None,
) -> Checked:
    """Check a whole store, and say what was checked; the parameters are those of `check_store`.

    Raises
    ------
    StoreError
        There is no store, or no such collection in it.
    """
    store = open_store(store)
    known = schemas if isinstance(schemas, Schemas) else shared_schemas(str(schemas) if schemas else None)
    names = collections(store)
    if not names or (collection is not None and collection not in names):
        raise StoreError(
            f"{store.url} has no collection {collection or ''}; it has {', '.join(names) or 'none'}. Check the address"
        )
    seen = _Seen()
    faults = tuple(check_store(store, collection, checksums=checksums, schemas=known, rules=rules, seen=seen))
    missing = sorted(uri for uri in seen.schemas if known.get(uri) is None)
    own = tuple(uri for uri in missing if uri in EXTENSIONS)
    unchecked = tuple(uri for uri in missing if uri not in EXTENSIONS)
    return Checked(store.url, seen.items, 1 if collection else len(names), faults, own, unchecked, checksums)


class _Seen:
    """What a check came by."""

    def __init__(self) -> None:
        self.items = 0
        self.schemas: set[str] = set()

    def add(self, stored: JsonObject) -> None:
        """An item, collection or catalog."""
        self.items += stored.get("type") == "Feature"
        self.schemas.update(uri for uri in stored.get("stac_extensions", ()) if isinstance(uri, str))


def check_store(
    store: Store | str,
    collection: str | None = None,
    *,
    checksums: bool = False,
    schemas: Schemas | str | None = None,
    rules: Mapping[str, Iterable[Rule]] | None = None,
    seen: _Seen | None = None,
) -> Iterator[Fault]:
    """Check every item of a store (or of one collection) by its files, and the collections themselves.

    Parameters
    ----------
    store : Store or str
    collection : str, optional
    checksums : bool
        Read every file, instead of comparing sizes only.
    schemas : Schemas or folder, optional
    rules : mapping of str to Rule, optional
        What items of a kind must say beyond what all say, by the kind's name (`ProductKind.rules`).
    """
    store, seen = open_store(store), seen or _Seen()
    known = schemas if isinstance(schemas, Schemas) else shared_schemas(str(schemas) if schemas else None)
    names = [collection] if collection is not None else list(collections(store))
    for key in (CATALOG_FILE, *(f"{name}/{COLLECTION_FILE}" for name in names)):
        try:
            stored = json.loads(store.read_bytes(key))
        except (StoreError, ValueError, RecursionError) as error:
            yield Fault(key, str(error))
            continue
        if not isinstance(stored, dict):
            yield Fault(key, "it is no STAC: not an object of JSON")
            continue
        seen.add(stored)
        yield from check_stored(store, key, stored, known, rules, checksums=checksums)
    for name in names:
        passed = PassedOver()
        for key, stored in walk_items(store, name, Selection(), passed):
            seen.add(stored)
            yield from check_stored(store, key, stored, known, rules, checksums=checksums)
        yield from (Fault(address, reason) for address, reason in passed.items)


def check_stored(
    store: Store,
    key: str,
    stored: JsonObject,
    schemas: Schemas,
    rules: Mapping[str, Iterable[Rule]] | None = None,
    *,
    checksums: bool = False,
) -> Iterator[Fault]:
    """What is wrong with one item, collection or catalog. Links to the web are not followed."""
    said, links, assets = stored.get("properties"), stored.get("links"), stored.get("assets")
    kind = str(said.get("sarcube:kind")) if isinstance(said, dict) else ""
    try:
        problems = validate(stored, schemas, (rules or {}).get(kind, ())).problems
    except DAMAGE as error:
        problems = (f"it cannot be read: {type(error).__name__}: {error}",)
    yield from (Fault(key, problem) for problem in problems)
    base = store.href(key)
    for link in links if isinstance(links, list) else ():
        href = _href(link)
        if href is None:
            yield Fault(key, f"a link leads nowhere: {str(link)[:100]}")
        elif link.get("rel") not in ("item", "derived_from"):
            yield from _faults(store, key, f"link {link.get('rel')}", {"href": absolute_href(base, href)}, False)
    for name, asset in assets.items() if isinstance(assets, dict) else ():
        href = _href(asset)
        if href is None:
            yield Fault(key, f"asset {name} names no file: {str(asset)[:100]}")
        else:
            yield from _faults(store, key, f"asset {name}", {**asset, "href": absolute_href(base, href)}, checksums)


def _href(member: object) -> str | None:
    href = member.get("href") if isinstance(member, dict) else None
    return href if isinstance(href, str) and href else None


def _faults(store: Store, key: str, what: str, told: JsonObject, checksums: bool) -> Iterator[Fault]:
    """What is wrong with a file, by its absolute address and what is said of it; none of one on the web."""
    target = str(told["href"])
    if target.startswith(("http://", "https://")):
        return
    try:
        place, at = _place(store, target)
        info = place.stat(at)
        if info is None:
            yield Fault(key, f"{what}: {place.href(at)} is missing")
        elif "file:size" in told and info.size != told["file:size"]:
            yield Fault(key, f"{what}: {place.href(at)} has {info.size} bytes, not {told['file:size']}")
        elif checksums and "file:checksum" in told and _checksum(place, at) != told["file:checksum"]:
            yield Fault(key, f"{what}: {place.href(at)} is damaged (its checksum differs)")
    except (StoreError, SourceError, CredentialError, ValueError) as error:
        yield Fault(key, f"{what} cannot be looked at: {error}")


def _checksum(place: Store, at: str) -> str:
    return file_checksum(place.path(at)) if isinstance(place, LocalStore) else checksum(place.read_bytes(at))


def _place(store: Store, target: str) -> tuple[Store, str]:
    """The store and key of an absolute address; another store than ours where static layers lie elsewhere."""
    root = store.url + "/"
    if target.startswith(root):
        return store, target.removeprefix(root)
    if target.startswith("s3://"):
        bucket, _, key = target.removeprefix("s3://").partition("/")
        return open_store(f"s3://{bucket}"), key
    path = Path(target)
    return open_store(path.parent), path.name
