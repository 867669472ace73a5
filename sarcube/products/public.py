"""Addresses that an item says: public ones for others, ways within the store for the house.

Where a run file names the public address of its store, whoever gets hold of an item's JSON, by whatever way, finds its
files and its collection at `https://` addresses, as the items of other archives have them. The house reads the same
items from the store itself, wherever that has been moved to: in its eyes they lead within the store, as all others do.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin

from sarcube.jsons import JsonObject

_ROOT_FILE = "catalog.json"


def published_at(stored: JsonObject, address: str, item_key: str) -> JsonObject:
    """An item as others are to read it.

    Parameters
    ----------
    stored : dict
        Its JSON, hrefs of what lies in the store relative to it.
    address : str
        Public address of the store, without a slash at its end.
    item_key : str
        The item's own key in the store.
    """
    here = f"{address}/{item_key}"

    def public(href: str) -> str:
        return href if "://" in href or href.startswith("/") else urljoin(here, href)

    own = {"rel": "self", "href": here, "type": "application/geo+json"}
    moved = _with_hrefs(stored, public)
    return {**moved, "links": [own, *moved["links"]]}


def at_home(stored: JsonObject) -> JsonObject:
    """An item with public addresses as the house reads it, hrefs relative; any other, and what is no item, as it is.

    The public address is what the link to the root has before the name of the catalog's file.
    """
    links = stored.get("links")
    there = [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []
    here, root = (
        str(next((one.get("href") for one in there if one.get("rel") == rel), "")) for rel in ("self", "root")
    )
    base = root.removesuffix(_ROOT_FILE)
    if base == root or not base.startswith(("https://", "http://")) or not here.startswith(base):
        return stored
    folder = posixpath.dirname(here.removeprefix(base))

    def home(href: str) -> str:
        if not href.startswith(base):
            return href
        way = posixpath.relpath(href.removeprefix(base), folder)
        return way if way.startswith("../") else f"./{way}"

    return _with_hrefs(stored, home)


def beside(stored: JsonObject, folder: Path) -> JsonObject:
    """An item whose JSON lies in a folder: at home where its files are there too, else with the addresses it says."""
    own = at_home(stored)
    assets = own.get("assets")
    there = assets.values() if isinstance(assets, dict) else ()
    hrefs = [str(asset.get("href")) for asset in there if isinstance(asset, dict)]
    return own if any(href.startswith("./") and (folder / href).exists() for href in hrefs) else stored


def _with_hrefs(stored: JsonObject, changed: Callable[[str], str]) -> JsonObject:
    def moved(member: object) -> object:
        if not isinstance(member, dict) or not isinstance(member.get("href"), str) or member.get("rel") == "self":
            return member
        return {**member, "href": changed(member["href"])}

    made = {**stored, "links": [moved(link) for link in stored.get("links", ())]}
    if isinstance(assets := stored.get("assets"), dict):
        made["assets"] = {name: moved(asset) for name, asset in assets.items()}
    return made
