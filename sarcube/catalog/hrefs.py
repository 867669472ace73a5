"""Hrefs: relative within a store, so that it can be moved; absolute in what queries return."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from urllib.parse import urljoin

from sarcube.products.store import Store


def absolute_href(base: str, href: str) -> str:
    """`href` as seen from the file at `base` (a path or an address)."""
    if "://" in href or href.startswith("/"):
        return href
    if "://" in base:
        scheme, _, rest = base.partition("://")
        return scheme + "://" + urljoin("http://" + rest, href).removeprefix("http://")
    return urljoin(base, href)


def relative_href(store: Store, folder: PurePosixPath | str, href: str) -> str:
    """`href` relative to a folder of the store where it lies in the store, else unchanged."""
    root = store.url + "/"
    return _relative(href.removeprefix(root), str(folder)) if href.startswith(root) else href


def moved_href(href: str, folder: str, target: str) -> str:
    """A relative href of a file in one folder of a store, as a file in another folder has to write it."""
    if "://" in href or href.startswith("/"):
        return href
    return _relative(os.path.normpath(f"{folder}/{href}").replace(os.sep, "/"), target)


def _relative(key: str, folder: str) -> str:
    path = os.path.relpath(key, folder).replace(os.sep, "/")
    return path if path.startswith("../") else f"./{path}"
