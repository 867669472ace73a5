"""Products whose input has a later version by now."""

from __future__ import annotations

from collections.abc import Sequence

from sarcube.catalog.query import find_stored
from sarcube.catalog.selection import Selection
from sarcube.store.protocol import Store
from sarcube.workflows.task import Unit
from sarcube.workflows.workflow import Workflow


def find_outdated(work: Workflow, store: Store, collection: str, units: Sequence[Unit]) -> dict[str, str]:
    """Task keys of products that exist and are of older input than the source has, and what is older.

    Parameters
    ----------
    work : Workflow
        Which judges one product.
    store : Store
    collection : str
    units : sequence of Unit
        Of one kind, at places that the store knows, whose input may come in later versions.
    """
    if not units:
        return {}  # what has no versions needs no look into the store
    by_item = {unit.item_key(collection): unit for unit in units}
    found = {}
    for key, stored in find_stored(store, collection, Selection(places=frozenset(u.place for u in units)), ()):
        unit = by_item.get(key)
        if unit is not None and (text := work.outdated(unit, stored)):
            found[unit.key] = text
    return found
