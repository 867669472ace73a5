"""Removing what killed attempts left beside a product.

Only done once the acquisition's item exists: whoever else is still writing the same acquisition will lose the
race for the item and remove its own files, so that nothing that is needed can be taken away.
"""

from __future__ import annotations

import json
import logging
from pathlib import PurePosixPath

from sarcube.errors import ProductError, StoreError
from sarcube.products.names import ProductName
from sarcube.store.local_store import LocalStore
from sarcube.store.protocol import Store

log = logging.getLogger(__name__)


def sweep(store: Store, item_key: str) -> tuple[str, ...]:
    """Delete files of an acquisition that its item does not name; returns their keys.

    Parameters
    ----------
    store : Store
    item_key : str
        Key of the item, in whose folder the files lie.
    """
    folder = str(PurePosixPath(item_key).parent)
    try:
        item = json.loads(store.read_bytes(item_key))
        names = store.files(folder)
    except (StoreError, ValueError) as error:
        log.warning("%s is not swept: %s", folder, error)
        return ()
    kept = {str(asset.get("href", "")).removeprefix("./") for asset in item.get("assets", {}).values()}
    try:
        own = ProductName.parse(str(item.get("id", "")))
    except ProductError:
        return ()
    removed = []
    for name in names:
        if name not in kept and _older(name, own):
            store.delete(f"{folder}/{name}")
            removed.append(f"{folder}/{name}")
    if isinstance(store, LocalStore):
        removed += _sweep_parts(store, folder, own)
    return tuple(removed)


def _older(name: str, own: ProductName) -> bool:
    """Whether a file belongs to an earlier attempt at the same product."""
    try:
        other = ProductName.parse(name)
    except ProductError:
        return False
    same = (other.kind, other.burst_id, other.start) == (own.kind, own.burst_id, own.start)
    return same and other.processed <= own.processed


def _sweep_parts(store: LocalStore, folder: str, own: ProductName) -> list[str]:
    """Temporary files that a killed writer could not rename any more."""
    removed = []
    for path in (store.root / folder).glob(".*.part"):
        if _older(path.name[1:], own):
            path.unlink(missing_ok=True)
            removed.append(f"{folder}/{path.name}")
    return removed
