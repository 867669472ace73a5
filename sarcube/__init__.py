"""sarcube: an area and a date range in, an analysis-ready datacube out."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from sarcube.compiled import drop_stale

drop_stale(Path(__file__).parent)

__version__ = "0.2.0.dev0"

_LAZY = {
    "RunConfig": "sarcube.config",
    "SarcubeError": "sarcube.errors",
    "Plan": "sarcube.production.plan.value",
    "plan": "sarcube.production.plan.plan",
    "Outcome": "sarcube.production.run.outcome",
    "produce": "sarcube.production.run.produce",
    "show_progress": "sarcube.production.views.progress",
    "Inventory": "sarcube.sensors.sentinel1.inventory.model",
    "search": "sarcube.sensors.sentinel1.inventory.search",
    "Status": "sarcube.production.status",
    "status": "sarcube.production.status",
    "refill": "sarcube.production.status",
    "find_items": "sarcube.catalog.query",
    "hotspots": "sarcube.cube.hotspots",
    "open_cube": "sarcube.cube.open_cube",
    "mosaic": "sarcube.cube.mosaic",
    "timescan": "sarcube.cube.temporal",
    "write_cube": "sarcube.cube.export",
    "show": "sarcube.cube.viewer",
}

__all__ = [
    "Inventory",
    "Outcome",
    "Plan",
    "RunConfig",
    "SarcubeError",
    "Status",
    "__version__",
    "find_items",
    "hotspots",
    "mosaic",
    "open_cube",
    "plan",
    "produce",
    "refill",
    "search",
    "show",
    "show_progress",
    "status",
    "timescan",
    "write_cube",
]

if TYPE_CHECKING:
    from sarcube.catalog.query import find_items
    from sarcube.config import RunConfig
    from sarcube.cube.export import write_cube
    from sarcube.cube.hotspots import hotspots
    from sarcube.cube.mosaic import mosaic
    from sarcube.cube.open_cube import open_cube
    from sarcube.cube.temporal import timescan
    from sarcube.cube.viewer import show
    from sarcube.errors import SarcubeError
    from sarcube.production.plan.plan import plan
    from sarcube.production.plan.value import Plan
    from sarcube.production.run.outcome import Outcome
    from sarcube.production.run.produce import produce
    from sarcube.production.status import Status, refill, status
    from sarcube.production.views.progress import show_progress
    from sarcube.sensors.sentinel1.inventory.model import Inventory
    from sarcube.sensors.sentinel1.inventory.search import search


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> object:
    # Imported at first use: `import sarcube` and `sarcube --help` must answer at once.
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'sarcube' has no attribute {name!r}")
