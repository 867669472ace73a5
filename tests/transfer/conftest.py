"""A server for each test that asks for it, and places of its own for every test."""

from tests.own_places import own_places, server

__all__ = ["own_places", "server"]
