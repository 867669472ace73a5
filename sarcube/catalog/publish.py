"""The commit: a product exists from the moment its item does."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass

import pystac

from sarcube.catalog.items import item_dict
from sarcube.catalog.schemas import Schemas, shared_schemas
from sarcube.catalog.validate import require_valid
from sarcube.errors import CatalogError, StoreError
from sarcube.jsons import JsonObject
from sarcube.products.attempt import LINEAGE, as_item, withdraw
from sarcube.products.commit import commit
from sarcube.products.product import Product
from sarcube.products.public import published_at
from sarcube.store.protocol import Store
from sarcube.transfer.redact import redact, secrets_of

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
    public: str = "",
) -> Publication:
    """Validate an item and commit its product by one conditional write of the item's file, which one writer wins.

    Parameters
    ----------
    store : Store
    item : Item
        From `product_item`.
    product : Product
        Whose files lie in the store already.
    schemas : Schemas or folder, optional
    overwrite : bool
        Replace the item that was there when the product was begun (reprocessing); the files that only this one
        names are then removed. Where another has replaced it meanwhile, that one is kept.
    public : str
        Address at which others read the store. The item then says its own (its link `self`), and those of its files
        and links there; the house reads it from the store all the same (`products.public`).

    Raises
    ------
    CatalogError
        The item is invalid. Nothing is published; the product's files are removed.
    TransferError
        The product was taken for one of a killed run, and its files are gone: make it again.
    StoreError
        The store cannot be written. The files are left, since the item may have arrived.
    """
    files = [file.key for file in product.files]
    secrets = secrets_of()
    stored: JsonObject = {name: without_secrets(value, secrets) for name, value in item_dict(item).items()}
    if product.attempt.lineage:
        stored["properties"][LINEAGE] = list(product.attempt.lineage)
    if public:
        stored = published_at(stored, public, product.item_key)
    known = schemas if isinstance(schemas, Schemas) else shared_schemas(str(schemas) if schemas else None)
    try:
        require_valid(stored, known, product.kind.rules)
    except BaseException:  # raised again: whatever ended the check, an interrupt too, no file stays without its item
        withdraw(store, product.attempt, files)
        raise
    key = product.item_key
    if commit(store, product.attempt, encode(stored), files, overwrite=overwrite):
        return Publication(key, item.id, True)
    winner = _stored(store, key)
    if winner is None:
        raise CatalogError(f"{store.href(key)} is there but no item; delete it and run again")
    log.info("%s was published by another run; its product is kept", key)
    return Publication(key, str(winner.get("id")), False)


def without_secrets(value: object, secrets: tuple[str, ...] | None = None) -> object:
    """The same JSON value, each of its texts without secrets: an item is for others to read."""
    known = secrets_of() if secrets is None else secrets  # once for all texts
    if isinstance(value, dict):
        return {name: without_secrets(inner, known) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_secrets(inner, known) for inner in value]
    return redact(value, known) if isinstance(value, str) else value


def encode(stored: JsonObject) -> bytes:
    """JSON as it is written to the store."""
    return json.dumps(stored, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _stored(store: Store, key: str) -> JsonObject | None:
    try:
        stored = as_item(store.read_bytes(key))
    except StoreError:
        return None
    return stored if stored.get("type") == "Feature" else None
