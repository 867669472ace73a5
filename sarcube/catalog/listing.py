"""What lies in a store, item by item: when, where, which layers, how much, and what was said of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields

from sarcube.catalog.passed import DAMAGE, PassedOver
from sarcube.catalog.query import find_stored
from sarcube.catalog.selection import Dates, is_timed, place_of, selection
from sarcube.catalog.walk import collections
from sarcube.errors import StoreError
from sarcube.jsons import JsonObject
from sarcube.store.protocol import Store, open_store
from sarcube.words import several, size_text

_WARNINGS = "sarcube:warnings"
_WARNINGS_SHOWN = 10
_KINDS = ("sarcube:kind", "product:type")  # the latter of items that other makers wrote


@dataclass(frozen=True)
class Listed:
    """One item.

    Attributes
    ----------
    collection, kind, place, id : str
    start, end : str
        UTC; empty for what has no time. Of a pair the two times.
    layers : tuple of str
    bytes : int
        Of all of its files, as the item says.
    platform, direction, orbit : str
        Of the orbit its type (POEORB, RESORB, ...); empty where an item does not say.
    track : int, optional
        Relative orbit.
    warnings : tuple of str
    """

    collection: str
    kind: str
    place: str
    id: str
    start: str
    end: str
    layers: tuple[str, ...]
    bytes: int
    platform: str
    direction: str
    track: int | None
    orbit: str
    warnings: tuple[str, ...]


def list_items(
    store: Store | str,
    collection: str | None = None,
    bbox: Sequence[float] | None = None,
    dates: Dates | None = None,
    places: Iterable[str] | None = None,
) -> list[Listed]:
    """Every item of a store by collection, place and time; of an index where there is one.

    Parameters
    ----------
    store : Store or str
    collection : str, optional
        Only this one.
    bbox, dates, places : optional
        As `find_items` has them.

    Raises
    ------
    StoreError
        There is no such collection, or none at all.
    """
    room = open_store(store)
    names = collections(room)
    if not names or (collection is not None and collection not in names):
        raise StoreError(
            f"{room.url} has no collection {collection or ''}; it has {', '.join(names) or 'none'}. Check the address, "
            "or make products with `sarcube run` first"
        )
    wanted = selection(bbox, dates, places)
    found: list[Listed] = []
    passed = PassedOver()
    for name in [collection] if collection is not None else names:
        for key, stored in find_stored(room, name, wanted):
            try:
                found.append(_listed(name, key, stored))
            except DAMAGE as error:
                passed.add(room.href(key), error)
    passed.tell()
    return sorted(found, key=lambda item: (item.collection, item.place, item.start, item.id))


def _listed(collection: str, key: str, stored: JsonObject) -> Listed:
    said = stored["properties"]
    timed = is_timed(key)
    # Layers without a time that a date only links to lie elsewhere, and are listed there.
    own = {n: a for n, a in stored["assets"].items() if not (timed and "static" in (a.get("roles") or ()))}
    start = str(said.get("start_datetime") or said["datetime"]) if timed else ""
    return Listed(
        collection=collection,
        kind=next((str(said[name]) for name in _KINDS if said.get(name)), ""),
        place=place_of(key),
        id=str(stored["id"]),
        start=start[:19],
        end=str(said.get("end_datetime") or start)[:19] if timed else "",
        layers=tuple(name for name, asset in own.items() if "data" in (asset.get("roles") or ())),
        bytes=sum(_size(asset.get("file:size")) for asset in own.values()),
        platform=str(said.get("platform") or ""),
        direction=str(said.get("sat:orbit_state") or ""),
        track=None if said.get("sat:relative_orbit") is None else int(said["sat:relative_orbit"]),
        orbit=str(said.get("sarcube:orbit_type") or ""),
        warnings=_texts(said.get(_WARNINGS)),
    )


def _size(told: object) -> int:
    """Bytes; 0 where somebody wrote something else."""
    return told if isinstance(told, int) and told > 0 else 0


def _texts(told: object) -> tuple[str, ...]:
    if not isinstance(told, list):
        return () if told is None else (str(told),)
    return tuple(map(str, told))


def as_json(items: Iterable[Listed]) -> str:
    """A list of objects."""
    return json.dumps([asdict(item) for item in items], indent=1)


def as_csv(items: Iterable[Listed]) -> str:
    """One row per item under a row of names; layers and warnings joined by semicolons."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([field.name for field in fields(Listed)])
    for item in items:
        values = asdict(item) | {"layers": ";".join(item.layers), "warnings": "; ".join(item.warnings)}
        writer.writerow(["" if value is None else value for value in values.values()])
    return out.getvalue()


def as_lines(items: Sequence[Listed], width: int, most: int | None = 500) -> Iterator[str]:
    """A table for a terminal, warnings below it, and the sum of it all.

    Parameters
    ----------
    items : sequence of Listed
    width : int
        Columns of the terminal.
    most : int, optional
        Rows that are written.
    """
    from rich.console import Console
    from rich.table import Table

    out = io.StringIO()
    # What items say is text: brackets and colons in it are no markup.
    console = Console(file=out, width=width, force_terminal=False, markup=False, emoji=False, highlight=False)
    for collection in dict.fromkeys(item.collection for item in items):
        members = [item for item in items if item.collection == collection]
        table = Table(box=None, pad_edge=False, title=None)
        heads = ("place", "time", "platform", "pass", "orbit", "layers", "size", "warnings")
        for head in heads:
            right = head in ("size", "warnings")
            table.add_column(head, justify="right" if right else "left", no_wrap=head != "layers")
        for item in members[:most]:
            table.add_row(*_row(item))
        console.print(f"{collection}  ({', '.join(sorted({item.kind for item in members}))})")
        console.print(table)
        if most is not None and len(members) > most:
            console.print(f"... and {len(members) - most} more (--csv and --json list all)")
        console.print()
    yield from out.getvalue().splitlines()
    said = [f"warning: {item.id}: {text}" for item in items for text in item.warnings]
    yield from said[:_WARNINGS_SHOWN]
    if len(said) > _WARNINGS_SHOWN:
        yield f"... and {several(len(said) - _WARNINGS_SHOWN, 'warning')} more (--csv and --json list all)"
    yield summary(items)


def _row(item: Listed) -> tuple[str, ...]:
    time = item.start.replace("T", " ")[:16]
    if item.end[:10] != item.start[:10]:
        time = f"{item.start[:10]} to {item.end[:10]}"
    track = f"{item.direction[:4]} {item.track}" if item.track is not None else item.direction
    return (
        item.place, time or "-", item.platform, track, item.orbit, " ".join(item.layers),
        size_text(item.bytes), str(len(item.warnings) or ""),
    )  # fmt: skip


def summary(items: Sequence[Listed]) -> str:
    """All of it in one sentence."""
    days = sorted(item.start[:10] for item in items if item.start)
    places = len({item.place for item in items})
    said = sum(len(item.warnings) for item in items)
    span = f", {days[0]} to {days[-1]}" if days else ""
    warned = f", {several(said, 'warning')}" if said else ""
    size = size_text(sum(item.bytes for item in items))
    return f"{several(len(items), 'item')} of {several(places, 'place')}{span}, {size}{warned}"
