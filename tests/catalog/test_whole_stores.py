"""Whole stores, made by the real way in an ordinary region, at the pole and across the antimeridian: valid, true
and readable by others, on a disk and on a real S3 server, where they were made and where they were moved to."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
from rio_cogeo import cog_validate

from sarcube.catalog.check import check_store
from sarcube.catalog.export import write_ndjson
from sarcube.catalog.query import find_items
from sarcube.catalog.schemas import Schemas
from sarcube.catalog.validate import validate
from sarcube.simulate.archive import Archive
from sarcube.store.protocol import open_store
from tests.catalog.examples import valid_by_pystac
from tests.catalog.whole import (
    PLACES,
    RTC,
    STATIC,
    Files,
    Objects,
    Place,
    archive,
    crawl,
    faults,
    make,
    rasters,
    resolve,
)
from tests.servers import S3Server, seaweedfs, use_server

_TAGS = {
    "PRODUCT_ID", "BURST_ID", "SCENE", "ACQUISITION_START", "ACQUISITION_END", "PROCESSING_DATETIME", "UNITS",
    "ENGINE", "SOFTWARE", "ORBIT", "DEM", "PROCESSING_BACKSCATTER", "PROCESSING_THERMAL_NOISE",
}  # fmt: skip


@pytest.fixture(scope="module")
def one_worker() -> Iterator[Any]:
    """A worker within this process: these products are small."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Archive]:
    folder = tmp_path_factory.mktemp("archives")
    return {place.name: archive(folder, place) for place in PLACES}


@pytest.fixture(scope="module")
def stores(
    tmp_path_factory: pytest.TempPathFactory, archives: dict[str, Archive], shared_data: Path, one_worker: Any
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("stores")
    for place in PLACES:
        outcome = make(archives[place.name], place, str(folder / place.name), shared_data / "schemas", one_worker)
        assert outcome.ok and outcome.done, outcome.failed or outcome.problems
    return {place.name: folder / place.name for place in PLACES}


def _check(root: str, reader: Any, schemas: Schemas, place: Place) -> None:
    """Everything that must hold of a store, wherever it is."""
    assert faults(root, reader) == []
    found = [stored for _, stored in crawl(root, reader)]
    for stored in found:
        outcome = validate(stored, schemas)
        assert outcome.problems == () and outcome.unchecked == ()
        valid_by_pystac(stored, schemas)
    items = [stored for stored in found if stored["type"] == "Feature"]
    bursts, days = len(place.options.swaths), len(place.options.dates)
    assert len(items) == bursts * (1 + days)
    assert {item["collection"] for item in items} == {RTC, STATIC}
    assert {item["properties"]["proj:epsg"] for item in items} == {place.epsg}
    for collection in (stored for stored in found if stored["type"] == "Collection"):
        own = [item for item in items if item["collection"] == collection["id"]]
        [[first, last]] = collection["extent"]["temporal"]["interval"]
        assert first == min(i["properties"].get("start_datetime", i["properties"]["datetime"]) for i in own)
        assert last == max(i["properties"].get("end_datetime", i["properties"]["datetime"]) for i in own)
        assert collection["summaries"]["proj:code"] == [f"EPSG:{place.epsg}"]
        [[west, south, east, north]] = collection["extent"]["spatial"]["bbox"]
        assert south == min(i["bbox"][1] for i in own) and north == max(i["bbox"][3] for i in own)
        assert (west > east) == (place.name == "antimeridian")


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_valid_and_whole_before_and_after_moving(
    place: Place, stores: dict[str, Path], schemas: Schemas, tmp_path: Path
) -> None:
    _check(str(stores[place.name]), Files(), schemas, place)
    moved = tmp_path / "another disk" / "elsewhere"
    copy = tmp_path / "copy"
    shutil.copytree(stores[place.name], copy)
    moved.parent.mkdir()
    copy.rename(moved)
    for path in moved.rglob("*.json"):
        if "runs" not in path.relative_to(moved).parts:
            assert str(stores[place.name]) not in path.read_text(), path
    _check(str(moved), Files(), schemas, place)
    assert list(check_store(str(moved), checksums=True, schemas=schemas)) == []
    # The index moves too.
    assert all(str(moved) in asset.href for item in find_items(str(moved)) for asset in item.assets.values())


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_every_raster_is_a_strict_cog(place: Place, stores: dict[str, Path]) -> None:
    seen = set()
    for address, asset in rasters(str(stores[place.name]), Files()):
        if address in seen:
            continue
        seen.add(address)
        good, errors, warnings = cog_validate(address, strict=True)
        assert good, (address, errors, warnings)
        with rasterio.open(address) as data:
            assert data.profile["blockxsize"] == data.profile["blockysize"] == 512
            assert data.compression.name == "zstd" and data.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert set(data.tags()) >= _TAGS
            assert data.dtypes[0] == asset["data_type"] and list(data.shape) == asset["proj:shape"]
            assert list(data.transform)[:6] == asset["proj:transform"] and data.crs.to_epsg() == place.epsg
            assert np.isnan(data.nodata) if data.dtypes[0] == "float32" else data.nodata == 255
            assert bool(data.overviews(1)) == (max(data.shape) > 512)
    assert len(seen) >= 7


def test_half_the_bytes_with_the_error_stated(
    stores: dict[str, Path], archives: dict[str, Archive], shared_data: Path, one_worker: Any, tmp_path: Path,
    schemas: Schemas,
) -> None:  # fmt: skip
    place = PLACES[1]
    store = str(tmp_path / "store")
    schema_folder = shared_data / "schemas"
    facts = {"facility": "A Laboratory", "properties": {"sarcube:geometric_accuracy_rmse": 4.2}}
    lossy = {"mantissa_bits": 8}
    outcome = make(archives[place.name], place, store, schema_folder, one_worker, compression=lossy, metadata=facts)
    assert outcome.ok
    [exact], [item] = find_items(str(stores[place.name]), RTC), find_items(store, RTC)
    ratio = item.assets["HH"].extra_fields["file:size"] / exact.assets["HH"].extra_fields["file:size"]
    assert ratio < 0.55
    assert item.assets["HH"].extra_fields["sarcube:compression_error"] == "relative error at most 0.00195"
    assert "sarcube:compression_error" not in item.assets["local_incidence_angle"].extra_fields
    with rasterio.open(exact.assets["HH"].href) as before, rasterio.open(item.assets["HH"].href) as after:
        truth, values = before.read(1).astype(float), after.read(1)
        assert after.tags()["COMPRESSION_ERROR"] == "relative error at most 0.00195"
    np.testing.assert_array_equal(np.isnan(values), np.isnan(truth))
    assert 0.0005 < np.nanmax(np.abs(values / truth - 1)) < 0.00196
    assert item.properties["processing:facility"] == "A Laboratory"
    assert item.properties["sarcube:geometric_accuracy_rmse"] == 4.2
    assert list(check_store(open_store(store), checksums=True, schemas=schemas)) == []


def test_polar_and_antimeridian_footprints(stores: dict[str, Path]) -> None:
    [polar] = find_items(str(stores["polar"]), RTC)
    assert polar.properties["sar:polarizations"] == ["HH"] and "HH" in polar.assets and "VV" not in polar.assets
    assert polar.bbox is not None and -80 < polar.bbox[1] < polar.bbox[3] < -77
    [item] = find_items(str(stores["antimeridian"]), RTC)
    assert item.geometry is not None and item.geometry["type"] == "MultiPolygon" and item.bbox is not None
    assert item.bbox[0] > 179 and item.bbox[2] < -179  # RFC 7946: west is greater than east
    longitudes = [point[0] for part in item.geometry["coordinates"] for ring in part for point in ring]
    assert max(longitudes) == 180 and min(longitudes) == -180
    for bbox in ((179.97, -17, 179.99, -16), (-179.99, -17, -179.97, -16), (179.9, -17, 180.1, -16)):
        assert len(find_items(str(stores["antimeridian"]), RTC, bbox=bbox)) == 1
    assert find_items(str(stores["antimeridian"]), RTC, bbox=(-170, -17, 170, -16)) == []


def _agree(items: list[pystac.Item], layer: str) -> None:
    import odc.stac
    import stackstac

    stack = stackstac.stack(
        items, assets=[layer], dtype=np.dtype("float32"), fill_value=np.float32("nan"), rescale=False,
        xy_coords="center",
    ).squeeze("band")  # fmt: skip
    cube = odc.stac.load(items, bands=[layer])[layer]
    values = stack.compute()
    assert values.shape == cube.shape and np.isfinite(values.values).any()
    np.testing.assert_array_equal(values.values, cube.values)
    np.testing.assert_array_equal(values.x, cube.x)
    np.testing.assert_array_equal(values.y, cube.y)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_stackstac_and_odc_stac_agree(place: Place, stores: dict[str, Path]) -> None:
    store = str(stores[place.name])
    items = find_items(store, RTC)
    _agree(items, items[0].properties["sar:polarizations"][0])
    _agree(items, "local_incidence_angle")  # linked
    _agree(find_items(store, STATIC), "digital_elevation_model")
    # Plain JSON goes into stackstac, and what pystac reads into odc-stac (it drops proj:epsg, and keeps proj:code).
    import odc.stac
    import stackstac

    found = [(address, stored) for address, stored in crawl(store, Files()) if stored.get("collection") == RTC]
    layer = items[0].properties["sar:polarizations"][0]
    for address, stored in found:
        stored["assets"][layer]["href"] = resolve(address, stored["assets"][layer]["href"])
    stack = stackstac.stack([stored for _, stored in found], assets=[layer], rescale=False).squeeze("band")
    collection = pystac.Collection.from_file(f"{store}/{RTC}/collection.json")
    cube = odc.stac.load(collection.get_items(), bands=[layer])[layer]
    np.testing.assert_array_equal(stack.sortby("time").values, cube.sortby("time").values)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_items_go_into_an_api(place: Place, stores: dict[str, Path], schemas: Schemas, tmp_path: Path) -> None:
    """What APIs ask of what is loaded into them: unique ids, a collection that exists, absolute links, plain JSON."""
    root = str(stores[place.name])
    found = {address: stored for address, stored in crawl(root, Files()) if stored["type"] == "Feature"}
    ids = [(stored["collection"], stored["id"]) for stored in found.values()]
    assert len(set(ids)) == len(ids)
    for item in find_items(root):
        again = pystac.Item.from_dict(json.loads(json.dumps(item.to_dict(transform_hrefs=False), allow_nan=False)))
        assert again.id == item.id and again.geometry == item.geometry and set(again.assets) == set(item.assets)
        assert all(Path(asset.href).is_absolute() for asset in again.assets.values())
    collections, items = write_ndjson(root, tmp_path)
    loaded = [json.loads(line) for path in (collections, items) for line in path.read_text().splitlines()]
    assert {(entry["type"], entry.get("collection", entry["id"])) for entry in loaded} == {
        (kind, name) for kind in ("Collection", "Feature") for name in (RTC, STATIC)
    }
    assert {(e["collection"], e["id"]) for e in loaded if e["type"] == "Feature"} == set(ids)
    for entry in loaded:
        assert validate(entry, schemas).problems == ()
        hrefs = [thing["href"] for thing in (*entry["links"], *entry.get("assets", {}).values())]
        assert all(href.startswith("https://") or Path(href).is_file() for href in hrefs)
    catalog = pystac.Catalog.from_file(f"{root}/catalog.json")
    assert {(i.collection_id, i.id) for i in catalog.get_items(recursive=True)} == set(ids)


def test_a_run_with_nothing_to_do_catches_up(
    archives: dict[str, Archive],
    shared_data: Path,
    one_worker: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run that is killed after its last product has not brought its collections up to date; the next one does."""
    from sarcube.workflows.rtc.workflow import RtcWorkflow

    place = PLACES[1]
    store = tmp_path / "store"

    def again() -> int:
        return make(archives[place.name], place, str(store), shared_data / "schemas", one_worker).done

    with monkeypatch.context() as killed:
        killed.setattr(RtcWorkflow, "finish", lambda *_: None)
        assert again() == 2
    assert len(list(crawl(str(store), Files()))) == 3  # no item is linked yet
    assert len(find_items(str(store))) == 2  # but found
    assert again() == 0
    assert len(list(crawl(str(store), Files()))) == 5
    written = {path: path.stat().st_mtime_ns for path in store.rglob("*") if path.is_file()}
    assert again() == 0
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*") if path.is_file()} == written


def _bucket(server: S3Server, name: str) -> str:
    if not any(b["Name"] == name for b in server.client().list_buckets()["Buckets"]):
        server.make_bucket(name, public=True)
    return name


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_the_same_on_s3(
    place: Place,
    archives: dict[str, Archive],
    shared_data: Path,
    schemas: Schemas,
    one_worker: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    server = use_server(monkeypatch, seaweedfs())
    store = f"s3://{_bucket(server, 'whole-stores')}/first/{place.name}"
    outcome = make(archives[place.name], place, store, shared_data / "schemas", one_worker)
    assert outcome.ok and outcome.done, outcome.failed or outcome.problems
    client = server.client()
    _check(store, Objects(client), schemas, place)

    moved = f"s3://{_bucket(server, 'moved-stores')}/{place.name}"
    source = open_store(store)
    for key in source.list():
        open_store(moved).write_bytes(key, source.read_bytes(key))
        source.delete(key)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    nobody = boto3.client(
        "s3", endpoint_url=server.endpoint, region_name="us-east-1", config=Config(signature_version=UNSIGNED)
    )
    _check(moved, Objects(nobody), schemas, place)
    with rasterio.Env(**open_store(moved).gdal_options()):
        items = find_items(moved, RTC)
        layer = items[0].properties["sar:polarizations"][0]
        path = items[0].assets[layer].href.replace("s3://", "/vsis3/")
        assert cog_validate(path, strict=True)[0]
        _agree(items, layer)
