"""What a store holds, item by item, for people, spreadsheets and programs."""

from __future__ import annotations

import csv
import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sarcube.catalog.check import examine_store
from sarcube.catalog.collections import ensure_collection, update_collections
from sarcube.catalog.listing import as_csv, as_json, as_lines, list_items
from sarcube.catalog.query import find_static_item
from sarcube.catalog.schemas import Schemas
from sarcube.errors import CatalogError, PassedOverWarning, StoreError
from sarcube.production.clean import clean
from sarcube.production.status import status
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


def _changed(store: LocalStore, change: Callable[[dict[str, Any]], object]) -> None:
    (path,) = Path(store.url).glob("rtc/*/2022/01/13/*.json")
    stored = json.loads(path.read_text())
    change(stored)
    path.write_text(json.dumps(stored))


@pytest.mark.parametrize(
    "change",
    [
        lambda item: item["properties"].update({"platform": "[/b] [red]", "sat:relative_orbit": "70"}),
        lambda item: item["assets"]["VV"].update({"file:size": "many"}),
        lambda item: item["properties"].update({"sarcube:warnings": "[/x] a text alone"}),
        lambda item: item["properties"].update({"sarcube:warnings": 5}),
    ],
)
def test_what_somebody_else_wrote_is_listed(filled: LocalStore, change: Callable[[dict[str, Any]], object]) -> None:
    _changed(filled, change)
    found = list_items(filled)
    assert len(found) == 3 and all(item.bytes > 0 for item in found)
    text = "\n".join(as_lines(found, 200))
    assert "3 items" in text and ("[/b] [red]" in text) == (found[1].platform == "[/b] [red]")


def test_what_cannot_be_listed_is_told(filled: LocalStore) -> None:
    _changed(filled, lambda item: item["assets"]["VV"].update(roles=5))
    with pytest.warns(PassedOverWarning, match="1 damaged item passed over"):
        assert len(list_items(filled)) == 2


@pytest.mark.parametrize("how", ["cut", "emptied", "another's", "pages"])
def test_a_damaged_index_hides_nothing(filled: LocalStore, core_schemas: Schemas, how: str) -> None:
    update_collections(filled, schemas=core_schemas)
    path = Path(filled.url, "rtc", "items.parquet")
    data = bytearray(path.read_bytes())
    if how == "cut":
        data = data[: len(data) // 2]
    elif how == "emptied":
        data.clear()
    elif how == "another's":
        out = io.BytesIO()
        pq.write_table(pa.table({"a": [1]}), out)
        data = bytearray(out.getvalue())
    else:
        for at in range(4, len(data) // 2, 16):
            data[at] ^= 255
    path.write_bytes(bytes(data))
    with pytest.warns(PassedOverWarning, match=r"index.*damaged.*sarcube clean --yes"):
        assert len(list_items(filled)) == 3
    told = status(filled.url)
    assert told.present == 3 and len(told.unindexed) >= 2 and not told.lost
    clean(filled, delete=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list_items(filled)) == 3
    assert status(filled.url).unindexed == ()


@pytest.mark.parametrize("text", ["[]", "{", "null", "5", '{"type": "Collection"}'])
def test_a_damaged_collection_is_made_anew_by_its_workflow(
    filled: LocalStore, core_schemas: Schemas, text: str
) -> None:
    update_collections(filled, schemas=core_schemas)
    for key in ("rtc/collection.json", "catalog.json"):
        filled.write_bytes(key, text.encode())
    assert len(list_items(filled)) == 3 and status(filled.url).present == 3
    assert any(fault.key == "rtc/collection.json" for fault in examine_store(filled, schemas=core_schemas).faults)
    with pytest.raises(CatalogError, match=r"rtc/collection.json is damaged"):
        update_collections(filled, schemas=core_schemas)
    update_collections(filled, KINDS, schemas=core_schemas)
    assert examine_store(filled, schemas=core_schemas).faults == ()


@pytest.mark.parametrize(
    "change",
    [
        lambda item: item.update(links=5), lambda item: item["links"].append(None),
        lambda item: item["links"].append({"rel": "x"}), lambda item: item["assets"]["VV"].pop("href"),
        lambda item: item["assets"].update(VH=None), lambda item: item.update(properties=None),
        lambda item: item["assets"]["VV"].update(href="a\\b.tif"), lambda item: item.update(stac_extensions=5),
        lambda item: item.update(geometry={"type": "Point", "coordinates": ["x"]}),
    ],
)  # fmt: skip
def test_damage_is_a_fault_and_not_the_end(
    filled: LocalStore, core_schemas: Schemas, change: Callable[[dict[str, Any]], object]
) -> None:
    _changed(filled, change)
    faults = examine_store(filled, schemas=core_schemas).faults
    assert faults and all("20220113" in fault.key for fault in faults)


def test_files_on_the_web_are_not_missed(filled: LocalStore, core_schemas: Schemas) -> None:
    _changed(filled, lambda item: item["assets"]["VV"].update(href="https://127.0.0.1:9/VV.tif"))
    assert examine_store(filled, schemas=core_schemas).faults == ()


def test_files_of_days_that_there_are_not(filled: LocalStore) -> None:
    """Somebody's file of month 13 among products: not sarcube's, and no query's end."""
    (day,) = Path(filled.url).glob("rtc/*/2022/01/13")
    (day / "T070-149815-IW3_20221399T110000Z.json").write_text("null")
    (day / "SARCUBE_L2_RTC-S1_T070-149815-IW3_20221399T110000Z_20220703T110000Z_S1A_20_v0.1_VV.tif").write_text("x")
    (Path(filled.url) / "runs" / "x").mkdir(parents=True)
    (Path(filled.url) / "runs" / "x" / "products.jsonl").write_text('{"a": 1}\n[]\n')
    with pytest.warns(PassedOverWarning):
        assert len(list_items(filled)) == 3
    found = status(filled.url)
    assert found.present == 3 and len(found.foreign) == 2
    assert clean(filled).files == ()
