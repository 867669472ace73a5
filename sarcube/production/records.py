"""The records that runs left in their store: where they lie, and what they say of tasks."""

from __future__ import annotations

import json

from sarcube.jsons import JsonObject
from sarcube.store.protocol import Store

RUNS = "runs"


def read_lines(store: Store, folder: str) -> list[JsonObject]:
    """The lines of a run's record, in order."""
    lines: list[JsonObject] = []
    for name in store.files(folder):
        if name.startswith("tasks-") and name.endswith(".jsonl"):
            text = store.read_bytes(f"{folder}/{name}").decode()
            lines.extend(json.loads(line) for line in text.splitlines() if line)
    return lines
