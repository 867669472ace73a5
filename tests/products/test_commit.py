"""Two writers, a killed one, a sleeping one, wrong clocks: an item that is there has all of its files."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from sarcube.errors import TransferError
from sarcube.products.attempt import LINEAGE, Attempt, announce, verdict, withdraw
from sarcube.products.commit import commit
from sarcube.products.holder import gone, holder
from sarcube.products.names import ProductName
from sarcube.products.product import write_file
from sarcube.products.sweep import outdated, own_name
from sarcube.store.local_store import LocalStore
from sarcube.store.protocol import Store
from sarcube.workflows.rtc.kinds import RTC_S1, RTC_S1_STATIC

START = dt.datetime(2022, 1, 1, 12, 47, 52, tzinfo=dt.UTC)
FOLDER = "rtc/t070_149815_iw3/2022/01/01"
ITEM = f"{FOLDER}/T070-149815-IW3_20220101T124752Z.json"
ROOT = Path(__file__).parents[2]


def name(processed: dt.datetime | None = None, *, static: bool = False) -> ProductName:
    """A product of one acquisition, processed now."""
    kind = RTC_S1_STATIC if static else RTC_S1
    return ProductName.of(kind, "t070_149815_iw3", START, processed or dt.datetime.now(dt.UTC), "S1A", 20.0)


def write(store: Store, attempt: Attempt, layers: tuple[str, ...] = ("VV", "VH")) -> list[str]:
    """The files of an attempt."""
    keys = [f"{attempt.name.folder(attempt.collection)}/{attempt.name.file(layer)}" for layer in layers]
    for key in keys:
        write_file(store, key, f"{key} of {attempt.token}".encode())
    return keys


def finish(store: Store, attempt: Attempt, files: list[str], *, overwrite: bool = True) -> bool:
    """Commit it."""
    properties = {LINEAGE: list(attempt.lineage)}
    assets = {str(i): {"href": f"./{key.rsplit('/', 1)[1]}"} for i, key in enumerate(files)}
    item = {"type": "Feature", "id": attempt.name.stem, "properties": properties, "assets": assets}
    return commit(store, attempt, json.dumps(item).encode(), files, overwrite=overwrite)


def make(store: Store, processed: dt.datetime | None = None) -> Attempt:
    """A published product."""
    attempt = announce(store, "rtc", name(processed))
    assert finish(store, attempt, write(store, attempt))
    return attempt


def published(store: Store, key: str = ITEM) -> str:
    """The id of the item that is there, all of whose files are there and its own, and nothing else."""
    item = json.loads(store.read_bytes(key))
    folder = key.rsplit("/", 1)[0]
    files = {asset["href"].removeprefix("./") for asset in item["assets"].values()}
    assert all(file.startswith(item["id"]) for file in files)
    assert set(store.files(folder)) == {key.rsplit("/", 1)[1], *files}
    return str(item["id"])


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_remakes_one_wins_whole(store: Store, first: int) -> None:
    make(store)
    attempts = [announce(store, "rtc", name()) for _ in range(2)]
    files = [write(store, attempt) for attempt in attempts]
    assert finish(store, attempts[first], files[first])
    assert not finish(store, attempts[1 - first], files[1 - first])
    assert published(store) == attempts[first].name.stem


def test_the_loser_is_still_writing_when_the_winner_tidies_up(store: Store) -> None:
    make(store)
    slow = announce(store, "rtc", name())
    half = write(store, slow, ("VV",))
    winner = make(store)
    assert winner.name.processed > slow.name.processed
    rest = write(store, slow, ("VH",))
    assert not finish(store, slow, half + rest)
    assert published(store) == winner.name.stem


def test_an_attempt_that_was_given_up_wakes_after_its_retry(store: Store) -> None:
    given_up = announce(store, "rtc", name())
    files = write(store, given_up)
    retry = make(store)
    assert not finish(store, given_up, files, overwrite=False)
    assert published(store) == retry.name.stem


@pytest.mark.parametrize("ahead", [dt.timedelta(minutes=10), dt.timedelta(days=400)])
def test_versions_are_in_order_whatever_clocks_say(store: Store, ahead: dt.timedelta) -> None:
    first = make(store, dt.datetime.now(dt.UTC) + ahead)
    second = make(store)
    assert second.name.processed > first.name.processed
    assert published(store) == second.name.stem


def test_two_attempts_never_have_one_name(store: Store) -> None:
    second = dt.datetime(2025, 4, 8, 2, 54, 1, tzinfo=dt.UTC)
    together = Barrier(6)

    def begin(_: int) -> Attempt:
        together.wait()
        return announce(store, "rtc", name(second))

    with ThreadPoolExecutor(6) as pool:
        attempts = list(pool.map(begin, range(6)))
    assert len({a.name.stem for a in attempts}) == 6
    assert sorted(store.files("rtc/_pending")) == sorted(a.marker.rsplit("/", 1)[1] for a in attempts)


def test_many_remakes_at_once(store: Store) -> None:
    make(store)
    for _ in range(4):
        together = Barrier(4)

        def remake(_: int, together: Barrier = together) -> bool:
            together.wait()
            attempt = announce(store, "rtc", name())
            return finish(store, attempt, write(store, attempt))

        with ThreadPoolExecutor(4) as pool:
            assert any(pool.map(remake, range(4)))
        published(store)


def test_files_that_were_taken_away_are_not_published(store: Store) -> None:
    """An attempt that was taken for dead, wrongly: nothing is published, and it is made again."""
    attempt = announce(store, "rtc", name())
    files = write(store, attempt)
    store.delete(files[0])
    with pytest.raises(TransferError, match="made again"):
        finish(store, attempt, files)
    assert list(store.list()) == []


def test_a_name_given_to_another_is_not_touched(store: Store) -> None:
    sleeper = announce(store, "rtc", name())
    files = write(store, sleeper)
    for key in (*files, sleeper.marker):  # as `sarcube clean` does
        store.delete(key)
    other = announce(store, "rtc", sleeper.name)
    assert other.name == sleeper.name
    own = write(store, other)
    with pytest.raises(TransferError):
        write(store, sleeper)
    withdraw(store, sleeper, files)
    assert finish(store, other, own)
    withdraw(store, sleeper, files)
    store.delete(other.marker)  # as the index does
    withdraw(store, sleeper, files)
    assert published(store) == other.name.stem


def test_static_layers_that_are_replaced_stay_for_those_that_name_them(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    attempts = []
    for _ in range(3):
        killed = announce(store, "static", name(static=True))
        write(store, killed, ("mask",))
        attempt = announce(store, "static", name(static=True))
        assert finish(store, attempt, write(store, attempt))
        attempts.append(attempt)
    files = [file for file in store.files("static/t070_149815_iw3") if file.endswith(".tif")]
    assert sorted(files) == sorted(a.name.file(layer) for a in attempts for layer in ("VV", "VH"))


def test_what_sweeping_takes_and_what_it_leaves() -> None:
    item = name(dt.datetime(2025, 4, 8, 2, 54, 1))
    earlier = name(dt.datetime(2025, 4, 8, 2, 54, 0))
    later = name(dt.datetime(2025, 4, 8, 2, 54, 2))
    assert outdated(earlier.file("VV"), item) and outdated(item.file("VV"), item)
    assert not outdated(later.file("VV"), item)
    opera = "OPERA" + earlier.file("VV").removeprefix("SARCUBE")
    assert own_name(opera) is None and not outdated(opera, item)
    another = earlier.file("VV").replace("T124752Z", "T170000Z")
    assert own_name(another) is not None and not outdated(another, item)
    assert not outdated("notes.txt", item)


def test_a_dead_holder_is_known_at_once(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert not gone(holder())
    attempt = announce(store, "rtc", name())
    assert verdict(store, attempt.marker) == ""
    code = (
        "from tests.products.test_commit import *\n"
        f"print(announce(LocalStore({str(tmp_path)!r}), 'rtc', name()).marker)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    marker = done.stdout.strip()
    assert marker != attempt.marker
    assert verdict(store, marker) == "its process has ended"
    said = json.loads(store.read_bytes(marker))
    assert not gone(said | {"machine": "another"}) and not gone(said | {"pid": "7"}) and not gone({})
    assert gone(holder() | {"started": "1"})  # its number has been given to another process


def test_a_holder_elsewhere_is_dead_when_it_is_silent_by_the_stores_clock(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    attempt = announce(store, "rtc", name(dt.datetime(2020, 1, 1, tzinfo=dt.UTC)))  # of a machine whose clock is wrong
    path = store.path(attempt.marker)
    path.write_bytes(json.dumps({"token": attempt.token, "machine": "another", "pid": 1}).encode())
    assert verdict(store, attempt.marker) == ""
    os.utime(path, (path.stat().st_mtime - 90_000,) * 2)
    assert verdict(store, attempt.marker) == "announced 25 hours ago"
