"""Sarcube's own rules for STAC's extensions.

The schema of an extension is the official word, and is asked wherever it can be had (`schemas`). Where it cannot, as at
a first installation without a network, these rules are asked in its place. Whether they say the same is asked of the
schemas themselves: tests change every field of real items in many ways, and compare the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sarcube.catalog.extension_fields import (
    ASSET,
    BAND,
    COLLECTION,
    EXTENSIONS,
    LINK,
    PROPERTIES,
    PROVIDER,
    SUMMARY,
    Extension,
)
from sarcube.catalog.extensions import CEOS_ARD
from sarcube.catalog.forms import listed
from sarcube.jsons import JsonObject

_CEOS_OPTICAL = ("SR", "ST", "AR", "NLSR")
_CEOS_TYPES = ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "application/pdf")


def extension_problems(stored: JsonObject, uri: str) -> list[str] | None:
    """What is wrong with an item, collection or catalog by sarcube's own rules for an extension.

    Parameters
    ----------
    stored : dict
        The JSON.
    uri : str
        Address of the extension's schema.

    Returns
    -------
    list of str, optional
        One sentence each; None of an extension for which sarcube has no rules.
    """
    extension = EXTENSIONS.get(uri)
    if extension is None:
        return None
    return [f"{problem} (by sarcube's own rules for {uri})" for problem in _problems(stored, extension, uri)]


def _problems(stored: JsonObject, extension: Extension, uri: str) -> Iterator[str]:
    said: set[str] = set()
    for where, place, members in _objects(stored):
        names = [name for name in members if name.startswith(extension.prefix)]
        if any(name.removeprefix(extension.prefix) in extension.fields for name in names):
            said.add(place)
        if place in extension.places:
            for name in names:
                yield from _field(f"{where}{name}", name, members[name], extension, place)
            for name, other in extension.with_it.items():
                if place != SUMMARY and extension.prefix + name in members and extension.prefix + other not in members:
                    yield f"{where}{extension.prefix}{name} is there without {extension.prefix}{other}"
    needs = {"Feature": extension.needs, "Collection": extension.collection_needs}.get(str(stored.get("type")), ())
    if needs and not said.intersection(needs):
        yield f"there is no field {extension.prefix}... in {' or '.join(needs)}"
    if uri == CEOS_ARD:
        yield from _ceos_ard(stored, extension)


def _field(where: str, name: str, value: object, extension: Extension, place: str) -> Iterator[str]:
    short = name.removeprefix(extension.prefix)
    form = (extension.in_assets.get(short) if place == ASSET else None) or extension.fields.get(short)
    if form is None:
        if extension.closed and place != SUMMARY:
            yield f"{where} is no field of the extension"
    elif place == SUMMARY:
        if not isinstance(value, dict) and not listed(form, once=True).allows(value):
            yield f"{where}: {_short(value)} is neither a list of {form.text}, none twice, nor a range"
    elif not form.allows(value):
        yield f"{where}: {_short(value)} is not {form.text}"


def _ceos_ard(stored: JsonObject, extension: Extension) -> Iterator[str]:
    of_item = stored.get("type") == "Feature"
    members = stored.get("properties", {}) if of_item else stored
    if not isinstance(members, dict) or not (of_item or any(n.startswith(extension.prefix) for n in members)):
        return
    for name in extension.all_of:
        if extension.prefix + name not in members:
            yield f"{extension.prefix}{name} is not there"
    kind, specification = members.get("ceosard:type"), members.get("ceosard:specification")
    if (kind == "optical") != (specification in _CEOS_OPTICAL):
        yield f"ceosard:specification {_short(specification)} is none of type {_short(kind)}"
    links = [link for link in _list(stored.get("links")) if link.get("rel") == "ceos-ard-specification"]
    if not any("href" in link and link.get("type", _CEOS_TYPES[0]) in _CEOS_TYPES for link in links):
        yield "links: none with the relation ceos-ard-specification leads to a PDF or Word document"


def _objects(stored: JsonObject) -> Iterator[tuple[str, str, JsonObject]]:
    """All objects with fields: how their place is written, what place it is, what they hold."""
    if stored.get("type") == "Feature":
        yield from _named("properties/", PROPERTIES, stored.get("properties"))
    else:
        yield from _named("", COLLECTION, stored)
        yield from _named("summaries/", SUMMARY, stored.get("summaries"))
        yield from ((f"providers/{i}/", PROVIDER, p) for i, p in enumerate(_list(stored.get("providers"))))
    for top in ("assets", "item_assets"):
        assets = stored.get(top)
        for name, asset in assets.items() if isinstance(assets, dict) else ():
            yield from _named(f"{top}/{name}/", ASSET, asset)
    yield from ((f"links/{i}/", LINK, link) for i, link in enumerate(_list(stored.get("links"))))


def _named(where: str, place: str, members: object) -> Iterable[tuple[str, str, JsonObject]]:
    if isinstance(members, dict):
        yield where, place, members
        if place != SUMMARY:
            yield from ((f"{where}bands/{i}/", BAND, band) for i, band in enumerate(_list(members.get("bands"))))


def _list(value: object) -> list[JsonObject]:
    return [member for member in value if isinstance(member, dict)] if isinstance(value, list) else []


def _short(value: object) -> str:
    said = repr(value)
    return said if len(said) <= 80 else said[:77] + "..."
