"""The viewer's server: what it tells, what it draws, what it refuses."""

from __future__ import annotations

import csv
import io
import json
import math
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from morecantile import Tile
from PIL import Image
from rio_tiler.constants import WEB_MERCATOR_TMS

import sarcube
from sarcube.cube.viewer import Viewer, ViewerOptions, open_viewer
from sarcube.errors import CubeError
from tests.documented import FirstRun

# Whoever comes first waits for the first run, and for kernels to be compiled where they have not been yet.
pytestmark = pytest.mark.timeout(900)

FOREST = (8.2209, 48.0086)  # cut before the third date


@pytest.fixture(scope="module")
def viewer(tutorial: FirstRun) -> Iterator[Viewer]:
    with open_viewer(str(tutorial.store), ViewerOptions(port=0)) as running:
        yield running


def ask(viewer: Viewer, path: str, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(viewer.url + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def tile(viewer: Viewer, step: int, layer: str, place: Tile, query: str = "") -> Any:
    status, body = ask(viewer, f"tiles/{step}/{layer}/{place.z}/{place.x}/{place.y}.png{query}")
    assert status == 200, body
    picture = np.asarray(Image.open(io.BytesIO(body)))
    assert picture.shape == (256, 256, 4)
    return picture


def test_tells_passes_bursts_layers(viewer: Viewer) -> None:
    told = json.loads(ask(viewer, "api/store")[1])
    assert [p["time"][:10] for p in told["passes"]] == ["2024-05-01", "2024-05-13", "2024-05-25"]
    assert all(len(p["items"]) == 2 for p in told["passes"])
    assert {b["id"][-3:]: b["dates"] for b in told["places"]} == {"iw1": 3, "iw2": 3}
    assert {layer["name"] for layer in told["layers"]} >= {"VV", "VH", "colour", "mask"}
    west, south, east, north = told["bounds"]
    # Of the data, which the area of interest holds, and not of the grids of whole bursts.
    assert 8.08 < west < 8.14 and 8.26 < east < 8.32
    assert 47.93 < south < 47.964 and 48.036 < north < 48.07
    about = {layer["name"]: layer for layer in told["layers"]}
    assert about["VV"]["scale"] == "db" and [-20.0, 0.0] in about["VV"]["ranges"]
    assert len(about["VV"]["legend"]["ramp"]) > 8
    names = {c["name"]: c["colour"] for c in about["mask"]["legend"]["classes"]}
    assert names["layover"] == [220, 120, 20, 255] and "outside" not in names
    assert about["number_of_looks"]["scale"] == "linear"
    assert [colour for colour, _ in about["colour"]["legend"]["bands"]] == ["red", "green", "blue"]


def test_percentiles_are_those_of_the_pixels(viewer: Viewer, tutorial: FirstRun) -> None:
    told = json.loads(ask(viewer, "api/stretch?layer=VV")[1])
    cube = sarcube.open_cube(tutorial.store, layers=["VV"]).compute()
    power = cube["VV"].values
    truth = 10 * np.log10(power[power > 0])
    for percent in ("5", "50", "95"):
        assert told[percent] == pytest.approx(np.percentile(truth, float(percent)), abs=1.0)
    assert told["1"] <= told["2"] <= told["5"] < told["95"] <= told["98"] <= told["99"]
    looks = json.loads(ask(viewer, "api/stretch?layer=number_of_looks")[1])
    assert 0 < looks["2"] < looks["98"]
    place = WEB_MERCATOR_TMS.tile(*FOREST, 13)
    plain, drawn = (tile(viewer, 0, "number_of_looks", place, q) for q in ("", f"?low={looks['2']}&high={looks['98']}"))
    assert len(np.unique(drawn[..., 0])) > 8
    assert (plain[..., 3] == drawn[..., 3]).all()
    assert ask(viewer, "api/stretch?layer=mask")[0] == 400
    assert ask(viewer, "api/stretch?layer=nothing")[0] == 400


def test_series_of_a_box_as_json_csv_and_picture(viewer: Viewer, tutorial: FirstRun) -> None:
    box = (8.2, 48.0, 8.22, 48.01)
    query = "&".join(f"{name}={v}" for name, v in zip(("west", "south", "east", "north"), box, strict=True))
    found = json.loads(ask(viewer, f"api/series?{query}")[1])
    cube = sarcube.open_cube(tutorial.store, layers=["VV"])
    from shapely.geometry import box as rectangle

    truth = cube.sar.timeseries(rectangle(*box)).compute()
    for reading, power in zip(found, truth["VV"].values, strict=True):
        assert reading["db"]["VV"] == pytest.approx(10 * math.log10(power), abs=0.1)
        assert reading["pixels"] > 1000
    status, body = ask(viewer, f"api/series.csv?{query}")
    lines = list(csv.DictReader(io.StringIO(body.decode())))
    assert status == 200 and [line["time"][:10] for line in lines] == ["2024-05-01", "2024-05-13", "2024-05-25"]
    assert float(lines[1]["VV_db"]) == found[1]["db"]["VV"] and lines[0]["mask"] == "valid"
    status, body = ask(viewer, f"api/series.png?lon={FOREST[0]}&lat={FOREST[1]}")
    assert np.asarray(Image.open(io.BytesIO(body))).std() > 5
    far = query.replace("8.2", "9.2")
    assert json.loads(ask(viewer, f"api/series?{far}")[1]) == []


def test_tile_shows_what_the_cube_holds(viewer: Viewer, tutorial: FirstRun) -> None:
    """Mean of a tile in decibels, against the cube of the same area."""
    place = WEB_MERCATOR_TMS.tile(*FOREST, 13)
    bounds = WEB_MERCATOR_TMS.bounds(place)
    cube = sarcube.open_cube(tutorial.store, bbox=tuple(bounds), layers=["VV"]).isel(time=0).compute()
    grey = tile(viewer, 0, "VV", place, "?low=-25&high=5")
    assert (grey[..., 3] == 255).mean() > 0.9
    shown = 10 ** ((grey[..., 0][grey[..., 3] > 0] / 255 * 30 - 25) / 10)
    truth = float(cube["VV"].mean())
    assert 10 * math.log10(shown.mean() / truth) == pytest.approx(0, abs=0.3)


def test_seam_between_bursts_is_closed(viewer: Viewer) -> None:
    """Where two sub-swaths overlap the tile is filled by both; nothing is empty within the area of interest."""
    for place in WEB_MERCATOR_TMS.tiles(8.17, 47.98, 8.23, 48.02, 14):
        assert (tile(viewer, 1, "VV", place)[..., 3] == 255).all()


def test_tiles_far_away_are_empty(viewer: Viewer) -> None:
    assert not tile(viewer, 0, "VV", Tile(0, 0, 10))[..., 3].any()
    assert not tile(viewer, 0, "colour", WEB_MERCATOR_TMS.tile(8.4, 48.3, 14))[..., 3].any()


def test_mask_and_colours(viewer: Viewer) -> None:
    place = WEB_MERCATOR_TMS.tile(*FOREST, 13)
    mask = tile(viewer, 0, "mask", place)
    assert len(np.unique(mask.reshape(-1, 4), axis=0)) <= 5
    colour = tile(viewer, 0, "colour", place)
    assert not np.array_equal(colour[..., 0], colour[..., 2])


def test_series_at_a_place(viewer: Viewer) -> None:
    series = json.loads(ask(viewer, f"api/series?lon={FOREST[0]}&lat={FOREST[1]}")[1])
    assert [reading["pass"] for reading in series] == [0, 1, 2]
    vh = [reading["db"]["VH"] for reading in series]
    assert vh[2] < min(vh[:2]) - 2.5  # the cut
    item = json.loads(ask(viewer, f"item/{series[0]['item']}")[1])
    assert item["properties"]["sarcube:burst_id"].startswith("t")
    assert json.loads(ask(viewer, "api/series?lon=0&lat=0")[1]) == []


def test_refuses_with_words(viewer: Viewer) -> None:
    for path, word in (
        ("tiles/9/VV/10/0/0.png", "no pass 9"),
        ("tiles/0/XX/10/0/0.png", "'XX'"),
        ("tiles/0/VV/3/9/0.png", "no tile 3/9/0"),
        ("tiles/0/VV/10/0/0.png?low=3&high=1", "from low to high"),
        ("api/series?lon=x&lat=1", "not a number"),
        ("api/series?lon=nan&lat=1", "no place"),
        ("item/none", "no item none"),
        ("..%2f..%2fetc%2fpasswd", "nothing at"),
    ):
        status, body = ask(viewer, path)
        assert status in (400, 404)
        assert word in json.loads(body)["error"]


def test_only_for_this_machine(viewer: Viewer) -> None:
    assert ask(viewer, "", Host="evil.example")[0] == 403
    status, body = ask(viewer, "")
    assert status == 200
    assert b"http" not in body.replace(b"http-equiv", b"")  # nothing comes from elsewhere


def test_page_names_nothing_elsewhere() -> None:
    page = Path(sarcube.__file__).parent / "cube" / "viewer" / "page"
    assert "Redistribution" in (page / "leaflet" / "LICENSE.txt").read_text()
    for file in page.glob("*.*"):  # Leaflet names its makers
        addresses = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in addresses, file
        assert "https://" not in addresses, file


def test_nothing_to_show(tmp_path: Path) -> None:
    with pytest.raises(CubeError, match=r"holds no product|no store"), open_viewer(str(tmp_path / "none")):
        pass


def test_a_browser_that_goes_away_is_not_worth_a_word(viewer: Viewer, capfd: pytest.CaptureFixture[str]) -> None:
    place = urllib.parse.urlsplit(viewer.url)
    for question in (b"", b"GET /api/store HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        with socket.create_connection((place.hostname, place.port)) as connection:
            connection.sendall(question)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close by a reset
    assert ask(viewer, "api/store")[0] == 200
    time.sleep(0.2)
    assert capfd.readouterr().err == ""


def test_in_a_notebook(tutorial: FirstRun) -> None:
    shown = sarcube.show(str(tutorial.store))
    try:
        assert f'<iframe src="{shown.url}"' in shown._repr_html_()
        assert ask(shown, "api/store")[0] == 200
    finally:
        shown.close()


def test_command_until_interrupted(tutorial: FirstRun) -> None:
    command = [sys.executable, "-m", "sarcube.cli", "view", "store", "--port", "0", "--no-browser"]
    with subprocess.Popen(command, cwd=tutorial.folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            line = process.stdout.readline()
            url = line.split()[0]
            with urllib.request.urlopen(f"{url}api/store", timeout=30) as answer:
                assert len(json.load(answer)["passes"]) == 3
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()
    assert "3 passes of store" in line
