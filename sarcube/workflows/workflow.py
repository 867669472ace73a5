"""The seam between ordering work and doing it: a workflow finds units, checks them, and makes one product.

Production orders tasks and survives their failures; what a task computes is known to the workflow alone
(`rtc_task` for backscatter). A workflow is named by `module:attribute`, so that workers import it themselves
and nothing but names and small values is shipped.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from sarcube.config import RunConfig
from sarcube.errors import ConfigError
from sarcube.geometry.grid import GeoGrid
from sarcube.transfer.redact import redact
from sarcube.workflows.task import Task

DEFAULT = "sarcube.workflows.rtc.run:WORKFLOW"


@dataclass(frozen=True)
class Problem:
    """Something that cannot be used, known before any work starts.

    Attributes
    ----------
    subject : str
        File, scene or burst.
    message : str
        What is wrong and what to do.
    error : str
        Name of the error's class, by which exit codes are chosen; empty where nothing was raised.
    """

    subject: str
    message: str
    error: str = ""

    def __post_init__(self) -> None:
        # It is shown, recorded and reported; what it quotes may be a signed address.
        object.__setattr__(self, "subject", redact(self.subject))
        object.__setattr__(self, "message", redact(self.message))


@dataclass(frozen=True)
class Found:
    """What a source offers.

    Attributes
    ----------
    units : sequence
        Each with `burst_id`, `start_time`, `footprint`, `scene`, `polarizations`; small and picklable.
    problems : tuple of Problem
    warnings : tuple of Problem
        What the source has otherwise than asked for, and can be used all the same.
    explanation : str
        Why there are no units, where there are none.
    """

    units: Sequence[Any]
    problems: tuple[Problem, ...] = ()
    explanation: str = ""
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Context:
    """What every task of a run shares; shipped once per worker.

    Attributes
    ----------
    run_id : str
    config : RunConfig
    workflow : str
        Name of the workflow.
    threads : int
        Kernel threads that one task may use.
    versions : mapping of str to str
        The client's, of what must be alike on workers; empty: not compared.
    """

    run_id: str
    config: RunConfig
    workflow: str
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
    """Behaves the same in a plain loop, a thread and a far worker. Errors are SarcubeErrors."""

    def find(self, config: RunConfig) -> Found:
        """Everything that the source has for the run."""
        ...

    def defects(self, config: RunConfig, units: Sequence[Any], grid: GeoGrid) -> Mapping[int, str]:
        """Which of the units of one burst ID cannot be processed, and why: index in `units` to message."""
        ...

    def remarks(self, config: RunConfig, kind: str, units: Sequence[Any]) -> Mapping[int, Sequence[str]]:
        """What the product of each unit will carry as a warning, as far as it is known: index in `units` to texts."""
        ...

    def outdated(self, unit: Any, stored: Mapping[str, Any]) -> str:
        """Why a product that exists (its item as stored) is of older input than `unit`; empty where it is not."""
        ...

    def prepare(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Called once by the client before the first task."""
        ...

    def finish(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Called once by the client after the last task, also of a run that was cut short."""
        ...

    def run(self, task: Task, context: Context) -> Made:
        """Make one product and commit it."""
        ...


def load_workflow(name: str) -> Workflow:
    """The workflow of that name (`module:attribute`); ConfigError where there is none."""
    module, _, attribute = name.partition(":")
    try:
        return cast(Workflow, getattr(importlib.import_module(module), attribute))
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"workflow {name!r} cannot be loaded: {error}; a name is module:attribute") from error
