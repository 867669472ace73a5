"""Run every kernel once on next to nothing, so that numba compiles it or loads it from its cache."""

from __future__ import annotations


def run_all() -> None:
    """Compile all kernels of the native engine."""
