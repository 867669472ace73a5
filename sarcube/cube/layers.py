"""What items tell of their layers, and variables of theirs: enough to read, merge and show them, whatever made them.

An item of this version says of each asset its type, nodata, roles, classes, how it merges and how it is shown. Items of
version 0.1 and of other makers say less: what they leave out is taken from the layer of that name that an installed
workflow knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import get_args

import numpy as np
import pystac
import xarray as xr

from sarcube.errors import CubeError, ProductError
from sarcube.jsons import JsonObject
from sarcube.products.kinds import DTYPES, NAN, Layer, MaskClass, Merge, Role, Shown
from sarcube.raster_facts import band_count, numbers_of, raster_facts
from sarcube.workflows.registry import known_aliases, known_layers

# What no pixel can be, where a variable does not say: also written as _FillValue or nodata. By dtype.
FILLS = {"uint8": 255, "int8": -128}
_NAMES = {"cfloat32": "complex64", "cfloat64": "complex128"}
_RULES: dict[str, Merge] = {rule: rule for rule in get_args(Merge)}
_SHOWN = frozenset(Shown.__dataclass_fields__)
ROLE, MERGE, BEST_FIRST, RANKS, BLIND, SHOWN, NODATA = (
    "sarcube_role", "sarcube_merges", "sarcube_best_first", "sarcube_ranks", "sarcube_blind", "sarcube_shown",
    "sarcube_nodata",
)  # fmt: skip


@lru_cache(maxsize=1)
def known() -> Mapping[str, Layer]:
    """Layers of the workflows that are installed, by name."""
    return known_layers()


@lru_cache(maxsize=1)
def _aliases() -> Mapping[str, str]:
    return known_aliases()


def layer_name(key: str) -> str:
    """Name of the layer that an asset's key stands for, also where another maker calls it otherwise."""
    return key if key in known() else _aliases().get(key, key)


def layers_of(items: Iterable[pystac.Item]) -> dict[str, Layer]:
    """The layers among the items' assets, by name: as the first asset of a name tells."""
    found: dict[str, Layer] = {}
    seen: set[str] = set()
    for item in items:
        for key, asset in item.assets.items():
            if key in seen:
                continue
            name = layer_name(key)
            try:
                layer = _layer(name, asset)
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
                continue  # damaged; another item may tell
            seen.add(key)
            if layer is not None and name not in found:
                found[name] = layer
    order = {name: i for i, name in enumerate(known())}
    return dict(sorted(found.items(), key=lambda pair: order.get(pair[0], len(order))))


def _layer(name: str, asset: pystac.Asset) -> Layer | None:
    """What an asset tells of its layer; None where it is none."""
    fields = asset.extra_fields
    facts, numbers = raster_facts(fields), numbers_of(fields, {})
    measured = (numbers.scale, numbers.offset) != (1.0, 0.0)
    told = known().get(name)
    if "sarcube:merge" not in fields and told is not None:  # of version 0.1, or of another maker
        return replace(told, dtype="float32", nodata=NAN) if measured and not told.classes else told
    roles = tuple(asset.roles or ())
    dtype = str(facts.get("data_type", ""))
    dtype = _NAMES.get(dtype, dtype)
    ours = "sarcube:merge" in fields
    if dtype not in DTYPES or not (ours or "data" in roles or not roles) or band_count(fields) > 1:
        return None
    classes = _classes(fields)
    role: Role = "mask" if classes else "auxiliary" if "auxiliary" in roles else "measure"
    stated = fields.get("sarcube:merge")
    merge = _RULES.get(str(stated), "classes" if classes else "first")
    if measured and not classes:  # a cube holds what numbers mean
        dtype = "float32"
    whole = np.dtype(dtype).kind in "ui"
    try:
        return Layer(
            name,
            str(asset.title or name),
            dtype,
            _nodata(numbers.nodata, dtype) if whole else NAN,  # whatever a file has where there is none
            str(facts.get("unit") or "1"),
            role,
            merge if stated or classes or whole else "mean",
            classes,
            _shown(fields.get("sarcube:shown")),
            "nearest" if classes or whole else "average",
            weight=str(fields.get("sarcube:weight", "")),
        )
    except (ProductError, TypeError, ValueError):
        return None  # it says what cannot be


def _nodata(value: float | None, dtype: str) -> float:
    limits = np.iinfo(dtype)
    told = value is not None and limits.min <= value <= limits.max and value == int(value)
    return float(value) if told and value is not None else 0.0


def _classes(fields: JsonObject) -> tuple[MaskClass, ...]:
    stated = fields.get("classification:classes")
    if not isinstance(stated, list):
        return ()
    order = [v for v in fields.get("sarcube:best_first", ()) if isinstance(v, int)]
    blind = set(fields.get("sarcube:blind", ()))
    ranks = fields.get("sarcube:ranks")
    if not (isinstance(ranks, list) and len(ranks) == len(stated) and all(isinstance(r, int) for r in ranks)):
        ranks = None  # of version 0.1, or of another maker
    classes = []
    for i, one in enumerate(stated):
        value = int(one["value"])
        hint = str(one.get("color_hint", ""))
        colour = (*bytes.fromhex(hint), 255) if len(hint) == 6 else (0, 0, 0, 0)
        rank = ranks[i] if ranks else order.index(value) if value in order else i
        text = str(one.get("description", ""))
        classes.append(MaskClass(value, str(one.get("name", value)), text, colour, rank, value in blind))
    return tuple(classes)


def _shown(stated: object) -> Shown:
    if not isinstance(stated, dict):
        return Shown()
    return Shown(**{k: v for k, v in stated.items() if k in _SHOWN})


def attributes(layer: Layer) -> dict[str, object]:
    """What a variable of a layer says of itself: for people, for CF, and for `layer_of`."""
    told: dict[str, object] = {"long_name": layer.title, "units": layer.unit, ROLE: layer.role, MERGE: layer.merge}
    if layer.classes:
        dtype = np.dtype(layer.dtype)
        told["flag_values"] = np.array([c.value for c in layer.classes], dtype)
        told["flag_meanings"] = " ".join(c.name.replace(" ", "_") for c in layer.classes)
        told[BEST_FIRST] = np.array([c.value for c in sorted(layer.classes, key=lambda c: c.rank)], dtype)
        told[RANKS] = np.array([c.rank for c in layer.classes], np.int32)
        told[BLIND] = np.array([c.value for c in layer.classes if c.blind], dtype)
    if layer.shown.scale != "linear":
        told[SHOWN] = layer.shown.scale
    if not np.isnan(layer.nodata):
        told[NODATA] = layer.nodata
    return told


def layer_of(variable: xr.DataArray) -> Layer:
    """The layer of a cube's variable: by what it says of itself, else by its name, else by its type."""
    name, attrs = str(variable.name).removeprefix("static_"), variable.attrs
    told = known().get(name)
    if ROLE not in attrs and told is not None:
        return told
    dtype = variable.dtype.name if variable.dtype.name in DTYPES else "float32"
    if "flag_values" in attrs and BEST_FIRST in attrs:
        order, blind = np.atleast_1d(attrs[BEST_FIRST]).tolist(), set(np.atleast_1d(attrs.get(BLIND, ())).tolist())
        names = str(attrs.get("flag_meanings", "")).split()
        values = np.atleast_1d(attrs["flag_values"]).tolist()
        ranks = np.atleast_1d(attrs.get(RANKS, [order.index(v) if v in order else len(order) for v in values])).tolist()
        classes = tuple(
            MaskClass(int(v), n, "", rank=int(r), blind=v in blind)
            for v, n, r in zip(values, names, ranks, strict=False)
        )
        whole = dtype if np.dtype(dtype).kind in "ui" else "uint8"
        nodata = float(attrs.get(NODATA, 255))
        return Layer(name, name, whole, nodata, role="mask", merge="classes", classes=classes, overview="nearest")
    nodata = float(attrs.get(NODATA, 0 if np.dtype(dtype).kind in "ui" else NAN))
    merge = attrs.get(MERGE, "mean")
    role = attrs.get(ROLE, "auxiliary")
    layer = Layer(
        name, str(attrs.get("long_name", name)), dtype, nodata, str(attrs.get("units", "1")),
        role if role in get_args(Role) and role != "mask" else "auxiliary",
        merge if merge in get_args(Merge) else "mean",
    )  # fmt: skip
    return replace(layer, shown=Shown(scale=attrs[SHOWN])) if attrs.get(SHOWN) in ("db", "log") else layer


def real_values(variable: xr.DataArray) -> xr.DataArray:
    """A layer as what statistics are made of: floating point, NaN where there is none, also of whole numbers.

    Raises
    ------
    CubeError
        Its numbers are complex, which have no order and no spread.
    """
    if variable.dtype.kind == "c":
        raise CubeError(f"{variable.name} is complex; take its magnitude or phase first: abs(cube[{variable.name!r}])")
    stated = variable.attrs.get(NODATA)
    if variable.dtype.kind == "f" and stated is None:
        return variable
    fill = FILLS.get(variable.dtype.name) if stated is None else stated
    wide = variable.astype(np.float32 if variable.dtype.itemsize < 4 or variable.dtype == np.float32 else np.float64)
    return wide if fill is None else wide.where(variable != variable.dtype.type(fill))


def in_decibel(variable: xr.DataArray) -> bool:
    """Whether a measure is a power, which decibel are of; what does not tell is taken for one."""
    if ROLE in variable.attrs:
        return variable.attrs.get(SHOWN) == "db"
    told = known().get(str(variable.name))
    return told is None or told.shown.scale == "db"


def measures(cube: xr.Dataset) -> tuple[str, ...]:
    """Names of the variables that the cube is for, real ones: those that statistics over time are made of."""
    return tuple(
        str(name)
        for name, variable in cube.data_vars.items()
        if variable.dtype.kind == "f" and not str(name).startswith("static_") and layer_of(variable).role == "measure"
    )
