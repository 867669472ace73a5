"""The check of a whole store finds what is wrong, and nothing where nothing is."""

from __future__ import annotations

import json
from pathlib import Path

from sarcube.catalog.check import check_store
from sarcube.catalog.collections import ensure_collection, update_collections
from sarcube.catalog.query import find_static_item
from sarcube.catalog.schemas import Schemas
from sarcube.store.local_store import LocalStore
from sarcube.workflows.rtc.kinds import RULES
from tests.catalog.examples import KINDS, make_rtc, make_static, publish


def test_check(local: LocalStore, tmp_path: Path, schemas: Schemas) -> None:
    other = LocalStore(tmp_path / "other")
    for store, name in ((local, "rtc"), (other, "static")):
        ensure_collection(store, name, KINDS[name], schemas=schemas)
    publish(other, make_static(other), schemas)
    made = make_rtc(local, static=find_static_item(other, "static", "t070_149815_iw3"))
    publish(local, made, schemas)
    update_collections(local, schemas=schemas)
    assert list(check_store(local, checksums=True, schemas=schemas)) == []

    vv, vh, mask = (local.path(f.key) for f in made[0].files[:3])
    vv.unlink()
    vh.write_bytes(vh.read_bytes() + b"x")
    harmed = bytearray(mask.read_bytes())
    harmed[-5] ^= 255
    mask.write_bytes(harmed)
    other.delete("static/t070_149815_iw3/T070-149815-IW3_STATIC.json")
    stored = json.loads(local.read_bytes(made[0].item_key))
    stored["properties"]["sat:relative_orbit"] = 999
    local.write_bytes(made[0].item_key, json.dumps(stored).encode())
    rules = {"RTC_S1": RULES}
    quick = [fault.message for fault in check_store(local, schemas=schemas, rules=rules)]
    words = ("999", "static-layers", "VV", "bytes")
    assert all(any(word in message for message in quick) for word in words) and len(quick) == 4
    deep = [fault.message for fault in check_store(local, "rtc", checksums=True, schemas=schemas, rules=rules)]
    assert len(deep) == 5 and any("damaged" in message for message in deep)
    local.delete("catalog.json")
    assert any(fault.key == "catalog.json" for fault in check_store(local, schemas=schemas))
