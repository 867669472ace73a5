"""The official schemas as the witness of sarcube's own rules for extensions: both judge the same item, whole and
damaged in every field that an extension has in it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from sarcube.catalog.extension_fields import EXTENSIONS
from sarcube.catalog.extension_rules import extension_problems
from sarcube.catalog.schemas import shared_schemas

# In whose place a field is put, and what it might wrongly be.
_VALUES: tuple[Any, ...] = (
    None, True, 0, 1, -1, 3, 3.0, 2.5, 91.0, -91.0, 181.0, 361.0, 101, 10**400, 1e300, "", "x", "X", "area", "AWS",
    "left", "ascending", "VV", "red", "1220ab", "1220AB", "EPSG:4326", "P1D", "NRB", "optical", "1.0",
    "2022-01-01T00:00:00Z", "2022-01-01T00:00:00+02:00", "2022-13-01T00:00:00Z", "2022-01-01",
    [], [1], [1, 2], [1.5, 2.5], ["x"], ["VV", "VV"],
    ["VV", "VH"], [None], [1, 2, 3, 4, 5, 6], [0] * 7, [0] * 9, {}, {"x": 1}, {"x": "y"}, {"": ""},
    {"lat": 1, "lon": 2}, {"count": 1, "min": 0, "max": 1, "buckets": [1, 2, 3]},
)  # fmt: skip
_TIMES = (
    *("processing:datetime", "sat:anx_datetime", "insar:reference_datetime", "insar:secondary_datetime"),
    "s1:processing_datetime",
)
_OFFICIAL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00|\+02:00)")


def _is_no_time(value: Any) -> bool:
    return isinstance(value, str) and (not _OFFICIAL_TIME.fullmatch(value) or "-13-" in value)


# What the own rules refuse and the schemas do not: each by the specification's text.
STRICTER: dict[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(_TIMES, ("a time is one by RFC 3339; `format` is not asked by validators", _is_no_time)),
    "product:timeliness": (
        "a timeliness is a duration by ISO 8601; `format` is not asked by validators",
        lambda value: isinstance(value, str) and value != "P1D",
    ),
    "sat:orbit_state_vectors": (
        "six numbers, or nine with the acceleration; the schema has 6 to 9, and keys that begin like a time",
        lambda value: isinstance(value, dict),
    ),
}


def disagreements(stored: dict[str, Any], folder: Path) -> list[str]:
    """Damages of an item or collection that one of the two finds and the other does not; not those of `STRICTER`."""
    found = []
    uris = [uri for uri in stored.get("stac_extensions", ()) if uri in EXTENSIONS]
    for uri in uris:
        official, own = judged(stored, uri, folder)
        if not (official and own):
            found.append(f"{stored['id']} as it is: official {official}, own {own} {extension_problems(stored, uri)}")
    for uri in uris:
        prefix = EXTENSIONS[uri].prefix
        for path in list(_fields(stored, prefix)):
            for said, damaged, value in _damages(stored, path):
                official, own = judged(damaged, uri, folder)
                stricter = STRICTER.get(path[-1])
                if official != own and not (official and stricter and stricter[1](value)):
                    found.append(f"{'/'.join(path)}: {said}: official {official}, own {own}")
    return found


def judge_alike(root: str | Path, folder: Path | None) -> int:
    """Assert that both say the same of every item and collection below `root`; how many were judged.

    Nothing is where the official schemas are not at hand (the fixture `official`).
    """
    if folder is None:
        return 0
    count = 0
    seen: set[tuple[str, ...]] = set()
    for path in sorted(Path(root).rglob("*.json")):
        stored = json.loads(path.read_bytes())
        if not isinstance(stored, dict) or stored.get("type") not in ("Feature", "Collection") or "links" not in stored:
            continue
        # Items of one kind differ in numbers only: the first of each has every damage, others are judged as they are.
        sort = (stored["type"], *stored["stac_extensions"], *stored.get("properties", {}), *stored.get("assets", {}))
        if sort in seen:
            for uri in stored["stac_extensions"]:
                assert uri not in EXTENSIONS or judged(stored, uri, folder) == (True, True), (
                    path,
                    uri,
                )
        else:
            assert disagreements(stored, folder) == [], path
        seen.add(sort)
        count += 1
    assert count
    return count


@lru_cache(maxsize=64)
def _validator(uri: str, folder: Path) -> Any:
    schemas = shared_schemas(str(folder))

    def retrieve(address: str) -> dict[str, Any]:
        found = schemas.get(address)
        assert found is not None, address
        return found

    schema = schemas.get(uri)
    assert schema is not None, uri
    return jsonschema_rs.Draft7Validator(schema, retriever=retrieve, validate_formats=False)


def judged(stored: dict[str, Any], uri: str, folder: Path) -> tuple[bool, bool]:
    """Whether the official schema finds it valid, and whether the own rules do."""
    return bool(_validator(uri, folder).is_valid(stored)), not extension_problems(stored, uri)


def _fields(stored: dict[str, Any], prefix: str) -> Iterator[tuple[str, ...]]:
    """Paths of an extension's fields, each name at most twice in each sort of place."""
    counts: dict[tuple[str, str], int] = {}

    def walk(members: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if isinstance(members, dict):
            for name, inner in members.items():
                if name.startswith(prefix) and path[-1:] != ("renders",):
                    key = (path[0] if path else "", name)
                    counts[key] = counts.get(key, 0) + 1
                    if counts[key] <= 2:
                        yield (*path, name)
                elif name not in ("geometry", "extent", "statistics"):
                    yield from walk(inner, (*path, name))
        elif isinstance(members, list):
            for number, inner in enumerate(members):
                yield from walk(inner, (*path, str(number)))

    yield from walk(stored, ())


def _damages(stored: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """One field removed, renamed and changed in many ways: what was done, the whole so, the field's value."""
    place: Any = _at(stored, path[:-1])
    name, before = path[-1], place[path[-1]]
    del place[name]
    yield "removed", stored, None
    for other in (name + "_x", name.partition(":")[0] + ":" + "unknown"):
        place[other] = before
        yield f"renamed {other}", stored, None
        del place[other]
    # What is inside of a CRS is for PROJ to judge, which reads more than its own schema allows.
    for value in (*_VALUES, *(() if name == "proj:projjson" else _within(before))):
        place[name] = value
        yield repr(value)[:60], stored, value
    place[name] = before


def _within(value: Any) -> Iterator[Any]:
    """The same value, damaged inside."""
    if isinstance(value, list) and value:
        yield value[:-1]
        yield [*value, value[0]]
        yield value[0]
        for member in (None, "x", -1, 2.5, True, {}, *_within(value[0])):
            yield [member, *value[1:]]
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield {k: v for k, v in value.items() if k != name}
            yield {**value, "more": 1}
            for member in (None, "", "x", -1, 2.5, True, [], {}, *_within(inner)):
                yield {**value, name: member}
    elif isinstance(value, str):
        yield value + "x"
        yield value[:-1]
        yield value.upper()
        yield value.lower()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield -value
        yield str(value)
        yield [value]


def _at(stored: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        stored = stored[int(part)] if isinstance(stored, list) else stored[part]
    return stored


def without(stored: dict[str, Any], uri: str) -> dict[str, Any]:
    """A copy that has none of an extension's fields, and names it all the same."""
    prefix = EXTENSIONS[uri].prefix

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: strip(v) for k, v in value.items() if not k.startswith(prefix)}
        return [strip(v) for v in value] if isinstance(value, list) else value

    return dict(strip(copy.deepcopy(stored)))
