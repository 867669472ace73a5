"""A rehearsal: the same plan, tasks, retries and commits as in earnest, with no scene, no pixel and no physics.

A run file with `workflow: rehearsal` plans `rehearsal.bursts` x `rehearsal.dates` tasks and commits items, with
`rehearsal.files` small files each. It measures what production itself costs, and shows on a new cluster or store that
everything is in place before real work is paid for. Faults can be asked for by task key:
`rehearsal: {faults: {"REHEARSAL/t001_000001_iw1/20240103T053000Z": kill}}`.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence

from sarcube.config import RunConfig
from sarcube.errors import ConfigError, SceneError, StoreConflictError, TransferError
from sarcube.geometry.grid import GeoGrid
from sarcube.jsons import JsonObject
from sarcube.products.attempt import LINEAGE, Attempt, announce, withdraw
from sarcube.products.commit import commit
from sarcube.products.kinds import Layer, ProductKind, Rate
from sarcube.products.names import ProductName
from sarcube.products.product import checksum, write_file
from sarcube.store.protocol import Store
from sarcube.workflows.grids import grid_around
from sarcube.workflows.making import collection_of, ensure_collections, store_of, update_catalogs
from sarcube.workflows.registry import kind_of
from sarcube.workflows.rehearsal.section import RehearsalSection
from sarcube.workflows.task import Ring, Task, Unit
from sarcube.workflows.workflow import Context, Found, Made

_REPEAT = dt.timedelta(days=12)
_FIRST = dt.datetime(2024, 1, 3, 5, 30, tzinfo=dt.UTC)
_LAST = dt.timedelta(seconds=3)
_LAYERS = (Layer("nothing", "Nothing"),)
# As backscatter and its static layers, so that a rehearsal plans memory and time as the real run would.
REHEARSAL = ProductKind(
    "REHEARSAL",
    "rehearsal",
    _LAYERS,
    "Rehearsed products",
    "Items that stand for products, of a rehearsal.",
    "rehearsal",
    Rate(0.6, 6.5, 100.0, 600_000_000, 264_000_000),
    needs=("REHEARSAL_STATIC",),
    formerly="rtc",
)
REHEARSAL_STATIC = ProductKind(
    "REHEARSAL_STATIC",
    "rehearsal_static",
    _LAYERS,
    "Rehearsed products without time",
    "Items that stand for products without time, of a rehearsal.",
    "static rehearsal",
    Rate(0.9, 13.0, 55.0, 500_000_000, 30_000_000),
    timed=False,
    formerly="static",
)


class Rehearsal:
    """The workflow that does nothing but commit."""

    name = "rehearsal"
    section = RehearsalSection
    kinds = (REHEARSAL, REHEARSAL_STATIC)

    def find(self, config: RunConfig) -> Found:
        """As many places and dates as are asked for."""
        section = config.section(RehearsalSection)
        timed, units = section.product == REHEARSAL.name, list[Unit]()
        for b in range(section.bursts):
            ring = _ring(b)
            place = f"t{b // 400_000 + 1:03d}_{b % 400_000 + 1:06d}_iw{b % 3 + 1}"
            for d in range(section.dates):
                start = _FIRST + d * _REPEAT + dt.timedelta(seconds=2.75 * (b % 30))
                name = f"REHEARSAL_{b // 27:06d}_{d:04d}"
                first, last = (start, start + _LAST) if timed else (None, None)
                units.append(Unit(section.product, place, first, last, (name,), ring, label=name))
        return Found(units, given=(REHEARSAL_STATIC.name,) if section.link_static and timed else ())

    def grid(self, config: RunConfig, place: str, footprint: Ring) -> GeoGrid:
        """From the footprint."""
        return grid_around(config, footprint)

    def defects(self, config: RunConfig, units: Sequence[Unit], grid: GeoGrid) -> Mapping[int, str]:
        """None: faults come while tasks run."""
        return {}

    def remarks(self, config: RunConfig, units: Sequence[Unit]) -> Mapping[int, Sequence[str]]:
        """None."""
        return {}

    def outdated(self, unit: Unit, stored: JsonObject) -> str:
        """Never."""
        return ""

    def rates(self, config: RunConfig) -> Mapping[str, Rate]:
        """As the kinds say."""
        return {}

    def prepare(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Make the collections that the run writes to."""
        ensure_collections(config, kinds)

    def finish(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Bring the index up to date, as in earnest."""
        update_catalogs(config, kinds)

    def run(self, task: Task, context: Context) -> Made:
        """Commit an item."""
        config, section = context.config, context.config.section(RehearsalSection)
        kind = kind_of(config, task.kind)
        store, collection = store_of(config, kind), collection_of(config, kind)
        key = task.item_key(collection)
        if store.exists(key) and not task.remake:
            return Made(existed=True, item=key)
        _fault(section.faults.get(task.key, ""), store, task.key)
        if section.seconds:
            time.sleep(section.seconds)
        return _commit(store, collection, task, kind, section.files)


def _commit(store: Store, collection: str, task: Task, kind: ProductKind, files: int) -> Made:
    """Write so many files and the item that names them, as products are written."""
    now = dt.datetime.now(dt.UTC)
    wanted = ProductName.of(kind, task.place, task.start, now, "S1A", task.grid.resolution)
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


def _item(task: Task, attempt: Attempt, files: Mapping[str, bytes]) -> dict[str, object]:
    """The least that a STAC item and an index hold."""
    ring, name = task.unit.footprint, attempt.name
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
            "sarcube:kind": name.kind,
            "sarcube:place": name.place,
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
        raise ConfigError(f"rehearsal.faults: unknown fault {fault!r} for {key}")


def _first_time(store: Store, key: str) -> bool:
    try:
        store.create_bytes(f"faults/{key}", b"")
    except StoreConflictError:
        return False
    return True


def _ring(b: int) -> tuple[tuple[float, float], ...]:
    lon, lat = -170.0 + 0.9 * (b % 370), -60.0 + 0.2 * (b // 370 % 600)
    return ((lon, lat), (lon + 0.8, lat + 0.1), (lon + 0.8, lat + 0.28), (lon, lat + 0.18), (lon, lat))


def _grid_properties(grid: GeoGrid) -> dict[str, object]:
    return {
        "proj:code": grid.crs,
        "proj:shape": list(grid.shape),
        "proj:transform": list(grid.transform),
    }


WORKFLOW = Rehearsal()
