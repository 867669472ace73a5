"""Validation: every kind of damage is found, and told; missing schemas stop nothing but are told too."""

from __future__ import annotations

import copy
import io
import json
import logging
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sarcube.catalog.schemas
import sarcube.catalog.validate
from sarcube.catalog.items import item_dict
from sarcube.catalog.schemas import Schemas
from sarcube.catalog.validate import require_valid, validate
from sarcube.errors import CatalogError
from sarcube.store.local_store import LocalStore
from sarcube.workflows.rtc.kinds import RULES
from tests.catalog.examples import make_rtc


@pytest.fixture
def stored(local: LocalStore) -> dict[str, Any]:
    return item_dict(make_rtc(local)[1])


def _set(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def damage(item: dict[str, Any]) -> None:
        place: Any = item
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value

    return damage


DAMAGES = {
    "feature as geometry": (_set("geometry", value={"type": "Feature"}), "geometry"),
    "literal track": (_set("properties", "sat:relative_orbit", value="trackNumber"), "relative_orbit"),
    "track": (_set("properties", "sat:relative_orbit", value=176), "176"),
    "codes differ": (_set("properties", "proj:epsg", value=4326), "differ"),
    "transform": (_set("properties", "proj:transform", value=[1, 2, 3]), "proj:transform"),
    "precision": (_set("properties", "datetime", value="2022-01-01T00:00:00Z"), "microseconds"),
    "end first": (
        _set("properties", "end_datetime", value="2021-01-01T00:00:00.000000Z"),
        "after",
    ),
    "bbox": (_set("bbox", value=[0.0, 0.0, 1.0, 1.0]), "bbox"),
    "bow tie": (
        _set("geometry", "coordinates", value=[[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]),
        "crosses itself",
    ),
    "checksum": (_set("assets", "VV", "file:checksum", value="1220ab"), "multihash"),
    "size": (_set("assets", "VV", "file:size", value=-1), "size"),
    "polarization": (_set("properties", "sar:polarizations", value=["HH"]), "HH"),
    "unknown field": (_set("properties", "sar:relative_burst", value="x"), "sar:"),
    "no assets": (_set("assets", value={}), "data"),
    "stac version": (_set("stac_version", value="0.9.0"), "0.9.0"),
    "type": (_set("type", value="Thing"), "Thing"),
}


WRONG_FIELDS = {
    "platform": "",
    "gsd": 0,
    "title": None,
    "sar:polarizations": [],
    "sar:frequency_band": 5.4,
    "sat:orbit_state": "up",
    "sat:absolute_orbit": True,
    "view:incidence_angle": 120.0,
    "processing:software": {"sarcube": "0.1.0", "Sentinel-1 IPF": ""},
    "sarcube:noise_removal_applied": "TODO",
}


@pytest.mark.parametrize("name", WRONG_FIELDS)
def test_fields_are_checked_without_any_schema(name: str, stored: dict[str, Any], core_schemas: Schemas) -> None:
    assert validate(stored, core_schemas, RULES).problems == ()
    stored["properties"][name] = WRONG_FIELDS[name]
    assert any(name in problem for problem in validate(stored, core_schemas, RULES).problems)


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found(name: str, stored: dict[str, Any], schemas: Schemas) -> None:
    assert validate(stored, schemas, RULES).problems == ()
    damage, word = DAMAGES[name]
    damaged = copy.deepcopy(stored)
    damage(damaged)
    with pytest.raises(CatalogError, match=word):
        require_valid(damaged, schemas, RULES)


def test_both_validators_say_the_same(
    stored: dict[str, Any], shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With and without the compiled one."""
    monkeypatch.setattr(sarcube.catalog.validate, "_quick_validator", lambda schema, schemas: None)
    plain = Schemas(shared_data / "schemas")
    assert validate(stored, plain, RULES).problems == ()
    for damage, _ in DAMAGES.values():
        damaged = copy.deepcopy(stored)
        damage(damaged)
        assert validate(damaged, plain, RULES).problems


def test_without_schemas_core_and_own_rules_hold(
    stored: dict[str, Any], core_schemas: Schemas, caplog: pytest.LogCaptureFixture
) -> None:
    sarcube.catalog.validate._say_without.cache_clear()
    with caplog.at_level(logging.INFO):
        require_valid(stored, core_schemas, RULES)
        require_valid(stored, core_schemas, RULES)
    assert caplog.text.count("sarcube's own rules") == 1 and "sar/v1.3.0" in caplog.text
    for damage, word in DAMAGES.values():
        damaged = copy.deepcopy(stored)
        damage(damaged)
        with pytest.raises(CatalogError, match=word):
            require_valid(damaged, core_schemas, RULES)


def test_schemas_are_fetched_once_and_kept(tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(uri: str, timeout: float) -> io.BytesIO:
        asked.append(uri)
        path = uri.removeprefix("https://stac-extensions.github.io/")
        return io.BytesIO((shared_data / "schemas" / path).read_bytes())

    monkeypatch.setattr(sarcube.catalog.schemas.urllib.request, "urlopen", answer)
    uri = "https://stac-extensions.github.io/sar/v1.3.0/schema.json"
    for _ in range(2):
        schema = Schemas(cache=tmp_path).get(uri)
        assert schema is not None and schema["$id"] == uri
    assert asked == [uri]
    assert json.loads((tmp_path / "sar/v1.3.0/schema.json").read_text())["$id"] == uri


def test_a_dead_network_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fail(uri: str, timeout: float) -> None:
        asked.append(uri)
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(sarcube.catalog.schemas.urllib.request, "urlopen", fail)
    schemas = Schemas(cache=tmp_path)
    base = "https://stac-extensions.github.io"
    assert schemas.get(f"{base}/sar/v1.3.0/schema.json") is None
    assert schemas.get(f"{base}/sat/v1.2.0/schema.json") is None
    assert len(asked) == 1


def test_other_addresses_are_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(uri: str, timeout: float) -> None:
        raise AssertionError(uri)

    monkeypatch.setattr(sarcube.catalog.schemas.urllib.request, "urlopen", never)
    schemas = Schemas(cache=tmp_path)
    for uri in ("file:///etc/passwd", "http://169.254.169.254/x", "https://example.com/schema.json"):
        assert schemas.get(uri) is None


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no folder"):
        Schemas(tmp_path / "absent")


def test_stac_s_own_schemas_are_those_that_pystac_has() -> None:
    from pystac.validation.local_validator import get_local_schema_cache

    from sarcube.catalog.schemas import _core

    assert _core() == get_local_schema_cache()
