"""Kinds of products and their layers: what a workflow declares, and all that plan, store, catalog and cube know.

A kind is a frozen value that knows no code of its workflow. A new layer or kind is a new line of its workflow's own
table: it changes no other kind's files and no other store's index.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import ProductError
from sarcube.jsons import JsonObject
from sarcube.products.rules import Rule

Role = Literal["measure", "mask", "auxiliary"]
Merge = Literal["mean", "sum", "mode", "classes", "first"]
Scale = Literal["linear", "db", "log"]
FactType = Literal["text", "texts", "integer", "number", "time"]
NAN = float("nan")
# The raster types of GDAL that numpy has too. Complex integers are the exceptions.
DTYPES = (
    "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64", "complex64",
    "complex128",
)  # fmt: skip
Colour = tuple[int, int, int, int]
ENDINGS = (".tif", ".png", ".geojson", ".parquet")  # of files of products; others in a store are not sarcube's


@dataclass(frozen=True)
class Shown:
    """How a layer is shown where people look: viewer, browse image, legends.

    Attributes
    ----------
    low, high : float, optional
        Ends of the range, in units of the layer, or in decibel where `scale` is "db"; None: from the pixels.
    colours : str
        Name of a colour map of matplotlib.
    scale : str
        "linear", "db" (10 log10 of a power) or "log".
    cyclic : bool
        The ends of the range are the same value (a phase): averages go round the circle.
    """

    low: float | None = None
    high: float | None = None
    colours: str = "gray"
    scale: Scale = "linear"
    cyclic: bool = False


@dataclass(frozen=True)
class MaskClass:
    """One value of a mask and its meaning.

    Attributes
    ----------
    value : int
    name : str
        As in the item's `classification:classes`.
    text : str
    colour : (red, green, blue, alpha), optional
        What a map viewer paints it with.
    rank : int
        Which class is worth more where the best of several is wanted: the smallest rank.
    blind : bool
        Measures have no value there, so that a neighbour that does see the pixel decides.
    """

    value: int
    name: str
    text: str
    colour: Colour | None = None
    rank: int = 0
    blind: bool = False


@dataclass(frozen=True)
class Layer:
    """One raster of a product.

    Attributes
    ----------
    name : str
        Name of the variable and of the asset, and the file's suffix.
    title : str
    dtype : str
        A numpy name that GDAL has too: "uint8", "int16", "uint16", "float32", "complex64", ...
    nodata : float
        NaN for measures; a mask's value for what was not seen.
    unit : str
        "1" where there is none.
    role : str
        "measure" (what the product is for), "mask" (classes, told by `classes`) or "auxiliary".
    merge : str
        What a pixel is where several products are averaged: their "mean", "sum" or "mode" (most frequent value), the
        class of the lowest rank ("classes"), or the "first" in time, for what cannot be averaged.
    classes : tuple of MaskClass
        The meaning of a mask's values. A type alone makes no mask.
    shown : Shown
    overview : str
        How overviews are made: "average" of what is valid, or "nearest".
    roles : tuple of str
        STAC asset roles beyond "data" and what `role` says.
    weight : str
        Name of the layer that counts how much a pixel is worth, for weighted means; empty: all alike.
    may_round : bool
        As noisy as speckle: compression may leave out mantissa bits where the user asks for it, and predicts nothing.
    scale : float
        What a stored number is worth, in units of the layer: told by file and item, never taken off the stored number.
    facts : tuple of (name, value)
        What else its asset and its band say in an item: `eo:common_name`, say.
    """

    name: str
    title: str
    dtype: str = "float32"
    nodata: float = NAN
    unit: str = "1"
    role: Role = "measure"
    merge: Merge = "mean"
    classes: tuple[MaskClass, ...] = ()
    shown: Shown = Shown()
    overview: Literal["average", "nearest"] = "average"
    roles: tuple[str, ...] = ()
    weight: str = ""
    may_round: bool = False
    scale: float = 1.0
    facts: tuple[tuple[str, object], ...] = ()

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ProductError(f"layer {self.name}: {self.dtype!r} is no raster type; one of {', '.join(DTYPES)}")
        if (self.role == "mask") != bool(self.classes):
            raise ProductError(f"layer {self.name}: a mask has classes, and what has classes is a mask")
        if np.dtype(self.dtype).kind in "ui" and not float(self.nodata).is_integer():
            raise ProductError(f"layer {self.name} of type {self.dtype} needs a whole number as nodata")

    @property
    def stac_roles(self) -> tuple[str, ...]:
        """Roles of its asset."""
        own = {"measure": (), "mask": ("auxiliary", "mask"), "auxiliary": ("auxiliary",)}[self.role]
        return tuple(dict.fromkeys(("data", *own, *self.roles)))

    def missing(self, values: NDArray[np.generic]) -> NDArray[np.bool_]:
        """Where an array of this layer has no data, bool of its shape."""
        own = np.dtype(self.dtype).type(self.nodata)
        missing: NDArray[np.bool_] = np.isnan(values) if np.isnan(self.nodata) else values == own
        return missing


def mask_layer(
    name: str, title: str, classes: Sequence[MaskClass], nodata: int, *, roles: tuple[str, ...] = ()
) -> Layer:
    """A mask of classes in one byte; `nodata` is the value of what was not seen."""
    return Layer(
        name, title, "uint8", float(nodata), role="mask", merge="classes", classes=tuple(classes), overview="nearest",
        roles=roles,
    )  # fmt: skip


@dataclass(frozen=True)
class Rate:
    """What a product is expected to take, linear in the pixels of its grid.

    Attributes
    ----------
    cpu_s_per_mpixel, bytes_out_per_pixel, memory_per_pixel : float
    memory_base : int
        Bytes that do not depend on the grid: interpreter, libraries, samples of an input.
    inputs : int
        Bytes read that do not depend on the grid.
    """

    cpu_s_per_mpixel: float
    bytes_out_per_pixel: float
    memory_per_pixel: float
    memory_base: int
    inputs: int


@dataclass(frozen=True)
class Fact:
    """A property of a kind's items that one selects by: a column of its collection's index.

    Attributes
    ----------
    name : str
        Of the property.
    type : str
        "text", "texts" (a list), "integer", "number" or "time".
    summarized : bool
        The collection lists every value that occurs.
    """

    name: str
    type: FactType = "text"
    summarized: bool = False


@dataclass(frozen=True)
class Attached:
    """A file beside the layers that is no layer: points, a picture, a table. Products may have it or not.

    Attributes
    ----------
    name : str
        Of its asset.
    title : str
    suffix : str
        What its file's name ends in, behind the product's: "hotspots.geojson".
    media_type : str
    roles : tuple of str
        Of its asset.
    """

    name: str
    title: str
    suffix: str
    media_type: str
    roles: tuple[str, ...] = ("data",)

    def __post_init__(self) -> None:
        if not self.suffix.endswith(ENDINGS):
            raise ProductError(f"{self.name}: files of products end in {', '.join(ENDINGS)}, not {self.suffix!r}")


@dataclass(frozen=True)
class ProductKind:
    """One sort of product of a workflow.

    Attributes
    ----------
    name : str
        Capital letters and digits, parts joined by underscores; unique among all that is installed.
    collection : str
        Name of its STAC collection unless the run file says another (`collections`).
    layers : tuple of Layer
        Its own table, in the order of its files and assets.
    title, text : str
        Of the collection.
    what : str
        One product in two or three words, for tables ("terrain geometry").
    rate : Rate
        Until the store has a history of its own.
    timed : bool
        Products have a time; else there is one per place.
    needs : tuple of str
        Names of kinds that must be there before: at the same place, and of the same time where they are timed.
    facts : tuple of Fact
    rules : tuple of Rule
        What the properties of its items have to be, beyond what every kind's have to.
    keywords : tuple of str
    providers : tuple of dict
        Of the collection, as STAC has them.
    license_link : str
        Address of what the inputs may be used for.
    browse : tuple of str
        Layers for the browse image, best first: the first two that a product has make a colour composite, one alone
        is drawn as it is shown. Empty: none is drawn.
    attached : tuple of Attached
        Files that are no layers.
    level : str
        Processing level, as it stands in file names.
    since : datetime
        Of a kind without time: from when on its products hold, as file names say it.
    aliases : mapping of str to str
        Names under which other makers publish the same layers, to the layers' own.
    formerly : str
        What version 0.1 called it in `collections` of the run file and in the records of runs.
    """

    name: str
    collection: str
    layers: tuple[Layer, ...]
    title: str
    text: str
    what: str
    rate: Rate
    timed: bool = True
    needs: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    rules: tuple[Rule, ...] = ()
    keywords: tuple[str, ...] = ()
    providers: tuple[JsonObject, ...] = field(default=(), hash=False)
    license_link: str = ""
    browse: tuple[str, ...] = ()
    attached: tuple[Attached, ...] = ()
    level: str = "L2"
    since: dt.datetime = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    aliases: Mapping[str, str] = field(default_factory=dict, hash=False)
    formerly: str = ""

    def __post_init__(self) -> None:
        names = [layer.name for layer in self.layers]
        if not re.fullmatch(r"[A-Z0-9]+(?:_[A-Z0-9]+)*", self.name):
            raise ProductError(
                f"{self.name!r} cannot name a kind: capital letters and digits, parts joined by underscores"
            )
        if odd := [name for name in names if not re.fullmatch(r"\w[\w.-]*", name)]:
            raise ProductError(f"kind {self.name}: {odd[0]!r} cannot name a layer, which is part of its file's name: "
                               "letters, digits, _, - and . alone")  # fmt: skip
        if twice := [name for name in names if names.count(name) > 1]:
            raise ProductError(f"kind {self.name} has two layers of the name {twice[0]!r}")

    @cached_property
    def table(self) -> dict[str, Layer]:
        """Layers by name."""
        return {layer.name: layer for layer in self.layers}

    def layer(self, name: str) -> Layer:
        """The layer of that name; ProductError where the kind has none."""
        try:
            return self.table[name]
        except KeyError:
            raise ProductError(f"{self.name} has no layer {name!r}; it has {', '.join(self.table)}") from None
