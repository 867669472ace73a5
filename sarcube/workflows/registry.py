"""Which workflows there are, and which of them makes what."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import cast

from sarcube import plugins
from sarcube.config import RunConfig
from sarcube.errors import ConfigError, SarcubeError
from sarcube.products.kinds import Layer, ProductKind
from sarcube.workflows.workflow import Workflow


def workflow_names() -> tuple[str, ...]:
    """All that are installed."""
    return tuple(sorted(plugins.workflow_addresses()))


def load_workflow(name: str) -> Workflow:
    """The workflow of a name, or at `module:attribute`.

    Raises
    ------
    ConfigError
        There is none, or it cannot be imported; the message tells which are installed.
    """
    return cast(Workflow, plugins.load(name))


def makers(config: RunConfig) -> dict[str, Workflow]:
    """Which workflow makes each kind of a run: by the kind's name, the run's own kinds first, then those they need.

    Raises
    ------
    ConfigError
        A kind that is needed is made by no workflow, or `collections` names a kind that the run does not have.
    """
    found = _makers(config.workflow)
    kinds = {kind.name: kind for work in found.values() for kind in work.kinds}
    for name in config.collections:
        if name not in found and not any(kinds[k].formerly == name for k in found):
            raise ConfigError(f"`collections.{name}`: the run has no such kind; it has {', '.join(found)}")
    return found


@lru_cache(maxsize=64)
def _makers(workflow: str) -> dict[str, Workflow]:
    own = load_workflow(workflow)
    found = {kind.name: own for kind in own.kinds}
    waiting = [name for kind in own.kinds for name in kind.needs]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        for other in map(load_workflow, workflow_names()):
            kind = next((k for k in other.kinds if k.name == name), None)
            if kind is not None:
                found[name] = other
                waiting.extend(kind.needs)
                break
        else:
            raise ConfigError(f"workflow {workflow} needs products of kind {name}, which no installed workflow makes")
    return found


def kind_of(config: RunConfig, name: str) -> ProductKind:
    """A kind of a run by its name; ConfigError where the run has none of that name."""
    work = _makers(config.workflow).get(name)
    kind = next((k for k in work.kinds if k.name == name), None) if work else None
    if kind is None:
        raise ConfigError(f"workflow {config.workflow} knows no product kind {name}")
    return kind


def known_kinds() -> Iterator[ProductKind]:
    """Kinds of all workflows that are installed and can be imported."""
    for name in workflow_names():
        try:
            work = load_workflow(name)
        except SarcubeError:
            continue  # what cannot be imported describes nothing
        yield from work.kinds


def known_layers() -> dict[str, Layer]:
    """Layers of all installed workflows by name: for files that no item describes. The first of a name counts."""
    found: dict[str, Layer] = {}
    for kind in known_kinds():
        found = kind.table | found
    return found


def known_aliases() -> dict[str, str]:
    """What other makers call layers, to the names that they have here."""
    return {alias: name for kind in known_kinds() for alias, name in kind.aliases.items()}
