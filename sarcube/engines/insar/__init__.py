"""The engine `insar`: geocoded SLCs, interferograms and their coherence, in numba kernels."""

from __future__ import annotations

from sarcube.engines.insar.engine import (
    geocoded_slc,
    interferogram,
    line_of_sight_layers,
    pair_of_slcs,
    static_layers,
)
from sarcube.engines.insar.options import InsarOptions

__all__ = ["InsarOptions", "geocoded_slc", "interferogram", "line_of_sight_layers", "pair_of_slcs", "static_layers"]
