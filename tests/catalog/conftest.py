"""Schemas and stores for the catalog's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from sarcube.catalog.schemas import Schemas, shared_schemas
from sarcube.store.local_store import LocalStore


@pytest.fixture
def schemas(shared_data: Path) -> Schemas:
    """The official schemas, from a folder."""
    return shared_schemas(str(shared_data / "schemas"))


@pytest.fixture
def core_schemas(tmp_path: Path) -> Schemas:
    """STAC's core only, without a network."""
    return Schemas(cache=tmp_path / "empty-cache", network=False)


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    """An empty store."""
    return LocalStore(tmp_path / "store")
