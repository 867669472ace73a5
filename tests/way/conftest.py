"""Fixtures of the whole way."""

from tests.way.running import demo  # noqa: F401
