"""What presets are made of: pictures, their legends, and what a preset asks of a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Stretch = Literal["percentile", "fixed"]


@dataclass(frozen=True)
class LegendEntry:
    """A colour of a picture and what it means."""

    colour: tuple[int, int, int]
    text: str


@dataclass(frozen=True, eq=False)
class Picture:
    """What a preset makes of a cube.

    Attributes
    ----------
    rgb : (3, rows, columns) uint8
        0 in all three where there is no data.
    layers : mapping of name to (rows, columns) float32
        In the order of their files.
    units : mapping of name to str
    names : tuple of str
        What the three channels are, or the one thing that is shown.
    legend : tuple of LegendEntry
    facts : mapping
        Of what was combined, for tags and the record.
    """

    rgb: NDArray[np.uint8]
    layers: Mapping[str, NDArray[np.float32]]
    units: Mapping[str, str]
    names: tuple[str, ...]
    legend: tuple[LegendEntry, ...]
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Preset:
    """One way to make pictures.

    Attributes
    ----------
    name, title, text : str
    stem : str
        Of file names.
    layers : tuple of str
        Layers that it takes by default; the first of them that all products have, where `one_of` holds.
    one_of : bool
    dates : int
        Time steps that it takes: the first and the last of a selection, or 1; 0: each alone.
    make : callable
        From a loaded cube with these layers and the stretch that was asked for to pictures by name, which end their
        files' names; the first is the composite.
    stretches : tuple of str
        Stretches that it has, the default first.
    pairs : bool
        Steps are pairs of dates.
    static : tuple of str
        Static layers that it takes where the store has them.
    resolution : float, optional
        Metres between pixels; None: those of the products.
    """

    name: str
    title: str
    text: str
    stem: str
    layers: tuple[str, ...]
    one_of: bool
    dates: int
    make: Callable[[xr.Dataset, Stretch], Mapping[str, Picture]]
    stretches: tuple[Stretch, ...] = ("fixed",)
    pairs: bool = False
    static: tuple[str, ...] = ()
    resolution: float | None = None
