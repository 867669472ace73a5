"""Files of products, read back."""

from __future__ import annotations

from collections.abc import Iterable

from sarcube.products.product import ProductFile, checksum
from sarcube.store.protocol import Store


def faults_of(store: Store, files: Iterable[ProductFile]) -> list[str]:
    """What is wrong with a product's files, one sentence each; empty where sizes and checksums are right."""
    problems = []
    for file in files:
        info = store.stat(file.key)
        if info is None:
            problems.append(f"{store.href(file.key)} is missing")
        elif info.size != file.size:
            problems.append(f"{store.href(file.key)} has {info.size} bytes, not {file.size}")
        elif checksum(store.read_bytes(file.key)) != file.checksum:
            problems.append(f"{store.href(file.key)} does not have the checksum {file.checksum}")
    return problems
