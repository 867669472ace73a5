"""Products whose input has a later version by now."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sarcube.catalog.query import find_stored
from sarcube.catalog.selection import Selection
from sarcube.instants import utc_time
from sarcube.store.protocol import Store
from sarcube.workflows.task import task_key, utc_second
from sarcube.workflows.workflow import Workflow


def find_outdated(work: Workflow, store: Store, collection: str, groups: Mapping[str, Sequence[Any]]) -> dict[str, str]:
    """Task keys of products that exist and are of older input than the source has, and what is older.

    Parameters
    ----------
    work : Workflow
        Which judges one product.
    store : Store
    collection : str
    groups : mapping of str to sequence
        Units by burst ID, of those burst IDs that the store knows.
    """
    # What has no versions needs no look into the store.
    known = [unit for several in groups.values() for unit in several if hasattr(unit, "version")]
    units = {(unit.burst_id, utc_second(unit.start_time)): unit for unit in known}
    if not units:
        return {}
    found = {}
    wanted = Selection(burst_ids=frozenset(unit.burst_id for unit in known))
    for _, stored in find_stored(store, collection, wanted, ()):
        facts = stored.get("properties", {})
        burst_id, start = facts.get("sarcube:burst_id"), _second(facts.get("start_datetime") or facts.get("datetime"))
        unit = units.get((burst_id, start)) if start else None
        if unit is not None and (text := work.outdated(unit, stored)):
            found[task_key("rtc", str(burst_id), start)] = text
    return found


def _second(text: Any) -> dt.datetime | None:
    try:
        return utc_time(str(text)).replace(microsecond=0)
    except ValueError:
        return None
