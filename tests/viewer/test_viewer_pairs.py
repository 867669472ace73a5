"""A store of pairs in the viewer: which they are, phase round the colour map, coherence, unwrapped phase, the list."""

from __future__ import annotations

import io
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from morecantile import Tile
from PIL import Image
from rio_tiler.constants import WEB_MERCATOR_TMS

from sarcube.cube.viewer import Viewer, ViewerOptions, open_viewer
from tests.cube.pairs import GRID, item
from tests.viewer.test_viewer_page import browser, settled  # noqa: F401 - a fixture

FIRST, SECOND, THIRD = "2024-05-01", "2024-05-13", "2024-05-25"
LON, LAT = 7.714, 47.822  # of the middle of the grid
PHASE = 2.0  # of the first pair, everywhere


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    folder = tmp_path_factory.mktemp("pairs")
    one = np.ones(GRID.shape)
    for second, phase in ((SECOND, PHASE), (THIRD, -1.0)):
        layers = {
            "interferogram": 0.3 * np.exp(1j * phase) * one,
            "coherence": 0.6 * one,
            "unwrapped_phase": np.linspace(-20, 20, GRID.width)[None] * one,
        }
        made = item(folder, layers, FIRST, second)
        made.set_self_href(str(folder / f"{made.id}.json"))
        made.save_object(include_self_link=False)
    with open_viewer(str(folder), ViewerOptions(port=0)) as running:
        yield running


def answer(viewer: Viewer, path: str) -> bytes:
    with urllib.request.urlopen(viewer.url + path, timeout=30) as told:
        return bytes(told.read())


def colour(viewer: Viewer, step: int, layer: str) -> Any:
    """Of the pixel in the middle of the grid, as the page asks for it."""
    told = json.loads(answer(viewer, "api/store"))
    about = next(one for one in told["layers"] if one["name"] == layer)
    query = "?low={}&high={}".format(*about["ranges"][0]) if about["ranges"] else ""
    place = WEB_MERCATOR_TMS.tile(LON, LAT, 13)
    west, south, east, north = WEB_MERCATOR_TMS.bounds(Tile(place.x, place.y, 13))
    png = answer(viewer, f"tiles/{step}/{layer}/13/{place.x}/{place.y}.png{query}")
    picture = np.asarray(Image.open(io.BytesIO(png)))
    return picture[int(256 * (north - LAT) / (north - south)), int(256 * (LON - west) / (east - west))]


def test_pairs_tell_both_dates(viewer: Viewer) -> None:
    told = json.loads(answer(viewer, "api/store"))
    assert [(p["time"][:10], p["second"][:10]) for p in told["passes"]] == [(FIRST, SECOND), (FIRST, THIRD)]
    assert [(p["days"], p["across"], p["channel"]) for p in told["passes"]] == [(12.0, 50, "VV"), (24.0, 50, "VV")]
    cyclic = {layer["name"]: layer["cyclic"] for layer in told["layers"]}
    assert cyclic["interferogram"] and not cyclic["coherence"]


def test_phase_goes_round_the_colours_and_coherence_is_grey(viewer: Viewer) -> None:
    for step, phase in enumerate((PHASE, -1.0)):
        share = (phase + np.pi) / (2 * np.pi)
        expected = np.array(mpl.colormaps["twilight"](share, bytes=True))
        assert np.abs(colour(viewer, step, "interferogram").astype(int) - expected).max() <= 3
    assert np.abs(colour(viewer, 0, "coherence").astype(int) - [153, 153, 153, 255]).max() <= 2
    middle = colour(viewer, 0, "unwrapped_phase")
    assert middle[3] == 255


def test_a_list_of_pairs_chooses(viewer: Viewer, browser: Any) -> None:  # noqa: F811 - the fixture
    context = browser.new_context(viewport={"width": 1000, "height": 640})
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(viewer.url)
    settled(page)
    listed = page.locator("#pairs option").all_inner_texts()
    assert listed == [f"{FIRST} → {SECOND} · 12 d · 50 m · VV", f"{FIRST} → {THIRD} · 24 d · 50 m · VV"]
    assert page.locator("#when").inner_text().startswith(listed[0])
    page.locator("#pairs").select_option(index=1)
    settled(page)
    assert "pass=1" in page.url and page.locator("#when").inner_text().startswith(listed[1])
    page.locator("#before").click()
    settled(page)
    assert page.locator("#pairs").input_value() == "0" and not wrong
    context.close()
