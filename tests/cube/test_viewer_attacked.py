"""The viewer against questions without end, silent connections, dead and foreign files."""

from __future__ import annotations

import json
import shutil
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rio_tiler.constants import WEB_MERCATOR_TMS

from sarcube.cube.viewer import Viewer, ViewerOptions, open_viewer, server
from sarcube.cube.viewer.colours import Stretch
from sarcube.cube.viewer.passes import read_content
from sarcube.errors import CubeError, OpenToOthersWarning, PassedOverWarning
from sarcube.geometry.grid import GeoGrid
from tests.cube.examples import lay_out

GRID = GeoGrid(32629, 600000, 4500000, 20, 100, 100)


@pytest.fixture
def store(bursts: Any, tmp_path: Path) -> Path:
    """Two bursts of one pass that cover the same ground."""
    items = [
        bursts.burst(GRID, f"t052_001000_iw{i}", f"2022-01-03T05:00:0{i}", {"VV": np.full(GRID.shape, 0.1)})
        for i in (1, 2)
    ]
    return lay_out(tmp_path, items)


@pytest.fixture
def viewer(store: Path) -> Iterator[Viewer]:
    with open_viewer(str(store), ViewerOptions(port=0)) as running:
        yield running


def ask(viewer: Viewer, path: str) -> tuple[int, bytes, Any]:
    try:
        with urllib.request.urlopen(viewer.url + path, timeout=30) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def _place(viewer: Viewer) -> tuple[float, float]:
    west, south, east, north = next(iter(viewer.content.bounds.values()))
    return (west + east) / 2, (south + north) / 2


def _tile(viewer: Viewer) -> str:
    tile = WEB_MERCATOR_TMS.tile(*_place(viewer), 14)
    return f"tiles/0/VV/{tile.z}/{tile.x}/{tile.y}.png"


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", "x", "9" * 5000, "-1", "0"])
def test_a_box_that_is_none(viewer: Viewer, value: str) -> None:
    lon, lat = _place(viewer)
    status, body, _ = ask(viewer, f"api/series?lon={lon}&lat={lat}&box={value}")
    assert status == 400
    assert len(json.loads(body)["error"]) < 300


@pytest.mark.parametrize("kind", ["", ".csv", ".png"])
def test_boxes_that_are_none(viewer: Viewer, kind: str) -> None:
    for sides in (
        (1, 2, 1, 3),
        (1, 3, 2, 2),
        (-180, -90, 180, 90),
        (1, 2, "nan", 3),
        (1, 2, "9" * 5000, 3),
        (1e9, 2, 1e9 + 1, 3),
    ):
        query = "&".join(f"{name}={side}" for name, side in zip(("west", "south", "east", "north"), sides, strict=True))
        status, body, _ = ask(viewer, f"api/series{kind}?{query}")
        assert status == 400
        assert len(json.loads(body)["error"]) < 300
    assert ask(viewer, f"api/series{kind}?west=1")[0] == 400


def test_files_of_the_page_and_no_others(viewer: Viewer) -> None:
    for path in ("leaflet/../../server.py", "..%2fserver.py", "leaflet/leaflet.py", "main.py", "leaflet//leaflet.js"):
        assert ask(viewer, path)[0] == 404
    status, body, headers = ask(viewer, "leaflet/LICENSE.txt")
    assert status == 200 and b"Redistribution" in body
    assert headers["Content-Security-Policy"].startswith("default-src 'self'; img-src 'self' data:;")
    assert "unsafe" not in headers["Content-Security-Policy"]


def test_only_so_many_read_at_once(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading
    import time
    from concurrent.futures import ThreadPoolExecutor

    monkeypatch.setattr(server, "_AT_ONCE", 2)
    now, most, lock = [0], [0], threading.Lock()
    real = server.render_tile

    def slow(*asked: Any) -> Any:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.05)
        with lock:
            now[0] -= 1
        return real(*asked)

    monkeypatch.setattr(server, "render_tile", slow)
    with open_viewer(str(store), ViewerOptions(port=0)) as viewer, ThreadPoolExecutor(12) as pool:
        tiles = [f"{_tile(viewer)}?low=-{i}" for i in range(10, 34)]
        assert {status for status, *_ in pool.map(lambda path: ask(viewer, path), tiles)} == {200}
    assert most[0] == 2


def test_a_basemap_is_the_only_other_place(store: Path) -> None:
    address = "https://tile.example.org/{z}/{x}/{y}.png"
    with open_viewer(str(store), ViewerOptions(port=0, basemap=address, attribution="a <b>map</b>")) as viewer:
        policy = ask(viewer, "")[2]["Content-Security-Policy"]
        assert "img-src 'self' data: https://tile.example.org;" in policy
        assert json.loads(ask(viewer, "api/store")[1])["basemap"]["address"] == address
    for wrong in (
        "tile",
        "javascript:{z}{x}{y}",
        "https://a.example/{z}/{x}",
        "https://a.example/{z}/{x}/{y}; script-src *",
    ):
        with pytest.raises(CubeError, match="a basemap is an address"):
            ViewerOptions(basemap=wrong)


@pytest.mark.parametrize("number", ["9" * 5000, "-1", "1e3"])
def test_tiles_that_are_none(viewer: Viewer, number: str) -> None:
    for path in (f"tiles/{number}/VV/10/0/0.png", f"tiles/0/VV/{number}/0/0.png", f"tiles/0/VV/10/{number}/0.png"):
        status, body, _ = ask(viewer, path)
        assert status in (400, 404)
        assert len(body) < 500
    for query in (f"low={number * 2}x", "low=nan", "high=inf", "low=-1e9", "&".join(f"a{i}=1" for i in range(100))):
        assert ask(viewer, f"{_tile(viewer)}?{query}")[0] == 400


def test_further_parameters_make_no_second_tile(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    real = server.render_tile
    monkeypatch.setattr(server, "render_tile", lambda *asked: drawn.append(asked) or real(*asked))
    for query in ("", "?x=1", "?x=2", "?low=-20", "?low=-20.0&high=0.001", "?high=0&low=-20.00001", "?&&"):
        assert ask(viewer, _tile(viewer) + query)[0] == 200
    assert len(drawn) == 1
    assert ask(viewer, _tile(viewer) + "?low=-25")[0] == 200
    assert len(drawn) == 2


def test_silent_connections_are_closed(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert server._Handler.timeout is not None
    monkeypatch.setattr(server._Handler, "timeout", 0.3)
    with open_viewer(str(store), ViewerOptions(port=0)) as viewer:
        place = urllib.parse.urlsplit(viewer.url)
        for said in (b"", b"GET / HTTP/1.1\r\nHost: local"):
            with socket.create_connection((place.hostname, place.port), timeout=20) as connection:
                connection.sendall(said)
                assert connection.recv(1000) == b""  # closed by the viewer, not by our own patience


def test_one_dead_file_darkens_no_tile(store: Path) -> None:
    (first, *_) = sorted(store.rglob("*_VV.tif"))
    with open_viewer(str(store), ViewerOptions(port=0)) as viewer:
        first.rename(first.with_suffix(".gone"))
        status, _, headers = ask(viewer, _tile(viewer))
        assert status == 200
        assert "IW1" in headers["Sarcube-Unread"]
        assert headers["Cache-Control"] == "no-store"
        lon, lat = _place(viewer)
        status, body, headers = ask(viewer, f"api/series?lon={lon}&lat={lat}")
        assert status == 200
        assert [r["db"]["VV"] for r in json.loads(body)] == [-10.0]
        assert "IW1" in headers["Sarcube-Unread"]
        first.with_suffix(".gone").rename(first)  # back again: no picture of its absence was kept
        assert ask(viewer, _tile(viewer))[2]["Sarcube-Unread"] is None
        for path in store.rglob("*_VV.tif"):
            path.unlink()
        status, body, _ = ask(viewer, _tile(viewer) + "?low=-30")
        assert status == 400
        assert "cannot be read" in json.loads(body)["error"]


def test_foreign_files_are_not_followed(store: Path, tmp_path: Path) -> None:
    paths = sorted(store.rglob("*.json"))
    (item,) = [p for p in paths if "IW1" in p.name]
    (layer,) = item.parent.glob("*_VV.tif")
    shutil.copy(layer, tmp_path / "private.tif")
    for href in (str(tmp_path / "private.tif"), "http://169.254.169.254/x.tif"):
        stored = json.loads(item.read_text())
        stored["assets"]["VV"]["href"] = href
        item.write_text(json.dumps(stored))
        with pytest.warns(PassedOverWarning, match=r"1 items are not shown.*IW1"):
            content = read_content(str(store))
        assert [a.place for step in content.steps for a in step.acquisitions] == ["t052_001000_iw2"]
        assert href not in str([i.to_dict(transform_hrefs=False) for i in content.items.values()])


def test_answers_are_for_the_page_alone(viewer: Viewer) -> None:
    for path in ("", "api/store", _tile(viewer), "nothing"):
        assert ask(viewer, path)[2]["Cross-Origin-Resource-Policy"] == "same-origin"


def test_a_host_of_all_machines_is_told(store: Path) -> None:
    with (
        pytest.warns(OpenToOthersWarning, match=r"0\.0\.0\.0.*whoever reaches this machine"),
        open_viewer(str(store), ViewerOptions(port=0, host="0.0.0.0")),
    ):
        pass
    with pytest.raises(CubeError, match="from low to high"):
        Stretch(3, 1)


@pytest.mark.parametrize("west", [-90, -180, 0, 180, -540])
def test_boxes_of_half_the_earth(viewer: Viewer, west: int) -> None:
    """They reach beyond what the products' CRS can show: all of the products is in them, or nothing."""
    for south in (-90, -60, 0):
        status, body, _ = ask(viewer, f"api/series?west={west}&south={south}&east={west + 180}&north=90")
        assert status == 200
        found = json.loads(body)
        inside = west <= -7.8 <= west + 180 or west <= 352.2 <= west + 180 or west <= -367.8 <= west + 180
        assert len(found) == inside and all(abs(one["db"]["VV"] + 10) < 0.01 for one in found)


def test_a_fault_is_an_answer(viewer: Viewer, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def broken(*_given: Any) -> Any:
        raise RuntimeError("at https://user:hunter22@host/x?sig=abc")

    monkeypatch.setitem(server.ANSWERS, "/api/points", broken)
    status, body, _ = ask(viewer, "api/points")
    assert status == 500 and "log says why" in json.loads(body)["error"]
    assert "RuntimeError" in caplog.text and "hunter22" not in caplog.text and "sig=abc" not in caplog.text
    assert ask(viewer, "api/store")[0] == 200


def test_connections_wait_to_be_taken(store: Path) -> None:
    """As many as a map opens at once are heard although nobody answers yet; the system turned away all beyond six."""
    viewer = Viewer(read_content(str(store)), ViewerOptions(port=0))
    place = ("127.0.0.1", int(viewer.url.rstrip("/").rsplit(":", 1)[1]))
    waiting = [socket.create_connection(place, timeout=0.5) for _ in range(60)]
    for connection in waiting:
        connection.close()
    viewer._server.server_close()
