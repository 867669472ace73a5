"""The plan as a value: tasks, what exists, what cannot be, and their sums."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from sarcube.config import RunConfig
from sarcube.errors import SarcubeError
from sarcube.geometry.grid import GeoGrid
from sarcube.html import PlaceMap
from sarcube.production.shown import Shown
from sarcube.products.kinds import ProductKind
from sarcube.transfer.problem import Problem
from sarcube.workflows.network import Connection
from sarcube.workflows.registry import makers
from sarcube.workflows.task import Ring, Task
from sarcube.workflows.workflow import Workflow

if TYPE_CHECKING:
    import geopandas as gpd

    from sarcube.production.views.network import NetworkPicture


@dataclass(frozen=True)
class PlaceSummary:
    """One place in a plan.

    Attributes
    ----------
    place : str
    footprint : tuple of (longitude, latitude)
    grid : GeoGrid or None
        None where it cannot be made (see the plan's problems).
    done, to_do : mapping of str to int
        Products by kind.
    """

    place: str
    footprint: Ring
    grid: GeoGrid | None
    done: Mapping[str, int]
    to_do: Mapping[str, int]


@dataclass(frozen=True)
class Totals:
    """Sums over the tasks of a plan."""

    tasks: int
    bytes_in: int
    bytes_out: int
    cpu_s: float
    memory: int
    money_usd: float | None


@dataclass(frozen=True, repr=False)
class Plan(Shown):
    """The tasks still to do for a run.

    Attributes
    ----------
    config : RunConfig
    tasks : tuple of Task
        Place by place, what others need before these.
    done : tuple of str
        Keys of what exists already.
    problems : tuple of Problem
        What cannot be done, and why; the rest is.
    places : tuple of PlaceSummary
    kinds : tuple of ProductKind
        That the run is about, what others need before these.
    given : frozenset of str
        Names of kinds that the run makes none of.
    asked : frozenset of str
        Names of kinds that the run was asked for, and not only needs.
    warnings : tuple of Problem
        What is done all the same, and how it will differ from what might be expected: by task key or by the source's
        own words.
    outdated : tuple of Problem
        Products that exist and are of input of which the source has a later version, by task key.
    connections : tuple of Connection
        Times that the workflow makes products of together: the network of pairs.
    """

    _views: ClassVar[str] = "sarcube.production.views.plan"

    config: RunConfig
    tasks: tuple[Task, ...]
    done: tuple[str, ...]
    problems: tuple[Problem, ...]
    places: tuple[PlaceSummary, ...]
    kinds: tuple[ProductKind, ...]
    given: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    warnings: tuple[Problem, ...] = ()
    outdated: tuple[Problem, ...] = ()
    connections: tuple[Connection, ...] = ()

    @property
    def impossible(self) -> bool:
        """Nothing of what was asked for exists or can be made: the user must change something."""
        there = any(place.done.get(kind) for place in self.places for kind in self.asked)
        return bool(self.problems) and not self.tasks and not there

    def __len__(self) -> int:
        return len(self.tasks)

    @cached_property
    def totals(self) -> Totals:
        """What the tasks are expected to take together; memory is that of the largest."""
        cpu = sum(t.estimate.cpu_s for t in self.tasks)
        memory = max((t.estimate.memory for t in self.tasks), default=0)
        return Totals(
            tasks=len(self.tasks),
            bytes_in=sum(t.estimate.bytes_in for t in self.tasks),
            bytes_out=sum(t.estimate.bytes_out for t in self.tasks),
            cpu_s=cpu,
            memory=memory,
            money_usd=_money(self.config.cluster, cpu),
        )

    @property
    def dates(self) -> tuple[dt.date, ...]:
        """Days that the tasks cover."""
        return tuple(sorted({t.start.date() for t in self.tasks if t.start}))

    def table(self) -> str:
        """A table for a terminal."""
        return str(self._view("table"))

    def to_json(self) -> str:
        """Everything, as JSON text."""
        return str(self._view("to_json"))

    def to_geojson(self) -> str:
        """The places as a GeoJSON FeatureCollection, with the dates that exist and those to do."""
        return str(self._view("to_geojson"))

    def to_geopandas(self) -> gpd.GeoDataFrame:
        """The places as a GeoDataFrame in EPSG:4326: products and dates that exist, and those to do.

        Raises
        ------
        MissingExtraError
            geopandas is not installed (`pip install "sarcube[search]"`).
        """
        return self._view("to_geopandas")

    def to_html(self) -> str:
        """A page of its own with a map."""
        return str(self._view("to_html"))

    def map(self) -> PlaceMap:
        """The places on a map, with the area of interest: for a notebook, or to `save` as a page."""
        drawn: PlaceMap = self._view("plan_map")
        return drawn

    def network(self) -> NetworkPicture:
        """The pairs of the run over time and baseline: for a notebook, or to `save` as a page."""
        drawn: NetworkPicture = self._view("network")
        return drawn

    def makers(self, names: Iterable[str]) -> list[tuple[Workflow, tuple[str, ...]]]:
        """Kinds by the workflows that make them."""
        known, found = makers(self.config), defaultdict[int, list[str]](list)
        works = {id(work): work for work in known.values()}
        for name in sorted(names):
            found[id(known[name])].append(name)
        return [(works[key], tuple(kinds)) for key, kinds in found.items()]


def _money(profile: str, cpu_s: float) -> float | None:
    from sarcube.cluster.profiles import find_profile

    try:
        price = find_profile(profile).usd_per_core_hour
    except SarcubeError:
        return None  # a wrong profile is reported when the cluster is made
    return None if price is None else cpu_s / 3600.0 * price
