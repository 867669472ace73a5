"""The order of tasks, without a cluster."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from sarcube.geometry.grid import GeoGrid
from sarcube.production.run.feed import Feed
from sarcube.workflows.task import Estimate, Task, Unit

GRID = GeoGrid(32629, 0.0, 0.0, 20.0, 10, 10)
DAY = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def series(burst: str, rank: int, dates: int) -> list[Task]:
    estimate = Estimate(0, 0, 1.0, 1)
    static = Task(Unit("STATIC", burst, None, None, (), ()), GRID, "", (), estimate, rank)
    starts = [DAY + i * dt.timedelta(days=12) for i in range(dates)]
    rest = [Task(Unit("DATED", burst, t, t, (), ()), GRID, "", (static.key,), estimate, rank) for t in starts]
    return [static, *rest]


def test_a_task_of_two_needs_waits_for_both() -> None:
    a, (both,) = series("t001_000001_iw1", 0, 1), series("t001_000002_iw1", 0, 1)[1:]
    both = replace(both, after=(a[0].key, a[1].key))
    feed = Feed([*a, both])
    assert feed.next() is a[0]
    assert feed.next() is None
    feed.done(a[0])
    assert feed.next() is a[1]
    assert feed.next() is None
    feed.done(a[1])
    assert feed.next() is both
    assert not feed.left


def test_dates_wait_for_their_static_layers_and_then_go_first() -> None:
    a, b = series("t001_000001_iw1", 0, 2), series("t001_000002_iw1", 1, 2)
    feed = Feed([*a, *b])
    assert feed.next() is a[0]
    assert feed.next() is b[0]
    assert feed.next() is None
    feed.done(b[0])
    feed.done(a[0])
    assert [feed.next() for _ in range(4)] == [*a[1:], *b[1:]]
    assert feed.next() is None
    assert not feed.left


def test_dates_of_failed_static_layers_are_blocked_with_the_cause() -> None:
    a = series("t001_000001_iw1", 0, 3)
    feed = Feed(a)
    assert feed.next() is a[0]
    assert feed.next() is None
    blocked = feed.failed(a[0], "the DEM is missing")
    assert [task for task, _ in blocked] == a[1:]
    assert {cause for _, cause in blocked} == {"the DEM is missing"}
    assert not feed.left


def test_dates_met_after_the_failure_are_blocked_too() -> None:
    a = series("t001_000001_iw1", 0, 2)
    feed = Feed(a)
    feed.next()
    feed.failed(a[0], "bad")
    assert feed.next() is None
    assert [task for task, _ in feed.take_blocked()] == a[1:]
    assert feed.take_blocked() == []


def test_a_retry_comes_when_its_time_has_come() -> None:
    a = series("t001_000001_iw1", 0, 0)
    feed = Feed(a)
    feed.next()
    feed.again(a[0], 2, 3600.0)
    assert feed.due() is None
    assert feed.left
    assert feed.retries == 1
    feed.again(a[0], 3, 0.0)
    assert feed.due() == (a[0], 3)
