"""The three-step example of the AWS pipeline on a real S3 server: static layers in one bucket, backscatter
linked to them in another, links checked; with keys and without."""

from __future__ import annotations

import json
import urllib.request
from typing import Any
from urllib.parse import urljoin

import numpy as np
import pytest
import rasterio

from sarcube.catalog.check import check_store
from sarcube.catalog.collections import ensure_collection, update_collections
from sarcube.catalog.items import item_dict
from sarcube.catalog.publish import publish_item
from sarcube.catalog.query import find_items, find_static_item
from sarcube.catalog.schemas import Schemas
from sarcube.catalog.validate import validate
from sarcube.products.product import read_layers
from sarcube.store.protocol import Store, open_store
from tests.catalog.examples import KINDS, RTC_S1, RTC_S1_STATIC, make_rtc, make_static, publish, rtc_item
from tests.files import faults_of
from tests.servers import S3Server, moto, seaweedfs, use_server

BURST = "t070_149815_iw3"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> S3Server:
    return use_server(monkeypatch, seaweedfs())


def _bucket(server: S3Server, name: str) -> str:
    if not any(b["Name"] == name for b in server.client().list_buckets()["Buckets"]):
        server.make_bucket(name, public=True)
    return name


def _resolves(store: Store, base: str, href: str) -> bool:
    from sarcube.catalog.hrefs import absolute_href

    absolute = absolute_href(base, href)
    bucket, _, key = absolute.removeprefix("s3://").partition("/")
    return open_store(f"s3://{bucket}", anonymous=True).exists(key)


def test_static_layers_in_another_bucket(server: S3Server, schemas: Schemas, monkeypatch: pytest.MonkeyPatch) -> None:
    static_store = open_store(f"s3://{_bucket(server, 'statics')}/project")
    store = open_store(f"s3://{_bucket(server, 'backscatter')}/project/deep")
    ensure_collection(static_store, "s1_rtc_static_c1", RTC_S1_STATIC, schemas=schemas)
    ensure_collection(store, "s1_rtc_c1", RTC_S1, schemas=schemas)

    assert find_static_item(static_store, "s1_rtc_static_c1", BURST) is None
    publish(static_store, make_static(static_store, collection="s1_rtc_static_c1"), schemas)
    static = find_static_item(static_store, "s1_rtc_static_c1", BURST)
    assert static is not None

    product, item = make_rtc(store, collection="s1_rtc_c1", static=static)
    publish(store, (product, item), schemas)
    update_collections(store, schemas=schemas)
    assert product.item_key == f"s1_rtc_c1/{BURST}/2022/01/01/T070-149815-IW3_20220101T124752Z.json"

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    reader = open_store(store.url, anonymous=True)
    stored = json.loads(reader.read_bytes(product.item_key))
    assert validate(stored, schemas).problems == ()
    base = reader.href(product.item_key)
    links = [link for link in stored["links"] if not link["href"].startswith("http")]
    assert all(_resolves(reader, base, entry["href"]) for entry in [*links, *stored["assets"].values()])
    [link] = [link for link in links if link["rel"] == "static-layers"]
    assert link["href"] == f"s3://statics/project/s1_rtc_static_c1/{BURST}/T070-149815-IW3_STATIC.json"
    assert stored["assets"]["incidence_angle"]["href"].startswith("s3://statics/project/")
    assert stored["properties"]["storage:platform"] == "OTHER"
    assert faults_of(reader, product.files) == []

    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    [found] = find_items(store.url, "s1_rtc_c1")
    path = found.assets["VV"].href.replace("s3://", "/vsis3/")
    with rasterio.Env(**reader.gdal_options()), rasterio.open(path) as data:
        np.testing.assert_array_equal(data.read(1), read_layers(reader, product, ["VV"]).VV.values)


def test_one_bucket_for_both(server: S3Server, schemas: Schemas) -> None:
    store = open_store(f"s3://{_bucket(server, 'statics')}/both")
    for name in ("rtc", "static"):
        ensure_collection(store, name, KINDS[name], schemas=schemas)
    publish(store, make_static(store), schemas)
    made = make_rtc(store, static=find_static_item(store, "static", BURST))
    assert publish(store, made, schemas).created
    assert not publish(store, make_rtc(store, seed=3), schemas).created
    update_collections(store, schemas=schemas)
    stored = json.loads(store.read_bytes(made[0].item_key))
    assert stored["assets"]["incidence_angle"]["href"].startswith("../../../../../static/")
    base = store.href(made[0].item_key)
    local: list[dict[str, Any]] = [
        *(link for link in stored["links"] if "://" not in link["href"]),
        *stored["assets"].values(),
    ]
    assert all(_resolves(store, base, entry["href"]) for entry in local)
    assert len(find_items(store)) == 2
    items = [key for key in store.list() if "_pending" in key or "lock" in key]
    assert items == []


def test_others_browse_it_by_https_and_the_house_by_s3(server: S3Server, schemas: Schemas) -> None:
    """By the rules of browsers: stac-browser (stac-js) and QGIS (QgsStacParser) count relative hrefs from the address
    where they fetched a file, and follow child, item, root, parent and collection. No keys, no S3: plain GET."""
    store = open_store(f"s3://{_bucket(server, 'browsed')}/nrb")
    address = f"{server.endpoint}/browsed/nrb"
    for name in ("rtc", "static"):
        ensure_collection(store, name, KINDS[name], schemas=schemas)
    product, item = make_static(store)
    publish_item(store, item, product, schemas=schemas, public=address)
    product, item = make_rtc(store, static=find_static_item(store, "static", BURST))
    publish_item(store, item, product, schemas=schemas, public=address)
    update_collections(store, schemas=schemas)

    waiting, seen, layers = [f"{address}/catalog.json"], set[str](), set[str]()
    while waiting:
        here = waiting.pop()
        if here in seen:
            continue
        seen.add(here)
        with urllib.request.urlopen(here) as answer:
            stored = json.load(answer)
        for link in stored["links"]:
            target = urljoin(here, link["href"])
            if link["rel"] in ("root", "parent", "collection", "child", "item", "self", "static-layers"):
                assert target.startswith(address), link
                waiting.append(target)
        for name, asset in stored.get("assets", {}).items():
            target = urljoin(here, asset["href"])
            if stored["type"] == "Feature":
                assert asset["href"] == target and target.startswith(address), name  # also without knowing where
                assert asset["type"] in ("image/tiff; application=geotiff; profile=cloud-optimized", "image/png")
            request = urllib.request.Request(target, headers={"Range": "bytes=0-3"})
            with urllib.request.urlopen(request) as answer:
                assert answer.status == 206 and len(answer.read()) == 4
            layers.add(name)
    assert len(seen) == 5 and layers >= {"VV", "VH", "mask", "incidence_angle", "items"}

    with rasterio.open(f"/vsicurl/{stored_href(store, product.item_key, 'VV')}") as data:  # as QGIS opens a COG
        np.testing.assert_array_equal(data.read(1), read_layers(store, product, ["VV"]).VV.values)
    assert all(a.href.startswith("s3://browsed/nrb/") for i in find_items(store) for a in i.assets.values())
    assert list(check_store(store, checksums=True, schemas=schemas)) == []


def stored_href(store: Store, key: str, asset: str) -> str:
    return str(json.loads(store.read_bytes(key))["assets"][asset]["href"])


def test_items_on_aws_name_their_region(monkeypatch: pytest.MonkeyPatch, schemas: Schemas) -> None:
    server = use_server(monkeypatch, moto())
    server.make_bucket("any")
    made = make_rtc(open_store("s3://any/x"))
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_REGION", "ap-southeast-2")
    from tests.catalog.examples import ATTRS, make_burst

    stored = item_dict(rtc_item(open_store("s3://any/x"), made[0], make_burst(), ATTRS))
    assert stored["properties"]["storage:platform"] == "AWS"
    assert stored["properties"]["storage:region"] == "ap-southeast-2"
    assert validate(stored, schemas).problems == ()
