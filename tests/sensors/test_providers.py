"""Searching ASF, CDSE and STAC APIs: questions and answers in the forms that these services have."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from sarcube.config import RunConfig
from sarcube.errors import ConfigError, CredentialError, SourceError, TransferError
from sarcube.sensors.sentinel1.polarizations import wanted
from sarcube.sensors.sentinel1.search.provider_json import ring_of
from sarcube.sensors.sentinel1.search.scenes import SceneSearch, find_scenes
from sarcube.transfer.http import request
from sarcube.workflows.rtc.section import RtcSection
from tests.http_server import Reply, Request, Server, ranged

SCENE = "S1A_IW_SLC__1SDV_20230904T063730_20230904T063757_050174_0609E3_DAA1"
AOI = {"bbox": [-8.5, 31.65, -8.2, 31.8]}


def searched(config: RunConfig) -> SceneSearch:
    """As a workflow asks that has polarizations in its section."""
    return find_scenes(config, wanted(config.section(RtcSection).polarizations))


def run(kind: str, source: dict[str, Any] | None = None, **options: Any) -> RunConfig:
    return RunConfig.from_dict(
        {"source": {"kind": kind, **(source or {})}, "dem": {"path": "dem.tif", "heights": "ellipsoid"}, **options}
    )


def reply(content: Any) -> Reply:
    return Reply(json.dumps(content).encode(), 200, {"Content-Type": "application/json"})


def square(lon: float, lat: float) -> list[list[float]]:
    return [[lon, lat], [lon + 0.9, lat], [lon + 0.9, lat + 0.2], [lon, lat + 0.2], [lon, lat]]


# ASF


def asf_feature(number: int, polarization: str, lon: float = -8.8, **changes: Any) -> dict[str, Any]:
    """A feature of `dataset=SLC-BURST&output=geojson`, with the members that ASF sends."""
    second = 31 + 2.758 * number
    time = f"2023-09-04T06:37:{second:09.6f}Z"
    index = number
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [square(lon, 31.6 + 0.18 * number)]},
        "properties": {
            "beamModeType": "IW",
            "browse": None,
            "bytes": 138_975_540,
            "centerLat": 31.7,
            "centerLon": -8.35,
            "fileID": f"S1_{110431 + number}_IW1_20230904T063731_{polarization}_DAA1-BURST",
            "flightDirection": "DESCENDING",
            "groupID": "S1A_IWDV_0481_0487_050174_052",
            "md5sum": None,
            "orbit": 50174,
            "pathNumber": 52,
            "platform": "Sentinel-1A",
            "polarization": polarization,
            "processingLevel": "BURST",
            "sceneName": f"S1_{110431 + number}_IW1_20230904T063731_{polarization}_DAA1-BURST",
            "sensor": "C-SAR",
            "startTime": f"2023-09-04T06:37:{second + 0.9:09.6f}Z",
            "stopTime": f"2023-09-04T06:37:{second + 3.9:09.6f}Z",
            "url": f"https://sentinel1-burst.asf.alaska.edu/{SCENE}/IW1/{polarization}/{index}.tiff",
            "burst": {
                "absoluteBurstID": 106_400_000 + number,
                "relativeBurstID": 110_431 + number,
                "fullBurstID": f"052_{110431 + number}_IW1",
                "burstIndex": index,
                "samplesPerBurst": 21_632,
                "subswath": "IW1",
                "azimuthTime": time,
                "azimuthAnxTime": "2351.9",
            },
            **changes,
        },
    }


@pytest.fixture
def asf(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    features = [asf_feature(n, p) for n in range(4) for p in ("VV", "VH")]
    server.routes["/services/search/param"] = lambda r: reply({"type": "FeatureCollection", "features": features})
    monkeypatch.setenv("SARCUBE_ASF_SEARCH_URL", f"{server.url}/services/search/param")
    return server


def test_asf_bursts_come_with_both_polarizations_and_are_matched_by_footprint(asf: Server) -> None:
    search = find_scenes(run("asf", aoi=AOI, dates=["2023-09-01", "2023-09-30"]))
    assert [b.burst_id for b in search.bursts] == ["t052_110431_iw1", "t052_110432_iw1"]
    assert search.considered == 4 and not search.problems
    burst = search.bursts[0]
    assert burst.polarizations == ("VV", "VH") and burst.scene == SCENE and burst.index == 0
    assert burst.start_time == dt.datetime(2023, 9, 4, 6, 37, 31, tzinfo=dt.UTC)  # azimuthTime, not startTime
    assert burst.path == f"https://datapool.asf.alaska.edu/SLC/SA/{SCENE}.zip"
    assert (burst.orbit_direction, burst.relative_orbit, burst.platform) == ("descending", 52, "S1A")
    query = asf.requests[0].query
    assert query["dataset"] == "SLC-BURST" and query["start"] == "2023-09-01T00:00:00Z"
    assert query["end"] == "2023-10-01T00:00:00Z" and query["intersectsWith"].startswith("POLYGON")


def test_asf_is_asked_what_the_run_asks(asf: Server) -> None:
    source = {"burst_ids": ["t052_110431_iw1"], "orbit_direction": "descending", "relative_orbits": [52, 60]}
    search = searched(run("asf", source, polarizations=["VV"]))
    assert [b.polarizations for b in search.bursts] == [("VV",)]
    query = asf.requests[0].query
    assert query["fullBurstID"] == "052_110431_IW1" and query["relativeOrbit"] == "52,60"
    assert (query["flightDirection"], query["polarization"]) == ("DESCENDING", "VV")


def test_an_area_across_the_antimeridian_is_two_questions(asf: Server) -> None:
    def answer(request: Request) -> Reply:
        lon = 179.6 if "179" in request.query["intersectsWith"].split(",")[0] else -180.4
        return reply({"features": [asf_feature(0, "VV", lon)]})

    asf.routes["/services/search/param"] = answer
    search = find_scenes(run("asf", aoi={"bbox": [179.5, 31.0, -179.5, 32.0]}))
    assert len(asf.requests) == 2
    assert len(search.bursts) == 1  # the same burst by both
    assert not find_scenes(run("asf", aoi={"bbox": [170.0, 31.0, 171.0, 32.0]})).bursts


def test_a_long_area_is_posted(asf: Server, tmp_path: Path) -> None:
    import shapely

    shape = shapely.Point(-8.35, 31.7).buffer(0.2, quad_segs=60)
    (tmp_path / "a.geojson").write_text(shapely.to_geojson(shape))
    assert find_scenes(run("asf", aoi={"geojson": str(tmp_path / "a.geojson")})).bursts
    assert asf.requests[0].method == "POST" and b"intersectsWith=POLYGON" in asf.requests[0].body


def test_asf_without_limits_is_refused_and_nothing_is_asked(asf: Server) -> None:
    with pytest.raises(ConfigError, match="whole archive"):
        find_scenes(run("asf"))
    assert asf.requests == []


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (Reply(b"<html>maintenance</html>"), SourceError, "not JSON"),
        (Reply(b"[]"), SourceError, "another form"),
        (Reply(b'{"error": "bad wkt"}'), SourceError, "bad wkt"),
        (Reply(b"no", 400), SourceError, "400"),
        (Reply(b"no", 403), CredentialError, "403"),
        (Reply(b"busy", 503), TransferError, "503"),
    ],
)
def test_what_asf_may_answer_instead(asf: Server, answer: Reply, error: type[Exception], says: str) -> None:
    asf.routes["/services/search/param"] = lambda r: answer
    with pytest.raises(error, match=says):
        find_scenes(run("asf", aoi=AOI))
    assert len(asf.requests) == (3 if answer.status == 503 else 1)


def test_features_of_an_unknown_form_are_problems(asf: Server) -> None:
    bad = asf_feature(1, "VV", url="https://example.org/notes.txt")
    worse: dict[str, Any] = {"type": "Feature", "properties": None}
    features = [asf_feature(0, "VV"), bad, worse]
    asf.routes["/services/search/param"] = lambda r: reply({"features": features})
    search = find_scenes(run("asf", aoi=AOI))
    assert len(search.bursts) == 1 and len(search.problems) == 2


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"polarization": None}, "the polarization is 'None', none of VV"),
        ({"polarization": "VV+VH"}, "none of VV, VH, HH, HV"),
        ({"flightDirection": None}, "orbit direction is 'None'"),
        ({"geometry": None}, "no footprint"),
        ({"url": None}, "is no Sentinel-1 SLC"),
        ({"burst": {}}, "it has no '"),
    ],
)
def test_what_an_answer_lacks_is_named_and_never_made_up(asf: Server, changes: dict[str, Any], says: str) -> None:
    bad = asf_feature(1, "VV")
    for key, value in changes.items():
        (bad if key == "geometry" else bad["properties"])[key] = value
    asf.routes["/services/search/param"] = lambda r: reply({"features": [asf_feature(0, "VV"), bad]})
    search = find_scenes(run("asf", aoi=AOI))
    assert [(b.polarizations, b.orbit_direction) for b in search.bursts] == [(("VV",), "descending")]
    (problem,) = search.problems
    assert says in problem.message, problem.message


def test_footprints_in_parts_lie_on_one_side() -> None:
    """Also where the parts do not meet at the antimeridian: at Greenwich no footprint reaches around the globe."""

    def parts(*corners: tuple[float, float]) -> dict[str, Any]:
        return {"type": "MultiPolygon", "coordinates": [[square(lon, lat)] for lon, lat in corners]}

    for corners, width in (
        ([(-0.9, 10.0), (0.0, 10.0)], 1.8), ([(179.1, 10.0), (-180.0, 10.0)], 1.8), ([(-180.0, 9.0), (179.1, 9.0)], 1.8)
    ):  # fmt: skip
        lon = [x for x, _ in ring_of(parts(*corners))]
        assert max(lon) - min(lon) == pytest.approx(width)


# CDSE


def cdse_entry(number: int, polarization: str) -> dict[str, Any]:
    """An entity of OData `Bursts`, with the members that CDSE sends."""
    second = 31 + 2.758 * number
    return {
        "@odata.mediaContentType": "application/octet-stream",
        "Id": f"burst-{number}-{polarization}",
        "Name": f"{SCENE}_{110431 + number}_IW1_{polarization}.SAFE",
        "ContentDate": {"Start": f"2023-09-04T06:37:{second:09.6f}Z", "End": f"2023-09-04T06:37:{second + 3:09.6f}Z"},
        "Footprint": "geography'SRID=4326;POLYGON ((...))'",
        "GeoFootprint": {"type": "Polygon", "coordinates": [square(-8.8, 31.6 + 0.18 * number)]},
        "BurstId": 110_431 + number,
        "AbsoluteBurstId": 106_400_000 + number,
        "SwathIdentifier": "IW1",
        "ParentProductName": f"{SCENE}.SAFE",
        "ParentProductType": "IW_SLC__1S",
        "ParentProductId": "aaaa-bbbb",
        "DatatakeID": 397_795,
        "BeginningDateTime": f"2023-09-04T06:37:{second:09.6f}Z",
        "EndingDateTime": f"2023-09-04T06:37:{second + 3:09.6f}Z",
        "AzimuthTime": f"2023-09-04T06:37:{second:09.6f}Z",
        "AzimuthAnxTime": 2351.9,
        "Lines": 1501,
        "SamplesPerBurst": 21_632,
        "PolarisationChannels": polarization,
        "PlatformSerialIdentifier": "A",
        "OperationalMode": "IW",
        "RelativeOrbitNumber": 52,
        "OrbitDirection": "DESCENDING",
        "S3Path": "/eodata/Sentinel-1/...",
    }


@pytest.fixture
def cdse(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    entries = [cdse_entry(n, p) for n in range(4) for p in ("VV", "VH")]

    def bursts(request: Request) -> Reply:
        # Pages of three, as a real answer links its next page.
        skip = int(request.query.get("$skip", 0))
        page: dict[str, Any] = {"@odata.context": "$metadata#Bursts", "value": entries[skip : skip + 3]}
        if skip + 3 < len(entries):
            page["@odata.nextLink"] = f"{server.url}/odata/v1/Bursts?$filter=x&$skip={skip + 3}"
        return reply(page)

    server.routes["/odata/v1/Bursts"] = bursts
    server.routes["/odata/v1/Products"] = lambda r: reply({"value": [{"Id": "aaaa-bbbb", "Name": f"{SCENE}.SAFE"}]})
    monkeypatch.setenv("SARCUBE_CDSE_ODATA_URL", f"{server.url}/odata/v1")
    monkeypatch.setenv("SARCUBE_CDSE_DOWNLOAD_URL", f"{server.url}/download")
    return server


def test_cdse_bursts_of_all_pages(cdse: Server) -> None:
    search = find_scenes(run("cdse", aoi=AOI, dates=["2023-09-01", "2023-09-30"]))
    assert [b.burst_id for b in search.bursts] == ["t052_110431_iw1", "t052_110432_iw1"]
    assert search.considered == 4
    burst = search.bursts[0]
    assert burst.polarizations == ("VV", "VH") and burst.size_bytes == 2 * 1501 * 21_632 * 4
    assert burst.path == f"{cdse.url}/download/Products(aaaa-bbbb)/$value"
    text = cdse.asked("/odata/v1/Bursts")[0].query["$filter"]
    assert "OData.CSC.Intersects(area=geography'SRID=4326;POLYGON" in text
    assert "ContentDate/Start ge 2023-09-01T00:00:00.000Z" in text


def test_cdse_is_asked_what_the_run_asks(cdse: Server) -> None:
    source = {"burst_ids": ["t052_110431_iw1"], "orbit_direction": "descending", "scenes": [SCENE]}
    searched(run("cdse", source, polarizations=["VV", "VH"]))
    text = cdse.asked("/odata/v1/Bursts")[0].query["$filter"]
    for term in (
        "(BurstId eq 110431 and SwathIdentifier eq 'IW1')",
        "OrbitDirection eq 'DESCENDING'",
        f"ParentProductName eq '{SCENE}.SAFE'",
        "(PolarisationChannels eq 'VV' or PolarisationChannels eq 'VH')",
    ):
        assert term in text


def test_a_next_page_on_another_host_is_not_followed(cdse: Server) -> None:
    page = {"value": [cdse_entry(0, "VV")], "@odata.nextLink": "http://elsewhere.example/odata/v1/Bursts"}
    cdse.routes["/odata/v1/Bursts"] = lambda r: reply(page)
    with pytest.raises(SourceError, match="another host"):
        find_scenes(run("cdse", aoi=AOI))


def test_next_pages_may_be_relative_and_never_go_round(cdse: Server) -> None:
    entries = [cdse_entry(n, p) for n in range(4) for p in ("VV", "VH")]

    def relative(request: Request) -> Reply:
        skip = int(request.query.get("$skip", 0))
        page: dict[str, Any] = {"value": entries[skip : skip + 3]}
        return reply(page | ({"@odata.nextLink": f"Bursts?$skip={skip + 3}"} if skip + 3 < len(entries) else {}))

    cdse.routes["/odata/v1/Bursts"] = relative
    assert find_scenes(run("cdse", aoi=AOI)).considered == 4
    page = {"value": entries[:1], "@odata.nextLink": "Bursts?$skip=3"}
    cdse.routes["/odata/v1/Bursts"] = lambda r: reply(page)
    before = len(cdse.requests)
    with pytest.raises(SourceError, match="one that came before"):
        find_scenes(run("cdse", aoi=AOI))
    assert len(cdse.requests) - before == 2


def zip_routes(server: Server, shared_data: Path, prefix: str) -> bytes:
    data = (shared_data / "data" / "safe" / f"{SCENE}.zip").read_bytes()
    server.routes[prefix] = lambda r: ranged(data, r)
    return data


def test_scenes_without_listed_bursts_are_read_by_their_annotation(
    cdse: Server, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = zip_routes(cdse, shared_data, "/download/Products(aaaa-bbbb)/$value")
    cdse.routes["/odata/v1/Bursts"] = lambda r: reply({"value": []})
    cdse.routes["/token"] = lambda r: reply({"access_token": "tok", "expires_in": 600})
    monkeypatch.setenv("SARCUBE_CDSE_TOKEN_URL", f"{cdse.url}/token")
    with pytest.raises(CredentialError, match="CDSE_USERNAME"):
        find_scenes(run("cdse", aoi=AOI))
    monkeypatch.setenv("CDSE_USERNAME", "someone")
    monkeypatch.setenv("CDSE_PASSWORD", "secret")
    search = find_scenes(run("cdse", aoi=AOI))
    assert [b.burst_id for b in search.bursts] == ["t052_110431_iw1", "t052_110432_iw1"]
    assert search.considered == 27 and len(data) > 0
    asked = len(cdse.asked("/download"))
    assert all(r.headers["authorization"] == "Bearer tok" for r in cdse.asked("/download"))
    assert find_scenes(run("cdse", aoi=AOI)).bursts == search.bursts
    assert len(cdse.asked("/download")) == asked  # remembered


def test_scenes_without_bursts_of_other_modes_are_not_opened(cdse: Server) -> None:
    """Waves and stripmap have no bursts: the search needed a login for them, and then said that they have none."""
    names = [SCENE.replace("_IW_SLC__1SDV", f"_{mode}_SLC__1SSV") for mode in ("WV", "S3", "S6")]
    cdse.routes["/odata/v1/Products"] = lambda r: reply(
        {"value": [{"Id": f"id-{k}", "Name": f"{name}.SAFE"} for k, name in enumerate(names)]}
    )
    search = find_scenes(run("cdse", aoi=AOI))
    assert len(search.bursts) == 2 and not search.problems and not cdse.asked("/download")


# STAC


@pytest.fixture
def stac(server: Server, shared_data: Path) -> Server:
    """A STAC API with one SLC item, whose asset is a zip that can be read by ranges."""
    zip_routes(server, shared_data, "/files/")
    links = [
        {"rel": "self", "href": server.url + "/stac", "type": "application/json"},
        {"rel": "search", "href": server.url + "/stac/search", "type": "application/geo+json", "method": "POST"},
    ]
    server.routes["/stac"] = lambda r: reply(
        {
            "type": "Catalog",
            "id": "test",
            "description": "test",
            "stac_version": "1.0.0",
            "links": links,
            "conformsTo": [
                "https://api.stacspec.org/v1.0.0/core",
                "https://api.stacspec.org/v1.0.0/item-search",
            ],
        }
    )

    def item(number: int, name: str, assets: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "Feature",
            "stac_version": "1.0.0",
            "id": name,
            "collection": "sentinel-1-slc",
            "geometry": {"type": "Polygon", "coordinates": [square(-8.8, 31.6)]},
            "bbox": [-8.8, 31.6, -7.9, 31.8],
            "properties": {
                "datetime": "2023-09-04T06:37:30Z",
                "sat:orbit_state": "descending",
                "sat:relative_orbit": 52,
            },
            "links": [],
            "assets": assets,
        }

    product = {"product": {"href": f"{server.url}/files/{SCENE}.zip", "type": "application/zip"}}
    items = [item(0, SCENE, product), item(1, "S1A_thumbnail", {"thumbnail": {"href": "https://x.example/t.png"}})]
    # Of other types and modes in the same collection nothing is opened.
    others = [SCENE.replace("SLC_", "GRDH"), SCENE.replace("_IW_", "_S3_"), SCENE.replace("SLC_", "RAW_")]
    beside = [item(2 + k, name, product) for k, name in enumerate(others)]

    def answer(request: Request) -> Reply:
        body = json.loads(request.body) if request.body else request.query
        token = body.get("token")
        page: dict[str, Any] = {
            "type": "FeatureCollection",
            "features": [items[1], *beside] if token else items[:1],
            "links": [],
        }
        if not token:
            following = {"rel": "next", "href": f"{server.url}/stac/search", "method": "POST", "merge": True}
            page["links"] = [{**following, "body": {"token": "2"}}]
        return reply(page)

    server.routes["/stac/search"] = answer
    return server


def test_any_stac_api(stac: Server) -> None:
    source = {"url": f"{stac.url}/stac", "collection": "sentinel-1-slc"}
    search = find_scenes(run("stac", source, aoi=AOI, dates=["2023-09-01", "2023-09-30"]))
    assert [b.burst_id for b in search.bursts] == ["t052_110431_iw1", "t052_110432_iw1"]
    assert [p.subject for p in search.problems] == ["S1A_thumbnail"]
    assert search.bursts[0].path == f"{stac.url}/files/{SCENE}.zip"
    body = json.loads(stac.asked("/stac/search")[0].body)
    assert body["collections"] == ["sentinel-1-slc"] and body["intersects"]["type"] == "Polygon"
    assert body["datetime"] == "2023-09-01T00:00:00Z/2023-10-01T00:00:00Z"
    assert find_scenes(run("stac", {**source, "orbit_direction": "ascending"}, aoi=AOI)).bursts == ()


def test_what_a_stac_api_may_answer_instead(stac: Server) -> None:
    source = {"url": f"{stac.url}/stac", "collection": "sentinel-1-slc"}
    stac.routes["/stac/search"] = lambda r: Reply(b'{"detail": "no such collection"}', 404)
    with pytest.raises(SourceError, match="no such collection"):
        find_scenes(run("stac", source, aoi=AOI))
    stac.routes["/stac/search"] = lambda r: Reply(b"no", 403)
    with pytest.raises(CredentialError):
        find_scenes(run("stac", source, aoi=AOI))
    stac.routes["/stac"] = lambda r: Reply(b"<html></html>")
    with pytest.raises(SourceError):
        find_scenes(run("stac", source, aoi=AOI))
    with pytest.raises(TransferError, match="refused"):
        find_scenes(run("stac", {**source, "url": "http://127.0.0.1:9/stac"}, aoi=AOI))


def test_without_a_network_it_is_said_what_to_do(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING"), pytest.raises(TransferError, match=r"cannot be reached.*HTTPS_PROXY.*kind: local"):
        request("GET", "http://127.0.0.1:9/search")
    assert not [r for r in caplog.records if r.name == "stamina"], "the retry library's lines are its own"
    config = RunConfig.from_dict(
        {
            "source": {"kind": "stac", "url": "http://127.0.0.1:9/stac", "collection": "slc"},
            "dem": {"path": "dem.tif", "heights": "ellipsoid"},
        }
    )
    with pytest.raises(TransferError, match=r"cannot be reached: Connection refused; is there a network.*HTTPS_PROXY"):
        find_scenes(config)
    assert "Retrying" not in caplog.text
    with caplog.at_level("INFO", "sarcube"), pytest.raises(TransferError):
        request("GET", "http://127.0.0.1:9/search")
    assert [r for r in caplog.records if r.name == "stamina"], "who asks for more gets them"
