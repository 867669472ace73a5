"""Announced, but not yet in the index: one marker per attempt, so that no query misses an item.

A marker is written before the files and the item that it announces (`sarcube.products.attempt`) and removed once an
index holds that version of the item, or a later one. Its name says all that a reader needs,
`T070-149815-IW3_20220101T124752Z.20250408T025401Z` (item, time of processing): listing one folder is enough. Versions
of an item have ever later times of processing, so that these can be compared whatever clocks they were taken from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sarcube.errors import ProductError
from sarcube.products.attempt import FOLDER, remove_files
from sarcube.products.names import ItemName, ProductName
from sarcube.store.protocol import Store

_TIME = "%Y%m%dT%H%M%SZ"
_MARKER = re.compile(r"([^.]+)\.(\d{8}T\d{6}Z)")


@dataclass(frozen=True)
class Pending:
    """A marker: which item, and which processing of it."""

    marker: str
    key: str
    processed: str


def pending(store: Store, collection: str) -> list[Pending]:
    """All markers of a collection."""
    found = []
    for name in store.files(f"{collection}/{FOLDER}"):
        match = _MARKER.fullmatch(name)
        item = ItemName.parse(match[1]) if match else None
        if match and item:
            found.append(Pending(f"{collection}/{FOLDER}/{name}", item.key(collection), match[2]))
    return found


def processed_of(item_id: str) -> str:
    """The time of processing that an item's id carries, as markers write it; empty for foreign ids."""
    try:
        return ProductName.parse(item_id).processed.strftime(_TIME)
    except ProductError:
        return ""


def newer(markers: list[Pending], ids: dict[str, str]) -> set[str]:
    """Keys whose marker tells of a later processing than the index (`ids`: key to item id) has."""
    return {m.key for m in markers if m.key not in ids or processed_of(ids[m.key]) < m.processed}


def settle(store: Store, markers: list[Pending], ids: dict[str, str]) -> None:
    """Remove the markers of items that an index now holds (`ids`: key to item id), in that version or a later one.

    Others belong to products that are being made; or were, by a process that has been killed: `sarcube clean` removes
    these together with their files.
    """
    remove_files(store, [m.marker for m in markers if processed_of(ids.get(m.key, "")) >= m.processed])
