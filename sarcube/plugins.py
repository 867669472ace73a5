"""Workflows by their names: the package's own by their folder, others by entry point.

A workflow is the object WORKFLOW of a module `workflow`. Those of this package are the folders of `sarcube.workflows`,
so that a checkout is complete without being installed anew; what stands elsewhere is named in the entry point group
`sarcube.workflows`: those of other packages, and `combine`, which makes products of cubes and stands in their room; a
test or a trial names one as `module:attribute`. Nothing is imported before it is asked for.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sarcube.errors import ConfigError

if TYPE_CHECKING:
    from sarcube.config import Section

GROUP = "sarcube.workflows"


class Named(Protocol):
    """What a run file has to know of a workflow: its name, and the model of its section."""

    @property
    def name(self) -> str: ...

    @property
    def section(self) -> type[Section]: ...


@lru_cache(maxsize=1)
def workflow_addresses() -> dict[str, str]:
    """Every workflow that is installed: name to `module:attribute`."""
    own = {
        folder.name: f"sarcube.workflows.{folder.name}.workflow:WORKFLOW"
        for folder in sorted((Path(__file__).parent / "workflows").iterdir())
        if (folder / "workflow.py").is_file()
    }
    others = {entry.name: entry.value for entry in importlib.metadata.entry_points(group=GROUP)}
    return {**others, **own}


@lru_cache(maxsize=64)
def load(name: str) -> Named:
    """The workflow of a name, or at `module:attribute`.

    Raises
    ------
    ConfigError
        There is none, or it cannot be imported.
    """
    known = workflow_addresses()
    if ":" not in name and name not in known:
        near = difflib.get_close_matches(name, known, 1, 0.5)
        hint = f"did you mean `{near[0]}`? " if near else ""
        raise ConfigError(
            f"there is no workflow {name!r}; {hint}Installed: {', '.join(sorted(known))}. Another one is named as "
            "module:attribute"
        )
    module, _, attribute = known.get(name, name).partition(":")
    try:
        found: Named = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"workflow {name!r} cannot be loaded: {error}; a name is module:attribute") from error
    return found
