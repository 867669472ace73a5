"""A rehearsal: the same plan, tasks, retries and commits as in earnest, with no scene, no pixel and no physics.

`plan(config, workflow=rehearsal.NAME)` plans `engine_options["bursts"]` x `engine_options["dates"]` tasks and
commits items, with `engine_options["files"]` small files each. It measures what production itself costs, and
shows on a new cluster or store that everything is in place before real work is paid for. Faults can be asked
for by task key: `engine_options["faults"] = {"rtc/t001_000001_iw1/...": "kill"}`.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sarcube.config import RunConfig
from sarcube.errors import ConfigError, SceneError, StoreConflictError, TransferError
from sarcube.geometry.grid import GeoGrid
from sarcube.products.attempt import LINEAGE, Attempt, announce, withdraw
from sarcube.products.commit import commit
from sarcube.products.names import STATIC_VALIDITY, ProductName, item_key
from sarcube.products.product import checksum, write_file
from sarcube.store.protocol import Store, open_store
from sarcube.workflows.task import Task
from sarcube.workflows.workflow import Context, Found, Made

NAME = "sarcube.workflows.rehearsal.run:WORKFLOW"
_REPEAT = dt.timedelta(days=12)
_FIRST = dt.datetime(2024, 1, 3, 5, 30, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class RehearsalUnit:
    """Stands for a found burst."""

    burst_id: str
    scene: str
    start_time: dt.datetime
    footprint: tuple[tuple[float, float], ...]
    polarizations: tuple[str, ...] = ("VV", "VH")


class Rehearsal:
    """The workflow that does nothing but commit."""

    def find(self, config: RunConfig) -> Found:
        options = config.engine_options
        bursts, dates = int(options.get("bursts", 4)), int(options.get("dates", 3))
        units = []
        for b in range(bursts):
            ring = _ring(b)
            burst_id = f"t{b // 400_000 + 1:03d}_{b % 400_000 + 1:06d}_iw{b % 3 + 1}"
            for d in range(dates):
                start = _FIRST + d * _REPEAT + dt.timedelta(seconds=2.75 * (b % 30))
                units.append(RehearsalUnit(burst_id, f"REHEARSAL_{b // 27:06d}_{d:04d}", start, ring))
        return Found(units)

    def defects(self, config: RunConfig, units: Sequence[Any], grid: GeoGrid) -> Mapping[int, str]:
        return {}

    def remarks(self, config: RunConfig, kind: str, units: Sequence[Any]) -> Mapping[int, Sequence[str]]:
        return {}

    def outdated(self, unit: Any, stored: Mapping[str, Any]) -> str:
        return ""

    def prepare(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Make the collections that the run writes to."""
        from sarcube.catalog.collections import ensure_collection

        names = config.collections
        for kind in kinds:
            static = kind == "static"
            name = names.static if static else names.rtc
            ensure_collection(_store(config, static), name, schemas=_schemas(config))

    def finish(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Bring the index up to date, as in earnest."""
        from sarcube.catalog.collections import update_collections

        for url in sorted({_store(config, kind == "static").url for kind in kinds}):
            update_collections(url, schemas=_schemas(config))

    def run(self, task: Task, context: Context) -> Made:
        config = context.config
        static = task.kind == "static"
        names = config.collections
        store = _store(config, static)
        key = item_key(names.static if static else names.rtc, task.burst_id, task.start)
        if store.exists(key) and not task.remake:
            return Made(existed=True, item=key)
        _fault(config.engine_options.get("faults", {}).get(task.key, ""), store, task.key)
        if seconds := float(config.engine_options.get("seconds", 0.0)):
            time.sleep(seconds)
        return _commit(store, task, config, int(config.engine_options.get("files", 0)))


def _schemas(config: RunConfig) -> str | None:
    return str(config.schemas) if config.schemas else None


def _store(config: RunConfig, static: bool) -> Store:
    return open_store((config.static_store if static else None) or config.store)


def _commit(store: Store, task: Task, config: RunConfig, files: int) -> Made:
    """Write so many files and the item that names them, as products are written."""
    collection = config.collections.rtc if task.start else config.collections.static
    wanted = ProductName(
        "RTC_S1" if task.start else "RTC_S1_STATIC",
        task.burst_id,
        task.start or STATIC_VALIDITY,
        dt.datetime.now(dt.UTC),
        "S1A",
        task.grid.resolution,
    )
    attempt = announce(store, collection, wanted)
    name, written = attempt.name, dict[str, bytes]()
    try:
        for i in range(files):
            file = f"{name.folder(collection)}/{name.stem}_file{i}.tif"
            written[file] = f"{task.key} {i} ".encode() * 2000
            write_file(store, file, written[file])
    except BaseException:
        withdraw(store, attempt, written)
        raise
    item = json.dumps(_item(task, attempt, written)).encode()
    created = commit(store, attempt, item, list(written), overwrite=task.remake)
    return Made(existed=not created, item=attempt.item_key, bytes_out=len(item) + sum(map(len, written.values())))


def _item(task: Task, attempt: Attempt, files: Mapping[str, bytes]) -> dict[str, Any]:
    """The least that a STAC item and an index hold."""
    ring, name = task.inputs[0].footprint, attempt.name
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": name.stem,
        "collection": attempt.collection,
        "geometry": {"type": "Polygon", "coordinates": [[list(corner) for corner in ring]]},
        "bbox": [min(x for x, _ in ring), min(y for _, y in ring), max(x for x, _ in ring), max(y for _, y in ring)],
        "properties": {
            "datetime": name.start.isoformat().replace("+00:00", "Z"),
            "created": name.processed.isoformat().replace("+00:00", "Z"),
            "product:type": name.kind,
            "sarcube:burst_id": task.burst_id,
            **_grid_properties(task.grid),
            **({LINEAGE: list(attempt.lineage)} if attempt.lineage else {}),
        },
        "links": [],
        "assets": {
            f"file{i}": {"href": f"./{file.rsplit('/', 1)[1]}", "file:size": len(data), "file:checksum": checksum(data)}
            for i, (file, data) in enumerate(files.items())
        },
    }


def _fault(fault: str, store: Store, key: str) -> None:
    """Fail as asked: "kill", "kill-once", "bad", "flaky" (passes at the second attempt), "hang", "bug", "leak"."""
    if not fault:
        return
    first = _first_time(store, key) if fault in ("kill-once", "flaky") else True
    if fault == "kill" or (fault == "kill-once" and first):
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGKILL)
    elif fault == "bad":
        raise SceneError(f"rehearsed fault of {key}: the measurement is truncated")
    elif fault == "flaky":
        if first:
            raise TransferError(f"rehearsed fault of {key}: connection torn")
    elif fault == "hang":
        time.sleep(3600.0)
    elif fault == "bug":
        raise ZeroDivisionError(f"rehearsed fault of {key}")
    elif fault == "leak":
        raise TransferError(f"rehearsed fault of {key}: " + " ".join(f"{k}={v}" for k, v in os.environ.items()))
    elif fault != "kill-once":
        raise ConfigError(f"engine_options.faults: unknown fault {fault!r} for {key}")


def _first_time(store: Store, key: str) -> bool:
    try:
        store.create_bytes(f"faults/{key}", b"")
    except StoreConflictError:
        return False
    return True


def _ring(b: int) -> tuple[tuple[float, float], ...]:
    lon, lat = -170.0 + 0.9 * (b % 370), -60.0 + 0.2 * (b // 370 % 600)
    return ((lon, lat), (lon + 0.8, lat + 0.1), (lon + 0.8, lat + 0.28), (lon, lat + 0.18), (lon, lat))


def _grid_properties(grid: GeoGrid) -> dict[str, Any]:
    return {
        "proj:code": grid.crs,
        "proj:shape": list(grid.shape),
        "proj:transform": list(grid.transform),
    }


WORKFLOW = Rehearsal()
