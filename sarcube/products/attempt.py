"""How products are committed: the protocol that keeps two writers, a killed one and a sleeping one from losing files.

1. **Announce.** An attempt reads the item that is there (its *base*; often there is none) and takes a name: a time of
   processing later than the base's, claimed by creating `<collection>/_pending/<item>.<processed>` exclusively. No
   two attempts have one name, so none ever writes or deletes another's file.
2. **Write.** Its files carry that name; each is complete or absent.
3. **Look.** Before it commits it makes sure that its files are all there.
4. **Commit.** One conditional write of the item: create it if there was no base, replace the base if it is still
   exactly what was read. Who loses learns it, and removes what bears its own name.
5. **Tidy.** The winner removes what its base named, and what lies beside with an older name.

From 1 and 4 follows the rule that all sweeping rests on: **versions of an item have ever later times of processing, and
an attempt can only commit over the version that it began with.** So a file that bears a time not later than that of the
item that is there, and that this item does not name, belongs to an attempt that cannot commit any more, whoever made
it, whatever clocks say, and whether or not it still runs. Files with a later time are left to their attempt, until the
process that announced it is known to be gone, or has been silent for a day by the store's clock (`verdict`).

The announcement is also what tells readers of an item that the index does not hold yet; who brings the index up to date
removes it (`sarcube.catalog.pending`).
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from sarcube.errors import ProductError, StoreConflictError, StoreError
from sarcube.jsons import JsonObject
from sarcube.products.holder import gone, holder
from sarcube.products.names import ProductName
from sarcube.products.public import at_home
from sarcube.store.protocol import Store

log = logging.getLogger(__name__)
FOLDER = "_pending"
LINEAGE = "sarcube:replaced"
_TIME = "%Y%m%dT%H%M%SZ"
_SILENT_S = 86_400.0  # far longer than a task may take, and than a machine sleeps over lunch
_TRIES = 600


@dataclass(frozen=True)
class Attempt:
    """An announced attempt at a product.

    Attributes
    ----------
    name : ProductName
        The name that it alone has.
    collection : str
    base : str
        Version of the item that was there when it began, empty where there was none.
    replaces : tuple of str
        Keys of the files that this item names as its own.
    token : str
        What its announcement says.
    lineage : tuple of str
        Stems of the static products that were there one after the other. Items of acquisitions name the layers that
        they were made with, so that these stay: the item that replaces them says which (`LINEAGE`).
    """

    name: ProductName
    collection: str
    base: str
    replaces: tuple[str, ...]
    token: str
    lineage: tuple[str, ...] = ()

    @property
    def item_key(self) -> str:
        return self.name.item_key(self.collection)

    @property
    def marker(self) -> str:
        """Key of the announcement."""
        return marker_key(self.collection, self.name)


def marker_key(collection: str, name: ProductName) -> str:
    """Where an attempt of that name is announced."""
    item = PurePosixPath(name.item_key(collection)).stem
    return f"{collection}/{FOLDER}/{item}.{name.processed.strftime(_TIME)}"


def announce(store: Store, collection: str, name: ProductName) -> Attempt:
    """Begin an attempt. Its time of processing may be later than that of `name`: the name it carries is its own.

    Raises
    ------
    StoreError
        The store cannot be read or written.
    """
    base = ""
    replaces: tuple[str, ...] = ()
    lineage: tuple[str, ...] = ()
    found = store.read_version(name.item_key(collection))
    if found is not None:
        base, stored = found[1], as_item(found[0])
        replaces = tuple(sorted(asset_keys(name.item_key(collection), stored)))
        lineage = (*lineage_of(stored), str(stored.get("id", ""))) if not name.timed else ()
        before = processed(stored)
        if before is not None and before >= name.processed:  # clocks of two machines differ, and seconds are long
            name = replace(name, processed=before + dt.timedelta(seconds=1))
    token = secrets.token_hex(8)
    content = json.dumps({"token": token, **holder()}).encode()
    for _ in range(_TRIES):
        attempt = Attempt(name, collection, base, replaces, token, lineage)
        try:
            store.create_bytes(attempt.marker, content)
            return attempt
        except StoreConflictError:
            name = name.later()
    raise StoreError(f"{store.href(attempt.marker)} and {_TRIES} later ones are taken; clean the store: sarcube clean")


def stands(store: Store, attempt: Attempt) -> bool:
    """Whether nobody has given the attempt up: its announcement is there, and still its own."""
    return announcement(store, attempt.marker).get("token") == attempt.token


def withdraw(store: Store, attempt: Attempt, keys: Iterable[str]) -> None:
    """Take back an attempt: its files (`keys`, all of its own name), then its announcement."""
    said = announcement(store, attempt.marker)
    if said.get("token", attempt.token) != attempt.token:
        log.warning("%s was given up and announced by another; nothing of that name is removed", attempt.name.stem)
        return
    kept: set[str] = set()
    if not said and (found := store.read_version(attempt.item_key)):  # given up, and perhaps published since
        kept = asset_keys(attempt.item_key, as_item(found[0]))
    remove_files(store, [*(key for key in keys if key not in kept), attempt.marker])


def announcement(store: Store, marker: str) -> JsonObject:
    """What an announcement says; empty where there is none, or one of version 0.1, which says nothing."""
    found = store.read_version(marker)
    try:
        said = json.loads(found[0]) if found else {}
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def verdict(store: Store, marker: str, now: float | None = None) -> str:
    """Why an announced attempt is dead, in words; empty where it may live, or is not announced (any more).

    Parameters
    ----------
    store : Store
    marker : str
    now : float, optional
        What the store's clock says; default: it is asked where needed.
    """
    info = store.stat(marker)
    if info is None:
        return ""
    if gone(announcement(store, marker)):
        return "its process has ended"
    age = (store.now() if now is None else now) - info.modified
    return f"announced {age / 3600.0:.0f} hours ago" if age > _SILENT_S else ""


def remove_files(store: Store, keys: Iterable[str]) -> None:
    """Delete files that no item names; what cannot be deleted is only logged, since nobody reads it."""
    for key in keys:
        try:
            store.delete(key)
        except OSError as error:
            log.warning("unneeded file %s stays: %s", key, error)


def as_item(data: bytes) -> JsonObject:
    """A stored item, hrefs relative; empty where it is something else."""
    try:
        stored = json.loads(data)
    except ValueError:
        return {}
    return at_home(stored) if isinstance(stored, dict) else {}


def processed(stored: JsonObject) -> dt.datetime | None:
    """The time of processing that an item's id carries; None where it carries none."""
    try:
        return ProductName.parse(str(stored.get("id", ""))).processed
    except ProductError:
        return None


def lineage_of(stored: JsonObject) -> tuple[str, ...]:
    """Stems of the static products that an item has replaced, oldest first."""
    properties = stored.get("properties")
    said = properties.get(LINEAGE) if isinstance(properties, dict) else None
    return tuple(str(stem) for stem in said) if isinstance(said, list) else ()


def asset_keys(item_key: str, stored: JsonObject) -> set[str]:
    """Keys of the assets that lie in the item's own folder."""
    folder = PurePosixPath(item_key).parent
    assets = stored.get("assets")
    hrefs = (
        str(asset.get("href", ""))
        for asset in (assets.values() if isinstance(assets, dict) else ())
        if isinstance(asset, dict)
    )
    own = (href.removeprefix("./") for href in hrefs if "://" not in href)
    return {str(folder / href) for href in own if href and "/" not in href}
