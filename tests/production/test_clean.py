"""`sarcube clean` and `sarcube status`: what is debris, what is somebody's work, and what was never sarcube's."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sarcube.catalog.collections import ensure_collection, update_collections
from sarcube.catalog.pending import pending
from sarcube.catalog.query import find_stored
from sarcube.catalog.selection import Selection
from sarcube.cli.app import app
from sarcube.errors import ConfigError, TransferError
from sarcube.production.clean import clean
from sarcube.production.plan.plan import plan
from sarcube.production.plan.value import Plan
from sarcube.production.run.produce import produce
from sarcube.production.status import status
from sarcube.products.attempt import announce
from sarcube.products.names import ProductName, item_key
from sarcube.store.local_store import LocalStore
from sarcube.store.protocol import Store, open_store
from sarcube.workflows.rehearsal import workflow as rehearsal
from sarcube.workflows.workflow import Context

Rehearse = Callable[..., Plan]
ROOT = Path(__file__).parents[2]
START = dt.datetime(2024, 1, 3, 5, 30, tzinfo=dt.UTC)
FOLDER = "rehearsal/t001_000001_iw1/2024/01/03"
STEM = "SARCUBE_L2_REHEARSAL_T001-000001-IW1_20240103T053000Z_20240601T000000Z_S1A_20_v0.1"
ITEM = item_key("rehearsal", "t001_000001_iw1", START)


def make(made: Plan) -> Store:
    """Everything of a plan, here, without a cluster."""
    rehearsal.WORKFLOW.prepare(made.config, ("REHEARSAL", "REHEARSAL_STATIC"))
    for task in made.tasks:
        rehearsal.WORKFLOW.run(task, Context("x", made.config))
    rehearsal.WORKFLOW.finish(made.config, ("REHEARSAL", "REHEARSAL_STATIC"))
    return open_store(made.config.store)


def killed_attempt(store: Store) -> list[str]:
    """What a process leaves that is killed after it has written a file of a remake; its keys."""
    code = (
        "import os, signal, datetime as dt\n"
        "from sarcube.products.attempt import announce\n"
        "from sarcube.products.names import ProductName\n"
        "from sarcube.store.protocol import open_store\n"
        f"store = open_store({store.url!r})\n"
        f"name = ProductName('REHEARSAL', 't001_000001_iw1', {START!r}.replace(tzinfo=dt.UTC), dt.datetime.now(dt.UTC),"
        " 'S1A', 20.0)\n"
        "attempt = announce(store, 'rehearsal', name)\n"
        "key = f'{attempt.name.folder(attempt.collection)}/{attempt.name.file(\"VV\")}'\n"
        "store.create_bytes(key, b'half a product')\n"
        "print(key, attempt.marker, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    ).replace(repr(START), "dt.datetime(2024, 1, 3, 5, 30)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    return done.stdout.split()


def under_way(store: Store) -> list[str]:
    """The same of a process that lives: this one."""
    name = ProductName("REHEARSAL", "t001_000001_iw1", START, dt.datetime.now(dt.UTC), "S1A", 20.0)
    attempt = announce(store, "rehearsal", name)
    key = f"{attempt.name.folder(attempt.collection)}/{attempt.name.file('VV')}"
    store.create_bytes(key, b"half a product")
    return [key, attempt.marker]


def test_a_kill_between_item_and_sweep_leaves_what_clean_removes(rehearse: Rehearse) -> None:
    store = make(rehearse(bursts=1, dates=1, files=2))
    before = set(store.list())
    debris = f"{FOLDER}/{STEM}_VV.tif"
    store.write_bytes(debris, b"of an attempt before the item that is there")
    assert status(store.url).stale == (debris,)
    dry = clean(store)
    assert [file.key for file in dry.files] == [debris] and not dry.deleted and dry.bytes == store.stat(debris).size  # type: ignore[union-attr]
    assert store.exists(debris)
    done = clean(store, delete=True)
    assert done.files == dry.files and done.deleted
    assert set(store.list()) == before


def test_a_dead_attempt_goes_and_a_living_one_stays(rehearse: Rehearse) -> None:
    store = make(rehearse(bursts=1, dates=1, files=2))
    before = set(store.list())
    dead, alive = killed_attempt(store), under_way(store)
    found = status(store.url)
    assert found.stale == (dead[0],) and found.writing == (alive[0],)
    cleaning = clean(store, delete=True)
    assert {file.key: file.why for file in cleaning.files} == dict.fromkeys(dead, "its process has ended")
    assert set(store.list()) == before | set(alive)


def test_what_nobody_announced_is_debris_when_it_is_a_day_old_by_the_stores_clock(rehearse: Rehearse) -> None:
    store = make(rehearse(bursts=1, dates=1, files=2))
    assert isinstance(store, LocalStore)
    stranger = f"{FOLDER}/{STEM.replace('20240601', '20500601')}_VV.tif"  # of 0.1, on a machine whose clock is wrong
    part = f"{FOLDER}/.{STEM.replace('20240601', '20500601')}_VH.tif.0123456789ab.part"
    for key in (stranger, part):
        store.path(key).write_bytes(b"left")
    assert status(store.url).writing == (stranger,)
    assert clean(store, delete=True).files == ()
    for key in (stranger, part):
        os.utime(store.path(key), (store.now() - 90_000,) * 2)
    assert [file.key for file in clean(store, delete=True).files] == [stranger, part]
    assert not store.exists(stranger) and not store.path(part).exists()


def test_published_opera_files_are_nobodys_debris(shared_data: Path, tmp_path: Path) -> None:
    """The agency's own files, by themselves and inside a store of sarcube's."""
    files = sorted((shared_data / "data" / "opera_rtc" / "10SGD").rglob("OPERA*.tif"))
    assert len(files) == 630
    for file in files:
        name = ProductName.parse(file.name)
        for root in (tmp_path / "alone" / "opera", tmp_path / "store" / "rehearsal"):
            folder = root / name.place / f"{name.start:%Y/%m/%d}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / file.name).symlink_to(file)
    with pytest.raises(ConfigError, match="no collection"):
        clean(str(tmp_path / "alone"), delete=True)
    store = LocalStore(tmp_path / "store")
    ensure_collection(store, "rehearsal", rehearsal.REHEARSAL)
    assert clean(store, delete=True).files == ()
    store.write_bytes("runs/one/run.json", b"{}")
    found = status(store.url)
    assert found.stale == found.writing == () and len(found.foreign) == 630
    assert len(list(store.list())) == 630 + 3


def test_files_outside_a_collection_stay(rehearse: Rehearse) -> None:
    store = make(rehearse(bursts=1, dates=1, files=2))
    elsewhere = [f"copy/{FOLDER}/{STEM}_VV.tif", f"{STEM}_VV.tif", f"rehearsal/kept/{STEM}_VV.tif", "notes.txt"]
    for key in elsewhere:
        store.write_bytes(key, b"mine")
    assert clean(store, delete=True).files == ()
    assert set(status(store.url).foreign) == set(elsewhere)


def test_status_says_which_items_lack_files(rehearse: Rehearse) -> None:
    made = rehearse(bursts=2, dates=2, files=2)
    store = make(made)
    whole = status(made.config)
    assert whole.complete and whole.lost == () and whole.unindexed == ()
    file = next(name for name in store.files(FOLDER) if name.endswith("file1.tif"))
    store.delete(f"{FOLDER}/{file}")
    found = status(made.config)
    assert found.lost == (f"{ITEM} lacks 1 of its files ({file}, ...)",)
    assert not found.complete and "make it again" in found.table()
    for task in plan(made.config, remake=True).tasks:
        rehearsal.WORKFLOW.run(task, Context("x", made.config))
    assert status(made.config).lost == ()


def test_status_asks_little_of_a_store(rehearse: Rehearse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Items that the index holds are not read one by one."""
    store = make(rehearse(bursts=4, dates=4, files=2))
    asked: list[str] = []
    for name in ("read_bytes", "read_version", "stat"):
        real = getattr(LocalStore, name)
        monkeypatch.setattr(LocalStore, name, lambda self, key, real=real: (asked.append(key), real(self, key))[1])
    found = status(store.url)
    assert found.present == 20 and found.lost == ()
    assert len(asked) < 10, asked


def test_status_and_clean_see_what_an_index_has_lost(rehearse: Rehearse) -> None:
    made = rehearse(bursts=1, dates=2, files=1)
    store = make(made)
    key = "rehearsal/items.parquet"
    whole = store.read_bytes(key)
    late = plan(made.config.with_section("rehearsal", dates=3))
    make(late)
    store.write_bytes(key, whole)  # the older index won, as it could in 0.1
    found = status(store.url)
    assert len(found.unindexed) == 1 and "not found by queries" in found.table()
    assert clean(store).healed == found.unindexed
    assert len(list(find_stored(store, "rehearsal", Selection()))) == 2
    clean(store, delete=True)
    assert len(list(find_stored(store, "rehearsal", Selection()))) == 3
    assert status(store.url).unindexed == ()


def test_the_command(rehearse: Rehearse) -> None:
    store = make(rehearse(bursts=1, dates=1, files=2))
    dead = killed_attempt(store)
    told = CliRunner().invoke(app, ["clean", store.url])
    assert told.exit_code == 0 and f"would be deleted: {dead[0]} (its process has ended)" in told.output
    assert "nothing is deleted without --yes" in told.output and store.exists(dead[0])
    told = CliRunner().invoke(app, ["clean", store.url, "--json"])
    assert {file["key"] for file in json.loads(told.output)["files"]} == set(dead)
    told = CliRunner().invoke(app, ["clean", store.url, "--yes"])
    assert told.exit_code == 0 and not store.exists(dead[0]) and not store.exists(dead[1])


def test_what_cannot_be_finished_is_not_exit_code_0(
    rehearse: Rehearse, two_workers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rehearse(bursts=1, dates=1)

    def refused(*_: Any, **__: Any) -> None:
        raise TransferError("the store cannot be written just now")

    with monkeypatch.context() as patch:
        patch.setattr("sarcube.catalog.collections.update_collections", refused)
        first = produce(made, two_workers)
        second = produce(plan(made.config))
    for outcome in (first, second):
        assert outcome.exit_code == 1 and not outcome.ok
        assert "cannot be written just now" in str(outcome)
    third = produce(plan(made.config))
    assert third.exit_code == 0
    assert pending(open_store(made.config.store), "rehearsal") == []


def test_a_run_that_makes_nothing_new_heals_too(rehearse: Rehearse, two_workers: Any) -> None:
    """Killed before its index, and one product can never be made: the next run still brings the index up to date."""
    first = "REHEARSAL/t001_000001_iw1/20240103T053000Z"
    made = rehearse(bursts=1, dates=2, faults={first: "bad"})
    rehearsal.WORKFLOW.prepare(made.config, ("REHEARSAL", "REHEARSAL_STATIC"))
    for task in made.tasks:
        if task.key != first:
            rehearsal.WORKFLOW.run(task, Context("x", made.config))
    store = open_store(made.config.store)
    assert len(pending(store, "rehearsal")) == 1
    outcome = produce(plan(made.config), two_workers)
    assert (outcome.done, len(outcome.failed)) == (0, 1)
    assert pending(store, "rehearsal") == [] and store.exists("rehearsal/items.parquet")


def test_no_record_is_told_that_was_not_written(
    rehearse: Rehearse, two_workers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = LocalStore.write_bytes

    def write(self: LocalStore, key: str, data: bytes | memoryview) -> None:
        if key.startswith("runs/"):
            raise TransferError("read-only")
        real(self, key, data)

    monkeypatch.setattr(LocalStore, "write_bytes", write)
    outcome = produce(rehearse(bursts=1, dates=1), two_workers)
    assert outcome.done == 2 and outcome.record == ""


def test_a_store_that_cannot_be_written_can_be_looked_at(rehearse: Rehearse, monkeypatch: pytest.MonkeyPatch) -> None:
    made = rehearse(bursts=1, dates=1, files=1)
    store = make(made)
    debris = f"{FOLDER}/{STEM}_VV.tif"
    store.write_bytes(debris, b"left")

    def refused(self: LocalStore, *_: Any) -> None:
        raise AssertionError("nothing may be written")

    for name in ("write_bytes", "create_bytes", "replace_bytes", "upload", "delete"):
        monkeypatch.setattr(LocalStore, name, refused)
    assert status(store.url).stale == (debris,)
    assert len(clean(store).files) == 1
    assert produce(plan(made.config)).exit_code == 0
    update_collections(store)
