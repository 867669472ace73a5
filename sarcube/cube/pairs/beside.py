"""Which kind of products a cube is of, and layers of pairs beside those of dates: coherence of each date to its next.

OpenSarToolkit lays the coherence of a burst's consecutive dates beside its backscatter. Here a layer of pairs is named
with its channel, as `coherence_VV`, and stands at the first date of the shortest pair that begins there: N dates have
N - 1 of them, and the last has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pystac

from sarcube.cube.acquisition import Acquisition, kind_of_item
from sarcube.cube.found import read_acquisitions
from sarcube.cube.layers import layers_of
from sarcube.cube.pairs.fields import CHANNELS, SECOND
from sarcube.errors import CubeError
from sarcube.products.kinds import Layer

_ONE_PASS = np.timedelta64(10, "m")  # between what is of one overflight of a place


@dataclass(frozen=True, eq=False)
class Beside:
    """A layer of pairs that is laid beside those of dates.

    Attributes
    ----------
    layer : Layer
        Under the name that was asked for.
    name : str
        What the pairs call it.
    items : tuple of pystac.Item
        Of the pairs that have it.
    """

    layer: Layer
    name: str
    items: tuple[pystac.Item, ...]


def choose_kind(
    items: Sequence[pystac.Item], layers: str | Sequence[str] | None
) -> tuple[list[pystac.Item], dict[str, Beside]]:
    """Items of the one kind that a cube of these layers is of, and what of other kinds is laid beside it, by name.

    Raises
    ------
    CubeError
        Layers do not tell which of several kinds is wanted.
    """
    kinds: dict[str, list[pystac.Item]] = {}
    for item in items:
        kinds.setdefault(kind_of_item(item), []).append(item)
    tables = {kind: layers_of(of) for kind, of in kinds.items()}
    names = [layers] if isinstance(layers, str) else list(layers or ())
    beside: dict[str, Beside] = {}
    for name in names:
        if not any(name in table for table in tables.values()) and (found := _pairs_with(name, kinds, tables)):
            beside[name] = found
    plain = [name for name in names if name not in beside]
    if beside and not plain:
        return [], beside
    told = [kind for kind in kinds if kind]
    if len(told) > 1 and plain:
        having = [kind for kind in kinds if all(name in tables[kind] for name in plain)]
        if len(having) == 1:
            return kinds[having[0]], beside
    if len(told) > 1:
        collections = {kind: kinds[kind][0].collection_id for kind in told}
        named = ", ".join(f"{kind} (collection {name})" for kind, name in sorted(collections.items()))
        raise CubeError(
            f"there are several kinds of products: {named}; open one, with collection=, or several on one grid and "
            "time axis, with a list of them"
        )
    return list(items), beside


def _pairs_with(
    name: str, kinds: Mapping[str, list[pystac.Item]], tables: Mapping[str, Mapping[str, Layer]]
) -> Beside | None:
    """The pairs that have a layer of a channel, of the kind that has most of them; None where none has."""
    base, _, channel = str(name).rpartition("_")
    best: Beside | None = None
    for kind, items in kinds.items():
        if base not in tables[kind]:
            continue
        fitting = tuple(
            i for i in items if SECOND in i.properties and list(i.properties.get(CHANNELS, ())) == [channel]
        )
        if fitting and (best is None or len(fitting) > len(best.items)):
            layer = tables[kind][base]
            titled = replace(layer, name=name, title=f"{layer.title}, {channel}, to the next date", weight="")
            best = Beside(titled, base, fitting)
    return best


def lay_beside(acquisitions: Sequence[Acquisition], beside: Mapping[str, Beside]) -> list[Acquisition]:
    """Acquisitions with the files of pairs that begin at them; and of places and dates that pairs alone have.

    A pair that passes over a date of its place is left out: it is not to the next one.
    """
    made = list(acquisitions)
    for name, layer in beside.items():
        pairs = read_acquisitions(layer.items, frozenset({layer.name}))
        known = _dates([*made, *pairs])
        for pair in _consecutive(pairs, known):
            file = pair.files[layer.name]
            at = next((k for k, a in enumerate(made) if _same(a, pair)), None)
            if at is None:
                alone = replace(pair, files={name: file}, end=pair.start, second=None, channel="", until=pair.second)
                made.append(alone)
            else:
                made[at] = replace(made[at], files={**made[at].files, name: file}, until=pair.second)
    return made


def _same(acquisition: Acquisition, pair: Acquisition) -> bool:
    return acquisition.place == pair.place and bool(abs(acquisition.start - pair.start) < _ONE_PASS)


def _dates(acquisitions: Iterable[Acquisition]) -> dict[str, list[np.datetime64]]:
    known: dict[str, list[np.datetime64]] = {}
    for a in acquisitions:
        known.setdefault(a.place, []).append(a.start)
    return known


def _consecutive(pairs: Sequence[Acquisition], known: Mapping[str, Sequence[np.datetime64]]) -> Iterable[Acquisition]:
    """Of each place and first date the pair to the next date; of several that were made, the newest."""
    first: dict[tuple[str, np.datetime64], Acquisition] = {}
    for pair in sorted(pairs, key=lambda p: p.id):
        if pair.second is None:
            continue
        between = any(pair.start + _ONE_PASS < t < pair.second - _ONE_PASS for t in known[pair.place])
        if not between:
            first[pair.place, pair.start] = pair
    return first.values()
