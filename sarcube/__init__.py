"""sarcube: an area and a date range in, an analysis-ready Sentinel-1 datacube out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_LAZY = {
    "RunConfig": "sarcube.config",
    "SarcubeError": "sarcube.errors",
    "plan": "sarcube.production.plan",
    "produce": "sarcube.production.produce",
    "open_cube": "sarcube.cube.open_cube",
    "mosaic": "sarcube.cube.mosaic",
    "show": "sarcube.cube.viewer",
}

__all__ = ["RunConfig", "SarcubeError", "__version__", "mosaic", "open_cube", "plan", "produce", "show"]

if TYPE_CHECKING:
    from sarcube.config import RunConfig
    from sarcube.cube.mosaic import mosaic
    from sarcube.cube.open_cube import open_cube
    from sarcube.cube.viewer import show
    from sarcube.errors import SarcubeError
    from sarcube.production.plan import plan
    from sarcube.production.produce import produce


def __getattr__(name: str) -> Any:
    # Imported at first use: `import sarcube` and `sarcube --help` must answer at once.
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'sarcube' has no attribute {name!r}")
