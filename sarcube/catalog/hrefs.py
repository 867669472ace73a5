"""Hrefs: relative within a store, so that it can be moved; absolute in what queries return."""

from __future__ import annotations

from pathlib import PurePosixPath

from sarcube.store.protocol import Store


def absolute_href(base: str, href: str) -> str:
    """`href` as seen from the file at `base` (an absolute path or an address)."""
    if _absolute(href):
        return href
    scheme, mark, rest = base.rpartition("://")
    folder = rest.rpartition("/")[0]
    # All that a store's hrefs begin with; quick, for there may be a million of them.
    while href.startswith(("./", "../")):
        up, _, href = href.partition("/")
        if up == ".." and "/" in folder:
            folder = folder.rpartition("/")[0]
    if "./" not in href:
        return f"{scheme}{mark}{folder}/{href}"
    parts = folder.split("/")
    for part in href.split("/"):
        if part == ".." and len(parts) > 1:
            parts.pop()
        elif part not in (".", ".."):
            parts.append(part)
    return scheme + mark + "/".join(parts)


def relative_href(store: Store, folder: PurePosixPath | str, href: str) -> str:
    """`href` relative to a folder of the store where it lies in the store, else unchanged."""
    root = store.url + "/"
    return _relative(href.removeprefix(root), str(folder)) if href.startswith(root) else href


def moved_href(href: str, folder: str, target: str) -> str:
    """A relative href of a file in one folder of a store, as a file in another folder has to write it."""
    if _absolute(href):
        return href
    return _relative(absolute_href(f"/{folder}/x", href).removeprefix("/"), target.strip("/"))


def _absolute(href: str) -> bool:
    return href.startswith("/") or "://" in href


def _relative(key: str, folder: str) -> str:
    parts, base = key.split("/"), folder.split("/")
    common = 0
    while common < min(len(parts) - 1, len(base)) and parts[common] == base[common]:
        common += 1
    up = "../" * (len(base) - common)
    return (up or "./") + "/".join(parts[common:])
