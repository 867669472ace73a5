"""Products of several kinds in one cube: which layers are of which, and the grid that they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pystac

from sarcube.cube.acquisition import Acquisition, kind_of_item
from sarcube.cube.asked import Bbox
from sarcube.cube.found import Elsewhere, Store, read_items
from sarcube.cube.layers import layers_of
from sarcube.cube.pairs.beside import Beside, choose_kind
from sarcube.cube.selection import Selection
from sarcube.cube.target_grid import target_grid
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid

Collections = str | Sequence[str] | None


def read_all(store: Store, selection: Selection, collection: Collections, elsewhere: Elsewhere) -> list[pystac.Item]:
    """Items of one collection, of several, or of all."""
    if collection is None or isinstance(collection, str):
        return read_items(store, selection, collection, elsewhere)
    return [item for name in dict.fromkeys(collection) for item in read_items(store, selection, name, elsewhere)]


def kinds_of(
    items: Sequence[pystac.Item], collection: Collections, layers: str | Sequence[str] | None
) -> tuple[list[pystac.Item], dict[str, Beside]]:
    """Items of all kinds where several collections were asked for; else of one, and what is laid beside it.

    Raises
    ------
    CubeError
        There are several kinds, and neither collections nor layers tell which is wanted.
    """
    if collection is None or isinstance(collection, str):
        return choose_kind(items, layers)
    return list(items), {}


def own_layers(items: Sequence[pystac.Item]) -> Mapping[str, frozenset[str]]:
    """By item the layers that its kind has."""
    kinds: dict[str, list[pystac.Item]] = {}
    for item in items:
        kinds.setdefault(kind_of_item(item), []).append(item)
    tables = {kind: frozenset(layers_of(found)) for kind, found in kinds.items()}
    return {item.id: tables[kind] for kind, found in kinds.items() for item in found}


def check_names(own: Mapping[str, frozenset[str]], wanted: Sequence[str]) -> None:
    """Refuse a layer that means one thing in one kind and another in the next."""
    tables = set(own.values())
    for name in wanted:
        if sum(name in table for table in tables) > 1:
            raise CubeError(
                f"several kinds of products have a layer {name}; ask for layers= without it, or open them one by one"
            )


def shared_grid(
    acquisitions: Sequence[Acquisition],
    own: Mapping[str, frozenset[str]],
    area: Bbox | None,
    resolution: float | None,
    code: int | None,
) -> GeoGrid:
    """The grid of all; where kinds differ its pixels and CRS are those of the kind that was named first."""
    grids = [a.grid for a in acquisitions]
    if len(set(own.values())) > 1 and (resolution is None or code is None):
        first = own[acquisitions[0].id]
        like = target_grid([a.grid for a in acquisitions if own[a.id] == first], area, resolution, code)
        resolution, code = like.resolution, like.epsg
    return target_grid(grids, area, resolution, code)
