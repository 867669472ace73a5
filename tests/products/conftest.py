"""Products are tried on stores of every kind."""

from tests.store.conftest import s3_server, store

__all__ = ["s3_server", "store"]
