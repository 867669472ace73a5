"""Fixtures of the whole way."""

from tests.own_places import server  # noqa: F401
from tests.way.running import demo  # noqa: F401
