"""From what a user names to items: a store, one of its files, OPERA files, or items; and where their files may lie."""

from __future__ import annotations

import json
import os
import posixpath
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote

import pystac

from sarcube.cube.acquisition import ELSEWHERE, Acquisition, from_item, place_in
from sarcube.cube.opera_files import find_opera_files, opera_items, parse_name
from sarcube.cube.selection import Selection, select
from sarcube.errors import CubeError, PassedOverWarning

Store = str | os.PathLike[str] | Sequence[pystac.Item] | Sequence[str | os.PathLike[str]] | pystac.ItemCollection
Elsewhere = bool | str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None
_OF_COLLECTION = ("collection.json", "items.parquet")
_NAMED = 5


def read_items(
    store: Store, selection: Selection, collection: str | None = None, elsewhere: Elsewhere = False
) -> list[pystac.Item]:
    """Items of a store, of OPERA files, or as given.

    Assets that lie outside of the store, and not where `elsewhere` allows, are marked: they are refused when they are
    asked for.
    """
    if isinstance(store, pystac.ItemCollection):
        return _given(store.items)
    if not isinstance(store, str | os.PathLike):
        if not isinstance(store, Iterable) or isinstance(store, bytes):
            raise CubeError(f"a store is an address, a folder, or a list of files or STAC items, not {store!r:.100}")
        given = list(store)
        items = [item for item in given if isinstance(item, pystac.Item)]
        return _given(items) if len(items) == len(given) else opera_items(str(path) for path in given)
    if not os.fspath(store):
        raise CubeError("a store's address is empty; name a folder or an s3:// address")
    address = os.fspath(store).rstrip("/") or "/"
    if "://" not in address or address.startswith("file://"):
        return _local(_path(address), selection, collection, elsewhere)
    if address.endswith(".zarr"):
        raise CubeError(_is_export(address))
    folder, _, name = address.rpartition("/")
    if name in _OF_COLLECTION:
        folder, _, collection = folder.rpartition("/")
        return _of_store(folder, selection, collection, elsewhere)
    return _of_store(folder if name == "catalog.json" else address, selection, collection, elsewhere)


def _path(address: str) -> Path:
    """A path as people and programs write it: with ~ for the home, or as an address, which encodes blanks.

    Raises
    ------
    CubeError
        The system knows no such paths.
    """
    if address.startswith("file://"):
        plain = Path(address.removeprefix("file://"))
        path = plain if plain.exists() else Path(unquote(address.removeprefix("file://")))
    else:
        path = Path(address)
    try:
        path = path.expanduser()
        path.stat()
    except FileNotFoundError:
        pass
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CubeError(f"{address[:200]!r} cannot be looked at: {reason}; check the path") from error
    return path


def _local(place: Path, selection: Selection, collection: str | None, elsewhere: Elsewhere) -> list[pystac.Item]:
    if not place.exists():
        raise CubeError(f"there is no store at {place}; check the path")
    if (place / "zarr.json").exists() or (place / ".zgroup").exists() or place.suffix in (".nc", ".nc4"):
        raise CubeError(_is_export(str(place)))
    if place.is_file():
        return _of_file(place, selection, collection, elsewhere)
    if not any(place.glob("*/collection.json")):
        if (place / "collection.json").exists():
            return _of_store(str(place.parent), selection, place.name, elsewhere)
        if items := opera_items(find_opera_files(place)) or _items_in(place, elsewhere):
            return items
    return _of_store(str(place), selection, collection, elsewhere)


def _is_export(address: str) -> str:
    opens = "open_dataset" if address.endswith((".nc", ".nc4")) else "open_zarr"
    return f'{address} is an exported cube and no store: open it with xarray.{opens}("{address}", decode_coords="all")'


def _of_store(address: str, selection: Selection, collection: str | None, elsewhere: Elsewhere) -> list[pystac.Item]:
    from sarcube.catalog.query import find_items
    from sarcube.store.protocol import open_store

    place = open_store(address)
    days = None if selection.dates is None else tuple(t.astype("datetime64[D]").item() for t in selection.dates)
    places = None if selection.places is None else [place_in(p) or p for p in selection.places]
    found = find_items(place, collection=collection, bbox=selection.bbox, dates=days, places=places)
    _mark(found, [place.url], elsewhere)
    return found


def _of_file(path: Path, selection: Selection, collection: str | None, elsewhere: Elsewhere) -> list[pystac.Item]:
    if parse_name(path.name):
        return opera_items([path])
    folder = path.absolute().parent
    if path.name in _OF_COLLECTION:
        return _of_store(str(folder.parent), selection, folder.name, elsewhere)
    if path.name == "catalog.json":
        return _of_store(str(folder), selection, collection, elsewhere)
    try:
        stored = json.loads(path.read_bytes())
        kind = stored.get("type") if isinstance(stored, dict) else None
        if kind == "Feature":
            items = [_open(stored, path)]
            _mark(items, [str(folder)], elsewhere)
            return items
        if kind == "FeatureCollection":
            return _given(list(pystac.ItemCollection.from_dict(stored)))
    except (ValueError, KeyError, TypeError, AttributeError, OSError, pystac.STACError) as error:
        raise CubeError(
            f"{path} cannot be opened as STAC ({type(error).__name__}: {error}); name the store, a folder of OPERA "
            "files, an item or an item collection"
        ) from error
    raise CubeError(f"{path} is no STAC item or item collection; name the store, or a folder of OPERA files")


def _open(stored: dict[str, object], path: Path) -> pystac.Item:
    from sarcube.catalog.query import open_item
    from sarcube.products.public import beside

    return open_item(beside(stored, path.absolute().parent), str(path.absolute()))


def _items_in(folder: Path, elsewhere: Elsewhere) -> list[pystac.Item]:
    """Items that lie side by side in a folder, or in folders of it, as exports of COGs have them."""
    items = []
    for path in sorted(folder.glob("*.json")) or sorted(folder.glob("*/*.json")):
        try:
            stored = json.loads(path.read_bytes())
            if isinstance(stored, dict) and stored.get("type") == "Feature":
                items.append(_open(stored, path))
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            warnings.warn(f"{path} is passed over ({type(error).__name__}: {error})", PassedOverWarning, stacklevel=2)
    _mark(items, [str(folder.absolute())], elsewhere)
    return items


def _given(items: Iterable[pystac.Item]) -> list[pystac.Item]:
    """Items that the user read: their addresses are the user's own; what came over a network names no local file."""
    items = list(items)
    for item in items:
        base = item.get_self_href() or ""
        if "://" in base and not base.startswith("file://"):
            for asset in item.assets.values():
                if not asset.href.startswith(("https://", "http://", "s3://")) and os.path.isabs(_plain(asset.href)):  # noqa: PTH117
                    asset.extra_fields[ELSEWHERE] = True
    return items


def _plain(href: str) -> str:
    return href.removeprefix("file://")


def _mark(items: Iterable[pystac.Item], roots: Sequence[str], elsewhere: Elsewhere) -> None:
    if elsewhere is True:
        return
    given = [elsewhere] if isinstance(elsewhere, str | os.PathLike) else list(elsewhere or ())
    more = [os.fspath(place) for place in given]
    allowed = tuple(_normal(root).rstrip("/") + "/" for root in (*roots, *more))
    for item in items:
        for asset in item.assets.values():
            if not _normal(asset.href).startswith(allowed):
                asset.extra_fields[ELSEWHERE] = True


def _normal(address: str) -> str:
    """An address without steps back, which could lead out of a folder that it begins with."""
    scheme, mark, rest = _plain(address).rpartition("://")
    if not mark and not rest.startswith("/"):
        rest = os.path.abspath(rest)  # noqa: PTH100
    return scheme + mark + (posixpath.normpath(rest) if "/." in rest or "//" in rest else rest)


def read_acquisitions(items: Sequence[pystac.Item], wanted: frozenset[str]) -> list[Acquisition]:
    """Acquisitions of items; those that cannot be used are passed over, and told.

    Raises
    ------
    CubeError
        None can be used; the first one's reason.
    """
    found: list[Acquisition] = []
    passed: list[CubeError] = []
    for item in items:
        try:
            found.append(from_item(item, wanted))
        except CubeError as error:
            passed.append(error)
    if passed and not found:
        raise passed[0]
    if passed:
        named = "; ".join(str(e) for e in passed[:_NAMED])
        more = f"; and {len(passed) - _NAMED} more" if len(passed) > _NAMED else ""
        warnings.warn(
            f"{len(passed)} of {len(items)} items passed over: {named}{more}", PassedOverWarning, stacklevel=3
        )
    return found


def explain_nothing(store: Store, selection: Selection, collection: str | None, elsewhere: Elsewhere) -> None:
    """Where a selection found nothing in a store: say which condition left nothing, and what there is.

    Raises
    ------
    CubeError
        As `select`, over all items.
    """
    from sarcube.cube.acquisition import is_static

    everything = [i for i in read_items(store, Selection(), collection, elsewhere) if not is_static(i)]
    select(everything, selection)
