"""The native engine: radiometric terrain correction by area projection, in numba kernels."""

from __future__ import annotations

from sarcube.engines.rtc.native.engine import NativeEngine, warm_up

__all__ = ["NativeEngine", "warm_up"]
