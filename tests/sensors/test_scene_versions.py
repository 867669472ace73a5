"""Of several versions of a scene the one processed last is taken, and products of older ones are told."""

from __future__ import annotations

import datetime as dt
import json
import re
import zipfile
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from sarcube.config import RunConfig
from sarcube.production.plan.plan import plan
from sarcube.production.plan.value import Plan
from sarcube.products.names import utc_second
from sarcube.sensors.sentinel1.search.scenes import deduplicated, find_scenes, made_from_older
from tests.http_server import Server, ranged
from tests.sensors.test_local_scenes import MOROCCO, made
from tests.sensors.test_providers import SCENE, asf_feature, cdse_entry, reply

NEWER = f"{MOROCCO[:-4]}0A00"  # sorts before the older one
RESLICED = "S1A_IW_SLC__1SDV_20230904T063722_20230904T063750_050174_0609E3_0001"


def reprocessed(shared_data: Path, folder: Path, name: str, processed: str, ipf: str = "003.80") -> None:
    """The scene again as a later processing leaves it: another name, time of processing and IPF."""
    source, target = shared_data / "data" / "safe" / f"{MOROCCO}.zip", folder / f"{name}.zip"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            if "-iw2-" in member or "-iw3-" in member or "-vh-" in member:
                continue
            data = old.read(member)
            if member.endswith("manifest.safe"):
                data = re.sub(rb'stop="2023-09-04T07:40:01.000000"', f'stop="{processed}"'.encode(), data)
                data = data.replace(b"003.61", ipf.encode())
            new.writestr(member.replace(MOROCCO, name), data)
            if "/annotation/s1a-iw1" in member:  # the shared scenes come without their samples
                new.writestr(member.replace(MOROCCO, name).replace("annotation", "measurement")[:-4] + ".tiff", b"II")


def run(path: Path, **options: Any) -> RunConfig:
    return RunConfig.from_dict(
        {
            "source": {"kind": "local", "path": str(path), "burst_ids": ["T052-110431-IW1"]},
            "dem": {"path": "dem.tif", "heights": "ellipsoid"},
            **options,
        }
    )


@pytest.mark.parametrize("name", [NEWER, RESLICED])
def test_a_local_scene_processed_later_wins(shared_data: Path, tmp_path: Path, name: str) -> None:
    reprocessed(shared_data, tmp_path, MOROCCO, "2023-09-04T07:40:01.000000", "003.61")
    reprocessed(shared_data, tmp_path, name, "2024-11-05T01:02:03.000000")
    (burst,) = find_scenes(run(tmp_path)).bursts
    assert burst.scene == name
    assert burst.processed == dt.datetime(2024, 11, 5, 1, 2, 3, tzinfo=dt.UTC)
    assert (burst.ipf_version, burst.older) == ("003.80", (MOROCCO,))
    assert find_scenes(run(tmp_path)).bursts == (burst,)  # as the index remembers it


def test_the_order_of_versions() -> None:
    day = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    start = made().start_time
    shifted = start + dt.timedelta(milliseconds=3)
    unknown = made(scene="F", path="/f.zip")
    first = made(scene="E", path="/e.zip", processed=day, ipf_version="003.61")
    second = made(scene="B", path="/b.zip", processed=day, ipf_version="003.71")
    last = made(scene="A", path="/a.zip", processed=day + dt.timedelta(days=300), start_time=shifted)
    for order in permutations([unknown, first, second, last]):
        (taken,) = deduplicated(order)
        assert taken.scene == "A"
        assert set(taken.older) == {"B", "E"}  # of F nothing tells
    assert deduplicated([first, second])[0].scene == "B"
    published = made(scene="A", published=day + dt.timedelta(days=9))
    assert deduplicated([made(scene="B", published=day), published])[0].scene == "A"


def test_a_neighbouring_slice_is_no_older_version() -> None:
    day = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    one = made(scene="A", processed=day, ipf_version="003.61")
    other = made(scene="B", path="/b", processed=day + dt.timedelta(minutes=4), ipf_version="003.61")
    (taken,) = deduplicated([one, other])
    assert (taken.scene, taken.older) == ("B", ())
    assert not made_from_older(taken, "A", "2024-01-01T00:00:00Z", "003.61")
    assert made_from_older(taken, "A", "2023-01-01T00:00:00Z", "003.51")
    assert made_from_older(taken, "A", "2024-01-01T00:00:00Z", "003.51")
    assert not made_from_older(taken, "B", "2020-01-01T00:00:00Z", "003.51")  # the same scene
    assert not made_from_older(taken, "A", "2025-01-01T00:00:00Z", "003.51")
    assert not made_from_older(taken, "A", "", "")


def test_asf_and_cdse_go_by_publication(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    again = f"{SCENE[:-4]}0000"
    old = asf_feature(0, "VV", processingDate="2023-09-04T10:00:00Z", pgeVersion="003.61")
    new = json.loads(json.dumps(old).replace(SCENE, again).replace("2023-09-04T10:00:00Z", "2024-02-01T10:00:00Z"))
    features = [new, old]
    server.routes["/services/search/param"] = lambda r: reply({"type": "FeatureCollection", "features": features})
    monkeypatch.setenv("SARCUBE_ASF_SEARCH_URL", f"{server.url}/services/search/param")
    dem = {"path": "dem.tif", "heights": "ellipsoid"}
    wanted = {"burst_ids": ["t052_110431_iw1"]}
    (burst,) = find_scenes(RunConfig.from_dict({"source": {"kind": "asf", **wanted}, "dem": dem})).bursts
    assert (burst.scene, burst.ipf_version, burst.older) == (again, "003.61", (SCENE,))

    entry = cdse_entry(0, "VV")
    entries = [entry, json.loads(json.dumps(entry).replace(SCENE, again).replace("aaaa-bbbb", "cccc-dddd"))]
    products = [
        {"Id": "aaaa-bbbb", "Name": f"{SCENE}.SAFE", "PublicationDate": "2023-09-04T12:00:00.000000Z"},
        {"Id": "cccc-dddd", "Name": f"{again}.SAFE", "PublicationDate": "2024-02-01T14:00:00.000000+02:00"},
    ]
    server.routes["/odata/v1/Bursts"] = lambda r: reply({"value": entries})
    server.routes["/odata/v1/Products"] = lambda r: reply({"value": products})
    monkeypatch.setenv("SARCUBE_CDSE_ODATA_URL", f"{server.url}/odata/v1")
    (burst,) = find_scenes(RunConfig.from_dict({"source": {"kind": "cdse", **wanted}, "dem": dem})).bursts
    assert (burst.scene, burst.older) == (again, (SCENE,))
    assert burst.published == dt.datetime(2024, 2, 1, 12, tzinfo=dt.UTC)
    assert f"Name eq '{again}.SAFE'" in server.asked("/odata/v1/Products")[0].query["$filter"]


def test_a_stac_api_and_its_files_go_by_the_manifest(shared_data: Path, tmp_path: Path, server: Server) -> None:
    """Whichever of the two is listed first, and whatever its item says of when it was published."""
    reprocessed(shared_data, tmp_path, MOROCCO, "2023-09-04T07:40:01.000000", "003.61")
    reprocessed(shared_data, tmp_path, NEWER, "2024-11-05T01:02:03.000000")

    def item(name: str, published: str) -> dict[str, Any]:
        data = (tmp_path / f"{name}.zip").read_bytes()
        server.routes[f"/files/{name}.zip"] = lambda r: ranged(data, r)
        return {
            "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": "slc", "links": [],
            "geometry": {"type": "Polygon", "coordinates": [[[-11, 30], [-6, 30], [-6, 34], [-11, 34], [-11, 30]]]},
            "bbox": [-11, 30, -6, 34], "properties": {"datetime": "2023-09-04T06:37:30Z", "published": published},
            "assets": {"product": {"href": f"{server.url}/files/{name}.zip", "type": "application/zip"}},
        }  # fmt: skip

    items = [item(MOROCCO, "2025-01-01T00:00:00Z"), item(NEWER, "2024-11-06T00:00:00Z")]
    conforms = [f"https://api.stacspec.org/v1.0.0/{part}" for part in ("core", "item-search")]
    search = {"rel": "search", "href": f"{server.url}/stac/search", "type": "application/geo+json", "method": "POST"}
    root = {"type": "Catalog", "id": "x", "description": "x", "stac_version": "1.0.0", "conformsTo": conforms}
    itself = {"rel": "self", "href": f"{server.url}/stac", "type": "application/json"}
    server.routes["/stac"] = lambda r: reply({**root, "links": [itself, search]})
    source = {"kind": "stac", "url": f"{server.url}/stac", "collection": "slc", "burst_ids": ["t052_110431_iw1"]}
    for listed in (items, items[::-1]):
        page = {"type": "FeatureCollection", "features": listed, "links": []}
        server.routes["/stac/search"] = lambda r, page=page: reply(page)
        found = find_scenes(run(tmp_path, source=source, aoi={"bbox": [-9, 31, -7, 32]}))
        (burst,) = found.bursts
        assert (burst.scene, burst.older, burst.ipf_version) == (NEWER, (MOROCCO,), "003.80")


@pytest.fixture
def store_with_product(shared_data: Path, tmp_path: Path) -> Callable[..., Plan]:
    """Plans over a store that holds the burst's static layers and one product of the old scene."""
    scenes, store = tmp_path / "scenes", tmp_path / "store"
    scenes.mkdir()
    reprocessed(shared_data, scenes, MOROCCO, "2023-09-04T07:40:01.000000", "003.61")
    grid = {"driver": "GTiff", "width": 60, "height": 60, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    with rasterio.open(tmp_path / "dem.tif", "w", **grid, transform=from_origin(-11, 34, 0.1, 0.1)) as dem:
        dem.write(np.full((1, 60, 60), 900, np.float32))
    config = run(scenes, store=str(store), dem={"path": str(tmp_path / "dem.tif"), "heights": "ellipsoid"})
    first = plan(config)
    (task,) = [t for t in first.tasks if t.kind == "RTC_S1"]
    item = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "links": [],
        "id": "made",
        "bbox": [-8.8, 31.0, -7.0, 32.0],
        "geometry": {"type": "Polygon", "coordinates": [[[-8.8, 31], [-7, 31], [-7, 32], [-8.8, 32], [-8.8, 31]]]},
        "properties": {
            "datetime": "2023-09-04T06:37:32Z",
            "start_datetime": utc_second(task.start).isoformat().replace("+00:00", "Z"),
            "product:type": "RTC_S1",
            "sarcube:burst_id": task.place,
            "sarcube:source_scene": MOROCCO,
            "sarcube:source_processing_datetime": "2023-09-04T07:40:01.000000Z",
            "processing:software": {"Sentinel-1 IPF": "003.61"},
        },
        "assets": {},
    }
    assert task.start is not None
    path = store / task.item_key("s1_rtc_c1")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(item))
    return lambda **options: plan(config, **options)


def test_a_plan_says_what_was_made_from_an_older_version(
    store_with_product: Callable[..., Plan], shared_data: Path, tmp_path: Path
) -> None:
    now = store_with_product()
    assert now.outdated == () and len(now.done) == 1 and "anew" not in now.table()
    assert store_with_product(remake="outdated").tasks == ()
    reprocessed(shared_data, tmp_path / "scenes", NEWER, "2024-11-05T01:02:03.000000")
    now = store_with_product()
    (old,) = now.outdated
    assert old.subject == "RTC_S1/t052_110431_iw1/20230904T063731Z"
    assert MOROCCO in old.message and NEWER in old.message
    assert "--make-outdated-products" in now.table()
    assert json.loads(now.to_json())["outdated"][0]["key"] == old.subject
    again = [t for t in store_with_product(remake="outdated").tasks if t.kind == "RTC_S1"]
    assert [(t.key, t.remake, t.unit.label) for t in again] == [(old.subject, True, NEWER)]


def test_one_burst_that_cannot_be_used_is_a_problem_and_the_others_are_found(shared_data: Path, tmp_path: Path) -> None:
    """Burst 3 without a valid line; without its grid points a swath has no footprints at all."""
    reprocessed(shared_data, tmp_path, MOROCCO, "2023-09-04T07:40:01.000000", "003.61")
    path = tmp_path / f"{MOROCCO}.zip"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (annotation,) = [name for name in members if "/annotation/s1a-iw1-slc-vv" in name]

    def emptied(match: re.Match[bytes]) -> bytes:
        nonlocal count
        count += 1
        return match[1] + b" ".join([b"-1"] * 1507) + b"<" if count == 3 else match[0]

    count = 0
    members[annotation] = re.sub(rb"(<firstValidSample[^>]*>)[-\d ]+<", emptied, members[annotation])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    config = run(tmp_path, source={"kind": "local", "path": str(tmp_path)})
    for _ in range(2):  # the index remembers it
        search = find_scenes(config)
        assert [b.index for b in search.bursts] == [0, 1, 3, 4, 5, 6, 7, 8]
        (problem,) = search.problems
        assert "without a valid line" in problem.message and "t052_110433_iw1 (burst 3 of IW1)" in problem.message
