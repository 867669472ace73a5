"""Sentinel-2 behind STAC APIs in the forms of Earth Search and the Planetary Computer: reflectance as of the SAFE."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

pytest.importorskip("pystac_client")

from sarcube.config import RunConfig
from sarcube.errors import SceneError
from sarcube.geometry.mgrs import tile_corner
from sarcube.production.plan.plan import plan
from sarcube.production.run.produce import produce
from sarcube.sensors.sentinel2 import stac_item
from sarcube.simulate.sentinel2 import Sentinel2Options, write_sentinel2
from tests.http_server import Reply, Request, Server, ranged

SIZE = 3_000
AOI = [-5.395, 41.505, -5.37, 41.53]
START = dt.datetime(2022, 7, 8, 11, 6, 21, tzinfo=dt.UTC)
_, LEFT, TOP = tile_corner("30TUL")
BANDS = {"B04": (10, "red"), "B8A": (20, "nir08"), "SCL": (20, "scl")}


@pytest.fixture
def safe(tmp_path: Path) -> Path:
    rng = np.random.default_rng(4)
    values = {b: np.round(rng.uniform(0.01, 0.4, (SIZE // s,) * 2), 4) for b, (s, _) in BANDS.items() if b != "SCL"}
    scl = np.full((SIZE // 20,) * 2, 4, np.uint8)
    scl[40:90, 30:100] = 9
    options = Sentinel2Options(start=START, size=SIZE, bands=(), baseline="04.00")
    return write_sentinel2(tmp_path / "scenes", options, values, scl)


def as_cog(safe: Path, band: str, less: int = 0) -> bytes:
    """A band of the SAFE as a GeoTIFF; `less` is taken off each number that is one."""
    size = BANDS[band][0]
    (image,) = safe.rglob(f"*_{band}_{size}m.jp2")
    with rasterio.open(image) as source:
        numbers = source.read(1)
    numbers = np.where(numbers == 0, 0, numbers - less).astype(numbers.dtype)
    profile = {"driver": "COG", "width": numbers.shape[1], "height": numbers.shape[0], "count": 1, "nodata": 0,
               "dtype": numbers.dtype.name, "crs": "EPSG:32630", "blocksize": 256,
               "transform": rasterio.Affine(size, 0, LEFT, 0, -size, TOP)}  # fmt: skip
    with rasterio.MemoryFile() as memory:
        with memory.open(**profile) as target:
            target.write(numbers, 1)
        return bytes(memory.getbuffer())


def api(server: Server, safe: Path, form: str) -> None:
    """An API of one item."""
    name = safe.name.removesuffix(".SAFE")
    root = f"{server.url}/api"
    assets: dict[str, Any] = {}
    for band, (size, common) in BANDS.items():
        data = as_cog(safe, band, 1000 if form == "removed" and band != "SCL" else 0)
        server.routes[f"/data/{band}.tif"] = lambda request, data=data: ranged(data, request)
        asset = {"href": f"{server.url}/data/{band}.tif", "proj:shape": [SIZE // size] * 2,
                 "proj:transform": [size, 0, LEFT, 0, -size, TOP]}  # fmt: skip
        if form in ("stated", "removed") and band != "SCL":
            asset["raster:bands"] = [{"scale": 1e-4, "offset": 0.0 if form == "removed" else -0.1, "nodata": 0}]
        if form == "cdse":  # as its items of STAC 1.1 are: bands without what the numbers mean, which the asset says
            asset |= {"bands": [{"name": band, "eo:common_name": common}], "raster:scale": 1e-4, "raster:offset": -0.1}
        assets[{"metadata": band, "cdse": f"{band}_{size}m"}.get(form, common)] = asset
    if form == "metadata":
        (xml,) = safe.glob("MTD_MSIL2A.xml")
        server.routes["/data/MTD.xml"] = lambda _: Reply(xml.read_bytes())
        assets["product-metadata"] = {"href": f"{server.url}/data/MTD.xml"}
    told = {
        "datetime": "2022-07-08T11:16:21Z", "s2:product_uri": f"{name}.SAFE", "eo:cloud_cover": 12.5,
        "s2:datatake_id": "GS2A_20220708T110621_036785_N04.00", "view:sun_elevation": 61.0, "view:sun_azimuth": 140.0,
    }  # fmt: skip
    if form == "cdse":
        told["eopf:datatake_id"] = told.pop("s2:datatake_id")
        del told["s2:product_uri"]
    if form == "removed":
        told["earthsearch:boa_offset_applied"] = True
    ring = [[-5.4, 41.5], [-5.3, 41.5], [-5.3, 41.6], [-5.4, 41.6], [-5.4, 41.5]]
    known_as = name if form == "cdse" else "S2A_30TUL_20220708_0_L2A"
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": known_as, "collection": "sentinel-2-l2a",
        "geometry": {"type": "Polygon", "coordinates": [ring]}, "bbox": [-5.4, 41.5, -5.3, 41.6], "properties": told,
        "links": [{"rel": "self", "href": f"{root}/item"}], "assets": assets,
    }  # fmt: skip
    bare = {**item, "id": "of_no_product", "properties": {"datetime": "2022-07-08T11:16:21Z"}}
    links = [
        {"rel": "self", "href": root, "type": "application/json"},
        {"rel": "search", "href": f"{root}/search", "type": "application/geo+json", "method": "POST"},
    ]
    core = "https://api.stacspec.org/v1.0.0/"
    landing = {"type": "Catalog", "id": "x", "description": "x", "stac_version": "1.0.0", "links": links,
               "conformsTo": [f"{core}core", f"{core}item-search"]}  # fmt: skip

    def reply(value: Any) -> Reply:
        return Reply(json.dumps(value).encode(), headers={"Content-Type": "application/json"})

    server.routes["/api"] = lambda _: reply(landing)
    server.routes["/api/search"] = lambda _: reply({"type": "FeatureCollection", "features": [item, bare], "links": []})
    server.routes["/api/item"] = lambda _: reply(item)


def run_of(source: dict[str, Any], store: Path) -> RunConfig:
    return RunConfig.from_dict(
        {
            "workflow": "sentinel2",
            "source": source,
            "aoi": {"bbox": AOI},
            "dates": "2022-07",
            "store": str(store),
            "sentinel2": {"bands": "B4,B8A", "cloud_mask": "l2a"},
        }
    )


def values(store: Path) -> dict[str, np.ndarray]:
    found = {}
    for path in store.rglob("*.tif"):
        with rasterio.open(path) as data:
            found[path.stem.split("_v0.1_")[1]] = data.read(1)
    return found


@pytest.mark.parametrize("form", ["removed", "stated", "metadata", "cdse"])
def test_what_an_api_offers_is_what_the_product_holds(form: str, server: Server, safe: Path, tmp_path: Path) -> None:
    """Offset taken off by the provider; stated by the assets, in two ways; stated by the product's metadata alone."""
    api(server, safe, form)
    local = run_of({"path": str(safe.parent)}, tmp_path / "local")
    assert produce(plan(local)).ok
    remote = run_of({"kind": "stac", "url": f"{server.url}/api", "collection": "sentinel-2-l2a"}, tmp_path / "remote")
    planned = plan(remote)
    assert [p.subject for p in planned.problems] == ["of_no_product"]
    outcome = produce(planned)
    assert not outcome.failed and len(planned.tasks) == 1
    ours, theirs = values(tmp_path / "local"), values(tmp_path / "remote")
    assert ours.keys() == theirs.keys() == {"B04", "B8A", "scl", "cloud_mask"}
    for name, want in ours.items():
        np.testing.assert_array_equal(theirs[name], want)
    (item,) = (json.loads(p.read_bytes()) for p in (tmp_path / "remote").rglob("*20220708T110621Z.json"))
    told = item["properties"]
    assert told["eo:cloud_cover"] == 12.5 and told["view:sun_elevation"] == 61.0
    assert told["sarcube:offset_removed"] == (0.0 if form == "removed" else -1000.0)
    assert any(link["rel"] == "derived_from" and link["href"] == f"{server.url}/api/item" for link in item["links"])
    asked = server.asked("/data/B04.tif")
    assert asked and all("range" in request.headers or request.method == "HEAD" for request in asked)


def test_numbers_of_unknown_meaning_are_refused(server: Server, safe: Path, tmp_path: Path) -> None:
    api(server, safe, "unknown")
    remote = run_of({"kind": "stac", "url": f"{server.url}/api", "collection": "sentinel-2-l2a"}, tmp_path / "store")
    outcome = produce(plan(remote))
    (failure,) = outcome.failed
    assert failure.error == "SceneError" and "what the numbers mean is not known" in failure.message
    server.routes["/api/item"] = lambda _: Reply(b"<html>")
    with pytest.raises(SceneError, match="no STAC item"):
        stac_item.open_item(f"stac:{server.url}/api/item")
    server.routes["/api/item"] = lambda _: Reply(b'{"properties": {}, "assets": {"B04": 3}}')
    with pytest.raises(SceneError):
        stac_item.open_item(f"stac:{server.url}/api/item")


def test_signed_addresses_of_the_planetary_computer(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """One token for a container until it ends; nothing is added for other hosts."""
    until = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)

    def token(_: Request) -> Reply:
        return Reply(json.dumps({"token": "sv=1&sig=abc", "msft:expiry": f"{until:%Y-%m-%dT%H:%M:%SZ}"}).encode())

    server.routes["/sas"] = token
    monkeypatch.setenv("SARCUBE_PC_SAS_URL", f"{server.url}/sas")
    stac_item._tokens.clear()
    address = "https://sentinel2l2a01.blob.core.windows.net/sentinel2-l2/30/T/UL/B04.tif"
    assert stac_item.signed(address) == stac_item.signed(address) == f"{address}?sv=1&sig=abc"
    assert [r.path for r in server.requests] == ["/sas/sentinel2l2a01/sentinel2-l2"]
    assert stac_item.signed("https://example.org/B04.tif") == "https://example.org/B04.tif"
    from sarcube.transfer.redact import redact

    assert "abc" not in redact(f"cannot read {address}?sv=1&sig=abc")
