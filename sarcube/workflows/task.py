"""Units and tasks: what a workflow finds, and what a run makes of it; small frozen values that cross processes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sarcube.geometry.grid import GeoGrid
from sarcube.products.names import item_key, time_text

Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """What one task makes one product of.

    Attributes
    ----------
    kind : str
        Name of the product's kind.
    place : str
        Where it lies for ever (see `sarcube.products.places.Place`).
    start, end : datetime, optional
        UTC. `start` is cut to whole seconds when a product is named; None for a kind without time.
    inputs : tuple
        Whatever the workflow's `run` needs, small and picklable: a found acquisition, two of a pair, many of a mosaic.
        Several units of a kind without time at one place are candidates for its one product, tried in this order.
    footprint : tuple of (longitude, latitude)
        Closed ring in degrees.
    tag : str
        What tells units of one start apart, as in file names (capital letters, digits, hyphens): a pair's second time.
    label : str
        What people call its inputs: the name of a scene.
    bytes_in : int
        What is read for it, 0 where unknown.
    versioned : bool
        Its input may come in a later version than that which a product was made from: the plan asks the workflow.
    waits : tuple of str
        Keys of units that must be done before where they are to do: at the same place of kinds that come before in the
        order of their names (both dates of a pair), or at places that wait for nobody elsewhere (bursts of a pass).
    """

    kind: str
    place: str
    start: dt.datetime | None
    end: dt.datetime | None
    inputs: tuple[Any, ...]
    footprint: Ring
    tag: str = ""
    label: str = ""
    bytes_in: int = 0
    versioned: bool = False
    waits: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Deterministic and readable: `RTC_S1/t070_149815_iw3/20220101T124752Z`."""
        return unit_key(self.kind, self.place, self.start, self.tag)

    def item_key(self, collection: str) -> str:
        """Key of the item that commits its product."""
        return item_key(collection, self.place, self.start, self.tag)

    @property
    def day(self) -> str:
        """Its day, with the tag where it has one; empty for what has no time."""
        return "" if self.start is None else day_text(self.start, self.tag)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a task is expected to take; tasks of one kind and grid share one value.

    Attributes
    ----------
    bytes_in, bytes_out : int
        Read from the source, written to the store.
    cpu_s : float
        Seconds of one core.
    memory : int
        Bytes that the task declares: a worker takes a task only while it has that much to give.
    """

    bytes_in: int
    bytes_out: int
    cpu_s: float
    memory: int


@dataclass(frozen=True, slots=True)
class Task:
    """One product to make: a unit on its grid.

    Attributes
    ----------
    unit : Unit
    grid : GeoGrid
        Where the plan expects the product. Once the place has products, theirs decides.
    reason : str
        Why it is to do.
    after : tuple of str
        Keys of the tasks of this plan that must be done before.
    estimate : Estimate
    rank : int
        Place of the place in the plan: work proceeds place by place, so that time series finish early.
    remake : bool
        Replace a product that exists.
    """

    unit: Unit
    grid: GeoGrid
    reason: str
    after: tuple[str, ...]
    estimate: Estimate
    rank: int
    remake: bool = False

    @property
    def kind(self) -> str:
        return self.unit.kind

    @property
    def place(self) -> str:
        return self.unit.place

    @property
    def start(self) -> dt.datetime | None:
        return self.unit.start

    @property
    def inputs(self) -> tuple[Any, ...]:
        return self.unit.inputs

    @property
    def key(self) -> str:
        """That of its unit, the same in every run."""
        return self.unit.key

    @property
    def label(self) -> str:
        """What people call its inputs."""
        return self.unit.label

    def item_key(self, collection: str) -> str:
        """Key of the item that commits its product."""
        return self.unit.item_key(collection)


def unit_key(kind: str, place: str, start: dt.datetime | None, tag: str = "") -> str:
    """The key of a unit and of its task, the same in every run."""
    if start is None:
        return f"{kind}/{place}"
    text = f"{kind}/{place}/{time_text(start)}"
    return f"{text}/{tag}" if tag else text


def place_of(key: str) -> str:
    """The place that a unit's key names."""
    return key.split("/", 2)[1]


def day_text(start: dt.datetime, tag: str = "") -> str:
    """The day of a unit as people read it, with its tag where it has one."""
    return f"{start.date().isoformat()} {tag}".rstrip()
