"""Which files beside a product belong to attempts that cannot commit any more (see `sarcube.products.attempt`)."""

from __future__ import annotations

import re

from sarcube.errors import ProductError
from sarcube.products.names import MAKER, ProductName
from sarcube.store.local_store import LocalStore
from sarcube.store.protocol import Store

_PART = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{12}\.part")


def outdated(file: str, current: ProductName) -> bool:
    """Whether a file is sarcube's, of the same product as `current`, and not from a later attempt.

    Where `current` is the item that is there and does not name the file, no item ever will.
    """
    other = own_name(file)
    if other is None:
        return False
    return current.same_product(other) and other.processed <= current.processed


def own_name(file: str) -> ProductName | None:
    """The name of a product file that sarcube has written; None for any other, also for OPERA's."""
    if not file.startswith(f"{MAKER}_"):
        return None
    try:
        return ProductName.parse(file)
    except ProductError:
        return None


def part_of(file: str) -> str:
    """What a local temporary file was to become; empty for any other file."""
    match = _PART.fullmatch(file)
    return match["name"] if match else ""


def outdated_parts(store: Store, folder: str, current: ProductName) -> None:
    """Remove temporary files that a killed writer could not rename any more."""
    if not isinstance(store, LocalStore):
        return
    for path in (store.root / folder).glob(f".{MAKER}_*.part"):
        if outdated(part_of(path.name), current):
            path.unlink(missing_ok=True)
