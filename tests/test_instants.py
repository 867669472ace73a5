"""An offset in a date's text is honoured, in all texts of dates."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pystac
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sarcube.catalog.selection import selection
from sarcube.cube.acquisition import as_time
from sarcube.cube.selection import parse_dates
from sarcube.instants import states_offset, utc_ns, utc_time
from sarcube.sensors.sentinel1.search.provider_json import time_of
from sarcube.sensors.sentinel1.xml_tree import parse_xml

SIX_PM_IN_BERLIN = "2024-05-01T18:00:00+02:00"
FOUR_PM = dt.datetime(2024, 5, 1, 16, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "text",
    [
        SIX_PM_IN_BERLIN,
        "2024-05-01 18:00+02",
        "2024-05-01T18:00:00.000000000+0200",
        "UTC=2024-05-01T16:00:00",
        "2024-05-01T16:00:00Z",
        "2024-05-01t16:00:00z",
        "20240501T160000",
        "2024-05-01T10:30:00-05:30",
        "2024-05-01T16:00:00",
    ],
)
def test_ways_to_write_an_instant(text: str) -> None:
    assert utc_time(text) == FOUR_PM
    assert utc_ns(text) == np.datetime64("2024-05-01T16:00:00", "ns")


@pytest.mark.parametrize(
    "text", ["", "2024", "2024-05", "2024-13-01", "2024-05-01T25:00", "2024-05-01T18:00+24:00", "x"]
)
def test_what_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        utc_time(text)


@given(st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2200, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_python_writes_what_is_read(moment: dt.datetime, minutes: int) -> None:
    aware = moment.replace(tzinfo=dt.timezone(dt.timedelta(minutes=minutes)))
    assert utc_time(aware.isoformat()) == aware
    assert states_offset(aware.isoformat())
    assert not states_offset(moment.isoformat())


def test_every_room_reads_it_so() -> None:
    instant = np.datetime64("2024-05-01T16:00:00", "ns")
    assert parse_dates((SIX_PM_IN_BERLIN, "2024-05-02")) == (instant, np.datetime64("2024-05-02T23:59:59.999999999"))
    assert parse_dates(SIX_PM_IN_BERLIN) == (instant, instant)
    assert as_time(SIX_PM_IN_BERLIN) == instant
    wanted = selection(dates=(SIX_PM_IN_BERLIN, None))
    assert wanted.start == FOUR_PM
    assert wanted.start is not None and wanted.start.utcoffset() == dt.timedelta(0)
    assert time_of(SIX_PM_IN_BERLIN) == FOUR_PM
    node = parse_xml(f"<a><t>{SIX_PM_IN_BERLIN}</t><t>2024-05-01T16:00:01.5</t></a>".encode(), "here")
    assert node.time("t") == instant
    assert list(node.times("t", ".")) == [instant, instant + np.timedelta64(1_500_000_000, "ns")]


def test_an_item_of_another_hand_is_placed_by_its_offset() -> None:
    from sarcube.catalog.query import open_item

    stored = pystac.Item("x", {"type": "Point", "coordinates": [0, 0]}, [0, 0, 0, 0], FOUR_PM, {}).to_dict()
    stored["properties"]["datetime"] = SIX_PM_IN_BERLIN
    assert open_item(stored, "/store/x.json").datetime == FOUR_PM
