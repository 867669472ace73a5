"""What a store holds, item by item, for people, spreadsheets and programs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from sarcube.catalog.check import examine_store
from sarcube.catalog.collections import ensure_collection, update_collections
from sarcube.catalog.listing import as_csv, as_json, as_lines, list_items
from sarcube.catalog.query import find_static_item
from sarcube.catalog.schemas import Schemas
from sarcube.errors import StoreError
from sarcube.store.local_store import LocalStore
from tests.catalog.examples import KINDS, all_files, make_rtc, make_static, publish

PLACE = "t070_149815_iw3"


@pytest.fixture
def filled(local: LocalStore, core_schemas: Schemas) -> LocalStore:
    """Two dates of a burst that link to its static layers, the later one with a warning."""
    for name in ("rtc", "static"):
        ensure_collection(local, name, KINDS[name], schemas=core_schemas)
    publish(local, make_static(local), core_schemas)
    static = find_static_item(local, "static", PLACE)
    publish(local, make_rtc(local, static=static), core_schemas)
    product, item = make_rtc(local, start="2022-01-13T12:47:52.123456", static=static)
    item.properties["sarcube:warnings"] = ["no orbit file: the annotation's orbit was used"]
    publish(local, (product, item), core_schemas)
    return local


@pytest.mark.parametrize("indexed", [False, True])
def test_items_with_what_one_asks_for(filled: LocalStore, core_schemas: Schemas, indexed: bool) -> None:
    if indexed:
        update_collections(filled, schemas=core_schemas)
    found = list_items(filled)
    assert [(i.collection, i.start[:10]) for i in found] == [
        ("rtc", "2022-01-01"),
        ("rtc", "2022-01-13"),
        ("static", ""),
    ]
    first, second, _ = found
    assert (first.kind, first.place, first.platform) == ("RTC_S1", PLACE, "sentinel-1a")
    assert (first.orbit, first.direction, first.track) == ("POEORB", "ascending", 70)
    assert set(first.layers) == {"VV", "VH", "mask"}  # not those that it only links to
    assert second.warnings == ("no orbit file: the annotation's orbit was used",) and not first.warnings
    # Together they are the files that lie there, but for JSON, browse pictures and the index.
    root = Path(filled.url)
    tifs = sum((root / name).stat().st_size for name in all_files(root) if name.endswith((".tif", ".png")))
    assert sum(i.bytes for i in found) == tifs
    assert [i.start for i in list_items(filled, "rtc", dates=("2022-01-10", None))] == ["2022-01-13T12:47:52"]
    assert list_items(filled, bbox=(100, 10, 101, 11)) == []
    assert len(list_items(filled, places=["T070-149815-IW3"])) == 3
    with pytest.raises(StoreError, match="no collection insar; it has rtc, static"):
        list_items(filled, "insar")


def test_as_lines_csv_and_json(filled: LocalStore) -> None:
    found = list_items(filled)
    lines = list(as_lines(found, 140))
    assert lines[-1].startswith("3 items of 1 place, 2022-01-01 to 2022-01-13, ") and lines[-1].endswith("1 warning")
    assert any(line.startswith("warning: ") and "annotation's orbit" in line for line in lines)
    assert sum(PLACE in line for line in lines) == 3
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert [row["start"] for row in rows] == [i.start for i in found]
    assert rows[0]["layers"].split(";") == list(found[0].layers) and int(rows[0]["bytes"]) == found[0].bytes
    assert json.loads(as_json(found))[1]["warnings"] == list(found[1].warnings)


def test_examined(filled: LocalStore, core_schemas: Schemas) -> None:
    update_collections(filled, schemas=core_schemas)
    whole = examine_store(filled, checksums=True, schemas=core_schemas)
    assert (whole.items, whole.collections, whole.faults) == (3, 2, ())
    assert any("/sar/" in uri for uri in whole.own) and whole.unchecked == ()
    assert sum("checked by sarcube's own rules for" in line and "sar v1.3.0" in line for line in whole.lines()) == 1
    assert list(whole.lines())[-1] == "3 items in 2 collections, with their checksums: no fault"
    next(Path(filled.url).rglob("*_VV.tif")).unlink()
    harmed = examine_store(filled, schemas=core_schemas)
    assert len(harmed.faults) == 1 and "VV" in harmed.faults[0].message
    with pytest.raises(StoreError, match="it has none"):
        examine_store(str(Path(filled.url) / "nothing"), schemas=core_schemas)
