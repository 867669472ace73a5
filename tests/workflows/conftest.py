"""A server for tests of workflows that fetch."""

from __future__ import annotations

from tests.own_places import server

__all__ = ["server"]
