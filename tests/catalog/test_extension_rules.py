"""Sarcube's own rules for extensions say what the official schemas say, of every field of every extension they know."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from pyproj import CRS

from sarcube.catalog import extensions
from sarcube.catalog.collections import ensure_collection, update_collections
from sarcube.catalog.extension_fields import EXTENSIONS
from sarcube.catalog.extension_rules import extension_problems
from sarcube.catalog.extensions import CEOS_ARD, INSAR, PROJECTION, PROJECTION_2, RENDER, SAT, SENTINEL1, VIEW
from sarcube.catalog.items import item_dict
from sarcube.catalog.schemas import Schemas, shared_schemas
from sarcube.catalog.validate import require_valid, validate
from sarcube.errors import CatalogError
from sarcube.store.local_store import LocalStore
from tests.catalog.examples import KINDS, make_rtc, make_static, publish
from tests.catalog.verdicts import disagreements, judge_alike, judged, without

_CLASSES = [{"value": 0, "description": "sea", "name": "sea", "color_hint": "0000FF"}, {"value": 1, "description": ""}]
# Every field that an extension has, and a value that is right.
EVERY: dict[str, dict[str, Any]] = {
    "proj:": {
        "code": "EPSG:32632", "epsg": 32632, "wkt2": None, "projjson": CRS(32632).to_json_dict(),
        "geometry": {"type": "Point", "coordinates": [1.5, 2]}, "bbox": [0, 0, 1.5, 1], "shape": [2, 3],
        "centroid": {"lat": 48.0, "lon": -8.2}, "transform": [20.0, 0, 3e5, 0, -20, 4e6],
    },
    "raster:": {
        "sampling": "area", "bits_per_sample": 8, "spatial_resolution": 20.0, "scale": 0.1, "offset": 0,
        "histogram": {"count": 3, "min": 0, "max": 1.5, "buckets": [1, 2, 3]},
    },
    "file:": {
        "byte_order": "little-endian", "checksum": "1220ab", "header_size": 8, "size": 0,
        "values": [{"values": [1], "summary": "one"}], "local_path": "a/b c.tif",
    },
    "classification:": {
        "classes": _CLASSES,
        "bitfields": [
            {"offset": 0, "length": 1, "classes": _CLASSES, "roles": ["mask"], "description": "", "name": "x"}
        ],
    },
    "storage:": {"platform": "AWS", "region": "us-west-2", "requester_pays": False, "tier": "Standard"},
    "renders": {
        "": {
            "one": {
                "assets": ["VV"], "title": "x", "rescale": [[0, 1.5]], "nodata": "nan", "colormap_name": "viridis",
                "colormap": {"1": "#000"}, "color_formula": "gamma R 2", "resampling": "nearest", "expression": "VV*2",
                "minmax_zoom": [4, 9], "bidx": [1],
            }
        }
    },
    "processing:": {
        "expression": {"format": "sarcube", "expression": {"r": "a"}}, "lineage": "x", "level": "L2", "facility": "lab",
        "datetime": "2022-01-01T00:00:00Z", "version": "1", "software": {"sarcube": "0.2.0"},
    },
    "product:": {"type": "RTC", "timeliness": "P1D", "timeliness_category": "NTC", "acquisition_type": "nominal"},
    "view:": {
        "off_nadir": 1, "incidence_angle": 39.5, "azimuth": 360, "sun_azimuth": 0, "sun_elevation": -90,
        "moon_azimuth": 1, "moon_elevation": 90,
    },
    "sat:": {
        "platform_international_designator": "2014-016A", "orbit_state": "ascending", "absolute_orbit": 1,
        "relative_orbit": 175, "orbit_cycle": 12, "anx_datetime": "2022-01-01T00:00:00Z", "acquisition_station": "MTI",
        "orbit_state_vectors": {"2022-01-01T00:00:00.5Z": [1.5, 2, 3, 4, 5, 6]},
    },
    "sar:": {
        "polarizations": ["VV", "VH"], "instrument_mode": "IW", "frequency_band": "C", "center_frequency": 5.405,
        "bandwidth": 0.1, "resolution_range": 2.7, "resolution_azimuth": 22, "pixel_spacing_range": 2.3,
        "pixel_spacing_azimuth": 14.1, "looks_range": 1, "looks_azimuth": 1, "looks_equivalent_number": 1.5,
        "observation_direction": "right", "beam_ids": ["IW1"], "product_type": "SLC",
    },
    "eo:": {
        "cloud_cover": 100, "snow_cover": 0, "common_name": "red", "center_wavelength": 0.66,
        "full_width_half_max": 0.03, "solar_illumination": 1500.0,
    },
    "s1:": {
        "datatake_id": "1", "instrument_configuration_ID": "7", "orbit_source": "PREORB", "slice_number": "1",
        "total_slices": "2", "product_identifier": "x", "product_timeliness": "x", "processing_level": "L1",
        "resolution": "high", "processing_datetime": "2022-01-01T00:00:00Z", "shape": [1, 2],
    },
    "insar:": {
        "perpendicular_baseline": -12.5, "temporal_baseline": 12, "height_of_ambiguity": 100.0,
        "reference_datetime": "2022-01-01T00:00:00Z", "secondary_datetime": "2022-01-13T00:00:00Z",
        "processing_dem": "SRTM1", "geocoding_dem": "COP-DEM_GLO30",
    },
    "ceosard:": {"type": "radar", "specification": "NRB", "specification_version": "1.0"},
}  # fmt: skip
_SPECIFICATION = {"rel": "ceos-ard-specification", "href": "https://ceos.org/x.pdf", "type": "application/pdf"}


@pytest.fixture
def stored(local: LocalStore) -> dict[str, Any]:
    return item_dict(make_rtc(local)[1])


def _full(stored: dict[str, Any], uri: str, places: tuple[str, ...] = ()) -> dict[str, Any]:
    """The item with every field of an extension, wherever it may be or in these places."""
    extension = EXTENSIONS[uri]
    every = {extension.prefix + name: copy.deepcopy(v) for name, v in EVERY[extension.prefix].items()}
    if uri == PROJECTION_2:
        del every["proj:epsg"]
    full = without(stored, uri)
    full["stac_extensions"] = [uri]
    full["links"] = [link for link in full["links"] if link["rel"] != _SPECIFICATION["rel"]]
    objects: dict[str, list[dict[str, Any]]] = {
        "properties": [full["properties"]],
        "asset": [full["assets"]["VV"]],
        "band": [full["assets"]["VH"]["bands"][0]],
        "link": [full["links"][0]],
    }
    for place in places or extension.places:
        for members in objects.get(place, ()):
            members.update(copy.deepcopy(every))
    if uri == CEOS_ARD:
        full["links"].append(dict(_SPECIFICATION))
    return full


def test_the_table_names_every_field() -> None:
    """Of every extension that items may name: one that is added there has its fields here."""
    assert {value for name, value in vars(extensions).items() if name.isupper() and name != "_BASE"} == set(EXTENSIONS)
    for extension in EXTENSIONS.values():
        assert set(extension.fields) | {"epsg"} == set(EVERY[extension.prefix]) | {"epsg"}, extension.prefix


@pytest.mark.parametrize("uri", EXTENSIONS, ids=lambda uri: "-".join(uri.split("/")[-3:-1]))
def test_every_field_is_judged_as_by_the_official_schema(uri: str, stored: dict[str, Any], shared_data: Path) -> None:
    # The schema of view is content where either the properties or one asset are right: each alone.
    for places in (("properties",), ("asset",)) if uri == VIEW else ((),):
        full = _full(stored, uri, places)
        assert extension_problems(full, uri) == []
        assert disagreements(full, shared_data / "schemas") == []


def test_real_items_and_collections_are_judged_alike(local: LocalStore, shared_data: Path, schemas: Schemas) -> None:
    for name in ("rtc", "static"):
        ensure_collection(local, name, KINDS[name], schemas=schemas)
    publish(local, make_static(local), schemas)
    publish(local, make_rtc(local), schemas)
    update_collections(local, schemas=schemas)
    assert judge_alike(Path(local.url), shared_data / "schemas") == 4


def test_links_and_combinations_of_ceos_ard(stored: dict[str, Any], shared_data: Path) -> None:
    for kind, name, right in (
        *(("radar", "NRB", True), ("radar", "SR", False), ("optical", "NRB", False), ("optical", "SR", True)),
        *(("lidar", "NRB", False), ("radar", "LIDAR", False)),
    ):
        full = _full(stored, CEOS_ARD)
        full["properties"] |= {"ceosard:type": kind, "ceosard:specification": name}
        assert judged(full, CEOS_ARD, shared_data / "schemas") == (right, right), (kind, name)
    for damage in ({"type": "text/html"}, {"rel": "about"}):
        full = _full(stored, CEOS_ARD)
        full["links"][-1] |= damage
        assert judged(full, CEOS_ARD, shared_data / "schemas") == (False, False)
        [problem] = extension_problems(full, CEOS_ARD) or []
        assert "ceos-ard-specification" in problem


@pytest.mark.parametrize("uri", (SAT, INSAR, SENTINEL1, RENDER, CEOS_ARD))
def test_an_extension_is_named_for_something(uri: str, stored: dict[str, Any]) -> None:
    empty = without(_full(stored, uri), uri)
    [problem, *_] = extension_problems(empty, uri) or []
    assert EXTENSIONS[uri].prefix in problem


def test_no_network_on_the_first_day(
    stored: dict[str, Any], core_schemas: Schemas, shared_data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What no schema is at hand for is judged all the same, said so, and refused in a sentence that names the field."""
    outcome = validate(stored, core_schemas)
    assert outcome.problems == () and outcome.unchecked == ()
    assert set(outcome.own) == set(stored["stac_extensions"])
    assert validate(stored, shared_schemas(str(shared_data / "schemas"))).own == ()
    stored["assets"]["VV"]["raster:sampling"] = "volume"
    with pytest.raises(CatalogError, match="assets/VV/raster:sampling: 'volume' is not one of area, point"):
        require_valid(stored, core_schemas)
    stored["stac_extensions"].append("https://stac-extensions.github.io/unheard/v1.0.0/schema.json")
    assert len(validate(stored, core_schemas).unchecked) == 1
    assert PROJECTION in json.dumps(stored)
