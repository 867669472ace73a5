"""Is an item or a collection what it says? The official schemas, and what no schema can say.

Where the schema of an extension cannot be had, sarcube's own rules for that extension are asked in its place."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from sarcube.catalog.extension_rules import extension_problems
from sarcube.catalog.fields import field_problems
from sarcube.catalog.schemas import Schemas, shared_schemas
from sarcube.errors import CatalogError
from sarcube.instants import utc_time
from sarcube.jsons import JsonObject
from sarcube.products.rules import Rule

if TYPE_CHECKING:
    import jsonschema_rs
    from jsonschema import Draft7Validator

log = logging.getLogger(__name__)
_MULTIHASH = re.compile(r"1220[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_MOST_PROBLEMS = 8
_Schema = bool | Mapping[str, object]


@dataclass(frozen=True)
class Validation:
    """Outcome of a check.

    Attributes
    ----------
    problems : tuple of str
        What is wrong; empty where nothing is.
    own : tuple of str
        Schemas that could not be had, in whose place sarcube's own rules for the extension were asked.
    unchecked : tuple of str
        Schemas that could not be had, and for which sarcube has no rules.
    """

    problems: tuple[str, ...]
    own: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()


def validate(stored: JsonObject, schemas: Schemas | None = None, rules: Iterable[Rule] = ()) -> Validation:
    """Check an item, collection or catalog as it is stored.

    Parameters
    ----------
    stored : dict
        The JSON.
    schemas : Schemas, optional
        Default: the cache, filled over the network.
    rules : iterable of Rule
        Of the item's kind, beyond those of all.
    """
    schemas = schemas or shared_schemas(None)
    kind = {"Feature": "item", "Collection": "collection", "Catalog": "catalog"}.get(str(stored.get("type")))
    if kind is None:
        return Validation((f"type {stored.get('type')!r} is neither Feature, Collection nor Catalog",))
    version = stored.get("stac_version")
    core = f"https://schemas.stacspec.org/v{version}/{kind}-spec/json-schema/{kind}.json"
    problems: list[str] = []
    own: list[str] = []
    unchecked: list[str] = []
    for uri in (core, *stored.get("stac_extensions", ())):
        found = _check(stored, uri, schemas)
        if found is None:
            found = extension_problems(stored, uri)
            (unchecked if found is None else own).append(uri)
        problems.extend(found or ())
    if core in unchecked:
        problems.append(f"STAC version {version!r} is not one that the installed pystac knows")
    if kind == "item":
        problems.extend(_own(stored, rules))
    return Validation(tuple(problems), tuple(own), tuple(unchecked))


def require_valid(stored: JsonObject, schemas: Schemas | None = None, rules: Iterable[Rule] = ()) -> None:
    """Raise CatalogError where `validate` finds a problem; log once what could not be checked."""
    outcome = validate(stored, schemas, rules)
    if outcome.problems:
        shown = "; ".join(outcome.problems[:_MOST_PROBLEMS])
        more = len(outcome.problems) - _MOST_PROBLEMS
        raise CatalogError(
            f"{stored.get('id')} is not valid STAC and is not published: {shown}"
            + (f"; and {more} more" if more > 0 else "")
        )
    if outcome.own or outcome.unchecked:
        _say_without(outcome.own, outcome.unchecked)


@lru_cache(maxsize=64)
def _say_without(own: tuple[str, ...], unchecked: tuple[str, ...]) -> None:
    # Who publishes many items says it to people once (`shared_schemas(...).get`), not in every process.
    if own:
        log.info("checked by sarcube's own rules, since the official schema is not at hand: %s", ", ".join(own))
    if unchecked:
        log.info(
            "no schema to be had for %s, for which sarcube has no rules either; name a folder of schemas as `schemas` "
            "in the run file to check all",
            ", ".join(unchecked),
        )


class _Validator:
    """One schema, compiled. The compiled-code library decides what is valid (0.2 ms an item instead of 30);
    the plain one words the fault, and decides where the other is not installed."""

    def __init__(self, schema: JsonObject, schemas: Schemas) -> None:
        self._schema, self._schemas = schema, schemas
        self._quick = _quick_validator(schema, schemas)

    def problem(self, stored: JsonObject) -> str | None:
        """The most telling fault, None where there is none."""
        if self._quick is not None and self._quick.is_valid(stored):
            return None
        from jsonschema.exceptions import best_match  # 0.3 to 1.4 s to import, and seldom needed

        best = best_match(self._plain.iter_errors(stored))
        if best is None:
            return None
        where = "/".join(str(part) for part in best.absolute_path) or "top level"
        return f"{where}: {best.message[:300]}"

    @cached_property
    def _plain(self) -> Draft7Validator:
        import referencing
        from jsonschema import Draft7Validator
        from referencing.jsonschema import DRAFT7

        def retrieve(address: str) -> referencing.Resource[_Schema]:
            found = self._schemas.get(address)
            if found is None:
                raise referencing.exceptions.NoSuchResource(address)
            return referencing.Resource.from_contents(found, default_specification=DRAFT7)

        registry: referencing.Registry[_Schema] = referencing.Registry(retrieve=retrieve)  # type: ignore[call-arg]
        return Draft7Validator(self._schema, registry=registry)


def _quick_validator(schema: JsonObject, schemas: Schemas) -> jsonschema_rs.Draft7Validator | None:
    import jsonschema_rs

    def retrieve(address: str) -> JsonObject:
        found = schemas.get(address)
        if found is None:
            raise ValueError(f"no schema {address}")
        return found

    try:
        return jsonschema_rs.Draft7Validator(schema, retriever=retrieve)
    except ValueError as error:  # a schema that refers to one that cannot be had
        log.debug("schema %s cannot be compiled: %s", schema.get("$id"), error)
        return None


_validators: WeakKeyDictionary[Schemas, dict[str, _Validator | None]] = WeakKeyDictionary()


def _check(stored: JsonObject, uri: str, schemas: Schemas) -> list[str] | None:
    import referencing.exceptions

    known = _validators.setdefault(schemas, {})
    if uri not in known:
        schema = schemas.get(uri)
        known[uri] = _Validator(schema, schemas) if schema is not None else None
    validator = known[uri]
    if validator is None:
        return None
    try:
        problem = validator.problem(stored)
    except referencing.exceptions.Unresolvable as error:
        log.info("schema %s refers to %s, which cannot be had", uri, error.ref)
        return None
    return [] if problem is None else [f"{problem} ({uri})"]


def _own(item: JsonObject, rules: Iterable[Rule]) -> Iterable[str]:
    """Rules of sarcube's items that schemas do not have."""
    properties = item.get("properties", {})
    yield from field_problems(properties, rules)
    yield from _own_grid(properties)
    for name in ("datetime", "start_datetime", "end_datetime", "created"):
        value = properties.get(name)
        if value is not None and not _TIME.fullmatch(str(value)):
            yield f"properties/{name}: {value!r} is not UTC with microseconds"
    start, end = properties.get("start_datetime"), properties.get("end_datetime")
    if start and end and utc_time(start) > utc_time(end):
        yield f"start_datetime {start} is after end_datetime {end}"
    assets = item.get("assets", {})
    if not any("data" in asset.get("roles", ()) for asset in assets.values()):
        yield "there is no asset with the role data"
    if any("backscatter" in asset.get("roles", ()) for asset in assets.values()):
        # Each channel is a layer of its own there; other products are made from several at once.
        for name in properties.get("sar:polarizations", ()):
            if name not in assets:
                yield f"polarization {name} has no asset"
    for name, asset in assets.items():
        size = asset.get("file:size")
        if not (isinstance(size, int) and size > 0 and _MULTIHASH.fullmatch(str(asset.get("file:checksum")))):
            yield f"asset {name} lacks its size or its sha2-256 multihash"
    yield from _own_geometry(item)


def _own_grid(properties: JsonObject) -> Iterable[str]:
    if properties.get("proj:code") != f"EPSG:{properties.get('proj:epsg')}":
        yield f"proj:code {properties.get('proj:code')} and proj:epsg {properties.get('proj:epsg')} differ"
    if len(properties.get("proj:transform", ())) != 6 or len(properties.get("proj:shape", ())) != 2:
        yield "proj:transform must have six numbers and proj:shape two"


def _own_geometry(item: JsonObject) -> Iterable[str]:
    from shapely.errors import ShapelyError
    from shapely.geometry import shape

    try:
        geometry = shape(item["geometry"])
    except (KeyError, TypeError, ValueError, AttributeError, ShapelyError) as error:
        yield f"geometry cannot be read: {error}"
        return
    if geometry.is_empty or not geometry.is_valid:
        yield "geometry is empty or crosses itself"
        return
    west, south, east, north = geometry.bounds
    bbox = item.get("bbox") or [0.0, 0.0, 0.0, 0.0]
    if west < -180 or east > 180 or south < -90 or north > 90:
        yield f"geometry leaves longitude and latitude: {geometry.bounds}"
    inside = bbox[0] <= west and bbox[2] >= east if bbox[0] <= bbox[2] else west <= -180 and east >= 180
    if not inside or bbox[1] > south or bbox[3] < north:
        yield f"bbox {bbox} does not hold the geometry, which spans {geometry.bounds}"
