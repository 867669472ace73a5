"""The engine `polarimetry`: covariance of two polarizations of one date, and what is read from it."""

from __future__ import annotations

from sarcube.engines.polarimetry.covariance import PolarimetryOptions, polarimetry
from sarcube.engines.polarimetry.decomposition import Decomposition, decompose, dprvi

__all__ = ["Decomposition", "PolarimetryOptions", "decompose", "dprvi", "polarimetry"]
