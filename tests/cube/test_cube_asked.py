"""What users ask for wrongly, or in forms of their own: understood, or refused with words; and stores that are damaged
or somebody else's."""

from __future__ import annotations

import copy
import json
import random
import shutil
import warnings
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pystac
import pytest
import rasterio.shutil
import shapely

import sarcube
from sarcube.catalog.collections import update_collections
from sarcube.catalog.query import find_items
from sarcube.cube.cf import fingerprint
from sarcube.cube.export import write_cogs, write_cube
from sarcube.cube.found import read_items
from sarcube.cube.opera_files import parse_name
from sarcube.cube.selection import Selection
from sarcube.errors import CubeError, PassedOverWarning
from sarcube.geometry.grid import GeoGrid
from sarcube.production.status import status
from tests.cube.examples import lay_out

GRID = GeoGrid(32629, 600000, 4500000, 20, 60, 50)
BURST = "t052_001000_iw1"


@pytest.fixture
def item(bursts: Any) -> pystac.Item:
    return bursts.burst(GRID, BURST, "2022-01-03T05:00:00", {"VV": np.full(GRID.shape, 0.1)})


@pytest.fixture
def store(item: pystac.Item, tmp_path: Path) -> Path:
    return lay_out(tmp_path, [item])


def _box(item: pystac.Item) -> tuple[float, float, float, float]:
    west, south, east, north = item.bbox or (0, 0, 0, 0)
    return west, south, east, north


def test_areas_and_dates_in_forms_of_their_own(item: pystac.Item, store: Path) -> None:
    west, south, east, north = _box(item)
    west, south = west + (east - west) / 3, south + (north - south) / 4
    expected = sarcube.open_cube(store, bbox=(west, south, east, north), dates="2022-01")
    assert expected.sizes["x"] < GRID.width
    frame = geopandas.GeoDataFrame(geometry=[shapely.box(west, south, east, north)], crs=4326)
    for area in (
        [west, south, east, north],
        np.array([west, south, east, north]),
        shapely.box(west, south, east, north),
        shapely.Polygon([(west, south), (east, south), (east, north), (west, north)]),
        frame,
        frame.geometry,
    ):
        cube = sarcube.open_cube(store, bbox=area, dates=slice("2022-01-01", "2022-01-31"))
        assert cube.sizes == expected.sizes
    there = sarcube.open_cube(store, bbox=frame.to_crs(32629))
    assert abs(there.sizes["x"] - expected.sizes["x"]) <= 4


def test_a_shape_cut_at_the_antimeridian_is_not_the_world(bursts: Any, tmp_path: Path) -> None:
    grid = GeoGrid(32660, 812000, 1824000, 20, 800, 60)
    burst = bursts.burst(grid, BURST, layers={"VV": np.full(grid.shape, 0.1)})
    (made,) = write_cogs(sarcube.open_cube([burst]), tmp_path)
    south, north = 16.47, 16.48
    halves = shapely.MultiPolygon([shapely.box(179.99, south, 180, north), shapely.box(-180, south, -179.99, north)])
    cube = sarcube.open_cube([made], bbox=halves)
    assert cube.sizes == sarcube.open_cube([made], bbox=(179.99, south, -179.99, north)).sizes
    assert 80 < cube.sizes["x"] < 130  # 0.02 degrees


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"bbox": (8.2, 48.0, 8.08, 48.1)}, r"359.88 degrees wide; swap west and east"),
        ({"bbox": (-100, 40, 100, 50)}, r"200 degrees wide"),
        ({"bbox": (10**400, 0, 1, 1)}, "no degrees of longitude"),
        ({"bbox": (float("nan"), 0, 1, 1)}, "no degrees of longitude"),
        ({"bbox": (0, 0, 1)}, r"bbox is \(west, south, east, north\)"),
        ({"bbox": "8,48,9,49"}, r"bbox is \(west, south, east, north\)"),
        ({"bbox": shapely.Polygon()}, "empty geometry"),
        ({"dates": 7}, "dates is one date"),
        ({"dates": slice("2022", None)}, "slice have a first and a last"),
        ({"crs": 999999}, "no EPSG code 999999"),
        ({"crs": "EPSG:5773"}, "no CRS of maps"),
        ({"crs": 10**400}, "no EPSG code 1000"),
        ({"resolution": (20, 20)}, "resolution is a positive number"),
        ({"resolution": "20"}, "resolution is a positive number"),
        ({"layers": "vv"}, r"did you mean VV\?"),
        ({"layers": []}, "layers is empty"),
        ({"layers": [1]}, "layers is a text or several"),
        ({"dates": ("2022", None)}, "a first and a last, and one of them is None"),
        ({"dates": np.datetime64("NaT")}, "a first and a last, and one of them is NaT"),
        ({"places": 5}, "places is a text or several"),
        ({"platforms": [1]}, "platforms is a text or several"),
        ({"relative_orbits": "52"}, "relative_orbits is a whole number or several"),
        ({"relative_orbits": [52.5]}, "relative_orbits is a whole number or several"),
        ({"orbit_direction": 5}, "ascending or descending"),
        ({"elsewhere": 5}, "elsewhere is a text or several"),
        ({"collection": 5}, "collection is a text or several"),
        ({"static": 5}, "static is a text or several"),
        ({"apart": "satellite", "group": "day"}, "apart holds platform.*not satellite"),
        ({"chunks": 0}, "a chunk has a whole number"),
        ({"chunks": "auto"}, "a chunk has a whole number"),
        ({"chunks": {"y": 1.5}}, "a chunk has a whole number"),
        ({"resolution": 1e-9}, r"no side may have more than 16777216; choose a coarser"),
    ],
)
def test_refused_with_words(store: Path, options: dict[str, Any], match: str) -> None:
    with pytest.raises(CubeError, match=match):
        sarcube.open_cube(store, **options)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"bbox": (100.0, 10.0, 100.1, 10.1)}, r"none of 1 items is left by bbox .*they lie within -7"),
        ({"dates": "2031"}, r"left by dates 2031.*from 2022-01-03 to 2022-01-03"),
        ({"burst_ids": ["t001_000001_iw1"]}, rf"left by places .*they are of {BURST}"),
    ],
)
def test_outside_of_the_store_says_what_there_is(store: Path, options: dict[str, Any], match: str) -> None:
    with pytest.raises(CubeError, match=match):
        sarcube.open_cube(store, **options)


def test_one_stands_for_several(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for options in (
        {"platforms": "sentinel-1a"}, {"relative_orbits": 52}, {"relative_orbits": np.array([52])}, {"places": BURST},
        {"apart": "platform", "group": "day"}, {"elsewhere": tmp_path}, {"chunks": np.int64(32)},
        {"layers": ("VV", "VV")},
    ):  # fmt: skip
        cube = sarcube.open_cube(store, **options)  # type: ignore[arg-type]
        assert cube.sizes["time"] == 1 and list(cube.data_vars) == ["VV"]
    monkeypatch.setenv("HOME", str(store.parent))
    assert sarcube.open_cube("~/store").sizes["time"] == 1
    odd = shutil.copytree(store, tmp_path / "a store #1 ü %41")
    for address in (odd, odd.as_uri(), f"file://{odd}"):
        assert float(sarcube.open_cube(address)["VV"].mean()) == pytest.approx(0.1)
    with pytest.raises(CubeError, match="address is empty"):
        sarcube.open_cube("")
    for nothing in (None, 5, b"store"):
        with pytest.raises(CubeError, match="a store is an address"):
            sarcube.open_cube(nothing)  # type: ignore[arg-type]
    with pytest.raises(CubeError, match="cannot be looked at"):
        sarcube.open_cube("/" + "a" * 5000)


def test_burst_ids_as_esa_writes_them(store: Path) -> None:
    assert sarcube.open_cube(store, places=["T052-001000-IW1"]).sizes["time"] == 1


def test_options_of_the_accessor(store: Path) -> None:
    cube = sarcube.open_cube(store)
    with pytest.raises(CubeError, match="number of looks of one date is enl="):
        cube.sar.speckle("lee", looks=5)
    with pytest.raises(CubeError, match=r"no option 'windo'; did you mean window"):
        cube.sar.speckle("lee", windo=5)
    with pytest.raises(CubeError, match=r"no option 'outliers'"):
        cube.sar.timescan(["mean"], outliers=True)
    with pytest.raises(CubeError, match=r"no option 'aplha'; did you mean alpha"):
        cube.sar.change("2022", "2022", enl=4, aplha=1)


def test_parts_of_a_store_open(store: Path, item: pystac.Item, tmp_path: Path) -> None:
    expected = sarcube.open_cube(store)
    collection = store / "s1_rtc_c1"
    (stored,) = collection.rglob(f"{item.id}.json")
    (collection / "items.parquet").write_bytes(b"")
    for part in (collection / "collection.json", collection, stored):
        if part != stored:
            (collection / "items.parquet").unlink(missing_ok=True)
        assert sarcube.open_cube(part).equals(expected), part
    update_collections(str(store))
    assert sarcube.open_cube(collection / "items.parquet").equals(expected)
    write_cogs(expected, tmp_path / "cogs")
    np.testing.assert_array_equal(sarcube.open_cube(tmp_path / "cogs")["VV"], expected["VV"])
    for name in ("x.zarr", "x.nc"):
        write_cube(expected, tmp_path / name)
        with pytest.raises(CubeError, match=r"exported cube and no store: open it with xarray\.open_"):
            sarcube.open_cube(tmp_path / name)
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(CubeError, match="name the store"):
        sarcube.open_cube(tmp_path / "a.txt")


def test_looks_that_one_item_lacks(bursts: Any) -> None:
    full = {"VV": np.full(GRID.shape, 0.1), "number_of_looks": np.full(GRID.shape, 4.0)}
    items = [
        bursts.burst(GRID, BURST, "2022-01-03T05:00:00", full),
        bursts.burst(GRID, "t052_001000_iw2", "2022-01-03T05:00:01", {"VV": full["VV"]}),
    ]
    with pytest.raises(CubeError, match=r"no static layers of t052_001000_iw2.*static_store"):
        sarcube.open_cube(items, layers="VV", merge="looks")


def test_month_thirteen_among_opera_files() -> None:
    name = "OPERA_L2_RTC-S1_T052-001000-IW1_20221303T050000Z_20230101T000000Z_S1A_20_v1.0_VV.tif"
    with pytest.warns(PassedOverWarning, match="date that is none"):
        assert parse_name(name) is None
    assert parse_name(name.replace("20221303", "20221203"))


def _damage(stored: dict[str, Any], chance: random.Random) -> bytes:
    """Something that happens to files, or that somebody else's software writes."""
    stored = copy.deepcopy(stored)
    text = json.dumps(stored)
    kind = chance.randrange(6)
    if kind == 0:
        return text[: chance.randrange(len(text))].encode()
    if kind == 1:
        data = bytearray(text.encode())
        for _ in range(chance.randrange(1, 20)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        return bytes(data)
    wrong: list[Any] = [None, [], {}, "x", -1, 1e400, [None], {"a": 1}, "2022-13-45", True]
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key in list(node) if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], dict | list):
                walk(node[key])

    walk(stored)
    for node, key in chance.sample(places, min(len(places), 1 + kind // 3)):
        if kind % 2 and isinstance(node, dict):
            node.pop(key, None)
        else:
            node[key] = chance.choice(wrong)
    return json.dumps(stored).encode()


def test_no_damaged_item_takes_down_a_query(store: Path, item: pystac.Item, tmp_path: Path) -> None:
    """600 damaged items, each beside a whole one: the whole one is always found, by its files and by an index."""
    chance = random.Random(1)
    (whole,) = store.rglob(f"{item.id}.json")
    stored = json.loads(whole.read_text())
    place = whole.parents[1] / "15"
    place.mkdir()
    box = _box(item)
    told = 0
    for _ in range(600):
        (place / "damaged.json").write_bytes(_damage(stored, chance))
        for conditions in ({}, {"bbox": box, "dates": ("2022-01-01", "2022-01-31")}):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                found = find_items(str(store), **conditions)  # type: ignore[arg-type]
                assert item.id in [i.id for i in found]
                cube = sarcube.open_cube(store, **conditions)  # type: ignore[arg-type]
                assert cube.sizes["time"] >= 1
            told += any(issubclass(w.category, PassedOverWarning) for w in caught)
    assert told > 400, "most of them cannot be used, and all that cannot be are told"


def test_damaged_items_stay_out_of_an_index(store: Path, item: pystac.Item) -> None:
    (whole,) = store.rglob(f"{item.id}.json")
    stored = json.loads(whole.read_text())
    chance = random.Random(2)
    place = whole.parents[1] / "15"
    place.mkdir()
    for i in range(100):
        (place / f"damaged-{i}.json").write_bytes(_damage(stored, chance))
    with pytest.warns(PassedOverWarning, match=r"damaged items passed over: .*damaged-"):
        update_collections(str(store))
    assert (store / "s1_rtc_c1" / "items.parquet").exists()
    with pytest.warns(PassedOverWarning, match=r"1 damaged item passed over: .*damaged-"):
        assert item.id in [i.id for i in find_items(str(store))]


def _rewrite(store: Path, item: pystac.Item, href: str) -> None:
    (path,) = store.rglob(f"{item.id}.json")
    stored = json.loads(path.read_text())
    stored["assets"]["VV"]["href"] = href
    path.write_text(json.dumps(stored))


def test_stores_open_geotiff_only(store: Path, item: pystac.Item, tmp_path: Path) -> None:
    """A VRT in a foreign store, which names a file of this machine, is not opened."""
    secret = tmp_path / "secret.tif"
    shutil.copy(item.assets["VV"].href, secret)
    (layer,) = store.rglob("*_VV.tif")
    rasterio.shutil.copy(secret, layer.with_suffix(".vrt"), driver="VRT")
    shutil.move(layer.with_suffix(".vrt"), layer)
    assert layer.read_bytes().startswith(b"<VRT")
    with pytest.raises(CubeError, match="cannot be read"):
        sarcube.open_cube(store)["VV"].compute(scheduler="sync")


def test_hrefs_stay_within_the_store_unless_the_user_says_so(store: Path, item: pystac.Item, tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir()
    shutil.copy(item.assets["VV"].href, private / "x.tif")
    climbing = "../" * 6 + str(private / "x.tif").lstrip("/")
    for href in (
        str(private / "x.tif"),
        f"file://{private}/x.tif",
        f"{store}/../private/x.tif",
        "../../../../../../private/x.tif",
        climbing,
        "http://169.254.169.254/latest/x.tif",
        "https://user:secret@elsewhere.example/x.tif?sig=abc",
        "s3://another/x.tif",
        "/vsicurl/http://elsewhere.example/x.tif",
        "/vsizip//etc/x.zip/x.tif",
    ):
        _rewrite(store, item, href)
        with pytest.raises(CubeError, match=r"lies outside of its store.*elsewhere=") as caught:
            sarcube.open_cube(store)
        assert "secret" not in str(caught.value)
        assert "sig=" not in str(caught.value)
    _rewrite(store, item, str(private / "x.tif"))
    for said in (True, str(private), [str(private)]):
        cube = sarcube.open_cube(store, elsewhere=said)
        assert float(cube["VV"].max()) == pytest.approx(0.1)
    with pytest.raises(CubeError, match="lies outside"):
        sarcube.open_cube(store, elsewhere=str(private)[:-1])  # a prefix of the name is not the folder


def test_items_of_a_network_name_no_local_file(item: pystac.Item) -> None:
    item.set_self_href("https://stac.example/items/1")
    with pytest.raises(CubeError, match="lies outside"):
        sarcube.open_cube([item])
    assert sarcube.open_cube([_without_self(item)]).sizes["time"] == 1


def _without_self(item: pystac.Item) -> pystac.Item:
    stored = item.to_dict(include_self_link=False, transform_hrefs=False)
    for asset in stored["assets"].values():
        asset.pop("sarcube:elsewhere", None)
    return pystac.Item.from_dict(stored)


def test_one_store_reads_as_before(store: Path, item: pystac.Item) -> None:
    assert [i.id for i in read_items(str(store), Selection())] == [item.id]
    assert str(sarcube.open_cube(store)["products"].values[0]) == fingerprint([item.id])


@pytest.mark.parametrize(
    "change",
    [{"roles": 5}, {"classification:classes": [{"value": "x"}]}, {"classification:classes": [None]}, {"href": "a\0b"}],
)
def test_a_damaged_asset_takes_down_its_item_alone(
    bursts: Any, store: Path, item: pystac.Item, tmp_path: Path, change: dict[str, Any]
) -> None:
    """The first of two items has an asset that somebody damaged: the other one is opened."""
    later = bursts.burst(GRID, BURST, "2022-01-15T05:00:00", {"VV": np.full(GRID.shape, 0.1)})
    lay_out(tmp_path, [later])
    (path,) = store.rglob(f"{item.id}.json")
    stored = json.loads(path.read_text())
    stored["assets"]["VV"] |= change
    path.write_text(json.dumps(stored))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PassedOverWarning)
        cube = sarcube.open_cube(store, dates="2022-01-15")
        assert float(cube["VV"].mean()) == pytest.approx(0.1)
        assert "VV" in sarcube.open_cube(store)
    status(str(store))
