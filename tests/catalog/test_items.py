"""Items: valid by the official schemas, true to their product, opened alike by stackstac and odc-stac."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sarcube.catalog.collections import ensure_collection, update_collections
from sarcube.catalog.extensions import CEOS_ARD
from sarcube.catalog.items import item_dict, utc_text
from sarcube.catalog.query import find_items, find_static_item
from sarcube.catalog.schemas import Schemas
from sarcube.catalog.validate import validate
from sarcube.products.product import read_layers
from sarcube.store.local_store import LocalStore
from sarcube.workflows.rtc.kinds import RULES
from sarcube.workflows.sentinel1_facts import heading_and_altitude, noise_equivalent_sigma0
from sarcube.workflows.sentinel1_items import ItemContext, file_tags
from tests.catalog.examples import (
    ATTRS,
    CASES,
    RTC_S1,
    RTC_S1_STATIC,
    Case,
    make_burst,
    make_rtc,
    make_static,
    publish,
    rtc_item,
    valid_by_pystac,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_items_are_valid(case: Case, local: LocalStore, schemas: Schemas) -> None:
    for _, item in (make_rtc(local, case), make_static(local, case)):
        outcome = validate(item_dict(item), schemas, RULES)
        assert outcome.problems == () and outcome.unchecked == ()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_pystac_agrees(case: Case, local: LocalStore, schemas: Schemas) -> None:
    _, item = make_rtc(local, case)
    valid_by_pystac(item_dict(item), schemas)


def test_what_an_item_says(local: LocalStore) -> None:
    product, item = make_rtc(local)
    stored = json.loads(json.dumps(item_dict(item), allow_nan=False))
    properties = stored["properties"]
    expected = {
        "datetime": "2022-01-01T12:47:52.123456Z",
        "start_datetime": "2022-01-01T12:47:52.123456Z",
        "platform": "sentinel-1a",
        "constellation": "sentinel-1",
        "gsd": 20.0,
        "proj:code": "EPSG:32629",
        "proj:epsg": 32629,
        "proj:bbox": [500_000.0, 3_996_000.0, 506_000.0, 4_000_000.0],
        "proj:shape": [200, 300],
        "proj:transform": [20.0, 0.0, 500_000.0, 0.0, -20.0, 4_000_000.0],
        "product:type": "RTC_S1",
        "sar:polarizations": ["VV", "VH"],
        "sar:beam_ids": ["IW3"],
        "sat:relative_orbit": 70,
        "sat:absolute_orbit": 41_267,
        "sat:orbit_state": "ascending",
        "s1:orbit_source": "POEORB",
        "processing:level": "L2",
        "processing:facility": "a laboratory",
        "sarcube:burst_id": "t070_149815_iw3",
        "sarcube:measurement_type": "gamma0",
        "sarcube:dem": "Copernicus DEM GLO-30",
        "ceosard:specification": "NRB",
        "ceosard:specification_version": "5.5",
    }
    assert {name: properties.get(name) for name in expected} == expected
    assert properties["sarcube:processing"]["not_finite"] is None
    assert properties["sarcube:processing"]["void_dem_pixels"] == 3
    assert stored["id"] == product.name.stem and stored["collection"] == "rtc"
    assert all(asset["href"].startswith("./SARCUBE_L2") for asset in stored["assets"].values())
    assert not any(link["rel"] == "self" for link in stored["links"])
    vv, mask = stored["assets"]["VV"], stored["assets"]["mask"]
    assert vv["nodata"] == "nan" and vv["data_type"] == "float32" and vv["bands"] == [{"name": "VV"}]
    assert "raster:bands" not in vv  # nothing that a reader could take for a scale or an offset
    assert [c["value"] for c in mask["classification:classes"]] == [0, 1, 2, 3, 255]
    relations = {link["rel"] for link in stored["links"]}
    assert {"root", "parent", "collection", "derived_from", "ceos-ard-specification"} <= relations


def test_no_claim_of_analysis_ready_data_for_sigma0(local: LocalStore, schemas: Schemas) -> None:
    product, _ = make_rtc(local)
    item = rtc_item(local, product, make_burst(), {**ATTRS, "backscatter": "sigma0"})
    stored = item_dict(item)
    assert CEOS_ARD not in stored["stac_extensions"] and "ceosard:type" not in stored["properties"]
    assert validate(stored, schemas, RULES).problems == ()


def test_times_always_have_microseconds(local: LocalStore) -> None:
    _, item = make_rtc(local, start="2022-01-13T12:47:52.000000")
    properties = item_dict(item)["properties"]
    assert properties["datetime"] == "2022-01-13T12:47:52.000000Z"
    import datetime as dt

    assert utc_text(dt.datetime(2022, 1, 1)) == "2022-01-01T00:00:00.000000Z"


def test_why_projection_1_2(local: LocalStore, schemas: Schemas) -> None:
    """Projection 2.0 refuses the field without which stackstac makes another grid."""
    stored = item_dict(make_rtc(local)[1])
    two = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
    stored["stac_extensions"] = [two if "projection" in uri else uri for uri in stored["stac_extensions"]]
    problems = validate(stored, schemas, RULES).problems
    assert problems and "proj:epsg" in problems[0]
    del stored["properties"]["proj:epsg"]
    assert not any(two in problem for problem in validate(stored, schemas, RULES).problems)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_stackstac_and_odc_stac_agree_with_the_files(case: Case, local: LocalStore, schemas: Schemas) -> None:
    import odc.stac
    import stackstac

    ensure_collection(local, "rtc", RTC_S1, schemas=schemas)
    products = []
    for day, seed in (("2022-01-01", 1), ("2022-01-13", 2)):
        made = make_rtc(local, case, f"{day}T12:47:52.123456", seed=seed)
        publish(local, made, schemas)
        products.append(made[0])
    update_collections(local, schemas=schemas)
    items = find_items(local, "rtc")
    bands = [*case.polarizations, "mask"]
    odc_cube = odc.stac.load(items, bands=bands)
    truth = [read_layers(local, product) for product in products]
    for band in bands:
        kind: Any = np.uint8 if band == "mask" else np.float32
        stack = stackstac.stack(
            items,
            assets=[band],
            dtype=np.dtype(kind),
            fill_value=kind(255) if band == "mask" else kind("nan"),
            rescale=False,
            xy_coords="center",
        ).squeeze("band")
        expected = np.stack([t[band].values for t in truth])
        np.testing.assert_array_equal(stack.values, expected)
        np.testing.assert_array_equal(odc_cube[band].values, expected)
        np.testing.assert_allclose(stack.x, case.grid.x())
        np.testing.assert_allclose(stack.y, case.grid.y())
        np.testing.assert_allclose(odc_cube.x, case.grid.x())
    rescaled = stackstac.stack(items, assets=[case.polarizations[0]]).squeeze("band")  # with its defaults
    np.testing.assert_array_equal(rescaled.values, np.stack([t[case.polarizations[0]].values for t in truth]))


def test_raw_json_goes_into_stackstac(local: LocalStore, schemas: Schemas) -> None:
    """As a STAC API serves it: without our own reading."""
    import stackstac

    made = make_rtc(local)
    publish(local, made, schemas)
    stored = json.loads(local.read_bytes(made[0].item_key))
    for asset in stored["assets"].values():
        asset["href"] = str(local.path(made[0].item_key).parent / asset["href"])
    stack = stackstac.stack([stored], assets=["VV"], rescale=False)
    assert stack.attrs["crs"] == "epsg:32629" and stack.shape == (1, 1, 200, 300)


def test_linked_static_layers(local: LocalStore, schemas: Schemas) -> None:
    ensure_collection(local, "static", RTC_S1_STATIC, schemas=schemas)
    publish(local, make_static(local), schemas)
    static = find_static_item(local, "static", "t070_149815_iw3")
    assert static is not None
    product, item = make_rtc(local, static=static)
    stored = item_dict(item)
    assert validate(stored, schemas, RULES).problems == ()
    asset = stored["assets"]["local_incidence_angle"]
    assert asset["href"].startswith("../../../../../static/t070_149815_iw3/SARCUBE_L2_RTC-S1-STATIC")
    assert "static" in asset["roles"]
    assert "STATIC" not in stored["assets"]["mask"]["href"]  # the acquisition's own
    [link] = [link for link in stored["links"] if link["rel"] == "static-layers"]
    folder = local.path(product.item_key).parent
    assert (folder / link["href"]).resolve().is_file()
    assert all((folder / a["href"]).resolve().is_file() for a in stored["assets"].values())


def test_a_static_store_elsewhere_is_linked_absolutely(local: LocalStore, tmp_path: Path, schemas: Schemas) -> None:
    other = LocalStore(tmp_path / "other")
    publish(other, make_static(other), schemas)
    static = find_static_item(other, "static", "t070_149815_iw3")
    stored = item_dict(make_rtc(local, static=static)[1])
    assert stored["assets"]["incidence_angle"]["href"].startswith(f"{tmp_path}/other/static/")
    assert stored["assets"]["VV"]["href"].startswith("./")


def test_noise_of_real_annotation(shared_data: Path) -> None:
    """Noise-equivalent sigma0 of IW is specified below -22 dB, and annotated near range is lowest in power."""
    from sarcube.sensors.sentinel1.burst import read_bursts
    from sarcube.sensors.sentinel1.safe import open_safe

    [scene] = (shared_data / "data" / "safe").glob("*20230904T063730*")
    bursts = read_bursts(open_safe(scene), swaths=["IW2"])
    burst = bursts[len(bursts) // 2]
    for channel in burst.channels.values():
        noise = noise_equivalent_sigma0(burst, channel)
        assert noise is not None
        assert -28 < noise["minimum"] < noise["mean"] < -23 and noise["maximum"] < -20


def test_items_of_a_real_burst(shared_data: Path, local: LocalStore, schemas: Schemas) -> None:
    from sarcube.sensors.sentinel1.burst import read_bursts
    from sarcube.sensors.sentinel1.safe import open_safe

    [scene] = (shared_data / "data" / "safe").glob("*20230904T063730*")
    burst = read_bursts(open_safe(scene), swaths=["IW1"])[0]
    product, _ = make_rtc(local)
    stored = item_dict(rtc_item(local, product, burst, ATTRS))
    assert validate(stored, schemas, RULES).problems == ()
    assert stored["properties"]["sat:relative_orbit"] == 52
    assert stored["properties"]["sat:anx_datetime"].startswith("2023-09-04T05:5")
    assert 29 < stored["properties"]["sarcube:incidence_angle_near"] < 32
    assert stored["properties"]["sarcube:source_scene"] == burst.scene
    assert 13.5 < stored["properties"]["sarcube:source_pixel_spacing_azimuth"] < 14.5
    assert stored["properties"]["sarcube:source_resolution_range"] == 2.7
    facility = "Copernicus Ground Segment, Production Service-SERCO, Italy"
    assert stored["properties"]["sarcube:source_processing_facility"] == facility
    assert stored["properties"]["sarcube:source_processing_datetime"] == "2023-09-04T07:40:01.000000Z"
    vectors = stored["properties"]["sat:orbit_state_vectors"]
    assert 5 <= len(vectors) <= 8
    assert min(vectors) < stored["properties"]["datetime"] < max(vectors)
    assert all(7.0e6 < np.linalg.norm(v[:3]) < 7.1e6 and len(v) == 6 for v in vectors.values())
    heading, altitude = heading_and_altitude(burst)
    assert 185 < heading < 200 and 690_000 < altitude < 720_000  # descending
    angles = [stored["properties"][f"{n}"] for n in ("sarcube:incidence_angle_near", "view:incidence_angle")]
    assert angles[0] < angles[1] < stored["properties"]["sarcube:incidence_angle_far"]


def test_what_is_not_known_is_left_out(local: LocalStore, schemas: Schemas) -> None:
    """A scene without manifest does not tell its IPF; a path of this machine is no address."""
    import dataclasses

    product, item = make_rtc(local)
    assert item.properties["processing:software"]["Sentinel-1 IPF"] == "003.31"
    burst = dataclasses.replace(make_burst(), ipf_version="")
    context = ItemContext(source_href="/home/somebody/scene.zip", properties={"sarcube:comment": ""})
    stored = item_dict(rtc_item(local, product, burst, ATTRS, context))
    assert "Sentinel-1 IPF" not in stored["properties"]["processing:software"]
    assert not any(link["rel"] == "derived_from" for link in stored["links"])
    assert not {"sarcube:comment", "sarcube:dem", "processing:facility"} & set(stored["properties"])
    assert validate(stored, schemas, RULES).problems == ()
    texts = json.dumps(stored)
    assert '""' not in texts and "TODO" not in texts


def test_files_say_times_software_and_choices() -> None:
    tags = file_tags(make_burst(), ATTRS, "a DEM")
    assert tags["ACQUISITION_START"] == "2022-01-01T12:47:52.123456Z" < tags["ACQUISITION_END"]
    assert tags["SOFTWARE"].startswith("sarcube ") and tags["ENGINE"] == "native" and tags["ENGINE_VERSION"] == "0.1.0"
    assert tags["SCENE"] == make_burst().scene and tags["ORBIT_TYPE"] == "POEORB" and tags["DEM"] == "a DEM"
    assert tags["PROCESSING_BACKSCATTER"] == "gamma0" and tags["PROCESSING_THERMAL_NOISE"] == "true"
    assert tags["PROCESSING_POLARIZATIONS"] == '["VV", "VH"]'


def test_noise_that_is_missing_was_not_removed(local: LocalStore) -> None:
    import dataclasses

    burst = make_burst()
    silent = {p: dataclasses.replace(channel, noise=None) for p, channel in burst.channels.items()}
    product, item = make_rtc(local)
    assert item.properties["sarcube:noise_removal_applied"] is True
    without = rtc_item(local, product, dataclasses.replace(burst, channels=silent), ATTRS)
    assert without.properties["sarcube:noise_removal_applied"] is False
    assert "sarcube:noise_equivalent_sigma0_db" not in without.properties
    assert item.properties["processing:lineage"].startswith("Sentinel-1 IW SLC burst; thermal noise removed")
    assert "noise removed" not in without.properties["processing:lineage"]
