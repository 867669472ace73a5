"""The seam between ordering work and doing it: a workflow finds units, checks them, and makes one product.

Production orders tasks and survives their failures; what a task computes is known to the workflow alone. A workflow is
found by its name (`sarcube.workflows.registry`), so that workers import it themselves and nothing but names and small
values is shipped. It never says how tasks are ordered, retried, recorded or committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sarcube.config import RunConfig, Section
from sarcube.geometry.grid import GeoGrid
from sarcube.jsons import JsonObject
from sarcube.products.kinds import ProductKind, Rate
from sarcube.transfer.problem import Problem
from sarcube.workflows.network import Connection
from sarcube.workflows.task import Ring, Task, Unit


@dataclass(frozen=True)
class Found:
    """What there is for a run.

    Attributes
    ----------
    units : sequence of Unit
        Of all kinds that the run is to make. Of a kind that one of them needs and that has no unit here the plan makes
        its own: one per place, its inputs those of the first units that need it.
    problems : tuple of Problem
    warnings : tuple of Problem
        What the source has otherwise than asked for, and can be used all the same.
    connections : tuple of Connection
        Times that products are made of together, where the workflow makes such: the plan tells and draws them.
    explanation : str
        Why there are no units, where there are none.
    given : tuple of str
        Kinds that this run makes none of: where one is needed and missing, the place is a problem.
    """

    units: Sequence[Unit]
    problems: tuple[Problem, ...] = ()
    explanation: str = ""
    given: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()
    connections: tuple[Connection, ...] = ()


@dataclass(frozen=True)
class Context:
    """What every task of a run shares; shipped once per worker.

    Attributes
    ----------
    run_id : str
    config : RunConfig
    threads : int
        Kernel threads that one task may use.
    versions : mapping of str to str
        The client's, of what must be alike on workers; empty: not compared.
    """

    run_id: str
    config: RunConfig
    threads: int = 1
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Made:
    """What a workflow did.

    Attributes
    ----------
    existed : bool
        True where another run had made the product already.
    item : str
        Key of the item in the store.
    bytes_in, bytes_out : int
    stages : mapping of str to float
        Seconds per stage.
    warnings : tuple of str
    thumbnail : str
        Key of a quick-look in the store, empty where there is none.
    """

    existed: bool = False
    item: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    stages: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    thumbnail: str = ""


class Workflow(Protocol):
    """Behaves the same in a plain loop, a thread and a far worker. Errors are SarcubeErrors.

    Attributes
    ----------
    name : str
        In run files: `workflow: name`, and the name of its section.
    section : type of Section
        Model of its section of the run file.
    kinds : tuple of ProductKind
        What it makes. Kinds that these need may be another workflow's, which then makes them.
    """

    @property
    def name(self) -> str: ...

    @property
    def section(self) -> type[Section]: ...

    @property
    def kinds(self) -> tuple[ProductKind, ...]: ...

    def find(self, config: RunConfig) -> Found:
        """Everything that the source has for the run."""
        ...

    def grid(self, config: RunConfig, place: str, footprint: Ring) -> GeoGrid:
        """The grid of a place that has no product yet: the same whenever it is asked for."""
        ...

    def defects(self, config: RunConfig, units: Sequence[Unit], grid: GeoGrid) -> Mapping[int, str]:
        """Which of the units of one place and kind cannot be processed, and why: index in `units` to message."""
        ...

    def remarks(self, config: RunConfig, units: Sequence[Unit]) -> Mapping[int, Sequence[str]]:
        """What the product of each unit of one place and kind will carry as a warning, as far as it is known."""
        ...

    def rates(self, config: RunConfig) -> Mapping[str, Rate]:
        """What products of kinds are expected to take in this run, where it is not what their kind says."""
        ...

    def outdated(self, unit: Unit, stored: JsonObject) -> str:
        """Why a product that exists (its item as stored) is of older input than `unit`; empty where it is not."""
        ...

    def prepare(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Called once by the client before the first task."""
        ...

    def run(self, task: Task, context: Context) -> Made:
        """Make one product and commit it."""
        ...

    def finish(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Called once by the client after the last task, also of a run that was cut short."""
        ...
