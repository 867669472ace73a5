"""Small seeded rounds of the chaos benchmark: on disk, on an S3 server that behaves badly, and on SeaweedFS."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.chaos import play
from benchmarks.chaos_judge import Reader
from benchmarks.chaos_processes import Nursery


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("seed", "store", "events"),
    [
        (7, "disk", ("scheduler", "full disk")),
        (8, "faulty s3", ("sleeper", "damaged scene")),
        (13, "seaweedfs", ("remakes killed", "finish")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whatever_happens_the_store_comes_out_as_from_a_quiet_run(
    seed: int, store: str, events: tuple[str, ...], nursery: Nursery, tmp_path: Path
) -> None:
    result = play(seed, tmp_path, nursery, lives=len(events), size=(2, 3), events=events, store=store)
    assert result.faults == []
    assert result.reads > 0
    assert result.alive > 0, "no mishap met a client at work"
    assert result.events == list(events)
    assert bool(result.s3_faults) == (store == "faulty s3")
    assert result.skewed == (seed == 13)


def _item(version: str, data: bytes) -> bytes:
    checksum = "1220" + hashlib.sha256(data).hexdigest()
    return json.dumps(
        {"id": version, "assets": {"data": {"href": f"./{version}.tif", "file:checksum": checksum}}}
    ).encode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda files: None, ""),
        (lambda files: files.pop("c/p/v1.tif"), "which is not there"),
        (lambda files: files.update({"c/p/v1.tif": b"other"}), "wrong checksum"),
        (lambda files: files.update({"c/p/T1.json": b"{"}), "visible in part"),
    ],
)
def test_the_judge_sees_what_is_not_whole(change: Callable[[dict[str, bytes]], object], said: str) -> None:
    files = {"c/p/T1.json": _item("v1", b"pixels"), "c/p/v1.tif": b"pixels"}
    change(files)
    reader = Reader(SimpleNamespace(snapshot=lambda: {k: lambda k=k: files[k] for k in list(files)}))  # type: ignore[arg-type]
    assert reader.look() == 1
    assert len(reader.faults) == bool(said)
    assert all(said in fault for fault in reader.faults)


def test_what_is_made_again_while_it_is_looked_at_is_no_fault() -> None:
    files = {"c/p/T1.json": _item("v1", b"pixels"), "c/p/v1.tif": b"pixels"}

    def read(key: str) -> bytes:
        data = files[key]
        if key.endswith(".json") and "v4" not in data.decode():  # whoever reads it sees the next version come
            version = f"v{int(json.loads(data)['id'][1:]) + 1}"
            files.update({key: _item(version, b"pixels"), f"c/p/{version}.tif": b"pixels"})
            files.pop(f"c/p/{json.loads(data)['id']}.tif")
        return data

    reader = Reader(SimpleNamespace(snapshot=lambda: {k: lambda k=k: read(k) for k in list(files)}))  # type: ignore[arg-type]
    reader.look()
    assert reader.faults == []
