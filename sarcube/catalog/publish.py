"""The commit: a product exists from the moment its item does."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pystac

from sarcube.catalog.items import item_dict
from sarcube.catalog.pending import announce
from sarcube.catalog.schemas import Schemas, shared_schemas
from sarcube.catalog.validate import require_valid
from sarcube.errors import CatalogError, StoreConflictError, StoreError
from sarcube.products.product import Product, remove_files
from sarcube.store.protocol import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Publication:
    """What became of an item.

    Attributes
    ----------
    key : str
        Of the item that is in the store now.
    item_id : str
        Its id.
    created : bool
        False where another run had published the same acquisition: its product is kept, this one's files are
        removed.
    """

    key: str
    item_id: str
    created: bool


def publish_item(
    store: Store,
    item: pystac.Item,
    product: Product,
    *,
    schemas: Schemas | str | None = None,
    overwrite: bool = False,
) -> Publication:
    """Validate an item and commit its product by creating the item's file, which only one writer can.

    Parameters
    ----------
    store : Store
    item : Item
        From `rtc_item` or `static_item`.
    product : Product
        Whose files lie in the store already.
    schemas : Schemas or folder, optional
    overwrite : bool
        Replace an item that is there (reprocessing); the files only the old item names are then removed.

    Raises
    ------
    CatalogError
        The item is invalid. Nothing is published; the product's files are removed.
    StoreError
        The store cannot be written. The files are left, since the item may have arrived.
    """
    stored = item_dict(item)
    known = schemas if isinstance(schemas, Schemas) else shared_schemas(str(schemas) if schemas else None)
    try:
        require_valid(stored, known)
    except CatalogError:
        remove_files(store, (file.key for file in product.files))
        raise
    key = product.item_key
    data = encode(stored)
    marker = announce(store, product.collection, product.name)
    if overwrite:
        old = _stored(store, key)
        store.write_bytes(key, data)
        if old is not None:
            remove_files(store, sorted(asset_keys(key, old) - asset_keys(key, stored)))
        return Publication(key, item.id, True)
    try:
        store.create_bytes(key, data)
    except StoreConflictError:
        winner = _stored(store, key)
        if winner is None:
            raise CatalogError(f"{store.href(key)} is there but no item; delete it and run again") from None
        kept = asset_keys(key, winner)
        remove_files(store, [*(file.key for file in product.files if file.key not in kept), marker])
        log.info("%s was published by another run; its product is kept", key)
        return Publication(key, str(winner.get("id")), False)
    return Publication(key, item.id, True)


def encode(stored: dict[str, Any]) -> bytes:
    """JSON as it is written to the store."""
    return json.dumps(stored, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def asset_keys(item_key: str, stored: dict[str, Any]) -> set[str]:
    """Keys of the assets that lie in the item's own folder."""
    folder = PurePosixPath(item_key).parent
    hrefs = (str(asset.get("href", "")) for asset in stored.get("assets", {}).values())
    own = (href.removeprefix("./") for href in hrefs if "://" not in href)
    return {str(folder / href) for href in own if "/" not in href}


def _stored(store: Store, key: str) -> dict[str, Any] | None:
    try:
        stored = json.loads(store.read_bytes(key))
    except (StoreError, ValueError):
        return None
    return stored if isinstance(stored, dict) and stored.get("type") == "Feature" else None
